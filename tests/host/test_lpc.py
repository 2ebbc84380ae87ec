"""The 6LoWPAN receive path in C against its twin, and both against what must never happen."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from support import lpc, lpc_corpus
from tinyc.sixlowpan import chain, sender
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.features import Meta
from tinyc.sixlowpan.first import Measured, measure
from tinyc.sixlowpan.fragments import CHAINED, Mode, Verdict, header
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.iphc import Link
from tinyc.sixlowpan.receiver import Peer, Receiver
from tinyc.sixlowpan.score import FLOOR
from tinyc.sixlowpan.sender import Outgoing
from tinyc.toolchain.host_compiler import find_compiler

pytestmark = pytest.mark.host

KEY = bytes(range(16))
NODE = Address.extended(0x0212740000000002)
PEERS = (
    Peer(Address.extended(0xA0), Mode.KEYED, KEY),
    Peer(Address.extended(0xA1), Mode.LEGACY, KEY[::-1]),
    Peer(Address.extended(0xA2), Mode.CONTENT),
    Peer(Address.short(0x00A3), Mode.KEYED, bytes(16)),
)
SIZES = (Sizes(), Sizes(slots=5, contexts=3, neighbours=2, done=2, peers=4))
KEYS = {peer.address: peer.key for peer in PEERS}


def play(sizes: Sizes = SIZES[0], peers: tuple[Peer, ...] = PEERS) -> lpc.Play:
    return lpc.Play(Receiver(peers, sizes))


def check(it: lpc.Play) -> None:
    """The C answers the same, and keeps nothing when time has passed."""
    receiver = it.receiver
    program = lpc.compiled(find_compiler(), receiver.sizes, receiver.peers, receiver.rank is not None)
    answer = lpc.run(program, bytes(it.script))
    at = next((i for i, (a, b) in enumerate(zip(answer, it.expected, strict=False)) if a != b), -1)
    assert answer == it.expected, f"they differ at {at} of {len(answer)} and {len(it.expected)} bytes"


def test_hashes_are_those_of_the_published_texts() -> None:
    """SipHash: its paper's appendix A. BLAKE2s: hashlib. Of all short texts, at all places, in parts."""
    assert chain.siphash(KEY, bytes(range(15))) == 0xA129CA6149BE45E5
    program, script, expected = lpc.compiled(find_compiler(), SIZES[0], PEERS), b"", b""
    for length in range(301):
        text = bytes((7 * i + length) & 0xFF for i in range(length))
        keyed = chain.siphash(KEY, text).to_bytes(8, "little")
        for place in range(8):
            start, behind = (
                min(length, (5 * place + length) % 24),
                min(length, (0, 8, 1, 8, 0, 7, 8, 2)[place]),
            )
            script += b"h" + KEY + lpc.words(length, place, start, behind) + text
            expected += keyed + hashlib.blake2s(text, digest_size=8, person=KEY[place : place + 1]).digest()
    assert lpc.run(program, script) == expected


def test_sending_makes_what_the_twin_makes_and_what_the_receiver_takes() -> None:
    rng = np.random.default_rng(3)
    program, script, expected, sent = lpc.compiled(find_compiler(), SIZES[0], PEERS), b"", b"", 0
    for number in range(300):
        mode, size = Mode(number % 3), int(rng.integers(38, 1290))
        source = PEERS[0].address if mode is Mode.KEYED else Address.extended(0xB0)
        datagram = lpc.ipv6(max(size, 40), rng.bytes(97))[:size]
        one = lpc.outgoing(
            datagram, source, NODE, tag=number, mode=mode, key=KEY if mode is Mode.KEYED else b""
        )
        room = int(rng.integers(20, 120)) if number % 2 else 104
        script += lpc.send_script(one, room)
        expected += lpc.sent_bytes(one, room)
        fragments = sender.fragments(one, room)
        assert all(len(it) <= room for it in fragments)
        if fragments and size >= (48 if mode is Mode.LEGACY else 40) and len(fragments[0]) > 55:
            it = play()
            for i, fragment in enumerate(fragments):
                verdict = it.frame(i, source, NODE, fragment)
                assert verdict == (Verdict.DELIVERED if i == len(fragments) - 1 else Verdict.TAKEN)
            assert [done.data for done in it.receiver.delivered] == [datagram]
            assert it.receiver.contexts.in_use() == (0, 0)
            sent += 1
    assert sent > 150
    assert lpc.run(program, script) == expected


@pytest.mark.parametrize("mode", Mode)
def test_sending_around_the_size_of_one_fragment(mode: Mode) -> None:
    """A lone fragment has a longer trailer than a first one: what fits only the shorter is cut."""
    program, script, expected = lpc.compiled(find_compiler(), SIZES[0], PEERS), b"", b""
    source, key = (PEERS[0].address, KEY) if mode is Mode.KEYED else (Address.extended(0xB0), b"")
    it, tag = play(), 0
    for room in range(74, 90):
        for rest in range(room - 22, room + 2):
            tag += 1
            datagram = lpc.ipv6(rest, b"some bytes")
            one = Outgoing(source, NODE, lpc.IPV6, 0, datagram, tag, mode, 0, key)
            script += lpc.send_script(one, room)
            expected += lpc.sent_bytes(one, room)
            for fragment in sender.fragments(one, room):
                verdict = it.frame(tag, source, NODE, fragment)
            assert verdict == Verdict.DELIVERED
            assert it.receiver.delivered[-1].data == datagram
    assert lpc.run(program, script) == expected


@pytest.mark.parametrize("mode", Mode)
def test_corpus_of_attacks(shared: Path, mode: Mode) -> None:
    """Each case with a fresh receiver delivers what it may and nothing else; the C does the same."""
    cases = lpc.corpus(shared / "data" / "sixlowpan" / "attack_corpus.json")
    assert len(cases) == 49
    senders = {source for case in cases for source, _ in lpc_corpus.honest(case)}
    keyed = mode is Mode.KEYED
    peers = (
        tuple(Peer(it, mode, lpc_corpus.KEY) for it in sorted(senders, key=Address.packed)) if keyed else ()
    )
    sizes = Sizes(mode_min=mode, peers=max(1, len(peers)))
    program = lpc.compiled(find_compiler(), sizes, peers)
    for case in cases:
        it = lpc.Play(Receiver(peers, sizes))
        for frame in case.frames if mode is Mode.LEGACY else lpc_corpus.chained(case, mode):
            it.frame(frame.at, frame.source, frame.destination, frame.payload)
        done = [one.data for one in it.receiver.delivered]
        right = sum(one in case.datagrams for one in done)
        wanted = lpc_corpus.DELIVERED.get(case.name, (len(case.datagrams),) * 3)[mode]
        assert (right, len(done) - right) == (wanted, 0), (case.name, counts(it))
        it.poll(100_000, NODE)
        assert it.receiver.contexts.in_use() == (0, 0)
        assert lpc.run(program, bytes(it.script)) == bytes(it.expected), case.name


def counts(it: lpc.Play) -> dict[str, int]:
    return {Verdict(i).name: n for i, n in enumerate(it.receiver.counters) if n}


@pytest.mark.parametrize("sizes", SIZES, ids=["default", "small"])
def test_c_and_twin_agree_on_the_corpus_in_one_life(shared: Path, sizes: Sizes) -> None:
    it = play(sizes)
    for start, case in enumerate(lpc.corpus(shared / "data" / "sixlowpan" / "attack_corpus.json")):
        for frame in case.frames:
            it.frame(start * 70_000 + frame.at, frame.source, frame.destination, frame.payload)
        it.poll(start * 70_000 + 69_000, NODE)
        assert it.receiver.contexts.in_use() == (0, 0)
    check(it)


def test_first_fragments_with_compressed_headers() -> None:
    """Of all forms: what becomes of them tells that both read the same lengths."""
    rng, it, seen = np.random.default_rng(9), play(Sizes(contexts=2)), set()
    for number in range(4000):
        content = bytearray(rng.bytes(int(rng.integers(1, 100))))
        content[0] = 0x60 | content[0] & 0x1F | int(rng.choice([0, 4]))
        next_header = rng.choice([0xE0, 0xE1, 0xE2, 0xE6, 0xE7, 0xE8, 0xEE, 0xF0, 0xF1, 0xF3, 0xF4], 12)
        for place in range(2, min(len(content), 14)):  # forms of next headers, and lengths that fit them
            content[place] = int(rng.choice([next_header[place - 2], 6, 14, content[place]]))
        size = int(rng.integers(40, 200))
        measured = measure(bytes(content), size, Link(bytes(8), bytes(8)))
        covered = measured.covers(len(content)) if isinstance(measured, Measured) else 0
        size = covered if covered >= 40 and number % 2 else size
        seen.add(it.frame(number, PEERS[2].address, NODE, b"\xff" + header(size, number) + content))
        seen.add(it.frame(number, Address.extended(0xB0), NODE, header(size, number) + content))
    assert seen >= {Verdict.DELIVERED, Verdict.BAD_IPHC, Verdict.OVERRUN, Verdict.MISALIGNED, Verdict.TAKEN}
    check(it)


def fragments_of(
    source: Address, tag: int, fill: bytes = b"fill", size: int = 200, mode: Mode = Mode.LEGACY
) -> list[bytes]:
    key = KEYS.get(source) or b"" if mode is Mode.KEYED else b""
    one = lpc.outgoing(lpc.ipv6(size, fill), source, NODE, tag=tag, mode=mode, key=key)
    return sender.fragments(one, 104)


def test_evidence_that_anybody_can_forge_stops_at_the_floor() -> None:
    it, source = play(), Address.extended(0xB0)
    for fragment in fragments_of(source, 0):
        it.frame(0, source, NODE, fragment)
    for tag in range(1, 40):
        _, middle, _ = fragments_of(source, tag, size=250)
        _, other, _ = fragments_of(source, tag, b"other", size=250)
        assert it.frame(tag, source, NODE, fragments_of(source, tag, size=250)[0]) == Verdict.TAKEN
        assert it.frame(tag, source, NODE, middle) == Verdict.TAKEN
        assert it.frame(tag, source, NODE, other) == Verdict.CONFLICT
    assert it.receiver.scores.score(source, keyed=False) == FLOOR
    check(it)


def test_no_counter_is_taken_twice_and_none_far_below_the_highest() -> None:
    """Lone keyed fragments with counters around the highest one, which jumps; by a model that keeps all."""
    rng, it, source, top = np.random.default_rng(8), play(), PEERS[0].address, 0
    used, told = {0}, []
    for number in range(900):
        step = (
            int(rng.choice([1, 2, 31, 32, 33, 40, 63, 64, 65]))
            if rng.random() < 0.2
            else -int(rng.integers(36))
        )
        counter = max(1, top + step)
        one = lpc.outgoing(
            lpc.ipv6(60, bytes([number % 251])),
            source,
            NODE,
            tag=counter % 2**16,
            epoch=counter >> 16,
            mode=Mode.KEYED,
            key=KEY,
        )
        (fragment,) = sender.fragments(one, 104)
        verdict = it.frame(1500 * number, source, NODE, fragment)
        fresh = counter > top or (top - counter < 32 and counter not in used)
        assert verdict == (Verdict.DELIVERED if fresh else Verdict.REPLAY)
        told.append(verdict)
        used.add(counter)
        top = max(top, counter)
    assert min(told.count(Verdict.DELIVERED), told.count(Verdict.REPLAY)) > 200
    check(it)


def test_a_datagram_in_one_frame_needs_a_source_that_may_send_without_a_chain() -> None:
    it, frame = play(), lpc.IPV6 + lpc.ipv6(60, b"one")
    sources = (*(peer.address for peer in PEERS), Address.extended(0xB0))
    refused, taken = Verdict.DOWNGRADE, Verdict.DELIVERED
    told = [it.whole(0, source, NODE, frame) for source in sources]
    assert told == [refused, taken, refused, refused, taken]
    check(it)


def test_datagrams_to_two_addresses_of_the_node_are_two() -> None:
    it, source, short = play(), Address.extended(0xB0), Address.short(2)
    one = fragments_of(source, 5)
    two = sender.fragments(lpc.outgoing(lpc.ipv6(200, b"two"), source, short, tag=5), 104)
    for mine, other in zip(one, two, strict=True):
        it.frame(0, source, NODE, mine)
        it.frame(0, source, short, other)
    assert [done.data for done in it.receiver.delivered] == [lpc.ipv6(200, b"fill"), lpc.ipv6(200, b"two")]
    check(it)


def test_of_two_that_stand_still_the_one_that_got_further_is_kept() -> None:
    """From 384 ms on it is no matter for how long."""
    it = play(Sizes(contexts=2))
    ahead, behind, new = (Address.extended(0xB0 + i) for i in range(3))
    longer = sender.fragments(lpc.outgoing(lpc.ipv6(250, b"long"), behind, NODE, tag=1), 104)
    it.frame(0, ahead, NODE, fragments_of(ahead, 1)[0])
    it.frame(90, behind, NODE, longer[0])
    assert it.frame(480, new, NODE, fragments_of(new, 1)[0]) == Verdict.TAKEN
    assert {held.key.source for held in it.receiver.contexts.held()} == {ahead, new}
    it.held()
    check(it)


def test_a_proven_neighbour_takes_the_memory_of_one_like_it() -> None:
    it, one, other = play(Sizes(contexts=1)), Address.extended(0xB0), Address.extended(0xB1)
    for source in (one, other):
        for fragment in fragments_of(source, 0):
            it.frame(0, source, NODE, fragment)
    assert it.frame(0, one, NODE, fragments_of(one, 1)[0]) == Verdict.TAKEN
    assert it.frame(10, other, NODE, fragments_of(other, 1)[0]) == Verdict.TAKEN
    check(it)


def test_wrong_checksums_under_a_key_block_its_owner_until_time_has_passed() -> None:
    it, source, now = play(), PEERS[0].address, 0
    for counter in range(1, 8):
        wrong = bytearray(lpc.ipv6(60, b"sum"))
        wrong[46] ^= 1
        one = lpc.outgoing(bytes(wrong), source, NODE, tag=counter, mode=Mode.KEYED, key=KEY)
        verdict = it.frame(0, source, NODE, sender.fragments(one, 104)[0])
        assert verdict == (Verdict.BAD_SUM if counter < 3 else Verdict.BLOCKED)
    assert it.receiver.scores.score(source, keyed=True) == 24
    while it.frame(now, source, NODE, lone(20 + now // 4000)) == Verdict.BLOCKED:
        now += 4000
    assert now == 7 * 16_000  # 28, 32, 36, 39, 42, 45, 48
    check(it)


def test_a_success_without_a_key_replaces_no_neighbour_with_one() -> None:
    it, plain = play(SIZES[1]), Address.extended(0xB0)
    keyed = (PEERS[0], PEERS[3])
    for peer in (*keyed, *keyed):
        one = lpc.outgoing(
            lpc.ipv6(60, b"one"),
            peer.address,
            NODE,
            tag=it.receiver.top(PEERS.index(peer)) + 1,
            mode=Mode.KEYED,
            key=peer.key,
        )
        assert it.frame(0, peer.address, NODE, sender.fragments(one, 104)[0]) == Verdict.DELIVERED
        for fragment in fragments_of(plain, it.receiver.counters[Verdict.DELIVERED]):
            it.frame(0, plain, NODE, fragment)
    assert [it.receiver.scores.score(peer.address, keyed=True) for peer in keyed] == [114, 114]
    check(it)


def lone(counter: int, size: int = 60) -> bytes:
    """A keyed datagram in one fragment."""
    one = lpc.outgoing(
        lpc.ipv6(size, b"lone"),
        PEERS[0].address,
        NODE,
        tag=counter % 2**16,
        epoch=counter >> 16,
        mode=Mode.KEYED,
        key=KEY,
    )
    (fragment,) = sender.fragments(one, 104)
    return fragment


def test_keyed_first_fragments_that_are_almost_right() -> None:
    """After a restart nothing up to the kept counter is taken; the last epoch has no next one; a lone
    fragment has a longer tag than a first one, which does not hold all of a datagram."""
    it, source = play(), PEERS[0].address

    def verdict(fragment: bytes) -> int:
        return it.frame(0, source, NODE, fragment)

    def resume(top: int) -> None:
        it.receiver.resume(0, top)
        it.script += b"r" + lpc.words(0, top)

    resume(100)
    assert [verdict(lone(counter)) for counter in (90, 100, 101)] == [
        Verdict.REPLAY,
        Verdict.REPLAY,
        Verdict.DELIVERED,
    ]
    for place in range(1, 9):
        forged = bytearray(lone(110))
        forged[-place] ^= 1
        assert verdict(bytes(forged)) == Verdict.TAG_FIRST
    body = header(60, 111) + lpc.IPV6 + lpc.ipv6(60, b"all")
    tag = chain.first(KEY, source, NODE, 111, chain.Link.FIRST, body)
    assert verdict(bytes([CHAINED]) + body + tag[:4]) == Verdict.OVERRUN
    resume(2**32 - 20)
    assert verdict(lone(2**32 - 10)) == Verdict.DELIVERED
    forged = bytearray(lone(2**32 - 5))
    forged[-1] ^= 1
    assert verdict(bytes(forged)) == Verdict.TAG_FIRST
    check(it)


def test_a_stranger_that_completes_datagrams_takes_no_memory_from_a_keyed_peer_that_moves() -> None:
    it, source, other = play(Sizes(contexts=1)), PEERS[0].address, Address.extended(0xB0)
    keyed = [
        sender.fragments(
            lpc.outgoing(lpc.ipv6(200, b"fill"), source, NODE, tag=tag, mode=Mode.KEYED, key=KEY), 104
        )
        for tag in (1, 2)
    ]
    for fragment in (*fragments_of(other, 0), *keyed[0], keyed[1][0]):
        it.frame(0, source if fragment[0] == CHAINED else other, NODE, fragment)
    assert it.receiver.scores.proven(other, keyed=False)
    assert it.frame(59, other, NODE, fragments_of(other, 1)[0]) == Verdict.NO_SLOT
    assert it.frame(60, other, NODE, fragments_of(other, 1)[0]) == Verdict.TAKEN
    check(it)


def test_a_block_outlives_a_datagram_that_was_under_way_and_a_failure_raises_no_score() -> None:
    it, source, tag = play(), Address.extended(0xB0), 10
    scores, early = it.receiver.scores, [fragments_of(source, one, size=250) for one in (1, 2)]
    for fragments in early:
        assert it.frame(0, source, NODE, fragments[0]) == Verdict.TAKEN
    while not scores.blocked(source, keyed=False):
        for fragment in fragments_of(source, tag, size=250)[:2]:
            assert it.frame(0, source, NODE, fragment) == Verdict.TAKEN
        other = fragments_of(source, tag, b"other", size=250)[1]
        assert it.frame(0, source, NODE, other) == Verdict.CONFLICT
        tag += 1
    for fragment in early[0][1:]:
        verdict = it.frame(0, source, NODE, fragment)
    assert verdict == Verdict.DELIVERED
    reached = scores.score(source, keyed=False)
    assert reached < FLOOR
    assert it.frame(0, source, NODE, early[1][1]) == Verdict.TAKEN
    other = fragments_of(source, 2, b"other", size=250)[1]
    assert it.frame(0, source, NODE, other) == Verdict.CONFLICT
    assert scores.score(source, keyed=False) == reached
    assert scores.blocked(source, keyed=False)
    check(it)


@pytest.mark.parametrize(
    ("idle", "verdict"), [(59, Verdict.NO_SLOT), (60, Verdict.TAKEN), (61, Verdict.TAKEN)]
)
def test_a_proven_neighbour_that_moves_keeps_its_memory(idle: int, verdict: Verdict) -> None:
    it, source, other = play(Sizes(contexts=1)), Address.extended(0xB0), Address.extended(0xB1)
    for fragment in (*fragments_of(source, 0), *fragments_of(source, 1, size=440)[:2]):
        it.frame(0, source, NODE, fragment)
    assert it.frame(idle, other, NODE, fragments_of(other, 2)[0]) == verdict
    assert it.receiver.scores.score(source, keyed=False) == (102 if idle > 60 else 105)
    it.poll(idle, source)
    check(it)


def test_what_only_began_in_a_proven_name_keeps_no_memory_from_a_stranger() -> None:
    """Without a key anybody may have begun it."""
    it, source, other = play(Sizes(contexts=1)), Address.extended(0xB0), Address.extended(0xB1)
    for fragment in (*fragments_of(source, 0), fragments_of(source, 1, size=440)[0]):
        it.frame(0, source, NODE, fragment)
    assert it.frame(1, other, NODE, fragments_of(other, 2)[0]) == Verdict.TAKEN
    check(it)


def made_up(
    rng: np.random.Generator, source: Address, number: int, mode: Mode, key: bytes
) -> tuple[Outgoing, bytes]:
    """A datagram to send, and its bytes: raw or compressed, seldom with a wrong checksum or with none."""
    size, fill, how = int(rng.choice([70, 130, 440, 1272])), rng.bytes(97), rng.random()
    given = {"tag": number % 2**16, "mode": mode, "epoch": number >> 16, "key": key}
    addresses = lpc.local(source) + lpc.local(NODE) if source.kind else bytes(range(32))
    whole = lpc.ipv6(size, fill, addresses)
    if how < 0.1:
        whole = whole[:46] + rng.bytes(2) + whole[48:]
    elif how < 0.2:
        whole = whole[:6] + b"\x3b" + whole[7:]
    make = lpc.compressed if source.kind and rng.random() < 0.6 else lpc.outgoing
    return make(whole, source, NODE, **given), whole


def traffic(rng: np.random.Generator, it: lpc.Play, steps: int, start: int) -> set[bytes]:
    """Datagrams of honest nodes in all modes, lost, repeated, out of order, changed and forged on the way.

    The datagrams that were sent are given back.
    """
    sources = [*(peer.address for peer in PEERS), Address.extended(0xB0), Address.short(0xFFFE)]
    now, tags = start, 0
    air: list[tuple[Address, bytes]] = []
    seen: list[tuple[Address, bytes]] = []
    sent: set[bytes] = set()
    for _ in range(steps):
        now += int(
            rng.choice([0, 1, 5, 20, 70, 300, 600, 20_000], p=[0.2, 0.3, 0.3, 0.1, 0.06, 0.02, 0.015, 0.005])
        )
        if len(air) < 40 and rng.random() < 0.3:
            source = sources[int(rng.integers(len(sources)))] if rng.random() < 0.9 else Address()
            key = KEYS.get(source)
            mode = Mode.CONTENT if key is None else Mode.KEYED
            mode = Mode.LEGACY if rng.random() < 0.25 else mode
            tags += int(rng.choice([0, 1, 40, 65_500], p=[0.1, 0.84, 0.055, 0.005]))
            one, whole = made_up(rng, source, tags, mode, key or b"")
            sent.add(whole)
            made = sender.fragments(one, int(rng.choice([64, 104, 116])))
            place = int(rng.integers(len(air) + 1)) if rng.random() < 0.2 else len(air)
            air[place:place] = [(source, frame) for frame in made]
        if rng.random() < 0.05:
            it.held()
        what = rng.random()
        if what < 0.02:
            it.poll(now, sources[int(rng.integers(len(sources)))])
        elif what < 0.022:
            it.forget(sources[int(rng.integers(len(sources)))])
        elif what < 0.06:  # early first fragments, of one node or of many
            attacker = Address.extended(0xC0 + (int(rng.integers(50)) if rng.random() < 0.3 else 0))
            early = lpc.outgoing(lpc.ipv6(1280, b"?"), attacker, NODE, tag=int(rng.integers(2**16)))
            it.frame(now, attacker, NODE, sender.fragments(early, 104)[0])
        elif what < 0.14 and seen:
            source, frame = seen[int(rng.integers(len(seen)))]
            it.frame(now, source, NODE, changed(rng, frame) if rng.random() < 0.6 else frame)
        elif air:
            source, frame = air.pop(0 if rng.random() < 0.9 else int(rng.integers(len(air))))
            seen = [*seen[-30:], (source, frame)]
            if rng.random() < 0.1:
                it.frame(now, source, NODE, changed(rng, frame))
            if rng.random() < 0.95:
                level = int(rng.integers(-128, 128)) if rng.random() < 0.1 else -70 - len(air) % 5
                it.frame(now, source, NODE, frame, Meta(level, tags * 3 % 256))
    return sent


def changed(rng: np.random.Generator, frame: bytes) -> bytes:
    made, what = bytearray(frame), rng.random()
    if what < 0.4:  # a bit; half of them in the headers
        at = int(rng.integers(len(frame) if rng.random() < 0.5 else min(14, len(frame))))
        made[at] ^= 1 << int(rng.integers(8))
    elif what < 0.6:
        del made[int(rng.integers(len(frame))) :]
    elif what < 0.9:  # the place, and so what it overlaps
        at = min(5 if frame[0] == 0xFF else 4, len(made) - 1)
        made[at] = (
            int(rng.integers(256)) if rng.random() < 0.2 else (made[at] + int(rng.integers(-2, 3))) % 256
        )
    else:
        made += rng.bytes(int(rng.integers(20)))
    return bytes(made)


@pytest.mark.parametrize("sizes", SIZES, ids=["default", "small"])
@pytest.mark.parametrize("seed", range(5))
def test_c_and_twin_agree_on_random_traffic(sizes: Sizes, seed: int) -> None:
    """Through the wrap of the clock; keyed datagrams are never wrong, and memory comes back.

    The last two with ranks, which depend on all features.
    """
    it = lpc.Play.ranked(sizes, PEERS) if seed > 2 else play(sizes)
    sent = traffic(np.random.default_rng(seed), it, 3000, 2**32 - 60_000)
    keyed = [done.data for done in it.receiver.delivered if done.key.mode is Mode.KEYED]
    assert len(keyed) > 10
    assert set(keyed) <= sent
    assert len(set(keyed)) == len(keyed)
    it.poll(2**31, NODE)
    assert it.receiver.contexts.in_use() == (0, 0)
    check(it)
