"""Measurements for the bill of a transformer: integers against float, on the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops import Attention
from tinyc.ir.tensor import Array, TensorName
from tinyc.quantize.bill import Accuracy, LayerBill, OutputBill
from tinyc.quantize.calibrate import Sample
from tinyc.quantize.choose import Progress
from tinyc.quantize.measure import decibel, predicted_class
from tinyc.quantize.simulate import noise_ratio, sqnr
from tinyc.quantize.transformer.packing import Run, chunks, make_pack, parts, run
from tinyc.quantize.transformer.state import State, real_value


def layer_bills(state: State, gains: dict[str, float]) -> tuple[LayerBill, ...]:
    """SQNR of each layer's output, everything before it in integers; of each head of an attention too."""
    quantized, real = state.run, state.truth.real
    bills = []
    for op in quantized.graph.ops:
        name = op.outputs[0]
        if quantized.graph[name].quantization is None:
            continue
        wanted, actual = real.values[name].astype(np.float64), real_value(quantized, name)
        bills.append(LayerBill(op.name, op.kind, name, _ratio(wanted, actual), gains.get(op.name)))
        if isinstance(op, Attention) and op.heads > 1:
            heads = zip(np.split(wanted, op.heads, -1), np.split(actual, op.heads, -1), strict=True)
            bills += [
                LayerBill(f"{op.name}[head {head}]", op.kind, name, _ratio(a, b), None)
                for head, (a, b) in enumerate(heads)
            ]
    return tuple(bills)


def _ratio(wanted: Array, actual: Array) -> float:
    noise = float(np.square(actual - wanted).sum())
    return decibel(sqnr(noise_ratio(noise, float(np.square(wanted).sum()))))


def output_bills(state: State) -> tuple[OutputBill, ...]:
    real = state.truth.real.values
    return tuple(
        OutputBill(name, _ratio(real[name].astype(np.float64), real_value(state.run, name)))
        for name in state.run.graph.outputs
    )


@dataclass(frozen=True, slots=True)
class Answers:
    """The class that a graph gives each sample."""

    classes: tuple[int, ...]

    def accuracy(self, labels: Array) -> float:
        return float(np.mean(np.array(self.classes) == labels))

    def agreement(self, other: Answers) -> float:
        return float(np.mean(np.array(self.classes) == np.array(other.classes)))


def answers(
    graph: Graph, integer: Graph, samples: Sequence[Sample], progress: Progress | None = None
) -> Answers:
    """What `integer`, `graph` itself or made of it, answers to each sample, by its first output."""
    found: list[int] = []
    for chunk in chunks(graph, samples):
        if progress is not None:
            progress("measuring accuracy", len(found) / len(samples))
        result = run(integer, make_pack(integer, chunk))
        found += [predicted_class(graph, value) for value in _outputs(result, integer.outputs[0])]
    return Answers(tuple(found))


def _outputs(result: Run, name: TensorName) -> list[Array]:
    return parts(Run(result.graph, result.pack, {name: real_value(result, name)}), name)


def accuracy_bill(real: Answers, quantized: Answers, labels: Array) -> Accuracy:
    return Accuracy(len(labels), real.accuracy(labels), quantized.accuracy(labels), quantized.agreement(real))
