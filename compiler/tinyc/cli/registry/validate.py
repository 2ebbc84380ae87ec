"""`tinyc registry validate`: does what the registry holds agree with the shapes?"""

from __future__ import annotations

from typing import Annotated

import typer

from tinyc.cli import output
from tinyc.cli.options import Json
from tinyc.cli.registry.options import RegistryAt, opened
from tinyc.errors import TinycError


def command(
    registry: RegistryAt = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Things that one shape may report.")] = 1000,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail for warnings about imported descriptions, too.")
    ] = False,
    json: Json = False,
) -> None:
    """Check all that the registry holds by the shapes of its classes."""
    from tinyc.registry.constraints import show
    from tinyc.registry.shapes import audit

    with opened(registry) as found, output.busy("checking"):
        violations = audit(found.store, limit=limit)
    wrong = [each for each in violations if strict or not each.warning]
    if json:
        output.as_json(
            [
                {
                    "node": show(each.node),
                    "shape": each.shape,
                    "path": each.path.value,
                    "value": None if each.value is None else show(each.value),
                    "constraint": each.constraint,
                    "warning": each.warning,
                    "message": each.message,
                }
                for each in violations
            ]
        )
    elif violations:
        output.table(
            "",
            ("shape", "what is wrong", "how bad"),
            (
                (each.shape.split("#")[-1], each.message, "warning" if each.warning else "error")
                for each in violations
            ),
        )
    if wrong:
        number = len(wrong)
        raise TinycError(
            f"{number} {'fact contradicts' if number == 1 else 'facts contradict'} the shapes",
            hint="`tinyc registry query` shows and mends them; docs/reference/ontology.md has the shapes",
        )
    warnings = len(violations)
    output.talk(
        "everything agrees with the shapes"
        + (f"; {warnings} {'warning' if warnings == 1 else 'warnings'}" if warnings else "")
    )
