"""Reads a linked firmware: symbols, section sizes, memory image, and compares them with the plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from tinyc.emit import symbols as names
from tinyc.errors import Problem, TinycError
from tinyc.program import Program, Sizes

_ALLOC, _EXEC, _WRITE = SH_FLAGS.SHF_ALLOC, SH_FLAGS.SHF_EXECINSTR, SH_FLAGS.SHF_WRITE
STACK = ".stack"
"""The section that reserves the stack."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function or object of the firmware. `address` has the Thumb bit cleared, `size` in bytes."""

    name: str
    address: int
    size: int
    is_function: bool
    section: str


@dataclass(frozen=True, slots=True)
class Section:
    """A section that takes memory. `file_size` is 0 when it is only reserved."""

    name: str
    address: int
    size: int
    file_size: int
    flags: int


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes to put at `load_address` before reset."""

    load_address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Image:
    """A linked firmware; `architecture` is `ARM` or `RISC-V`."""

    path: Path
    architecture: str
    entry: int
    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]
    segments: tuple[Segment, ...]

    def symbol(self, name: str) -> Symbol:
        """The symbol called `name`. Raises KeyError."""
        for symbol in self.symbols:
            if symbol.name == name:
                return symbol
        raise KeyError(name)


def read_elf(path: Path) -> Image:
    """Parse a 32-bit ELF file for Arm or RISC-V. Raises TinycError when it is none or cannot be read."""
    try:
        with path.open("rb") as stream:
            return _read(path, ELFFile(stream))
    except OSError as error:
        raise TinycError(f"cannot read the firmware: {error.strerror}", where=str(path)) from error
    except (ELFError, ValueError, KeyError, AttributeError, IndexError) as error:
        raise TinycError(f"not a firmware image: {error}", where=str(path), allowed="an ELF file") from error


def _read(path: Path, elf: ELFFile) -> Image:
    architecture = elf.get_machine_arch()
    if architecture not in ("ARM", "RISC-V") or elf.elfclass != 32:
        raise ValueError(f"built for {architecture}, not for ARM or RISC-V of 32 bits")
    segments = [
        Segment(segment["p_paddr"], segment.data())
        for segment in elf.iter_segments()
        if segment["p_type"] == "PT_LOAD" and segment["p_filesz"] > 0
    ]
    return Image(
        path=path,
        architecture=architecture,
        entry=elf.header["e_entry"] & ~1,
        sections=sections_in_memory(elf),
        symbols=symbols_of(elf),
        segments=tuple(sorted(segments, key=lambda segment: segment.load_address)),
    )


def symbols_of(elf: ELFFile) -> tuple[Symbol, ...]:
    """The defined symbols by address. Only Arm marks Thumb functions, by an odd address."""
    arm, table = elf.get_machine_arch() == "ARM", elf.get_section_by_name(".symtab")
    found = []
    for symbol in table.iter_symbols() if table is not None else ():
        kind, index = symbol["st_info"]["type"], symbol["st_shndx"]
        if not symbol.name or symbol.name.startswith("$") or kind in ("STT_FILE", "STT_SECTION"):
            continue
        if index == "SHN_UNDEF":
            continue
        function = kind == "STT_FUNC"
        section_name = elf.get_section(index).name if isinstance(index, int) else ""
        address = symbol["st_value"] & ~1 if function and arm else symbol["st_value"]
        found.append(Symbol(symbol.name, address, symbol["st_size"], function, section_name))
    return tuple(sorted(found, key=lambda symbol: (symbol.address, symbol.name)))


def sections_in_memory(elf: ELFFile) -> tuple[Section, ...]:
    """The sections of any ELF file that take memory when it runs."""
    return tuple(
        Section(
            name=section.name,
            address=section["sh_addr"],
            size=section["sh_size"],
            file_size=0 if section["sh_type"] == "SHT_NOBITS" else section["sh_size"],
            flags=section["sh_flags"],
        )
        for section in elf.iter_sections()
        if section["sh_flags"] & _ALLOC and section["sh_size"] > 0
    )


def bytes_by_kind(sections: Iterable[Section]) -> dict[str, int]:
    """Bytes of text, rodata, data and bss; the reserved stack is none of them."""
    kinds = dict.fromkeys(("text", "rodata", "data", "bss"), 0)
    for section in sections:
        if section.name != STACK:
            kinds[kind_of(section)] += section.size
    return kinds


def kind_of(section: Section) -> str:
    """`text`, `rodata`, `data` or `bss`. The vector table is text."""
    if section.file_size == 0:
        return "bss"
    if section.flags & _WRITE:
        return "data"
    return "text" if section.flags & _EXEC or section.name == ".vectors" else "rodata"


def sizes_of(image: Image, program: Program) -> Sizes:
    """Bytes by kind. The reserved stack counts neither as bss nor as RAM."""
    emitted = names.emitted(program)
    by_name = {symbol.name: symbol for symbol in image.symbols}
    kinds = bytes_by_kind(image.sections)
    arena = by_name.get(emitted.arena)
    return Sizes(
        flash=kinds["text"] + kinds["rodata"] + kinds["data"],
        ram=kinds["data"] + kinds["bss"],
        arena=arena.size if arena else 0,
        weights=sum(by_name[name].size for name in emitted.weights if name in by_name),
        **kinds,
    )


def read_sizes(elf: Path, program: Program) -> Sizes:
    """Sizes of a linked firmware in bytes. Raises TinycError for a file that is none."""
    return sizes_of(read_elf(elf), program)


def compare_prediction(image: Image, program: Program) -> Sizes:
    """Check that arena, weights and a head's constants are in the ELF exactly as planned, in their memories.

    Returns the sizes. Raises TinycError that lists every disagreement: it is a bug in tinyc or in
    the compiler, never the user's mistake.
    """
    emitted, memory = names.emitted(program), program.board.memory
    flash = memory.constants
    ram = range(memory.ram_origin + memory.ram_reserved, memory.ram_end)
    problems = compare_symbols({emitted.arena: emitted.arena_bytes}, image, ram, "RAM")
    problems += compare_symbols(emitted.weights, image, flash, "flash")
    if program.learning is not None:
        problems += compare_symbols(program.learning.symbols, image, flash, "flash")
    if problems:
        raise TinycError(
            "the linked firmware differs from the memory plan",
            where=str(image.path),
            problems=problems,
            hint="this is a bug in tinyc: please report it with the model",
        )
    return sizes_of(image, program)


def compare_symbols(planned: Mapping[str, int], image: Image, home: range, memory: str) -> list[Problem]:
    """What of the planned symbols, name → size, is missing, has another size or lies elsewhere."""
    found = {symbol.name: symbol for symbol in image.symbols}
    problems = []
    for name, size in sorted(planned.items()):
        symbol = found.get(name)
        if symbol is None:
            problems.append(Problem(name, "is not in the ELF", f"planned with {size} bytes"))
        elif symbol.size != size:
            problems.append(Problem(name, f"has {symbol.size} bytes", f"planned with {size}"))
        elif symbol.address not in home:
            problems.append(Problem(name, f"lies at 0x{symbol.address:08x}", f"outside {memory}"))
    return problems
