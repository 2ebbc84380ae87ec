"""Messages on the serial line: there and back, and through garbage."""

from __future__ import annotations

import base64
import binascii

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tinyc.device import limits
from tinyc.device.framing import CONTINUE, LINE, START, FrameDecoder, encode, is_answer

pytestmark = pytest.mark.unit

WIRE_BYTES = 12_000


def message_of(body: bytes, first: int = 0x0B, sequence: int = 7) -> bytes:
    return bytes([first, 0, *len(body).to_bytes(2, "big"), 0, 64, sequence, 0]) + body


messages = st.binary(max_size=400).map(message_of)
near_packets = st.lists(st.sampled_from([START, CONTINUE, b"QUJD" * 20, b"\n"])).map(b"".join)
long_messages = st.binary(min_size=1900, max_size=2036).map(message_of)


def raw_packet(message: bytes) -> bytes:
    crc = binascii.crc_hqx(message, 0).to_bytes(2, "big")
    return (len(message) + 2).to_bytes(2, "big") + message + crc


def test_crc_check_value() -> None:
    assert binascii.crc_hqx(b"123456789", 0) == 0x31C3


@given(messages | long_messages)
@example(message_of(bytes(93 - 12)))
@example(message_of(bytes(93 - 11)))
def test_lines_have_at_most_127_bytes_and_are_full(message: bytes) -> None:
    lines = encode(message).splitlines(keepends=True)
    assert [line[:2] for line in lines] == [START, *[CONTINUE] * (len(lines) - 1)]
    assert all(len(line) == LINE for line in lines[:-1]) and 0 < len(lines[-1]) <= LINE
    body = b"".join(line[2:].removesuffix(b"\n") for line in lines)
    assert base64.b64decode(body, validate=True) == raw_packet(message)


@pytest.mark.parametrize("message", [b"", bytes(7), message_of(b"ab")[:-1], message_of(b"ab") + b"c"])
def test_what_is_no_message_is_not_sent(message: bytes) -> None:
    with pytest.raises(ValueError, match="no SMP message"):
        encode(message)


@given(st.lists(messages, max_size=5), st.integers(1, 300))
def test_messages_survive_any_cut(sent: list[bytes], cut: int) -> None:
    stream = b"".join(map(encode, sent))
    decoder = FrameDecoder()
    got = []
    for at in range(0, len(stream), cut):
        got += decoder.feed(stream[at : at + cut])
    assert got == sent
    assert (decoder.dropped, decoder.skipped, decoder.take_text()) == (0, 0, [])


@given(st.binary(max_size=3000), messages)
@example(START + b"A" * 500, message_of(b""))
@example(b"\x06", message_of(b""))
@example(b"\x04" * 300 + b"\x06", message_of(b""))
def test_a_message_behind_garbage_is_found(garbage: bytes, message: bytes) -> None:
    decoder = FrameDecoder()
    for byte in garbage:
        decoder.feed(bytes([byte]))
    assert decoder.feed(encode(message))[-1] == message
    whole = FrameDecoder()
    assert whole.feed(garbage + encode(message))[-1] == message


@given(long_messages, st.data())
def test_text_between_the_lines_of_a_packet(message: bytes, data: st.DataObject) -> None:
    words = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=100)
    lines, texts = [], []
    for line in encode(message).splitlines(keepends=True):
        text = data.draw(st.none() | words)
        if text is not None:
            texts.append(text.encode())
            # A program that writes its text without a line feed is interrupted by the packet.
            lines.append(text.encode() + data.draw(st.sampled_from([b"\n", b"\r\n", b""])))
        lines.append(line)
    decoder = FrameDecoder()
    assert decoder.feed(b"".join(lines)) == [message]
    assert decoder.take_text() == texts
    assert decoder.take_text() == []
    assert decoder.skipped >= sum(map(len, texts)) and decoder.dropped == 0


@given(messages, st.data())
def test_a_flipped_bit_never_gives_a_wrong_message(message: bytes, data: st.DataObject) -> None:
    stream = bytearray(encode(message))
    bit = data.draw(st.integers(0, len(stream) * 8 - 1))
    stream[bit // 8] ^= 1 << bit % 8
    following = message_of(b"next", sequence=8)
    got = FrameDecoder().feed(bytes(stream) + b"\n" + encode(following))
    assert got in ([following], [message, following])


@given(messages, st.data())
def test_a_lost_or_doubled_byte_never_gives_a_wrong_message(message: bytes, data: st.DataObject) -> None:
    stream = encode(message)
    at = data.draw(st.integers(0, len(stream) - 1))
    copies = data.draw(st.sampled_from([0, 2, 3]))
    following = message_of(b"next", sequence=8)
    damaged = stream[:at] + stream[at : at + 1] * copies + stream[at + 1 :]
    got = FrameDecoder().feed(damaged + encode(following))
    assert got in ([following], [message, following])


@given(messages, messages, st.data())
def test_a_packet_that_is_cut_off_is_dropped(first: bytes, second: bytes, data: st.DataObject) -> None:
    stream = encode(first)
    keep = data.draw(st.integers(2, len(stream) - 2))
    decoder = FrameDecoder()
    assert decoder.feed(stream[:keep] + encode(second)) == [second]
    assert decoder.dropped == 1


@given(st.binary(max_size=5000) | near_packets)
def test_garbage_needs_bounded_memory(garbage: bytes) -> None:
    decoder = FrameDecoder(limits.SMALL_BUFFER)
    for turn in range(3):
        for at in range(0, len(garbage), 100 + turn):
            for message in decoder.feed(garbage[at : at + 100 + turn]):
                assert len(message) <= limits.SMALL_BUFFER - 4
            assert len(decoder._line) + len(decoder._packet or b"") <= 256 + limits.SMALL_BUFFER
            assert 1 <= decoder.missing <= WIRE_BYTES


def test_megabytes_of_text_are_forgotten() -> None:
    decoder = FrameDecoder()
    for number in range(3000):
        decoder.feed(b"%d " % number + b"x" * 1000 + b"\n")
    lines = decoder.take_text()
    assert len(lines) == 256 and lines[-1].endswith(b"x") and max(map(len, lines)) <= 256
    assert decoder.skipped > 3_000_000


@given(messages | long_messages)
def test_missing_is_exact_for_a_message_in_order(message: bytes) -> None:
    """A reader that asks for `missing` bytes never asks for more than belong to the message."""
    stream, decoder, at, reads = encode(message), FrameDecoder(), 0, 0
    got = []
    while at < len(stream):
        count = decoder.missing
        assert at + count <= len(stream)
        assert decoder.in_packet == (at > 0)
        got += decoder.feed(stream[at : at + count])
        at, reads = at + count, reads + 1
    assert got == [message]
    assert reads <= 2
    assert not decoder.in_packet


@given(messages, st.lists(st.integers(1, 130)))
def test_missing_is_a_lower_bound_wherever_the_stream_is_cut(message: bytes, cuts: list[int]) -> None:
    stream, decoder, at = b"text " + encode(message), FrameDecoder(), 0
    for cut in cuts:
        assert at + decoder.missing <= len(stream)
        if decoder.feed(stream[at : at + cut]) or at + cut >= len(stream):
            break
        at += cut


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_other_senders(end: bytes) -> None:
    """Short lines, carriage returns, and base64 made piece by piece, with padding inside."""
    message = message_of(bytes(range(60)))
    raw = raw_packet(message)
    pieces = [raw[:3], raw[3:40], raw[40:41], raw[41:70], raw[70:]]
    short = b"".join((CONTINUE if n else START) + base64.b64encode(p) + end for n, p in enumerate(pieces))
    one_line = base64.b64encode(raw[:-3]) + base64.b64encode(raw[-3:-1]) + base64.b64encode(raw[-1:])
    for stream in (short, START + one_line + end):
        decoder = FrameDecoder()
        for byte in stream:
            assert decoder.missing >= 1
            got = decoder.feed(bytes([byte]))
        assert got == [message] and decoder.dropped == 0


def test_a_lost_line_feed() -> None:
    first, second = message_of(b"1" * 200), message_of(b"2")
    decoder = FrameDecoder()
    assert decoder.feed(encode(first).replace(b"\n", b"") + encode(second)) == [first, second]


@pytest.mark.parametrize(
    "stream",
    [
        START + b"AAAA\n",  # a length that leaves no room for a header
        START + b"//8A" * 3 + b"\n",  # a length over the largest buffer
        START + b"AAs*\n",  # no base64
        START + b"AAsI=AAA\n",  # padding where none can be
        START + b"AAsIA\n",  # not a multiple of four
        START + b"AAsI" * 40 + b"\n",  # longer than a line
        START + base64.b64encode(raw_packet(message_of(b"abc"))[:-1] + b"?") + b"\n",  # a wrong CRC
        START + base64.b64encode(raw_packet(message_of(b"abc")) + b"more") + b"\n",  # a wrong length
        START + base64.b64encode(raw_packet(message_of(b"abc")[:-1])) + b"\n",  # a header that lies
        START
        + base64.b64encode(b"\0\x0c" + raw_packet(message_of(b"abc"))[2:])
        + b"\n",  # too short a length
    ],
)
def test_damaged_packets_are_counted(stream: bytes) -> None:
    decoder = FrameDecoder()
    assert decoder.feed(stream) == [] and decoder.dropped == 1
    assert decoder.feed(CONTINUE + b"AAAA\n") == [] and decoder.dropped == 1
    assert not decoder.in_packet
    assert decoder.feed(encode(message_of(b"good"))) == [message_of(b"good")]


@pytest.mark.parametrize("buffer", [limits.SMALL_BUFFER, limits.LARGE_BUFFER])
def test_the_longest_message_and_one_more(buffer: int) -> None:
    longest = message_of(bytes(limits.largest_message(buffer) - limits.HEADER))
    assert FrameDecoder(buffer).feed(encode(longest)) == [longest]
    decoder = FrameDecoder(buffer)
    assert decoder.feed(encode(message_of(longest[8:] + b"!"))) == [] and decoder.dropped == 1


def test_what_answers_a_request() -> None:
    request = message_of(b"", first=0x0A)
    assert is_answer(request, message_of(b"a"))
    assert is_answer(request, message_of(b"a", first=0x03)), "an answer of another SMP version"
    assert not is_answer(request, request)
    assert not is_answer(request, message_of(b"a", first=0x09)), "the answer to a read"
    assert not is_answer(request, message_of(b"a", sequence=8))
    other = bytearray(message_of(b"a"))
    for at in (4, 5, 7):
        other[at] ^= 1
        assert not is_answer(request, bytes(other))
        other[at] ^= 1
