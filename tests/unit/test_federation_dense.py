"""The simulated devices' network: gradients against differences in float64, and the phases of a round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tinyc.errors import TinycError
from tinyc.learning.federation import dense
from tinyc.learning.federation.client import HIDDEN, LEAK, LOSSES, NetworkShape, Samples, TrainConfig
from tinyc.learning.federation.tasks import Classes, Sines, check_shape

pytestmark = pytest.mark.unit


def loss64(shape: NetworkShape, vector: np.ndarray, samples: Samples) -> float:
    """The mean of the losses whose gradient `NetworkShape` names, written anew in float64."""
    values = samples.inputs.astype(np.float64)
    start = 0
    for number, (width, above) in enumerate(zip(shape.layers, shape.layers[1:], strict=False)):
        weights = vector[start : start + above * width].reshape(above, width)
        bias = vector[start + above * width : start + above * width + above]
        start += above * width + above
        values = values @ weights.T + bias
        if number < len(shape.layers) - 2:
            slope = {"relu": 0.0, "leaky": LEAK}.get(shape.hidden, 0.0)
            values = (
                np.tanh(values) if shape.hidden == "tanh" else np.where(values > 0, values, slope * values)
            )
    if shape.loss == "mse":
        return float(0.5 * ((values - samples.targets) ** 2).sum(axis=1).mean())
    values = values - values.max(axis=1, keepdims=True)
    likely = values[np.arange(len(values)), samples.targets] - np.log(np.exp(values).sum(axis=1))
    return float(-likely.mean())


def samples_for(shape: NetworkShape, count: int) -> Samples:
    generator = np.random.default_rng(5)
    inputs = generator.normal(0, 1, (count, shape.inputs)).astype(np.float32)
    if shape.loss == "mse":
        return Samples(inputs, generator.normal(0, 1, (count, shape.outputs)).astype(np.float32))
    return Samples(inputs, generator.integers(0, shape.outputs, count).astype(np.int32))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("count", [1, 6])
def test_a_step_goes_along_the_gradient(hidden: str, loss: str, count: int) -> None:
    shape = NetworkShape((4, 6, 5, 3), hidden, loss)  # type: ignore[arg-type]
    samples, vector = samples_for(shape, count), shape.initial(1)
    stepped = vector.copy()
    dense.step(shape, dense.layers_of(shape, stepped), samples.inputs, samples.targets, 1.0)
    wide, width = vector.astype(np.float64), 1e-6
    numeric = np.zeros_like(wide)
    for place in range(wide.size):
        for sign in (1, -1):
            moved = wide.copy()
            moved[place] += sign * width
            numeric[place] += sign * loss64(shape, moved, samples) / (2 * width)
    np.testing.assert_allclose(vector - stepped, numeric, atol=2e-5)
    assert np.abs(numeric).max() > 0.01


def test_many_networks_at_once_equal_one_after_another() -> None:
    shape = NetworkShape((2, 4, 3), "leaky", "softmax")
    vectors = np.stack([shape.initial(seed) for seed in range(3)])
    inputs = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float32)
    targets = np.random.default_rng(1).integers(0, 3, (3, 5)).astype(np.int32)
    together = vectors.copy()
    dense.step(shape, dense.layers_of(shape, together), inputs, targets, 0.3)
    for number in range(3):
        dense.step(shape, dense.layers_of(shape, vectors[number]), inputs[number], targets[number], 0.3)
    np.testing.assert_allclose(together, vectors, rtol=1e-5, atol=1e-6)


def test_head_samples_move_the_head_alone() -> None:
    shape = NetworkShape((1, 6, 1))
    start, samples = shape.initial(0), Sines().task(0).draw(5, 1)
    config = TrainConfig(0.05, samples=1, head_samples=4)
    head_only, _ = dense.train(shape, start, Samples(samples.inputs[:4], samples.targets[:4]), config)
    body = slice(0, shape.head.start)
    np.testing.assert_array_equal(head_only[body], start[body])
    assert (head_only[shape.head] != start[shape.head]).all()
    both, _ = dense.train(shape, start, samples, config)
    assert (both[body] != start[body]).any()


def test_batch_steps_equal_steps_along_the_mean_gradient() -> None:
    shape = NetworkShape((1, 6, 1))
    start, samples = shape.initial(0), Sines().task(0).draw(5, 1)
    trained, loss = dense.train(shape, start, samples, TrainConfig(0.05, 5, batch_steps=3))
    expected = start.copy()
    losses = [
        dense.step(shape, dense.layers_of(shape, expected), samples.inputs, samples.targets, 0.05)
        for _ in range(3)
    ]
    np.testing.assert_array_equal(trained, expected)
    assert loss == pytest.approx(float(losses[0].mean()))


def test_training_leaves_its_start_alone_and_learns() -> None:
    shape = NetworkShape((1, 16, 1))
    start, task = shape.initial(0), Sines().task(4)
    before = start.copy()
    config = TrainConfig(0.05, 400)
    end, _ = dense.train(shape, start, task.draw(400, 2), config)
    np.testing.assert_array_equal(start, before)
    _, first = dense.train(shape, start, task.draw(100, 3), replace(config, rate=1e-9))
    _, last = dense.train(shape, end, task.draw(100, 3), replace(config, rate=1e-9))
    assert last < 0.5 * first


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (((3,),), "is no network"),
        (((3, 0, 1),), "is no network"),
        (((3, 1), "gelu"), "unknown unit"),
        (((3, 1), "tanh", "hinge"), "unknown loss"),
    ],
)
def test_impossible_networks_are_refused(arguments: tuple[object, ...], what: str) -> None:
    with pytest.raises(TinycError, match=what):
        NetworkShape(*arguments)  # type: ignore[arg-type]


def test_parameters_lie_as_documented() -> None:
    shape = NetworkShape((2, 3, 1))
    vector = np.arange(shape.parameters, dtype=np.float32)
    (w0, b0), (w1, b1) = shape.matrices(vector)
    np.testing.assert_array_equal(w0, [[0, 1], [2, 3], [4, 5]])
    np.testing.assert_array_equal(b0, [6, 7, 8])
    np.testing.assert_array_equal(w1, [[9, 10, 11]])
    np.testing.assert_array_equal(b1, [12])
    assert NetworkShape((1, 32, 32, 1)).parameters == 1153
    assert NetworkShape((196, 64, 32, 5)).parameters == 14853


def pool(classes: int, examples: int = 6) -> np.ndarray:
    """Example e of class c is the vector (c, e)."""
    places = np.meshgrid(np.arange(classes), np.arange(examples), indexing="ij")
    return np.stack(places, axis=-1).astype(np.float32)


def test_devices_have_classes_and_labels_of_their_own() -> None:
    family = Classes(pool(40), pool(30), 5, queries=2)
    drawn = [family.task(number).draw(25, 1) for number in range(2)]
    for samples in drawn:
        pairs = {
            (int(label), float(row[0])) for label, row in zip(samples.targets, samples.inputs, strict=True)
        }
        assert len(pairs) == 5  # each label is one class
        assert np.bincount(samples.targets).tolist() == [5] * 5
        assert len({tuple(row) for row in samples.inputs}) == 25  # no example twice
    again = family.task(0).draw(25, 1)
    np.testing.assert_array_equal(drawn[0].inputs, again.inputs)
    assert {float(x) for x in drawn[0].inputs[:, 0]} != {float(x) for x in drawn[1].inputs[:, 0]}


def test_support_and_query_share_no_example() -> None:
    family = Classes(pool(40), pool(30), 5, queries=2)
    episode = family.episode(3, shots=4)
    support = {tuple(row) for row in episode.support.inputs}
    query = {tuple(row) for row in episode.query.inputs}
    assert (len(support), len(query)) == (20, 10)
    assert not support & query
    label_of = dict(zip(episode.support.inputs[:, 0], episode.support.targets, strict=True))
    assert [label_of[row[0]] for row in episode.query.inputs] == list(episode.query.targets)


def test_networks_that_do_not_fit_the_task_are_refused() -> None:
    with pytest.raises(TinycError, match="do not fit the task"):
        check_shape(Sines(), NetworkShape((2, 3, 1)))
    check_shape(Sines(), NetworkShape((1, 3, 1)))
