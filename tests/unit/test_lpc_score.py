"""The score of 6LoWPAN neighbours, and replay of counters, on the twin."""

from __future__ import annotations

import pytest

from tinyc.sixlowpan import score
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.score import Scores

pytestmark = pytest.mark.unit

NODE = Address.extended(1)


def scores_at(start: int, keyed: bool = False) -> Scores:
    scores = Scores(8)
    scores.soft(0, NODE, keyed, went_on=False)
    entry = scores.find(NODE, keyed)
    assert entry is not None
    entry.score, entry.streak = start, 0
    return scores


@pytest.mark.parametrize(("start", "failures"), [(96, 9), (128, 10), (192, 12), (255, 13)])
def test_soft_failures_until_the_block(start: int, failures: int) -> None:
    scores = scores_at(start)
    for count in range(1, failures + 1):
        scores.soft(count, NODE, keyed=False, went_on=False)
        assert scores.blocked(NODE, keyed=False) == (count == failures)


def test_a_block_is_lifted_with_time() -> None:
    scores = scores_at(1, keyed=True)
    scores.hard(0, NODE, keyed=True)
    assert scores.score(NODE, keyed=True) == 0
    scores.decay(191_999)
    assert scores.blocked(NODE, keyed=True)
    scores.decay(192_000)
    assert not scores.blocked(NODE, keyed=True)
    assert scores.score(NODE, keyed=True) == score.LIFT_AT


def test_successes_raise_it() -> None:
    scores, seen = Scores(8), []
    for count in range(9):
        scores.success(count, NODE, keyed=True)
        seen.append(scores.score(NODE, keyed=True))
    assert seen[-2] < 160 <= seen[-1]


def test_what_anybody_can_forge_blocks_no_proven_neighbour() -> None:
    scores = Scores(8)
    scores.success(0, NODE, keyed=False)
    scores.success(0, NODE, keyed=True)
    before = scores.score(NODE, keyed=True)
    for count in range(200):
        scores.hard(count, NODE, keyed=False)
        scores.soft(count, NODE, keyed=False, went_on=False)
    assert scores.score(NODE, keyed=False) == score.FLOOR
    assert scores.score(NODE, keyed=True) == before
    for count in range(4):
        scores.hard(count, NODE, keyed=True)
    assert scores.blocked(NODE, keyed=True)


def test_a_flood_of_addresses_replaces_no_proven_neighbour() -> None:
    scores = Scores(2)
    scores.success(0, NODE, keyed=False)
    for count in range(100):
        scores.soft(count, Address.extended(100 + count), keyed=False, went_on=False)
    assert scores.proven(NODE, keyed=False)
    assert scores.score(Address.extended(50), keyed=False) == score.NEUTRAL
