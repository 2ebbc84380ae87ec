"""A tokenizer in front of a model: what suits it, what it costs, and what `--input` means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.classifiers import small_classifier
from support.networks import random_network
from support.text_models import TOKENS, text_graph, write_tokenizer
from tinyc.boards import load_board
from tinyc.cli.inputs import raw_bytes, samples, shown
from tinyc.device import limits
from tinyc.errors import DoesNotFit, TinycError
from tinyc.execution import text_ids, token_count
from tinyc.ir.graph import Graph
from tinyc.memory.budget import budget
from tinyc.pipeline import compile_graph, render
from tinyc.program import Program
from tinyc.text.samples import sample_texts
from tinyc.text.tokenizer import Tokenizer, load

pytestmark = pytest.mark.unit


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return load(write_tokenizer(tmp_path))


def compiled(graph: Graph, tokenizer: Tokenizer | None) -> Program:
    return compile_graph(graph, load_board("nrf52840"), name="talk", tokenizer=tokenizer)


def test_ids_are_padded_with_zeros(tokenizer: Tokenizer) -> None:
    program = compiled(text_graph(), tokenizer)
    ids = text_ids(program, b"Play some JAZZ")
    assert ids.dtype == np.int16 and ids.tolist() == [[2, 4, 5, 6, 3, *[0] * (TOKENS - 5)]]
    assert token_count(program, b"") == 2
    assert text_ids(program, b"jazz " * 99).tolist() == [[2, *[6] * (TOKENS - 2), 3]]
    with pytest.raises(TinycError, match="takes no text"):
        text_ids(compiled(text_graph(), None), b"jazz")


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (text_graph(vocabulary=12), r"ids up to 16; 0\.\.11, the rows of the model's embedding"),
        (text_graph(tokens=2), "puts 2 ids around a text; fewer than the model's 2 tokens"),
        (small_classifier(np.random.default_rng(0)), r"is int8 \[1, .*\], not token ids"),
        (random_network(np.random.default_rng(0), 2), "has 2 inputs; one, of token ids"),
    ],
)
def test_models_that_cannot_take_the_ids(tokenizer: Tokenizer, graph: Graph, message: str) -> None:
    with pytest.raises(TinycError, match=message):
        compiled(graph, tokenizer)


def test_padding_is_checked_again_with_the_model(tokenizer: Tokenizer) -> None:
    with pytest.raises(TinycError, match="pads with the id 3"):
        compiled(text_graph(), replace(tokenizer, padding=3))


def test_the_budget_knows_the_tokenizer(tokenizer: Tokenizer) -> None:
    plain, talking = budget(compiled(text_graph(), None)), budget(compiled(text_graph(), tokenizer))
    header = render(compiled(text_graph(), tokenizer)).files["src/tokenizer.h"]
    assert f"TABLE_BYTES {talking.tokenizer}u" in header
    assert f"RAM_BYTES {talking.runtime_ram - plain.runtime_ram}u" in header
    assert talking.flash - plain.flash > talking.tokenizer > plain.tokenizer == 0
    assert talking.arena == plain.arena


def test_tables_that_do_not_fit_are_named(tokenizer: Tokenizer) -> None:
    program = compiled(text_graph(), tokenizer)
    need = budget(program)
    small = replace(program.board, memory=replace(program.board.memory, flash=need.weights + 100))
    found = budget(replace(program, board=small))
    assert found.certainly_too_large
    with pytest.raises(DoesNotFit, match=f"tokenizer: {need.tokenizer} bytes of tables"):
        found.require_fit()


def test_only_text_models_have_the_files(tokenizer: Tokenizer) -> None:
    assert "src/tokenizer.c" not in render(compiled(text_graph(), None)).files
    assert '#include "tokenizer.h"' in render(compiled(text_graph(), tokenizer)).files["src/tinyc_group.c"]


def test_what_an_input_means(tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    program = compiled(text_graph(), tokenizer)
    Path("two.txt").write_bytes(b"\xef\xbb\xbfplay jazz\r\n\xff\n")
    np.save("ids.npy", np.zeros((2, TOKENS), np.int16))
    (tmp_path / "jazz").mkdir()
    asked = samples(program, ["two.txt", "ids.npy", "jazz", "none.npy", "", "a//b " * 80])
    texts = [sample.text for sample in asked]
    assert texts == [b"play jazz", b"\xff", None, None, b"jazz", b"none.npy", b"", b"a//b " * 80]
    Path("empty.txt").touch()
    with pytest.raises(TinycError, match="holds no text"):
        samples(program, ["empty.txt"])
    longest = limits.largest_text(limits.buffer_bytes(program.board.memory.ram))
    assert samples(program, ["a" * longest])[0].text == b"a" * longest
    with pytest.raises(TinycError, match=f"has {longest + 1} bytes") as long:
        samples(program, ["a" * (longest + 1)])
    assert long.value.allowed.startswith(f"at most {longest} bytes of UTF-8")
    with pytest.raises(TinycError, match="are missing") as caught:
        samples(compiled(text_graph(), None), ["play some jazz"])
    assert caught.value.problems[0].what == "no such file"


def test_hostile_arguments() -> None:
    assert raw_bytes(b"\xffo\xc3".decode("utf-8", "surrogateescape")) == b"\xffo\xc3"
    assert raw_bytes("\ud800") == b"\xed\xa0\x80"
    assert shown(b"a\x1b[31m\n\xff") == "a\ufffd[31m\ufffd\ufffd"
    assert len(shown(b"a" * 500)) == 80


def test_sample_texts_are_the_same_every_time(tokenizer: Tokenizer) -> None:
    texts = sample_texts(tokenizer, 5, 100, seed=3)
    assert texts == sample_texts(tokenizer, 5, 100, seed=3) != sample_texts(tokenizer, 5, 100, seed=4)
    assert b"" in texts and max(map(len, texts)) == 100
