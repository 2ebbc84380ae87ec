"""The size table: each byte of a section counts once, under one name."""

from __future__ import annotations

from pathlib import Path

import pytest
from elftools.elf.constants import SH_FLAGS

from tinyc.errors import TinycError
from tinyc.toolchain.elf import Section, Symbol
from tinyc.toolchain.size_table import NO_SYMBOL, SymbolSize, size_table, tabulate

pytestmark = pytest.mark.unit

CODE = Section(".text", 0x100, 100, 100, SH_FLAGS.SHF_ALLOC | SH_FLAGS.SHF_EXECINSTR)
VECTORS = Section(".vectors", 0, 64, 64, SH_FLAGS.SHF_ALLOC)
CONSTANTS = Section(".rodata", 0x200, 40, 40, SH_FLAGS.SHF_ALLOC)
DATA = Section(".data", 0x2000, 8, 8, SH_FLAGS.SHF_ALLOC | SH_FLAGS.SHF_WRITE)
BSS = Section(".bss", 0x2100, 32, 0, SH_FLAGS.SHF_ALLOC | SH_FLAGS.SHF_WRITE)
STACK = Section(".stack", 0x3000, 1024, 0, SH_FLAGS.SHF_ALLOC | SH_FLAGS.SHF_WRITE)


def symbol(name: str, section: Section, offset: int, size: int) -> Symbol:
    return Symbol(name, section.address + offset, size, section is CODE, section.name)


def test_every_kind_largest_first() -> None:
    found = tabulate(
        (VECTORS, CODE, CONSTANTS, DATA, BSS, STACK),
        (
            symbol("f", CODE, 0, 100),
            symbol("table", CONSTANTS, 0, 40),
            symbol("vectors", VECTORS, 0, 64),
            symbol("value", DATA, 0, 8),
            symbol("arena", BSS, 0, 32),
            symbol("stack", STACK, 0, 1024),
        ),
    )
    assert found == (
        SymbolSize("f", "code", 100),
        SymbolSize("vectors", "code", 64),
        SymbolSize("table", "constant", 40),
        SymbolSize("arena", "bss", 32),
        SymbolSize("value", "data", 8),
    )


def test_shared_and_nested_symbols_count_once() -> None:
    found = tabulate(
        (CODE, CONSTANTS),
        (
            symbol("weak_b", CODE, 0, 30),
            symbol("weak_a", CODE, 0, 30),
            symbol("inside", CODE, 10, 4),
            symbol("label", CODE, 30, 0),
            symbol("next", CODE, 32, 60),
            symbol("here", CONSTANTS, 4, 30),
        ),
    )
    # 2 bytes between `weak_a` and `next`, 8 after it; 4 before and 6 after `here`.
    assert found == (
        SymbolSize("next", "code", 60),
        SymbolSize("here", "constant", 30),
        SymbolSize("weak_a", "code", 30),
        SymbolSize(NO_SYMBOL, "code", 10),
        SymbolSize(NO_SYMBOL, "constant", 10),
    )


def test_no_elf_file(tmp_path: Path) -> None:
    (tmp_path / "a.elf").write_bytes(b"MZ" + bytes(60))
    for name in ("a.elf", "missing.elf"):
        with pytest.raises(TinycError, match="cannot read the firmware"):
            size_table(tmp_path / name)
