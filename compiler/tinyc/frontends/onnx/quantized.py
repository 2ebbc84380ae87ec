"""Quantized operators: QuantizeLinear, DequantizeLinear, and those of ONNX and ONNX Runtime with scales."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyc.frontends.onnx import elementwise, matrices, movement, reductions, windows
from tinyc.frontends.onnx.layer import Layer
from tinyc.frontends.onnx.scales import CONTRIB, parameters
from tinyc.frontends.onnx.value import Value
from tinyc.frontends.reject import Reject
from tinyc.ir.ops import Add, Logistic, Mean, Mul, Quantize
from tinyc.ir.tensor import DType, Tensor


def quantize_linear(layer: Layer) -> Value:
    """The value itself, which has been given this scale; what has another one is requantized behind."""
    x = layer.operand(0)
    if not layer.has_scale:
        raise Reject("quantizes to a type or scale that cannot be compiled", "int8, uint8, int16; one scale")
    return layer.emit(Quantize, [x], x.order) if x.tensor.quantization is None else x


def dequantize_linear(layer: Layer) -> Value:
    """Integers with their scale: constants here, what is computed has its scale already."""
    x = layer.operand(0)
    if not x.is_constant:
        if x.tensor.quantization is None:
            raise Reject("dequantizes what has no scale", "int8, uint8, int16; one scale")
        return x
    if layer.node.integer("block_size", 0):
        raise Reject("scales for blocks", "one scale, or one for each channel")
    axis = layer.node.integer("axis", 1)
    return scaled_constant(layer, (0, 1, 2), axis % x.rank if x.rank else 0)


def scaled_constant(layer: Layer, operand: tuple[int, int, int], axis: int) -> Value:
    """A constant of integers with its scales, along `axis` where there are several.

    `operand` are the positions of the constant, its scale and its zero point. uint8 becomes int8.
    """
    value, (_, scale, zero_point) = layer.operand(operand[0]), operand
    data = layer.array(operand[0], "a constant")
    zeros = None if layer.optional(zero_point) is None else layer.array(zero_point, "a zero point")
    scales = layer.array(scale, "a scale")
    quantization = parameters(scales, zeros, data.dtype.name, axis)
    if quantization is None or data.dtype.name not in ("int8", "uint8", "int16", "int32"):
        raise Reject(f"a constant of {data.dtype.name} with such scales", "int8, uint8 or int32")
    if quantization.axis is not None and data.shape[axis] != len(quantization.scale):
        raise Reject(f"{len(quantization.scale)} scales for an extent of {data.shape[axis]}", "one each")
    if data.dtype == np.uint8:
        data = (data.astype(np.int16) - 128).astype(np.int8)
    tensor = Tensor(value.tensor.name, data.shape, DType.of(data.dtype), quantization, data)
    return Value(tensor, tuple(range(data.ndim)))


def _operand(layer: Layer, place: int, axis: int = 0) -> Value:
    """The operand at `place`, with scale and zero point behind it."""
    value = layer.operand(place)
    if value.is_constant:
        return scaled_constant(layer, (place, place + 1, place + 2), axis)
    if value.tensor.quantization is None:
        raise Reject(f"input {place} has no usable scale", "one constant scale and zero point")
    return value


def qlinear_conv(layer: Layer) -> Value:
    return windows.conv(layer.reading(_operand(layer, 0), _operand(layer, 3), layer.optional(8)))


def qlinear_matmul(layer: Layer) -> Value:
    return matrices.matmul(layer.reading(_operand(layer, 0), _operand(layer, 3, 1)))


def q_gemm(layer: Layer) -> Value:
    axis = 0 if layer.node.integer("transB", 0) else 1
    return matrices.gemm(layer.reading(_operand(layer, 0), _operand(layer, 3, axis), layer.optional(6)))


def _binary(decode: Callable[[Layer], Value]) -> Callable[[Layer], Value]:
    def decoder(layer: Layer) -> Value:
        return decode(layer.reading(_operand(layer, 0), _operand(layer, 3)))

    return decoder


def _unary(decode: Callable[[Layer], Value]) -> Callable[[Layer], Value]:
    def decoder(layer: Layer) -> Value:
        if layer.node.integer("channels_last", 0):
            raise Reject("channels_last is set", "channels first, as in all of ONNX")
        return decode(layer.reading(_operand(layer, 0)))

    return decoder


def qlinear_concat(layer: Layer) -> Value:
    places = range(2, len(layer.operands), 3)
    return movement.concat(layer.reading(*(_operand(layer, place) for place in places)))


DECODERS: dict[str, Callable[[Layer], Value]] = {
    "DequantizeLinear": dequantize_linear,
    "QLinearConv": qlinear_conv,
    "QLinearMatMul": qlinear_matmul,
    "QuantizeLinear": quantize_linear,
    f"{CONTRIB}QGemm": q_gemm,
    f"{CONTRIB}QLinearAdd": _binary(elementwise.binary(Add)),
    f"{CONTRIB}QLinearAveragePool": _unary(windows.average_pool),
    f"{CONTRIB}QLinearConcat": qlinear_concat,
    f"{CONTRIB}QLinearGlobalAveragePool": _unary(windows.global_average_pool),
    f"{CONTRIB}QLinearLeakyRelu": _unary(elementwise.leaky_relu),
    f"{CONTRIB}QLinearMul": _binary(elementwise.binary(Mul)),
    f"{CONTRIB}QLinearReduceMean": _unary(reductions.reduction(Mean)),
    f"{CONTRIB}QLinearSigmoid": _unary(elementwise.unary(Logistic)),
    f"{CONTRIB}QLinearSoftmax": _unary(elementwise.softmax),
}
