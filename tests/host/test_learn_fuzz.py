"""The learner over SMP under libFuzzer for some seconds; `make fuzz` runs the long form."""

from __future__ import annotations

import pytest

from support import learn_fuzzing
from tinyc.toolchain.host_compiler import compiler_called

pytestmark = pytest.mark.host


def test_any_bytes_for_a_learner() -> None:
    clang = compiler_called("clang")
    if clang is None:
        pytest.skip("clang is not installed")
    assert learn_fuzzing.run(clang, "-max_total_time=5") > 1000
