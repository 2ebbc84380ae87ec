"""What takes the bytes of a linked firmware, symbol by symbol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from tinyc.errors import TinycError
from tinyc.toolchain.elf import STACK, Section, Symbol, kind_of, sections_in_memory, symbols_of

NO_SYMBOL = "(no symbol)"
"""Bytes between the symbols: alignment, string literals, and assembly that tells no size."""
_KINDS = {"text": "code", "rodata": "constant", "data": "data", "bss": "bss"}


@dataclass(frozen=True, slots=True)
class SymbolSize:
    """`kind` is `code`, `constant`, `data` or `bss`; `code`, `constant` and `data` lie in flash."""

    name: str
    kind: str
    bytes: int


def size_table(elf: Path) -> tuple[SymbolSize, ...]:
    """Every function and object of an ELF file, largest first; their sum is that of its sections.

    Names that share one address count once, by the alphabet. The reserved stack is left out.
    Raises TinycError when the file cannot be read.
    """
    try:
        with elf.open("rb") as stream:
            file = ELFFile(stream)
            sizes = tabulate(sections_in_memory(file), symbols_of(file))
    except (OSError, ELFError) as error:
        raise TinycError(f"cannot read the firmware: {error}", where=str(elf)) from error
    return sizes


def tabulate(sections: Iterable[Section], symbols: Iterable[Symbol]) -> tuple[SymbolSize, ...]:
    """The table of sections and the symbols in them; `(no symbol)` is one row per kind."""
    by_section: dict[str, list[Symbol]] = {}
    for symbol in symbols:
        by_section.setdefault(symbol.section, []).append(symbol)
    found, unnamed = [], dict.fromkeys(_KINDS.values(), 0)
    for section in sections:
        if section.name == STACK:
            continue
        kind = _KINDS[kind_of(section)]
        own = [SymbolSize(name, kind, size) for name, size in _disjoint(by_section.get(section.name, ()))]
        found += own
        unnamed[kind] += section.size - sum(entry.bytes for entry in own)
    found += [SymbolSize(NO_SYMBOL, kind, size) for kind, size in unnamed.items() if size > 0]
    return tuple(sorted(found, key=lambda entry: (-entry.bytes, entry.name, entry.kind)))


def _disjoint(symbols: Iterable[Symbol]) -> Iterator[tuple[str, int]]:
    """(name, bytes) of symbols of one section; a symbol inside another one is left to the outer."""
    reached = -1
    for symbol in sorted(symbols, key=lambda symbol: (symbol.address, -symbol.size, symbol.name)):
        if symbol.size > 0 and symbol.address >= reached:
            reached = symbol.address + symbol.size
            yield symbol.name, symbol.size
