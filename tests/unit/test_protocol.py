"""Frames of the serial protocol: there and back, and through garbage."""

from __future__ import annotations

import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.paths import ROOT
from tinyc.device import protocol
from tinyc.device.client import DeviceClient
from tinyc.device.protocol import Command, Decoder, Frame, Place, ProtocolError
from tinyc.errors import TinycError

pytestmark = pytest.mark.unit

frames = st.builds(Frame, st.integers(0, 255), st.binary(max_size=80))


def hello_payload(**change: object) -> bytes:
    values: dict[str, object] = {"version": 1, "arena": 100, "input_bytes": 30, "inputs": [(0, 10), (16, 20)]}
    values |= change
    inputs = values["inputs"]
    assert isinstance(inputs, list)
    payload = bytes([int(str(values["version"]))]) + bytes(range(32)) + b"\1\2\3\4\5\6\7\x08"
    payload += struct.pack("<5I", values["arena"], 3, 64_000_000, values["input_bytes"], 4)
    payload += b"\x05board" + b"\x03kws" + bytes([len(inputs)])
    payload += b"".join(struct.pack("<2I", *place) for place in inputs)
    return payload + b"\x01" + struct.pack("<2I", 96, 4)


def test_crc_check_value() -> None:
    assert protocol.crc16(b"123456789") == 0x31C3


@given(st.lists(frames, max_size=6), st.integers(1, 50))
def test_frames_survive_any_cut(sent: list[Frame], cut: int) -> None:
    stream = b"".join(map(protocol.encode, sent))
    decoder = Decoder()
    got = []
    for at in range(0, len(stream), cut):
        got += decoder.feed(stream[at : at + cut])
    assert got == sent
    assert decoder.skipped == 0


@given(st.binary(max_size=3000), frames)
def test_a_frame_behind_garbage_is_found(garbage: bytes, frame: Frame) -> None:
    decoder = Decoder()
    decoder.feed(garbage)
    # Zeros end any frame that the garbage may have begun.
    got = decoder.feed(bytes(protocol.MAX_FRAME) + protocol.encode(frame) + bytes(protocol.MAX_FRAME))
    assert got[-1] == frame or frame in got


@given(st.binary(max_size=5000))
def test_garbage_needs_bounded_memory(garbage: bytes) -> None:
    decoder = Decoder()
    for frame in decoder.feed(garbage):
        assert len(frame.payload) <= protocol.MAX_PAYLOAD
    assert 1 <= decoder.missing <= protocol.MAX_FRAME


@given(frames, st.data())
def test_a_flipped_bit_is_noticed(frame: Frame, data: st.DataObject) -> None:
    stream = bytearray(protocol.encode(frame))
    bit = data.draw(st.integers(8, len(stream) * 8 - 1))
    stream[bit // 8] ^= 1 << bit % 8
    assert frame not in Decoder().feed(bytes(stream) + bytes(protocol.MAX_FRAME))


def test_the_longest_payload_and_one_more() -> None:
    longest = Frame(2, bytes(protocol.MAX_PAYLOAD))
    assert Decoder().feed(protocol.encode(longest)) == [longest]
    with pytest.raises(ValueError, match="1025"):
        protocol.encode(Frame(2, bytes(protocol.MAX_PAYLOAD + 1)))


@given(frames)
def test_missing_is_exact_for_a_frame_in_order(frame: Frame) -> None:
    """A reader that asks for `missing` bytes never asks for more than belong to the frame."""
    stream, decoder, at = protocol.encode(frame), Decoder(), 0
    while at < len(stream):
        count = decoder.missing
        assert at + count <= len(stream)
        got = decoder.feed(stream[at : at + count])
        at += count
    assert got == [frame]


def test_hello() -> None:
    hello = protocol.parse_hello(hello_payload())
    assert (hello.board, hello.model, hello.layers) == ("board", "kws", 3)
    assert hello.digest == bytes(range(32)).hex()
    assert hello.device_id == "0102030405060708"
    assert hello.inputs == (Place(0, 10), Place(16, 20))
    assert hello.outputs == (Place(96, 4),)


@pytest.mark.parametrize(
    "payload",
    [
        hello_payload(version=2),
        hello_payload(input_bytes=31),
        hello_payload(arena=99),
        hello_payload()[:-1],
        hello_payload() + b"\0",
        b"\1",
        b"",
    ],
)
def test_bad_hello(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        protocol.parse_hello(payload)


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (Frame(0x84, b"\x01"), "damaged"),
        (Frame(0x84, b"\x02"), "does not have this command"),
        (Frame(0x84, b"\x03"), "out of range"),
        (Frame(0x84, b"\x63"), "status 99"),
        (Frame(0x85, b"\x00"), "answered 0x85 to INVOKE"),
        (Frame(0x84, b""), "answered"),
    ],
)
def test_refusals(frame: Frame, text: str) -> None:
    with pytest.raises(ProtocolError, match=text):
        protocol.parse_answer(Command.INVOKE, frame)


class Wire:
    """A transport whose other end is a list of answers, one per write; None says nothing."""

    def __init__(self, *answers: bytes | None) -> None:
        self._answers = list(answers)
        self._pending = b""
        self.sent: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.sent.append(data)
        if data.strip(b"\0"):
            self._pending += self._answers.pop(0) or b""

    def read(self, size: int, timeout: float) -> bytes:
        data, self._pending = self._pending[:size], self._pending[size:]
        return data

    def close(self) -> None:
        self._answers.clear()


def answer(command: int, payload: bytes = b"\0") -> bytes:
    return protocol.encode(Frame(command | protocol.ANSWER, payload))


def test_the_client_repeats_a_request_that_arrived_damaged() -> None:
    wire = Wire(answer(4, b"\x01"), answer(4, b"\0" + struct.pack("<I", 77)))
    assert DeviceClient(wire, timeout=0.05).invoke() == 77


def test_the_client_reads_through_garbage() -> None:
    wire = Wire(b"boot message\r\n" + answer(9) + answer(6))
    DeviceClient(wire, timeout=0.05).audio_reset()
    assert len(wire.sent) == 1


def test_the_client_asks_again_when_garbage_hides_an_answer() -> None:
    """`~~~` begins a frame of 126 bytes that never end."""
    wire = Wire(b"~~~\0" + answer(6), answer(6))
    DeviceClient(wire, timeout=0.05).audio_reset()
    assert not wire.sent[1].strip(b"\0") and len(wire.sent[1]) == protocol.MAX_FRAME


def test_the_client_never_invokes_twice_without_an_answer() -> None:
    wire = Wire(None, None, None)
    with pytest.raises(ProtocolError, match="no answer to INVOKE"):
        DeviceClient(wire, timeout=0.01, run_timeout=0.01).invoke()
    assert len(wire.sent) == 1


def test_the_client_gives_up_on_silence() -> None:
    wire = Wire(None, None, None)
    with pytest.raises(ProtocolError, match=r"no answer to HELLO within 0\.01 s"):
        DeviceClient(wire, timeout=0.01).hello()
    assert sum(bool(data.strip(b"\0")) for data in wire.sent) == 3


def test_the_client_splits_long_transfers() -> None:
    data = bytes(range(256)) * 10
    wire = Wire(answer(2), answer(2), answer(2))
    DeviceClient(wire, timeout=0.05).write(5, data)
    payloads = [Decoder().feed(sent)[0].payload for sent in wire.sent]
    assert b"".join(payload[4:] for payload in payloads) == data
    assert [struct.unpack_from("<I", payload)[0] for payload in payloads] == [5, 1025, 2045]


def test_a_text_is_one_frame() -> None:
    wire = Wire(answer(8, b"\0" + struct.pack("<I", 5)))
    client = DeviceClient(wire, timeout=0.05)
    assert client.text(b"play some jazz") == 5
    assert Decoder().feed(wire.sent[0]) == [Frame(8, b"play some jazz")]
    with pytest.raises(TinycError, match="has 1025 bytes"):
        client.text(b"a" * 1025)


def test_the_byte_examples_of_the_reference() -> None:
    """Lines like `7E 01 00 00 21 10` in the documentation are whole frames with a right CRC."""
    text = (ROOT / "docs" / "reference" / "protocol.md").read_text(encoding="utf-8")
    examples = re.findall(r"^    ((?:[0-9A-F]{2} ?)+)$", text, flags=re.MULTILINE)
    assert len(examples) >= 6
    for example in examples:
        data = bytes.fromhex(example)
        (frame,) = Decoder().feed(data)
        assert protocol.encode(frame) == data
