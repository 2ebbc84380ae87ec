"""A board's start-up code and driver alone, around a main that echoes bytes; a test may change lines."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from support.networks import random_network
from tinyc.boards import Board, load_board
from tinyc.emit.project import render
from tinyc.pipeline import compile_graph

# (file of the project, text in it, what stands there instead)
Edit = tuple[str, str, str]

_MAIN = """
#include "hal.h"
uint8_t told[12]; /* byte + 1 of what came; on 0xFF the cycles and the chip's number */
int main(void) {
    hal_init();
    for (;;) {
        const uint8_t byte = hal_uart_read_byte();
        told[0] = (uint8_t)(byte + 1u);
        if (byte == 0xFEu) {
            hal_reset();
        }
        if (byte != 0xFFu) {
            hal_uart_write(told, 1u);
            continue;
        }
        const uint32_t cycles = hal_cycles();
        for (uint32_t i = 0; i < 4u; i++) {
            told[i] = (uint8_t)(cycles >> 8u * i);
        }
        hal_device_id(told + 4);
        hal_uart_write(told, 12u);
    }
}
"""
_DRIVER = ("src/boot_stage.c", "src/hal.c", "src/startup.c", "src/memory.c")
_FLAGS = ("-nostdlib", "-O2", "-std=gnu99", "-Wall", "-Wextra", "-Werror", "-ffunction-sections")


@cache
def _files(board: str) -> dict[str, str]:
    graph = random_network(np.random.default_rng(1), 1)
    files = render(compile_graph(graph, load_board(board), name="net")).files
    return {name: text for name, text in files.items() if name.startswith("include/") or name in _DRIVER} | {
        "board.ld": files["board.ld"]
    }


def build_driver(board: Board, folder: Path, edits: Sequence[Edit] = ()) -> Path:
    """The ELF. A text that an edit looks for has to be there."""
    files = dict(_files(board.name)) | {"src/main.c": _MAIN}
    for name, old, new in edits:
        assert old in files[name], f"{name} has no {old!r}"
        files[name] = files[name].replace(old, new)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    elf = folder / "driver.elf"
    command = [sys.executable, "-m", "ziglang", "cc", *board.instruction_set.zig, *_FLAGS]
    command += [f"-I{folder / 'include'}", f"-T{folder / 'board.ld'}", "-Wl,--gc-sections"]
    command += [str(folder / name) for name in files if name.endswith(".c")]
    done = subprocess.run([*command, "-o", str(elf)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return elf
