"""Post-training quantization, from a float graph and calibration samples to an int8 graph and its bill."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array, TensorName
from tinyc.quantize.arithmetic import check_arithmetic
from tinyc.quantize.bill import Bill, Treatment
from tinyc.quantize.calibrate import Sample, check_samples, collect, float_trace, spread
from tinyc.quantize.choose import Progress, choose_by_output, choose_by_tensor, group_histograms
from tinyc.quantize.clip_weights import clip_weights
from tinyc.quantize.correct_bias import correct_bias
from tinyc.quantize.equalize import Ranges, equalize, find_pairs
from tinyc.quantize.global_pools import pools_to_means
from tinyc.quantize.integer_graph import integer_graph
from tinyc.quantize.measure import (
    check_labels,
    decibel,
    int8_weight_gains,
    int16_gains,
    measure_accuracy,
    measure_layers,
    tensor_bills,
)
from tinyc.quantize.options import QuantizeOptions, Weights
from tinyc.quantize.scheme import check_quantizable, make_groups
from tinyc.quantize.simulate import Simulation, sqnr
from tinyc.quantize.transformer.tables import with_bits


@dataclass(frozen=True, slots=True)
class Quantized:
    """The int8 graph and what it costs."""

    graph: Graph
    bill: Bill


def quantize_graph(
    graph: Graph,
    samples: Iterable[Sequence[Array]],
    options: QuantizeOptions | None = None,
    labels: Sequence[int] | Array | None = None,
    progress: Progress | None = None,
) -> Quantized:
    """Quantize a float32 graph to int8: inputs, outputs, weights and everything between.

    `samples` are typical inputs, one array per graph input each; `labels` one class index per
    sample, for the accuracies in the bill. `progress` is called with a stage and its part done.
    Raises TinycError for layers without a quantization rule, constants or activations that are not
    finite, and samples or labels that do not fit.
    """
    options = options or QuantizeOptions()
    graph = with_bits(graph, options.embedding_bits)
    check_quantizable(graph)
    checked = check_samples(graph, samples)
    classes = check_labels(graph, labels, len(checked))
    measured = spread(checked, options.measure_samples)
    report = progress or _quiet

    report("trying treatments", 0.0)
    real, treatments = _treated(graph, measured, options)
    groups = make_groups(real)
    report("calibrating", 0.0)
    histograms = group_histograms(groups, collect(real, checked, groups.of()))
    chosen, tried = choose_by_tensor(real, groups, histograms, options)
    simulation = Simulation(real, measured, chosen.by_tensor(), widths=options.weights)
    if options.weights is Weights.INT4:
        trial = simulation.exchanged(clip_weights(real), real)
        treatments.append(_treatment("clipping of weights", simulation.error(), trial.error()))
        if treatments[-1].kept:
            simulation = trial
    chosen = choose_by_output(chosen, tried, simulation, options, report)
    weight_gains = int8_weight_gains(simulation, real, report) if options.weights is Weights.INT4 else {}
    if options.correct_bias:
        report("correcting biases", 0.0)
        trial = simulation.exchanged(correct_bias(simulation), real)
        treatments.append(_treatment("bias correction", simulation.error(), trial.error()))
        if treatments[-1].kept:
            simulation = trial
    integer = integer_graph(simulation.graph, chosen)
    check_arithmetic(integer)
    gains = int16_gains(simulation, chosen, report) if options.int16_gain else {}
    report("measuring layers", 0.0)
    network, layers, outputs = measure_layers(simulation, integer, gains, weight_gains)
    accuracy = None if classes is None else measure_accuracy(graph, integer, checked, classes, report)
    bill = Bill(
        model=graph.name,
        criterion=options.criterion.value,
        samples=len(checked),
        measured_samples=len(simulation.samples),
        network_sqnr_db=network,
        outputs=outputs,
        layers=layers,
        tensors=tensor_bills(chosen),
        treatments=tuple(treatments),
        accuracy=accuracy,
    )
    return Quantized(integer, bill)


def _quiet(stage: str, done: float) -> None:
    """No progress is shown."""


def _treatment(name: str, before: float, after: float) -> Treatment:
    """Kept where the measured error gets lower."""
    return Treatment(name, decibel(sqnr(before)), decibel(sqnr(after)), after < before)


def _treated(
    graph: Graph, samples: Sequence[Sample], options: QuantizeOptions
) -> tuple[Graph, list[Treatment]]:
    """The graph after the treatments that lower the error, and all that were tried.

    These are means for global pools, then the better of the two equalizations. Every variant is
    calibrated on `samples` with ranges chosen by tensor.
    """
    treatments: list[Treatment] = []
    error: float | None = None
    means = pools_to_means(graph) if options.global_pools else graph
    if means.ops != graph.ops:
        error, trial = (_error_by_tensor(variant, samples, options) for variant in (graph, means))
        treatments.append(_treatment("means for global pools", error, trial))
        if treatments[-1].kept:
            graph, error = means, trial
    pairs = find_pairs(graph) if options.equalize else ()
    if not pairs:
        return graph, treatments
    largest = _largest_outputs(graph, samples, [pair.first for pair in pairs])
    before = _error_by_tensor(graph, samples, options) if error is None else error
    variants = [equalize(graph, ranges, largest) for ranges in Ranges]
    errors = [_error_by_tensor(variant, samples, options) for variant in variants]
    best = int(np.argmin(errors))
    for index, ranges in enumerate(Ranges):
        treatment = _treatment(f"equalization of {ranges.value}", before, errors[index])
        treatments.append(replace(treatment, kept=treatment.kept and index == best))
    return variants[best] if errors[best] < before else graph, treatments


def _error_by_tensor(graph: Graph, samples: Sequence[Sample], options: QuantizeOptions) -> float:
    groups = make_groups(graph)
    histograms = group_histograms(groups, collect(graph, samples, groups.of()))
    chosen, _ = choose_by_tensor(graph, groups, histograms, options)
    return Simulation(graph, samples, chosen.by_tensor(), widths=options.weights).error()


def _largest_outputs(
    graph: Graph, samples: Sequence[Sample], layers: Sequence[str]
) -> dict[TensorName, Array]:
    """Largest magnitude of each channel (last axis) of the named layers' outputs."""
    names = [op.outputs[0] for op in graph.ops if op.name in layers]
    largest: dict[TensorName, Array] = {name: np.zeros(graph[name].shape[-1]) for name in names}
    for sample in samples:
        values = float_trace(graph, sample)
        for name in names:
            rows = np.abs(values[name]).reshape(-1, values[name].shape[-1])
            largest[name] = np.maximum(largest[name], rows.max(axis=0))
    return largest
