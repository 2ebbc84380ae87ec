"""The sparse head on emulated chips: the bits of its twin, and what an update costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.devices import need_toolchain
from support.learning_chip import ChipHead
from support.sparse import Network
from support.sparse_chip import keyword_block, side_by_side, whole
from support.sparse_tokens import NETWORKS, designed
from tinyc.boards import load_board
from tinyc.ir.graph import Graph

pytestmark = pytest.mark.emulated

BUDGET = 64 * 1024
# Of one update with its forward pass, in the last block above, and the stack it may need.
MOST_INSTRUCTIONS = 9_000_000
MOST_STACK = 400
MOST_ROW_STACK = 450


def small(seed: int) -> Graph:
    net = Network(seed, 5, 4, 6).conv(8)
    start = net.last
    net.depthwise(relu=False).residual(start).conv(6, 3, 2).depthwise().conv(9).pool()
    return net.dense(4, size=0.3).graph()


@pytest.mark.parametrize("toolchain", ["zig", "gcc"])
@pytest.mark.parametrize("name", ["nrf52840_bare", "microbit"])
def test_bits_of_a_small_network(name: str, toolchain: str, tmp_path: Path) -> None:
    board = load_board(name)
    need_toolchain(board, toolchain)
    graph = small(1)
    latents = np.random.default_rng(2).integers(-128, 128, (8, graph["x"].elements)).astype(np.int8)
    design = whole(graph, "x", latents, 5)
    chip = ChipHead(design, board, tmp_path, toolchain)
    side_by_side(design, chip, latents)


@pytest.mark.parametrize(
    ("network", "name", "toolchain"),
    [
        ("norms", "nrf52840_bare", "zig"),
        ("block", "nrf52840_bare", "gcc"),
        ("joint", "microbit", "gcc"),
        ("joint", "microbit", "zig"),
    ],
)
def test_bits_of_norms_and_gains(network: str, name: str, toolchain: str, tmp_path: Path) -> None:
    board = load_board(name)
    need_toolchain(board, toolchain)
    graph, tap = NETWORKS[network](1)
    design = designed(graph, tap)
    latents = np.random.default_rng(2).integers(-128, 128, (6, design.latent)).astype(np.int8)
    chip = ChipHead(design, board, tmp_path, toolchain)
    side_by_side(design, chip, latents)
    assert chip.stack <= MOST_ROW_STACK


def test_last_block_of_a_keyword_network(shared: Path, tmp_path: Path) -> None:
    """Depthwise, 1x1 and dense layer of the DS-CNN of MLPerf Tiny: within 64 kB beyond its inference."""
    board = load_board("nrf52840_bare")
    need_toolchain(board, "zig")
    design, latents = keyword_block(shared)
    chip = ChipHead(design, board, tmp_path)
    cost = side_by_side(design, chip, latents)
    assert design.ram_bytes <= BUDGET
    held = sum(chip.symbols[name].size for name in ("arena", "work"))
    assert held == design.scratch_bytes
    assert cost["learn_head_update"] <= MOST_INSTRUCTIONS
    assert chip.stack <= MOST_STACK
