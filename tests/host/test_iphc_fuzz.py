"""Compressed headers under libFuzzer for some seconds; `make fuzz` runs the long form."""

from __future__ import annotations

import pytest

from support import iphc_fuzzing
from tinyc.toolchain.host_compiler import compiler_called

pytestmark = pytest.mark.host


def test_any_bytes() -> None:
    clang = compiler_called("clang")
    if clang is None:
        pytest.skip("clang is not installed")
    assert iphc_fuzzing.run(clang, "-runs=100000") >= 100000
