"""Builds the small firmware of the tests with the compiler that comes from the package index."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tinyc.boards import Board, load_board

NRF = load_board("nrf52840_bare")
# Takes the name of a source and defines, gives the path of the ELF for NRF.
Firmware = Callable[..., Path]

SOURCES = Path(__file__).resolve().parent.parent / "emulated" / "firmware"
_FLAGS = ("-nostdlib", "-O2", "-std=gnu99", "-Wall", "-Werror", "-fno-builtin", "-fomit-frame-pointer")
_LINKER_SCRIPT = """
MEMORY {{
  FLASH (rx) : ORIGIN = {flash}, LENGTH = {flash_size}
  RAM (rwx) : ORIGIN = {ram}, LENGTH = {ram_size}
}}
ENTRY(Reset_Handler)
SECTIONS {{
  .vectors : {{ KEEP(*(.vectors)) }} > FLASH
  .text : {{ *(.text*) *(.rodata*) . = ALIGN(4); data_load = .; }} > FLASH
  .data : AT(data_load) {{ data_start = .; *(.data*) . = ALIGN(4); data_end = .; }} > RAM
  .bss (NOLOAD) : {{ bss_start = .; *(.bss*) *(COMMON) . = ALIGN(4); bss_end = .; }} > RAM
  stack_top = {stack};
  /DISCARD/ : {{ *(.ARM.exidx*) *(.ARM.extab*) *(.comment*) }}
}}
"""


def linker_script(board: Board) -> str:
    """Everything in the application's flash and in RAM, the stack at the end of it."""
    memory = board.memory
    return _LINKER_SCRIPT.format(
        flash=memory.flash_origin + memory.application_offset,
        flash_size=memory.application_flash,
        ram=memory.ram_origin,
        ram_size=memory.ram,
        stack=memory.ram_origin + memory.ram,
    )


def build(name: str, board: Board, folder: Path, *defines: str) -> Path:
    """Compile `firmware/<name>.c` for `board`; the ELF lies in `folder`."""
    stem = "-".join((name, board.name, *defines))
    elf, script = folder / f"{stem}.elf", folder / f"{stem}.ld"
    script.write_text(linker_script(board), encoding="utf-8")
    sources = [str(SOURCES / "start.c"), str(SOURCES / f"{name}.c")]
    command = [sys.executable, "-m", "ziglang", "cc", *board.instruction_set.zig, *_FLAGS]
    command += [f"-D{define}" for define in defines]
    command += [f"-T{script}", *sources, "-o", str(elf)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return elf
