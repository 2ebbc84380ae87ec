"""The choice between calibration methods, tensor group by tensor group, by measured error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array, Quantization, TensorName
from tinyc.quantize.histogram import Histogram
from tinyc.quantize.options import Criterion, QuantizeOptions, Weights
from tinyc.quantize.ranges import Candidate, Range, candidates, rounding_error
from tinyc.quantize.scheme import Groups, settle
from tinyc.quantize.simulate import Simulation, noise_ratio

Progress = Callable[[str, float], None]

FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class Trial:
    """A method that was tried for one group and its errors, as noise power over signal power.

    `tensor_error`: of quantizing and dequantizing the tensors themselves; `output_error`: of the
    network, None when not measured.
    """

    method: str
    tensor_error: float
    output_error: float | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The range chosen for one group, and all methods that were tried."""

    method: str
    range: Range
    trials: tuple[Trial, ...] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """One choice and one quantization per group, in the order of the groups, and the type of the weights."""

    groups: Groups
    choices: tuple[Choice, ...]
    quantizations: tuple[Quantization, ...]
    weights: Weights = Weights.INT8

    def by_tensor(self) -> dict[TensorName, Quantization]:
        return {name: self.quantizations[index] for name, index in self.groups.of().items()}

    def replaced(self, graph: Graph, index: int, choice: Choice) -> Chosen:
        """A copy with another choice for one group."""
        choices = (*self.choices[:index], choice, *self.choices[index + 1 :])
        quantizations = _quantizations(graph, self.groups, choices, self.weights)
        return replace(self, choices=choices, quantizations=quantizations)


def _quantizations(
    graph: Graph, groups: Groups, choices: Sequence[Choice], weights: Weights
) -> tuple[Quantization, ...]:
    wanted = [
        group.fixed or choice.range.quantization() for group, choice in zip(groups, choices, strict=True)
    ]
    return settle(graph, groups, wanted, weights)


def _fixed_range(quantization: Quantization) -> Range:
    scale, zero_point = quantization.scale[0], quantization.zero_point[0]
    return Range((-128 - zero_point) * scale, (127 - zero_point) * scale)


def group_histograms(groups: Groups, statistics: Mapping[TensorName, Histogram]) -> list[Histogram]:
    """The statistics of each group: those of all its tensors together."""
    result = []
    for group in groups:
        merged = statistics[group.tensors[0]]
        for name in group.tensors[1:]:
            merged = merged.merged(statistics[name])
        result.append(merged)
    return result


def choose_by_tensor(
    graph: Graph, groups: Groups, histograms: Sequence[Histogram], options: QuantizeOptions
) -> tuple[Chosen, tuple[tuple[Candidate, ...], ...]]:
    """For each group the candidate of least rounding error; also all candidates.

    The error is that of quantizing and dequantizing the tensor itself, from its histogram.
    """
    choices: list[Choice] = []
    tried: list[tuple[Candidate, ...]] = []
    for group, histogram in zip(groups, histograms, strict=True):
        if group.fixed is not None:
            choices.append(Choice(FIXED, _fixed_range(group.fixed)))
            tried.append(())
            continue
        found = candidates(histogram, options)
        lows = np.array([candidate.range.low for candidate in found])
        highs = np.array([candidate.range.high for candidate in found])
        power = histogram.power / max(histogram.count, 1)
        errors = [noise_ratio(float(e), power) for e in rounding_error(histogram, lows, highs)]
        best = int(np.argmin(errors))
        trials = [Trial(c.label, error) for c, error in zip(found, errors, strict=True)]
        choices.append(Choice(found[best].label, found[best].range, tuple(trials)))
        tried.append(found)
    quantizations = _quantizations(graph, groups, choices, options.weights)
    return Chosen(groups, tuple(choices), quantizations, options.weights), tuple(tried)


def choose_by_output(
    chosen: Chosen,
    tried: Sequence[Sequence[Candidate]],
    simulation: Simulation,
    options: QuantizeOptions,
    progress: Progress | None = None,
) -> Chosen:
    """Go through the groups in the order of the graph and keep what lowers the network's error.

    Each candidate is measured with everything quantized and all other groups as chosen so far. The
    choice changes only for a gain that the samples agree on (see `_significant`); within their
    noise the tensor's own error decides. `simulation` is left with the result.
    """
    if options.criterion is Criterion.TENSOR:
        return chosen
    graph = simulation.graph
    for index, found in enumerate(tried):
        if progress is not None:
            progress("choosing ranges", index / len(tried))
        if len(found) < 2:
            continue
        base = simulation.sample_errors()
        measured: dict[Quantization, Array] = {chosen.quantizations[index]: base}
        better: list[tuple[float, Chosen]] = []
        trials = []
        for candidate, trial in zip(found, chosen.choices[index].trials, strict=True):
            other = chosen.replaced(graph, index, Choice(candidate.label, candidate.range))
            quantization = other.quantizations[index]
            if quantization not in measured:
                before, after = chosen.by_tensor(), other.by_tensor()
                changed = {name: after[name] for name in after if after[name] != before[name]}
                measured[quantization] = simulation.sample_errors(simulation.with_changes(changed))
            error = float(measured[quantization].sum())
            trials.append(replace(trial, output_error=error))
            if _significant(base, measured[quantization]):
                better.append((error, other))
        if better:
            chosen = min(better, key=lambda pair: pair[0])[1]
            simulation.requantize(chosen.by_tensor())
        choice = replace(chosen.choices[index], trials=tuple(trials))
        chosen = chosen.replaced(graph, index, choice)
    return chosen


def _significant(base: Array, trial: Array) -> bool:
    """True when the errors per sample are lower by more than twice the standard error of their mean.

    Smaller differences are noise that does not carry over to other inputs. A single sample is believed.
    """
    gain = base - trial
    if len(gain) < 2:
        return bool(gain.sum() > 0.0)
    return bool(gain.mean() > 2.0 * gain.std(ddof=1) / np.sqrt(len(gain)))
