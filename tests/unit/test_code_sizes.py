"""Measured code: every kernel whose C is the same for all layers has its size."""

from __future__ import annotations

import tomllib

import pytest

from tinyc.kernels import code_sizes
from tinyc.kernels.catalogue import CATALOGUE

pytestmark = pytest.mark.unit


def test_kernels_that_do_not_depend_on_the_layer_were_measured() -> None:
    lacking = [
        kernel.symbol
        for kernel in CATALOGUE
        if not kernel.is_specialized and kernel.functions.get(kernel.symbol, 0) <= 0
    ]
    assert not lacking, "run benchmarks/measure_code.py"


def test_templates_tell_the_size_of_a_variant_or_are_estimated_from_their_text() -> None:
    for kernel in CATALOGUE:
        if kernel.is_specialized:
            assert not any(name.startswith(kernel.symbol) for name in kernel.functions), kernel.symbol


def test_nothing_was_measured_that_is_not_there_any_more() -> None:
    table = tomllib.loads(code_sizes.TABLE.read_text(encoding="utf-8"))
    assert set(table) == {kernel.symbol for kernel in CATALOGUE}
