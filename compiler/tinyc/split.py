"""A firmware and its model in images of their own: what the one offers, what the other needs.

A build writes both down, as `firmware.json` and `model.json` in its folder, so that a model can be checked
against the firmware of another build before it is sent to a device.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyc.errors import Problem, TinycError
from tinyc.slots import Slots

if TYPE_CHECKING:
    from tinyc.program import Program

FIRMWARE, MODEL = "firmware.json", "model.json"
NO_FRONT_END = "00" * 8
"""The front end of a model that takes its input as it is."""


@dataclass(frozen=True, slots=True)
class KernelNeed:
    """A kernel of a firmware, or one that a model calls in these layers. The digest is hexadecimal."""

    symbol: str
    digest: str
    layers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FirmwareManifest:
    """What a firmware offers to models. Sizes in bytes, digests hexadecimal.

    `digest` names the firmware as a device's HELLO does, `slots` is where the bodies of models begin.
    """

    board: str
    tinyc: str
    toolchain: str
    digest: str
    format: int
    kernel_set: str
    kernels: tuple[KernelNeed, ...]
    arena: int
    front_end: str
    slots: tuple[int, ...]
    body_bytes: int

    @property
    def kernel_digests(self) -> frozenset[str]:
        return frozenset(kernel.digest for kernel in self.kernels)


@dataclass(frozen=True, slots=True)
class ModelManifest:
    """What a model in an image of its own needs of a firmware. `digest` is that of its graph."""

    board: str
    tinyc: str
    digest: str
    name: str
    version: str
    format: int
    kernels: tuple[KernelNeed, ...]
    arena: int
    front_end: str
    slots: tuple[int, ...]
    body_bytes: int


@dataclass(frozen=True, slots=True)
class Base:
    """A firmware that was built before: relative path → text of its files, and what it offers."""

    files: Mapping[str, str]
    manifest: FirmwareManifest


@dataclass(frozen=True, slots=True)
class Split:
    """How a build is split.

    The firmware runs the kernels of the program and of those in `also`, with an arena of `arena` bytes; None:
    as many as the largest of them needs. With `spare` it has kernels that the program, retrained, may need
    instead. With `base` it is that firmware, and nothing else of this counts.
    """

    slots: Slots
    also: tuple[Program, ...] = ()
    arena: int | None = None
    spare: bool = False
    base: Base | None = None


def covers(firmware: FirmwareManifest, model: ModelManifest) -> list[Problem]:
    """Why the firmware would refuse the model; nothing when it runs it."""
    if firmware.board != model.board:
        return [
            Problem("board", f"the model is for `{model.board}`", f"the firmware is for `{firmware.board}`")
        ]
    problems = []
    if firmware.format != model.format:
        problems.append(
            Problem("format", f"the model has format {model.format}", f"the firmware reads {firmware.format}")
        )
    if firmware.slots != model.slots:
        where = ", ".join(f"0x{body:08x}" for body in firmware.slots)
        problems.append(Problem("slots", "the model is linked for other places", f"the firmware's: {where}"))
    if model.body_bytes > firmware.body_bytes:
        problems.append(_too_small("slot", firmware.body_bytes, model.body_bytes))
    if model.arena > firmware.arena:
        problems.append(_too_small("arena", firmware.arena, model.arena))
    if model.front_end != firmware.front_end:
        problems.append(Problem("front end", *_front_ends(firmware.front_end, model.front_end)))
    return problems + _missing_kernels(firmware, model)


def _too_small(what: str, there: int, wanted: int) -> Problem:
    return Problem(what, f"is {wanted - there} bytes too small for {wanted}", f"has {there}")


def _front_ends(there: str, wanted: str) -> tuple[str, str]:
    if wanted == NO_FRONT_END:
        return "the model takes plain input", "the firmware fills it from sound or text"
    if there == NO_FRONT_END:
        return "the model takes sound or text", "the firmware has no front end"
    return "the model takes other sound or text", "the settings and tables of the firmware's"


def _missing_kernels(firmware: FirmwareManifest, model: ModelManifest) -> list[Problem]:
    symbols = {kernel.symbol for kernel in firmware.kernels}
    version = "" if firmware.tinyc == model.tinyc else f"the firmware is of tinyc {firmware.tinyc}"
    problems = []
    for kernel in model.kernels:
        if kernel.digest not in firmware.kernel_digests:
            why = f"needs kernel `{kernel.symbol}`, which the firmware does not have"
            if kernel.symbol in symbols:
                why = f"needs another `{kernel.symbol}` than the firmware has"
            problems.append(Problem(f"layer {', '.join(kernel.layers)}", why, version))
    return problems


def require_covered(firmware: FirmwareManifest, model: ModelManifest) -> None:
    """Raise TinycError when the firmware would refuse the model."""
    problems = covers(firmware, model)
    if problems:
        raise TinycError(
            f"the firmware does not run model `{model.name}`",
            problems=problems,
            hint="send a firmware that does, built with this model or with --also and its path",
        )


def to_json(manifest: FirmwareManifest | ModelManifest) -> bytes:
    """A manifest as the bytes of its file."""
    return (json.dumps(asdict(manifest), indent=2) + "\n").encode()


def read_firmware(path: Path) -> FirmwareManifest:
    """`firmware.json` of a build folder. Raises TinycError."""
    fields = _read(path)
    try:
        return FirmwareManifest(**fields)
    except TypeError as error:
        raise _no_manifest(path, error) from error


def read_model(path: Path) -> ModelManifest:
    """`model.json` of a build folder. Raises TinycError."""
    fields = _read(path)
    try:
        return ModelManifest(**fields)
    except TypeError as error:
        raise _no_manifest(path, error) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        kernels = [{**each, "layers": tuple(each["layers"])} for each in fields["kernels"]]
        needs = tuple(KernelNeed(**each) for each in kernels)
        return {**fields, "kernels": needs, "slots": tuple(fields["slots"])}
    except OSError as error:
        raise TinycError(
            f"cannot read the manifest: {error.strerror}",
            where=str(path),
            hint="`tinyc build --split-model` writes it",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise _no_manifest(path, error) from error


def _no_manifest(path: Path, error: Exception) -> TinycError:
    return TinycError(f"is no manifest of a split build: {error}", where=str(path))
