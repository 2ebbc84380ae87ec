"""The serial line of an emulated board as a pseudo-terminal."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import tty
from typing import TYPE_CHECKING

from tinyc.emulator.ended import Ended
from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.emulator.machine import Machine

_SLICE_SECONDS = 0.05  # of the chip's time, between two looks at the terminal


class PseudoTerminal:
    """Serves `machine` in a thread. `path` is what a serial program opens.

    `terminal` is an open pair of (master, slave) to serve, for somebody who closes it himself.
    A fault of the firmware ends the serving; it is kept in `failure`. Where a probe is open it ends
    the running only, until a debugger comes.
    """

    def __init__(self, machine: Machine, terminal: tuple[int, int] | None = None) -> None:
        self._machine, self._owned = machine, terminal is None
        self.failure: TinycError | None = None
        self._master, self._slave = terminal or os.openpty()
        # The slave stays open here, so that the master does not fail while no program has it open.
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="emulated-board", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            while True:
                wait = self._run()
                if self._machine.probes and (wait is None or wait > _SLICE_SECONDS):
                    wait = _SLICE_SECONDS  # a debugger may have come and gone
                if not self._exchange(wait):
                    return
        except TinycError as error:
            self.failure = error
        except OSError:
            return  # the terminal was closed

    def _run(self) -> float | None:
        """Run the chip for a slice; how many seconds nothing is going to happen, None for ever."""
        machine = self._machine
        if machine.debugger.is_set():  # the probe runs it, and resets it
            self.failure = None
            return _SLICE_SECONDS
        if self.failure is not None:
            return None
        slice_cycles = max(1, round(_SLICE_SECONDS * machine.clock_hz))
        with machine.exclusive:
            if machine.debugger.is_set():
                return 0
            before = machine.executed
            try:
                ended = machine.run(slice_cycles)
            except TinycError as error:
                if not machine.probes:
                    raise
                self.failure = error  # until a debugger comes
                return None
            asleep = machine.executed - before < slice_cycles // 2
        # A chip that mostly sleeps until a timer does not run ahead of real time.
        idle = ended in (Ended.IDLE, Ended.POWER_LOST)
        return None if idle else _SLICE_SECONDS if asleep else 0

    def _exchange(self, wait: float | None) -> bool:
        """Pass bytes on in both directions; False when the terminal is closed."""
        line, exclusive = self._machine.line, self._machine.exclusive
        while line.from_device:
            _, writable, _ = select.select([self._wake_read], [self._master], [])
            if not writable:
                return False
            with exclusive:
                sent = os.write(self._master, bytes(line.from_device[:1024]))
                del line.from_device[:sent]
        readable, _, _ = select.select([self._master, self._wake_read], [], [], wait)
        if self._wake_read in readable:
            return False
        if readable:
            data = os.read(self._master, 4096)
            with exclusive:
                line.write(data)
        return True

    def close(self) -> None:
        """Stop serving and close the terminal."""
        with contextlib.suppress(OSError):
            os.write(self._wake_write, b"x")
        self._thread.join(timeout=30)
        terminal = (self._master, self._slave) if self._owned else ()
        for descriptor in (*terminal, self._wake_read, self._wake_write):
            with contextlib.suppress(OSError):
                os.close(descriptor)
