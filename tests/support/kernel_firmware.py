"""Several programs in one firmware on the emulated chip: operands in, one inference, results out."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from support.small_firmware import SOURCES, linker_script
from tinyc.emit import symbols
from tinyc.emit.model import render_bundle
from tinyc.emulator import Machine
from tinyc.emulator.machine import Ended
from tinyc.ir.tensor import Array
from tinyc.program import Program
from tinyc.resources import data_folder
from tinyc.toolchain.elf import read_elf

# The compilers and flags of firmware_templates/platformio/builder/main.py.
_COMMANDS = {
    "zig": (
        *(sys.executable, "-m", "ziglang", "cc"),
        *("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp"),
        "-fno-sanitize=undefined",
    ),
    "gcc": (
        *("arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
        "-fno-common",
    ),
}
_FLAGS = ("-O2", "-g0", "-fomit-frame-pointer", "-fno-unroll-loops", "-ffunction-sections", "-fdata-sections")
_STRICT = ("-std=gnu99", "-Wall", "-Wextra", "-Werror", "-Wno-unused-const-variable", "-Wno-unused-function")
_HOSTED = {"zig": ("-fhosted", "-fbuiltin"), "gcc": ()}
_LINK = {
    "zig": ("-Wl,--entry,Reset_Handler", "-Wl,-z,stack-size=0", "-Wno-unused-command-line-argument"),
    "gcc": ("-nostdlib", "-lgcc"),
}


_FOLDER = tempfile.TemporaryDirectory()


def is_installed(toolchain: str) -> bool:
    return toolchain == "zig" or shutil.which("arm-none-eabi-gcc") is not None


@dataclass(frozen=True, slots=True)
class Answer:
    """The outputs of one inference, what it did that it must not do ("" for nothing), and its cost."""

    outputs: tuple[Array, ...]
    misdeed: str
    instructions: int


class KernelFirmware:
    """Firmware with all `programs`, which are for one board; built in `folder` by `toolchain`."""

    def __init__(self, programs: Sequence[Program], folder: Path, toolchain: str = "zig") -> None:
        self.programs = tuple(programs)
        board = self.programs[0].board
        for name, text in render_bundle(self.programs).items():
            (folder / name).write_text(text, encoding="utf-8")
        self._build(folder, toolchain)
        elf = folder / "kernels.elf"
        self._addresses = {symbol.name: symbol.address for symbol in read_elf(elf).symbols}
        self._machine = Machine(elf, board)
        self._machine.watch([f"{symbols.prefix(program)}_invoke" for program in self.programs])
        assert self._machine.run() is Ended.IDLE

    def _build(self, folder: Path, toolchain: str) -> None:
        script = folder / "kernels.ld"
        script.write_text(linker_script(self.programs[0].board), encoding="utf-8")
        models = " ".join(f"X({symbols.prefix(program)})" for program in self.programs)
        _call(
            *_command(toolchain),
            *(*_STRICT, *_HOSTED[toolchain], f"-DMODELS={models}", f"-I{folder}"),
            *(str(SOURCES / "kernels.c"), *_shared_objects(toolchain)),
            *("-nostartfiles", "-Wl,--gc-sections", f"-T{script}", *_LINK[toolchain]),
            *("-o", str(folder / "kernels.elf")),
        )

    def run(self, index: int, inputs: Sequence[Array], rng: np.random.Generator) -> Answer:
        """One inference of program `index`; the rest of its arena holds random bytes before."""
        program = self.programs[index]
        arena = self._addresses[symbols.arena(program)]
        garbage = rng.integers(0, 256, symbols.arena_bytes(program), np.uint8)
        self._machine.write_ram(arena, garbage.tobytes(), "the test")
        for name, value in zip(program.graph.inputs, inputs, strict=True):
            data = np.ascontiguousarray(value).tobytes()
            self._machine.write_ram(arena + program.plan.offset(name), data, "the test")
        before = self._memory()
        calls = self._result(2)
        self._machine.write_ram(self._addresses["result"], index.to_bytes(4, "little"), "the test")
        self._machine.reset_profile()
        self._machine.set_interrupt_line(0, True)
        self._machine.set_interrupt_line(0, False)
        assert self._machine.run() is Ended.IDLE
        assert self._result(2) == calls + 1
        counts = self._machine.profile().watched[f"{symbols.prefix(program)}_invoke"]
        outputs = []
        for name in program.graph.outputs:
            tensor = program.graph[name]
            raw = self._machine.read_memory(arena + program.plan.offset(name), tensor.bytes)
            outputs.append(np.frombuffer(raw, tensor.dtype.numpy).reshape(tensor.shape))
        return Answer(tuple(outputs), self._misdeed(program, before), counts.instructions)

    def _result(self, index: int) -> int:
        raw = self._machine.read_memory(self._addresses["result"] + 4 * index, 4)
        return int.from_bytes(raw, "little")

    def _memory(self) -> Array:
        """All variables; the arenas lie among them."""
        start, end = self._addresses["bss_start"], self._addresses["bss_end"]
        return np.frombuffer(self._machine.read_memory(start, end - start), np.uint8)

    def _misdeed(self, program: Program, before: Array) -> str:
        if changed := self._result(1):
            return f"changed registers that a function has to preserve: 0x{changed:08x}"
        start, arena = self._addresses["bss_start"], self._addresses[symbols.arena(program)]
        stray = self._memory() != before
        regions = []
        for step in program.steps:
            regions += [(program.plan.offset(t.name), t.bytes) for t in program.graph.results(step.op)]
            if step.scratch:
                regions.append((program.plan.buffer_offset(f"scratch:{step.index}"), step.scratch))
        for offset, size in regions:
            stray[arena - start + offset :][:size] = False
        result = self._addresses["result"] - start
        stray[result : result + 64] = False
        if not stray.any():
            return ""
        first = int(np.flatnonzero(stray)[0]) + start - arena
        return f"wrote {np.count_nonzero(stray)} bytes outside its outputs, the first at arena + {first}"


def _command(toolchain: str) -> tuple[str, ...]:
    include = data_folder("firmware_templates") / "runtime" / "include"
    return (*_COMMANDS[toolchain], *_FLAGS, f"-I{SOURCES}", f"-I{include}")


@cache
def _shared_objects(toolchain: str) -> tuple[str, ...]:
    """Start-up and memory functions, compiled once."""
    memory = data_folder("firmware_templates") / "runtime" / "memory.c"
    objects = []
    for source in (SOURCES / "start.c", memory):
        objects.append(str(Path(_FOLDER.name) / f"{source.stem}-{toolchain}.o"))
        plain = ("-std=gnu99", "-ffreestanding", "-fno-builtin")
        _call(*_command(toolchain), *plain, "-c", str(source), "-o", objects[-1])
    return tuple(objects)


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
