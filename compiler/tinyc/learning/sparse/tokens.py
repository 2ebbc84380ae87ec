"""Layers of a transformer behind its last mix of rows: dense layers over one row, with a gain in front.

The compiler folds the gain of a norm into the columns of the layers behind it. Here it is a factor of its
own again, and it can learn. A mean over rows and the choice of one row change no channel, and what attends
to rows passes the gain of its values on: a gain works the same in front of them and behind them.
"""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops import Attention, Linear, Op, Pooling, Reshape, StridedSlice, TokenPool
from tinyc.ir.ops.base import Activation
from tinyc.ir.ops.common import activation_range
from tinyc.ir.ops.convolution import Window
from tinyc.ir.ops.curved import Curved
from tinyc.ir.ops.norm import Norm
from tinyc.ir.tensor import DType, Tensor, TensorName
from tinyc.learning.sparse.layers import (
    CurveLayer,
    GainLayer,
    Layer,
    NormLayer,
    Plane,
    Residual,
    Weighted,
    plane_of,
)
from tinyc.quantize.fixed_point import high_multiplier

# A sum over more channels of int16 could leave 32 bits.
LARGEST_ROW = 448
GAIN_BITS = 13
# Bits that a product of an int8 value and a gain loses.
_SHIFT = 7


def gain_name(dense: str) -> str:
    """The name under which the gain in front of a dense layer learns."""
    return f"{dense}:gain"


def linear_layers(
    graph: Graph, op: Linear, aliases: dict[str, str], parts: tuple[TensorName, ...], is_last: bool
) -> tuple[Layer, ...]:
    """The gain in front of a dense layer, and the layer. `parts` are those of the tap, if it has some.

    A layer of several sources reads them as one row, the parts of the tap, and learns nothing itself.
    Raises ValueError for what cannot learn.
    """
    operands, result = graph.operands(op), graph.results(op)[0]
    pairs = op.pairs(operands)
    if op.sources > 1 and tuple(x.name for x, _ in pairs) != parts:
        raise ValueError("a sum of several layers")
    if op.residual and (is_last or operands[-1].is_constant):
        raise ValueError("a residual that is a constant or of the last layer")
    if op.activation is not Activation.NONE:
        raise ValueError(f"the activation {op.activation.value}")
    if not all(weights.is_constant and weights.dtype is DType.INT8 for _, weights in pairs):
        raise ValueError("the weights have to be constants of int8")
    x, _ = pairs[0]
    rows = np.concatenate([each.constant for _, each in pairs], axis=1)
    if rows.shape[1] > LARGEST_ROW:
        raise ValueError(f"rows of {rows.shape[1]} weights, at most {LARGEST_ROW} are possible")
    count = len(rows)
    sums = np.array(op.accumulator_scales(operands))
    # What several sources have in common is the scale of the sum.
    scale = x.scale if op.sources == 1 else 1.0
    wide = x.dtype is DType.INT16
    zeros = [np.full(plane_of(each).channels, each.zero_point, np.int32) for each, _ in pairs]
    plane = Plane(1, 1, rows.shape[1])
    shift = GAIN_BITS if wide else _SHIFT
    gain = GainLayer(
        name=gain_name(op.name),
        input=aliases.get(x.name, x.name),
        output=f"{op.name}/gained",
        x=plane,
        wide=wide,
        zeros=np.concatenate(zeros),
        scale=float(np.float32(scale)),
        rows=plane_of(x).channels,
        bases=np.full(plane.channels, 1 << GAIN_BITS, np.int32),
        offsets=np.full(plane.channels, 1 << (shift - 1), np.int32),
        shift=shift,
        units=np.full(plane.channels, scale, np.float32),
        slope=2.0**-GAIN_BITS,
    )
    drop = GAIN_BITS - shift
    biases = np.zeros(count, np.int32)
    if op.bias:
        biases = operands[2 * op.sources].constant.astype(np.int32).reshape(-1)
    own, other = op.multipliers(operands, result)
    residual = None
    if op.residual:
        r = operands[-1]
        residual = Residual(aliases.get(r.name, r.name), r.dtype is DType.INT16, r.zero_point, other)
        plane_of(r)
    low, high = activation_range(op.activation, result)
    dense = Weighted(
        name=op.name,
        input=gain.output,
        output=result.name,
        x=plane,
        y=Plane(1, 1, count),
        window=Window((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (1, 1)),
        depthwise=False,
        weights=rows.astype(np.int8),
        biases=biases,
        scales=(sums / scale).astype(np.float32),
        input_scale=gain.scale / 2**drop,
        multipliers=np.ascontiguousarray(np.broadcast_to(own, (count,)), np.int32),
        shifts=np.zeros(count, np.int32),
        input_zero=0,
        output_zero=result.zero_point,
        low=low,
        high=high,
        is_logits=is_last and op.sources == 1,
        frozen=op.sources > 1,
        linear=True,
        wide=result.dtype is DType.INT16,
        drop=drop,
        residual=residual,
    )
    return gain, dense


def norm_layers(graph: Graph, op: Norm, aliases: dict[str, str]) -> tuple[Layer, ...]:
    """A norm over one row, and its gain where that is not folded. Raises ValueError for several rows."""
    operands, result = graph.operands(op), graph.results(op)[0]
    x, plane = operands[0], plane_of(operands[0])
    low, high = activation_range(Activation.NONE, result)
    wide = result.dtype is DType.INT16
    norm = NormLayer(
        name=op.name,
        input=aliases.get(x.name, x.name),
        output=f"{op.name}/normalised" if op.gain else result.name,
        x=plane,
        wide=x.dtype is DType.INT16,
        wide_output=wide or op.gain,
        scale=float(np.float32(x.scale)),
        mean_multiplier=high_multiplier(1.0 / plane.channels) if op.centred else 0,
        row_scale=op.row_scale(x, result),
        low=-32768 if op.gain else low,
        high=32767 if op.gain else high,
    )
    if not op.gain:
        return (norm,)
    bases, offsets, shift = op.gains(operands, result)
    unit = 2.0 ** -op.fraction_bits(plane.channels)
    step = result.scale * 2.0**-shift
    gain = GainLayer(
        name=gain_name(op.name),
        input=norm.output,
        output=result.name,
        x=plane,
        wide=True,
        zeros=np.zeros(plane.channels, np.int32),
        scale=unit,
        rows=plane.channels,
        bases=bases.astype(np.int32),
        offsets=offsets,
        shift=shift,
        units=(bases * step).astype(np.float32),
        slope=step / unit,
        low=low,
        high=high,
        wide_output=wide,
    )
    return norm, gain


def curve_layer(graph: Graph, op: Curved, aliases: dict[str, str]) -> CurveLayer:
    """GELU, SILU or the square of a ReLU of one row. Raises ValueError for several rows."""
    (x,), (result,) = graph.operands(op), graph.results(op)
    low, high = activation_range(Activation.NONE, result)
    real = (np.arange(-128, 128) - x.zero_point) * x.scale
    # Central differences in float64, good for nine digits; the function of the table rounds to float32.
    h = 1e-5
    slopes = (op.real(real + h) - op.real(real - h)) / (2 * h)
    steps = np.rint(np.array([op.function(v) for v in map(float, real)]) / result.scale) + result.zero_point
    return CurveLayer(
        name=op.name,
        input=aliases.get(x.name, x.name),
        output=result.name,
        x=plane_of(x),
        wide_output=result.dtype is DType.INT16,
        table=op.table(x, result).astype(np.int16),
        slopes=np.where((steps >= low) & (steps <= high), slopes, 0.0).astype(np.float32),
    )


def norm_of(graph: Graph, op: Op) -> Norm | None:
    """The norm whose gain a dense layer has in the columns of its first source; None where there is none."""
    name: TensorName = op.inputs[0]
    while True:
        producer = graph.producer(name)
        if isinstance(producer, Norm):
            return producer
        if isinstance(producer, Attention):
            name = producer.inputs[2]
        elif isinstance(producer, Reshape | StridedSlice) or (
            isinstance(producer, TokenPool) and producer.pooling is Pooling.MEAN
        ):
            if not _keeps_channels(graph[producer.inputs[0]], graph[producer.outputs[0]]):
                return None
            name = producer.inputs[0]
        else:
            return None


def _keeps_channels(x: Tensor, y: Tensor) -> bool:
    return x.shape[-1:] == y.shape[-1:]


def gains(graph: Graph) -> dict[str, str]:
    """The gains of norms, by `gain_name` of the dense layer that they are in front of, or of the norm where
    they are not folded; and the norm's name."""
    found = {}
    for op in graph.expanded().ops:
        if isinstance(op, Norm) and op.gain:
            found[gain_name(op.name)] = op.name
        norm = norm_of(graph, op) if isinstance(op, Linear) else None
        if norm is not None and not norm.gain:
            found[gain_name(op.name)] = norm.name
    return found
