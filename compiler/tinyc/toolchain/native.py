"""Builds for the board `host`: the model's C and a program around it that reads and writes pipes."""

from __future__ import annotations

from pathlib import Path

from elftools.elf.elffile import ELFFile

from tinyc.emit import symbols
from tinyc.emit.project import firmware_digest
from tinyc.errors import TinycError
from tinyc.files import content_of, write_together
from tinyc.program import Firmware, Program, Sizes
from tinyc.toolchain.elf import bytes_by_kind, sections_in_memory
from tinyc.toolchain.host import host_texts
from tinyc.toolchain.host_compiler import WARNINGS, compile_cached, find_compiler

_PROGRAM = "firmware.elf"


def build(program: Program, folder: Path) -> Firmware:
    """Write `src/` and the executable into `folder`. `firmware.elf outputs` answers on stdout.

    Raises TinycError when there is no compiler or the folder cannot be written.
    """
    folder = folder.resolve()
    compiler = find_compiler()
    texts = host_texts(program)
    binary = compile_cached(compiler, texts, (*WARNINGS, "-O2"), _PROGRAM)
    contents = {folder / "src" / name: text.encode() for name, text in texts.items()}
    contents[folder / _PROGRAM] = binary.read_bytes()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_together({path: new for path, new in contents.items() if content_of(path) != new})
        (folder / _PROGRAM).chmod(0o755)
    except OSError as error:
        raise TinycError(
            f"cannot write the program: {error.strerror or error}", where=str(error.filename or folder)
        ) from error
    outputs = {"elf": folder / _PROGRAM}
    sizes = _sizes(outputs["elf"], program)
    return Firmware(folder, outputs["elf"], outputs, sizes, "cc", program.digest, firmware_digest(texts))


def _sizes(path: Path, program: Program) -> Sizes:
    """Bytes of the executable by kind, the C library's start-up code included."""
    emitted = symbols.emitted(program)
    with path.open("rb") as stream:
        kinds = bytes_by_kind(sections_in_memory(ELFFile(stream)))
    return Sizes(
        flash=kinds["text"] + kinds["rodata"] + kinds["data"],
        ram=kinds["data"] + kinds["bss"],
        arena=emitted.arena_bytes,
        weights=emitted.weight_bytes,
        **kinds,
    )
