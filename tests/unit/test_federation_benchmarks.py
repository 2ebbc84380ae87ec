"""The federated benchmarks: their data, their plans and their bars; the figures are in the guide."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import federation_runs
import learning_omniglot
import learning_sine
import omniglot_data
from tinyc.learning.federation.settings import load_config
from tinyc.learning.federation.tasks import Classes, Sines
from tinyc.resources import data_folder

pytestmark = pytest.mark.unit

EXAMPLES = data_folder("boards").parent / "examples"


def png(ink: np.ndarray, size: int = 105, row_filter: int = 0) -> bytes:
    """One bit a pixel, 0 where the pen was."""
    rows = np.packbits(1 - ink, axis=1)
    raw = b"".join(bytes([row_filter]) + row.tobytes() for row in rows)
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", size, size, 1, 0, 0, 0, 0),
        b"IDAT": zlib.compress(raw),
        b"IEND": b"",
    }
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, body in chunks.items():
        parts.append(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))
    return b"".join(parts)


def test_ink_is_where_the_pen_was() -> None:
    drawn = np.random.default_rng(0).integers(0, 2, (105, 105)).astype(np.uint8)
    np.testing.assert_array_equal(omniglot_data.ink(png(drawn)), drawn)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"GIF89a", "no PNG"),
        (png(np.zeros((105, 105), np.uint8), size=104), "not 105"),
        (png(np.zeros((105, 105), np.uint8), row_filter=1), "filtered"),
    ],
)
def test_other_images_are_refused(data: bytes, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        omniglot_data.ink(data)


@pytest.mark.parametrize("size", [14, 28, 105])
def test_shrinking_keeps_the_ink(size: int) -> None:
    small = omniglot_data.shrinking(size)
    np.testing.assert_allclose(small.sum(axis=1), 1.0)
    np.testing.assert_allclose(small.sum(axis=0), size / 105)


def test_turns_are_classes_of_their_own() -> None:
    images = np.random.default_rng(0).normal(size=(3, 2, 5, 5)).astype(np.float32)
    turned = omniglot_data.rotated(images)
    assert turned.shape == (12, 2, 5, 5)
    np.testing.assert_array_equal(turned[3:6, 1], np.stack([np.rot90(image) for image in images[:, 1]]))


@pytest.mark.parametrize("quick", [True, False])
def test_plans_fit_their_tasks(quick: bool) -> None:
    pool = np.zeros((8, 20, 196), np.float32)
    for plans, family in (
        (learning_sine.plans(quick), Sines()),
        (learning_omniglot.plans(quick), Classes(pool, pool, 5)),
    ):
        for plan in plans:
            assert (plan.shape.inputs, plan.shape.outputs) == (family.inputs, family.outputs)
            plan.strategy.check(family.label_permuted, plan.force)
    assert learning_omniglot.SHAPE.parameters == 14853
    assert learning_sine.SHAPE.parameters == 1153


def test_rows_are_means_over_seeds_and_bars_say_whether_they_are_met() -> None:
    plan = learning_sine.plans(True)[0]
    tests = tuple((name, replace(test, tasks=4)) for name, test in plan.tests)
    small = replace(plan, rounds=10, devices=20, tests=tests)
    results = [federation_runs.measure(small, Sines(), seed) for seed in range(2)]
    (row,) = federation_runs.rows(results)
    test = learning_sine.BATCH
    scores = [result.scores[test] for result in results]
    assert row.seeds == 2
    assert row.means[test] == pytest.approx(np.mean(scores))
    assert row.spreads[test] == pytest.approx(np.std(scores, ddof=1))
    assert row.up == 4 * 1153 + 1
    assert federation_runs.bar(row, test, max(scores), True)["met"]
    assert not federation_runs.bar(row, test, max(scores), False)["met"]
    assert "± " in federation_runs.table("title", [row])


@pytest.mark.parametrize(
    "path", sorted(EXAMPLES.glob("federated_*/run.toml")), ids=lambda path: path.parent.name
)
def test_examples_are_described_well(path: Path) -> None:
    config = load_config(path)
    config.strategy.check(config.family.label_permuted, force=False)
