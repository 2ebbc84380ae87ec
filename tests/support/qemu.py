"""Runs a firmware in QEMU and talks to its first serial port over pipes."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from pathlib import Path

MACHINES = {"mps2_an386": "mps2-an386", "netduinoplus2": "netduinoplus2"}


def qemu() -> str | None:
    """Path of QEMU for Arm, or None when it is not installed."""
    return shutil.which("qemu-system-arm")


class QemuTransport:
    """The serial port of a machine that runs `elf`; a transport for the device client."""

    def __init__(self, elf: Path, board: str) -> None:
        program = qemu()
        assert program is not None
        command = [program, "-machine", MACHINES[board], "-kernel", str(elf), "-nographic"]
        command += ["-serial", "stdio", "-monitor", "none"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout.fileno()

    def write(self, data: bytes) -> None:
        self._input.write(data)
        self._input.flush()

    def read(self, size: int, timeout: float) -> bytes:
        end = time.monotonic() + timeout
        data = b""
        while len(data) < size and (left := end - time.monotonic()) > 0:
            if select.select([self._output], [], [], left)[0]:
                chunk = os.read(self._output, size - len(data))
                if not chunk:
                    break
                data += chunk
        return data

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._input.close()
        assert self._process.stdout is not None
        self._process.stdout.close()
