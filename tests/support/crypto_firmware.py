"""The bootloader's cryptography on an emulated Cortex-M chip, by the project's compiler or by GCC."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path

from support.small_firmware import SOURCES, linker_script
from tinyc.boards import Board
from tinyc.emulator import Machine
from tinyc.emulator.machine import Ended
from tinyc.resources import data_folder
from tinyc.toolchain.elf import read_elf
from tinyc.toolchain.stack import stack_bound

# What is hashed at every boot is built for speed, the rest for size.
FILES = {"sha256.c": "-O2", "sha512.c": "-Os", "ed25519.c": "-Os"}
CALLS = ("ed25519_verify", "sha256_init", "sha256_update", "sha256_final")
_FLAGS = ("-g0", "-fomit-frame-pointer", "-fno-unroll-loops", "-std=c99", "-ffunction-sections")
_STRICT = ("-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wconversion")
_PLAIN = ("-O2", "-std=gnu99", "-ffreestanding", "-fno-builtin")
_LINK = ("-nostartfiles", "-Wl,--entry,Reset_Handler")
# What firmware_templates/platformio/builder/main.py gives each of them: compiler, code, linking.
_COMPILERS = {
    "zig": (
        (sys.executable, "-m", "ziglang", "cc"),
        ("-fno-sanitize=undefined", "-Wno-unused-command-line-argument"),
        ("-Wl,-z,stack-size=0",),
    ),
    "gcc": (("arm-none-eabi-gcc",), (), ("-nostdlib", "-lgcc")),
}


def has_compiler(name: str) -> bool:
    return name == "zig" or shutil.which(_COMPILERS[name][0][0]) is not None


class CryptoFirmware:
    """The three files in a firmware for `board`, built in `folder`."""

    def __init__(self, compiler: str, board: Board, folder: Path) -> None:
        command, own, libraries = _COMPILERS[compiler]
        instructions = board.instruction_set.zig if compiler == "zig" else board.instruction_set.gcc
        templates = data_folder("firmware_templates")
        boot, runtime = templates / "bootloader", templates / "runtime"
        includes = [f"-I{SOURCES}", f"-I{boot}", f"-I{runtime / 'include'}"]
        base = (*command, *instructions, *own, *_FLAGS, *includes)
        objects, self.text = [], {}
        for name, optimization in FILES.items():
            path = folder / f"{Path(name).stem}.o"
            hosted = ("-fhosted", "-fbuiltin") if compiler == "zig" else ()
            _call(*base, *_STRICT, *hosted, optimization, "-c", str(boot / name), "-o", str(path))
            objects.append(str(path))
            self.text[name] = _bytes_in_flash(path)
        script, elf = folder / "crypto.ld", folder / "crypto.elf"
        script.write_text(linker_script(board), encoding="utf-8")
        sources = [str(SOURCES / "start.c"), str(SOURCES / "crypto.c"), str(runtime / "memory.c")]
        _call(*base, *_PLAIN, *sources, *objects, *_LINK, f"-T{script}", *libraries, "-o", str(elf))
        self._image = read_elf(elf)
        self._symbols = {symbol.name: symbol.address for symbol in self._image.symbols}
        self._machine = Machine(elf, board)
        self._machine.watch(CALLS)
        assert self._machine.run() is Ended.IDLE
        self.idle_stack = self._machine.stack_used()

    def verify(self, signature: bytes, key: bytes, message: bytes) -> tuple[int, int]:
        """What the chip says of a signature, and the cycles that it took."""
        machine = self._machine
        for name, data in (("signature", signature), ("key", key), ("message", message)):
            if data:
                machine.write_ram(self._symbols[name], data, "the test")
        self._do(0, len(message))
        (verdict,) = struct.unpack("<I", machine.read_memory(self._symbols["result"] + 8, 4))
        return verdict, machine.profile().watched["ed25519_verify"].cycles_estimated

    def sha256(self, message: bytes) -> tuple[bytes, int]:
        """The chip's digest of a message, and the cycles that it took."""
        machine = self._machine
        machine.write_ram(self._symbols["message"], message, "the test")
        self._do(1, len(message))
        watched = machine.profile().watched
        cycles = sum(watched[name].cycles_estimated for name in CALLS[1:])
        return machine.read_memory(self._symbols["digest"], 32), cycles

    def _do(self, what: int, size: int) -> None:
        machine = self._machine
        machine.write_ram(self._symbols["result"], struct.pack("<II", what, size), "the test")
        machine.reset_profile()
        machine.set_interrupt_line(0, True)
        machine.set_interrupt_line(0, False)
        assert machine.run() is Ended.IDLE

    @property
    def stack(self) -> int:
        """Bytes of stack that all calls so far needed beyond those of the program around."""
        return self._machine.stack_used() - self.idle_stack

    def stack_bound(self, entry: str) -> int:
        """The deepest stack below a function, read off the machine code: a bound for every input."""
        return stack_bound(self._image, (), entry).bytes


def _bytes_in_flash(path: Path) -> int:
    """Code and constants of an object file."""
    from elftools.elf.constants import SH_FLAGS
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as stream:
        sections = list(ELFFile(stream).iter_sections())
    wanted = [section for section in sections if section["sh_flags"] & SH_FLAGS.SHF_ALLOC]
    assert not any(section["sh_flags"] & SH_FLAGS.SHF_WRITE and section["sh_size"] for section in wanted)
    return sum(section["sh_size"] for section in wanted if not section.name.startswith(".ARM.ex"))


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
