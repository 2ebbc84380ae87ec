"""The serial line of an emulated board as a pseudo-terminal."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import tty
from typing import TYPE_CHECKING

from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.emulator.machine import Machine

_SLICE_SECONDS = 0.05  # of the chip's time, between two looks at the terminal


class PseudoTerminal:
    """Serves `machine` in a thread. `path` is what a serial program opens.

    A fault of the firmware ends the serving; it is kept in `failure`.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.failure: TinycError | None = None
        self._master, self._slave = os.openpty()
        # The slave stays open here, so that the master does not fail while no program has it open.
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="emulated-board", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        from tinyc.emulator.machine import Ended

        machine, line = self._machine, self._machine.line
        slice_cycles = max(1, round(_SLICE_SECONDS * machine.clock_hz))
        try:
            while True:
                before = machine.executed
                ended = machine.run(slice_cycles)
                asleep = machine.executed - before < slice_cycles // 2
                # A chip that mostly sleeps until a timer does not run ahead of real time.
                idle = ended in (Ended.IDLE, Ended.POWER_LOST)
                wait = None if idle else _SLICE_SECONDS if asleep else 0
                while line.from_device:
                    _, writable, _ = select.select([self._wake_read], [self._master], [])
                    if not writable:
                        return
                    sent = os.write(self._master, bytes(line.from_device[:1024]))
                    del line.from_device[:sent]
                readable, _, _ = select.select([self._master, self._wake_read], [], [], wait)
                if self._wake_read in readable:
                    return
                if readable:
                    line.write(os.read(self._master, 4096))
        except TinycError as error:
            self.failure = error
        except OSError:
            return  # the terminal was closed

    def close(self) -> None:
        """Stop serving and close the terminal."""
        with contextlib.suppress(OSError):
            os.write(self._wake_write, b"x")
        self._thread.join(timeout=30)
        for descriptor in (self._master, self._slave, self._wake_read, self._wake_write):
            with contextlib.suppress(OSError):
                os.close(descriptor)
