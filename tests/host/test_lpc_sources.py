"""What one source may have under way: begun twice, given up for a new one, and as one that is blocked."""

from __future__ import annotations

import pytest
from test_lpc import KEYS, NODE, PEERS, check, fragments_of, play

from support import lpc
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.fragments import Mode, Verdict
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.score import NEUTRAL

pytestmark = pytest.mark.host

SOURCE, OTHER = Address.extended(0xB0), Address.extended(0xB1)
UNPROVED = pytest.mark.parametrize("mode", [Mode.LEGACY, Mode.CONTENT])


@UNPROVED
@pytest.mark.parametrize("forged_first", [False, True])
def test_a_datagram_that_begins_twice_is_delivered_all_the_same(mode: Mode, forged_first: bool) -> None:
    """An attacker guesses the tag, and is there before the sender or right behind it."""
    it = play()
    true = fragments_of(SOURCE, 7, size=440, mode=mode)
    forged = fragments_of(SOURCE, 7, b"forged", size=440, mode=mode)
    begin = [forged[0], true[0]] if forged_first else [true[0], forged[0]]
    for at, fragment in enumerate([*begin, *true[1:]]):
        verdict = it.frame(at, SOURCE, NODE, fragment)
    assert verdict == Verdict.DELIVERED
    assert [len(one.data) for one in it.receiver.delivered] == [440]
    # The other one is given up with it, and counts against nobody.
    assert it.receiver.contexts.in_use() == (0, 0)
    assert it.receiver.scores.score(SOURCE, keyed=False) > NEUTRAL
    it.held()
    check(it)


@UNPROVED
def test_a_third_beginning_takes_the_place_of_the_worst(mode: Mode) -> None:
    it = play()
    true = fragments_of(SOURCE, 7, size=440, mode=mode)
    for at, fragment in enumerate(true[:2]):
        assert it.frame(at, SOURCE, NODE, fragment) == Verdict.TAKEN
    for number in range(6):
        forged = fragments_of(SOURCE, 7, bytes([65 + number]) * 5, size=440, mode=mode)[0]
        assert it.frame(2 + number, SOURCE, NODE, forged) == Verdict.TAKEN
        assert it.frame(2 + number, SOURCE, NODE, forged) == Verdict.DUPLICATE
    assert it.receiver.contexts.in_use()[1] == 2
    verdicts = [it.frame(20, SOURCE, NODE, fragment) for fragment in true[2:]]
    assert verdicts[-1] == Verdict.DELIVERED
    it.held()
    check(it)


def test_one_key_in_a_keyed_chain_is_one_datagram() -> None:
    it, source = play(), PEERS[0].address
    true = fragments_of(source, 7, size=440, mode=Mode.KEYED)
    other = fragments_of(source, 7, b"other", size=440, mode=Mode.KEYED)
    assert it.frame(0, source, NODE, true[0]) == Verdict.TAKEN
    assert it.frame(1, source, NODE, other[0]) == Verdict.TAG_FIRST
    assert [it.frame(2, source, NODE, one) for one in true[1:]][-1] == Verdict.DELIVERED
    check(it)


@pytest.mark.parametrize(("idle", "left"), [(60, 2), (61, 1)])
def test_a_peer_with_a_key_gives_up_what_stands_still_for_a_new_datagram(idle: int, left: int) -> None:
    it, source = play(), PEERS[0].address
    assert KEYS[source]
    it.frame(0, source, NODE, fragments_of(source, 7, mode=Mode.KEYED)[0])
    assert it.frame(idle, source, NODE, fragments_of(source, 8, mode=Mode.KEYED)[0]) == Verdict.TAKEN
    assert it.receiver.contexts.in_use()[1] == left
    it.held()
    check(it)


@UNPROVED
def test_what_proves_nothing_is_not_given_up_for_a_new_datagram(mode: Mode) -> None:
    it = play()
    true = fragments_of(SOURCE, 7, size=440, mode=mode)
    it.frame(0, SOURCE, NODE, true[0])
    it.frame(200, SOURCE, NODE, fragments_of(SOURCE, 8, mode=mode)[0])
    assert [it.frame(300, SOURCE, NODE, one) for one in true[1:]][-1] == Verdict.DELIVERED
    check(it)


def blocked(mode: Mode, sizes: Sizes | None = None) -> tuple[lpc.Play, int]:
    """A receiver that has seen nine datagrams of the source begin, and when."""
    it = play(sizes or Sizes())
    for tag in range(9):
        it.frame(600 * tag, SOURCE, NODE, fragments_of(SOURCE, tag, mode=mode)[0])
    it.poll(6000, SOURCE)
    assert it.receiver.scores.blocked(SOURCE, keyed=False)
    return it, 6000


@UNPROVED
def test_a_blocked_source_that_may_be_a_victim_is_heard_with_four_datagrams(mode: Mode) -> None:
    it, now = blocked(mode)
    for number in range(20):
        assert (
            it.frame(now + number, SOURCE, NODE, fragments_of(SOURCE, 100 + number, mode=mode)[0])
            == Verdict.TAKEN
        )
        assert it.receiver.contexts.in_use()[1] <= 4
    true = fragments_of(SOURCE, 200, size=440, mode=mode)
    verdicts = [it.frame(now + 30, SOURCE, NODE, fragment) for fragment in true[:2]]
    # The one that goes on is not given up for others that begin.
    for number in range(20):
        it.frame(now + 30 + number, SOURCE, NODE, fragments_of(SOURCE, 300 + number, mode=mode)[0])
    verdicts += [it.frame(now + 60, SOURCE, NODE, fragment) for fragment in true[2:]]
    assert verdicts[-1] == Verdict.DELIVERED
    check(it)


@UNPROVED
def test_a_blocked_source_takes_no_place_of_a_proven_one_that_moves(mode: Mode) -> None:
    it, now = blocked(mode, Sizes(contexts=2))
    for fragment in fragments_of(OTHER, 50, mode=mode):
        it.frame(now, OTHER, NODE, fragment)
    for tag in range(2):
        for fragment in fragments_of(OTHER, tag, size=440, mode=mode)[:2]:
            it.frame(now, OTHER, NODE, fragment)
    assert it.frame(now + 59, SOURCE, NODE, fragments_of(SOURCE, 99, mode=mode)[0]) == Verdict.NO_SLOT
    assert it.frame(now + 60, SOURCE, NODE, fragments_of(SOURCE, 99, mode=mode)[0]) == Verdict.TAKEN
    check(it)


@UNPROVED
def test_a_blocked_source_keeps_nothing_that_stands_still(mode: Mode) -> None:
    """Nor what it had under way before."""
    it, now, before = play(), 0, 0
    while not it.receiver.scores.blocked(SOURCE, keyed=False):
        before = it.receiver.contexts.in_use()[1]
        it.frame(now, SOURCE, NODE, fragments_of(SOURCE, now, mode=mode)[0])
        now += 90
    assert before > 3
    assert it.receiver.contexts.in_use()[1] == 1
    it.held()
    check(it)


def test_a_content_chain_is_known_by_its_first_hash() -> None:
    """Who hears a first fragment that the receiver did not cannot replace it with another hash behind it."""
    it = play()
    true = fragments_of(SOURCE, 7, size=440, mode=Mode.CONTENT)
    assert it.frame(0, SOURCE, NODE, true[0][:-8] + bytes(8)) == Verdict.TAKEN
    assert it.frame(1, SOURCE, NODE, true[0]) == Verdict.TAKEN
    assert it.frame(2, SOURCE, NODE, true[0]) == Verdict.DUPLICATE
    assert it.frame(3, SOURCE, NODE, true[1]) == Verdict.TAKEN
    assert it.frame(4, SOURCE, NODE, true[0]) == Verdict.DUPLICATE
    assert [it.frame(5, SOURCE, NODE, one) for one in true[2:]][-1] == Verdict.DELIVERED
    check(it)


@UNPROVED
def test_a_blocked_source_stays_blocked_while_it_goes_on(mode: Mode) -> None:
    """Twenty milliseconds between two datagrams that only begin, for a minute; the score decays meanwhile."""
    it, now = blocked(mode)
    for number in range(3000):
        it.frame(now + 20 * number, SOURCE, NODE, fragments_of(SOURCE, 100 + number, mode=mode)[0])
        assert it.receiver.contexts.in_use()[1] <= 4
    assert it.receiver.scores.blocked(SOURCE, keyed=False)
    check(it)


def test_a_blocked_source_with_a_key_is_refused() -> None:
    it, source = play(), PEERS[0].address
    frames = 0
    for tag in range(40):
        frames += 1
        if (
            it.frame(100 * tag, source, NODE, fragments_of(source, tag, mode=Mode.KEYED)[0])
            == Verdict.BLOCKED
        ):
            break
    # Ten a second: nine failures are seen when the tenth begins.
    assert frames == 11
    check(it)
