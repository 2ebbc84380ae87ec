"""lwIP puts our legacy fragments together, and ours those of lwIP: traffic that nobody disturbs."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import pytest

from support import lpc
from support.udp_datagrams import udp_datagram
from tinyc.sixlowpan import frames
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.frames import Address, MacVerdict
from tinyc.sixlowpan.iphc import Link
from tinyc.sixlowpan.iphc_compress import compress
from tinyc.sixlowpan.receiver import Receiver
from tinyc.sixlowpan.sender import Outgoing
from tinyc.sixlowpan.simulation.baselines import lwip
from tinyc.sixlowpan.simulation.baselines.lwip import Lwip
from tinyc.sixlowpan.simulation.reassembly import Frame
from tinyc.toolchain.host_compiler import find_compiler

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(not lwip.available(), reason="lwIP is not installed (Debian's liblwip-dev)"),
]

# lwIP 2.1.3 takes frames from extended addresses only, and this package's build sends from short ones only.
EXTENDED = tuple(Address.extended(0x0212740000000010 + i) for i in range(3))
SHORT = tuple(Address.short(0x1000 + i) for i in range(3))
# lwIP does not take a first fragment that holds all, so none is that short.
SIZES = (*range(160, 180), 200, 296, 440, 447, 448, 449, 800, 1279, 1280)


@pytest.fixture
def peer() -> Iterator[Lwip]:
    with Lwip() as it:
        yield it


def outgoing(rng: np.random.Generator, size: int, number: int) -> tuple[Outgoing, bytes]:
    """A datagram from a node to another; every fourth one with its headers as they are."""
    source = EXTENDED[number % 3]
    destination = (*SHORT, EXTENDED[(number + 1) % 3])[int(rng.integers(4))]
    datagram = udp_datagram(rng, source, destination, size)
    if number % 4 == 3:
        return Outgoing(source, destination, lpc.IPV6, 0, datagram, number), datagram
    made = compress(Link(source.value, destination.value), datagram)
    rest = datagram[made.consumed :]
    return Outgoing(source, destination, made.data, made.consumed, rest, number), datagram


def sent_by_c(it: Outgoing, room: int) -> list[bytes]:
    """What the C makes of it."""
    answer = lpc.run(lpc.compiled(find_compiler(), Sizes(), ()), lpc.send_script(it, room))
    made, at = [], 0
    while (length := struct.unpack_from("<I", answer, at)[0]) > 0:
        made.append(answer[at + 4 : at + 4 + length])
        at += 4 + length
    return made


def test_lwip_puts_our_fragments_together(peer: Lwip) -> None:
    rng, fragments = np.random.default_rng(1), 0
    for number, size in enumerate((*SIZES, *(int(it) for it in rng.integers(160, 1281, 20)))):
        it, datagram = outgoing(rng, size, number)
        made = sent_by_c(it, int(rng.integers(60, 105)))
        assert made
        for sequence, payload in enumerate(made):
            assert not peer.take()
            peer.input(number * 50, Frame(it.source, it.destination, -60, sequence, payload))
        (received,) = peer.take()
        assert (received.datagram, received.verified) == (datagram, True), (number, size)
        assert (received.source, received.size, received.tag) == (it.source, size, number)
        assert not peer.held()
        fragments += len(made)
    assert fragments > 200


def test_lwip_puts_fragments_of_several_senders_together(peer: Lwip) -> None:
    rng = np.random.default_rng(2)
    sent = []
    for number, source in enumerate(EXTENDED):
        datagram = udp_datagram(rng, source, SHORT[1], 448)
        made = compress(Link(source.value, SHORT[1].value), datagram)
        it = Outgoing(source, SHORT[1], made.data, made.consumed, datagram[made.consumed :], number)
        sent.append((it, datagram, sent_by_c(it, 100)))
    for i in range(len(sent[0][2])):
        for it, _, made_frames in sent:
            peer.input(i, Frame(it.source, it.destination, -60, i, made_frames[i]))
    assert [(it.source, it.datagram) for it in peer.take()] == [(it.source, it_is) for it, it_is, _ in sent]


def test_we_put_its_fragments_together(peer: Lwip) -> None:
    rng, play, expected = np.random.default_rng(3), lpc.Play(Receiver(())), []
    for number, size in enumerate((*SIZES, *(int(it) for it in rng.integers(160, 1281, 20)))):
        source, destination = (SHORT[int(i)] for i in rng.permutation(3)[:2])
        datagram = udp_datagram(rng, source, destination, size)
        made = peer.send(source, datagram)
        assert made
        for sequence, frame in enumerate(made):
            assert frame[-2:] == frames.check_sum(frame[:-2])
            verdict, mac = frames.parse(frame[:-2])
            assert verdict is MacVerdict.OK
            assert (mac.source, mac.destination) == (source, destination)
            payload = frame[mac.payload : mac.payload + mac.payload_length]
            play.frame(number * 2000 + sequence * 5, mac.source, mac.destination, payload)
        if len(made) > 1:
            expected.append(datagram)
    assert [it.data for it in play.receiver.delivered] == expected
    assert len(expected) > 30
    answer = lpc.run(lpc.compiled(find_compiler(), Sizes(), ()), bytes(play.script))
    assert answer == play.expected


def test_what_lwip_holds_is_told_by_datagram(peer: Lwip) -> None:
    rng, source, destination = np.random.default_rng(4), EXTENDED[0], EXTENDED[1]
    tags = (7, 8)
    for tag in tags:
        datagram = udp_datagram(rng, EXTENDED[tag % 2], EXTENDED[2], 448)
        it = Outgoing(EXTENDED[tag % 2], EXTENDED[2], lpc.IPV6, 0, datagram, tag)
        peer.input(100, Frame(it.source, it.destination, -60, 1, sent_by_c(it, 100)[0]))
    held = {it.source: it for it in peer.held()}
    assert {key: it.tag for key, it in held.items()} == {source: 8, destination: 7}
    assert all(it.octets > 96 and it.size == 448 for it in held.values())
    peer.poll(1000)
    assert len(peer.held()) == 2
    peer.poll(2000)
    peer.poll(3000)
    assert not peer.held()
