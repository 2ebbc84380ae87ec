"""What is delivered: headers of all kinds, checksums right, wrong and elided, in one frame and in many."""

from __future__ import annotations

import random
import struct

import pytest

from support import lpc
from support.iphc_cases import CONTEXTS, PREFIX
from tinyc.sixlowpan import sender
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.emit import receive_texts
from tinyc.sixlowpan.fragments import Mode, Verdict
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.iphc import Link
from tinyc.sixlowpan.iphc_compress import compress, udp_checksum
from tinyc.sixlowpan.receiver import Peer, Receiver
from tinyc.sixlowpan.sender import Outgoing
from tinyc.toolchain.host_compiler import compile_cached, find_compiler

pytestmark = pytest.mark.host

KEY = bytes(range(16))
NODE, SOURCE, FRIEND = Address.extended(2), Address.short(0x1234), Address.extended(1)
PEERS = (Peer(FRIEND, Mode.KEYED, KEY),)
HOP_BY_HOP, TCP, UDP, ROUTING, ICMPV6, NOTHING, DESTINATION = 0, 6, 17, 43, 58, 59, 60
# Where the checksum is.
FIELDS = {TCP: 16, UDP: 6, ICMPV6: 2}


def play(elided: bool = False) -> lpc.Play:
    link = Link(contexts=CONTEXTS, elided=elided)
    return lpc.Play(Receiver(PEERS, Sizes(peers=1), link=link))


def check(it: lpc.Play) -> None:
    """The C has answered the same."""
    link, compiler = it.receiver.link, find_compiler()
    texts = receive_texts(it.receiver.sizes, PEERS, contexts=link.contexts, elided=link.elided)
    texts["main.c"] = lpc.MAIN.read_text(encoding="utf-8")
    program = compile_cached(compiler, texts, (*lpc.FLAGS, *compiler.sanitizer_flags()), "lpc")
    assert lpc.run(program, bytes(it.script)) == it.expected


def addresses(rng: random.Random, source: Address) -> bytes:
    """Link-local ones, or with a prefix that is known on the link."""
    ends = lpc.local(source), lpc.local(NODE)
    return b"".join(PREFIX[:8] + it[8:] if rng.random() < 0.3 else it for it in ends)


def ip(following: int, length: int, ends: bytes) -> bytes:
    return struct.pack(">IHBB", 6 << 28, length, following, 64) + ends


def summed(protocol: int, ends: bytes, body: bytes) -> bytes:
    """With the right checksum, by its definition (RFC 8200, 8.1)."""
    at = FIELDS[protocol]
    body = body[:at] + bytes(2) + body[at + 2 :]
    text = ends + len(body).to_bytes(4, "big") + protocol.to_bytes(4, "big") + body + bytes(len(body) % 2)
    total = sum(struct.unpack(f">{len(text) // 2}H", text))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return body[:at] + ((~total & 0xFFFF) or 0xFFFF).to_bytes(2, "big") + body[at + 2 :]


def datagram(rng: random.Random, source: Address) -> tuple[bytes, bool, bool]:
    """Its bytes; whether it has a checksum that can be verified here, and whether that is right."""
    ends = addresses(rng, source)
    protocol = rng.choice([UDP, UDP, UDP, TCP, ICMPV6, NOTHING])
    size = rng.choice([20, 21, 60, 200, 333, 1000])
    body = rng.randbytes(size)
    if protocol == UDP:
        body = body[:4] + size.to_bytes(2, "big") + body[6:]
    if protocol != NOTHING:
        body = summed(protocol, ends, body)
    checked, right, following = protocol != NOTHING, True, protocol
    if checked and rng.random() < 0.3:
        right, at = False, rng.randrange(size)
        body = body[:at] + bytes([body[at] ^ 1 << rng.randrange(8)]) + body[at + 1 :]
    elif protocol == UDP and rng.random() < 0.1:
        right, body = False, body[:6] + bytes(2) + body[8:]  # without one, as IPv4 has it
    for kind in rng.sample([DESTINATION, ROUTING, HOP_BY_HOP, DESTINATION], rng.choice([0, 0, 1, 2, 3])):
        length = rng.choice([8, 16, 24])
        left = kind == ROUTING and rng.random() < 0.3
        checked = checked and not left
        # Options of just that length, or a routing header that ends here or goes on.
        rest = bytes([0, left]) if kind == ROUTING else bytes([1, length - 4])
        body = bytes([following, length // 8 - 1]) + rest + bytes(length - 4) + body
        following = kind
    if rng.random() < 0.2:
        body, following = ip(following, len(body), ends) + body, 41
    return ip(following, len(body), ends) + body, checked, right


def packed(rng: random.Random, whole: bytes, source: Address, elided: bool) -> tuple[bytes, int, bool]:
    """A header as it goes out and what it covers; whether the checksum is left out."""
    if rng.random() < 0.4:
        return lpc.IPV6, 0, False
    made = compress(Link(source.value, NODE.value, CONTEXTS, elided), whole[:104], len(whole), 96)
    return made.data, made.consumed, made.elided


@pytest.mark.parametrize("elided", [False, True])
def test_what_can_be_verified_has_to_be_right(elided: bool) -> None:
    rng, it, seen = random.Random(elided), play(elided), set()
    for number in range(900):
        mode = Mode(number % 3)
        source = FRIEND if mode is Mode.KEYED else SOURCE
        whole, checked, right = datagram(rng, source)
        head, covers, left_out = packed(rng, whole, source, elided and right and rng.random() < 0.7)
        one = Outgoing(source, NODE, head, covers, whole[covers:], number + 1, mode, 0, KEY)
        frames = sender.fragments(one, rng.choice([64, 90, 104, 116]))
        if not frames:
            continue
        it.restart([number])  # wrong ones have blocked their sender
        verdict = Verdict.TAKEN
        for frame in frames:
            verdict = it.frame(number, source, NODE, frame)
            if verdict is not Verdict.TAKEN:
                break
        new = [made.data for made in it.receiver.delivered]
        vouched = mode is not Mode.LEGACY
        if left_out:
            good, what = vouched, "elided"
        elif checked:
            good, what = right, "right" if right else "wrong"
        else:
            good, what = vouched, "none"
        assert new == ([whole] if good else []), (number, what, verdict)
        assert it.receiver.contexts.in_use() == (0, 0)
        seen.add((mode, what, verdict))
    outcomes = {(what, verdict) for _, what, verdict in seen}
    assert outcomes >= {("right", Verdict.DELIVERED), ("wrong", Verdict.BAD_SUM), ("none", Verdict.BAD_SUM)}
    assert not elided or {("elided", Verdict.DELIVERED), ("elided", Verdict.BAD_IPHC)} <= outcomes
    check(it)


def test_in_one_frame() -> None:
    rng, it, seen = random.Random(3), play(True), set()
    for number in range(600):
        whole, checked, right = datagram(rng, SOURCE)
        head, covers, left_out = packed(rng, whole, SOURCE, right and rng.random() < 0.7)
        frame = head + whole[covers:]
        if len(frame) > 116:
            continue
        before = len(it.receiver.delivered)
        verdict = it.whole(number, SOURCE, NODE, frame)
        good = left_out or right or not checked
        assert (verdict is Verdict.DELIVERED) == good
        assert [made.data for made in it.receiver.delivered[before:]] == [whole] * good
        assert it.frame(number, SOURCE, NODE, frame) == Verdict.WHOLE
        seen.add((verdict, left_out))
        for cut in rng.sample(range(len(frame)), 3):
            it.whole(number, SOURCE, NODE, frame[:cut])
        it.whole(number, SOURCE, Address(), frame)
    assert seen >= {(Verdict.DELIVERED, False), (Verdict.DELIVERED, True), (Verdict.BAD_SUM, False)}
    assert it.whole(0, FRIEND, NODE, lpc.IPV6 + lpc.ipv6(60, b"friend")) == Verdict.DOWNGRADE
    assert it.receiver.contexts.in_use() == (0, 0)
    check(it)


@pytest.mark.parametrize("mode", Mode)
def test_a_context_that_is_not_known_takes_no_memory(mode: Mode) -> None:
    """Threat row 20: known contexts open a datagram, another one is refused with the first fragment."""
    it, source = play(), FRIEND if mode is Mode.KEYED else SOURCE
    for number, known in ((0, True), (9, False)):
        # IPHC: the source from context `number`, the destination link-local; the rest is in line.
        head = bytes([0x78, 0xF3, number << 4, NOTHING, 64])
        one = Outgoing(source, NODE, head, 40, bytes(300), number + 1, mode, 0, KEY)
        verdict = it.frame(number, source, NODE, sender.fragments(one, 104)[0])
        assert verdict == (Verdict.TAKEN if known else Verdict.BAD_IPHC)
        assert it.receiver.contexts.in_use() == (1, 1)
    check(it)


def test_the_last_checksum_that_is_elided_is_made_again_even_if_it_is_zero() -> None:
    """A sum of zero is sent as 0xFFFF (RFC 768)."""
    it = play(True)
    whole = lpc.ipv6(200, b"zero", lpc.local(SOURCE) + lpc.local(NODE))
    # The payload's second half makes the sum of the others complete.
    rest = udp_checksum(whole[:48] + bytes(2) + whole[50:], 0, 40)
    whole = whole[:46] + b"\xff\xff" + rest.to_bytes(2, "big") + whole[50:]
    assert udp_checksum(whole, 0, 40) == 0xFFFF
    made = compress(Link(SOURCE.value, NODE.value, (), True), whole, len(whole))
    assert made.elided
    one = Outgoing(SOURCE, NODE, made.data, made.consumed, whole[made.consumed :], 1, Mode.CONTENT)
    for frame in sender.fragments(one, 104):
        it.frame(0, SOURCE, NODE, frame)
    assert [each.data for each in it.receiver.delivered] == [whole]
    check(it)
