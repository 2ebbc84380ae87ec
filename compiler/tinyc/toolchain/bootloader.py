"""Builds the bootloader of a board, once for each text and compiler: builds of many models share it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tinyc.boards import Board
from tinyc.emit import bootloader as texts
from tinyc.emit.project import digest_of
from tinyc.errors import DoesNotFit, TinycError
from tinyc.files import exclusive, write_if_changed
from tinyc.resources import cache_folder
from tinyc.toolchain import images, platformio
from tinyc.toolchain.elf import read_elf
from tinyc.toolchain.stack import stack_bound


@dataclass(frozen=True, slots=True)
class Bootloader:
    """A linked bootloader. `content` are its bytes from the start of flash on."""

    elf: Path
    content: bytes
    stack_bound: int


def build(board: Board, boot_key: str, toolchain: str = "zig") -> Bootloader:
    """The bootloader for `board` with the key in `boot_key`, the text of `boot_key.h`.

    It lies in the cache folder. Raises TinycError for a board without slots and when the build fails,
    DoesNotFit when it has more bytes or a deeper stack than it may.
    """
    files = texts.render(board, boot_key, toolchain)
    version = platformio.toolchain_version(toolchain, board.instruction_set.family)
    folder = cache_folder() / "bootloaders" / digest_of(files, version)[:32]
    elf, mark = folder / "bootloader.elf", folder / "bootloader.sha256"
    with exclusive(folder / "lock"):
        if not _intact(elf, mark):
            mark.unlink(missing_ok=True)
            _write(files, folder)
            built = platformio.run(folder, board.name, toolchain, version).read_bytes()
            write_if_changed(elf, built)
            write_if_changed(mark, hashlib.sha256(built).hexdigest().encode("ascii"))
    return _checked(elf, board)


def _write(files: Mapping[str, str], folder: Path) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_if_changed(folder / path, text.encode("utf-8"))


def _intact(elf: Path, mark: Path) -> bool:
    try:
        return hashlib.sha256(elf.read_bytes()).hexdigest() == mark.read_text(encoding="ascii")
    except OSError:
        return False


def _checked(elf: Path, board: Board) -> Bootloader:
    image = read_elf(elf)
    origin, content = images.to_binary(image.segments)
    slots = board.slots
    if slots is None or origin != slots.flash_origin:
        raise TinycError(f"the bootloader starts at 0x{origin:08x}", where=str(elf))
    if len(content) > slots.bootloader_bytes:
        raise DoesNotFit(f"the bootloader has {len(content)} bytes, {slots.bootloader_bytes} are reserved")
    deepest = stack_bound(image, ())
    if deepest.bytes > texts.STACK_BYTES:
        raise DoesNotFit(
            f"the bootloader's stack needs {deepest.bytes} bytes, {texts.STACK_BYTES} are reserved",
            where=" > ".join(deepest.path),
        )
    return Bootloader(elf, content, deepest.bytes)
