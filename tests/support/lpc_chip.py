"""The 6LoWPAN receive path on an emulated Cortex-M chip."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from support.small_firmware import SOURCES, linker_script
from tinyc.boards import Board
from tinyc.emulator import Machine
from tinyc.emulator.machine import Ended
from tinyc.resources import data_folder
from tinyc.sixlowpan import rank
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.emit import receive_texts
from tinyc.sixlowpan.features import Meta
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.receiver import Peer
from tinyc.sixlowpan.sender import Outgoing
from tinyc.toolchain.elf import read_elf
from tinyc.toolchain.stack import stack_bound

_META = Meta(-60)
_OF_THE_TEST = ("result", "payload", "source", "destination", "radio", "order", "header", "rest", "key")
# What firmware_templates/platformio/builder/main.py gives each compiler: its call, code, linking.
_FLAGS = ("-g0", "-O2", "-fomit-frame-pointer", "-fno-unroll-loops", "-ffunction-sections")
_COMPILERS = {
    "zig": (
        (sys.executable, "-m", "ziglang", "cc"),
        ("-fno-sanitize=undefined", "-fhosted", "-fbuiltin", "-Wno-unused-command-line-argument"),
        ("-Wl,-z,stack-size=0",),
    ),
    "gcc": (("arm-none-eabi-gcc",), (), ("-nostdlib", "-lgcc")),
}
_PLAIN = ("-std=gnu99", "-ffreestanding", "-fno-builtin")
_LINK = ("-nostartfiles", "-Wl,--gc-sections", "-Wl,--entry,Reset_Handler")
COMPILERS = tuple(_COMPILERS)


def has_compiler(name: str) -> bool:
    """Whether it is installed."""
    return name == "zig" or shutil.which(_COMPILERS[name][0][0]) is not None


class LpcFirmware:
    """The receive path with these tables, built in `folder`."""

    def __init__(
        self,
        board: Board,
        folder: Path,
        sizes: Sizes,
        peers: Sequence[Peer],
        ranked: bool = False,
        compiler: str = "zig",
    ) -> None:
        command, own, link = _COMPILERS[compiler]
        instructions = board.instruction_set.zig if compiler == "zig" else board.instruction_set.gcc
        texts = receive_texts(sizes, peers, ranked)
        if ranked:
            texts |= rank.rank_texts(board)
            program = rank.program(board)
            self._answer = program.plan.offset(program.graph.outputs[0])
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        script, elf = folder / "lpc.ld", folder / "lpc.elf"
        script.write_text(linker_script(board), encoding="utf-8")
        runtime = data_folder("firmware_templates") / "runtime"
        includes = (f"-I{folder}", f"-I{SOURCES}", f"-I{runtime / 'include'}")
        base = (*command, *instructions, *_FLAGS, *includes)
        parts = {name: folder / name.replace(".c", ".o") for name in texts if name.endswith(".c")}
        for name, made in parts.items():
            _call(*base, *own, "-std=c99", "-c", folder / name, "-o", made)
        self.flash = {name: bytes_in_flash(path) for name, path in parts.items()}
        sources = (SOURCES / "start.c", SOURCES / "lpc.c", runtime / "memory.c")
        _call(*base, *own, *_PLAIN, *sources, *parts.values(), *_LINK, f"-T{script}", *link, "-o", elf)
        self.image = read_elf(elf)
        self._symbols = {symbol.name: symbol.address for symbol in self.image.symbols}
        self._machine = Machine(elf, board)
        watched = ("lpc_input", "lpc_send_next", "siphash", "blake2s", "lpc_rank", "lpc_features_rank")
        self._machine.watch(watched if ranked else watched[:4])
        assert self._machine.run() is Ended.IDLE

    def frame(
        self, now: int, source: Address, destination: Address, payload: bytes, meta: Meta = _META
    ) -> tuple[int, int]:
        """The verdict, and the instructions that it took."""
        verdict = self._do(
            order=struct.pack("<I", 0),
            source=source.packed(),
            destination=destination.packed(),
            payload=payload,
            result=struct.pack("<II", now, len(payload)),
            radio=bytes([meta.rssi % 256, meta.dsn]),
        )
        return verdict, self.instructions("lpc_input")

    def send(self, outgoing: Outgoing, room: int) -> tuple[list[bytes], list[int]]:
        """All fragments, and the instructions that each took."""
        lengths = (outgoing.covers, len(outgoing.header), len(outgoing.rest), room)
        begun = self._do(
            order=struct.pack("<7I", 1, int(outgoing.mode), outgoing.tag, *lengths),
            source=outgoing.source.packed(),
            destination=outgoing.destination.packed(),
            header=outgoing.header,
            rest=outgoing.rest,
            key=outgoing.key,
        )
        fragments: list[bytes] = []
        costs: list[int] = []
        while begun and (length := self._do(order=struct.pack("<I", 2))):
            fragments.append(bytes(self._machine.read_memory(self._symbols["payload"], length)))
            costs.append(self.instructions("lpc_send_next"))
        return fragments, costs

    def _do(self, **values: bytes) -> int:
        machine = self._machine
        for name, data in values.items():
            if data:
                machine.write_ram(self._symbols[name], data, "the test")
        machine.reset_profile()
        machine.set_interrupt_line(0, True)
        machine.set_interrupt_line(0, False)
        assert machine.run() is Ended.IDLE
        (answer,) = struct.unpack("<I", machine.read_memory(self._symbols["result"] + 8, 4))
        return int(answer)

    def instructions(self, function: str) -> int:
        """Of the last frame, in this function and what it called."""
        return self._machine.profile().watched[function].instructions

    def cycles(self, function: str) -> int:
        """The same, estimated."""
        return self._machine.profile().watched[function].cycles_estimated

    def rank_of_last(self) -> int:
        """What the model said last."""
        (answer,) = self._machine.read_memory(self._symbols["lpc_rank_arena_memory"] + self._answer, 1)
        return (answer + 128) % 256

    def stack_bound(self, function: str = "lpc_input") -> int:
        """The deepest stack below a frame, read off the machine code."""
        return stack_bound(self.image, (), function).bytes

    def ram(self) -> int:
        """Bytes of static variables, without the test's own."""
        all_of_them = sum(
            self._symbols[f"{edge}_end"] - self._symbols[f"{edge}_start"] for edge in ("bss", "data")
        )
        return all_of_them - sum(it.size for it in self.image.symbols if it.name in _OF_THE_TEST)


def bytes_in_flash(path: Path) -> int:
    """Code and constants of an object file."""
    from elftools.elf.constants import SH_FLAGS
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as stream:
        sections = list(ELFFile(stream).iter_sections())
    kept = [
        it
        for it in sections
        if it["sh_flags"] & SH_FLAGS.SHF_ALLOC and not it["sh_flags"] & SH_FLAGS.SHF_WRITE
    ]
    return sum(it["sh_size"] for it in kept if not it.name.startswith(".ARM.ex"))


def _call(*command: object) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
