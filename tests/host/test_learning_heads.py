"""The C of every head gives the bits of its twin, under sanitizers, whatever the samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.learning_heads import HostHead, fitted, random_latent, zig_compiler
from tinyc.errors import TinycError
from tinyc.learning.fit import HeadOptions
from tinyc.learning.heads.design import Floats, HeadDesign, Int8s
from tinyc.toolchain.host_compiler import compiler_called

pytestmark = pytest.mark.host

# Name -> (kind, elements of a latent, capacity, options).
CASES: dict[str, tuple[str, int, int, HeadOptions]] = {
    "slda": ("slda", 64, 12, HeadOptions()),
    "slda_odd_and_forgetting": (
        "slda",
        7,
        5,
        HeadOptions(shrinkage=0.3, prior=1.5, curve=True, forget=4, factory_weight=3),
    ),
    "slda_of_one_element": ("slda", 1, 4, HeadOptions()),
    "slda_without_a_curve": ("slda", 64, 12, HeadOptions(curve=False, shrinkage=1e-3)),
    "sgd_of_one_element": ("sgd", 1, 3, HeadOptions(replay=1)),
    "ncm_of_three_elements": ("ncm", 3, 3, HeadOptions()),
    "sgd": ("sgd", 64, 12, HeadOptions()),
    "sgd_at_full_rate": ("sgd", 5, 7, HeadOptions(learning_rate=1.0, imprint=1, only_mistakes=False)),
    "sgd_with_both_replays": (
        "sgd",
        9,
        6,
        HeadOptions(replay=3, factory_replay=4, replays=5, forget=20, factory_weight=20),
    ),
    "sgd_with_a_reservoir": ("sgd", 8, 5, HeadOptions(replay=2, imprint=3, curve=False)),
    "sgd_normalised": (
        "sgd",
        10,
        6,
        HeadOptions(normalise=True, normalise_samples=30, factory_replay=2, curve=True),
    ),
    "ncm_cosine": ("ncm", 64, 12, HeadOptions()),
    "ncm_euclidean": ("ncm", 6, 5, HeadOptions(metric="euclidean", forget=5, factory_weight=5)),
    "autoencoder": ("autoencoder", 4, 40, HeadOptions()),
    "regression_normalised": ("regression", 13, 3, HeadOptions(normalise=True, normalise_samples=20)),
}


@cache
def design_of(name: str) -> HeadDesign:
    return fitted(*CASES[name])


@dataclass(frozen=True, slots=True)
class Pair:
    """The C and the twin of one design, which see the same samples."""

    design: HeadDesign
    compiled: HostHead
    twin: Any

    def agree_on(self, latent: Int8s) -> None:
        scores, best, surprise = self.compiled.scores(latent)
        assert scores.tobytes() == self.twin.scores(latent).tobytes()
        assert best == self.twin.predict(latent)
        assert surprise.tobytes() == self.twin.surprise(latent).tobytes()

    def learn(self, latent: Int8s, target: int | Floats) -> None:
        self.compiled.update(latent, target)
        self.twin.update(latent, target)

    def load(self, state: bytes) -> None:
        self.compiled.load(state)
        self.twin.load(state)

    def target(self, rng: np.random.Generator) -> int | Floats:
        """A label, now and then one too many, or values of very different size."""
        capacity = self.design.capacity
        if self.design.is_regression:
            return (rng.normal(0, 1, capacity) * 10.0 ** rng.integers(-3, 4)).astype(np.float32)
        return int(rng.integers(capacity + 1))


@pytest.fixture(scope="module", params=list(CASES))
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    design = design_of(request.param)
    with HostHead(design) as compiled:
        yield Pair(design, compiled, design.head())


def test_a_new_head_is_the_factory_s(pair: Pair) -> None:
    design = pair.design
    assert pair.compiled.to_bytes() == design.head().to_bytes() == design.pack(design.factory)
    assert len(pair.compiled.to_bytes()) == design.state_bytes
    assert pair.compiled.is_valid()
    pair.agree_on(random_latent(np.random.default_rng(0), design.latent))


def test_streams_of_samples(pair: Pair) -> None:
    rng = np.random.default_rng(1)
    for _ in range(150):
        latent = random_latent(rng, pair.design.latent)
        target = pair.target(rng)
        pair.learn(latent, target)
        if pair.design.is_regression:
            scores = pair.twin.scores(latent)
            expected = pair.twin.error(scores, target)
            assert pair.compiled.error(scores, target).tobytes() == expected.tobytes()
        if pair.design.options["normalise"]:
            pair.compiled.normalise(latent)
            pair.twin.normalise(latent)
        pair.agree_on(latent)
        pair.agree_on(random_latent(rng, pair.design.latent))
    assert pair.compiled.to_bytes() == pair.twin.to_bytes()
    assert pair.compiled.is_valid()


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(data=st.data())
def test_any_samples(pair: Pair, data: st.DataObject) -> None:
    """From the factory state; what a reservoir holds stays, in the C as in the twin."""
    dimension = pair.design.latent
    pair.load(pair.design.pack(pair.design.factory))
    for _ in range(data.draw(st.integers(1, 12))):
        raw = data.draw(st.binary(min_size=dimension, max_size=dimension))
        latent = np.frombuffer(raw, np.int8)
        pair.learn(latent, pair.target(np.random.default_rng(data.draw(st.integers(0, 99)))))
        pair.agree_on(latent)
    assert pair.compiled.to_bytes() == pair.twin.to_bytes()


def test_one_class_over_and_over(pair: Pair) -> None:
    """Counts stop, numbers stay finite, and the sample's class is what the head answers."""
    rng = np.random.default_rng(2)
    pair.load(pair.design.pack(pair.design.factory))
    latent = random_latent(rng, pair.design.latent)
    target = (
        np.ones(pair.design.capacity, np.float32) if pair.design.is_regression else pair.design.capacity - 1
    )
    for _ in range(60):
        pair.learn(latent, target)
    pair.agree_on(latent)
    assert pair.compiled.to_bytes() == pair.twin.to_bytes()
    assert pair.compiled.is_valid()
    if pair.design.is_regression:
        before = pair.design.head()
        error = pair.twin.error(pair.twin.scores(latent), target)
        assert error < before.error(before.scores(latent), target)
    elif pair.design.latent > 1:
        assert pair.twin.predict(latent) == target


def test_states_that_are_none(pair: Pair) -> None:
    """Numbers that are not finite and counts out of range are refused, in the C and in Python."""
    state = pair.design.pack(pair.design.factory)
    at = 0
    for field in pair.design.fields:
        broken = bytearray(state)
        last = at + field.bytes - 4
        broken[last : last + 4] = b"\xff\xff\xff\xff" if field.dtype == "uint32" else b"\0\0\xc0\x7f"
        pair.compiled.load(bytes(broken))
        assert not pair.compiled.is_valid(), field.name
        if field.dtype != "uint32":
            with pytest.raises(TinycError, match=f"`{field.name}` that are not finite"):
                pair.design.head(bytes(broken))
        at += field.bytes
    pair.load(state)
    assert pair.compiled.is_valid()
    with pytest.raises(TinycError, match="bytes"):
        pair.design.head(state[:-1])


@pytest.mark.parametrize("name", ["slda", "sgd_with_both_replays", "ncm_cosine", "autoencoder"])
@pytest.mark.parametrize("command", ["gcc", "clang", "zig"])
def test_every_compiler_gives_the_same_bits(command: str, name: str) -> None:
    """Optimized, for the instructions of this very machine: a fused product and sum would show."""
    compiler = zig_compiler() if command == "zig" else compiler_called(command)
    if compiler is None:
        pytest.skip(f"{command} is not installed")
    design = design_of(name)
    with HostHead(design, compiler, optimize=True) as compiled:
        pair = Pair(design, compiled, design.head())
        rng = np.random.default_rng(3)
        for _ in range(40):
            latent = random_latent(rng, design.latent)
            pair.learn(latent, pair.target(rng))
            pair.agree_on(latent)
        assert compiled.to_bytes() == pair.twin.to_bytes()


def test_many_samples_at_once(pair: Pair) -> None:
    rng = np.random.default_rng(4)
    latents = np.stack([random_latent(rng, pair.design.latent) for _ in range(20)])
    each = np.stack([pair.twin.scores(latent) for latent in latents])
    assert pair.twin.scores_many(latents).tobytes() == each.tobytes()
    assert pair.twin.predict_many(latents).tolist() == [pair.twin.predict(latent) for latent in latents]
    strange = np.array([pair.twin.surprise(latent) for latent in latents])
    assert pair.twin.surprises(latents).tobytes() == strange.tobytes()


def test_a_copy_goes_its_own_way(pair: Pair) -> None:
    rng = np.random.default_rng(5)
    twin = pair.design.head()
    other = twin.copy()
    latent = random_latent(rng, pair.design.latent)
    other.update(latent, np.ones(pair.design.capacity, np.float32) if pair.design.is_regression else 1)
    assert other.to_bytes() != twin.to_bytes() == pair.design.pack(pair.design.factory)
