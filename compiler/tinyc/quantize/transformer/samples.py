"""The samples of a transformer: token ids or features, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tinyc.errors import Problem, TinycError
from tinyc.ir import sequence
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array, DType, Tensor
from tinyc.quantize.calibrate import Sample, check_samples

_MOST_LISTED = 10


def check_sentences(graph: Graph, samples: Iterable[Sequence[Array]]) -> tuple[Sample, ...]:
    """The samples in the shapes and types of the graph's inputs.

    Raises TinycError that lists the first samples with ids out of the vocabulary, without a token, with
    tokens behind the padding or of a wrong shape; and for features as `check_samples` does.
    """
    if not any(sequence.vocabulary(graph, name) for name in graph.inputs):
        return check_samples(graph, samples)
    given = [tuple(np.asarray(value) for value in sample) for sample in samples]
    problems: list[Problem] = []
    checked: list[Sample] = []
    for number, sample in enumerate(given):
        where = f"sample {number}"
        if len(sample) != len(graph.inputs):
            problems.append(Problem(where, f"has {len(sample)} arrays", f"needs {len(graph.inputs)}"))
            continue
        arrays = []
        for name, value in zip(graph.inputs, sample, strict=True):
            found = _findings(graph, graph[name], value)
            if found is not None:
                what, allowed = found
                problems.append(
                    Problem(where if len(sample) == 1 else f"{where}, input {name}", what, allowed)
                )
                continue
            arrays.append(value.astype(graph[name].dtype.numpy).reshape(graph[name].shape))
        checked.append(tuple(arrays))
    if problems:
        count = len(problems)
        more = f" (the first {_MOST_LISTED} of {count} findings)" if count > _MOST_LISTED else ""
        raise TinycError(
            f"the samples do not fit the model{more}",
            where="calibration data",
            problems=problems[:_MOST_LISTED],
            hint="sentences are token ids from the first element on, padded with 0 to the model's length",
        )
    if not checked:
        raise TinycError(
            "holds no samples",
            where="calibration data",
            allowed="at least one sentence",
            hint="256 are enough",
        )
    return tuple(checked)


def _findings(graph: Graph, tensor: Tensor, value: Array) -> tuple[str, str] | None:
    """(what is wrong, what is allowed)."""
    if value.shape != tensor.shape and value.shape != tensor.shape[1:]:
        return f"has shape {list(value.shape)}", f"needs {list(tensor.shape)}"
    tokens = sequence.vocabulary(graph, tensor.name)
    if tokens is None:
        kind = "f" if tensor.dtype is DType.FLOAT32 else "iu"
        if value.dtype.kind not in kind:
            return f"is {value.dtype}", f"needs {tensor.dtype.value[0]}"
        return None if np.isfinite(value).all() else ("holds NaN or infinite values", "")
    if value.dtype.kind not in "iu":
        return f"is {value.dtype}", "needs whole numbers: token ids"
    return sentence_problem(graph, tensor.name, value, tokens)


def sentence_problem(graph: Graph, name: str, ids: Array, tokens: int) -> tuple[str, str] | None:
    """(what is wrong with the ids of a sentence, what is allowed), None when nothing is."""
    flat = ids.reshape(-1)
    wrong = np.flatnonzero((flat < 0) | (flat >= tokens))
    if len(wrong):
        return f"has the id {flat[wrong[0]]} at position {wrong[0]}", f"0 to {tokens - 1}"
    counted = sequence.length_op(graph)
    if counted is None or counted.inputs[0] != name:
        return None
    padding = np.flatnonzero(flat == counted.padding)
    if len(padding) == len(flat) or (len(padding) and padding[0] == 0):
        return "starts with padding: it has no token", "at least one id before the padding"
    if len(padding) and (flat[padding[0] :] != counted.padding).any():
        return f"has ids behind the padding at position {padding[0]}", "padding at the end only"
    return None
