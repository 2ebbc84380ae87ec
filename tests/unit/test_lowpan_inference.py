"""The side of inference over 6LoWPAN that asks: its bytes are those of the reference page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tinyc.sixlowpan.inference import DATA_MAX, Answer, Exchange, Request, Result, Status

pytestmark = pytest.mark.unit

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "lowpan-protocol.md"


@pytest.fixture(scope="module")
def examples() -> dict[str, bytes]:
    """Name → bytes of the examples of the page."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"<!-- (\w+) -->\n```\n(.*?)```", text, flags=re.DOTALL)
    return {name: bytes.fromhex(digits) for name, digits in found}


def test_bytes_are_those_of_the_page(examples: dict[str, bytes]) -> None:
    asked = Exchange(7, bytes([42]))
    assert asked.payload == examples["request"]
    assert Answer(7, Status.DONE, None, 0, 1, bytes([17])).encode() == examples["answer"]
    assert not asked.take(examples["answer"])
    assert asked.result == Result(bytes([17]), None)
    assert Answer.decode(examples["more"]) == Answer(258, Status.MORE, None, DATA_MAX, 2000)
    assert Request(9, 0, 0).encode() == examples["describe"]
    assert len(examples) == 4


def test_statuses_are_those_of_the_page() -> None:
    rows = re.findall(r"^\| (\d) \| ([A-Z_]+) \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert [(int(number), name) for number, name in rows] == [(it.value, it.name) for it in Status]


def test_an_input_goes_in_parts_and_a_lost_one_again() -> None:
    data = bytes(i % 256 for i in range(2 * DATA_MAX + 5))
    asked = Exchange(1, data)
    first = asked.payload
    assert asked.payload == first
    assert not asked.take(Answer(2, Status.MORE, None, DATA_MAX, len(data)).encode())
    assert asked.take(Answer(1, Status.MORE, None, DATA_MAX, len(data)).encode())
    assert asked.payload[16:] == data[DATA_MAX : 2 * DATA_MAX]
    # The device has given up what it had.
    assert asked.take(Answer(1, Status.START_OVER, None, 3, len(data)).encode())
    assert asked.payload == first


def test_an_output_comes_in_parts_and_repeats_count_once() -> None:
    asked = Exchange(1, b"x")
    for offset, part in ((0, b"ab"), (0, b"ab"), (4, b"ef"), (2, b"cd"), (4, b"ef")):
        assert not asked.take(Answer(1, Status.DONE, 3, offset, 6, part).encode())
    assert asked.result == Result(b"abcdef", 3)


def test_a_refusal_ends_it() -> None:
    asked = Exchange(1, b"x")
    busy = Answer(1, Status.BUSY, None, 1, 2)
    assert not asked.take(busy.encode())
    assert (asked.refused, asked.result) == (busy, None)


@pytest.mark.parametrize(
    "payload",
    [b"", bytes(15), Request(1, 0, 1).encode(), b"\x02" + bytes(15), b"\x01\x02" + b"\0\1\x63" + bytes(11)],
)
def test_other_payloads_are_no_answers(payload: bytes) -> None:
    with pytest.raises(ValueError):
        Answer.decode(payload)
