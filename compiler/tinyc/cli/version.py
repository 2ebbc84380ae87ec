"""`tinyc version`: which number a changed model needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinyc.cli import output
from tinyc.cli.options import Json
from tinyc.cli.registry.options import RegistryAt
from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.versioning.calculator import Verdict
    from tinyc.versioning.model import Manifest
    from tinyc.versioning.numbers import Version

_SOURCES = "A build folder, a manifest.json, or NAME@VERSION of the registry."


def command(
    old: Annotated[str, typer.Argument(help=f"The earlier model. {_SOURCES}", metavar="OLD")],
    new: Annotated[
        str | None,
        typer.Argument(
            help="The changed model, likewise. Without it, OLD is the model, and its base the earlier one.",
            metavar="NEW",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        str | None,
        typer.Option("--check", help="Refuse this number for NEW when it is too low.", show_default=False),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--base",
            help=f"Record in NEW, a build folder or manifest.json, what it was derived from. {_SOURCES}",
            show_default=False,
        ),
    ] = None,
    relation: Annotated[
        str | None,
        typer.Option(
            "--relation",
            help="With --base: how, one of quantized, fine-tuned, pruned, revised.",
            show_default=False,
        ),
    ] = None,
    evaluation: Annotated[
        Path | None,
        typer.Option(
            "--evaluation",
            help="Labelled samples (.npz): compare the accuracy of two build folders, class by class.",
            show_default=False,
        ),
    ] = None,
    registry: RegistryAt = None,
    json: Json = False,
) -> None:
    """Say which version a changed model needs, MAJOR, MINOR or PATCH, and why."""
    from tinyc.cli import lineage
    from tinyc.versioning.calculator import compare
    from tinyc.versioning.gate import too_low
    from tinyc.versioning.numbers import Version

    number = None if check is None else Version.parse(check)
    second = old if new is None else new
    after = lineage.find(second, registry=registry)
    if base is not None or relation is not None:
        after = lineage.record(second, after, base, relation, registry)
    first = _base_of(after) if new is None else old
    try:
        before = None if first is None else lineage.find(first, registry=registry)
    except TinycError as error:
        if new is not None:
            raise
        output.talk(f"its base {first} is not compared: {error.what}")
        before = None
    if before is None or first is None:
        if number is not None or evaluation is not None:
            raise TinycError("there is nothing to compare with", hint="name the earlier model first")
        _show_manifest(after, json)
        return
    if evaluation is not None:
        before, after = (
            replace(manifest, metrics=_evaluated(name, evaluation))
            for name, manifest in ((first, before), (second, after))
        )
    verdict = compare(before, after)
    lowest = verdict.lowest(Version.parse(before.version))
    wrong = too_low(before, after, number) if number is not None else None
    if json:
        output.as_json(_json(before, after, verdict, lowest, number, wrong is None))
    else:
        _show(before, after, verdict, lowest)
    if wrong is not None:
        raise wrong


def _base_of(model: Manifest) -> str | None:
    """What one argument alone is compared with: the base that its manifest names."""
    return None if model.base is None else f"{model.base.name}@{model.base.version}"


def _evaluated(reference: str, samples: Path) -> Any:
    from tinyc import artifact
    from tinyc.cli.inputs import load_vectors
    from tinyc.execution import host_engine, quantize_vector
    from tinyc.source import LABELS, check_labels, load_arrays
    from tinyc.versioning.metrics import metrics_of

    found = artifact.open_artifact(Path(reference))
    vectors = load_vectors(found.program, samples)
    labels = load_arrays(samples).get(LABELS)
    if labels is None:
        raise TinycError(f"holds no `{LABELS}`", where=str(samples))
    check_labels(labels, len(vectors), samples)
    with host_engine(found.program) as engine:
        watched = output.progress(f"evaluating {reference}", vectors)
        outputs = [engine.run(quantize_vector(found.program, vector)) for vector in watched]
    return metrics_of(outputs, [int(label) for label in labels], found.program.labels)


def _show_manifest(found: Manifest, json: bool) -> None:
    from tinyc.versioning.calculator import release_text
    from tinyc.versioning.numbers import Version

    if json:
        output.as_json(found.to_json())
        return
    head = ", ".join(found.head.layers) or "none"
    output.table(
        release_text(found, Version.parse(found.version)),
        ("part", "what"),
        (
            ("model", f"{found.name} {found.version}, digest {found.digest[:16]}"),
            ("input", f"{found.input.type}, {_ports(found.input.tensors)}"),
            ("output", f"{_ports(found.output.tensors)}, {len(found.output.labels)} labels"),
            ("body", f"{len(found.body.layers)} layers, {found.body.digest[:16]}"),
            ("head", f"{head}, {found.head.digest[:16]}"),
            ("golden vectors", found.golden[:16]),
            *((f"on {board}", _sizes(target)) for board, target in sorted(found.targets.items())),
        ),
        note="Name an earlier model as well to learn which version this one needs.",
    )


def _ports(ports: tuple[Any, ...]) -> str:
    return ", ".join(f"{port.dtype}[{', '.join(map(str, port.shape))}]" for port in ports)


def _sizes(target: Any) -> str:
    return f"flash {target.flash:,} B, RAM {target.ram:,} B"


def _show(before: Manifest, after: Manifest, verdict: Verdict, lowest: Version) -> None:
    from tinyc.versioning.calculator import release_text
    from tinyc.versioning.numbers import Level

    for note in verdict.notes:
        output.talk(f"note: {note}")
    if verdict.level is Level.NONE:
        output.data(f"nothing changed: {before.name} stays {before.version}")
        return
    output.table(
        f"{before.name} {before.version} → {after.name}: {verdict.level.name}, {lowest} or higher",
        ("level", "rule", "reason"),
        ((reason.level.name, reason.rule, reason.text) for reason in verdict.reasons),
        note=f"with build metadata {release_text(after, lowest)}",
    )


def _json(
    before: Manifest, after: Manifest, verdict: Verdict, lowest: Version, number: Version | None, passed: bool
) -> dict[str, Any]:
    from tinyc.versioning.calculator import release_text

    told: dict[str, Any] = {
        "old": {"name": before.name, "version": before.version, "digest": before.digest},
        "new": {"name": after.name, "version": after.version, "digest": after.digest},
        "level": verdict.level.name.lower(),
        "reasons": [
            {"level": reason.level.name.lower(), "rule": reason.rule, "reason": reason.text}
            for reason in verdict.reasons
        ],
        "notes": list(verdict.notes),
        "next": str(lowest),
        "release": release_text(after, lowest),
    }
    if number is not None:
        told["check"] = {"number": str(number), "high_enough": passed}
    return told
