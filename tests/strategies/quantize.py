"""Random QUANTIZE and DEQUANTIZE layers: real to int8 and back, and between int8, uint8, int16 and int32."""

from __future__ import annotations

import numpy as np

from strategies.common import activation, single_op_graph
from strategies.int16 import widened
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Dequantize, Quantize
from tinyc.ir.tensor import DType, Quantization, Tensor


def _of_type(tensor: Tensor, dtype: DType) -> Tensor:
    """`tensor` as another type, with the zero point in the range of that type."""
    if dtype is DType.INT16:
        return widened(tensor)
    offset = 128 if dtype is DType.UINT8 else 0
    return tensor.with_(
        dtype=dtype, quantization=Quantization((tensor.scale,), (tensor.zero_point + offset,))
    )


def _dtype(rng: np.random.Generator) -> DType:
    return (DType.INT8, DType.INT8, DType.UINT8, DType.INT16)[int(rng.integers(4))]


def _shape(rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(extent) for extent in rng.integers(1, 8, int(rng.integers(1, 5))))


def random_requantization_of_int32(rng: np.random.Generator) -> Graph:
    """From int32 or to it. The int32 has the smaller scale, by as much as 32 bits can hold."""
    shape = _shape(rng)
    narrow = _of_type(activation(rng, "narrow", shape), (DType.INT8, DType.INT16)[int(rng.integers(2))])
    scale = float(np.float32(narrow.scale * 2.0 ** rng.uniform(-14, 1)))
    wide = Tensor("wide", shape, DType.INT32, Quantization((scale,), (0,)))
    names = ("wide", "narrow") if rng.random() < 0.5 else ("narrow", "wide")
    op = Quantize(name="layer", inputs=names[:1], outputs=names[1:])
    return single_op_graph(op, [narrow, wide])


def random_quantize(rng: np.random.Generator) -> Graph:
    if rng.random() < 0.3:
        return random_requantization_of_int32(rng)
    shape = _shape(rng)
    y = _of_type(activation(rng, "y", shape), _dtype(rng))
    if rng.random() < 0.5:
        x = Tensor("x", shape, DType.FLOAT32)
    else:
        dtype = _dtype(rng)
        if DType.INT16 in (dtype, y.dtype) and DType.UINT8 in (dtype, y.dtype):
            dtype = y.dtype  # uint8 and int16 do not convert into each other
        x = _of_type(activation(rng, "x", shape), dtype)
        if rng.random() < 0.3:
            x = x.with_(quantization=Quantization((y.scale,), (x.zero_point,)))
    return single_op_graph(Quantize(name="layer", inputs=("x",), outputs=("y",)), [x, y])


def random_dequantize(rng: np.random.Generator) -> Graph:
    x = _of_type(activation(rng, "x", _shape(rng)), _dtype(rng))
    y = Tensor("y", x.shape, DType.FLOAT32)
    return single_op_graph(Dequantize(name="layer", inputs=("x",), outputs=("y",)), [x, y])
