"""What the receive path is compared with does what its descriptions say."""

from __future__ import annotations

import numpy as np
import pytest

from support.udp_datagrams import udp_datagram
from tinyc.sixlowpan.fragments import SIZE_MAX
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.iphc import Link
from tinyc.sixlowpan.iphc_compress import compress
from tinyc.sixlowpan.sender import Outgoing, fragments
from tinyc.sixlowpan.simulation.baselines.plain import Plain
from tinyc.sixlowpan.simulation.baselines.split_buffer import SLOT_BYTES, SplitBuffer
from tinyc.sixlowpan.simulation.reassembly import Frame, Reassembly

pytestmark = pytest.mark.unit

HONEST, OTHER, SINK = (Address.extended(it) for it in (0x0212740000000001, 0x0212740000000002, 0x02FF))


def sent(source: Address, tag: int, seed: int = 1, raw: bool = False) -> tuple[bytes, list[Frame]]:
    """A datagram of 448 bytes and its frames."""
    datagram = udp_datagram(np.random.default_rng(seed), source, SINK, 448)
    it = Outgoing(source, SINK, b"\x41", 0, datagram, tag)
    if not raw:
        made = compress(Link(source.value, SINK.value), datagram)
        it = Outgoing(source, SINK, made.data, made.consumed, datagram[made.consumed :], tag)
    return datagram, [Frame(source, SINK, -60, i, it) for i, it in enumerate(fragments(it, 104))]


def made(name: str) -> Reassembly:
    return Plain(2, 60_000) if name == "plain" else SplitBuffer(28, 60_000)


def feed(to: Reassembly, frames: list[Frame], at: int = 0) -> None:
    for i, frame in enumerate(frames):
        to.input(at + 6 * i, frame)


both = pytest.mark.parametrize("name", ["plain", "split"])


@both
@pytest.mark.parametrize("raw", [False, True])
def test_fragments_with_repeats_make_the_datagram(name: str, raw: bool) -> None:
    it = made(name)
    datagram, frames = sent(HONEST, 7, raw=raw)
    feed(it, [frame for frame in frames for _ in range(2)])
    (up,) = it.take()[:1]
    assert (up.datagram, up.verified, up.source, up.tag, up.size) == (datagram, True, HONEST, 7, 448)


@both
def test_a_forged_copy_in_front_is_handed_up_but_not_by_udp(name: str) -> None:
    it = made(name)
    datagram, frames = sent(HONEST, 7)
    forged = Frame(HONEST, SINK, -60, 0, frames[2].payload[:5] + bytes(len(frames[2].payload) - 5))
    feed(it, [*frames[:2], forged, *frames[2:]])
    (up,) = it.take()
    assert up.datagram != datagram
    assert not up.verified


@both
def test_an_overlap_of_another_length_discards(name: str) -> None:
    it = made(name)
    _, frames = sent(HONEST, 7)
    shorter = Frame(HONEST, SINK, -60, 0, frames[2].payload[:-8])
    feed(it, [*frames[:3], shorter, *frames[3:]])
    assert not it.take()


def test_all_buffers_taken_means_lost_until_the_timeout() -> None:
    it = made("plain")
    _, frames = sent(HONEST, 7)
    # A later fragment opens a buffer as well as a first one.
    it.input(0, sent(OTHER, 1)[1][3])
    it.input(0, sent(OTHER, 2)[1][0])
    feed(it, frames, 10)
    assert not it.take()
    assert [(held.source, held.tag) for held in it.held()] == [(OTHER, 1), (OTHER, 2)]
    assert all(held.octets >= SIZE_MAX for held in it.held())
    it.poll(60_000)
    assert not it.held()
    feed(it, frames, 60_001)
    assert len(it.take()) == 1


def test_the_split_buffer_gives_up_what_stands_still() -> None:
    it = made("split")
    datagram, frames = sent(HONEST, 7)
    for tag in range(28):
        it.input(tag, sent(OTHER, tag)[1][0])
    assert len(it.held()) == 28
    feed(it, frames[:4], 1000)
    held = {(one.source, one.tag): one.octets for one in it.held()}
    # One slot for each of its fragments; who waited longest is out.
    assert held[HONEST, 7] > 4 * SLOT_BYTES
    assert set(held) == {(HONEST, 7), *((OTHER, tag) for tag in range(4, 28))}
    it.input(1030, frames[4])
    assert [up.datagram for up in it.take()] == [datagram]
    # A later fragment alone takes nothing.
    it.input(1040, sent(HONEST, 9)[1][3])
    assert {one.source for one in it.held()} == {OTHER}


@both
def test_frames_that_are_no_fragments_take_nothing(name: str) -> None:
    it = made(name)
    first = sent(HONEST, 7)[1][0].payload
    wrong = [b"", b"\xc1", b"\xc1\xc0\0\7", b"\xe1\xc0\0\7\x0d", b"\xff" + first, first[:5], b"\x41\x60"]
    wrong += [b"\xc0\x10" + first[2:], b"\xe1\xc0\0\7\x37" + bytes(16)]
    feed(it, [Frame(HONEST, SINK, -60, 0, payload) for payload in wrong])
    assert not it.held()
    assert not it.take()


@both
def test_a_datagram_in_one_frame_is_handed_up(name: str) -> None:
    it = made(name)
    datagram = udp_datagram(np.random.default_rng(1), HONEST, SINK, 80)
    headers = compress(Link(HONEST.value, SINK.value), datagram)
    payload = headers.data + datagram[headers.consumed :]
    it.input(0, Frame(HONEST, SINK, -60, 0, payload))
    it.input(1, Frame(HONEST, SINK, -60, 0, payload[:-1] + bytes([payload[-1] ^ 1])))
    assert [(up.datagram == datagram, up.verified) for up in it.take()] == [(True, True), (False, False)]
