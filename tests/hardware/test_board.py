"""A real board: flash a build first, then run with

TINYC_TEST_PORT=/dev/ttyACM0 TINYC_TEST_BUILD=path/to/build pytest -m hardware
"""

from __future__ import annotations

import os

import pytest

from support.command_line import tinyc

pytestmark = pytest.mark.hardware

PORT, BUILD = os.environ.get("TINYC_TEST_PORT"), os.environ.get("TINYC_TEST_BUILD")


@pytest.mark.skipif(not (PORT and BUILD), reason="TINYC_TEST_PORT and TINYC_TEST_BUILD are not set")
def test_board_answers_like_the_reference() -> None:
    said = tinyc("verify", BUILD, "--port", PORT, "--layers", "--json")
    assert said.code == 0, said.stderr
    assert said.json["agrees"]
