"""Measurements for the bill: the int8 graph and the float graph on the same samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyc import interpreter
from tinyc.errors import TinycError
from tinyc.ir.graph import Graph
from tinyc.ir.ops.quantize import quantize_real
from tinyc.ir.tensor import Array, Tensor, TensorName
from tinyc.quantize.bill import Accuracy, LayerBill, MethodBill, OutputBill, TensorBill
from tinyc.quantize.calibrate import Sample
from tinyc.quantize.choose import Chosen, Progress
from tinyc.quantize.fixed_point import Rounding
from tinyc.quantize.options import Weights
from tinyc.quantize.ranges import Range
from tinyc.quantize.scheme import INT4_KINDS, scaled_inputs
from tinyc.quantize.simulate import Simulation, noise_ratio, rounded_weights, sqnr


def quantize_input(tensor: Tensor, value: Array) -> Array:
    """Real values as int8 of an activation, as the QUANTIZE op has it."""
    return quantize_real(value, tensor.scale, tensor.zero_point, -128, 127).astype(np.int8)


def dequantize(tensor: Tensor, value: Array) -> Array:
    """int8 values of an activation as real ones, float32."""
    return ((value.astype(np.int64) - tensor.zero_point) * tensor.scale).astype(np.float32)


def decibel(value: float) -> float:
    """Rounded for the bill; more digits would not be the same on another machine."""
    return round(value, 2) + 0.0


def run_quantized(graph: Graph, sample: Sample) -> dict[TensorName, Array]:
    """Every activation of the int8 graph as real values, for real inputs."""
    inputs = [quantize_input(graph[name], value) for name, value in zip(graph.inputs, sample, strict=True)]
    values = interpreter.trace(graph, inputs)
    return {
        name: dequantize(graph[name], value) for name, value in values.items() if not graph[name].is_constant
    }


def measure_layers(
    simulation: Simulation, integer: Graph, gains: dict[str, float], weight_gains: dict[str, float]
) -> tuple[float, tuple[LayerBill, ...], tuple[OutputBill, ...]]:
    """SQNR of the network, of each layer's first output and of the outputs, int8 against float.

    The int8 graph runs with its integer reference, on the samples of `simulation`.
    """
    noise: dict[TensorName, float] = {}
    signal: dict[TensorName, float] = {}
    traces = []
    for sample, real in zip(simulation.samples, simulation.real, strict=True):
        values = run_quantized(integer, sample)
        traces.append({point.tensor: values[point.tensor] for point in simulation.points})
        for name, value in values.items():
            if name in real:
                wanted = real[name].astype(np.float64)
                noise[name] = noise.get(name, 0.0) + float(np.square(value - wanted).sum())
                signal[name] = signal.get(name, 0.0) + float(np.square(wanted).sum())
    ratio = {name: decibel(sqnr(noise_ratio(noise[name], signal[name]))) for name in noise}
    layers = tuple(
        LayerBill(
            op.name,
            op.kind,
            op.outputs[0],
            ratio[op.outputs[0]],
            gains.get(op.name),
            weight_gains.get(op.name),
        )
        for op in simulation.graph.ops
    )
    outputs = tuple(OutputBill(name, ratio[name]) for name in integer.outputs)
    return decibel(sqnr(simulation.error(traces))), layers, outputs


def int16_gains(simulation: Simulation, chosen: Chosen, progress: Progress | None) -> dict[str, float]:
    """By layer name: rise of the network's SQNR, in dB, with only this layer's activations in int16.

    Simulated: TensorFlow Lite's 16x8 scheme (symmetric int16 activations, int8 weights) at the
    layer's inputs and outputs, int8 everywhere else.
    """
    graph, group_of = simulation.graph, chosen.groups.of()
    base = sqnr(simulation.error())
    gains = {}
    for position, op in enumerate(graph.ops):
        if progress is not None:
            progress("measuring 16-bit layers", position / len(graph.ops))
        names = [*scaled_inputs(op), *op.outputs]
        wide = {}
        for name in names:
            choice, group = chosen.choices[group_of[name]], chosen.groups.members[group_of[name]]
            largest = Range(-1.0, 1.0) if group.fixed is not None else choice.range
            wide[name] = largest.quantization_int16()
        error = simulation.error(simulation.with_changes(wide, bits=16))
        gains[op.name] = decibel(sqnr(error) - base)
    return gains


def int8_weight_gains(simulation: Simulation, graph: Graph, progress: Progress | None) -> dict[str, float]:
    """By layer name: rise of the network's SQNR, in dB, with only this layer's weights in eight bits.

    `simulation` has weights of four bits; `graph` is the float graph as it was before they were clipped.
    """
    base = sqnr(simulation.error())
    wide = rounded_weights(graph, simulation.quantizations, Weights.INT8)
    gains = {}
    for position, op in enumerate(graph.ops):
        if op.kind not in INT4_KINDS:
            continue
        if progress is not None:
            progress("measuring 8-bit weights", position / len(graph.ops))
        error = simulation.error(simulation.with_changes({}, weights={op.name: wide[op.name]}))
        gains[op.name] = decibel(sqnr(error) - base)
    return gains


def tensor_bills(chosen: Chosen) -> tuple[TensorBill, ...]:
    """One entry per group, in the order of the graph."""
    return tuple(
        TensorBill(
            group.tensors,
            choice.method,
            float(np.float32(choice.range.low)),
            float(np.float32(choice.range.high)),
            quantization.scale[0],
            quantization.zero_point[0],
            tuple(
                MethodBill(
                    trial.method,
                    decibel(sqnr(trial.tensor_error)),
                    None if trial.output_error is None else decibel(sqnr(trial.output_error)),
                )
                for trial in choice.trials
            ),
        )
        for group, choice, quantization in zip(
            chosen.groups, chosen.choices, chosen.quantizations, strict=True
        )
    )


def check_labels(graph: Graph, labels: Sequence[int] | Array | None, count: int) -> Array | None:
    """Labels as int64, one class index per sample. Raises TinycError for anything else."""
    if labels is None:
        return None
    where = "calibration labels"
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "iub":
        raise TinycError(
            f"are {array.dtype}{list(array.shape)}", where=where, allowed="one class index per sample"
        )
    if len(array) != count:
        raise TinycError(f"are {len(array)} for {count} samples", where=where)
    classes = max(graph[graph.outputs[0]].shape[-1:] or (1,))
    if array.min() < 0 or array.max() >= max(classes, 2):
        raise TinycError(
            f"run from {array.min()} to {array.max()}", where=where, allowed=f"0 to {max(classes, 2) - 1}"
        )
    return array.astype(np.int64)


def predicted_class(graph: Graph, output: Array) -> int:
    """Index of the largest value; for one value, 1 when it says yes (0.5 after LOGISTIC, else 0)."""
    if output.size == 1:
        producer = graph.producer(graph.outputs[0])
        threshold = 0.5 if producer is not None and producer.kind == "LOGISTIC" else 0.0
        return int(output.reshape(-1)[0] > threshold)
    return int(np.argmax(output.reshape(-1)))


def measure_accuracy(
    real: Graph, integer: Graph, samples: Sequence[Sample], labels: Array, progress: Progress | None
) -> Accuracy:
    """Top-1 of both graphs on all labelled samples, from the first output."""
    hits, quantized_hits, same = 0, 0, 0
    for position, (sample, label) in enumerate(zip(samples, labels, strict=True)):
        if progress is not None:
            progress("measuring accuracy", position / len(samples))
        wanted = predicted_class(real, interpreter.run(real, sample, Rounding.ANY)[0])
        actual = predicted_class(real, run_quantized(integer, sample)[integer.outputs[0]])
        hits += int(wanted == label)
        quantized_hits += int(actual == label)
        same += int(wanted == actual)
    count = len(samples)
    return Accuracy(count, hits / count, quantized_hits / count, same / count)
