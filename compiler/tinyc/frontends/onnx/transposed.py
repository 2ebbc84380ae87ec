"""ConvTranspose, the convolution backwards."""

from __future__ import annotations

from tinyc.frontends.onnx import layout
from tinyc.frontends.onnx.layer import Layer
from tinyc.frontends.onnx.value import Value
from tinyc.frontends.onnx.windows import window_over
from tinyc.frontends.reject import Reject
from tinyc.ir.ops import Padding, StridedSlice, TransposeConv


def conv_transpose(layer: Layer) -> Value:
    """A TRANSPOSE_CONV, with a slice behind it where TensorFlow Lite has no such padding."""
    x, weights, node = layer.operand(0), layer.operand(1), layer.node
    if not weights.is_constant or node.integer("group", 1) != 1:
        raise Reject("groups, or weights that are computed at run time", "constant weights, one group")
    if node.text("auto_pad", "NOTSET") != "NOTSET" or node.integers("output_shape") is not None:
        raise Reject("auto_pad or output_shape", "pads and output_padding")
    window = window_over(layer, x, weights.shape[2:])
    if window.dilation != (1, 1):
        raise Reject("the window is dilated", "dilations of 1")
    top, bottom, left, right = window.pads
    rows, columns = (0, 0, *(node.integers("output_padding") or ()))[-2:]
    height, width = (1, *x.shape[2:])[-2:]
    size = (
        window.stride[0] * (height - 1) + window.kernel[0] - top - bottom + rows,
        window.stride[1] * (width - 1) + window.kernel[1] - left - right + columns,
    )
    order = layout.image(x.rank)
    # [in, out, kh, kw] to [out, kh, kw, in].
    filters = layer.arranged(weights, (1, *order[1:3], 0))
    operands = [layer.arranged(x, order), filters]
    bias = layer.optional(2)
    if bias is not None:
        operands.append(layer.bias(bias, x, filters))
    same = TransposeConv(
        name=layer.name,
        inputs=(),
        outputs=(),
        output_size=size,
        stride=window.stride,
        padding=Padding.SAME,
    )
    padding = Padding.SAME if (top, left) == same.pads(filters.tensor) else Padding.VALID
    cut = padding is Padding.VALID and (top, left) != (0, 0)
    y = layer.emit(
        TransposeConv,
        operands,
        order,
        "/whole" if cut else "",
        output_size=(size[0] + top, size[1] + left) if cut else size,
        stride=window.stride,
        padding=padding,
    )
    if not cut:
        return y
    shape = (y.tensor.shape[0], *size, y.tensor.shape[3])
    begin = (0, top, left, 0)
    return layer.emit(StridedSlice, [y], order, begin=begin, size=shape, strides=(1,) * 4, shape=shape)


DECODERS = {"ConvTranspose": conv_transpose}
