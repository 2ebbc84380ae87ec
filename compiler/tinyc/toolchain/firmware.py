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
from tinyc.emit.project import project_key, with_toolchain, write
from tinyc.emit.symbols import emitted
from tinyc.errors import DoesNotFit, TinycError
from tinyc.files import STATE_FOLDER, exclusive, part_of, write_together
from tinyc.program import Firmware, Program, Project, Sizes
from tinyc.toolchain import images, platformio
from tinyc.toolchain.elf import Image, compare_prediction, read_elf
from tinyc.toolchain.stack import stack_bound

_OUTPUTS = ("firmware.elf", "firmware.hex", "firmware.bin")
_UF2 = "firmware.uf2"
_STAMP = f"{STATE_FOLDER}/build.json"


def build(project: Project, folder: Path, toolchain: str = "zig") -> Firmware:
    """Write `project` to `folder` and build it.

    The outputs are `firmware.elf`, `.hex`, `.bin` and, for boards that take it, `.uf2`. Nothing is
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
            sizes = _sizes_of_earlier(folder, key) or _compile(project, folder, toolchain, key)
    except OSError as error:
        raise TinycError(
            f"cannot write the firmware: {error.strerror or error}",
            where=str(error.filename or folder),
            hint="choose another folder with --out",
        ) from error
    return _firmware(folder, project.program, sizes, toolchain)


def _sizes_of_earlier(folder: Path, key: str) -> Sizes | None:
    """Sizes of the firmware that lies in the folder, when it is the one with this key."""
    stamp = _read_stamp(folder)
    if stamp is None or stamp.get("key") != key or not _intact(folder, stamp):
        return None
    return Sizes(**stamp["sizes"])


def _compile(project: Project, folder: Path, toolchain: str, key: str) -> Sizes:
    """Build, check, convert, publish."""
    stamp = _read_stamp(folder)
    if stamp is None:
        # The last build did not end, or never was: its object files are not to be trusted.
        shutil.rmtree(folder / ".pio" / "build", ignore_errors=True)
    _forget(folder, stamp)
    image = read_elf(platformio.run(folder, project.program.board.name, toolchain))
    sizes = compare_prediction(image, project.program)
    sizes = replace(sizes, stack_bound=_stack(image, project.program))
    outputs = _outputs(image, project.program)
    write_together({folder / name: content for name, content in outputs.items()})
    _write_stamp(folder, key, outputs, sizes)
    return sizes


def _stack(image: Image, program: Program) -> int | None:
    """The deepest stack in bytes, None when it has no bound. Raises DoesNotFit when it is too deep."""
    try:
        found = stack_bound(image, emitted(program).layers)
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


def _firmware(folder: Path, program: Program, sizes: Sizes, toolchain: str) -> Firmware:
    outputs = {Path(name).suffix[1:]: folder / name for name in _names(program)}
    return Firmware(folder, outputs["elf"], outputs, sizes, toolchain, program.digest)


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
    for name in sorted(names | {*_OUTPUTS, _UF2}):
        if Path(name).name == name:
            (folder / name).unlink(missing_ok=True)
            part_of(folder / name).unlink(missing_ok=True)
    (folder / _STAMP).unlink(missing_ok=True)


def _write_stamp(folder: Path, key: str, outputs: Mapping[str, bytes], sizes: Sizes) -> None:
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in outputs.items()}
    text = json.dumps({"key": key, "outputs": digests, "sizes": asdict(sizes)}, indent=1) + "\n"
    write_together({folder / _STAMP: text.encode("utf-8")})
