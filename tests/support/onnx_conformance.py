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
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

from tinyc import interpreter, passes
from tinyc.errors import TinycError
from tinyc.frontends.onnx import layout
from tinyc.frontends.onnx.conversion import Converted, convert
from tinyc.frontends.onnx.decoders import DECODERS
from tinyc.frontends.onnx.reader import read
from tinyc.ir.graph import Graph
from tinyc.ir.ops.common import LARGEST_FLOAT
from tinyc.ir.tensor import Array

PYTORCH = "PyTorch"
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


@dataclass(frozen=True, slots=True)
class _Case:
    """A test: a model, what goes in and what has to come out."""

    op: str
    name: str
    model: onnx.ModelProto
    inputs: tuple[Array, ...]
    expected: tuple[Array, ...]
    tolerance: float


@cache
def outcomes() -> tuple[Outcome, ...]:
    """One for each test of an operator that tinyc has, but for those of function bodies (`_expanded`).

    Then those of layers that PyTorch exported, whose `op` is PYTORCH.
    """
    return tuple(_outcome(case) for case in (*_operators(), *_exported()))


def _operators() -> Iterator[_Case]:
    import onnx.backend.test.case.node as node

    own = sorted(op for op in DECODERS if "." not in op)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in pkgutil.iter_modules(node.__path__):
            if module.name.replace("_", "") in {op.lower() for op in own}:
                importlib.import_module(f"{node.__name__}.{module.name}")
    for case in sorted(node._NodeTestCases, key=lambda case: case.name):
        op = case.model.graph.node[0].op_type
        if "_expanded" not in case.name and op in own:
            ((inputs, expected),) = case.data_sets
            values = (tuple(map(_array, arrays)) for arrays in (inputs, expected))
            yield _Case(op, case.name, case.model, *values, tolerance=case.rtol)


def _exported() -> Iterator[_Case]:
    for kind in ("pytorch-converted", "pytorch-operator"):
        for case in sorted(load_model_tests(kind=kind), key=lambda case: case.name):
            folder = Path(case.model_dir)
            data = folder / "test_data_set_0"
            inputs, expected = (
                tuple(_array(onnx.load_tensor(path)) for path in sorted(data.glob(f"{edge}_*.pb")))
                for edge in ("input", "output")
            )
            model = onnx.load(folder / "model.onnx")
            yield _Case(PYTORCH, case.name, model, inputs, expected, case.rtol)


def _outcome(case: _Case) -> Outcome:
    reason = ""
    for bound in (False, True):
        model, given = _bound(case.model, case.inputs) if bound else (case.model, list(case.inputs))
        try:
            found = convert(read(model.SerializeToString(), case.name), case.name)
            graph = passes.legalize(passes.run(found.graph), allow_float=True)
        except TinycError as error:
            reason = error.problems[0].what if error.problems else error.what
            continue
        with np.errstate(all="ignore"):
            arrays = tuple(
                _stored(graph, name, value, order)
                for name, value, order in zip(graph.inputs, given, found.inputs, strict=True)
            )
            answers = interpreter.run(graph, arrays)
        kinds = frozenset(op.kind for op in found.graph.ops)
        wrong = _difference(case, found, graph, answers)
        return Outcome(case.op, case.name, kinds, graph, arrays, error=wrong)
    return Outcome(case.op, case.name, reason=reason)


def _array(value: Any) -> Array:
    return np.asarray(numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value)


def _bound(model: onnx.ModelProto, inputs: Sequence[Array]) -> tuple[onnx.ModelProto, list[Array]]:
    """The model with all inputs behind the first as constants."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    # Older files list every constant as an input too.
    changed.ir_version = max(4, model.ir_version)
    known = {tensor.name for tensor in model.graph.initializer}
    names = [entry.name for entry in model.graph.input if entry.name not in known]
    changed.graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in zip(names[1:], inputs[1:], strict=True)
    )
    del changed.graph.input[:]
    changed.graph.input.extend(entry for entry in model.graph.input if entry.name not in names[1:])
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


def _difference(case: _Case, found: Converted, graph: Graph, answers: Sequence[Array]) -> str:
    """How the answers differ from the expected ones, "" when they do not."""
    for name, order, actual, wanted in zip(graph.outputs, found.outputs, answers, case.expected, strict=True):
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
        else:
            # float64 is float32 here: larger numbers are infinite, or the largest where a layer clamps.
            with np.errstate(over="ignore"):
                narrow = wanted.astype(np.float32)
            clamped = np.isinf(narrow) & np.isfinite(wanted) & (actual == np.copysign(LARGEST_FLOAT, narrow))
            close = clamped | np.isclose(actual, narrow, case.tolerance, _ABSOLUTE, equal_nan=True)
            if not close.all():
                return f"{np.count_nonzero(~close)} elements differ"
    return ""
