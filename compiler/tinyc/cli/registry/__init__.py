"""`tinyc registry VERB`: which device runs which model. One module per verb."""

from __future__ import annotations

from collections.abc import Callable

import typer

from tinyc.cli.registry.add import command as add
from tinyc.cli.registry.ask import command as ask
from tinyc.cli.registry.diff import command as diff
from tinyc.cli.registry.export import command as export
from tinyc.cli.registry.import_ import command as import_
from tinyc.cli.registry.init import command as init
from tinyc.cli.registry.match import command as match
from tinyc.cli.registry.query import command as query
from tinyc.cli.registry.serve import command as serve
from tinyc.cli.registry.show import command as show
from tinyc.cli.registry.stats import command as stats
from tinyc.cli.registry.sync import command as sync
from tinyc.cli.registry.validate import command as validate

app = typer.Typer(
    help="Keep and ask which device runs which model, in RDF with SPARQL.", no_args_is_help=True
)

VERBS: dict[str, Callable[..., None]] = {
    "init": init,
    "add": add,
    "import": import_,
    "sync": sync,
    "show": show,
    "stats": stats,
    "ask": ask,
    "query": query,
    "match": match,
    "diff": diff,
    "validate": validate,
    "export": export,
    "serve": serve,
}
for name, verb in VERBS.items():
    app.command(name=name)(verb)
