"""Counters of keyed chains over restarts of both ends: nothing comes twice, and the ends find each other."""

from __future__ import annotations

import pytest

from support import lpc
from tinyc.sixlowpan import sender
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.fragments import Mode, Verdict
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.receiver import EPOCHS_AHEAD, Peer, Receiver
from tinyc.toolchain.host_compiler import find_compiler

pytestmark = pytest.mark.host

KEY, STEP = bytes(range(16)), 32
NODE, SOURCE = Address.extended(2), Address.extended(1)


def check(it: lpc.Play) -> None:
    """The C has answered the same."""
    receiver = it.receiver
    program = lpc.compiled(find_compiler(), receiver.sizes, receiver.peers)
    assert lpc.run(program, bytes(it.script)) == it.expected


def play() -> lpc.Play:
    return lpc.Play(Receiver((Peer(SOURCE, Mode.KEYED, KEY),), Sizes(peers=1)))


def keyed(counter: int) -> list[bytes]:
    tag, epoch = counter % 2**16, counter >> 16
    datagram = lpc.ipv6(120, counter.to_bytes(4, "big"))
    one = lpc.outgoing(datagram, SOURCE, NODE, tag=tag, epoch=epoch, mode=Mode.KEYED, key=KEY)
    return sender.fragments(one, 104)


@pytest.mark.parametrize("start", [0, 2**16 - 300, 2**32 - 9 * 2**16])
def test_restarts_of_both_ends_lose_some_datagrams_and_repeat_none(start: int) -> None:
    """What was on the air comes again after each restart. The receiver keeps where in steps of 32 it was."""
    it, following, heard = play(), start + 1, list[bytes]()
    refused = (Verdict.REPLAY, Verdict.ORPHAN, Verdict.TAG_FIRST)
    it.restart([start])
    lost, delivered = 0, 0
    for step in range(500):
        now = 700 * step
        verdicts = [it.frame(now + i, SOURCE, NODE, one) for i, one in enumerate(keyed(following))]
        lost, delivered = (0, delivered + 1) if verdicts[-1] == Verdict.DELIVERED else (lost + 1, delivered)
        assert lost < STEP
        heard = [*heard[-20:], *keyed(following)]
        following += 1
        if step in (100, 101, 250, 251):
            it.restart([it.receiver.top(0) | STEP - 1])
            for frame in heard:
                assert it.frame(now, SOURCE, NODE, frame) in refused
        if step in (150, 251, 330, 400):  # the sender has an epoch for each of its starts
            following = (following >> 16) + 1 << 16
    assert delivered > 400
    check(it)


@pytest.mark.parametrize("ahead", [1, 2, 7, EPOCHS_AHEAD, EPOCHS_AHEAD + 1])
def test_a_peer_whose_restarts_were_not_heard_gets_through(ahead: int) -> None:
    """Its epoch is the number of its restarts; the tag is any."""
    it = play()
    it.restart([3 << 16 | 7])
    for tries in range(2 * EPOCHS_AHEAD):
        fragments = keyed((3 + ahead << 16) + 40 + tries)
        for i, one in enumerate(fragments):
            it.frame(1000 * tries + i, SOURCE, NODE, one)
        if it.receiver.delivered:
            break
    assert (tries < EPOCHS_AHEAD) == (ahead <= EPOCHS_AHEAD)
    assert len(it.receiver.delivered) == (ahead <= EPOCHS_AHEAD)
    check(it)


def test_at_the_end_of_all_counters_nothing_begins_anew() -> None:
    it = play()
    it.restart([2**32 - 3])
    for counter in (2**32 - 2, 2**32 - 1):
        assert [it.frame(0, SOURCE, NODE, one) for one in keyed(counter)][-1] == Verdict.DELIVERED
    for counter in (0, 1, 5, 2**32 - 1):
        assert it.frame(2000, SOURCE, NODE, keyed(counter)[0]) in (Verdict.REPLAY, Verdict.TAG_FIRST)
    check(it)
