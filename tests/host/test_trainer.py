"""The firmware's trainer under sanitizers: the same bits as its twin in Python, and what it refuses."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from support.trainers import (
    DONE,
    ENCODED,
    IDLE,
    NO_ROUND,
    NOT_FINITE,
    OTHER_START,
    OUT_OF_RANGE,
    TRAINING,
    HostTrainer,
    RandomTask,
)
from tinyc.errors import TinycError
from tinyc.learning.federation import trainer
from tinyc.learning.federation.client import ClientError, NetworkShape, Samples, TrainConfig
from tinyc.learning.federation.codec import decode, encode_sparse, kept_entries, shared_segments
from tinyc.learning.federation.wire import record_bytes, records
from tinyc.toolchain.host_compiler import compiler_called

pytestmark = pytest.mark.host

SINE = NetworkShape((1, 8, 8, 1), "tanh", "mse")
SHAPES = [
    SINE,
    NetworkShape((9, 7, 4), "relu", "softmax"),
    NetworkShape((3, 5, 2, 3), "leaky", "mse"),
    NetworkShape((4, 3), "tanh", "softmax"),
    NetworkShape((1, 1), "relu", "mse"),
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape.layers}-{shape.hidden}-{shape.loss}")
def test_trainer_has_the_bits_of_its_twin(shape: NetworkShape) -> None:
    start = shape.initial(3)
    host, expected = HostTrainer(shape), []
    for seed, rate, head_samples in ((1, 0.02, 0), (2, 0.5, 3), (3, 1e-4, 9)):
        samples = RandomTask(shape).draw(9, seed)
        host.start(start)
        host.begin(start, rate, head_samples)
        host.take(0, records(shape, samples))
        host.info()
        host.parameters()
        expected.append(trainer.train(shape, start, samples, rate, head_samples))
    found = host.run()
    for done in expected:
        assert found.words(3) == [DONE] * 3
        assert found.info() == (TRAINING, 9, 9 * record_bytes(shape), done.loss)
        assert found.parameters().tobytes() == done.parameters.tobytes()
        assert not np.array_equal(done.parameters, start)
    assert found.done()


@pytest.mark.parametrize("name", ["gcc", "clang"])
def test_compilers_agree_about_the_trainer(name: str) -> None:
    compiler = compiler_called(name)
    if compiler is None:
        pytest.skip(f"{name} is not installed")
    host, start, samples = HostTrainer(SINE, compiler=compiler), SINE.initial(1), RandomTask(SINE).draw(20, 5)
    host.start(start)
    host.begin(start, 0.05)
    host.take(0, records(SINE, samples))
    host.parameters()
    found = host.run()
    assert found.words(3) == [DONE] * 3
    assert found.parameters().tobytes() == trainer.train(SINE, start, samples, 0.05).parameters.tobytes()


def test_gradient_of_the_twin_is_that_of_differences() -> None:
    """One step at a small rate moves each parameter by rate × the derivative of the loss."""
    for shape in SHAPES:
        start, samples = shape.initial(7), RandomTask(shape).draw(1, 11)
        rate = 2.0**-6
        moved = (start - trainer.train(shape, start, samples, rate).parameters) / np.float32(rate)
        for index in range(0, shape.parameters, max(1, shape.parameters // 12)):
            exact = _derivative(shape, start, samples, index)
            assert moved[index] == pytest.approx(exact, abs=2e-3, rel=2e-3), (shape, index)


def _derivative(shape: NetworkShape, start: np.ndarray, samples: Samples, index: int) -> float:
    """Of ½ Σ (y − t)² or the cross-entropy, by central differences in float64."""
    losses = []
    for sign in (1, -1):
        vector = start.astype(np.float64)
        vector[index] += sign * 1e-6
        x, at = samples.inputs[0].astype(np.float64), 0
        for layer, (width, above) in enumerate(zip(shape.layers, shape.layers[1:], strict=False)):
            weights = vector[at : at + width * above].reshape(above, width)
            x = weights @ x + vector[at + width * above : at + (width + 1) * above]
            at += (width + 1) * above
            if layer < len(shape.layers) - 2:
                low = 0.125 * x if shape.hidden == "leaky" else np.zeros_like(x)
                x = np.tanh(x) if shape.hidden == "tanh" else np.where(x > 0, x, low)
        if shape.loss == "mse":
            losses.append(0.5 * float(((x - samples.targets[0]) ** 2).sum()))
        else:
            losses.append(float(np.log(np.exp(x).sum()) - x[int(samples.targets[0])]))
    return (losses[0] - losses[1]) / 2e-6


def test_samples_may_be_cut_anywhere_and_come_twice() -> None:
    shape = SHAPES[1]
    start, samples = shape.initial(3), RandomTask(shape).draw(6, 1)
    data, chance = records(shape, samples), np.random.default_rng(5)
    cuts = sorted({0, len(data), *chance.integers(1, len(data), 9).tolist()})
    host = HostTrainer(shape)
    host.start(start)
    host.begin(start, 0.1)
    for low, high in pairwise(cuts):
        host.take(low, data[low:high])
        host.take(low, data[low:high])
        host.take(max(0, low - 3), data[max(0, low - 3) : high])
    host.take(len(data) + 1, b"\0")
    host.take(0xFFFFFFFF, b"\0\0")
    host.info()
    host.parameters()
    found = host.run()
    assert found.words(3 * len(cuts) - 1) == [DONE] * (3 * len(cuts) - 1)
    assert (found.word(), found.word()) == (OUT_OF_RANGE, OUT_OF_RANGE)
    assert found.info()[1] == 6
    assert found.parameters().tobytes() == trainer.train(shape, start, samples, 0.1).parameters.tobytes()


@pytest.mark.parametrize("top", [0.02, 0.3, 0.5, 0.99])
@pytest.mark.parametrize("head", ["shared", "zero"])
def test_encoded_delta_is_that_of_the_codec(top: float, head: str) -> None:
    for shape in SHAPES:
        if head == "zero" and len(shape.layers) == 2:
            continue  # nothing would be left to send
        start, samples = shape.initial(3), RandomTask(shape).draw(8, 4)
        begun = start.copy()
        if head == "zero":
            begun[shape.head] = 0
        segments = shared_segments(shape, head != "shared")
        keep = kept_entries(top, segments)
        done = trainer.train(shape, begun, samples, 0.05, 2)
        host = HostTrainer(shape)
        host.start(start)
        host.begin(start, 0.05, 2, head)
        host.take(0, records(shape, samples))
        host.encode(len(segments), keep)
        host.encode(len(segments), keep)
        host.info()
        found = host.run()
        assert found.words(3) == [DONE] * 3
        expected = encode_sparse(done.parameters - begun, segments, keep)
        assert found.encoded() == (DONE, expected)
        assert found.encoded() == (DONE, expected)
        assert found.info()[0] == ENCODED
        assert np.count_nonzero(decode(expected, shape, segments)) <= keep


def test_encoding_breaks_ties_by_the_index() -> None:
    """Equal changes everywhere, zeros, and changes too small for a scale."""
    shape = NetworkShape((4, 3), "tanh", "mse")
    for inputs, rate in (([1, 1, 1, 1], 0.5), ([1, 0, 1, 0], 0.25), ([1, 1, 1, 1], 1e-37)):
        start = np.zeros(shape.parameters, np.float32)
        samples = Samples(np.array([inputs], np.float32), np.ones((1, 3), np.float32))
        done, segments = trainer.train(shape, start, samples, rate), shape.segments()
        for keep in (1, 5, 8, 15):
            host = HostTrainer(shape)
            host.start(start)
            host.begin(start, rate)
            host.take(0, records(shape, samples))
            host.encode(1, keep)
            found = host.run()
            assert found.words(3) == [DONE] * 3
            assert found.encoded() == (DONE, encode_sparse(done.parameters - start, segments, keep))


@pytest.mark.parametrize("keeps_start", [True, False])
def test_kept_head_survives_rounds(keeps_start: bool) -> None:
    """The server sends the body alone; the head is the device's own, zero at first."""
    shape = SHAPES[1]
    body, head = slice(0, shape.head.start), np.zeros(shape.head.stop - shape.head.start, np.float32)
    host, expected = HostTrainer(shape, keeps_start=keeps_start), []
    for seed in range(4):
        start, samples = shape.initial(seed), RandomTask(shape).draw(5, seed)
        host.start(start[body])
        host.begin(start[body], 0.1, 2, "kept")
        host.begin(start[body], 0.1, 2, "kept")
        host.take(0, records(shape, samples))
        host.parameters()
        if keeps_start and seed == 1:
            host.encode(1, 10)
        start[shape.head] = head
        done = trainer.train(shape, start, samples, 0.1, 2)
        head = done.parameters[shape.head]
        expected.append(done.parameters)
    found = host.run()
    for seed, parameters in enumerate(expected):
        assert found.words(4) == [DONE] * 4
        assert found.parameters().tobytes() == parameters.tobytes()
        if keeps_start and seed == 1:
            assert found.encoded()[0] == DONE
    assert found.done()


def test_head_from_outside_replaces_the_kept_one() -> None:
    """Also where a round with another one has just been trained."""
    shape = SHAPES[1]
    start, samples, other = shape.initial(1), RandomTask(shape).draw(5, 1), shape.initial(2)
    host = HostTrainer(shape)
    for _ in range(2):
        host.start(other[shape.head], 4 * shape.head.start)
        host.start(start[: shape.head.start])
        host.begin(start[: shape.head.start], 0.1, 0, "kept")
        host.take(0, records(shape, samples))
        host.parameters()
    found = host.run()
    begun = np.concatenate([start[: shape.head.start], other[shape.head]])
    for _ in range(2):
        assert found.words(4) == [DONE] * 4
        expected = trainer.train(shape, begun, samples, 0.1).parameters
        assert found.parameters().tobytes() == expected.tobytes()


def test_what_the_trainer_refuses() -> None:
    shape = SHAPES[1]
    start, samples = shape.initial(3), RandomTask(shape).draw(2, 1)
    wrong = Samples(samples.inputs, np.array([1, 4], np.int32))
    host = HostTrainer(shape)
    host.take(0, records(shape, samples))  # no round
    host.encode(1, 1)
    host.begin(start, 0.1, crc=1)  # another start
    host.start(start)
    host.begin(start, 0.1)
    host.encode(3, 1)  # layers that are not there
    host.encode(1, 0)
    host.take(0, records(shape, wrong))
    host.take(0, records(shape, samples))  # the round is over
    host.start(start[:2], 4 * shape.parameters - 4)  # behind the end
    host.start(start[:1], 0xFFFFFFFC)
    found = host.run()
    assert found.word() == NO_ROUND
    assert found.encoded() == (NO_ROUND, b"")
    assert found.words(3) == [OTHER_START, DONE, DONE]
    assert found.encoded() == found.encoded() == (OUT_OF_RANGE, b"")
    assert found.words(4) == [OUT_OF_RANGE, NO_ROUND, OUT_OF_RANGE, OUT_OF_RANGE]
    with pytest.raises(ClientError, match="label"):
        trainer.train(shape, start, wrong, 0.1)


def test_divergence_ends_the_round() -> None:
    samples = RandomTask(SINE, spread=1e18).draw(4, 1)
    start, host = SINE.initial(3), HostTrainer(SINE)
    host.start(start)
    host.begin(start, 1e20)
    host.take(0, records(SINE, samples))
    host.info()
    found = host.run()
    assert found.words(3) == [DONE, DONE, NOT_FINITE]
    assert found.info()[0] == IDLE
    with pytest.raises(ClientError, match="diverged"):
        trainer.train(SINE, start, samples, 1e20)


def test_infinite_parameters_are_not_encoded() -> None:
    """The loss of the last sample was still a number; the step after it was not."""
    samples = RandomTask(SINE).draw(1, 1)
    start, host = SINE.initial(3), HostTrainer(SINE)
    host.start(start)
    host.begin(start, 3e38)
    host.take(0, records(SINE, Samples(samples.inputs * 1e3, samples.targets * 1e3)))
    host.encode(3, 10)
    found = host.run()
    assert found.words(3) == [DONE] * 3
    assert found.encoded() == (NOT_FINITE, b"")


def test_exact_client_answers_as_a_device() -> None:
    """What the server gets is decoded from the bytes, and a kept head goes on after a restart."""
    shape = SHAPES[1]
    client = trainer.ExactClient("one", shape, RandomTask(shape))
    again = trainer.ExactClient("two", shape, RandomTask(shape))
    config = TrainConfig(rate=0.1, samples=4, head_samples=2, head="kept", top=0.5, seed=3)
    first = client.train(shape.initial(1), config)
    again.restore(client.state())
    assert not first.delta[shape.head].any()
    assert 0 < np.count_nonzero(first.delta) <= kept_entries(0.5, shape.segments()[:-1])
    assert first.samples == 6
    second, other = (each.train(shape.initial(1), config) for each in (client, again))
    assert second.delta.tobytes() == other.delta.tobytes() != first.delta.tobytes()
    with pytest.raises(TinycError, match="batches"):
        client.train(shape.initial(1), TrainConfig(rate=0.1, samples=4, batch_steps=2))
