"""The baselines and streams of the learning benchmark: what its tables rest on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import learning_presence
from learning_baselines import Layer, Sgd
from learning_stream import Set, accuracy, learn

pytestmark = pytest.mark.unit


def layer(rng: np.random.Generator) -> Layer:
    deviation = rng.uniform(1, 20, 6)
    return Layer(rng.normal(0, 0.1, (3, 6)), rng.normal(0, 1, 3), rng.normal(0, 30, 6), deviation, -7, 0.02)


@pytest.mark.parametrize("standardise", [True, False])
def test_a_learner_starts_as_the_network_s_last_layer(standardise: bool) -> None:
    rng = np.random.default_rng(1)
    first = layer(rng)
    latents = rng.integers(-128, 128, (20, 6)).astype(np.int8)
    scores = Sgd(first, 4, 0.1, standardise=standardise).scores_many(latents)
    np.testing.assert_allclose(scores[:, :3], latents @ first.weights.T + first.bias, rtol=1e-9)
    assert (scores[:, 3] < scores[:, :3].min(axis=1)).all()


def test_a_step_is_the_gradient_of_the_cross_entropy() -> None:
    rng = np.random.default_rng(2)
    first, latent = layer(rng), rng.integers(-128, 128, 6).astype(np.int8)
    learner = Sgd(first, 3, 0.5, standardise=False)

    def loss(weights: np.ndarray) -> float:
        logits = weights @ ((latent.astype(float) + 7) * 0.02) + learner.bias
        return float(np.log(np.exp(logits).sum()) - logits[1])

    before, expected = learner.weights.copy(), np.zeros((3, 6))
    for place in np.ndindex(3, 6):
        step = np.zeros((3, 6))
        step[place] = 1e-5
        expected[place] = (loss(before + step) - loss(before - step)) / 2e-5
    learner.update(latent, 1)
    np.testing.assert_allclose(before - learner.weights, 0.5 * expected, atol=1e-7)


def test_only_new_rows_move_where_only_they_may() -> None:
    rng = np.random.default_rng(3)
    learner = Sgd(layer(rng), 5, 0.5, only_new=True)
    before = learner.weights.copy()
    learn(learner, Set(rng.integers(-128, 128, (9, 6)).astype(np.int8), np.full(9, 4)))
    assert np.array_equal(before[:3], learner.weights[:3]) and learner.weights[4].any()


def test_every_class_counts_alike() -> None:
    class Always:
        def update(self, latent: object, target: object) -> None: ...

        def scores_many(self, latents: np.ndarray) -> np.ndarray:
            return np.tile([1.0, 0.0, 0.0], (len(latents), 1))

    test = Set(np.zeros((12, 2), np.int8), np.array([0] * 10 + [1, 2]))
    found = accuracy(Always(), test, 2)
    assert (found.overall, found.old, found.new) == (pytest.approx(1 / 3), 0.5, 0.0)


def test_persistence_repeats_the_last_label_it_was_told() -> None:
    labels = np.array([1, 1, 0, 0, 1, 1, 1])
    assert learning_presence.persistence(labels, 1).tolist() == [0, 1, 1, 0, 0, 1, 1]
    assert learning_presence.persistence(labels, 3).tolist() == [0, 0, 0, 0, 0, 0, 1]
