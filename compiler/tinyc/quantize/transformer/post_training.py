"""From a float transformer and calibration samples to an integer graph and its bill."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array
from tinyc.quantize.bill import Bill
from tinyc.quantize.calibrate import spread
from tinyc.quantize.choose import Chosen, Progress
from tinyc.quantize.measure import check_labels, decibel, tensor_bills
from tinyc.quantize.options import QuantizeOptions
from tinyc.quantize.post_training import Quantized
from tinyc.quantize.scheme import Group, Groups
from tinyc.quantize.simulate import sqnr
from tinyc.quantize.transformer.calibrate import choose, collect
from tinyc.quantize.transformer.integer_graph import check_arithmetic
from tinyc.quantize.transformer.measure import accuracy_bill, answers, layer_bills, output_bills
from tinyc.quantize.transformer.packing import float_run, make_pack, samples_at_once
from tinyc.quantize.transformer.samples import check_sentences
from tinyc.quantize.transformer.slots import check_layers, make_slots
from tinyc.quantize.transformer.state import State, Truth

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
    state = choose(graph, slots, histograms, truth, options, report)
    integer = state.run.graph
    check_arithmetic(integer)
    report("measuring layers", 0.0)
    accuracy = None
    if classes is not None:
        real, quantized = answers(graph, graph, checked, report), answers(graph, integer, checked, report)
        accuracy = accuracy_bill(real, quantized, classes)
    bill = Bill(
        model=graph.name,
        criterion=options.criterion.value,
        samples=len(checked),
        measured_samples=len(measured),
        network_sqnr_db=decibel(sqnr(state.error)),
        outputs=output_bills(state),
        layers=layer_bills(state, {}),
        tensors=tensor_bills(_chosen(state)),
        treatments=(),
        accuracy=accuracy,
    )
    return Quantized(integer, bill)


def _quiet(stage: str, done: float) -> None:
    """No progress is shown."""


def _chosen(state: State) -> Chosen:
    plan = state.plan
    groups = Groups(tuple(Group(slot.tensors, slot.fixed) for slot in plan.slots), frozenset())
    return Chosen(groups, plan.choices, plan.quantizations())
