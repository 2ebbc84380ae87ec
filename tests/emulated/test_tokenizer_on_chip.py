"""The tokenizer as a board would run it: the same ids as in Python, at a cost that stays small."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.tokenizer_firmware import TokenizerFirmware
from support.tokenizers import byte_level, hostile_texts, small_text, training_text, wordpiece
from tinyc.boards import load_board
from tinyc.text.reference import encode
from tinyc.text.tokenizer import load

pytestmark = pytest.mark.emulated

MAKERS: dict[str, Callable[..., Any]] = {"wordpiece": wordpiece, "byte_level": byte_level}
# What the header promises.
STACK = 200


def firmware(made: Any, board: str, folder: Path) -> tuple[Any, TokenizerFirmware]:
    made.save(str(folder / "tokenizer.json"))
    tokenizer = load(folder / "tokenizer.json")
    return tokenizer, TokenizerFirmware(tokenizer, load_board(board), folder)


@pytest.mark.parametrize("board", ["nrf52840", "microbit"])
@pytest.mark.parametrize("name", MAKERS)
def test_ids_on_the_chip(name: str, board: str, tmp_path: Path) -> None:
    tokenizer, chip = firmware(MAKERS[name](small_text(), 2000), board, tmp_path)
    texts = [line.encode()[:2048] for line in small_text()[::20]] + hostile_texts(40)
    for text in texts:
        for capacity in (8, 1024):
            ids, _ = chip.encode(text, capacity)
            assert ids == encode(tokenizer, text, capacity), text
    assert 0 < chip.stack <= STACK


@pytest.mark.parametrize(("name", "instructions"), [("wordpiece", 12_000), ("byte_level", 20_000)])
def test_a_sentence_takes_a_fraction_of_a_millisecond(
    name: str, instructions: int, shared: Path, tmp_path: Path
) -> None:
    sentences = training_text(shared)
    tokenizer, chip = firmware(MAKERS[name](sentences, 8192), "nrf52840", tmp_path)
    total = 0
    for sentence in sentences[:300]:
        ids, counted = chip.encode(sentence.encode(), 64)
        assert ids == encode(tokenizer, sentence, 64)
        total += counted
    assert total < 300 * instructions
