"""Text as a model's input: whether a tokenizer suits a model, and the ids that the model gets."""

from __future__ import annotations

import numpy as np

from tinyc.errors import Problem, TinycError
from tinyc.ir import sequence
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array, DType, Tensor
from tinyc.text.description import Tokenizer
from tinyc.text.reference import encode

# The firmware fills what the text leaves of the input with this id.
PADDING = 0


def padding_problem(tokenizer: Tokenizer) -> Problem | None:
    """What is wrong with padding by 0, which every text model does."""
    allowed = f"{PADDING}, with which the firmware fills the input"
    if tokenizer.padding is not None:
        if tokenizer.padding == PADDING:
            return None
        return Problem("text.tokenizer", f"pads with the id {tokenizer.padding}", allowed)
    special = {token.text for token in tokenizer.added}
    taken = [text for text, number in tokenizer.vocabulary.items() if number == PADDING]
    if taken and taken[0] not in special:
        return Problem(
            "text.tokenizer", f"has no padding token, and {taken[0]!r} has the id {PADDING}", allowed
        )
    return None


def check(tokenizer: Tokenizer, graph: Graph) -> None:
    """Raise TinycError that lists why the model cannot take this tokenizer's ids."""
    found = [padding_problem(tokenizer), *_input_problems(tokenizer, graph)]
    problems = [problem for problem in found if problem is not None]
    if problems:
        raise TinycError("the model cannot take text", where=graph.name, problems=problems)


def _input_problems(tokenizer: Tokenizer, graph: Graph) -> list[Problem]:
    if len(graph.inputs) != 1:
        return [Problem("input", f"the model has {len(graph.inputs)} inputs", "one, of token ids")]
    tensor = graph[graph.inputs[0]]
    rows = sequence.vocabulary(graph, tensor.name)
    if rows is None or tensor.dtype is not DType.INT16 or tensor.elements != tensor.shape[-1]:
        what = f"`{tensor.name}` is {tensor.dtype.value[0]} {list(tensor.shape)}, not token ids"
        return [Problem("input", what, "int16 [1, tokens] that an embedding reads")]
    found = []
    if tokenizer.size > rows:
        what = f"has ids up to {tokenizer.size - 1}"
        found.append(Problem("text.tokenizer", what, f"0..{rows - 1}, the rows of the model's embedding"))
    if tensor.elements <= tokenizer.surrounding:
        what = f"puts {tokenizer.surrounding} ids around a text"
        found.append(Problem("text.tokenizer", what, f"fewer than the model's {tensor.elements} tokens"))
    return found


def padded_ids(tokenizer: Tokenizer, text: bytes, tensor: Tensor) -> Array:
    """The model's input for a text, by the Python twin of the device's tokenizer."""
    ids = np.full(tensor.elements, PADDING, tensor.dtype.numpy)
    found = encode(tokenizer, text, tensor.elements)
    ids[: len(found)] = found
    return ids.reshape(tensor.shape)
