"""Simulated quantization: the float graph with rounded weights and rounded activations.

A simulation differs from the integer kernels in the rounding of a few results only, and any
part of it can be switched off, which is how the error of a choice is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array, Quantization, TensorName
from tinyc.quantize.calibrate import Sample, float_trace
from tinyc.quantize.fixed_point import Rounding
from tinyc.quantize.options import Weights
from tinyc.quantize.scheme import (
    RULES,
    along,
    quantize_weights,
    weight_limit,
    weight_scales,
    weighted_operands,
)

# Activations kept for measuring; more samples than fit are not used.
_MEMORY_LIMIT = 512 * 2**20
# SQNR is reported between these limits, in dB; no noise at all counts as the upper one.
SQNR_LIMIT = 200.0

Values = dict[TensorName, Array]
Quantizations = Mapping[TensorName, Quantization]


def rounded(values: Array, quantization: Quantization, bits: int = 8) -> Array:
    """Quantize and dequantize: float32, same shape. Ties go to the even step."""
    limit = 1 << (bits - 1)
    scale, zero_point = np.float32(quantization.scale[0]), quantization.zero_point[0]
    steps = np.clip(np.rint(values / scale), -limit - zero_point, limit - 1 - zero_point)
    return np.asarray(steps * scale, dtype=np.float32)


def rounded_weights(graph: Graph, quantizations: Quantizations, widths: Weights) -> Values:
    """Weights after quantization, by layer name, float32; biases hardly round and stay real."""
    result: Values = {}
    for op in graph.ops:
        weighted, axis = weighted_operands(graph, op), RULES[op.kind].weights_axis
        if weighted is None or axis is None:
            continue
        weights = graph[weighted[0]].constant
        bias = None if weighted[1] is None else graph[weighted[1]].constant
        limit = weight_limit(op, widths)
        scales = weight_scales(weights, axis, bias, quantizations[op.inputs[0]].scale[0], limit)
        steps = quantize_weights(weights, scales, axis, limit)
        result[op.name] = (steps * along(axis, scales, weights.ndim)).astype(np.float32)
    return result


def evaluate(graph: Graph, op: Op, values: Mapping[TensorName, Array], weights: Array | None) -> list[Array]:
    """Results of one op in float32; `weights` replaces operand 1."""
    operands = [values[name] for name in op.inputs]
    if weights is not None:
        operands[1] = weights
    return list(op.reference(operands, graph.operands(op), graph.results(op), Rounding.ANY))


@dataclass(frozen=True, slots=True)
class Point:
    """A tensor at which the network's error is measured.

    These are the outputs; of a SOFTMAX its input, without the mean over the classes, which does not
    change the answer: probabilities close to 0 and 1 would hide what happened before them.
    """

    tensor: TensorName
    centred: bool = False

    def view(self, values: Mapping[TensorName, Array]) -> Array:
        value = values[self.tensor].astype(np.float64)
        return value - value.mean(axis=-1, keepdims=True) if self.centred else value


def measuring_points(graph: Graph) -> tuple[Point, ...]:
    points = []
    for name in graph.outputs:
        producer = graph.producer(name)
        if producer is not None and producer.kind == "SOFTMAX" and producer.inputs[0] not in graph.inputs:
            points.append(Point(producer.inputs[0], centred=True))
        else:
            points.append(Point(name))
    return tuple(points)


def sqnr(noise_to_signal: float) -> float:
    """Signal to quantization noise in dB, within [-SQNR_LIMIT, SQNR_LIMIT]."""
    if noise_to_signal <= 0.0:
        return SQNR_LIMIT
    return float(np.clip(-10.0 * np.log10(noise_to_signal), -SQNR_LIMIT, SQNR_LIMIT))


def noise_ratio(noise: float, signal: float) -> float:
    """noise / signal, at most 10^(SQNR_LIMIT / 10); silence with noise counts as that limit."""
    largest = 10.0 ** (SQNR_LIMIT / 10.0)
    return 0.0 if noise == 0.0 else min(noise / signal, largest) if signal > 0.0 else largest


class Simulation:
    """The quantized network on a few samples, kept evaluated while its parts are exchanged.

    `quantizations` maps activations to their int8 parameters; a tensor without an entry stays real.
    `widths` is the type of the weights.
    `real` holds the traces of `reference`, the float graph that errors are measured against (by
    default the graph itself).
    """

    def __init__(
        self,
        graph: Graph,
        samples: Sequence[Sample],
        quantizations: Quantizations,
        reference: Graph | None = None,
        widths: Weights = Weights.INT8,
    ) -> None:
        per_sample = sum(t.elements * 4 * 2 for t in graph.tensors.values() if not t.is_constant)
        count = max(1, min(len(samples), _MEMORY_LIMIT // max(per_sample, 1)))
        self.graph = graph
        self.widths = widths
        self.points = measuring_points(graph)
        self.samples = tuple(samples[index * len(samples) // count] for index in range(count))
        self.real = [dict(float_trace(reference or graph, sample)) for sample in self.samples]
        self._signal = [
            sum(float(np.square(point.view(values)).sum()) for values in self.real) for point in self.points
        ]
        self.quantizations: dict[TensorName, Quantization] = {}
        self.weights: Values = {}
        self.values: list[Values] = []
        self.requantize(quantizations)

    def exchanged(self, graph: Graph, reference: Graph) -> Simulation:
        """The same with another graph; errors are those against `reference`."""
        return Simulation(graph, self.samples, self.quantizations, reference, self.widths)

    def requantize(self, quantizations: Quantizations) -> None:
        """Evaluate everything anew with these parameters."""
        self.quantizations = dict(quantizations)
        self.weights = rounded_weights(self.graph, quantizations, self.widths)
        self.values = [self._all(sample) for sample in self.samples]

    def _round(self, name: TensorName, values: Array, changed: Quantizations, bits: int) -> Array:
        if name in changed:
            return rounded(values, changed[name], bits)
        quantization = self.quantizations.get(name)
        return values if quantization is None else rounded(values, quantization)

    def _all(self, sample: Sample) -> Values:
        values: Values = {
            tensor.name: self._round(tensor.name, tensor.constant, {}, 8) for tensor in self.graph.constants()
        }
        for name, value in zip(self.graph.inputs, sample, strict=True):
            values[name] = self._round(name, value, {}, 8)
        for op in self.graph.ops:
            self._step(op, values, self.weights, {}, 8)
        return values

    def _step(self, op: Op, values: Values, weights: Values, changed: Quantizations, bits: int) -> None:
        results = evaluate(self.graph, op, values, weights.get(op.name))
        for name, value in zip(op.outputs, results, strict=True):
            values[name] = self._round(name, value, changed, bits)

    def with_changes(
        self, changed: Quantizations, bits: int = 8, weights: Values | None = None
    ) -> list[Values]:
        """The values of all samples if the tensors in `changed` had these parameters.

        Only what depends on them is computed. Weights stay as they are, but for the layers in `weights`.
        """
        return [
            self._partial(sample, values, changed, bits, weights or {})
            for sample, values in zip(self.samples, self.values, strict=True)
        ]

    def _partial(
        self, sample: Sample, old: Values, changed: Quantizations, bits: int, weights: Values
    ) -> Values:
        values = dict(old)
        dirty: set[TensorName] = set()
        for name, value in zip(self.graph.inputs, sample, strict=True):
            if name in changed:
                values[name] = rounded(value, changed[name], bits)
                dirty.add(name)
        for name in changed:
            tensor = self.graph[name]
            if tensor.is_constant:
                values[name] = rounded(tensor.constant, changed[name], bits)
                dirty.add(name)
        for op in self.graph.ops:
            is_same = dirty.isdisjoint(op.inputs) and changed.keys().isdisjoint(op.outputs)
            if is_same and op.name not in weights:
                continue
            self._step(op, values, self.weights | weights, changed, bits)
            dirty.update(op.outputs)
        return values

    def sample_errors(self, values: Sequence[Values] | None = None) -> Array:
        """The part of each sample in `error`, float64."""
        errors = np.zeros(len(self.samples))
        for index, (real, quantized) in enumerate(zip(self.real, values or self.values, strict=True)):
            for point, signal in zip(self.points, self._signal, strict=True):
                noise = float(np.square(point.view(quantized) - point.view(real)).sum())
                errors[index] += noise_ratio(noise, signal) / len(self.points)
        return errors

    def error(self, values: Sequence[Values] | None = None) -> float:
        """Noise power over signal power at the measuring points, averaged over them."""
        return float(self.sample_errors(values).sum())
