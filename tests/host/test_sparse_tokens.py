"""Gains of norms and dense layers over int16 rows in the sparse head."""

from __future__ import annotations

import numpy as np
import pytest

from support.sparse import SparseProgram
from support.sparse_sentences import NEW_INTENTS, intent_task, learned
from support.sparse_tokens import NETWORKS, bytes_of, check_stream, designed
from support.token_layers import Builder, embbert
from tinyc import interpreter
from tinyc.errors import TinycError
from tinyc.ir.ops import LayerNorm, Linear
from tinyc.ir.sequence import varying
from tinyc.learning import tap
from tinyc.learning.sparse.choose import named, taps
from tinyc.learning.sparse.cut import cut, possible_taps
from tinyc.learning.sparse.program import Trained
from tinyc.learning.sparse.reading import read_layers
from tinyc.toolchain.host_compiler import compiler_called

pytestmark = pytest.mark.host


@pytest.mark.parametrize(
    ("name", "compiler"), [*((name, "gcc") for name in NETWORKS), ("block", "clang"), ("joint", "clang")]
)
def test_the_c_equals_the_twin(name: str, compiler: str) -> None:
    found = compiler_called(compiler)
    if found is None:
        pytest.skip(f"no {compiler} on PATH")
    graph, tap = NETWORKS[name](1)
    design = designed(graph, tap)
    check_stream(design, SparseProgram(design, found))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_factory_state_computes_what_the_network_computes(name: str) -> None:
    graph, tap = NETWORKS[name](2)
    split = cut(graph, tap)
    head = designed(graph, tap).head()
    # Beside the tensors of the network the head has its own: rows with a gain, and norms without one.
    shared = {layer.output for layer in head.program.layers[:-1]} & set(split.suffix.tensors)
    assert len(shared) >= len(head.program.layers) // 2 - 1
    rng = np.random.default_rng(3)
    for _ in range(6):
        latent = bytes_of(split.suffix[split.tap], rng)
        x = latent.view(split.suffix[split.tap].dtype.numpy).reshape(split.suffix[split.tap].shape)
        values = interpreter.trace(split.suffix, [x])
        found = head.forward(latent)
        for tensor in shared:
            assert np.array_equal(found.values[tensor], values[tensor].reshape(-1)), tensor
        last = split.suffix[head.program.layers[-1].output]
        rounded = np.clip(np.rint(found.logits[: last.elements] / last.scale), -32768, 32767)
        # float32 has 24 bits for an accumulator and its scale.
        assert np.abs(rounded - values[last.name].reshape(-1)).max() <= 1


def test_a_state_with_other_gains_is_refused() -> None:
    graph, name = NETWORKS["norms"](3)
    design = designed(graph, name)
    program, head = SparseProgram(design), design.head()
    states = [head.to_bytes()]
    for wrong in (np.nan, 4.0, -np.inf):
        gains = head.values["gains"].copy()
        gains[1] = wrong
        states.append(design.pack(dict(head.values, gains=gains)))
    answers = program.call([b"l" + state for state in states], [4] * 4)
    assert [int.from_bytes(answer, "little") for answer in answers] == [1, 0, 0, 0]


def test_the_gain_of_a_norm_by_its_name() -> None:
    """The last norm of an EmbBERT works behind the values of its attention, or in front of the classifier."""
    build = Builder(3, 9, sentence=True)
    x = build.norm(build.embedding(16))
    pooled = build.pool(x)
    graph = build.graph(build.linear(pooled, units=5, bits=16))
    norm, dense = (next(op.name for op in graph.ops if op.kind == kind) for kind in ("RMS_NORM", "LINEAR"))
    choice = named(graph, [norm], None, 7)
    assert choice.tap == pooled
    assert choice.trained == {
        f"{dense}:gain": Trained(tuple(range(16)), biases=False),
        dense: Trained(tuple(range(7))),
    }
    assert named(graph, [f"{dense}:gain"], None, 7) == choice
    assert len(named(graph, [f"{norm}:0.5"], None, 7).trained[f"{dense}:gain"].rows) == 8
    assert not set(possible_taps(graph)) & varying(graph)
    with pytest.raises(TinycError, match="as many rows as the sentence"):
        cut(graph, x)
    with pytest.raises(TinycError) as error:
        named(graph, [f"{norm}:bias"], None, 7)
    assert [problem.where for problem in error.value.problems] == ["learn.update"]


def test_the_gain_of_a_norm_that_a_residual_reads_too() -> None:
    graph, name = NETWORKS["block"](4)
    norms = [op.name for op in graph.ops if isinstance(op, LayerNorm)]
    choice = named(graph, [norms[1]], None, 5)
    assert choice.tap == graph.ops[[op.name for op in graph.ops].index(norms[1])].inputs[0]
    assert set(choice.trained) == {f"{norms[1]}:gain", graph.ops[-1].name}
    assert named(graph, [norms[0]], None, 5).tap == name


def test_what_has_no_gradient_is_refused() -> None:
    build = Builder(4, 1)
    x = build.input(16, 16)
    other = build.constant(np.zeros((1, 1, 16), np.int16), 0.01)
    graph = build.graph(build.linear(build.linear(x, units=16, bits=16, residual=other), units=5, bits=16))
    with pytest.raises(TinycError, match="cannot learn") as error:
        read_layers(cut(graph, x).suffix)
    assert "residual" in error.value.problems[0].what
    assert taps(graph, 5) == (graph.ops[0].outputs[0],)


def test_what_is_in_front_of_a_tap_knows_the_length_of_a_sentence() -> None:
    graph = embbert(2)
    dense = [op for op in graph.ops if isinstance(op, Linear)][-1]
    ids = np.zeros(graph["ids"].shape, np.int16)
    ids[0, :5] = [2, 7, 9, 11, 4]
    expected = interpreter.trace(graph, [ids])[dense.inputs[0]]
    (found,) = interpreter.run(tap.body(graph, dense.inputs[0]), [ids])
    assert np.array_equal(found, expected)


def test_new_intents_on_the_device_and_in_float() -> None:
    """The shipped EmbBERT: within a point of the same in float, and the gain adds to the classifier."""
    pytest.importorskip("keras", reason="TensorFlow is not installed")
    task = intent_task(NEW_INTENTS)
    assert task.with_gain.ram_bytes <= 8 * 1024
    before = task.right(task.with_gain.head().scores_many(task.tests))
    plain, _ = np.mean([learned(task, task.without, seed) for seed in (0, 1)], axis=0)
    gained, in_float = np.mean([learned(task, task.with_gain, seed) for seed in (0, 1)], axis=0)
    assert gained >= before + 0.2
    assert gained > plain
    assert gained >= in_float - 0.01
    # What the twin does is what the C does.
    head, stream = task.with_gain.head(), []
    for index in task.order(0)[:30]:
        stream.append((task.latents[index], int(task.labels[index])))
        head.update(*stream[-1])
    assert SparseProgram(task.with_gain).stream(stream)[-1][1] == head.to_bytes()
