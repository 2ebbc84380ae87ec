"""Bias correction: quantized weights and inputs shift the mean of a layer; its bias takes that back.

Source: Nagel, van Baalen, Blankevoort, Welling, "Data-Free Quantization Through Weight Equalization
and Bias Correction" (ICCV 2019), section 4.2, in its empirical form: the mean error of each output
channel before the activation is measured on calibration data, layer by layer in the order of the
graph, each layer with the corrected layers before it.
"""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Activation, Op
from tinyc.ir.tensor import Array, DType, Tensor, TensorName
from tinyc.quantize.scheme import weighted_operands
from tinyc.quantize.simulate import Simulation, Values, evaluate, rounded


def correct_bias(simulation: Simulation) -> Graph:
    """The graph of `simulation`, still a float one, with corrected biases.

    Layers without a bias get one. A bias that two layers share is left alone.
    """
    graph = _with_biases(simulation.graph)
    quantizations = simulation.quantizations
    constants = {tensor.name: tensor.constant for tensor in graph.constants()}
    biases: dict[TensorName, Array] = {}
    states: list[Values] = []
    for sample in simulation.samples:
        values = dict(constants)
        values.update(zip(graph.inputs, sample, strict=True))
        for name in values.keys() & quantizations.keys():
            values[name] = rounded(values[name], quantizations[name])
        states.append(values)
    for op in graph.ops:
        weights = simulation.weights.get(op.name)
        if weights is not None and len(graph.consumers(op.inputs[2])) == 1:
            bias = graph[op.inputs[2]]
            real = [{**constants, **values} for values in simulation.real]
            error = _mean_error(graph, op, real, states, weights)
            corrected = (bias.constant.astype(np.float64) - error.reshape(bias.shape)).astype(np.float32)
            biases[bias.name] = corrected
            for values in states:
                values[bias.name] = corrected
        for values in states:
            for name, result in zip(op.outputs, evaluate(graph, op, values, weights), strict=True):
                quantization = quantizations.get(name)
                values[name] = result if quantization is None else rounded(result, quantization)
    return verify(graph.rebuilt(tensors=[graph[name].with_(data=data) for name, data in biases.items()]))


def _mean_error(graph: Graph, op: Op, real: list[Values], states: list[Values], weights: Array) -> Array:
    """Mean of quantized minus real output before the activation, one per channel, float64."""
    linear = op.with_(activation=Activation.NONE)
    channels = graph.results(op)[0].shape[-1]
    total: Array = np.zeros(channels)
    count = 0
    for wanted, actual in zip(real, states, strict=True):
        difference = evaluate(graph, linear, actual, weights)[0].astype(np.float64)
        difference -= evaluate(graph, linear, wanted, None)[0]
        rows = difference.reshape(-1, channels)
        total = total + rows.sum(axis=0)
        count += len(rows)
    return total / count


def _with_biases(graph: Graph) -> Graph:
    """The graph with a bias of zeros for each weighted layer that has none."""
    tensors: dict[TensorName, Tensor] = dict(graph.tensors)
    ops = []
    for op in graph.ops:
        weighted = weighted_operands(graph, op)
        if weighted is not None and weighted[1] is None:
            name = f"{op.outputs[0]}_bias"
            while name in tensors:
                name += "_"
            zeros = np.zeros(graph.results(op)[0].shape[-1], dtype=np.float32)
            tensors[name] = Tensor(name, zeros.shape, DType.FLOAT32, None, zeros)
            op = op.with_(inputs=(*op.inputs, name))
        ops.append(op)
    return graph.rebuilt(ops=ops, tensors=tensors)
