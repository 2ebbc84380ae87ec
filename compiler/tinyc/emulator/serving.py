"""How an emulated board is reached from other programs: a pseudo-terminal and a debug probe."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

from tinyc.emulator.probe_server import ProbeServer
from tinyc.emulator.pseudo_terminal import PseudoTerminal
from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.emulator.machine import Machine


class Served:
    """The part of a machine that serves it.

    Pseudo-terminal and probe may be open together, each with a thread; who uses the machine holds
    `exclusive`. While `debugger` is set only the probe's thread runs the chip.
    """

    def __init__(self) -> None:
        self._terminal: PseudoTerminal | None = None
        self.exclusive = threading.RLock()
        self.debugger = threading.Event()
        self.probes = 0  # servers that are open

    def serve_pty(self) -> str:
        """Open a pseudo-terminal that any serial program can use; its path. Runs until `close`.

        The machine belongs to the serving thread until then: do not use `transport` beside it.
        """
        if self._terminal is None:
            self._terminal = PseudoTerminal(cast("Machine", self))
        return self._terminal.path

    @property
    def serving_failure(self) -> TinycError | None:
        """The fault that ended `serve_pty`, None while all is well."""
        return self._terminal.failure if self._terminal is not None else None

    def serve_probe(self, port: int = 0) -> ProbeServer:
        """Let a debugger in, by pyOCD's protocol for remote probes, until the server is closed.

        The machine belongs to the serving thread while a client is connected; between clients it
        runs as it does without the server, by `run`, `transport` or `serve_pty`. Raises TinycError.
        """
        return ProbeServer(cast("Machine", self), port)

    def close(self) -> None:
        """Stop serving the pseudo-terminal."""
        if self._terminal is not None:
            self._terminal.close()
            self._terminal = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
