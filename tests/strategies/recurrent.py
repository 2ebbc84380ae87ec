"""Random layers with state: SVDF and LSTM, with the scales that converters give them, and ASSIGN_VARIABLE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from strategies import real
from strategies.common import activation, constant, random_scale
from strategies.int16 import with_int16_activations
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Activation, AssignVariable, Op, Svdf, UnidirectionalSequenceLstm
from tinyc.ir.state import State
from tinyc.ir.tensor import DType, Quantization, Shape, Tensor


def _graph(op: Op, tensors: Sequence[Tensor], states: Mapping[str, str]) -> Graph:
    """A graph of one op with one input and one output; `states` are state → update."""
    table = {tensor.name: tensor for tensor in tensors}
    kept = []
    for name, update in states.items():
        table[update] = table[name].with_(name=update)
        zero = np.full(table[name].shape, table[name].zero_point, table[name].dtype.numpy)
        kept.append(State(name, update, zero))
    return verify(Graph("single", table, (op,), op.inputs[:1], op.outputs[:1], tuple(kept)))


def random_assign_variable(rng: np.random.Generator) -> Graph:
    x = activation(rng, "x", [int(extent) for extent in rng.integers(1, 7, int(rng.integers(1, 5)))])
    op = AssignVariable(name="layer", inputs=("x",), outputs=("state:after",))
    return _graph(op, [x, x.with_(name="state")], {"state": "state:after"})


def _weights(rng: np.random.Generator, name: str, shape: Shape) -> Tensor:
    data = rng.integers(-127, 128, shape).astype(np.int8)
    return constant(name, data, Quantization((random_scale(rng, 1e-3, 0.02),), (0,)))


def _bias(rng: np.random.Generator, name: str, count: int, scale: float) -> Tensor:
    data = rng.integers(-20_000, 20_000, count).astype(np.int32)
    return constant(name, data, Quantization((float(np.float32(scale)),), (0,)))


def random_svdf(rng: np.random.Generator) -> Graph:
    """int16 time weights stay below 2^10, so that sums of products with the state fit 32 bits."""
    batch, inputs, memory = int(rng.choice([1, 1, 2])), int(rng.integers(1, 20)), int(rng.integers(2, 12))
    rank, units = int(rng.integers(1, 4)), int(rng.integers(1, 9))
    x = activation(rng, "x", (batch, inputs))
    features = _weights(rng, "features", (units * rank, inputs))
    dtype = DType.INT8 if rng.random() < 0.3 else DType.INT16
    most = 127 if dtype is DType.INT8 else 1023
    data = rng.integers(-most, most + 1, (units * rank, memory)).astype(dtype.numpy)
    times = constant("times", data, Quantization((random_scale(rng, 1e-4, 1e-3),), (0,)))
    coarser = 64 if dtype is DType.INT8 else 1
    scale = float(np.float32(x.scale * features.scale * rng.uniform(0.2, 4.0) * coarser))
    state_zero = int(rng.integers(-128, 128)) if dtype is DType.INT8 else 0
    quantization = Quantization((scale,), (state_zero,))
    state = Tensor("state", (batch, units * rank * memory), dtype, quantization)
    bias = _bias(rng, "bias", units, np.float32(state.scale) * np.float32(times.scale))
    spread = float(np.float32(scale * times.scale * 10.0 ** rng.uniform(3, 5)))
    zero_point = int(rng.choice([-128, int(rng.integers(-128, 128))]))
    y = Tensor("y", (batch, units), DType.INT8, Quantization((spread,), (zero_point,)))
    tensors = [x, features, times, bias, state, y]
    names = tuple(tensor.name for tensor in tensors[:5])
    op = Svdf(name="layer", inputs=names, outputs=("y", "state:after"), rank=rank)
    return _graph(op, tensors, {"state": "state:after"})


def random_float_svdf(rng: np.random.Generator) -> Graph:
    """In float32, which has any activation."""
    graph = real.real(random_svdf)(rng)
    chosen = Activation(rng.choice([a.value for a in Activation]))
    return graph.rebuilt(ops=[op.with_(activation=chosen) for op in graph.ops])


def random_lstm(rng: np.random.Generator) -> Graph:
    """Time major or not, with and without a bound for the cell, of int16 in one layer out of three."""
    batch, time = int(rng.choice([1, 1, 2])), int(rng.integers(1, 6))
    inputs, units, time_major = int(rng.integers(1, 12)), int(rng.integers(1, 10)), bool(rng.integers(2))
    x = activation(rng, "x", (time, batch, inputs) if time_major else (batch, time, inputs), high=0.05)
    hidden_zero = int(rng.choice([0, int(rng.integers(-20, 20))]))
    hidden = Tensor("hidden", (batch, units), DType.INT8, Quantization((2.0**-7,), (hidden_zero,)))
    cell_scale = 2.0 ** int(rng.choice([-15, -13, -12, -12, -11, -10]))
    cell = Tensor("cell", (batch, units), DType.INT16, Quantization((cell_scale,), (0,)))
    weights = [_weights(rng, f"input{gate}", (units, inputs)) for gate in range(4)]
    recurrent = [_weights(rng, f"recurrent{gate}", (units, units)) for gate in range(4)]
    biases = [
        _bias(rng, f"bias{gate}", units, np.float32(x.scale) * np.float32(weights[gate].scale))
        for gate in range(4)
    ]
    y = Tensor("y", (*x.shape[:2], units), DType.INT8, hidden.quantization)
    tensors = [x, *weights, *recurrent, *biases, hidden, cell, y]
    if rng.random() < 0.33:
        tensors = [with_int16_activations(tensor) for tensor in tensors]
    op = UnidirectionalSequenceLstm(
        name="layer",
        inputs=tuple(tensor.name for tensor in tensors[:-1]),
        outputs=("y", "hidden:after", "cell:after"),
        time_major=time_major,
        cell_clip=float(rng.choice([0.0, 1.0, 10.0])),
    )
    return _graph(op, tensors, {"hidden": "hidden:after", "cell": "cell:after"})
