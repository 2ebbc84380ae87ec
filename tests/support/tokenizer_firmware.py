"""A generated tokenizer on an emulated Cortex-M chip: text in, ids and their cost out."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

from support.small_firmware import SOURCES, linker_script
from tinyc.boards import Board
from tinyc.emulator import Machine
from tinyc.emulator.machine import Ended
from tinyc.resources import data_folder
from tinyc.text.emit import render_tokenizer
from tinyc.text.tokenizer import Tokenizer
from tinyc.toolchain.elf import read_elf

# The compiler and the optimization of firmware_templates/platformio/builder/main.py.
_FLAGS = ("-O2", "-g0", "-fomit-frame-pointer", "-fno-unroll-loops", "-fno-sanitize=undefined", "-std=c99")
_STRICT = ("-Wall", "-Wextra", "-Werror", "-Wno-unused-command-line-argument")
_LINK = ("-nostdlib", "-nostartfiles", "-Wl,--entry,Reset_Handler", "-Wl,-z,stack-size=0")


class TokenizerFirmware:
    """`tokenizer.c` alone in a firmware for `board`, built in `folder`."""

    def __init__(self, tokenizer: Tokenizer, board: Board, folder: Path) -> None:
        for name, text in render_tokenizer(tokenizer, 64).items():
            (folder / name).write_text(text, encoding="utf-8")
        script, elf = folder / "tokenize.ld", folder / "tokenize.elf"
        script.write_text(linker_script(board), encoding="utf-8")
        runtime = data_folder("firmware_templates") / "runtime"
        compiler = (sys.executable, "-m", "ziglang", "cc", *board.instruction_set.zig, *_FLAGS)
        command = (*compiler, f"-I{SOURCES}", f"-I{folder}", f"-I{runtime / 'include'}")
        strict = folder / "tokenizer.o"
        _call(*command, *_STRICT, "-c", str(folder / "tokenizer.c"), "-o", str(strict))
        fpu = () if "fpu" in board.features else ("-DNO_FPU",)
        sources = [
            str(SOURCES / "start.c"),
            str(SOURCES / "tokenize.c"),
            str(runtime / "memory.c"),
            str(strict),
        ]
        plain = ("-std=gnu99", "-ffreestanding", "-fno-builtin", "-Wno-unused-command-line-argument", *fpu)
        _call(*command, *plain, *sources, *_LINK, f"-T{script}", "-o", str(elf))
        self.symbols = {symbol.name: symbol for symbol in read_elf(elf).symbols}
        self._machine = Machine(elf, board)
        self._machine.watch(["tinyc_tokenize"])
        assert self._machine.run() is Ended.IDLE
        self.idle_stack = self._machine.stack_used()

    def encode(self, text: bytes, capacity: int) -> tuple[list[int], int]:
        """The ids of a text, and the instructions that they took."""
        machine = self._machine
        result = self.symbols["result"].address
        machine.write_ram(self.symbols["text"].address, text, "the test")
        machine.write_ram(result, struct.pack("<Ii", len(text), capacity), "the test")
        machine.reset_profile()
        machine.set_interrupt_line(0, True)
        machine.set_interrupt_line(0, False)
        assert machine.run() is Ended.IDLE
        (count,) = struct.unpack("<i", machine.read_memory(result + 8, 4))
        raw = machine.read_memory(self.symbols["ids"].address, 2 * count)
        return list(struct.unpack(f"<{count}h", raw)), machine.profile().watched[
            "tinyc_tokenize"
        ].instructions

    @property
    def stack(self) -> int:
        """Bytes of stack that the texts so far needed beyond those of the program around."""
        return self._machine.stack_used() - self.idle_stack


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
