"""From a float transformer and calibration samples to an integer graph and its bill."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tinyc.errors import TinycError
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array
from tinyc.quantize.arithmetic import check_arithmetic
from tinyc.quantize.bill import Accuracy, Bill, Promotion, Treatment
from tinyc.quantize.calibrate import Sample, spread
from tinyc.quantize.choose import Chosen, Progress
from tinyc.quantize.histogram import Histogram
from tinyc.quantize.measure import check_labels, decibel, tensor_bills
from tinyc.quantize.options import Criterion, QuantizeOptions, Weights
from tinyc.quantize.post_training import Quantized
from tinyc.quantize.scheme import Group, Groups
from tinyc.quantize.simulate import sqnr
from tinyc.quantize.transformer.calibrate import choose, collect
from tinyc.quantize.transformer.measure import Answers, accuracy_bill, answers, layer_bills, output_bills
from tinyc.quantize.transformer.migrate import factors, largest_by_channel, migrated, norm_of
from tinyc.quantize.transformer.packing import float_run, make_pack, samples_at_once
from tinyc.quantize.transformer.promote import Quality, gains, layer_of, promote
from tinyc.quantize.transformer.samples import check_sentences
from tinyc.quantize.transformer.slots import Slot, check_layers, make_slots
from tinyc.quantize.transformer.state import State, Truth
from tinyc.quantize.transformer.tables import with_bits

# Sentences are short: so many more of them measure the error.
_MEASURED = 4


def quantize_transformer(
    graph: Graph,
    samples: Iterable[Sequence[Array]],
    options: QuantizeOptions | None = None,
    labels: Sequence[int] | Array | None = None,
    progress: Progress | None = None,
) -> Quantized:
    """Quantize a float transformer: weights to int8, activations to int8 or int16.

    `samples`, `labels` and `progress` as in `quantize_graph`; samples may be token ids.
    Raises TinycError as that does.
    """
    options = options or QuantizeOptions()
    if options.weights is not Weights.INT8:
        raise TinycError(
            "the layers of a transformer have weights of eight bits",
            where=f"model {graph.name}",
            hint="leave out --weights, and weights of tinyc.toml; --embedding-bits packs token tables",
        )
    graph = with_bits(graph, options.embedding_bits)
    check_layers(graph)
    checked = check_sentences(graph, samples)
    classes = check_labels(graph, labels, len(checked))
    report = progress or _quiet
    count = min(options.measure_samples * _MEASURED, samples_at_once(graph))
    measured = spread(checked, count)

    report("calibrating", 0.0)
    slots = make_slots(graph)
    histograms = collect(graph, checked, slots)
    truth = Truth.of(float_run(graph, make_pack(graph, measured)))
    moved, treatments = _without_outliers(graph, slots, histograms, truth, options)
    if moved is not graph:
        histograms = collect(moved, checked, slots)
        truth = Truth.of(float_run(moved, make_pack(moved, measured)))
    state = choose(moved, slots, histograms, truth, options, report)
    wanted = options.max_drop
    wins = gains(state, report) if options.int16_gain or wanted is not None else {}
    judge = _Judge(graph, checked, classes, report)
    promotions: tuple[Promotion, ...] = ()
    enough = None
    if wanted is not None:
        state, promotions, enough = promote(state, wins, judge.quality, wanted, report)
    check_arithmetic(state.run.graph)
    report("measuring layers", 0.0)
    by_layer = {layer_of(state.plan, index): decibel(g) for unit, g in wins.items() for index in unit}
    bill = Bill(
        model=graph.name,
        criterion=options.criterion.value,
        samples=len(checked),
        measured_samples=len(measured),
        network_sqnr_db=decibel(sqnr(state.error)),
        outputs=output_bills(state),
        layers=layer_bills(state, by_layer),
        tensors=tensor_bills(_chosen(state)),
        treatments=treatments,
        accuracy=None if classes is None else judge.accuracy(state, classes),
        promotions=promotions,
        enough=enough,
    )
    return Quantized(state.run.graph, bill)


def _without_outliers(
    graph: Graph,
    slots: tuple[Slot, ...],
    histograms: Sequence[Histogram],
    truth: Truth,
    options: QuantizeOptions,
) -> tuple[Graph, tuple[Treatment, ...]]:
    """The graph after the migrations that lower the error, and all that were tried.

    Every variant has the ranges of each tensor's own least error.
    """
    by_tensor = replace(options, criterion=Criterion.TENSOR)
    known = list(histograms)
    best: State | None = None
    treatments = []
    for index, slot in enumerate(slots):
        norm = norm_of(graph, slot, histograms[index])
        if norm is None:
            continue
        if best is None:
            best = choose(graph, slots, known, truth, by_tensor, _quiet)
        values = [truth.real.values[name] for name in slot.tensors]
        divisors = factors(graph, slot, largest_by_channel(values))
        trial_histograms = known.copy()
        trial_histograms[index] = Histogram()
        for value in values:
            trial_histograms[index].add(value / divisors)
        other = migrated(graph, slot, norm, divisors)
        trial = choose(other, slots, trial_histograms, truth, by_tensor, _quiet)
        before, after = decibel(sqnr(best.error)), decibel(sqnr(trial.error))
        kept = trial.error < best.error
        treatments.append(Treatment(f"migration of {norm.name}", before, after, kept))
        if kept:
            graph, known, best = other, trial_histograms, trial
    return graph, tuple(treatments)


class _Judge:
    """Compares integer networks with the float one on all samples."""

    def __init__(
        self, graph: Graph, samples: Sequence[Sample], labels: Array | None, progress: Progress
    ) -> None:
        self._graph, self._samples, self._labels, self._progress = graph, samples, labels, progress
        self._real: Answers | None = None

    def _answers(self, state: State) -> tuple[Answers, Answers]:
        if self._real is None:
            self._real = answers(self._graph, self._graph, self._samples, self._progress)
        return self._real, answers(self._graph, state.run.graph, self._samples, self._progress)

    def quality(self, state: State) -> Quality:
        real, quantized = self._answers(state)
        drop = None
        if self._labels is not None:
            drop = 100.0 * (real.accuracy(self._labels) - quantized.accuracy(self._labels))
        return Quality(quantized.agreement(real), sqnr(state.error), drop)

    def accuracy(self, state: State, labels: Array) -> Accuracy:
        return accuracy_bill(*self._answers(state), labels)


def _quiet(stage: str, done: float) -> None:
    """No progress is shown."""


def _chosen(state: State) -> Chosen:
    plan = state.plan
    groups = Groups(tuple(Group(slot.tensors, slot.fixed) for slot in plan.slots), frozenset())
    return Chosen(groups, plan.choices, plan.quantizations())
