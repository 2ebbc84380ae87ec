"""`tinyc registry ask`: the named queries."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tinyc.cli import output
from tinyc.cli.options import Json
from tinyc.cli.registry.options import RegistryAt, opened
from tinyc.errors import Problem, TinycError

if TYPE_CHECKING:
    from tinyc.registry.queries import NamedQuery
    from tinyc.registry.store.base import Rows


def command(
    name: Annotated[
        str | None, typer.Argument(help="Name of a query. Without one all are listed.", show_default=False)
    ] = None,
    values: Annotated[
        list[str] | None, typer.Argument(help="Its parameters, as NAME=VALUE.", show_default=False)
    ] = None,
    registry: RegistryAt = None,
    sparql: Annotated[
        bool, typer.Option("--sparql", help="Print the query itself, with its values.")
    ] = False,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV on stdout.")] = False,
) -> None:
    """Ask one of the named queries, or list them."""
    from tinyc.registry.queries import find, named_queries

    if name is None:
        _list(list(named_queries().values()), json)
        return
    query = find(name)
    given = _pairs(values or [], query)
    # What can be seen without a registry is told before one is looked for.
    _check(query, given)
    with opened(registry) as found:
        from tinyc.registry.asking import ask, bound

        heartbeats = found.heartbeats
        if sparql:
            output.data(bound(query, given, found.store, heartbeats))
            return
        rows = ask(query, given, found.store, heartbeats)
        count = _show(rows, "json" if json else "csv" if csv else "table")
    limit = given.get("limit") or next(
        (each.default for each in query.parameters if each.name == "limit"), None
    )
    if limit is not None and count == int(limit) > 0:
        output.talk(f"{count} rows, as many as `limit` allows; there may be more: limit={count * 10}")


def _show(answer: Rows, format: str) -> int:
    """The rows on stdout; how many there were."""
    from tinyc.registry import results
    from tinyc.registry.store.base import Rows

    rows = list(answer.rows)
    if format != "table":
        for piece in results.pieces(Rows(answer.variables, iter(rows)), format):
            sys.stdout.write(piece.decode())
    else:
        titles = [
            _title(name) + (">" if any(results.numeric(row[place]) for row in rows) else "")
            for place, name in enumerate(answer.variables)
        ]
        output.table("", titles, ([results.cell(term) for term in row] for row in rows))
    return len(rows)


def _title(variable: str) -> str:
    """`boardName` is the column `board name`."""
    return re.sub(r"(?<=[a-z])([A-Z])", lambda match: " " + match[1].lower(), variable).replace("_", " ")


def _pairs(values: Sequence[str], query: NamedQuery) -> dict[str, str]:
    """The parameters of the command line. Raises TinycError."""
    found: dict[str, str] = {}
    problems = []
    for text in values:
        key, equals, value = text.partition("=")
        if not equals:
            problems.append(Problem(text, "is no NAME=VALUE", f"as in {_example(query)}"))
        elif key in found:
            problems.append(Problem(key, "is given twice", "one value"))
        found[key] = value
    if problems:
        raise TinycError("the parameters are not right", where=query.name, problems=problems)
    return found


def _check(query: NamedQuery, given: dict[str, str]) -> None:
    """Raise TinycError for parameters that are unknown or missing."""
    problems = query.unknown(given)
    problems += [
        Problem(each.name, "is missing", each.description)
        for each in query.parameters
        if each.default is None and each.name not in given
    ]
    if problems:
        raise TinycError(
            "the parameters are not right",
            where=query.name,
            problems=problems,
            hint=f"tinyc registry ask {query.name} {_example(query)}".rstrip(),
        )


def _example(query: NamedQuery) -> str:
    needed = [f"{each.name}=…" for each in query.parameters if each.default is None]
    return " ".join(needed) or "limit=10"


def _list(queries: list[NamedQuery], json: bool) -> None:
    if json:
        output.as_json(
            [
                {
                    "name": query.name,
                    "description": query.description,
                    "parameters": [
                        {
                            "name": each.name,
                            "type": each.type,
                            "default": each.default,
                            "description": each.description,
                        }
                        for each in query.parameters
                    ],
                }
                for query in queries
            ]
        )
        return
    output.table(
        "",
        ("query", "parameters", "what it answers"),
        ((query.name, _signature(query), query.description) for query in queries),
        note="tinyc registry ask QUERY NAME=VALUE …; those in brackets have a default",
    )


def _signature(query: NamedQuery) -> str:
    shown = [each for each in query.parameters if each.name != "limit"]
    return " ".join(each.name if each.default is None else f"[{each.name}]" for each in shown)
