"""Files of learned heads: what is written comes back, and nothing else is taken for one."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinyc.errors import TinycError
from tinyc.learning import head_file
from tinyc.learning.head_file import HeadFile, dump, load, read, save

pytestmark = pytest.mark.unit

HEAD = HeadFile(
    kind="slda",
    body=bytes(range(8)),
    model="keywords",
    version="1.2.0",
    digest="ab" * 32,
    board="nrf52840",
    chip="0102030405060708",
    tinyc="0.1.0",
    sequence=3,
    latent=4,
    capacity=3,
    factory_classes=1,
    classes=("yes", "nö", ""),
    counters={"updates": 12, "surprise": 1.5},
    state=bytes(range(48)),
)
TEXT = st.text(max_size=head_file.LONGEST_TEXT).filter(lambda text: text.isascii() or _encodes(text))
NUMBER = st.integers(0, 2**32 - 1)
HEADS = st.builds(
    HeadFile,
    kind=TEXT,
    body=st.binary(min_size=8, max_size=8),
    model=TEXT,
    version=TEXT,
    digest=TEXT,
    board=TEXT,
    chip=TEXT,
    tinyc=TEXT,
    sequence=NUMBER,
    latent=NUMBER,
    capacity=NUMBER,
    factory_classes=NUMBER,
    classes=st.lists(TEXT, max_size=5).map(tuple),
    counters=st.dictionaries(TEXT, NUMBER | st.floats(allow_nan=False, allow_infinity=False), max_size=5),
    state=st.binary(min_size=1, max_size=200),
)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@given(HEADS)
def test_what_is_written_comes_back(head: HeadFile) -> None:
    data = dump(head)
    found = load(data)
    assert found == head
    assert dump(found) == data


def test_a_file_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "a.head"
    save(path, HEAD)
    assert read(path) == HEAD
    told = json.loads(path.read_bytes())
    assert (told["kind"], told["classes"], told["sequence"]) == ("slda", ["yes", "nö", ""], 3)
    assert base64.b64decode(told["state"]) == HEAD.state


def test_the_name_of_what_was_learned() -> None:
    """It follows kind, body, state and learned names alone."""
    same = replace(HEAD, chip="ff" * 8, sequence=9, counters={}, version="2.0.0", board="other")
    assert same.head == replace(HEAD, classes=("oui", "nö", "")).head == HEAD.head
    others = (
        replace(HEAD, kind="sgd"),
        replace(HEAD, body=bytes(8)),
        replace(HEAD, state=HEAD.state[:-1] + b"\xff"),
        replace(HEAD, classes=("yes", "no", "")),
        replace(HEAD, classes=("yes", "n", "ö")),
    )
    assert len({HEAD.head, *(other.head for other in others)}) == 6


@given(st.integers(0, len(dump(HEAD)) - 1), st.integers(1, 255))
@settings(max_examples=300)
def test_a_damaged_byte_is_found(at: int, change: int) -> None:
    """A changed byte is refused, unless it is one of the blanks between the values."""
    data = bytearray(dump(HEAD))
    data[at] ^= change
    try:
        found = load(bytes(data))
    except TinycError:
        return
    assert found == HEAD


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda part: dump(HEAD)[:200] + part))
@example(b"[" * 100_000)
@example(b'{"format": "tinyc learned head", "format_version": 1}')
@example(b"1" * 5000)
@example(b"\xff")
def test_any_bytes_are_refused_in_plain_words(data: bytes) -> None:
    with pytest.raises(TinycError):
        load(data)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kind", 1),
        ("kind", "x" * 257),
        ("model", "\ud800"),
        ("body", "00" * 7),
        ("body", "zz" * 8),
        ("sequence", -1),
        ("sequence", 2**32),
        ("sequence", True),
        ("sequence", 1.0),
        ("latent", None),
        ("classes", "abc"),
        ("classes", [1]),
        ("classes", [""] * 1025),
        ("counters", []),
        ("counters", {"a": "b"}),
        ("counters", {"a": True}),
        ("counters", {"a": float("nan")}),
        ("counters", {str(n): 0 for n in range(65)}),
        ("state", ""),
        ("state", "*"),
        ("state", 5),
    ],
)
def test_fields_that_make_no_sense(key: str, value: Any) -> None:
    """Refused for what they are, before their sum is looked at."""
    told = json.loads(dump(HEAD)) | {key: value}
    with pytest.raises(TinycError) as raised:
        load(json.dumps(told).encode())
    assert key in raised.value.what


def test_keys_that_are_missing_or_too_many() -> None:
    told = json.loads(dump(HEAD))
    for changed in (told | {"more": 1}, {key: told[key] for key in told if key != "chip"}):
        with pytest.raises(TinycError, match="keys"):
            load(json.dumps(changed).encode())


def test_other_versions_and_sizes(tmp_path: Path) -> None:
    told = json.loads(dump(HEAD)) | {"format_version": 2}
    with pytest.raises(TinycError, match="format version 2"):
        load(json.dumps(told).encode())
    path = tmp_path / "large"
    path.write_bytes(b" " * (head_file.LARGEST_FILE + 1))
    with pytest.raises(TinycError, match="more than"):
        read(path)
    with pytest.raises(TinycError, match="cannot be read"):
        read(tmp_path / "none")
    with pytest.raises(TinycError, match="cannot write"):
        save(tmp_path, HEAD)
