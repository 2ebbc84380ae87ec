"""Does every execution give the same bytes, and if not, which layer is to blame?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinyc import interpreter
from tinyc.execution import DeviceEngine, Engine, text_ids, token_count
from tinyc.ir import sequence
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array, DType, Shape, Tensor, TensorName, bits
from tinyc.program import Program


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place where an engine leaves the reference."""

    engine: str
    vector: int
    layer: int
    name: str
    op: str
    kernel: str
    tensor: str
    element: tuple[int, ...]
    expected: float
    got: float


@dataclass(frozen=True, slots=True)
class TextDifference:
    """A text that the device tokenizes unlike the Python twin: how many ids, then all of them."""

    text: bytes
    expected: tuple[int, ...]
    got: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Verification:
    """`compared` counts output bytes per engine, `differing` those that are not the reference's."""

    vectors: int
    compared: int
    differing: Mapping[str, int]
    first: tuple[Difference, ...]
    outputs: tuple[tuple[Array, ...], ...]

    @property
    def agrees(self) -> bool:
        return not any(self.differing.values())


def verify(
    program: Program,
    vectors: Iterable[Sequence[Array]],
    engines: Mapping[str, Engine],
    *,
    layers: bool = False,
    reset: bool = False,
) -> Verification:
    """Compare each engine with the NumPy reference on every vector, byte for byte.

    With `layers` the result of every layer is compared, not only the outputs. After the first
    difference of an engine its run is repeated layer by layer to name the first one that differs.
    The vectors of a model with state are a sequence from a reset on, which such a repetition begins with;
    with `reset` each of them is a sequence of its own.
    """
    graph, state = program.graph, interpreter.initial_state(program.graph)
    before: list[Sequence[Array]] = []
    compared = count = 0
    differing = dict.fromkeys(engines, 0)
    first: dict[str, Difference] = {}
    outputs: list[tuple[Array, ...]] = []
    for index, inputs in enumerate(vectors):
        count += 1
        if reset:
            state, before = interpreter.initial_state(graph), []
            for engine in engines.values():
                engine.reset()
        values = interpreter.trace(graph, inputs, state=state)
        expected = tuple(values[name] for name in graph.outputs)
        outputs.append(expected)
        compared += sum(value.nbytes for value in expected)
        for name, engine in engines.items():
            got = engine.run(inputs)
            wrong = sum(_differing_bytes(a, existing(b, a.shape)) for a, b in zip(expected, got, strict=True))
            differing[name] += wrong
            if (wrong or layers) and name not in first:
                _repeat(engine, before)
                difference = _first_difference(program, name, engine, index, values, inputs)
                if difference is not None:
                    first[name] = difference
                    differing[name] = max(differing[name], 1)
        if graph.states:
            state = interpreter.next_state(graph, values)
            before.append(inputs)
    return Verification(count, compared, differing, tuple(first.values()), tuple(outputs))


def _repeat(engine: Engine, vectors: Sequence[Sequence[Array]]) -> None:
    """Bring the states of an engine to where these inferences leave them."""
    engine.reset()
    for inputs in vectors:
        engine.run(inputs)


def verify_texts(program: Program, texts: Iterable[bytes], device: DeviceEngine) -> TextDifference | None:
    """The first text whose token ids on the device are not those of the Python twin; None when all agree."""
    for text in texts:
        expected = [int(value) for value in text_ids(program, text).reshape(-1)]
        count, found = device.token_ids(text)
        got = [int(value) for value in found.reshape(-1)]
        tokens = token_count(program, text)
        if (count, got) != (tokens, expected):
            return TextDifference(text, (tokens, *expected), (count, *got))
    return None


def _differing_bytes(a: Array, b: Array) -> int:
    return int(np.count_nonzero(bits(a) != bits(b)))


def _first_difference(
    program: Program,
    engine_name: str,
    engine: Engine,
    vector: int,
    expected: Mapping[TensorName, Array],
    inputs: Sequence[Array],
) -> Difference | None:
    got = engine.trace(inputs)
    for step in program.steps:
        for tensor in step.op.outputs:
            found = existing(got[tensor], expected[tensor].shape)
            wrong = np.argwhere((bits(expected[tensor]) != bits(found)).any(axis=-1))
            if len(wrong):
                element = tuple(int(position) for position in wrong[0])
                return Difference(
                    engine_name,
                    vector,
                    step.index,
                    step.op.name,
                    step.op.kind,
                    step.kernel.symbol,
                    tensor,
                    element,
                    float(expected[tensor][element]),
                    float(got[tensor][element]),
                )
    return None


def existing(got: Array, shape: Shape) -> Array:
    """The part of an engine's array that the reference computes: the rows that a sentence has."""
    return got if got.shape == shape else got[tuple(slice(extent) for extent in shape)]


def random_vectors(graph: Graph, count: int, seed: int, *, longest: bool = False) -> list[list[Array]]:
    """Uniform random inputs over the whole range of each input's type (float: a normal draw).

    Token ids are sentences of random length, padded with 0, or as long as there is room for if `longest`.
    """
    rng = np.random.default_rng(seed)
    vectors = []
    for _ in range(count):
        vector: list[Array] = []
        for name in graph.inputs:
            tensor = graph[name]
            tokens = sequence.vocabulary(graph, name)
            if tokens is not None:
                vector.append(_sentence(rng, graph, tensor, tokens, longest))
            elif tensor.dtype is DType.FLOAT32:
                vector.append(rng.normal(0, 1, tensor.shape).astype(np.float32))
            else:
                low, high = tensor.dtype.limits
                draw = rng.integers(low, high + 1, tensor.shape, dtype=np.int64)
                vector.append(draw.astype(tensor.dtype.numpy))
        vectors.append(vector)
    return vectors


def _sentence(rng: np.random.Generator, graph: Graph, tensor: Tensor, tokens: int, longest: bool) -> Array:
    ids = rng.integers(min(1, tokens - 1), tokens, tensor.shape)
    counted = sequence.length_op(graph)
    if counted is not None and counted.inputs[0] == tensor.name:
        # An id equal to the padding would end the sentence.
        ids = np.where(ids == counted.padding, (counted.padding + 1) % tokens, ids)
        if not longest:
            ids[:, rng.integers(1, tensor.shape[1] + 1) :] = counted.padding
    return np.asarray(ids.astype(tensor.dtype.numpy))


def top1(outputs: Iterable[tuple[Array, ...]], labels: Array) -> float:
    """Share of samples whose largest first output is the label."""
    hits = [int(np.argmax(output[0])) == int(label) for output, label in zip(outputs, labels, strict=True)]
    return sum(hits) / len(hits)
