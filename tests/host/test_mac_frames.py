"""MAC frames of IEEE 802.15.4: the C of the firmware and its Python twin agree on any bytes."""

from __future__ import annotations

import json
import random
import struct
import subprocess
from pathlib import Path

import pytest

from tinyc.resources import data_folder
from tinyc.sixlowpan import frames
from tinyc.sixlowpan.frames import BROADCAST, Address, MacFrame, MacType, MacVerdict
from tinyc.toolchain.host_compiler import WARNINGS, compile_cached, find_compiler

pytestmark = pytest.mark.host

PAN, SHORT, EXTENDED = 0xABCD, Address.short(1), Address.extended(0x0212740000000001)
STRICT = (
    *WARNINGS,
    "-Wshadow",
    "-Wconversion",
    "-g",
    "-O1",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
)
ADDRESSES = (Address(), SHORT, Address.short(0x1234), Address.short(BROADCAST), EXTENDED)


@pytest.fixture(scope="module")
def program() -> Path:
    folder = data_folder("firmware_templates") / "sixlowpan"
    texts = {name: (folder / name).read_text("utf-8") for name in ("mac.c", "mac.h", "lpc_address.h")}
    texts["mac_main.c"] = Path(__file__).with_name("mac_main.c").read_text("utf-8")
    return compile_cached(find_compiler(), texts, STRICT, "mac_frames")


def told(data: bytes) -> bytes:
    """What `mac_main.c` prints for a frame, by the twin."""
    verdict, frame = frames.parse(data)
    text = bytes([verdict, frame.type, frame.ack_request, frame.pending, frame.sequence])
    text += struct.pack("<HH", frame.destination_pan, frame.source_pan)
    text += frame.destination.packed() + frame.source.packed() + bytes([frame.payload, frame.payload_length])
    header = frames.header(frame)
    mine = frames.is_for(frame, PAN, SHORT, EXTENDED)
    return text + bytes([mine, frames.acknowledges(data, 7), len(header)]) + header


def check(program: Path, many: list[bytes]) -> None:
    sent = b"".join(bytes([len(data)]) + data for data in many)
    done = subprocess.run([program], input=sent, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    at = 0
    for data in many:
        expected = told(data)
        assert done.stdout[at : at + len(expected)] == expected, data.hex()
        at += len(expected)
    assert at == len(done.stdout)


def test_every_frame_control_with_every_length(program: Path) -> None:
    body = bytes.fromhex("07cdab0100000000741202cdab0200000000741202a5a6a7")
    data = [control.to_bytes(2, "little") + body for control in range(0, 1 << 16, 5)]
    data += [
        (MacType.DATA | bits << 3 | high << 10).to_bytes(2, "little") + body[:size]
        for bits in range(16)
        for high in range(64)
        for size in range(len(body))
    ]
    check(program, [each[: 1 + number % 26] if number % 3 else each for number, each in enumerate(data)])


def test_random_frames(program: Path) -> None:
    chance = random.Random(5)
    many = [chance.randbytes(chance.choice((0, 1, 2, 3, 5, 23, 24, 125, 126, 127, 255))) for _ in range(3000)]
    for _ in range(3000):
        frame = MacFrame(
            destination_pan=chance.choice((PAN, BROADCAST, 1)),
            source_pan=chance.choice((PAN, 7)),
            destination=chance.choice(ADDRESSES[1:]),
            source=chance.choice(ADDRESSES[1:]),
            sequence=chance.randrange(256),
            ack_request=chance.random() < 0.5,
            pending=chance.random() < 0.5,
        )
        data = bytearray(frames.header(frame) + chance.randbytes(chance.randrange(80)))
        for _ in range(chance.randrange(3)):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        many.append(bytes(data[: chance.choice((len(data), chance.randrange(len(data))))]))
    check(program, many)


@pytest.mark.parametrize("destination", ADDRESSES[1:])
@pytest.mark.parametrize("source", ADDRESSES[1:])
@pytest.mark.parametrize("source_pan", [PAN, 3])
def test_what_is_written_is_read(destination: Address, source: Address, source_pan: int) -> None:
    frame = MacFrame(
        MacType.DATA,
        True,
        False,
        9,
        PAN,
        source_pan,
        destination=destination,
        source=source,
        payload_length=4,
    )
    header = frames.header(frame)
    verdict, read = frames.parse(header + b"1234")
    assert verdict is MacVerdict.OK
    assert (read.payload, read.payload_length) == (len(header), 4)
    assert (read.source, read.destination, read.source_pan) == (source, destination, source_pan)
    assert frames.header(read) == header


def test_frames_of_the_attack_corpus_are_read(shared: Path, program: Path) -> None:
    corpus = json.loads((shared / "data/sixlowpan/attack_corpus.json").read_text("utf-8"))
    many = [bytes.fromhex(frame["hex"]) for case in corpus["cases"] for frame in case["frames"]]
    check(program, many)
    for data in many:
        verdict, frame = frames.parse(data)
        if len(data) > frames.LARGEST:  # there is no room for its check sum
            assert verdict is MacVerdict.TRUNCATED
            continue
        assert verdict is MacVerdict.OK
        assert frame.destination_pan == PAN
        assert frame.destination == Address.extended(0x0212740000000002)
        version = 0x10  # ours say that they are as old as the standard's first version
        assert frames.header(frame) == data[:1] + bytes([data[1] & ~version]) + data[2 : frame.payload]


def test_check_sum_of_the_standard() -> None:
    # ITU-T's check value, and the acknowledgement of IEEE 802.15.4-2006, 7.2.1.9.
    assert frames.check_sum(b"123456789") == (0x2189).to_bytes(2, "little")
    assert frames.check_sum(frames.acknowledgement(0x6A)) == bytes.fromhex("e479")


def test_an_address_has_a_length_of_the_standard() -> None:
    with pytest.raises(ValueError, match="not 3"):
        Address(b"abc")
