"""The device client against a device in Python that behaves, misbehaves or lies."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, ClassVar

import cbor2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smp import os_management, statistics_management
from smp.header import Version
from smpclient import SMPClient
from smpclient.generics import error_v1, error_v2, success
from smpclient.requests.os_management import EchoWrite, MCUMgrParametersRead
from smpclient.requests.statistics_management import GroupData, ListOfGroups
from smpclient.transport.serial import SMPSerialTransport

from support.smp_peer import (
    ENOTSUP,
    READ,
    TINYC,
    WRITE,
    FakeDevice,
    PeerLine,
    frame,
    serial_port,
)
from tinyc.device import limits, messages
from tinyc.device.client import Counters, DeviceClient
from tinyc.device.errors import NoAnswer, ProtocolError
from tinyc.device.framing import encode
from tinyc.device.hello import Hello, Place, Slot
from tinyc.device.smp_line import LineTransport
from tinyc.device.transport import SerialTransport, Transport
from tinyc.errors import TinycError

pytestmark = pytest.mark.unit

Call = Callable[[DeviceClient], object]


def client(line: PeerLine, timeout: float = 0.02) -> DeviceClient:
    return DeviceClient(line, timeout, timeout)


def expected_outputs(device: FakeDevice, inputs: bytes) -> bytes:
    added = sum(range(device.layers))
    return bytes((value + added) & 0xFF for value in inputs[:904])


# --- every method, with both sizes of buffer


@pytest.fixture(params=[limits.SMALL_BUFFER, limits.LARGE_BUFFER])
def line(request: pytest.FixtureRequest) -> PeerLine:
    return PeerLine(FakeDevice(buffer=request.param))


def test_hello(line: PeerLine) -> None:
    assert client(line).hello() == Hello(
        proto=2,
        digest=bytes(range(32)).hex(),
        firmware=(b"F" * 32).hex(),
        device_id="0102030405060708",
        arena=3000,
        layers=70,
        clock_hz=64_000_000,
        ram=1234,
        input_bytes=1000,
        output_bytes=904,
        board="fake",
        model="adder",
        model_version="1.2.3",
        tinyc="0.1.0",
        inputs=(Place(0, 700), Place(704, 300)),
        outputs=(Place(1008, 900), Place(1908, 4)),
        slots=(),
    )


def test_hello_of_a_newer_firmware() -> None:
    line = PeerLine(FakeDevice(buffer=2048, lies={"later": "x", "slots": [["A", 499_712]], "zz": [{}]}))
    assert client(line).hello().slots == (Slot("A", 499_712),)


def test_expect(line: PeerLine) -> None:
    found = client(line).expect(bytes(range(32)).hex())
    assert found.model == "adder"
    with pytest.raises(TinycError, match="another model: `adder`, digest 0001020304050607") as caught:
        client(line).expect("ab" * 32)
    assert caught.value.allowed == "digest abababababababab"


def test_a_run(line: PeerLine) -> None:
    inputs = random.Random(1).randbytes(1000)
    peer = client(line)
    assert peer.run(inputs) == expected_outputs(line.device, inputs)
    assert peer.run(inputs[::-1]) == expected_outputs(line.device, inputs[::-1])
    assert peer.invoke() == sum(1000 + layer for layer in range(70))
    with pytest.raises(TinycError, match="the input has 3 bytes"):
        peer.set_inputs(b"abc")
    assert max(map(len, line.requests)) <= line.device.buffer - 4


def test_layers_one_by_one_and_together(line: PeerLine) -> None:
    inputs = random.Random(2).randbytes(1000)
    peer = client(line)
    runs: list[Callable[[], list[int]]] = [
        lambda: [peer.run_layer(layer) for layer in range(70)],
        lambda: peer.profile(0, 70),
        lambda: peer.profile(0, 3) + peer.profile(3, 67),
    ]
    for run in runs:
        peer.set_inputs(inputs)
        assert run() == [1000 + layer for layer in range(70)]
        assert peer.outputs() == expected_outputs(line.device, inputs)
    assert peer.profile(5, 0) == []
    assert line.device.counters["invocations"] == 0


@given(st.integers(0, 3000), st.binary(max_size=3000))
def test_the_arena(offset: int, data: bytes) -> None:
    line = PeerLine()
    peer, data = client(line), data[: 3000 - offset]
    peer.write(offset, data)
    assert bytes(line.device.arena[offset : offset + len(data)]) == data
    assert peer.read(offset, len(data)) == data
    assert line.device.counters["refused"] == 0


@pytest.mark.parametrize(("buffer", "requests"), [(512, 7), (2048, 2)])
def test_messages_are_as_long_as_the_buffer_allows(buffer: int, requests: int) -> None:
    line = PeerLine(FakeDevice(buffer=buffer))
    data = random.Random(3).randbytes(3000)
    peer = client(line)
    peer.write(0, data)
    peer.write(0, data[:1])
    # One request more asked for the buffer, once.
    assert len(line.requests) == requests + 2
    assert peer.read(0, 3000) == data
    # Offsets of five bytes of CBOR are reckoned with, and three are enough here.
    assert max(map(len, line.requests)) in (buffer - 4, buffer - 6, buffer - 8)


def test_echo_counters_and_reset(line: PeerLine) -> None:
    peer = client(line)
    assert peer.echo("größe") == "größe"
    for _ in range(5):
        peer.counters()
    peer.invoke()
    assert peer.counters() == Counters(packets=8, dropped=0, refused=0, invocations=1)
    peer.hello()
    peer.reset()
    assert line.device.resets == 1
    line.device.inputs = ((0, 2),)
    peer.set_inputs(b"ab")  # asks again who is there


def test_audio(line: PeerLine) -> None:
    peer = client(line)
    samples = np.arange(3050, dtype=np.int16)
    assert peer.audio_push(samples) == 30
    assert peer.audio_push([]) == 30
    assert peer.audio_push([1, -1] * 25) == 31
    peer.audio_reset()
    assert peer.audio_push([]) == 0
    sent = b"".join(cbor2.loads(request[8:]).get("data", b"") for request in line.requests)
    assert sent == samples.astype("<i2").tobytes() + b"\x01\x00\xff\xff" * 25
    assert max(map(len, line.requests)) in (line.device.buffer - 4, line.device.buffer - 5)


def test_text(line: PeerLine) -> None:
    peer, buffer = client(line), line.device.buffer
    assert peer.text(b"play some jazz") == 5
    assert peer.text(b"") == 2
    assert peer.text(b"\xff\xfe" * 10) == 3
    assert peer.text(b"a" * limits.largest_text(buffer)) == 3
    assert len(line.requests[-1]) == buffer - 4
    with pytest.raises(TinycError, match=f"the text has {buffer} bytes") as caught:
        peer.text(b"a" * buffer)
    assert str(limits.largest_text(buffer)) in caught.value.allowed


def test_the_client_closes_its_line() -> None:
    line = PeerLine()
    with client(line) as peer:
        peer.hello()
    assert line.closed


def test_the_peer_is_a_transport() -> None:
    assert isinstance(PeerLine(), Transport)


# --- retries

HARMLESS: dict[str, Call] = {
    "HELLO": lambda peer: peer.hello(),
    "ECHO": lambda peer: peer.echo("x"),
    "COUNTERS": lambda peer: peer.counters(),
    "PARAMETERS": lambda peer: peer.buffer_bytes(),
    "AUDIO": lambda peer: peer.audio_reset(),
    "AUDIO ask": lambda peer: peer.audio_push([]),
    "ARENA read": lambda peer: peer.read(5, 20),
    "ARENA write": lambda peer: peer.write(5, b"abc"),
    "INPUT": lambda peer: peer.set_inputs(bytes(1000)),
    "OUTPUT": lambda peer: peer.outputs(),
    "TEXT": lambda peer: peer.text(b"abc"),
}
ONCE: dict[str, Call] = {
    "PROFILE": lambda peer: peer.run_layer(3),
    "AUDIO": lambda peer: peer.audio_push([1, 2]),
}


def prepared(line: PeerLine, name: str) -> DeviceClient:
    """A client that knows the device already, so that its next request is the one of interest."""
    peer = client(line)
    peer.hello()
    if name != "PARAMETERS":
        peer.buffer_bytes()
    line.requests.clear()
    line.sent.clear()
    line.answers = 0
    return peer


@pytest.mark.parametrize("what", ["request", "answer"])
@pytest.mark.parametrize("name", sorted(HARMLESS))
def test_a_harmless_request_is_repeated(name: str, what: str) -> None:
    line = PeerLine()
    peer = prepared(line, name)
    calm = HARMLESS[name](prepared(PeerLine(), name))

    def lose_two(number: int, data: bytes) -> bytes:
        return b"" if number < 2 else data

    setattr(line, f"damage_{what}", lose_two)
    found = HARMLESS[name](peer)
    assert found == calm or name == "COUNTERS"
    arrived = 1 if what == "request" else 3
    assert line.requests[:arrived] == [line.requests[0]] * arrived
    assert len(line.sent) == len(line.requests) + 3 - arrived


@pytest.mark.parametrize("name", sorted(HARMLESS))
def test_three_attempts_are_enough(name: str) -> None:
    line = PeerLine()
    peer = prepared(line, name)
    line.damage_answer = lambda _, data: b""
    with pytest.raises(ProtocolError, match=rf"no answer to {name.split()[0]} within 0\.02 s") as caught:
        HARMLESS[name](peer)
    assert len(line.requests) == 3
    assert caught.value.hint == "is the board powered, flashed by tinyc, and is this its port?"


@pytest.mark.parametrize("what", ["request", "answer"])
@pytest.mark.parametrize("name", sorted(ONCE))
def test_other_requests_are_never_sent_twice(name: str, what: str) -> None:
    line = PeerLine()
    peer = prepared(line, name)
    setattr(line, f"damage_{what}", lambda number, data: b"" if number == 0 else data)
    with pytest.raises(ProtocolError, match=f"no answer to {name} within"):
        ONCE[name](peer)
    assert len(line.sent) == 1


def test_a_late_answer_serves_the_repetition() -> None:
    peer = client(PeerLine(late=frozenset({0})))
    assert peer.echo("one") == "one"
    assert peer.echo("two") == "two"


def test_a_late_answer_is_not_taken_for_another() -> None:
    line = PeerLine()
    peer = prepared(line, "")
    line.late = frozenset({0})
    with pytest.raises(ProtocolError, match="no answer to PROFILE"):
        peer.profile(3, 2)
    assert peer.profile(3, 2) == [1003, 1004]
    assert peer.read(0, 4) == bytes(4)


@pytest.mark.parametrize(
    "change",
    [
        lambda message: message[:6] + bytes([message[6] ^ 1]) + message[7:],  # sequence
        lambda message: message[:7] + bytes([message[7] ^ 1]) + message[8:],  # command
        lambda message: message[:5] + bytes([message[5] ^ 1]) + message[6:],  # group
        lambda message: bytes([message[0] ^ 1]) + message[1:],  # a request instead of an answer
        lambda message: bytes([message[0] ^ 2]) + message[1:],  # the answer to a write
    ],
)
def test_an_answer_to_something_else_is_ignored(change: Callable[[bytes], bytes]) -> None:
    line = PeerLine(change_answer=lambda number, message: change(message) if number == 0 else message)
    assert client(line).hello().board == "fake"
    assert len(line.requests) == 2


def test_noise_and_text_around_an_answer() -> None:
    noise = b"boot\r\n\x06\x04\x14QUJD\n\x06\x09AA\n*** Booting\x06\x09AAAA"
    line = PeerLine(damage_answer=lambda _, data: noise + data + noise)
    peer = client(line, timeout=0.5)
    assert [peer.hello().board, peer.hello().board] == ["fake", "fake"]
    assert len(line.requests) == 2


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_a_bad_line_never_gives_wrong_bytes(seed: int) -> None:
    """Lost, flipped and doubled bytes in both directions: the right result or an error in words."""
    rng = random.Random(seed)

    def damage(_: int, data: bytes) -> bytes:
        if rng.random() < 0.6:
            return data
        at = rng.randrange(len(data))
        changed = rng.choice([b"", data[at : at + 1] * 2, bytes([data[at] ^ 1 << rng.randrange(8)])])
        return data[:at] + changed + data[at + 1 :]

    line = PeerLine(damage_request=damage, damage_answer=damage)
    inputs = rng.randbytes(1000)
    try:
        peer = client(line, timeout=0.005)
        peer.set_inputs(inputs)
        assert bytes(line.device.arena[:700] + line.device.arena[704:1004]) == inputs
        peer.invoke()
        assert peer.outputs() == expected_outputs(line.device, inputs)
    except ProtocolError as error:
        assert isinstance(error, NoAnswer)
    assert line.device.counters["invocations"] <= 1


def test_one_wait_for_the_first_byte_and_short_ones_inside_an_answer() -> None:
    """A lost byte must not hold an answer up for as long as a computation may take."""

    class Slow(PeerLine):
        waits: ClassVar[list[float]] = []

        def read(self, size: int, timeout: float) -> bytes:
            self.waits.append(timeout)
            return super().read(min(size, 30), timeout)

    assert DeviceClient(Slow(), 100.0).hello().board == "fake"
    assert Slow.waits[0] > 99 and len(Slow.waits) > 5
    assert max(Slow.waits[1:]) <= 0.25


def test_resync_ends_a_line_and_empties_the_line() -> None:
    line = PeerLine(late=frozenset({0}))
    peer = client(line)
    line.write(encode(frame(READ, TINYC, 5, {})))
    line.write(b"\x06\x09AAAA")
    peer.resync()
    assert line.read(1, 0) == b""
    assert peer.echo("x") == "x"
    assert len(line.sent) == 3


# --- refusals and nonsense


def answering(fields: object) -> PeerLine:
    """A device that answers everything but COUNTERS with this map."""

    def change(_: int, message: bytes) -> bytes:
        if message[5] == TINYC and message[7] == messages.Command.COUNTERS:
            return message
        return frame(message[0] & 7, message[5], message[7], fields, message[6], message[0] >> 3)

    return PeerLine(change_answer=change)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"rc": 8}, "the device refused INVOKE: the firmware does not have this command"),
        ({"rc": 3}, "the device refused INVOKE: the request is malformed or out of range"),
        ({"rc": 7}, "the answer does not fit the device's buffer"),
        ({"rc": 10}, "the device is busy"),
        ({"rc": 99}, "the device refused INVOKE: error 99"),
        ({"rc": "x"}, "error x"),
        ({"rc": [1]}, "error"),
        ({"err": {"group": 64, "rc": 1}}, "error 1 of group 64"),
        ({"err": {"group": 64, "rc": 2}}, "the device refused INVOKE: the request is malformed"),
        ({"err": {"group": 64, "rc": 3}}, "the device refused INVOKE: the request is out of range"),
        ({"err": {"group": 64, "rc": 77}}, "error 77 of group 64"),
        ({"err": {"group": 5, "rc": 3}}, "error 3 of group 5"),
        ({"err": {"group": 1, "rc": 3}}, "there is no image"),
        ({"err": {"group": [], "rc": []}}, "refused"),
        ({"err": {}}, "refused"),
        ({"err": 3}, "makes no sense"),
        ({}, "the device's answer to INVOKE makes no sense: `cycles`: Field required"),
        ({"cycles": -1}, "makes no sense"),
        ({"cycles": 1.5}, "makes no sense"),
        ({"cycles": "1"}, "makes no sense"),
        ({"cycles": True}, "makes no sense"),
        ({"cycles": 5, "header": 1}, "makes no sense"),
        ({"cycles": 5, "sequence": 1}, "makes no sense"),
        ({5: 5}, "makes no sense"),
        ([1], "is no map"),
        (5, "is no map"),
        (cbor2.undefined, "is no map"),
    ],
)
def test_refusals_and_nonsense(fields: object, text: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        client(answering(fields)).invoke()
    assert text in caught.value.what


def test_unknown_keys_are_ignored() -> None:
    assert client(answering({"cycles": 5, "later": {"more": [1.5, None]}, "rc": 0})).invoke() == 5


@given(st.binary(max_size=60))
def test_any_bytes_are_an_answer_or_an_error(body: bytes) -> None:
    def change(_: int, message: bytes) -> bytes:
        return message[:2] + len(body).to_bytes(2, "big") + message[4:8] + body

    with pytest.raises(ProtocolError):
        client(PeerLine(change_answer=change)).hello()


def test_deep_answers() -> None:
    nested: object = 1
    for _ in range(300):
        nested = [nested]
    assert client(answering({"cycles": 5, "deep": nested})).invoke() == 5
    body = b"\xa1\x61x" + b"\x81" * 6000 + b"\x00"

    def change(_: int, message: bytes) -> bytes:
        return message[:2] + len(body).to_bytes(2, "big") + message[4:8] + body

    with pytest.raises(ProtocolError):
        client(PeerLine(change_answer=change)).invoke()


@pytest.mark.parametrize("version", [1, 3])
def test_another_version_of_the_protocol(version: int) -> None:
    for lies in ({"proto": version}, {"proto": version, "arena": "another kind"}):
        with pytest.raises(ProtocolError, match=f"speaks protocol version {version}") as caught:
            client(PeerLine(FakeDevice(lies=lies))).hello()
        assert caught.value.allowed == "version 2"
        assert caught.value.hint == "build and flash the firmware with this tinyc"


@pytest.mark.parametrize(
    ("lies", "text"),
    [
        ({"arena": 1911}, "the device's HELLO contradicts itself"),
        ({"inputs": [[2999, 2]]}, "contradicts itself"),
        ({"outputs": [[2**40, 1]]}, "contradicts itself"),
        ({"model": b"short"}, "contradicts itself"),
        ({"firmware": b""}, "contradicts itself"),
        ({"chip": bytes(9)}, "contradicts itself"),
        ({"inputs": [[-1, 2]]}, "makes no sense: `inputs.0.0`"),
        ({"inputs": [[1, 2, 3]]}, "makes no sense: `inputs.0`"),
        ({"inputs": 5}, "makes no sense: `inputs`"),
        ({"model": "text" * 8}, "makes no sense: `model`"),
        ({"board": b"bytes"}, "makes no sense: `board`"),
        ({"version": 5}, "makes no sense: `release`"),
        ({"layers": None}, "makes no sense: `layers`"),
        ({"slots": [["A"]]}, "makes no sense: `slots.0.1`"),
        ({"proto": None}, "protocol version None"),
    ],
)
def test_a_hello_that_lies(lies: dict[str, Any], text: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        client(PeerLine(FakeDevice(buffer=2048, lies=lies))).hello()
    assert text in caught.value.what


@pytest.mark.parametrize(
    ("call", "fields", "text"),
    [
        (lambda peer: peer.read(0, 3), {"off": 0, "data": b"ab"}, "sent 2 bytes from byte 0 on for 3"),
        (lambda peer: peer.read(0, 3), {"off": 1, "data": b"abc"}, "sent 3 bytes from byte 1 on for 3"),
        (lambda peer: peer.write(4, b"abc"), {"off": 6}, "goes on at byte 6 after bytes 4 to 7"),
        (
            lambda peer: peer.profile(2, 3),
            {"first": 2, "cycles": [1, 2]},
            "ran 2 layers from layer 2 on for 3",
        ),
        (lambda peer: peer.profile(2, 1), {"first": 3, "cycles": [1]}, "ran 1 layers from layer 3 on for 1"),
    ],
)
def test_answers_that_do_not_fit_the_request(call: Call, fields: dict[str, Any], text: str) -> None:
    line = answering(fields)
    peer = client(line)
    peer._buffer = 512
    with pytest.raises(ProtocolError) as caught:
        call(peer)
    assert text in caught.value.what


def test_a_buffer_that_is_too_small() -> None:
    with pytest.raises(ProtocolError, match="the device's message buffer has 20 bytes") as caught:
        client(PeerLine(FakeDevice(told_buffer=20))).read(0, 4)
    assert caught.value.allowed == "at least 64 bytes"


def test_a_buffer_smaller_than_the_device_says() -> None:
    line = PeerLine(FakeDevice(buffer=512, told_buffer=10**9))
    with pytest.raises(ProtocolError, match="the answer does not fit"):
        client(line).read(0, 3000)
    assert client(line).read(0, 400) == bytes(400)


def test_what_the_firmware_does_not_have() -> None:
    peer = client(PeerLine(FakeDevice(front_ends=False)))
    for call in (peer.audio_reset, lambda: peer.audio_push([1]), lambda: peer.text(b"x")):
        with pytest.raises(ProtocolError, match="does not have this command"):
            call()


@pytest.mark.parametrize(
    "call",
    [
        lambda peer: peer.read(2999, 2),
        lambda peer: peer.write(2999, b"ab"),
        lambda peer: peer.run_layer(70),
        lambda peer: peer.profile(60, 11),
    ],
)
def test_out_of_range(call: Call) -> None:
    with pytest.raises(ProtocolError, match="out of range"):
        call(client(PeerLine()))


# --- the libraries' own clients and messages


def test_smpclient_over_the_line() -> None:
    line = PeerLine(change_answer=lambda n, message: message)

    async def talk() -> None:
        async with SMPClient(LineTransport(line), "") as public:
            echo = await public.request(EchoWrite(d="hello"))
            assert success(echo) and echo.r == "hello"
            hello = await public.request(messages.Hello())
            assert success(hello) and (hello.board, hello.release) == ("fake", "1.2.3")
            written = await public.request(messages.Input(off=4, data=b"abc"))
            assert success(written) and written.off == 7
            ran = await public.request(messages.Invoke())
            assert success(ran) and ran.cycles > 0
            read = await public.request(messages.Output(off=0, len=3))
            assert success(read) and len(read.data) == 3
            profile = await public.request(messages.Profile(first=1, count=2))
            assert success(profile) and profile.cycles == (1001, 1002)
            counters = await public.request(messages.Counters())
            assert success(counters) and counters.invocations == 1
            assert success(await public.request(messages.Audio(reset=True)))
            assert success(await public.request(messages.Text(text=b"a b")))
            stored = await public.request(messages.ArenaWrite(off=0, data=b"x"))
            assert success(stored)
            loaded = await public.request(messages.ArenaRead(off=0, len=1))
            assert success(loaded) and loaded.data == b"x"
            names = await public.request(ListOfGroups())
            assert success(names) and names.stat_list == ("tinyc",)
            statistics = await public.request(GroupData(name="tinyc"))
            assert success(statistics) and statistics.fields["invocations"] == 1
            unknown = await public.request(GroupData(name="other"))
            assert error_v2(unknown) and unknown.err.rc == 2
            refused = await public.request(messages.ArenaRead(off=5000, len=1))
            assert error_v2(refused) and refused.err.rc is messages.Failure.OUT_OF_RANGE
            line.device.front_ends = False
            missing = await public.request(messages.Text(text=b""))
            assert error_v1(missing) and missing.rc == ENOTSUP

    asyncio.run(talk())


def test_smpclient_learns_the_buffer() -> None:
    async def talk(line: PeerLine) -> tuple[int, int, int]:
        transport = LineTransport(line)
        before = transport.mtu
        async with SMPClient(transport, ""):
            return before, transport.mtu, transport.max_unencoded_size

    assert asyncio.run(talk(PeerLine(FakeDevice(buffer=2048)))) == (512, 2048, 2044)


def test_smpclient_ends_a_request_without_an_answer() -> None:
    line = PeerLine(damage_answer=lambda number, data: b"" if number == 1 else b"noise\n" + data)
    line.late = frozenset({3})

    async def talk() -> None:
        async with SMPClient(LineTransport(line), "") as public:
            with pytest.raises(TimeoutError):
                await public.request(EchoWrite(d="1"), timeout_s=0.02)
            assert success(await public.request(EchoWrite(d="2"), timeout_s=0.5))
            with pytest.raises(TimeoutError):
                await public.request(EchoWrite(d="3"), timeout_s=0.02)
            # The late answer comes before this one and is ignored.
            last = await public.request(EchoWrite(d="4"), timeout_s=0.5)
            assert success(last) and last.r == "4"

    asyncio.run(talk())


def test_version_1_of_smp() -> None:
    line = PeerLine()
    old = Version.V1

    async def talk() -> None:
        async with SMPClient(LineTransport(line), "") as public:
            hello = await public.request(messages.Hello(version=old))
            assert success(hello) and hello.header.version == old
            refused = await public.request(messages.ArenaRead(off=5000, len=1, version=old))
            assert error_v1(refused) and refused.rc == 3

    asyncio.run(talk())


def test_smp_writes_what_the_peer_reads() -> None:
    """The peer builds its messages by itself: both sides must mean the same bytes."""
    cases = [
        (messages.Hello(sequence=1), READ, 64, 0, {}),
        (messages.Input(off=5, data=b"ab", sequence=1), WRITE, 64, 1, {"off": 5, "data": b"ab"}),
        (messages.Invoke(sequence=1), WRITE, 64, 2, {}),
        (messages.Output(off=5, len=6, sequence=1), READ, 64, 3, {"off": 5, "len": 6}),
        (messages.Profile(first=1, count=2, sequence=1), WRITE, 64, 4, {"first": 1, "count": 2}),
        (messages.Counters(sequence=1), READ, 64, 5, {}),
        (messages.ArenaRead(off=5, len=6, sequence=1), READ, 64, 6, {"off": 5, "len": 6}),
        (messages.ArenaWrite(off=5, data=b"ab", sequence=1), WRITE, 64, 6, {"off": 5, "data": b"ab"}),
        (messages.Audio(reset=True, sequence=1), WRITE, 64, 7, {"reset": True}),
        (messages.Audio(data=b"ab", sequence=1), WRITE, 64, 7, {"data": b"ab"}),
        (messages.Audio(sequence=1), WRITE, 64, 7, {}),
        (messages.Text(text=b"ab", sequence=1), WRITE, 64, 8, {"text": b"ab"}),
        (os_management.ResetWriteRequest(sequence=1), WRITE, 0, 5, {}),
        (MCUMgrParametersRead(sequence=1), READ, 0, 6, {}),
        (statistics_management.ListOfGroupsRequest(sequence=1), READ, 2, 1, {}),
    ]
    for message, op, group, command, fields in cases:
        own = frame(op, group, command, fields, sequence=1)
        assert bytes(message)[:8] == own[:8]
        assert cbor2.loads(bytes(message)[8:]) == fields


def test_the_client_leaves_no_event_loop_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    async def inside_a_loop() -> str:
        return client(PeerLine()).hello().board

    assert asyncio.run(inside_a_loop()) == "fake"
    with pytest.raises(ProtocolError):
        client(answering({})).invoke()
    assert not caplog.records


def test_a_real_serial_port() -> None:
    line = PeerLine(FakeDevice(buffer=2048))
    inputs = random.Random(4).randbytes(1000)
    with serial_port(line) as port, SerialTransport(port) as transport:
        peer = DeviceClient(transport)
        started = time.monotonic()
        assert peer.run(inputs) == expected_outputs(line.device, inputs)
        assert peer.echo("x" * 1900) == "x" * 1900
        # Nobody waited for bytes that never come.
        assert time.monotonic() - started < 2.0


def test_smpclients_own_serial_transport() -> None:
    """Line lengths and CRCs of another implementation."""

    async def talk(port: str) -> None:
        async with SMPClient(SMPSerialTransport(), port) as public:
            echo = await public.request(EchoWrite(d="x" * 400))
            assert success(echo) and echo.r == "x" * 400
            data = random.Random(5).randbytes(400)
            stored = await public.request(messages.ArenaWrite(off=9, data=data))
            assert success(stored) and stored.off == 409
            loaded = await public.request(messages.ArenaRead(off=9, len=400))
            assert success(loaded) and loaded.data == data

    with serial_port(PeerLine()) as port:
        asyncio.run(talk(port))


@pytest.mark.parametrize(
    "module",
    [
        *("tinyc.cli", "tinyc.cli.target", "tinyc.pipeline", "tinyc.execution", "tinyc.emit.project"),
        *("tinyc.device.limits", "tinyc.device.transport", "tinyc.toolchain.doctor"),
    ],
)
def test_smp_is_loaded_only_to_talk_to_a_device(module: str) -> None:
    code = f"import sys, {module}; print({{'smp', 'smpclient', 'cbor2'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
