"""Matrix products: Gemm and MatMul."""

from __future__ import annotations

import numpy as np

from tinyc.frontends.onnx import layout
from tinyc.frontends.onnx.elementwise import combined
from tinyc.frontends.onnx.layer import Layer
from tinyc.frontends.onnx.value import Value
from tinyc.frontends.reject import Reject
from tinyc.ir.ops import Add, BatchMatMul, FullyConnected, Mul


def matmul(layer: Layer) -> Value:
    """MatMul as NumPy's: by a constant matrix a FULLY_CONNECTED, else a BATCH_MATMUL."""
    x, y = layer.operand(0), layer.operand(1)
    if y.is_constant and y.rank == 2 and _symmetric(y) and not x.is_constant and x.rank >= 1:
        x = layer.plain(x)
        return _by_rows(layer, x, layer.arranged(y, (1, 0)))
    if min(x.rank, y.rank) < 1:
        raise Reject(f"operands of rank {x.rank} and {y.rank}", "matrices or vectors")
    # A vector is a row on the left and a column on the right, whose axis goes again.
    left = layer.plain(x if x.rank > 1 else layer.reshaped(x, (1, *x.shape)))
    right = layer.plain(y if y.rank > 1 else layer.reshaped(y, (*y.shape, 1)))
    product = layer.emit(BatchMatMul, [left, right], layout.plain(max(left.rank, right.rank)))
    rows, columns = (product.shape[-2:-1], product.shape[-1:])
    kept = (*(rows if x.rank > 1 else ()), *(columns if y.rank > 1 else ()))
    return layer.reshaped(product, (*product.shape[:-2], *kept))


def _symmetric(weights: Value) -> bool:
    """False for weights with zero points, which a FULLY_CONNECTED does not have."""
    quantization = weights.tensor.quantization
    return quantization is None or not any(quantization.zero_point)


def _by_rows(
    layer: Layer, x: Value, weights: Value, *bias: Value, suffix: str = "", inner: bool = False
) -> Value:
    """A FULLY_CONNECTED over the last axis; `weights` lie as [out, in]."""
    depth = weights.tensor.shape[1]
    if x.shape[-1] != depth:
        raise Reject(f"rows of {x.shape[-1]} elements by a matrix for {depth}", "extents that agree")
    operands = [x, weights, *(layer.bias(value, x, weights) for value in bias)]
    if x.rank == 1:
        row = layer.emit(FullyConnected, operands, (0, 1), suffix or "/row", inner=inner)
        return layer.reshaped(row, row.shape[1:])
    order, keep = layout.plain(x.rank), x.rank > 2
    return layer.emit(FullyConnected, operands, order, suffix, inner=inner, keep_num_dims=keep)


def gemm(layer: Layer) -> Value:
    """Gemm: alpha A B + beta C, with transposed operands; alpha and beta go into constants."""
    node = layer.node
    a, b, c = layer.operand(0), layer.operand(1), layer.optional(2)
    if a.rank != 2 or b.rank != 2:
        raise Reject(f"operands of rank {a.rank} and {b.rank}", "matrices")
    a, b = (
        value.transposed((1, 0)) if node.integer(name, 0) else value
        for name, value in (("transA", a), ("transB", b))
    )
    a = layer.plain(a)
    alpha, beta = node.real("alpha", 1.0), node.real("beta", 1.0)
    if not b.is_constant:
        return _sum_of_products(layer, a, layer.plain(b), c, alpha, beta)
    weights = layer.arranged(b, (1, 0))
    if alpha != 1.0:
        weights = _times(weights, alpha)
    if c is None or beta == 0.0:
        return _by_rows(layer, a, weights)
    units = weights.tensor.shape[0]
    if c.is_constant and c.shape[-1:] == (units,) == (c.tensor.elements,):
        return _by_rows(layer, a, weights, c if beta == 1.0 else _times(c, beta))
    product = _by_rows(layer, a, weights, suffix="/product", inner=True)
    return _plus(layer, product, c, beta)


def _sum_of_products(layer: Layer, a: Value, b: Value, c: Value | None, alpha: float, beta: float) -> Value:
    last = c is None or beta == 0.0
    inner = not last or alpha != 1.0
    product = layer.emit(BatchMatMul, [a, b], (0, 1), "/product" if inner else "", inner=inner)
    if alpha != 1.0:
        factor = layer.scalar(alpha)
        product = combined(layer, Mul, product, factor, "" if last else "/alpha", inner=not last)
    return product if c is None or beta == 0.0 else _plus(layer, product, c, beta)


def _plus(layer: Layer, product: Value, c: Value, beta: float) -> Value:
    if beta != 1.0:
        factor = layer.scalar(beta)
        c = _times(c, beta) if c.is_constant else combined(layer, Mul, c, factor, "/beta", inner=True)
    return combined(layer, Add, product, c)


def _times(value: Value, factor: float) -> Value:
    """A float constant times a number. Raises Reject for a quantized one."""
    if value.tensor.quantization is not None:
        raise Reject(f"a quantized constant is scaled by {factor:g}", "alpha and beta of 1")
    data = (value.tensor.constant * np.float32(factor)).astype(np.float32)
    return Value(value.tensor.with_(data=data), value.order)


DECODERS = {"Gemm": gemm, "MatMul": matmul}
