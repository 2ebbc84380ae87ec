"""Heads on emulated chips: the bits of their twins, with and without an FPU, and what they cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.devices import need_toolchain
from support.learning_chip import ChipHead
from support.learning_heads import fitted, random_latent
from tinyc.boards import load_board
from tinyc.learning.choose import instructions
from tinyc.learning.fit import HeadOptions
from tinyc.learning.heads.design import HeadDesign

pytestmark = pytest.mark.emulated

# What the learner may keep beside a head of 64 elements and 12 classes: 4 kB less its own 800 bytes.
HEAD_RAM = 4096 - 800
# Static RAM is not all: the latents of a head lie on the stack while it works.
HEAD_STACK = 400


def side_by_side(design: HeadDesign, chip: ChipHead, samples: int) -> dict[str, int]:
    """The dearest call of each function, over random samples whose answers and states must be equal."""
    rng = np.random.default_rng(6)
    twin = design.head()
    dearest: dict[str, int] = {}
    for _ in range(samples):
        latent = random_latent(rng, design.latent)
        if design.is_regression:
            target = rng.normal(0, 1, design.capacity).astype(np.float32)
        else:
            target = int(rng.integers(design.capacity))
        chip.update(latent, target)
        twin.update(latent, target)
        costs = [chip.cost]
        if design.options["normalise"]:
            chip.normalise(latent)
            twin.normalise(latent)
        scores, best, surprise = chip.scores(latent)
        costs.append(chip.cost)
        assert scores.tobytes() == twin.scores(latent).tobytes()
        assert best == twin.predict(latent)
        assert surprise.tobytes() == twin.surprise(latent).tobytes()
        for cost in costs:
            dearest.update({name: max(count, dearest.get(name, 0)) for name, count in cost.items()})
    assert chip.to_bytes() == twin.to_bytes()
    return dearest


@pytest.mark.parametrize("toolchain", ["zig", "gcc"])
@pytest.mark.parametrize("kind", ["slda", "sgd", "ncm"])
def test_cost_of_64_elements_and_12_classes(kind: str, toolchain: str, tmp_path: Path) -> None:
    board = load_board("nrf52840_bare")
    need_toolchain(board, toolchain)
    design = fitted(kind, 64, 12, HeadOptions(curve=True))
    chip = ChipHead(design, board, tmp_path, toolchain)
    # All classes have samples after the first few, so that the dearest call is the dearest there is.
    cost = side_by_side(design, chip, 60)
    update, inference = cost["learn_head_update"], cost["learn_head_scores"]
    assert update <= 12_000
    assert update + inference <= 15_000
    assert design.state_bytes + design.scratch_bytes <= HEAD_RAM
    assert chip.stack <= HEAD_STACK
    # What `tinyc build --head auto` shows for it.
    assert abs(instructions(design) / (update + inference) - 1) < 0.2


@pytest.mark.parametrize(
    ("name", "toolchain"), [("nrf52840_bare", "zig"), ("microbit", "zig"), ("microbit", "gcc")]
)
@pytest.mark.parametrize(
    ("kind", "latent", "capacity", "options"),
    [
        ("slda", 7, 5, HeadOptions(prior=1.5, curve=True, forget=4, factory_weight=3)),
        ("sgd", 9, 6, HeadOptions(replay=3, factory_replay=4, normalise=True, normalise_samples=20)),
        ("ncm", 6, 5, HeadOptions(metric="euclidean")),
        ("autoencoder", 4, 40, HeadOptions()),
        # So few that the loops over four elements have none.
        ("sgd", 1, 3, HeadOptions(replay=1)),
        ("slda", 2, 3, HeadOptions()),
    ],
)
def test_bits_with_and_without_an_fpu(
    kind: str, latent: int, capacity: int, options: HeadOptions, name: str, toolchain: str, tmp_path: Path
) -> None:
    board = load_board(name)
    need_toolchain(board, toolchain)
    design = fitted(kind, latent, capacity, options)
    side_by_side(design, ChipHead(design, board, tmp_path, toolchain), 25)
