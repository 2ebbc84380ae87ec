"""Ctrl-C: said in one line, with the exit code that shells expect."""

from __future__ import annotations

from unittest import mock

import pytest

from support.command_line import tinyc

pytestmark = pytest.mark.unit


def test_an_interrupt_is_said_and_has_its_own_exit_code() -> None:
    with mock.patch("tinyc.cli.output.table", side_effect=KeyboardInterrupt):
        said = tinyc("boards")
    assert (said.code, said.stdout, said.stderr) == (130, "", "interrupted\n")
