"""The ELF image that runs: its bytes, its functions and where it goes in the board's memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from tinyc.board_parts import Memory
from tinyc.errors import Problem, TinycError


@dataclass(frozen=True, slots=True)
class Function:
    """A function (or other code label) of the image; `size` is 0 where the ELF does not say."""

    name: str
    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Image:
    """Loadable bytes by physical address, the functions sorted by address, and (start, end) of Thumb code."""

    path: Path
    segments: tuple[tuple[int, bytes], ...]
    functions: tuple[Function, ...]
    code: tuple[tuple[int, int], ...]

    def function(self, name: str) -> Function:
        """The function called `name`. Raises TinycError."""
        for function in self.functions:
            if function.name == name:
                return function
        raise TinycError(f"no function called `{name}`", where=str(self.path))

    def index_at(self, address: int) -> int:
        """Index of the function that holds `address`, -1 for none."""
        at = bisect_right(self.functions, address, key=lambda function: function.address) - 1
        if at < 0:
            return -1
        function = self.functions[at]
        return at if not function.size or address < function.address + function.size else -1

    def describe(self, address: int) -> str:
        """`name+0x12` of the nearest function at or below `address`."""
        at = bisect_right(self.functions, address, key=lambda function: function.address) - 1
        if at < 0 or address - self.functions[at].address > 0x10000:
            return "no known function"
        function = self.functions[at]
        offset = address - function.address
        return f"{function.name}+0x{offset:x}" if offset else function.name


def merge(images: Sequence[Image]) -> Image:
    """All of them as one; at an address that several name, the first has the say."""
    if len(images) == 1:
        return images[0]
    functions = {function.address: function for image in reversed(images) for function in image.functions}
    return Image(
        images[0].path if images else Path(),
        tuple(sorted(segment for image in images for segment in image.segments)),
        tuple(functions[address] for address in sorted(functions)),
        tuple(sorted(code for image in images for code in image.code)),
    )


def flash_content(images: Iterable[Image], memory: Memory) -> bytes:
    """The whole flash with these images in it, erased elsewhere."""
    content = bytearray(b"\xff" * memory.flash)
    for image in images:
        for address, data in image.segments:
            at = address - memory.flash_origin
            if 0 <= at <= memory.flash - len(data):
                content[at : at + len(data)] = data
    return bytes(content)


def started(images: Iterable[Image], content: bytes, memory: Memory) -> Image | None:
    """The image that a flash content starts; the others may be replaced while it runs."""
    at = memory.first_vectors - memory.flash_origin
    entry = int.from_bytes(content[at + 4 : at + 8], "little")
    for image in images:
        parts = ((address - memory.flash_origin, data) for address, data in image.segments)
        there = all(content[at : at + len(data)] == data for at, data in parts)
        if there and any(start <= entry < end for start, end in image.code):
            return image
    return None


def read_image(path: Path) -> Image:
    """Read a linked 32-bit ELF for Arm or RISC-V. Raises TinycError."""
    try:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            if elf["e_machine"] not in ("EM_ARM", "EM_RISCV") or elf["e_type"] != "ET_EXEC":
                what = "is not a linked image for Arm or RISC-V"
                raise TinycError(what, where=str(path), allowed="an ELF executable")
            segments = tuple(_load(elf))
            functions, code = _functions(elf), tuple(_code(elf))
    except (OSError, ELFError) as error:
        raise TinycError(f"cannot read the image: {error}", where=str(path)) from error
    if not segments:
        raise TinycError("the image has no bytes to load", where=str(path))
    return Image(path, tuple(sorted(segments)), functions, code)


def _load(elf: ELFFile) -> Iterator[tuple[int, bytes]]:
    """Contents of the sections at their load addresses; segments would bring the ELF's headers along."""
    segments = [segment for segment in elf.iter_segments() if segment["p_type"] == "PT_LOAD"]
    for section in elf.iter_sections():
        if not section["sh_flags"] & 2 or section["sh_type"] == "SHT_NOBITS" or not section["sh_size"]:
            continue
        for segment in segments:
            ahead = section["sh_offset"] - segment["p_offset"]
            if 0 <= ahead <= segment["p_filesz"] - section["sh_size"]:
                yield segment["p_paddr"] + ahead, section.data()
                break


def _code(elf: ELFFile) -> Iterator[tuple[int, int]]:
    """Where the mapping symbols $t and $d of the Arm ELF format say that Thumb code lies."""
    marks: dict[int, list[tuple[int, str]]] = {}
    for table in elf.iter_sections():
        if isinstance(table, SymbolTableSection):
            for symbol in table.iter_symbols():
                kind = symbol.name[:2]
                if kind in ("$t", "$d", "$a") and isinstance(symbol["st_shndx"], int):
                    marks.setdefault(symbol["st_shndx"], []).append((symbol["st_value"] & ~1, kind))
    for index, found in marks.items():
        section = elf.get_section(index)
        bounds = [*sorted(found), (section["sh_addr"] + section["sh_size"], "")]
        for (start, kind), (end, _) in pairwise(bounds):
            if kind == "$t" and end > start:
                yield start, end


def _functions(elf: ELFFile) -> tuple[Function, ...]:
    found: dict[int, Function] = {}
    for section in elf.iter_sections():
        if not isinstance(section, SymbolTableSection):
            continue
        for symbol in section.iter_symbols():
            if symbol["st_info"]["type"] != "STT_FUNC" or not symbol.name:
                continue
            function = Function(symbol.name, symbol["st_value"] & ~1, symbol["st_size"])
            known = found.get(function.address)
            if known is None or (function.size, known.name) > (known.size, function.name):
                found[function.address] = function
    return tuple(found[address] for address in sorted(found))


def check_fits(image: Image, memory: Memory) -> None:
    """Raise TinycError when a segment lies outside the flash the application may use or the RAM."""
    start, end = memory.image_origin, memory.image_origin + memory.application_flash
    ram_start, ram_end = (
        memory.ram_origin + memory.ram_reserved,
        memory.ram_end,
    )
    problems = [
        Problem(
            f"0x{address:08x}",
            f"{len(data)} bytes outside flash and RAM",
            f"flash 0x{start:08x}..0x{end:08x}",
        )
        for address, data in image.segments
        if not (start <= address <= end - len(data) or ram_start <= address <= ram_end - len(data))
    ]
    if problems:
        raise TinycError("the image does not fit this board", where=str(image.path), problems=problems)
