"""How fast uploads are, in the chip's own time: line and flash at their rates, a host without a pause."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from support.networks import random_network
from tinyc.emit.project import render
from tinyc.pipeline import compile_graph
from tinyc.toolchain import build
from upload import Upload, file_of, measure, slot_board

pytestmark = pytest.mark.emulated

GRAPH = random_network(np.random.default_rng(3), 5)


@pytest.fixture(scope="module")
def uploaded(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Upload]:
    folder = tmp_path_factory.mktemp("speed")

    @cache
    def elf(baud: int) -> Path:
        return build(render(compile_graph(GRAPH, slot_board(baud), name="net")), folder / str(baud)).elf

    return lambda baud, size, erased: measure(elf(baud), slot_board(baud), file_of(size), erased=erased)


@pytest.fixture(scope="module")
def size(long: bool) -> int:
    """Bytes of a whole upload. The first ones cost most: a larger file is faster."""
    return 300_000 if long else 100_000


def test_at_a_megabaud_into_an_erased_slot(uploaded: Callable[..., Upload], size: int) -> None:
    done = uploaded(1_000_000, size, True)
    assert 71_000 < done.limit < 73_000
    assert done.share >= 0.85


def test_at_a_megabaud_with_the_erases(uploaded: Callable[..., Upload]) -> None:
    """The flash is the limit then: 100 ms to erase a page, 42 ms to write it."""
    done = uploaded(1_000_000, 60_000, False)
    assert 0.3 < done.share < 0.45
    assert done.seconds < 60_000 / 4096 * 0.182


def test_at_the_default_rate(uploaded: Callable[..., Upload], size: int) -> None:
    """The erases are hidden: the line is the limit. 300 kB take less than a minute."""
    done = uploaded(115_200, size, False)
    assert done.seconds < size / 5000
    assert done.share > 0.95
