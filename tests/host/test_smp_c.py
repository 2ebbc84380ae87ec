"""The firmware's SMP server, the very C files, against other implementations of frames and CBOR."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import numpy as np
import pytest
from smp import image_management, os_management, statistics_management

from support import smp_device
from support.smp_device import (
    ARENA,
    ARENA_PART,
    AUDIO,
    COUNTERS,
    FIRMWARE,
    HELLO,
    INPUT,
    INPUTS,
    INVOKE,
    LAYERS,
    MODEL,
    OS,
    OUTPUT,
    OUTPUTS,
    PROFILE,
    READ,
    STAT,
    TEXT,
    TEXT_LENGTH,
    TINYC,
    WRITE,
    Heard,
    exchange,
    frame,
    message,
)
from tinyc.toolchain.host_compiler import compiler_called, find_compiler

pytestmark = pytest.mark.host

BUFFER = 2048
MALFORMED, OUT_OF_RANGE = 2, 3
INVALID, TOO_LONG, UNSUPPORTED, TOO_NEW = 3, 7, 8, 13
INPUT_BYTES, OUTPUT_BYTES = sum(size for _, size in INPUTS), sum(size for _, size in OUTPUTS)
PING = frame(message(WRITE, OS, 0, {"d": "still there"}, sequence=99))
PONG = {"r": "still there"}


@pytest.fixture(scope="module", params=["default", "clang"])
def server(request: pytest.FixtureRequest) -> Path:
    compiler = find_compiler() if request.param == "default" else compiler_called("clang")
    if compiler is None:
        pytest.skip("clang is not installed")
    return smp_device.compiled(compiler, BUFFER)


@pytest.fixture(scope="module")
def small() -> Path:
    """The server with the buffer of small boards."""
    return smp_device.compiled(find_compiler(), 512)


def ask(server: Path, *messages: bytes) -> Heard:
    heard = exchange(server, (frame(data) for data in messages))
    assert len(heard.answers) == len(messages)
    for data, answer in zip(messages, heard.answers, strict=True):
        assert answer.operation == (data[0] & 7) | 1
        assert answer.raw[4:8] == data[4:8]
    return heard


def one(server: Path, *request: Any, **more: Any) -> dict[str, Any]:
    """The body of the answer to one request."""
    return dict(ask(server, message(*request, **more)).answers[0].body)


def refusal(rc: int, group: int | None = None) -> dict[str, Any]:
    return {"rc": rc} if group is None else {"err": {"group": group, "rc": rc}}


def test_hello(server: Path) -> None:
    expected = {
        "proto": 2,
        "board": "a_board",
        "chip": bytes(range(1, 9)),
        "firmware": FIRMWARE,
        "model": MODEL,
        "name": "ständ-in",
        "version": "1.2.3",
        "tinyc": "9.9.9",
        "clock": 64_000_000,
        "arena": ARENA,
        "layers": LAYERS,
        "inputs": [list(place) for place in INPUTS],
        "outputs": [list(place) for place in OUTPUTS],
        "ram": 0,
        "slots": [],
    }
    body = one(server, READ, TINYC, HELLO)
    assert body == expected and list(body) == list(expected)


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("sequence", [0, 1, 66, 255])
def test_the_answer_has_the_header_of_the_request(server: Path, version: int, sequence: int) -> None:
    request = message(READ, TINYC, COUNTERS, version=version, sequence=sequence)
    (answer,) = ask(server, request).answers
    assert (answer.version, answer.sequence, answer.group, answer.command) == (version, sequence, 64, 5)
    assert list(answer.body) == ["packets", "dropped", "refused", "invocations"]


def test_the_messages_of_another_implementation(server: Path) -> None:
    """Requests that `smp` makes, answers that it reads."""
    requests = [
        os_management.EchoWriteRequest(d="hello"),
        os_management.MCUMgrParametersReadRequest(),
        statistics_management.ListOfGroupsRequest(),
        statistics_management.GroupDataRequest(name="tinyc"),
        os_management.ResetWriteRequest(),
    ]
    heard = ask(server, *(request.BYTES for request in requests))
    raw = [answer.raw for answer in heard.answers]
    assert os_management.EchoWriteResponse.loads(raw[0]).r == "hello"
    parameters = os_management.MCUMgrParametersReadResponse.loads(raw[1])
    assert (parameters.buf_size, parameters.buf_count) == (BUFFER, 1)
    assert list(statistics_management.ListOfGroupsResponse.loads(raw[2]).stat_list) == ["tinyc"]
    found = statistics_management.GroupDataResponse.loads(raw[3])
    assert (found.name, found.fields) == (
        "tinyc",
        {"packets": 4, "dropped": 0, "refused": 0, "invocations": 0},
    )
    os_management.ResetWriteResponse.loads(raw[4])
    assert heard.log == ("reset",)
    (error,) = ask(server, image_management.ImageStatesReadRequest().BYTES).answers
    assert error.body == refusal(UNSUPPORTED)


def test_the_byte_examples() -> None:
    """Two frames as other clients and servers have them."""
    server = smp_device.compiled(find_compiler(), BUFFER)
    heard = exchange(server, b"\x06\x09ABMKAAAJAABCAKFhZGVoZWxsb0YZ\n")
    assert heard.raw == b"\x06\x09ABMLAAAJAABCAKFhcmVoZWxsb8Cl\n"


@pytest.mark.parametrize("operation", [READ, WRITE])
@pytest.mark.parametrize("text", ["", "a", "ä" * 40, "x" * 23, "x" * 24, "x" * 255, "x" * 256, "x" * 2000])
def test_echo(server: Path, operation: int, text: str) -> None:
    assert one(server, operation, OS, 0, {"d": text}) == {"r": text}


def test_reset_comes_after_its_answer(server: Path) -> None:
    for body in ({}, {"force": 1}, {"boot_mode": 0, "force": 0}):
        heard = ask(server, message(WRITE, OS, 5, body))
        assert heard.answers[0].body == {} and heard.log == ("reset",)
        assert heard.raw.endswith(b"\n!reset\n")


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(
    ("request_", "rc", "group"),
    [
        ((READ, OS, 5), UNSUPPORTED, None),
        ((WRITE, OS, 6), UNSUPPORTED, None),
        ((4, OS, 0, {"d": "x"}), UNSUPPORTED, None),
        ((6, TINYC, INVOKE), UNSUPPORTED, None),
        ((READ, OS, 1), UNSUPPORTED, None),
        ((READ, OS, 7), UNSUPPORTED, None),
        ((READ, 1, 0), UNSUPPORTED, None),
        ((READ, 63, 0), UNSUPPORTED, None),
        ((READ, 65, 0), UNSUPPORTED, None),
        ((READ, 64 * 257, 0), UNSUPPORTED, None),
        ((WRITE, OS, 0), INVALID, None),
        ((WRITE, OS, 0, {"d": 1}), INVALID, None),
        ((WRITE, OS, 0, {"d": b"bytes"}), INVALID, None),
        ((READ, STAT, 0), INVALID, None),
        ((READ, STAT, 0, {"name": 1}), INVALID, None),
        ((WRITE, STAT, 0, {"name": "tinyc"}), UNSUPPORTED, None),
        ((WRITE, STAT, 1), UNSUPPORTED, None),
        ((READ, STAT, 2), UNSUPPORTED, None),
        ((READ, STAT, 0, {"name": "tiny"}), 2, STAT),
        ((READ, STAT, 0, {"name": "tinyb"}), 2, STAT),
        ((READ, STAT, 0, {"name": "tinyc "}), 2, STAT),
        ((READ, STAT, 0, {"name": ""}), 2, STAT),
        ((WRITE, TINYC, HELLO), UNSUPPORTED, None),
        ((READ, TINYC, INPUT, {"off": 0, "data": b"a"}), UNSUPPORTED, None),
        ((READ, TINYC, INVOKE), UNSUPPORTED, None),
        ((WRITE, TINYC, OUTPUT, {"off": 0, "len": 1}), UNSUPPORTED, None),
        ((READ, TINYC, PROFILE, {"first": 0, "count": 1}), UNSUPPORTED, None),
        ((WRITE, TINYC, COUNTERS), UNSUPPORTED, None),
        ((READ, TINYC, AUDIO, {"data": b""}), UNSUPPORTED, None),
        ((READ, TINYC, TEXT, {"text": ""}), UNSUPPORTED, None),
        ((WRITE, TINYC, 9), UNSUPPORTED, None),
        ((WRITE, TINYC, 255), UNSUPPORTED, None),
        ((WRITE, TINYC, INPUT), MALFORMED, TINYC),
        ((WRITE, TINYC, INPUT, {"off": 0}), MALFORMED, TINYC),
        ((WRITE, TINYC, INPUT, {"data": b""}), MALFORMED, TINYC),
        ((WRITE, TINYC, INPUT, {"off": "0", "data": b""}), MALFORMED, TINYC),
        ((WRITE, TINYC, INPUT, {"off": -1, "data": b""}), MALFORMED, TINYC),
        ((WRITE, TINYC, INPUT, {"off": 0.0, "data": b""}), MALFORMED, TINYC),
        ((WRITE, TINYC, INPUT, {"off": None, "data": b""}), MALFORMED, TINYC),
        ((WRITE, TINYC, INPUT, {"off": False, "data": b""}), MALFORMED, TINYC),
        ((WRITE, TINYC, INPUT, {"off": [0], "data": b""}), MALFORMED, TINYC),
        ((WRITE, TINYC, INPUT, {"off": cbor2.CBORTag(99, 0), "data": b""}), MALFORMED, TINYC),
        ((WRITE, TINYC, INPUT, {"off": 0, "data": "text"}), MALFORMED, TINYC),
        ((WRITE, TINYC, INPUT, {"off": 0, "data": 3}), MALFORMED, TINYC),
        ((WRITE, TINYC, INPUT, {"off": INPUT_BYTES, "data": b"a"}), OUT_OF_RANGE, TINYC),
        ((WRITE, TINYC, INPUT, {"off": 0, "data": bytes(INPUT_BYTES + 1)}), OUT_OF_RANGE, TINYC),
        ((WRITE, TINYC, INPUT, {"off": 0xFFFFFFFF, "data": bytes(2)}), OUT_OF_RANGE, TINYC),
        ((WRITE, TINYC, INPUT, {"off": 1 << 32, "data": b"a"}), OUT_OF_RANGE, TINYC),
        ((WRITE, TINYC, INPUT, {"off": (1 << 64) - 1, "data": b""}), OUT_OF_RANGE, TINYC),
        ((READ, TINYC, OUTPUT, {"off": 0}), MALFORMED, TINYC),
        ((READ, TINYC, OUTPUT, {"off": 0, "len": b"1"}), MALFORMED, TINYC),
        ((READ, TINYC, OUTPUT, {"off": 1, "len": OUTPUT_BYTES}), OUT_OF_RANGE, TINYC),
        ((READ, TINYC, OUTPUT, {"off": OUTPUT_BYTES + 1, "len": 0}), OUT_OF_RANGE, TINYC),
        ((READ, TINYC, OUTPUT, {"off": 1, "len": 0xFFFFFFFF}), OUT_OF_RANGE, TINYC),
        ((READ, TINYC, ARENA_PART, {"off": ARENA, "len": 1}), OUT_OF_RANGE, TINYC),
        ((READ, TINYC, ARENA_PART, {"off": 0, "len": ARENA + 1}), OUT_OF_RANGE, TINYC),
        ((READ, TINYC, ARENA_PART, {"off": 0, "data": b""}), MALFORMED, TINYC),
        ((WRITE, TINYC, ARENA_PART, {"off": 0, "len": 1}), MALFORMED, TINYC),
        ((WRITE, TINYC, ARENA_PART, {"off": ARENA - 1, "data": b"ab"}), OUT_OF_RANGE, TINYC),
        ((READ, TINYC, ARENA_PART, {"off": 0, "len": ARENA}), TOO_LONG, None),
        ((READ, TINYC, ARENA_PART, {"off": 0, "len": BUFFER - 4 - 8}), TOO_LONG, None),
        ((WRITE, TINYC, PROFILE), MALFORMED, TINYC),
        ((WRITE, TINYC, PROFILE, {"first": 0}), MALFORMED, TINYC),
        ((WRITE, TINYC, PROFILE, {"first": 0, "count": True}), MALFORMED, TINYC),
        ((WRITE, TINYC, PROFILE, {"first": 0, "count": 65}), OUT_OF_RANGE, TINYC),
        ((WRITE, TINYC, PROFILE, {"first": LAYERS, "count": 1}), OUT_OF_RANGE, TINYC),
        ((WRITE, TINYC, PROFILE, {"first": LAYERS + 1, "count": 0}), OUT_OF_RANGE, TINYC),
        ((WRITE, TINYC, PROFILE, {"first": LAYERS - 3, "count": 4}), OUT_OF_RANGE, TINYC),
        ((WRITE, TINYC, PROFILE, {"first": 0xFFFFFFFF, "count": 2}), OUT_OF_RANGE, TINYC),
        ((WRITE, TINYC, AUDIO, {"data": b"abc"}), OUT_OF_RANGE, TINYC),
        ((WRITE, TINYC, AUDIO, {"reset": True, "data": b"abc"}), OUT_OF_RANGE, TINYC),
        ((WRITE, TINYC, AUDIO, {"reset": True, "data": "ab"}), MALFORMED, TINYC),
        ((WRITE, TINYC, AUDIO, {"reset": 1, "data": b"ab"}), MALFORMED, TINYC),
        ((WRITE, TINYC, AUDIO, {"reset": None}), MALFORMED, TINYC),
        ((WRITE, TINYC, TEXT), MALFORMED, TINYC),
        ((WRITE, TINYC, TEXT, {"text": 1}), MALFORMED, TINYC),
        ((WRITE, TINYC, TEXT, {"text": ["a"]}), MALFORMED, TINYC),
    ],
)
def test_refusals(server: Path, version: int, request_: tuple[Any, ...], rc: int, group: int | None) -> None:
    """Each error in both versions, and that nothing was done."""
    untouched = message(READ, TINYC, ARENA_PART, {"off": 0, "len": 1000})
    heard = ask(server, message(*request_, version=version), untouched, message(READ, TINYC, COUNTERS))
    expected = refusal(rc, group)
    if version == 0 and group is not None:
        expected = refusal({TINYC: 3, STAT: 5}[group])
    first, second, third = heard.answers
    assert first.body == expected and first.version == version
    assert heard.log == ()
    assert second.body["data"] == bytes(1000)
    assert third.body == {"packets": 3, "dropped": 0, "refused": 1, "invocations": 0}


def test_versions_and_lengths_that_are_wrong(server: Path) -> None:
    for version in (2, 3):
        (answer,) = ask(server, message(READ, OS, 6, version=version)).answers
        assert answer.body == refusal(TOO_NEW) and answer.version == 1
    for length in (0, 1, 100, 0xFFFF):
        assert one(server, WRITE, TINYC, INVOKE, {"a": 1}, length=length) == refusal(INVALID)


def test_answers_are_not_answered(server: Path) -> None:
    """A line that leads back to itself must stay silent."""
    stream = [frame(message(operation, OS, 0, {"d": "x"})) for operation in (1, 3, 5, 7)]
    heard = exchange(server, [*stream, PING])
    assert [answer.body for answer in heard.answers] == [PONG]


def test_a_message_without_a_map_counts_as_an_empty_one(server: Path) -> None:
    assert one(server, READ, OS, 6, b"") == {"buf_size": BUFFER, "buf_count": 1}
    assert one(server, WRITE, OS, 0, b"") == refusal(INVALID)


def test_inputs_and_outputs_in_any_parts(server: Path) -> None:
    rng = np.random.default_rng(4)
    data = rng.integers(0, 256, INPUT_BYTES).astype(np.uint8).tobytes()
    cuts = [0, *sorted(rng.integers(0, INPUT_BYTES + 1, 5).tolist()), INPUT_BYTES]
    parts = list(itertools.pairwise(cuts))
    rng.shuffle(parts)
    writes = [message(WRITE, TINYC, INPUT, {"off": a, "data": data[a:b]}) for a, b in parts]
    places = [message(READ, TINYC, ARENA_PART, {"off": at, "len": size}) for at, size in INPUTS]
    heard = ask(server, *writes, *places)
    assert [answer.body for answer in heard.answers[: len(parts)]] == [{"off": b} for _, b in parts]
    read = [answer.body for answer in heard.answers[len(parts) :]]
    assert read == [{"off": at, "data": data[a : a + n]} for (at, n), a in zip(INPUTS, (0, 100), strict=True)]

    content = rng.integers(0, 256, OUTPUT_BYTES).astype(np.uint8).tobytes()
    fill = [
        message(WRITE, TINYC, ARENA_PART, {"off": at, "data": content[a : a + n]})
        for (at, n), a in zip(OUTPUTS, (0, 60), strict=True)
    ]
    wanted = [
        (a, n) for a in range(0, OUTPUT_BYTES + 1, 3) for n in (0, 1, 9, OUTPUT_BYTES - a) if a + n <= 67
    ]
    heard = ask(server, *fill, *(message(READ, TINYC, OUTPUT, {"off": a, "len": n}) for a, n in wanted))
    for (a, n), answer in zip(wanted, heard.answers[2:], strict=True):
        assert answer.body == {"off": a, "data": content[a : a + n]}


def test_inference(server: Path) -> None:
    data = bytes(range(100))
    heard = ask(
        server,
        message(WRITE, TINYC, INPUT, {"off": 0, "data": data}),
        message(WRITE, TINYC, INVOKE),
        message(READ, TINYC, OUTPUT, {"off": 0, "len": 60}),
        message(READ, TINYC, COUNTERS),
    )
    assert heard.answers[1].body == {"cycles": 70_000}
    assert heard.answers[2].body["data"] == bytes(range(1, 61))
    assert heard.answers[3].body["invocations"] == 1
    assert heard.log == ("invoke",)


@pytest.mark.parametrize(("first", "count"), [(0, 0), (0, 1), (3, 5), (6, 64), (69, 1), (70, 0)])
def test_profile(server: Path, first: int, count: int) -> None:
    heard = ask(server, message(WRITE, TINYC, PROFILE, {"first": first, "count": count}))
    layers = range(first, first + count)
    assert heard.answers[0].body == {"first": first, "cycles": [layer * 1000 for layer in layers]}
    assert heard.log == tuple(f"layer {layer}" for layer in layers)


def test_the_arena_to_its_last_byte(server: Path) -> None:
    heard = ask(
        server,
        message(WRITE, TINYC, ARENA_PART, {"off": ARENA - 3, "data": b"abc"}),
        message(READ, TINYC, ARENA_PART, {"off": ARENA - 4, "len": 4}),
        message(READ, TINYC, ARENA_PART, {"off": ARENA, "len": 0}),
        message(WRITE, TINYC, ARENA_PART, {"off": ARENA, "data": b""}),
    )
    assert [answer.body for answer in heard.answers] == [
        {"off": ARENA},
        {"off": ARENA - 4, "data": b"\0abc"},
        {"off": ARENA, "data": b""},
        {"off": ARENA},
    ]


def test_the_longest_answer(server: Path, small: Path) -> None:
    for program, buffer in ((server, BUFFER), (small, 512)):
        overhead = len(cbor2.dumps({"off": 0, "data": bytes(300)})) - 300
        most = buffer - 4 - 8 - overhead
        body = one(program, READ, TINYC, ARENA_PART, {"off": 0, "len": most})
        assert body == {"off": 0, "data": bytes(most)}
        assert one(program, READ, TINYC, ARENA_PART, {"off": 0, "len": most + 1}) == refusal(TOO_LONG)
        assert one(program, READ, OS, 6) == {"buf_size": buffer, "buf_count": 1}
        assert one(program, WRITE, TINYC, PROFILE, {"first": 1, "count": 64})["first"] == 1


@pytest.mark.parametrize("filling", ["", "a", "ab", "abc"])
def test_sound_at_any_address(server: Path, filling: str) -> None:
    """The key in front moves the samples: they are read at even addresses whatever it is."""
    samples = np.random.default_rng(6).integers(-32768, 32768, 50).astype("<i2")
    for order in ({"x": filling, "data": samples.tobytes()}, {"data": samples.tobytes(), "x": filling}):
        heard = ask(
            server,
            message(WRITE, TINYC, AUDIO, {"reset": True}),
            message(WRITE, TINYC, AUDIO, order),
            message(WRITE, TINYC, AUDIO, {"reset": False, **order}),
            message(WRITE, TINYC, AUDIO),
            message(WRITE, TINYC, AUDIO, {"reset": True, **order}),
        )
        assert [answer.body["frames"] for answer in heard.answers] == [0, 5, 10, 10, 5]
        sum_ = int(samples.sum(dtype=np.int64))
        assert heard.log == (
            "audio reset",
            "audio 0 sum 0",
            f"audio 50 sum {sum_}",
            f"audio 100 sum {2 * sum_}",
            f"audio 100 sum {2 * sum_}",
            "audio reset",
            f"audio 50 sum {sum_}",
        )


@pytest.mark.parametrize("text", ["", "play", b"\xff\xfe", "x" * 49, "y" * 50, "z" * 1500])
def test_text(server: Path, text: str | bytes) -> None:
    raw = text.encode() if isinstance(text, str) else text
    heard = ask(
        server,
        message(WRITE, TINYC, ARENA_PART, {"off": 0, "data": b"\x55" * 200}),
        message(WRITE, TINYC, TEXT, {"text": text}),
        message(READ, TINYC, ARENA_PART, {"off": INPUTS[0][0], "len": INPUTS[0][1]}),
    )
    ids = list(raw[:TEXT_LENGTH])
    assert heard.answers[1].body == {"ids": len(ids)}
    padded = ids + [0] * (TEXT_LENGTH - len(ids))
    assert heard.answers[2].body["data"] == struct.pack("<50h", *padded)


# Maps.

ODD_VALUES: tuple[Any, ...] = (
    1.5,
    float("nan"),
    1 << 40,
    -(1 << 63),
    1 << 70,
    None,
    True,
    cbor2.undefined,
    cbor2.CBORSimpleValue(99),
    cbor2.CBORTag(1, 1_700_000_000),
    [],
    {},
    [1, [2, [3, [4]]]],
    {"a": {"b": {"c": {"d": 1}}}},
    {1: 2, b"k": 3, -1: [4, {"deep": "x" * 300}]},
    "off",
    b"off",
    ["off", 3, "data", b"wrong"],
    {"off": 3},
)


def test_keys_in_every_order_among_others(server: Path) -> None:
    entries = {"off": 3, "data": b"xyz", "other": 0}
    messages, expected = [], []
    for odd in ODD_VALUES:
        for order in itertools.permutations(entries):
            body = {key: odd if key == "other" else entries[key] for key in order}
            messages.append(message(WRITE, TINYC, INPUT, body))
            expected.append({"off": 6})
    assert [answer.body for answer in ask(server, *messages).answers] == expected


def nested(depth: int, kind: int) -> Any:
    value: Any = 7
    for level in range(depth):
        choice = kind if kind < 3 else level % 3
        value = [value] if choice == 0 else {"off": value} if choice == 1 else cbor2.CBORTag(300, value)
    return value


@pytest.mark.parametrize("depth", range(7))
@pytest.mark.parametrize("kind", range(4))
def test_unknown_keys_nested(server: Path, depth: int, kind: int) -> None:
    for order in (("off", "data", "z"), ("z", "off", "data")):
        entries = {"off": 0, "data": b"a", "z": nested(depth, kind)}
        body = {key: entries[key] for key in order}
        expected = {"off": 1} if depth <= 4 else refusal(INVALID)
        assert one(server, WRITE, TINYC, INPUT, body) == expected


def open_map(entries: dict[str, Any]) -> bytes:
    inner = b"".join(cbor2.dumps(part) for pair in entries.items() for part in pair)
    return b"\xbf" + inner + b"\xff"


def test_maps_and_arrays_with_a_marked_end(server: Path) -> None:
    good = [
        open_map({"off": 1, "data": b"a"}),
        open_map({"data": b"a", "z": [], "off": 1}),
        b"\xa3\x61z\x9f\x01\x9f\xff\xbf\xff\xff" + cbor2.dumps({"off": 1, "data": b"a"})[1:],
        b"\xbf\x61z\xbf\x61a\x01\x02\x9f\x01\xff\xff" + cbor2.dumps({"off": 1, "data": b"a"})[1:] + b"\xff",
    ]
    bad = [
        open_map({"off": 1, "data": b"a"})[:-1],
        open_map({"off": 1, "data": b"a"}) + b"\xff",
        b"\xbf\x63off\x01\x64data\xff",
        b"\xbf\x63off\xff\x64data\x41a\xff",
        b"\xa3\x61z\xbf\x01\xff" + cbor2.dumps({"off": 1, "data": b"a"})[1:],
        b"\xa3\x61z\xff" + cbor2.dumps({"off": 1, "data": b"a"})[1:],
        b"\xa3\x61z\xc1\xff" + cbor2.dumps({"off": 1, "data": b"a"})[1:],
        b"\xa2\x63off\x01\x64data\x5f\x41a\xff",
        b"\xa3\x61z\x7f\x61a\xff" + cbor2.dumps({"off": 1, "data": b"a"})[1:],
    ]
    for body in good:
        assert one(server, WRITE, TINYC, INPUT, body) == {"off": 2}, body.hex()
    for body in bad:
        assert one(server, WRITE, TINYC, INPUT, body) == refusal(INVALID), body.hex()


def test_longer_forms_of_numbers_and_lengths(server: Path) -> None:
    for width, info in ((1, 0x18), (2, 0x19), (4, 0x1A), (8, 0x1B)):
        long = info.to_bytes() + (5).to_bytes(width)
        keyed = (0x60 | info).to_bytes() + (3).to_bytes(width) + b"off"
        data = (0x40 | info).to_bytes() + (1).to_bytes(width) + b"a"
        count = (0xA0 | info).to_bytes() + (2).to_bytes(width)
        assert one(server, WRITE, TINYC, INPUT, count + keyed + long + b"\x64data" + data) == {"off": 6}


def test_the_last_of_equal_keys_counts(server: Path) -> None:
    body = b"\xa3\x63off\x01\x64data\x41a\x63off\x05"
    assert cbor2.loads(body)["off"] == 5
    assert one(server, WRITE, TINYC, INPUT, body) == {"off": 6}


def bodies() -> Iterator[bytes]:
    for odd in ODD_VALUES:
        yield cbor2.dumps({"off": 3, "z": odd, "data": b"xyz"})
        yield open_map({"z": odd, "off": 3, "data": b"xyz"})


def test_truncated_and_trailing(server: Path) -> None:
    """Whatever is cut off anywhere is no map, and so is whatever has something behind it."""
    messages = []
    for body in bodies():
        messages += [message(WRITE, TINYC, INVOKE, body[:end]) for end in range(1, len(body))]
        messages += [message(WRITE, TINYC, INVOKE, body + bytes([more])) for more in (0, 0xFF, 0xA0)]
    heard = ask(server, *messages)
    assert {cbor2.dumps(dict(answer.body)) for answer in heard.answers} == {cbor2.dumps(refusal(INVALID))}
    assert heard.log == ()


@pytest.mark.parametrize(
    "body",
    [
        b"\x00", b"\x80", b"\x60", b"\xf6", b"\xf7", b"\xff", b"\xc1\xa0", b"\x9f\xff", b"\xa1",
        b"\xa1\x01\x02", b"\xa1\x41a\x02", b"\xa1\x61a\x1c", b"\xa1\x61a\x1d\0\0\0\0", b"\xa1\x61a\x1e",
        b"\xa1\x61a\x1f", b"\xa1\x61a\x3f", b"\xa1\x61a\xdf\x00", b"\xa1\x61a\xf8\x14", b"\xa1\x61a\xfc",
        b"\xbc", b"\xa1\xf4\xf5", b"\xbb" + b"\xff" * 8, b"\xba\x80\x00\x00\x00", b"\xba\x40\x00\x00\x00",
        b"\xba\x20\x00\x00\x01\x61a\x01", b"\xa1\x61a\x9b" + b"\xff" * 8, b"\xa1\x61a\xba\x80\x00\x00\x00",
        b"\xa1\x61a\x9a\x40\x00\x00\x00", b"\xa1\x7b" + b"\xff" * 8 + b"a",
        b"\xa1\x61a\x5a\xff\xff\xff\xff", b"\xa1\x61a\x5b\0\0\0\1\0\0\0\0",
        b"\xa1\x7a\xff\xff\xff\xffa\x01",
    ],
    ids=bytes.hex,
)  # fmt: skip
def test_what_is_no_map(server: Path, body: bytes) -> None:
    heard = ask(server, message(WRITE, TINYC, INVOKE, body))
    assert heard.answers[0].body == refusal(INVALID) and heard.log == ()


def test_any_bytes_as_a_map(server: Path) -> None:
    """What we take for a map, another reader takes for the same map."""
    rng = np.random.default_rng(11)
    seeds = [*bodies(), cbor2.dumps({"d": "text", "z": nested(4, 3)})]
    tried = []
    for turn in range(6000):
        body = bytearray(seeds[turn % len(seeds)])
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(len(body)))
            choice = rng.integers(3)
            if choice == 0:
                body[at] = int(rng.integers(256))
            elif choice == 1:
                del body[at]
            else:
                body.insert(at, int(rng.integers(256)))
        tried.append(bytes(body) or b"\0")
    heard = ask(server, *(message(WRITE, TINYC, INPUT, body) for body in tried))
    accepted = 0
    for body, answer in zip(tried, heard.answers, strict=True):
        value = read_whole(body)
        if answer.body != refusal(INVALID) and isinstance(value, dict):
            off, data = value.get("off"), value.get("data")
            accepted += 1
            typed = type(off) is int and off >= 0 and type(data) is bytes
            if not typed:
                assert answer.body == refusal(MALFORMED, TINYC)
            elif off + len(data) > INPUT_BYTES:
                assert answer.body == refusal(OUT_OF_RANGE, TINYC)
            else:
                assert answer.body == {"off": off + len(data)}
        elif isinstance(value, dict):
            # Refused here, taken there: only keys that are no texts, strings in pieces, deep nesting.
            assert (
                any(not isinstance(key, str) for key in value)
                or b"\x5f" in body
                or b"\x7f" in body
                or depth_of(value) > 5
            ), body.hex()
    assert accepted > 300


def read_whole(body: bytes) -> Any:
    """What another reader makes of all these bytes, None for an error."""
    try:
        value = cbor2.loads(body)
    except Exception:
        return None
    try:
        cbor2.loads(body[:-1])  # a reader that stops earlier does not look at what is behind
    except Exception:
        return value
    return None


def depth_of(value: Any) -> int:
    inner: list[Any] = []
    if isinstance(value, dict):
        inner = [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple, set, frozenset)):
        inner = list(value)
    elif isinstance(value, cbor2.CBORTag):
        inner = [value.value]
    return 1 + max(map(depth_of, inner), default=0) if inner or isinstance(value, (dict, list)) else 0


# Frames.


def good_frames() -> list[tuple[bytes, dict[str, Any], tuple[str, ...]]]:
    """Frames of one line and of several, their answers and what they do."""
    return [
        (frame(message(WRITE, TINYC, INVOKE, {})), {"cycles": 70_000}, ("invoke",)),
        (frame(message(WRITE, TINYC, INVOKE, {"fill": "x" * 120})), {"cycles": 70_000}, ("invoke",)),
        (frame(message(WRITE, TINYC, INVOKE, {"a": 1}), 16), {"cycles": 70_000}, ("invoke",)),
    ]


def check_damaged(server: Path, cases: list[bytes], answer: dict[str, Any], log: tuple[str, ...]) -> int:
    """Each case does all of what it should or nothing, and the next frame is understood. How many did it."""
    heard = exchange(server, (part for case in cases for part in (case, PING)))
    found = [dict(got.body) for got in heard.answers]
    done = 0
    assert found.count(PONG) == len(cases)
    for got in found:
        if got != PONG:
            assert got == answer
            done += 1
    assert heard.log == log * done
    return done


@pytest.mark.parametrize("number", range(3))
def test_damaged_frames(server: Path, number: int) -> None:
    good, answer, log = good_frames()[number]
    assert check_damaged(server, [good], answer, log) == 1
    cases = []
    for at in range(len(good)):
        cases.append(good[:at] + good[at + 1 :])
        cases.append(good[: at + 1] + good[at:])
        cases += [good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :] for bit in range(8)]
        cases.append(good[:at])
    # What may go through: a line feed, a marker's first byte or a padding that is there twice, bits in a
    # digit that count for nothing, a carriage return for nothing.
    assert check_damaged(server, cases, answer, log) <= 4 * good.count(b"\n") + 4


@pytest.mark.parametrize("number", range(3))
def test_lines_torn_at_every_place(server: Path, number: int) -> None:
    """Something comes between: a log line, a line feed, another frame's beginning, nothing but time."""
    good, answer, log = good_frames()[number]
    for text in (b"\n", b"\r\n", b"log text\n", b"\x06", b"\x04", b"\x06\x09", b"\x04\x14", b"\x00", b"="):
        cases = [good[:at] + text + good[at:] for at in range(1, len(good))]
        check_damaged(server, cases, answer, log)
    cases = [good[:at] + good for at in range(len(good))]
    assert check_damaged(server, cases, answer, log) >= len(cases)


def test_lines_of_any_length_and_with_carriage_returns(server: Path) -> None:
    data = message(WRITE, OS, 0, {"d": "text " * 40})
    expected = {"r": "text " * 40}
    for line in (8, 12, 16, 64, 127, 128, 400):
        got = exchange(server, [frame(data, line), frame(data, line).replace(b"\n", b"\r\n")])
        assert [answer.body for answer in got.answers] == [expected, expected]
    whole = b"".join(line[2:] for line in frame(data).split(b"\n"))
    for size in (1, 2, 3, 5, 7, 123):
        lines = [whole[at : at + size] for at in range(0, len(whole), size)]
        stream = b"".join(
            (b"\x04\x14" if at else b"\x06\x09") + line + b"\n" for at, line in enumerate(lines)
        )
        assert [answer.body for answer in exchange(server, stream).answers] == [expected]


def test_log_text_between_lines(server: Path) -> None:
    data = frame(message(WRITE, OS, 0, {"d": "text " * 40}))
    noisy = b"boot\n" + data.replace(b"\n", b"\nI: some log, \x06 and \x04 in it\n")
    heard = exchange(server, [noisy, PING])
    assert [answer.body for answer in heard.answers] == [{"r": "text " * 40}, PONG]


@pytest.mark.parametrize("seed", range(4))
def test_garbage(server: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    alphabet = np.frombuffer(b"\x06\x09\x04\x14\n\r=AZaz09+/", np.uint8)
    garbage = rng.integers(0, 256, 65536).astype(np.uint8) if seed < 2 else rng.choice(alphabet, 65536)
    heard = exchange(server, [garbage.tobytes(), PING])
    assert [answer.body for answer in heard.answers] == [PONG] and heard.log == ()


def test_packets_that_are_too_long(server: Path, small: Path) -> None:
    for program, buffer in ((server, BUFFER), (small, 512)):
        overhead = len(message(WRITE, OS, 0, {"d": "x" * 400})) - 400
        longest = "x" * (buffer - 4 - overhead)
        fits = message(WRITE, OS, 0, {"d": longest})
        assert len(fits) == buffer - 4
        too_long = [message(WRITE, OS, 0, {"d": longest + "x" * more}) for more in (1, 2, 3, 4, 100, 5000)]
        counters = frame(message(READ, TINYC, COUNTERS))
        for line in (128, 8000):
            stream = [frame(fits, line), *(frame(data, line) for data in too_long), PING, counters]
            heard = exchange(program, stream)
            assert [answer.body for answer in heard.answers[:2]] == [{"r": longest}, PONG]
            assert heard.answers[2].body == {"packets": 3, "dropped": 6, "refused": 0, "invocations": 0}


def test_lengths_that_are_too_short_or_too_long(server: Path) -> None:
    import base64
    import binascii

    def packed(length: int, data: bytes) -> bytes:
        body = data + binascii.crc_hqx(data, 0).to_bytes(2)
        return b"\x06\x09" + base64.b64encode(length.to_bytes(2) + body) + b"\n"

    data = message(WRITE, TINYC, INVOKE)
    right = len(data) + 2
    assert len(exchange(server, packed(right, data)).answers) == 1
    stream = [
        packed(wrong, data) for wrong in (0, 1, 2, 3, 9, right - 1, right + 1, BUFFER - 2, BUFFER - 1, 65535)
    ]
    stream += [packed(len(short) + 2, short) for short in (b"", b"a", data[:7])]
    heard = exchange(server, [*stream, PING, frame(message(READ, TINYC, COUNTERS))])
    assert heard.answers[0].body == PONG and heard.log == ()
    assert heard.answers[1].body["dropped"] == len(stream)


@pytest.mark.parametrize("more", [b"A", b"AA", b"AAA", b"AAAA", b"AA==", b"="])
def test_digits_behind_the_end(server: Path, more: bytes) -> None:
    good = frame(message(WRITE, TINYC, INVOKE))
    heard = exchange(server, [good[:-1] + more + b"\n", PING])
    assert [answer.body for answer in heard.answers] == [PONG] and heard.log == ()


def test_a_dropped_frame_counts_once(server: Path) -> None:
    good = frame(message(WRITE, OS, 0, {"d": "x" * 300}))
    damaged = good[:20] + b"?" + good[21:]
    heard = exchange(server, [damaged] * 5 + [good[:200]] + [frame(message(READ, TINYC, COUNTERS))])
    assert heard.answers[0].body == {"packets": 1, "dropped": 6, "refused": 0, "invocations": 0}
