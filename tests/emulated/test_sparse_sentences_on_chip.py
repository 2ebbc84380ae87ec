"""Firmware of sentence classifiers whose norms learn, on the emulated chip beside the twin of its learner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from support.devices import need_toolchain
from support.learn_session import Session
from support.transformers import bert, embbert, sentences
from tinyc import interpreter, passes
from tinyc.boards import load_board
from tinyc.ir.graph import Graph
from tinyc.ir.ops import StridedSlice
from tinyc.learning.prepare import learning
from tinyc.learning.settings import LearnSettings
from tinyc.pipeline import build, compile_graph
from tinyc.quantize.options import QuantizeOptions
from tinyc.quantize.transformer.post_training import quantize_transformer

pytestmark = pytest.mark.emulated

TOKENS, VOCABULARY, CLASSES = 16, 60, 3


def first_token() -> Graph:
    """A BERT that reads the first token: its last block works on one row behind the attention."""
    made = bert(tokens=TOKENS, vocabulary=VOCABULARY, width=16, blocks=1, classes=CLASSES)
    pool = next(op for op in made.ops if op.name == "pool")
    row = StridedSlice(
        name="pool",
        inputs=pool.inputs,
        outputs=pool.outputs,
        begin=(0, 0, 0),
        size=(1, 1, 16),
        strides=(1, 1, 1),
        shape=(1, 1, 16),
    )
    return made.rebuilt(ops=[row if op is pool else op for op in made.ops])


def last_values() -> Graph:
    """An EmbBERT: the gain of its last norm learns behind the values of the attention."""
    return embbert(tokens=TOKENS, vocabulary=VOCABULARY, width=16, blocks=1, classes=CLASSES)


@pytest.mark.parametrize(
    ("make", "norm"),
    [(first_token, "block_0/norm_1"), (last_values, "block_0/norm")],
    ids=["bert", "embbert"],
)
def test_the_device_learns_as_its_twin(make: Callable[[], Graph], norm: str, tmp_path: Path) -> None:
    board = load_board("nrf52840")
    need_toolchain(board, "gcc")
    texts = sentences(80, TOKENS, VOCABULARY)
    options = QuantizeOptions(int16_gain=False, measure_samples=4)
    graph = passes.legalize(quantize_transformer(passes.run(make()), texts, options).graph)
    # What the model says of the sentences is what the factory's data say.
    labels = [int(np.argmax(interpreter.run(graph, text)[0])) for text in texts]
    ids = np.concatenate([text[0] for text in texts])
    often = np.isin(labels, [label for label in range(CLASSES) if labels.count(label) > 1])
    np.savez(tmp_path / "data.npz", inputs=ids[often], labels=np.array(labels)[often])
    settings = LearnSettings(
        head="sparse", data=tmp_path / "data.npz", capacity=CLASSES + 1, update=(norm,), min_updates=2
    )
    body, learned = learning(graph, board, settings)
    assert learned.facts["held_out_accuracy"] == 1.0
    program = compile_graph(body, board, name="sentences", learning=learned)
    session = Session(program, build(program, tmp_path / "firmware", "gcc"))
    session.check()
    new = session.name("new")
    for text in texts[:5]:
        session.teach(text[0], new)
    session.check()
    shadow = learned.head.unpack(session.twin.shadow.to_bytes())
    session.close()
    assert np.any(shadow["gains"] != 1.0)
