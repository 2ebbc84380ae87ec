"""A device with tinyc's bootloader, compiled for this machine: its flash, from one start to the next."""

from __future__ import annotations

import struct
import subprocess
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from support.update_requests import BLANK, FLASH_BYTES


class Action(IntEnum):
    """What boot_decide_main.c is asked to do: a start, or a call of the application."""

    BOOT = 0
    TEST = 1
    PERMANENT = 2
    CONFIRM = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """`done`: there is an image to jump to, or the call succeeded. `vectors` is where the image's vector
    table lies, after a start. Counts of erased pages and written words; `log` is what the program said."""

    done: bool
    vectors: int
    erased: int
    written: int
    log: str


@dataclass(slots=True)
class Device:
    """`program` is boot_decide_main.c."""

    program: Path
    flash: bytearray = field(default_factory=lambda: bytearray([BLANK]) * FLASH_BYTES)

    def boot(self) -> Answer:
        return self.call(Action.BOOT)

    def call(self, action: Action) -> Answer:
        given = struct.pack("<I", action) + self.flash
        done = subprocess.run([self.program], input=given, capture_output=True, check=False, timeout=120)
        log = done.stderr.decode(errors="replace")
        assert done.returncode == 0, log
        head = struct.Struct("<4I")
        assert len(done.stdout) == head.size + FLASH_BYTES
        success, vectors, erased, written = head.unpack_from(done.stdout)
        self.flash[:] = done.stdout[head.size :]
        return Answer(bool(success), vectors, erased, written, log)
