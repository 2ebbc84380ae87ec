"""Reciprocal square roots in integers: their error at every magnitude, and the C twin's table."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tinyc.quantize.roots import inverse_root, seeds, square_root
from tinyc.resources import data_folder

pytestmark = pytest.mark.unit


def values() -> np.ndarray:
    rng = np.random.default_rng(0)
    wide = np.exp2(rng.uniform(0, 61.99, 200_000)).astype(np.int64)
    edges = np.array([2**k + d for k in range(62) for d in (-1, 0, 1)], np.int64)
    found = np.unique(np.concatenate([np.arange(1, 70_000), wide, edges]))
    return found[(found >= 1) & (found < 2**62)]


def test_the_error_of_the_reciprocal_root() -> None:
    value = values()
    root, half = inverse_root(value)
    assert root.min() >= 2**30 and root.max() < 2**31
    error = root * np.exp2(-30.0 - half) * np.sqrt(value.astype(np.float64)) - 1
    assert np.abs(error).max() < 2.0**-22


def test_the_error_of_the_root() -> None:
    value = values()
    exact = np.sqrt(value.astype(np.float64))
    assert (np.abs(square_root(value) - exact) <= 1 + exact * 2.0**-22).all()


def test_the_table_of_the_c_twin() -> None:
    path = data_folder("firmware_templates") / "kernels" / "include" / "tinyc_roots.h"
    table = path.read_text(encoding="utf-8").split("tinyc_root_seeds[48] = {")[1].split("}")[0]
    assert [int(number) for number in re.findall(r"(\d+)u", table)] == seeds().tolist()
