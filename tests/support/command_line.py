"""Runs `tinyc` in this process and keeps what it said."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from typing import Any
from unittest import mock

from tinyc.cli import main


@dataclass(frozen=True)
class Said:
    """Exit code, stdout (data) and stderr (talk) of one call."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


def tinyc(*arguments: object) -> Said:
    """`tinyc ARGUMENTS`, as the installed script would run it."""
    stdout, stderr = io.StringIO(), io.StringIO()
    code = 0
    with (
        mock.patch.object(sys, "argv", ["tinyc", *map(str, arguments)]),
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
    ):
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    return Said(code, stdout.getvalue(), stderr.getvalue())
