"""The integer network on a few samples, kept evaluated while its parts are exchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array, DType, Quantization, TensorName
from tinyc.quantize.choose import Choice
from tinyc.quantize.measure import dequantize
from tinyc.quantize.options import Method
from tinyc.quantize.ranges import SMALLEST_SCALE, Range
from tinyc.quantize.simulate import Point, measuring_points, noise_ratio
from tinyc.quantize.transformer.integer_graph import integer_graph
from tinyc.quantize.transformer.packing import Run, parts, run
from tinyc.quantize.transformer.scales import settle
from tinyc.quantize.transformer.slots import Slot
from tinyc.quantize.transformer.tables import LIMIT

# int16 tensors hold so much more than the calibration data needs: then no difference from the mean, as
# LAYER_NORM computes it, leaves 16 bits.
HEADROOM = 2.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A slot and a choice for each group of tensors of `graph`, a float graph, and its full range."""

    graph: Graph
    slots: tuple[Slot, ...]
    choices: tuple[Choice, ...]
    full: tuple[Range, ...]

    def with_choice(self, index: int, choice: Choice) -> Plan:
        return replace(self, choices=(*self.choices[:index], choice, *self.choices[index + 1 :]))

    def promoted(self, indices: Sequence[int]) -> Plan:
        """A copy with these slots in 16 bits."""
        slots, choices = list(self.slots), list(self.choices)
        for index in indices:
            slots[index] = replace(slots[index], dtype=DType.INT16, symmetric=True, promotable=False)
            choices[index] = Choice(Method.MIN_MAX.value, self.full[index])
        return replace(self, slots=tuple(slots), choices=tuple(choices))

    def quantizations(self) -> tuple[Quantization, ...]:
        """One per slot. Raises TinycError where fixed point cannot hold a layer."""
        wanted = [
            slot.fixed or quantization_of(slot, choice.range)
            for slot, choice in zip(self.slots, self.choices, strict=True)
        ]
        types = {name: slot.dtype for slot in self.slots for name in slot.tensors}
        return settle(self.graph, self.slots, wanted, types)

    def integer(self) -> Graph:
        return integer_graph(self.graph, self.slots, self.quantizations())


def quantization_of(slot: Slot, chosen: Range) -> Quantization:
    largest = max(-chosen.low, chosen.high) or 1.0
    if slot.dtype is DType.INT16:
        return Range(-largest * HEADROOM, largest * HEADROOM).quantization_int16()
    if slot.symmetric:
        return Quantization((float(np.float32(max(largest / LIMIT, SMALLEST_SCALE))),), (0,))
    return chosen.quantization()


@dataclass(frozen=True, slots=True)
class Truth:
    """The float network on the measuring samples."""

    real: Run
    points: tuple[Point, ...]
    views: tuple[Array, ...]
    signals: tuple[float, ...]

    @classmethod
    def of(cls, real: Run) -> Truth:
        points = measuring_points(real.graph)
        views = tuple(_view(real, point, real.values) for point in points)
        return cls(real, points, views, tuple(float(np.square(view).sum()) for view in views))

    def errors(self, quantized: Run) -> Array:
        """Part of each sample in the noise power over the signal power at the points, float64."""
        found = np.zeros(len(self.real.pack.samples))
        for point, view, signal in zip(self.points, self.views, self.signals, strict=True):
            difference = _view(quantized, point, {point.tensor: real_value(quantized, point.tensor)}) - view
            noise = _per_sample(quantized, point.tensor, np.square(difference))
            found += np.array([noise_ratio(float(part), signal) for part in noise]) / len(self.points)
        return found


def _view(result: Run, point: Point, values: Mapping[TensorName, Array]) -> Array:
    return point.view(values)


def _per_sample(result: Run, name: TensorName, values: Array) -> Array:
    """Sums over the elements of each sample."""
    stored = Run(result.graph, result.pack, {name: values})
    return np.array([float(part.sum()) for part in parts(stored, name)])


def real_value(result: Run, name: TensorName) -> Array:
    """A tensor of an integer run in real units, float32."""
    tensor = result.graph[name]
    return result.values[name] if tensor.quantization is None else dequantize(tensor, result.values[name])


class State:
    """A plan, its integer graph and their run."""

    def __init__(self, plan: Plan, truth: Truth, before: Run | None = None) -> None:
        self.plan = plan
        self.truth = truth
        self.run = run(plan.integer(), truth.real.pack, before)
        self.errors = truth.errors(self.run)

    @property
    def error(self) -> float:
        """Noise power over signal power at the measuring points, averaged over them."""
        return float(self.errors.sum())

    def changed(self, plan: Plan) -> State:
        return State(plan, self.truth, self.run)


def is_better(trial: State, best: State) -> bool:
    """Lower by more than twice the standard error over the samples."""
    gains = best.errors - trial.errors
    count = len(gains)
    spread = float(np.std(gains, ddof=1)) * count**0.5 if count > 1 else 0.0
    return float(np.sum(gains)) > 2.0 * spread
