"""Builds firmware that has no model: its texts are all there is to know of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from tinyc.boards import Board
from tinyc.emit import project
from tinyc.errors import DoesNotFit, TinycError
from tinyc.files import STATE_FOLDER, exclusive, write_together
from tinyc.program import Firmware, Sizes
from tinyc.resources import cache_folder
from tinyc.toolchain import images, platformio
from tinyc.toolchain.elf import Image, bytes_by_kind, read_elf
from tinyc.toolchain.stack import stack_with_interrupts

_STAMP = f"{STATE_FOLDER}/standalone.json"


def build(
    board: Board,
    files: Mapping[str, str],
    folder: Path | None,
    toolchain: str,
    digest: str,
    identity: str,
    *,
    cache: str,
) -> Firmware:
    """The firmware of these texts, in `folder` or in the cache `cache`; what lies there is not built again.

    `digest` stands in the place of a model's. Raises TinycError when the build fails, DoesNotFit when the
    stack is deeper than what the board reserves.
    """
    version = platformio.toolchain_version(toolchain, board.instruction_set.family)
    key = project.digest_of(files, version)
    place = (cache_folder() / cache / key[:32] if folder is None else folder).resolve()
    try:
        with exclusive(place / STATE_FOLDER / "lock"):
            project.write_texts(files, place)
            if not _is_built(place, key):
                _compile(board, files, place, toolchain, key, version)
    except OSError as error:
        raise TinycError(
            f"cannot write the firmware: {error.strerror or error}", where=str(error.filename or place)
        ) from error
    outputs = {Path(name).suffix[1:]: place / name for name in _names(board)}
    image = read_elf(outputs["elf"])
    kinds = bytes_by_kind(image.sections)
    sizes = Sizes(
        flash=kinds["text"] + kinds["rodata"] + kinds["data"],
        ram=kinds["data"] + kinds["bss"],
        arena=0,
        weights=0,
        stack_bound=_stack(image, board),
        **kinds,
    )
    return Firmware(place, outputs["elf"], outputs, sizes, toolchain, digest, identity)


def _names(board: Board) -> tuple[str, ...]:
    names = ("firmware.elf", "firmware.hex", "firmware.bin")
    return names if board.uf2_family is None else (*names, "firmware.uf2")


def _compile(
    board: Board, files: Mapping[str, str], folder: Path, toolchain: str, key: str, version: str
) -> None:
    (folder / _STAMP).unlink(missing_ok=True)
    secret = project.PRIVATE in files
    image = read_elf(platformio.run(folder, board.name, toolchain, version, private=secret))
    outputs = {
        "firmware.elf": image.path.read_bytes(),
        "firmware.hex": images.to_hex(image.segments).encode("ascii"),
        "firmware.bin": images.to_binary(image.segments)[1],
    }
    if board.uf2_family is not None:
        outputs["firmware.uf2"] = images.to_uf2(image.segments, board.uf2_family)
    private = [folder / name for name in outputs] if secret else []
    write_together({folder / name: content for name, content in outputs.items()}, private)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in outputs.items()}
    stamp = json.dumps({"key": key, "outputs": digests}, indent=1) + "\n"
    write_together({folder / _STAMP: stamp.encode("utf-8")})


def _is_built(folder: Path, key: str) -> bool:
    try:
        stamp = json.loads((folder / _STAMP).read_text(encoding="utf-8"))
        return bool(stamp["key"] == key) and all(
            hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
            for name, digest in stamp["outputs"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _stack(image: Image, board: Board) -> int | None:
    """The deepest stack in bytes, None without a bound. Raises DoesNotFit when it is too deep."""
    try:
        found = stack_with_interrupts(image, ())
    except TinycError:
        return None
    if found.bytes > board.memory.stack:
        raise DoesNotFit(
            f"the stack needs {found.bytes} bytes, board `{board.name}` reserves {board.memory.stack}",
            where=" > ".join(found.path),
            hint="raise `stack` in the board's file",
        )
    return found.bytes
