"""Programs that other people wrote: where they are, and running them so that none is left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyc.errors import TinycError

_TAIL_LINES = 12


@dataclass(frozen=True, slots=True)
class Done:
    """Exit status and everything that a program printed, in order."""

    status: int
    output: str

    def tail(self, lines: int = _TAIL_LINES) -> str:
        """The last lines that are not empty."""
        return "\n".join([line.rstrip() for line in self.output.splitlines() if line.strip()][-lines:])


def find(name: str) -> Path | None:
    """A program on the PATH, or beside this Python: a virtual environment need not be active."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    return None if found is None else Path(found)


def run(
    command: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None, name: str = ""
) -> Done:
    """Run a program that may start others; none of them survives the time limit or an interruption.

    Raises TinycError when it cannot be started or does not end in time; `name` is what it says then.
    """
    name = name or Path(command[0]).name
    try:
        process = subprocess.Popen(
            list(command),
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise TinycError(f"cannot start {name}: {error.strerror}", where=command[0]) from error
    with process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except BaseException as error:
            _kill(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise TinycError(f"{name} did not end within {seconds:g} s") from error
            raise
    return Done(process.returncode, output)


def _kill(process: subprocess.Popen[str]) -> None:
    """End the process and everything it started; it leads a group of its own."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
