"""Sequences of 6LoWPAN frames under libFuzzer for some seconds; `make fuzz` runs the long form."""

from __future__ import annotations

import pytest

from support import lpc_fuzzing
from tinyc.toolchain.host_compiler import compiler_called

pytestmark = pytest.mark.host


def test_sequences_of_frames() -> None:
    clang = compiler_called("clang")
    if clang is None:
        pytest.skip("clang is not installed")
    assert lpc_fuzzing.run(clang, "-runs=60000") >= 60000
