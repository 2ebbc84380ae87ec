"""What a learner does with labels that are right, wrong or meant to harm: the C, on thousands of samples."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from support import label_streams, learners
from support.label_streams import STREAMS, accuracy
from support.learner_play import Play
from support.learners import Case
from tinyc.device.learned import Outcome
from tinyc.toolchain.host_compiler import find_compiler

pytestmark = pytest.mark.host

FACTORY, ALL = range(5), 7
LABELS = 1500


@lru_cache(maxsize=4)
def learner(kind: str) -> tuple[Case, Path]:
    """Seven classes that overlap, five of them from the factory."""
    case = learners.case(kind, latent=16, factory=5, capacity=ALL, distance=9.0, seed=3)
    return case, learners.compiled(find_compiler(), case, "learner_main.c")


# For each stream: what accuracy on fresh factory data may fall by at any time, and what an unguarded head is
# left with at most.
@pytest.mark.parametrize("kind", ["slda", "sgd", "ncm"])
@pytest.mark.parametrize(
    ("stream", "loss", "unguarded"),
    [
        ("right", 0.08, 1.0),
        ("one in five wrong", 0.1, 1.0),
        ("nothing right", 0.12, 1.0),
        ("permuted", 0.14, 0.2),
    ],
)
def test_what_the_factory_taught_is_kept(kind: str, stream: str, loss: float, unguarded: float) -> None:
    case, program = learner(kind)
    rng = np.random.default_rng(8)
    true = rng.integers(0, ALL, LABELS)
    latents, labels = case.world.draw(true, 9), STREAMS[stream](true, rng, ALL)
    passed = label_streams.play(program, case, latents, labels)
    last, before = passed.stats[-1], accuracy(case, case.design.head().to_bytes(), FACTORY)
    least = min(accuracy(case, head, FACTORY) for head in set(passed.heads))
    new = accuracy(case, passed.heads[-1], range(5, ALL))
    free = label_streams.unguarded(case, latents, labels)
    bare = accuracy(case, free, FACTORY)
    print(
        f"{kind}, {stream}: factory {before:.3f}, least {least:.3f}, without a guard {bare:.3f}; "
        f"new {new:.3f}; {last.promotions} promotions, {last.resets} resets"
    )
    assert last.labels == LABELS and last.guard_factory == len(case.safety.guard.latents)
    assert min(stats.guard_active for stats in passed.stats) >= last.guard_factory - case.safety.guard.slack
    assert least >= before - loss
    assert bare <= unguarded
    if stream == "right":
        assert new > 0.7 and last.promotions >= 1
    if stream == "permuted":
        assert last.resets >= 3


def test_a_head_that_is_worse_in_the_field_is_taken_back() -> None:
    """A head without the new classes is loaded, which the guard has no reason to forbid; labels of the field
    bring the head of before back, from flash and byte for byte. The twin does the same."""
    case, _ = learner("slda")
    # No promotion of its own: what is shown is the way back.
    case = replace(case, safety=replace(case.safety, min_updates=40))
    program = learners.compiled(find_compiler(), case, "learner_main.c")
    play, size, rng = Play(case), case.design.state_bytes, np.random.default_rng(4)
    factory = play.export()

    def teach(count: int, seed: int) -> list[Outcome]:
        for index in range(case.safety.new_classes(case.design)):
            play.name_class(f"new{index}".encode())
        labels = rng.integers(0, ALL, count)
        results = []
        for latent, label in zip(case.world.draw(labels, seed), labels, strict=True):
            play.observe(latent)
            results.append(play.label(label))
        return results

    assert Outcome.PROMOTED in teach(500, 5)
    learned = play.export()[:size]
    assert accuracy(case, learned, range(5, ALL)) > 0.7
    play.restart()
    assert play.import_state(factory, part=200) is Outcome.PROMOTED
    assert play.export()[:size] == case.design.head().to_bytes()
    results = teach(60, 6)
    print(f"{results.index(Outcome.REVERTED) + 1} labels until the learned head is back")
    assert play.export()[:size] == learned
    play.restart()
    assert play.export()[:size] == learned
    play.stats()
    play.flash()
    play.compare(learners.run(program, stdin=play.given))


def test_a_state_that_is_none_is_not_loaded() -> None:
    """Wrong CRC, another body, numbers that are not finite: all is as before, and so it stays in flash."""
    case, program = learner("slda")
    play, good = Play(case), Play(case).export()
    broken = bytearray(good)
    broken[case.design.state_bytes - 4 : case.design.state_bytes] = np.float32(np.nan).tobytes()
    assert play.import_state(good, part=100, wrong="crc") is Outcome.DAMAGED
    assert play.import_state(good, part=100, wrong="body") is Outcome.WRONG_BODY
    assert play.import_state(good, part=100, wrong="order") is Outcome.NOT_STAGED
    assert play.import_state(bytes(broken), part=100) is Outcome.DAMAGED
    assert play.twin.stats().saves == 0
    assert play.import_state(good, part=100) is Outcome.PROMOTED
    play.stats()
    play.flash()
    play.compare(learners.run(program, stdin=play.given))
