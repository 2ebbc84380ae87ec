"""`tinyc registry query`: SPARQL of the user's own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from tinyc.cli import output
from tinyc.cli.registry.options import RegistryAt, opened
from tinyc.errors import TinycError, nearest

if TYPE_CHECKING:
    from tinyc.registry.store.base import Answer, Rows

T = TypeVar("T")
FORMATS = ("table", "json", "csv", "tsv", "xml", "turtle", "ntriples", "jsonld")
_ROWS = 1000
"""Rows of a table where no limit is given: what more there is, is said."""


def command(
    text: Annotated[
        str | None,
        typer.Argument(help="SPARQL 1.1; `-` reads it from stdin.", show_default=False),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="File with the query.", show_default=False)
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", help=f"{', '.join(FORMATS)}. Default: table.", show_default=False),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help="At most so many rows or triples.", show_default=False),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", min=0.001, help="Seconds that the query may take.", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    registry: RegistryAt = None,
) -> None:
    """Ask the registry in SPARQL. The usual prefixes need no declaration; updates are refused.

    Examples: `tinyc registry query 'SELECT ?d WHERE { ?d a tinyc:Device }'`,
    `tinyc registry query --file mine.rq --format csv`.
    """
    from tinyc.registry.store import syntax
    from tinyc.registry.store.base import Limits
    from tinyc.registry.vocabulary import PREFIXES

    chosen = _format(format, json)
    asked = _text(text, file)
    if syntax.form(asked) == "update":
        raise TinycError(
            "this is an update, and `query` only reads",
            allowed="SELECT, ASK, CONSTRUCT or DESCRIBE",
            hint="`tinyc registry add` and `import` write; `serve` takes updates with a token",
        )
    rows = limit if limit is not None or chosen != "table" else _ROWS
    with opened(registry) as found:
        answer = found.store.query(asked, limits=Limits(timeout, rows), prefixes=PREFIXES)
        show(answer, chosen)


def _format(format: str | None, json: bool) -> str:
    if json and format not in (None, "json"):
        raise TinycError(f"--json and --format {format} are two formats", hint="give one of them")
    chosen = "json" if json else format or "table"
    if chosen not in FORMATS:
        raise TinycError(f"there is no format `{chosen}`", where="--format", allowed=nearest(chosen, FORMATS))
    return chosen


def _text(text: str | None, file: Path | None) -> str:
    if (text is None) == (file is None):
        raise TinycError(
            "there is nothing to ask" if text is None else "there are two queries",
            allowed="the text of a query, `-` for stdin, or --file",
        )
    try:
        if file is not None and str(file) != "-":
            return file.read_text(encoding="utf-8")
        return sys.stdin.read() if file is not None or text == "-" else str(text)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise TinycError(f"cannot read the query: {why}", where=str(file)) from error


def show(answer: Answer, format: str) -> None:
    """The answer on stdout. A limit that is reached is said on stderr, after what there is."""
    from tinyc.registry import results
    from tinyc.registry.store.base import Rows, Triples, Truth

    reached: list[str] = []
    cut: Answer = answer
    if isinstance(answer, Rows):
        cut = Rows(answer.variables, _until_limit(answer.rows, reached))
    elif isinstance(answer, Triples):
        cut = Triples(_until_limit(answer.triples, reached))
    if format != "table":
        for piece in results.pieces(cut, format):
            sys.stdout.write(piece.decode())
    elif isinstance(cut, Truth):
        output.data("yes" if cut.value else "no")
    elif isinstance(cut, Rows):
        _table(cut)
    else:
        output.table(
            "",
            ("subject", "predicate", "object"),
            (
                [results.cell(part) for part in (each.subject, each.predicate, each.object)]
                for each in cut.triples
            ),
        )
    sys.stdout.flush()
    for text in reached:
        output.talk(f"{text}; --limit gives more")


def _until_limit(items: Iterator[T], reached: list[str]) -> Iterator[T]:
    """What comes before the limit of rows; a limit of time ends the verb."""
    from tinyc.registry.store.errors import LimitReached

    try:
        yield from items
    except LimitReached as error:
        if error.limit != "rows":
            raise
        reached.append(error.what)


def _table(answer: Rows) -> None:
    from tinyc.registry import results

    rows = list(answer.rows)
    columns = [
        f"{name}>" if any(results.numeric(row[place]) for row in rows) else name
        for place, name in enumerate(answer.variables)
    ]
    output.table("", columns, ([results.cell(term) for term in row] for row in rows))
    output.talk(f"{len(rows)} row{'' if len(rows) == 1 else 's'}")
