"""From a project to a firmware: write, compile, check against the plan, convert, remember."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import tinyc
from tinyc.emit.project import firmware_digest, project_key, with_toolchain, write
from tinyc.emit.split_model import firmware_manifest, model_manifest
from tinyc.emit.symbols import emitted
from tinyc.errors import DoesNotFit, TinycError
from tinyc.files import STATE_FOLDER, exclusive, part_of, write_together
from tinyc.program import Firmware, Program, Project, Sizes
from tinyc.split import FIRMWARE, MODEL, to_json
from tinyc.toolchain import images, platformio, split_images
from tinyc.toolchain.elf import Image, compare_prediction, read_elf
from tinyc.toolchain.stack import stack_with_interrupts

_OUTPUTS = ("firmware.elf", "firmware.hex", "firmware.bin")
_UF2 = "firmware.uf2"
_STAMP = f"{STATE_FOLDER}/build.json"


def build(project: Project, folder: Path, toolchain: str = "zig") -> Firmware:
    """Write `project` to `folder` and build it.

    The outputs are `firmware.elf`, `.hex`, `.bin` and, for boards that take it, `.uf2`; of a split build also
    the bodies of the model's images and what says whether they belong together. Nothing is
    compiled when the folder already holds the outputs of exactly these texts and this compiler.
    Outputs of other texts are removed before the compiler starts, and new ones appear only when
    all are complete, so a folder never holds a firmware that does not belong to its sources.

    Raises TinycError for a missing or failing toolchain, a folder that cannot be written, and a
    firmware that differs from the memory plan.
    """
    folder = folder.resolve()
    project = with_toolchain(project, toolchain)
    version = platformio.toolchain_version(toolchain, project.program.board.instruction_set.family)
    key = project_key(project, tinyc.__version__, version)
    try:
        with exclusive(folder / STATE_FOLDER / "lock"):
            write(project, folder)
            sizes = _sizes_of_earlier(folder, key) or _compile(project, folder, toolchain, key, version)
    except OSError as error:
        raise TinycError(
            f"cannot write the firmware: {error.strerror or error}",
            where=str(error.filename or folder),
            hint="choose another folder with --out",
        ) from error
    return _firmware(folder, project, sizes, toolchain)


def _sizes_of_earlier(folder: Path, key: str) -> Sizes | None:
    """Sizes of the firmware that lies in the folder, when it is the one with this key."""
    stamp = _read_stamp(folder)
    if stamp is None or stamp.get("key") != key or not _intact(folder, stamp):
        return None
    return Sizes(**stamp["sizes"])


def _compile(project: Project, folder: Path, toolchain: str, key: str, version: str) -> Sizes:
    """Build, check, convert, publish."""
    stamp = _read_stamp(folder)
    if stamp is None:
        # The last build did not end, or never was: its object files are not to be trusted.
        shutil.rmtree(folder / ".pio" / "build", ignore_errors=True)
    _forget(folder, stamp)
    lowpan = project.program.lowpan
    secret = lowpan is not None and lowpan.has_keys
    image = read_elf(platformio.run(folder, project.program.board.name, toolchain, version, private=secret))
    more: dict[str, bytes] = {}
    if project.split is None:
        sizes = compare_prediction(image, project.program)
    else:
        more, sizes = _model_outputs(image, project, toolchain)
    sizes = replace(sizes, stack_bound=_stack(image, project))
    outputs = _outputs(image, project.program) | more
    private = [folder / name for name in outputs] if secret else []
    write_together({folder / name: content for name, content in outputs.items()}, private)
    _write_stamp(folder, key, outputs, sizes)
    return sizes


def _model_outputs(image: Image, project: Project, toolchain: str) -> tuple[dict[str, bytes], Sizes]:
    """What a split build has beside its firmware, and the sizes of all."""
    outputs = split_images.read_bodies(image.path, project)
    body_bytes = max(map(len, outputs.values()))
    program, split = project.program, project.split
    assert split is not None
    firmware = firmware_manifest(program, split, toolchain, firmware_digest(project.files))
    outputs[FIRMWARE] = to_json(firmware)
    outputs[MODEL] = to_json(model_manifest(program, split.slots, body_bytes))
    return outputs, split_images.check_firmware(image, project, body_bytes)


def _stack(image: Image, project: Project) -> int | None:
    """The deepest stack in bytes, None when it has no bound. Raises DoesNotFit when it is too deep."""
    program = project.program
    try:
        # A split build calls its layers by a switch, so no pointer leads to one.
        found = stack_with_interrupts(image, () if project.split is not None else emitted(program).layers)
    except TinycError:
        return None
    reserved = program.board.memory.stack
    if found.bytes > reserved:
        raise DoesNotFit(
            f"the stack needs {found.bytes} bytes, board `{program.board.name}` reserves {reserved}",
            where=" > ".join(found.path),
            hint="raise `stack` in the board's file",
        )
    return found.bytes


def _outputs(image: Image, program: Program) -> dict[str, bytes]:
    """File name → content. The ELF comes first: everything else is made from it."""
    elf, text = image.path.read_bytes(), images.to_hex(image.segments).encode("ascii")
    outputs = dict(zip(_OUTPUTS, (elf, text, images.to_binary(image.segments)[1]), strict=True))
    if program.board.uf2_family is not None:
        outputs[_UF2] = images.to_uf2(image.segments, program.board.uf2_family)
    return outputs


def _names(program: Program) -> tuple[str, ...]:
    return _OUTPUTS if program.board.uf2_family is None else (*_OUTPUTS, _UF2)


def _firmware(folder: Path, project: Project, sizes: Sizes, toolchain: str) -> Firmware:
    program = project.program
    outputs = {Path(name).suffix[1:]: folder / name for name in _names(program)}
    identity = firmware_digest(project.files)
    if project.split is not None:
        outputs |= {Path(name).stem: folder / name for name in split_images.BODIES}
        outputs |= {
            "firmware_manifest": folder / FIRMWARE,
            "model_manifest": folder / MODEL,
        }
    return Firmware(folder, outputs["elf"], outputs, sizes, toolchain, program.digest, identity)


def _read_stamp(folder: Path) -> dict[str, Any] | None:
    try:
        stamp = json.loads((folder / _STAMP).read_text(encoding="utf-8"))
        Sizes(**stamp["sizes"])
        return stamp if isinstance(stamp["outputs"], dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _intact(folder: Path, stamp: Mapping[str, Any]) -> bool:
    try:
        return all(
            hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
            for name, digest in stamp["outputs"].items()
        )
    except OSError:
        return False


def _forget(folder: Path, stamp: Mapping[str, Any] | None) -> None:
    """Remove the outputs of an earlier build, and the stamp last, so that they are never orphans."""
    names = set(stamp["outputs"]) if stamp is not None else set()
    every = {*_OUTPUTS, _UF2, *split_images.BODIES, FIRMWARE, MODEL}
    for name in sorted(names | every):
        if Path(name).name == name:
            (folder / name).unlink(missing_ok=True)
            part_of(folder / name).unlink(missing_ok=True)
    (folder / _STAMP).unlink(missing_ok=True)


def _write_stamp(folder: Path, key: str, outputs: Mapping[str, bytes], sizes: Sizes) -> None:
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in outputs.items()}
    text = json.dumps({"key": key, "outputs": digests, "sizes": asdict(sizes)}, indent=1) + "\n"
    write_together({folder / _STAMP: text.encode("utf-8")})
