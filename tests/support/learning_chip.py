"""One head in a firmware on an emulated Cortex-M chip: samples in, scores, states and their cost out."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np

from support.learning_heads import all_texts
from support.small_firmware import SOURCES, linker_script
from tinyc.boards import Board
from tinyc.emulator import Machine
from tinyc.emulator.machine import Ended
from tinyc.learning.heads.design import Floats, HeadDesign, Int8s
from tinyc.resources import data_folder
from tinyc.toolchain.elf import read_elf

# The flags of firmware_templates/platformio/builder/main.py.
_FLAGS = ("-O2", "-g0", "-fomit-frame-pointer", "-fno-unroll-loops", "-ffunction-sections", "-fdata-sections")
_LEARN = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", "-Wno-unused-command-line-argument")
_ZIG = (
    ("-fno-sanitize=undefined", "-fhosted", "-fbuiltin"),
    ("-Wl,--entry,Reset_Handler", "-Wl,-z,stack-size=0"),
)
_WATCHED = ("learn_head_scores", "learn_head_surprise", "learn_head_update", "learn_head_update_values")


class ChipHead:
    """A head of `design` on `board`, built in `folder` by `toolchain`. `cost` is of the last command."""

    def __init__(self, design: HeadDesign, board: Board, folder: Path, toolchain: str = "zig") -> None:
        self.design = design
        self.cost: dict[str, int] = {}
        texts = all_texts(design)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        if toolchain == "zig":
            compiler = (sys.executable, "-m", "ziglang", "cc", *board.instruction_set.zig)
            compile_only, link = _ZIG
        else:
            compiler = ("arm-none-eabi-gcc", *board.instruction_set.gcc)
            compile_only, link = (), ("-nostdlib",)
        runtime = data_folder("firmware_templates") / "runtime"
        includes = (f"-I{folder}", f"-I{SOURCES}", f"-I{runtime / 'include'}")
        objects = []
        for name in sorted(name for name in texts if name.endswith(".c")):
            objects.append(str(folder / f"{name}.o"))
            _call(
                *compiler,
                *_FLAGS,
                *_LEARN,
                *compile_only,
                *includes,
                "-c",
                str(folder / name),
                "-o",
                objects[-1],
            )
        script, elf = folder / "learning.ld", folder / "learning.elf"
        script.write_text(linker_script(board), encoding="utf-8")
        fpu = () if "fpu" in board.features else ("-DNO_FPU",)
        plain = ("-std=gnu99", "-ffreestanding", "-fno-builtin", "-Wno-unused-command-line-argument", *fpu)
        undefined = ("-fno-sanitize=undefined",) if toolchain == "zig" else ()
        sources = [str(SOURCES / "start.c"), str(SOURCES / "learning.c"), str(runtime / "memory.c")]
        libraries = () if toolchain == "zig" else ("-lgcc",)
        _call(
            *(*compiler, *_FLAGS, *plain, *undefined, *includes, *sources, *objects),
            *("-nostartfiles", "-Wl,--gc-sections", f"-T{script}", *link, *libraries, "-o", str(elf)),
        )
        self.symbols = {symbol.name: symbol for symbol in read_elf(elf).symbols}
        self._machine = Machine(elf, board)
        self._machine.watch([name for name in _WATCHED if name in self.symbols])
        assert self._machine.run() is Ended.IDLE
        self.idle_stack = self._machine.stack_used()

    @property
    def stack(self) -> int:
        """Bytes of stack that the commands so far needed beyond those of the program around."""
        return self._machine.stack_used() - self.idle_stack

    def _write(self, name: str, data: bytes) -> None:
        self._machine.write_ram(self.symbols[name].address, data, "the test")

    def _read(self, name: str, size: int) -> bytes:
        return self._machine.read_memory(self.symbols[name].address, size)

    def _act(self, command: int, latent: Int8s, label: int = 0) -> None:
        self._write("latent", latent.tobytes())
        self._write("result", struct.pack("<II", command, label))
        self._machine.reset_profile()
        self._machine.set_interrupt_line(0, True)
        self._machine.set_interrupt_line(0, False)
        assert self._machine.run() is Ended.IDLE
        self.cost = {name: counts.instructions for name, counts in self._machine.profile().watched.items()}

    def scores(self, latent: Int8s) -> tuple[Floats, int, np.float32]:
        """Scores, the best class and the surprise."""
        self._act(0, latent)
        scores = np.frombuffer(self._read("scores", 4 * self.design.capacity), np.float32)
        raw = self._read("result", 16)
        return scores, struct.unpack("<I", raw[8:12])[0], np.frombuffer(raw[12:], np.float32)[0]

    def update(self, latent: Int8s, target: int | Floats) -> None:
        if self.design.is_regression:
            self._write("target", np.asarray(target, np.float32).tobytes())
            self._act(2, latent)
        else:
            self._act(1, latent, int(target))

    def normalise(self, latent: Int8s) -> None:
        self._act(3, latent)

    def to_bytes(self) -> bytes:
        return self._read("head", self.design.state_bytes)


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
