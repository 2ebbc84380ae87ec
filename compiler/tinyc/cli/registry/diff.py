"""`tinyc registry diff`: what differs between two models, firmwares or deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinyc.cli import output
from tinyc.cli.options import Json
from tinyc.cli.registry.options import RegistryAt, opened

if TYPE_CHECKING:
    from tinyc.registry.differences import Difference, Thing

_WHAT = (
    "NAME@VERSION of a model, the first digits of a firmware's identity, the chip of a device for what it "
    "runs now, or an IRI."
)


def command(
    first: Annotated[str, typer.Argument(help=_WHAT, metavar="A")],
    second: Annotated[str, typer.Argument(help="The other, likewise.", metavar="B")],
    every: Annotated[bool, typer.Option("--all", help="List also what is equal.")] = False,
    registry: RegistryAt = None,
    json: Json = False,
) -> None:
    """Compare two models, firmwares or deployments, and say of models which version the change needs."""
    from tinyc.registry.differences import difference

    with opened(registry) as there:
        found = difference(there.store, first, second)
    fields = found.fields if every else found.changed
    if json:
        output.as_json(_json(found, every))
        return
    if not fields:
        output.data(f"nothing differs between {found.first.label} and {found.second.label}")
    else:
        output.table(
            "",
            ("field", found.first.label, found.second.label),
            ((field.name, field.first or "", field.second or "") for field in fields),
        )
    if found.verdict is not None:
        level = found.verdict.level.name
        output.table(
            f"the change is {level}" if found.verdict.reasons else "the models are the same",
            ("level", "rule", "reason"),
            ((reason.level.name, reason.rule, reason.text) for reason in found.verdict.reasons),
        )


def _json(found: Difference, every: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "first": _thing(found.first),
        "second": _thing(found.second),
        "fields": [
            {"field": field.name, "first": field.first, "second": field.second}
            for field in (found.fields if every else found.changed)
        ],
    }
    if found.verdict is not None:
        told["level"] = found.verdict.level.name.lower()
        told["reasons"] = [
            {"level": reason.level.name.lower(), "rule": reason.rule, "reason": reason.text}
            for reason in found.verdict.reasons
        ]
    return told


def _thing(thing: Thing) -> dict[str, str]:
    return {"iri": thing.iri.value, "kind": thing.kind, "label": thing.label}
