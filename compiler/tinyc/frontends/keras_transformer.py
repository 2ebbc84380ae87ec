"""Functional Keras models with layers of transformers, layer by layer, as a float32 graph.

TensorFlow's converter takes such models apart into matrix products; here attention stays attention.
"""

from __future__ import annotations

from typing import Any

from tinyc.errors import Problem, TinycError
from tinyc.frontends import (
    keras_activations,
    keras_attention,
    keras_layers,
    keras_operations,
    keras_own_layers,
)
from tinyc.frontends.keras_builder import Builder, Refused
from tinyc.frontends.keras_walk import Call, Ref, functional, kind_of, walk
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Logistic, Pad, SequenceLength, Softmax
from tinyc.ir.ops.attention import MOST_KEYS
from tinyc.ir.tensor import DType, TensorName

_HANDLERS = {
    **keras_layers.LAYERS,
    **keras_activations.LAYERS,
    **keras_attention.LAYERS,
    **keras_operations.LAYERS,
    **keras_own_layers.LAYERS,
}
_MARKS = ("Embedding", "MultiHeadAttention")
_NORMS = ("LayerNormalization", "RMSNormalization")
ALLOWED = "Keras: " + ", ".join(sorted(name for name in _HANDLERS if ">" not in name))
_OWN = "tinyc.models: " + ", ".join(sorted(name[6:] for name in _HANDLERS if name.startswith("tinyc>")))


def is_transformer(keras: Any, model: Any) -> bool:
    """True for a model with a layer that only transformers have, which is converted here."""
    kinds = [(kind_of(keras, layer), layer) for layer in model._flatten_layers()]
    return any(
        kind in _MARKS
        or kind.startswith("tinyc>")
        or (
            kind in _NORMS
            and any(len(x.shape) == 3 for node in layer._inbound_nodes for x in node.input_tensors)
        )
        for kind, layer in kinds
    )


def convert(keras: Any, model: Any, name: str, where: str) -> Graph:
    """The graph of a model for which `is_transformer` holds. Raises TinycError that lists every problem."""
    graph_of_layers = functional(model)
    if graph_of_layers is None:
        raise TinycError(
            f"the model is a subclass of keras.Model ({type(model).__name__}): its layers cannot be followed",
            where=where,
            allowed="functional and sequential models",
            hint="build it with keras.Model(inputs, outputs)",
        )
    _check_edges(graph_of_layers, where)
    try:
        inputs, calls, outputs = walk(keras, graph_of_layers)
    except Exception as error:
        raise TinycError(f"Keras cannot run the model: {error}", where=where) from error
    build = Builder()
    source = _input(build, graph_of_layers.inputs[0], inputs[0])
    problems = _layers(build, calls)
    if not problems:
        problems = [*_masks(build), *_paddings(build), *_ends(build, outputs[0])]
    if problems:
        unknown = any(problem.allowed == "" for problem in problems)
        raise TinycError(
            f"{len({problem.where for problem in problems})} of {len(calls)} layers cannot be compiled",
            where=where,
            problems=problems,
            allowed=f"{ALLOWED}; {_OWN}" if unknown else "",
            hint=_hint(build, calls),
        )
    if any(masked for _, masked in build.readers) or (not build.readers and _carries_mask(calls)):
        length = build.add(SequenceLength, "length", (source,), DType.INT32)
        build.ops.insert(0, build.ops.pop())
        build.kept.add(length)
    output = build.values[outputs[0].number]
    assert isinstance(output, str)
    graph = Graph(name, build.tensors, tuple(build.ops), (source,), (output,))
    return verify(graph.rebuilt(ops=build.needed(output)))


def _check_edges(model: Any, where: str) -> None:
    """Raises TinycError unless there is one input and one output, and only the batch is open."""
    problems = []
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        problems.append(
            Problem(
                "model", f"has {len(model.inputs)} inputs and {len(model.outputs)} outputs", "one of each"
            )
        )
    for tensor in model.inputs:
        shape = tuple(tensor.shape)
        if len(shape) not in (2, 3) or shape[0] not in (None, 1) or None in shape[1:]:
            problems.append(
                Problem(
                    f"input {tensor.name}",
                    f"has the shape {list(shape)}",
                    "[batch, tokens] of ids or [batch, rows, features], only the batch open or 1",
                )
            )
        elif shape[1] > MOST_KEYS:
            problems.append(Problem(f"input {tensor.name}", f"has {shape[1]} rows", f"at most {MOST_KEYS}"))
    if problems:
        hint = "build the model again with a fixed length; its weights do not change"
        raise TinycError("the model's edges do not fit", where=where, problems=problems, hint=hint)


def _input(build: Builder, tensor: Any, ref: Ref) -> TensorName:
    shape = (1, *(int(extent or 1) for extent in tensor.shape[1:]))
    name = build.input(str(tensor.name), shape, DType.INT16 if len(shape) == 2 else DType.FLOAT32)
    build.values[ref.number] = name
    return name


def _layers(build: Builder, calls: tuple[Call, ...]) -> list[Problem]:
    """Converts every layer; gives what cannot be. A layer that failed stands in for its rows."""
    problems = []
    for call in calls:
        if _is_padding_mask(build, call):
            build.masks.add(call.results[0].number)
        elif all(ref.number in build.values or ref.number in build.masks for ref in call.tensors()):
            problem = _layer(build, call)
            if problem is not None:
                problems.append(problem)
                _stand_in(build, call)
        elif call.kind not in _HANDLERS:
            problems.append(_unknown(call))
    return problems


def _layer(build: Builder, call: Call) -> Problem | None:
    where = f"layer {call.name}"
    handler = _HANDLERS.get(call.kind)
    if handler is None:
        return _unknown(call)
    if call.kwargs.get("training"):
        return Problem(where, "is called with training=True", "inference")
    try:
        build.values[call.results[0].number] = handler(build, call)
    except Refused as error:
        return Problem(where, str(error), error.allowed)
    except ValueError as error:
        return Problem(where, str(error), "shapes that fit")
    return None


def _unknown(call: Call) -> Problem:
    return Problem(f"layer {call.name}", f"the layer {call.kind.split('>')[-1]} is not supported")


def _stand_in(build: Builder, call: Call) -> None:
    """Rows in place of a result, so that the layers behind it are looked at too."""
    for ref in call.results:
        if len(ref.shape) in (1, 2) and None not in ref.shape:
            shape = (1, *(extent for extent in ref.shape if extent is not None))
            build.values[ref.number] = build.input(call.name, shape, DType.FLOAT32)


def _is_padding_mask(build: Builder, call: Call) -> bool:
    """True for `ids != 0`, and for such masks joined."""
    refs = call.tensors()
    if call.kind in ("ops>LogicalAnd", "ops>LogicalOr"):
        return all(ref.number in build.masks for ref in refs)
    if call.kind != "ops>NotEqual" or len(refs) != 1:
        return False
    others = [arg for arg in (*call.args, *call.kwargs.values()) if not isinstance(arg, Ref)]
    ids = build.values.get(refs[0].number)
    return (
        isinstance(ids, str) and len(build.shape(ids)) == 2 and build.producer(ids) is None and others == [0]
    )


def _carries_mask(calls: tuple[Call, ...]) -> bool:
    return any(ref.masked for call in calls for ref in call.results)


def _masks(build: Builder) -> list[Problem]:
    """Layers that Keras lets see the padding although it hides it from others."""
    seeing = [name for name, masked in build.readers if not masked]
    if len(seeing) in (0, len(build.readers)):
        return []
    allowed = "a mask for all layers that look at all rows, or for none"
    return [
        Problem(f"layer {name}", "sees the padding, which other layers do not", allowed) for name in seeing
    ]


def _hint(build: Builder, calls: tuple[Call, ...]) -> str:
    lost = [call.name for call in calls if call.loses_mask]
    if lost and len({masked for _, masked in build.readers}) > 1:
        return (
            f"Keras loses the mask at {', '.join(lost[:4])}: ResidualAdd and RMSNormalization of "
            "tinyc.models keep it, with the same weights"
        )
    return "docs/guides/transformers.md lists the layers and what they may do"


def _paddings(build: Builder) -> list[Problem]:
    """Rows of zeros that no convolution took, in a sentence."""
    if not any(masked for _, masked in build.readers):
        return []
    read = {name for op in build.ops for name in op.inputs}
    return [
        Problem(f"layer {op.name}", "adds rows to a sentence", "padding that a causal convolution reads")
        for op in build.ops
        if isinstance(op, Pad) and read.intersection(op.outputs)
    ]


def _ends(build: Builder, output: Ref) -> list[Problem]:
    """What is wrong with the model's output, and softmaxes that do not stand there."""
    value = build.values.get(output.number)
    if not isinstance(value, str):
        return [Problem("output", "does not depend on the input", "logits [1, classes]")]
    problems = []
    if len(build.shape(value)) != 2:
        shape = list(build.shape(value))
        problems.append(Problem("output", f"has the shape {shape}", "logits [1, classes]: pool the rows"))
    for op in build.ops:
        if isinstance(op, Softmax | Logistic) and op.outputs != (value,):
            problems.append(
                Problem(f"layer {op.name}", f"is a {op.kind} inside of the model", "one at its end")
            )
    return problems
