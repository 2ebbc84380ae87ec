"""ONNX's own tests of operators (`onnx.backend.test`), through the front end and the reference of each op.

A test gives every input at run time. Where tinyc needs constants, such as weights or axes, the inputs behind
the first are made constants of the test's own values.
"""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from tinyc import interpreter, passes
from tinyc.errors import TinycError
from tinyc.frontends.onnx import layout
from tinyc.frontends.onnx.conversion import Converted, convert
from tinyc.frontends.onnx.decoders import DECODERS
from tinyc.frontends.onnx.reader import read
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array

_ABSOLUTE = 1e-5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a test: the graph and the kinds of its ops, or a reason; `error` when it is wrong."""

    op: str
    name: str
    kinds: frozenset[str] = frozenset()
    graph: Graph | None = None
    inputs: tuple[Array, ...] = ()
    reason: str = ""
    error: str = ""


@cache
def outcomes() -> tuple[Outcome, ...]:
    """One for each test of an operator that tinyc has, but for those of function bodies (`_expanded`)."""
    return tuple(_outcome(case) for case in _cases())


def _cases() -> Iterator[Any]:
    import onnx.backend.test.case.node as node

    own = sorted(op for op in DECODERS if "." not in op)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in pkgutil.iter_modules(node.__path__):
            if module.name.replace("_", "") in {op.lower() for op in own}:
                importlib.import_module(f"{node.__name__}.{module.name}")
    for case in sorted(node._NodeTestCases, key=lambda case: case.name):
        if "_expanded" not in case.name and case.model.graph.node[0].op_type in own:
            yield case


def _outcome(case: Any) -> Outcome:
    op, (data,) = case.model.graph.node[0].op_type, case.data_sets
    inputs, expected = ([_array(value) for value in values] for values in data)
    reason = ""
    for bound in (False, True):
        model, given = _bound(case.model, inputs) if bound else (case.model, list(inputs))
        try:
            found = convert(read(model.SerializeToString(), case.name), case.name)
            graph = passes.legalize(passes.run(found.graph), allow_float=True)
        except TinycError as error:
            reason = error.problems[0].what if error.problems else error.what
            continue
        arrays = tuple(
            _stored(graph, name, value, order)
            for name, value, order in zip(graph.inputs, given, found.inputs, strict=True)
        )
        with np.errstate(all="ignore"):
            answers = interpreter.run(graph, arrays)
        kinds = frozenset(op.kind for op in found.graph.ops)
        error = _difference(case, found, graph, answers, expected)
        return Outcome(op, case.name, kinds, graph, arrays, error=error)
    return Outcome(op, case.name, reason=reason)


def _array(value: Any) -> Array:
    return np.asarray(numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value)


def _bound(model: onnx.ModelProto, inputs: Sequence[Array]) -> tuple[onnx.ModelProto, list[Array]]:
    """The model with all inputs behind the first as constants."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    del changed.graph.input[1:]
    names = [entry.name for entry in model.graph.input]
    changed.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name)
        for name, value in zip(names[1:], inputs[1:], strict=True)
    )
    return changed, list(inputs[:1])


def _stored(graph: Graph, name: str, value: Array, order: layout.Order) -> Array:
    """A value of the file as the graph has it."""
    tensor = graph[name]
    if value.dtype == np.uint8 and tensor.dtype.numpy == np.int8:
        value = (value.astype(np.int16) - 128).astype(np.int8)
    elif value.dtype.kind == "f" and tensor.quantization is not None:
        limits = np.iinfo(tensor.dtype.numpy)
        steps = np.rint(value / np.float32(tensor.scale)) + tensor.zero_point
        value = np.clip(steps, limits.min, limits.max)
    value = value.astype(tensor.dtype.numpy)
    return layout.arranged(value, layout.plain(value.ndim), order)


def _difference(
    case: Any, found: Converted, graph: Graph, answers: Sequence[Array], expected: Sequence[Array]
) -> str:
    """How the answers differ from the expected ones, "" when they do not."""
    for name, order, actual, wanted in zip(graph.outputs, found.outputs, answers, expected, strict=True):
        actual = layout.arranged(actual, order, layout.plain(len(layout.own_axes(order))))
        if actual.shape != wanted.shape:
            return f"shape {list(actual.shape)}, {list(wanted.shape)} expected"
        if graph[name].quantization is not None:
            actual = actual.astype(np.int64) + (128 if wanted.dtype == np.uint8 else 0)
            if wanted.dtype.kind == "f":
                actual = (actual - graph[name].zero_point) * graph[name].scale
        if wanted.dtype.kind in "iub":
            if not np.array_equal(actual, wanted):
                return f"{np.count_nonzero(actual != wanted)} elements differ"
        elif not np.allclose(actual, wanted.astype(np.float64), case.rtol, _ABSOLUTE, equal_nan=True):
            return f"{np.count_nonzero(~np.isclose(actual, wanted, case.rtol, _ABSOLUTE))} elements differ"
    return ""
