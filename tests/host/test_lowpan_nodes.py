"""The simulator drives the generated C: it comes to what the Python twin comes to."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from tinyc.sixlowpan import sender
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.receiver import Peer
from tinyc.sixlowpan.simulation.compiled import CompiledNode, library
from tinyc.sixlowpan.simulation.engine import simulate
from tinyc.sixlowpan.simulation.reassembly import Frame
from tinyc.sixlowpan.simulation.settings import Settings
from tinyc.sixlowpan.simulation.traffic import ROOM, SINK, outgoing, sender_address, udp_datagram

pytestmark = pytest.mark.host
pytest.importorskip("cffi")

ATTACKS = ("victim_first_50", "duplicate_half", "tag_reuse", "tiny", "replay_datagrams", "insider")
SOURCES = (sender_address(0), sender_address(1))
KEY = bytes(range(16))


@pytest.mark.parametrize("mode", Mode)
def test_a_run_is_that_of_the_twin(mode: Mode) -> None:
    settings = Settings(mode, ATTACKS, seconds=10.0, loss=0.05, engine="c", seed=3)
    made = simulate(settings)
    assert made.attack_frames > 800
    assert made.counters["evicted"] > 20 or mode is Mode.KEYED
    assert replace(made, settings=settings) == replace(
        simulate(replace(settings, engine="twin")), settings=settings
    )


@pytest.mark.parametrize("mode", Mode)
def test_the_sending_side_is_that_of_the_twin(mode: Mode) -> None:
    random, code = Random(mode), library(Sizes())
    for size in (49, 96, 128, 448, 1280):
        datagram = udp_datagram(SOURCES[0], SINK, random.randbytes(size - 48))
        key = KEY if mode is Mode.KEYED else b""
        it = outgoing(SOURCES[0], datagram, random.randrange(1 << 16), mode, 3, key)
        assert code.fragments(it, ROOM) == sender.fragments(it, ROOM) != []


def test_nodes_keep_apart() -> None:
    """Two nodes in one library get the same datagram's fragments in turns, but only one has the key."""
    code = library(Sizes())
    nodes = [
        CompiledNode(code, (Peer(SOURCES[0], Mode.KEYED, KEY),)),
        CompiledNode(code, (Peer(SOURCES[0], Mode.KEYED, bytes(16)), Peer(SOURCES[1], Mode.KEYED, KEY))),
    ]
    sent = [udp_datagram(source, SINK, bytes([i]) * 400) for i, source in enumerate(SOURCES)]
    parts = [
        sender.fragments(outgoing(source, one, 5, Mode.KEYED, 0, KEY), ROOM)
        for source, one in zip(SOURCES, sent, strict=True)
    ]
    for i, pair in enumerate(zip(*parts, strict=True)):
        for source, payload in zip(SOURCES, pair, strict=True):
            for node in nodes:
                node.input(10 * i, Frame(source, SINK, -60, i, payload))
        if i == 1:
            assert [[it.source for it in node.held()] for node in nodes] == [[SOURCES[0]], [SOURCES[1]]]
    assert [[(it.source, it.datagram) for it in node.take()] for node in nodes] == [
        [(SOURCES[0], sent[0])],
        [(SOURCES[1], sent[1])],
    ]
    assert [node.counters()["tag_first"] for node in nodes] == [0, 1]
    assert [node.held() for node in nodes] == [[], []]
