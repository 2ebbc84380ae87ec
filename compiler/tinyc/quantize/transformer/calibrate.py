"""Ranges of the activations, from the rows that the calibration sentences have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array, DType
from tinyc.quantize.calibrate import Sample
from tinyc.quantize.choose import FIXED, Choice, Progress, Trial
from tinyc.quantize.histogram import Histogram
from tinyc.quantize.options import Criterion, Method, QuantizeOptions
from tinyc.quantize.ranges import Range, candidates, rounding_error
from tinyc.quantize.simulate import noise_ratio
from tinyc.quantize.transformer.packing import chunks, float_run, make_pack
from tinyc.quantize.transformer.slots import Slot
from tinyc.quantize.transformer.state import Plan, State, Truth, is_better
from tinyc.quantize.transformer.tables import LIMIT

_CLIPS = np.linspace(0.3, 1.0, 141)


def collect(graph: Graph, samples: Sequence[Sample], slots: Sequence[Slot]) -> list[Histogram]:
    """What each slot holds over all samples. Raises TinycError when a tensor is not finite."""
    histograms = [Histogram() for _ in slots]
    for slot, histogram in zip(slots, histograms, strict=True):
        for name in slot.tensors:
            if graph[name].is_constant:
                histogram.add(graph[name].constant)
    for chunk in chunks(graph, samples):
        values = float_run(graph, make_pack(graph, chunk)).values
        for slot, histogram in zip(slots, histograms, strict=True):
            for name in slot.tensors:
                if not graph[name].is_constant:
                    histogram.add(values[name])
    return histograms


def ranges(slot: Slot, histogram: Histogram, options: QuantizeOptions) -> tuple[Choice, ...]:
    """The ranges that come into question, that of the least error of the tensor itself first."""
    full = Range(min(histogram.minimum, 0.0), max(histogram.maximum, 0.0))
    if slot.fixed is not None:
        low, high = (-1.0, 1.0) if slot.fixed.zero_point[0] == 0 else (0.0, 1.0)
        return (Choice(FIXED, Range(low, high)),)
    if slot.dtype is DType.INT16:
        return (Choice(Method.MIN_MAX.value, full),)
    methods = tuple(m for m in options.methods if m in (Method.MIN_MAX, Method.MSE)) or options.methods
    narrowed = QuantizeOptions(methods=methods, percentiles=options.percentiles)
    found = [(item.label, item.range) for item in candidates(histogram, narrowed)]
    if slot.symmetric:
        found = [(label, _symmetric(slot, label, item, histogram)) for label, item in found]
    power = histogram.power / max(histogram.count, 1)
    errors = [noise_ratio(_error(slot, histogram, item), power) for _, item in found]
    trials = tuple(Trial(label, error) for (label, _), error in zip(found, errors, strict=True))
    order = np.argsort(errors, kind="stable")
    return tuple(Choice(found[at][0], found[at][1], trials) for at in order)


def _symmetric(slot: Slot, label: str, found: Range, histogram: Histogram) -> Range:
    largest = max(-found.low, found.high)
    if label == Method.MSE.value:
        clips = _CLIPS * max(-histogram.minimum, histogram.maximum)
        largest = float(clips[int(np.argmin(_symmetric_errors(histogram, clips)))])
    return Range(-largest, largest)


def _symmetric_errors(histogram: Histogram, clips: Array) -> Array:
    """Mean squared error of rounding to int8 without a zero point, for each largest magnitude."""
    used = histogram.counts > 0
    values = np.clip(histogram.centres[used], histogram.minimum, histogram.maximum)
    weights = histogram.counts[used].astype(np.float64)
    scales = np.maximum(clips, 1e-30) / LIMIT
    steps = np.clip(np.rint(values / scales[:, None]), -LIMIT - 1, LIMIT)
    return np.asarray(np.square(values - steps * scales[:, None]) @ weights / max(histogram.count, 1))


def _error(slot: Slot, histogram: Histogram, found: Range) -> float:
    if slot.symmetric:
        return float(_symmetric_errors(histogram, np.array([max(-found.low, found.high)]))[0])
    return float(rounding_error(histogram, np.array([found.low]), np.array([found.high]))[0])


def choose(
    graph: Graph,
    slots: tuple[Slot, ...],
    histograms: Sequence[Histogram],
    truth: Truth,
    options: QuantizeOptions,
    progress: Progress,
) -> State:
    """The network with the ranges of the least error at its outputs.

    It starts with the better of two plans, each tensor's own least error or its full range. Then each
    tensor in turn takes another range if the error falls by more than chance.
    """
    found = [ranges(slot, h, options) for slot, h in zip(slots, histograms, strict=True)]
    limits = tuple(Range(min(h.minimum, 0.0), max(h.maximum, 0.0)) for h in histograms)
    best = State(Plan(graph, slots, tuple(choices[0] for choices in found), limits), truth)
    if options.criterion is Criterion.TENSOR:
        return best
    widest = tuple(max(choices, key=lambda c: c.range.high - c.range.low) for choices in found)
    full = best.changed(replace(best.plan, choices=widest))
    if full.error < best.error:
        best = full
    for index, choices in enumerate(found):
        progress("choosing ranges", index / len(found))
        if len(choices) < 2:
            continue
        base, errors = best, {}
        for choice in choices:
            same = choice.range == base.plan.choices[index].range
            trial = base if same else base.changed(base.plan.with_choice(index, choice))
            errors[choice.method] = trial.error
            if is_better(trial, base) and trial.error < best.error:
                best = trial
        chosen = best.plan.choices[index]
        trials = tuple(replace(t, output_error=errors.get(t.method)) for t in chosen.trials)
        best.plan = best.plan.with_choice(index, replace(chosen, trials=trials))
    return best
