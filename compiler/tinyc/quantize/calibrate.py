"""Calibration: the samples, and what the float graph's activations look like on them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from tinyc.errors import Problem, TinycError
from tinyc.interpreter import trace
from tinyc.ir.graph import Graph
from tinyc.ir.ops.common import LARGEST_FLOAT
from tinyc.ir.tensor import Array, Tensor, TensorName
from tinyc.quantize.fixed_point import Rounding
from tinyc.quantize.histogram import Histogram

Sample: TypeAlias = tuple[Array, ...]


def check_samples(graph: Graph, samples: Iterable[Sequence[Array]]) -> tuple[Sample, ...]:
    """The samples as float32 arrays with the shapes of the graph's inputs.

    A sample is one array per graph input. It may leave out a leading axis of extent 1 (the batch).
    Raises TinycError for an empty set, a wrong number of arrays, a wrong shape, values that are not
    floating point, NaN and infinite values; at most ten samples are listed.
    """
    where = "calibration data"
    problems: list[Problem] = []
    checked: list[Sample] = []
    for number, sample in enumerate(samples):
        if len(sample) != len(graph.inputs):
            problems.append(
                Problem(f"sample {number}", f"has {len(sample)} arrays", f"needs {len(graph.inputs)}")
            )
            continue
        arrays = []
        for name, value in zip(graph.inputs, sample, strict=True):
            try:
                arrays.append(_fitted(graph[name], np.asarray(value)))
            except ValueError as error:
                what, _, allowed = str(error).partition("; ")
                problems.append(Problem(f"sample {number}, input {name}", what, allowed))
        checked.append(tuple(arrays))
    if problems:
        more = f" (the first 10 of {len(problems)} findings)" if len(problems) > 10 else ""
        raise TinycError(f"the samples do not fit the model{more}", where=where, problems=problems[:10])
    if not checked:
        raise TinycError(
            "holds no samples",
            where=where,
            allowed="at least one input of the model",
            hint="a hundred typical inputs are usually enough",
        )
    return tuple(checked)


def _fitted(tensor: Tensor, value: Array) -> Array:
    if value.dtype.kind != "f":
        raise ValueError(f"is {value.dtype}; needs float32")
    if value.shape != tensor.shape and (tensor.shape[:1] != (1,) or value.shape != tensor.shape[1:]):
        channels, *rest = value.shape[1 - len(tensor.shape) :] or (0,)
        first = len(tensor.shape) > 2 and (*rest, channels) == tensor.shape[1:]
        tail = ", channels last: numpy.moveaxis(samples, 1, -1)" if first else ""
        raise ValueError(f"has shape {list(value.shape)}; needs {list(tensor.shape)}{tail}")
    with np.errstate(over="ignore"):
        narrow = value.astype(np.float32).reshape(tensor.shape)
    if not np.isfinite(narrow).all():
        raise ValueError("holds NaN or infinite values")
    return narrow


def spread(samples: Sequence[Sample], count: int) -> tuple[Sample, ...]:
    """At most `count` samples, evenly spread over the sequence."""
    if len(samples) <= count:
        return tuple(samples)
    return tuple(samples[index * len(samples) // count] for index in range(count))


def _peak(values: Array) -> float:
    """The largest magnitude; infinity for NaN."""
    largest = float(np.max(np.abs(values), initial=0.0))
    return math.inf if math.isnan(largest) else largest


def float_trace(graph: Graph, sample: Sample) -> Mapping[TensorName, Array]:
    """Every tensor of the float graph.

    Raises TinycError that names the first one that is not finite, or that a layer with a fused activation cut
    to the largest float32.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
        values = trace(graph, sample, Rounding.ANY)
    for op in graph.ops:
        for name in op.outputs:
            peak = _peak(values[name])
            if peak > LARGEST_FLOAT or peak == LARGEST_FLOAT > max(_peak(values[x]) for x in op.inputs):
                raise TinycError(
                    "the float model computes NaN or infinite values on the calibration data",
                    where=f"layer {op.name}, tensor {name}",
                    hint="check the weights of this layer and the scaling of the calibration inputs",
                )
    return values


def collect(
    graph: Graph, samples: Iterable[Sample], tensors: Iterable[TensorName]
) -> dict[TensorName, Histogram]:
    """Histograms of the named tensors over all samples; constants are counted once.

    Memory is bounded by one inference and one histogram per tensor.
    Raises TinycError when a tensor is not finite.
    """
    histograms = {name: Histogram() for name in tensors}
    for name, histogram in histograms.items():
        if graph[name].is_constant:
            histogram.add(graph[name].constant)
    for sample in samples:
        values = float_trace(graph, sample)
        for name, histogram in histograms.items():
            if not graph[name].is_constant:
                histogram.add(values[name])
    return histograms
