"""A second opinion: the same ELF in QEMU, where it is installed.

QEMU gives outputs, for boards of every core; instruction counts by layer and cycles come from
`Machine` alone.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tinyc.boards import Board
from tinyc.cores import ARM, Family
from tinyc.errors import TinycError

# Board → QEMU's name of the machine, with its properties.
MACHINES = {
    "hifive1_revb": "sifive_e,revb=on",
    "microbit": "microbit",
    "mps2_an386": "mps2-an386",
    "mps2_an500": "mps2-an500",
    "mps2_an505": "mps2-an505",
    "mps3_an547": "mps3-an547",
    "netduinoplus2": "netduinoplus2",
    "qemu_riscv32": "virt",
}


def find_qemu(family: Family = ARM) -> str | None:
    """Path of QEMU for these cores, or None when it is not installed."""
    return shutil.which(family.qemu)


class QemuMachine:
    """A QEMU process that runs `elf`; `transport` is its first serial port. A context manager.

    Raises TinycError when QEMU is not installed or has no machine for `board`.
    """

    def __init__(self, elf: Path, board: Board) -> None:
        if board.name not in MACHINES:
            raise TinycError(f"QEMU has no machine for `{board.name}`", allowed=", ".join(sorted(MACHINES)))
        family = board.instruction_set.family
        program = find_qemu(family)
        if program is None:
            hint = f"on Debian: apt install {family.qemu_package}"
            raise TinycError(f"{family.qemu} is not installed", hint=hint)
        if not Path(elf).is_file():
            raise TinycError("there is no such image", where=str(elf))
        command = [program, "-machine", MACHINES[board.name], "-bios", "none", "-kernel", str(elf)]
        command += ["-display", "none", "-monitor", "none", "-serial", "stdio"]
        # One virtual nanosecond an instruction: runs repeat.
        command += ["-icount", "shift=0,sleep=off"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.transport = QemuTransport(self._process)

    def close(self) -> None:
        """End QEMU."""
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class QemuTransport:
    """The serial port of a QEMU process, for the device client. Timeouts are in real seconds."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        self._input, self._output, self._errors = process.stdin, process.stdout, process.stderr

    def write(self, data: bytes) -> None:
        """Send bytes to the firmware. Raises TinycError when QEMU has ended."""
        try:
            self._input.write(data)
            self._input.flush()
        except OSError:
            raise self._ended() from None

    def read(self, size: int, timeout: float) -> bytes:
        """Up to `size` bytes, fewer after `timeout` seconds. Raises TinycError when QEMU has ended."""
        end = time.monotonic() + timeout
        data = bytearray()
        while len(data) < size and (left := end - time.monotonic()) > 0:
            if select.select([self._output], [], [], left)[0]:
                chunk = os.read(self._output.fileno(), size - len(data))
                if not chunk:
                    raise self._ended()
                data += chunk
        return bytes(data)

    def _ended(self) -> TinycError:
        self._process.wait(timeout=10)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        return TinycError(f"QEMU ended with status {self._process.returncode}", hint=" ".join(said[:1]))

    def close(self) -> None:
        """End QEMU."""
        self._process.kill()
        self._process.wait()
        for stream in (self._input, self._output, self._errors):
            with contextlib.suppress(OSError):
                stream.close()
