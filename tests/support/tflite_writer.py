"""Serialises a graph to a .tflite, so that LiteRT can run it and the front end can read it back.

Fields that TensorFlow Lite passes as int32 inputs (axes, shapes, paddings) become constants again;
explicit convolution padding becomes a PAD before the layer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite

from tinyc.ir.graph import Graph
from tinyc.ir.ops import Activation, Op, Padding
from tinyc.ir.tensor import Array, DType, Quantization, Tensor

_TYPES = {
    DType.INT8: tflite.TensorType.INT8,
    DType.UINT8: tflite.TensorType.UINT8,
    DType.BOOL: tflite.TensorType.BOOL,
    DType.INT16: tflite.TensorType.INT16,
    DType.INT32: tflite.TensorType.INT32,
    DType.INT64: tflite.TensorType.INT64,
    DType.FLOAT32: tflite.TensorType.FLOAT32,
}
_CODES = {name: code for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
# LiteRT knows no first version of these.
_VERSIONS = {"BROADCAST_TO": 2}
_ACTIVATIONS = {member: getattr(tflite.ActivationFunctionType, member.value) for member in Activation}
_PADDINGS = {Padding.SAME: tflite.Padding.SAME, Padding.VALID: tflite.Padding.VALID}


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator as TensorFlow Lite stores it. `inputs` are tensor names, "" for an absent one."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


class Draft:
    """Tensors and layers in the order they will be written."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors: dict[str, Tensor] = dict(graph.tensors)
        self.layers: list[Layer] = []

    def constant(self, name: str, values: Any, dtype: Any = np.int32) -> str:
        """Adds a constant and gives its name."""
        data = np.array(values, dtype=dtype)
        self.tensors[name] = Tensor(name, data.shape, DType.of(data.dtype), None, data)
        return name


def _activation(op: Any) -> dict[str, Any]:
    return {"FusedActivationFunction": _ACTIVATIONS[op.activation]}


def _plain(op: Op, draft: Draft) -> Layer:
    return Layer(op.kind, op.inputs, op.outputs)


def _binary(op: Any, draft: Draft) -> Layer:
    name = op.kind.capitalize() + "Options"
    return Layer(op.kind, op.inputs, op.outputs, name, _activation(op))


def _batch_matmul(op: Any, draft: Draft) -> Layer:
    return Layer(op.kind, op.inputs, op.outputs, "BatchMatMulOptions", {"AdjX": op.adj_x, "AdjY": op.adj_y})


def _bias_scale(op: Op, draft: Draft) -> None:
    """TensorFlow Lite checks that a bias has input scale times filter scale; the IR does not care."""
    if len(op.inputs) < 3:
        return
    x, filters, bias = (draft.tensors[name] for name in op.inputs)
    if x.quantization is None or filters.quantization is None:
        return
    scales = tuple(float(np.float32(x.scale) * np.float32(s)) for s in filters.quantization.scale)
    axis = 0 if len(scales) > 1 else None
    draft.tensors[bias.name] = bias.with_(quantization=Quantization(scales, (0,) * len(scales), axis))


def _convolution(op: Any, draft: Draft) -> Layer:
    if len(op.inputs) == 2:
        # LiteRT wants a bias in every quantized convolution.
        channels = draft.graph[op.outputs[0]].shape[-1]
        dtypes = {DType.FLOAT32: np.float32, DType.INT16: np.int64}
        dtype = dtypes.get(draft.graph[op.inputs[0]].dtype, np.int32)
        zeros = draft.constant(f"{op.name}/bias", np.zeros(channels), dtype)
        op = op.with_(inputs=(*op.inputs, zeros))
    _bias_scale(op, draft)
    inputs, padding = op.inputs, op.padding
    x, filters = draft.tensors[inputs[0]], draft.tensors[inputs[1]]
    if padding is Padding.EXPLICIT:
        top, bottom, left, right = op.pads
        shape = (x.shape[0], x.shape[1] + top + bottom, x.shape[2] + left + right, x.shape[3])
        padded = x.with_(name=f"{op.name}/padded", shape=shape, data=None)
        draft.tensors[padded.name] = padded
        pads = draft.constant(f"{op.name}/paddings", [[0, 0], [top, bottom], [left, right], [0, 0]])
        draft.layers.append(Layer("PAD", (x.name, pads), (padded.name,), "PadOptions"))
        inputs, padding = (padded.name, *inputs[1:]), Padding.VALID
    fields = {
        "Padding": _PADDINGS[padding],
        "StrideH": op.stride[0],
        "StrideW": op.stride[1],
        "DilationHFactor": op.dilation[0],
        "DilationWFactor": op.dilation[1],
        **_activation(op),
    }
    if op.kind == "CONV_2D":
        return Layer(op.kind, inputs, op.outputs, "Conv2DOptions", fields)
    fields["DepthMultiplier"] = filters.shape[3] // x.shape[3]
    return Layer(op.kind, inputs, op.outputs, "DepthwiseConv2DOptions", fields)


def _fully_connected(op: Any, draft: Draft) -> Layer:
    _bias_scale(op, draft)
    fields = {**_activation(op), "KeepNumDims": op.keep_num_dims}
    return Layer(op.kind, op.inputs, op.outputs, "FullyConnectedOptions", fields)


def _pool(op: Any, draft: Draft) -> Layer:
    fields = {
        "Padding": _PADDINGS[op.padding],
        "StrideH": op.stride_height,
        "StrideW": op.stride_width,
        "FilterHeight": op.filter_height,
        "FilterWidth": op.filter_width,
        **_activation(op),
    }
    return Layer(op.kind, op.inputs, op.outputs, "Pool2DOptions", fields)


def _reduction(op: Any, draft: Draft) -> Layer:
    axes = draft.constant(f"{op.name}/axes", list(op.axes))
    return Layer(op.kind, (*op.inputs, axes), op.outputs, "ReducerOptions", {"KeepDims": op.keep_dims})


def _arg(op: Any, draft: Draft) -> Layer:
    axis = draft.constant(f"{op.name}/axis", op.axis)
    name = op.kind.replace("_", " ").title().replace(" ", "") + "Options"
    return Layer(op.kind, (*op.inputs, axis), op.outputs, name, {"OutputType": tflite.TensorType.INT32})


def _cumsum(op: Any, draft: Draft) -> Layer:
    axis = draft.constant(f"{op.name}/axis", [op.axis])
    fields = {"Exclusive": op.exclusive, "Reverse": op.reverse}
    return Layer(op.kind, (*op.inputs, axis), op.outputs, "CumsumOptions", fields)


def _l2_normalization(op: Op, draft: Draft) -> Layer:
    return Layer(op.kind, op.inputs, op.outputs, "L2NormOptions")


def _svdf(op: Any, draft: Draft) -> Layer:
    fields = {"Rank": op.rank, **_activation(op)}
    return Layer(op.kind, op.inputs, op.outputs[:1], "SVDFOptions", fields)


def _lstm(op: Any, draft: Draft) -> Layer:
    absent = ("",) * 3
    inputs = (*op.inputs[:9], *absent, *op.inputs[9:13], "", "", *op.inputs[13:], "", *absent)
    fields = {
        "FusedActivationFunction": tflite.ActivationFunctionType.TANH,
        "CellClip": op.cell_clip,
        "TimeMajor": op.time_major,
    }
    return Layer(op.kind, inputs, op.outputs[:1], "UnidirectionalSequenceLSTMOptions", fields)


def _transpose_conv(op: Any, draft: Draft) -> Layer:
    _bias_scale(op, draft)
    x, filters, *bias = op.inputs
    shape = draft.constant(f"{op.name}/output_shape", list(draft.graph[op.outputs[0]].shape))
    fields = {
        "Padding": _PADDINGS[op.padding],
        "StrideH": op.stride[0],
        "StrideW": op.stride[1],
        **_activation(op),
    }
    return Layer(op.kind, (shape, filters, x, *bias), op.outputs, "TransposeConvOptions", fields)


def _softmax(op: Any, draft: Draft) -> Layer:
    return Layer(op.kind, op.inputs, op.outputs, "SoftmaxOptions", {"Beta": op.beta})


def _leaky_relu(op: Any, draft: Draft) -> Layer:
    return Layer(op.kind, op.inputs, op.outputs, "LeakyReluOptions", {"Alpha": op.alpha})


def _gelu(op: Any, draft: Draft) -> Layer:
    return Layer(op.kind, op.inputs, op.outputs, "GeluOptions", {"Approximate": op.approximate})


def _pad(op: Any, draft: Draft) -> Layer:
    pads = draft.constant(f"{op.name}/paddings", [list(pair) for pair in op.paddings])
    return Layer(op.kind, (*op.inputs, pads), op.outputs, "PadOptions")


def _reshape(op: Any, draft: Draft) -> Layer:
    shape = draft.constant(f"{op.name}/shape", list(op.shape))
    return Layer(op.kind, (*op.inputs, shape), op.outputs, "ReshapeOptions")


def _transpose(op: Any, draft: Draft) -> Layer:
    order = draft.constant(f"{op.name}/permutation", list(op.permutation))
    return Layer(op.kind, (*op.inputs, order), op.outputs, "TransposeOptions")


def _concatenation(op: Any, draft: Draft) -> Layer:
    return Layer(op.kind, op.inputs, op.outputs, "ConcatenationOptions", {"Axis": op.axis})


def _strided_slice(op: Any, draft: Draft) -> Layer:
    x, result = draft.tensors[op.inputs[0]], draft.tensors[op.outputs[0]]
    strides = [step if count > 1 else 1 for count, step in zip(op.size, op.strides, strict=True)]
    end = [first + count * step for first, count, step in zip(op.begin, op.size, strides, strict=True)]
    # A slice that runs backwards to the first element has no end that could be written.
    end_mask = sum(1 << axis for axis, last in enumerate(end) if last < 0)
    shrink_mask, kept = 0, list(result.shape)
    for axis in reversed(range(len(x.shape))):
        if kept and kept[-1] == op.size[axis] and len(kept) <= axis + 1:
            kept.pop()
        else:
            assert op.size[axis] == 1
            shrink_mask |= 1 << axis
    names = [
        draft.constant(f"{op.name}/{key}", list(values))
        for key, values in (("begin", op.begin), ("end", end), ("strides", strides))
    ]
    fields = {"EndMask": end_mask & ~shrink_mask, "ShrinkAxisMask": shrink_mask}
    return Layer(op.kind, (*op.inputs, *names), op.outputs, "StridedSliceOptions", fields)


def _split(op: Any, draft: Draft) -> Layer:
    if len(set(op.sizes)) > 1:
        sizes = draft.constant(f"{op.name}/sizes", list(op.sizes))
        axis = draft.constant(f"{op.name}/axis", op.axis)
        fields = {"NumSplits": len(op.sizes)}
        return Layer("SPLIT_V", (*op.inputs, sizes, axis), op.outputs, "SplitVOptions", fields)
    axis = draft.constant(f"{op.name}/axis", op.axis)
    return Layer(op.kind, (axis, *op.inputs), op.outputs, "SplitOptions", {"NumSplits": len(op.sizes)})


def _pad_v2(op: Any, draft: Draft) -> Layer:
    x = draft.tensors[op.inputs[0]]
    pads = draft.constant(f"{op.name}/paddings", [list(pair) for pair in op.paddings])
    value = draft.constant(f"{op.name}/fill", op.fill, x.dtype.numpy)
    draft.tensors[value] = draft.tensors[value].with_(quantization=x.quantization)
    return Layer(op.kind, (*op.inputs, pads, value), op.outputs, "PadV2Options")


def _take(op: Any, draft: Draft) -> Layer:
    """TensorFlow Lite has no such operator: a GATHER along each axis does it."""
    x = draft.tensors[op.inputs[0]]
    for axis, positions in enumerate(op.indices):
        indices = draft.constant(f"{op.name}/indices{axis}", list(positions))
        shape = (*x.shape[:axis], len(positions), *x.shape[axis + 1 :])
        last = axis == len(op.indices) - 1
        y = x.with_(name=op.outputs[0] if last else f"{op.name}/taken{axis}", shape=shape, data=None)
        draft.tensors[y.name] = y
        layer = Layer("GATHER", (x.name, indices), (y.name,), "GatherOptions", {"Axis": axis})
        if last:
            return layer
        draft.layers.append(layer)
        x = y
    raise AssertionError("a tensor without axes")


def _gather(op: Any, draft: Draft) -> Layer:
    fields = {"Axis": op.axis, "BatchDims": op.batch_dims}
    return Layer(op.kind, op.inputs, op.outputs, "GatherOptions", fields)


def _resize_bilinear(op: Any, draft: Draft) -> Layer:
    size = draft.constant(f"{op.name}/size", list(op.size))
    fields = {"AlignCorners": op.align_corners, "HalfPixelCenters": op.half_pixel_centers}
    return Layer(op.kind, (*op.inputs, size), op.outputs, "ResizeBilinearOptions", fields)


def _blocks(op: Any, draft: Draft) -> Layer:
    block = draft.constant(f"{op.name}/block", list(op.block))
    margins = draft.constant(f"{op.name}/margins", [list(pair) for pair in op.margins])
    options = "SpaceToBatchNDOptions" if op.kind == "SPACE_TO_BATCH_ND" else "BatchToSpaceNDOptions"
    return Layer(op.kind, (*op.inputs, block, margins), op.outputs, options)


_WRITERS: dict[str, Callable[[Any, Draft], Layer]] = {
    "ADD": _binary,
    "ARG_MAX": _arg,
    "ARG_MIN": _arg,
    "AVERAGE_POOL_2D": _pool,
    "BATCH_MATMUL": _batch_matmul,
    "BATCH_TO_SPACE_ND": _blocks,
    "CONCATENATION": _concatenation,
    "CONV_2D": _convolution,
    "CUMSUM": _cumsum,
    "DEPTHWISE_CONV_2D": _convolution,
    "DIV": _binary,
    "FULLY_CONNECTED": _fully_connected,
    "GATHER": _gather,
    "GELU": _gelu,
    "L2_NORMALIZATION": _l2_normalization,
    "L2_POOL_2D": _pool,
    "LEAKY_RELU": _leaky_relu,
    "MAX_POOL_2D": _pool,
    "MEAN": _reduction,
    "MUL": _binary,
    "PAD": _pad,
    "PADV2": _pad_v2,
    "REDUCE_ALL": _reduction,
    "REDUCE_ANY": _reduction,
    "REDUCE_MAX": _reduction,
    "REDUCE_MIN": _reduction,
    "RESHAPE": _reshape,
    "RESIZE_BILINEAR": _resize_bilinear,
    "SOFTMAX": _softmax,
    "SPACE_TO_BATCH_ND": _blocks,
    "SPLIT": _split,
    "STRIDED_SLICE": _strided_slice,
    "SUB": _binary,
    "SUM": _reduction,
    "SVDF": _svdf,
    "TAKE": _take,
    "TRANSPOSE": _transpose,
    "TRANSPOSE_CONV": _transpose_conv,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}


def write(graph: Graph, int4: Collection[str] = ()) -> bytes:
    """The bytes of a .tflite with one subgraph that computes `graph`.

    `int4` are the names of the int8 constants that it holds with four bits.
    """
    draft = Draft(graph)
    for op in graph.ops:
        layer = _WRITERS.get(op.kind, _plain)(op, draft)
        draft.layers.append(layer)
    updates = {state.update for state in graph.states}
    tensors = [tensor for name, tensor in draft.tensors.items() if name not in updates]
    variables = {state.name for state in graph.states}
    return write_layers(draft.layers, tensors, graph.inputs, graph.outputs, graph.name, variables, int4)


def write_layers(
    layers: Sequence[Layer],
    tensors: Sequence[Tensor],
    inputs: Sequence[str],
    outputs: Sequence[str],
    name: str = "main",
    variables: Collection[str] = (),
    int4: Collection[str] = (),
) -> bytes:
    """The bytes of a .tflite with these operators: for operators that the IR does not have.

    `variables` are the names of the tensors that outlive an inference, `int4` of those whose type is
    INT4: int8 constants with four bits an element, and what has no data.
    """
    builder = flatbuffers.Builder(1024)
    index = {tensor.name: position for position, tensor in enumerate(tensors)}
    kinds = sorted({layer.kind for layer in layers})
    buffers: list[Array | None] = [None]
    tables = []
    for tensor in tensors:
        number = 0
        if tensor.data is not None:
            number = len(buffers)
            buffers.append(_nibbles(tensor.data) if tensor.name in int4 else tensor.data)
        type_code = tflite.TensorType.INT4 if tensor.name in int4 else _TYPES[tensor.dtype]
        tables.append(_tensor(builder, tensor, type_code, number, tensor.name in variables))
    operators = [_operator(builder, layer, kinds.index(layer.kind), index) for layer in layers]
    subgraph = table(
        builder,
        "SubGraph",
        Tensors=offsets(builder, tables),
        Inputs=int32(builder, [index[n] for n in inputs]),
        Outputs=int32(builder, [index[n] for n in outputs]),
        Operators=offsets(builder, operators),
        Name=builder.CreateString(name),
    )
    codes = [
        table(
            builder,
            "OperatorCode",
            DeprecatedBuiltinCode=min(_CODES[kind], 127),
            Version=_VERSIONS.get(kind, 1),
            BuiltinCode=_CODES[kind],
        )
        for kind in kinds
    ]
    stored = [_buffer(builder, data) for data in buffers]
    model = table(
        builder,
        "Model",
        Version=3,
        OperatorCodes=offsets(builder, codes),
        Subgraphs=offsets(builder, [subgraph]),
        Description=builder.CreateString("tinyc test"),
        Buffers=offsets(builder, stored),
    )
    builder.Finish(model, file_identifier=b"TFL3")
    return bytes(builder.Output())


def table(builder: flatbuffers.Builder, name: str, **fields: Any) -> int:
    getattr(tflite, f"{name}Start")(builder)
    for key, value in fields.items():
        getattr(tflite, f"{name}Add{key}")(builder, value)
    return int(getattr(tflite, f"{name}End")(builder))


def offsets(builder: flatbuffers.Builder, items: Sequence[int]) -> int:
    builder.StartVector(4, len(items), 4)
    for item in reversed(items):
        builder.PrependUOffsetTRelative(item)
    return int(builder.EndVector())


def int32(builder: flatbuffers.Builder, values: Sequence[int]) -> int:
    return int(builder.CreateNumpyVector(np.array(values, dtype=np.int32)))


def _nibbles(values: Array) -> Array:
    """Two elements in a byte, the first one in its low half."""
    flat = np.append(values.reshape(-1), [0] * (values.size % 2)).astype(np.uint8) & 15
    return flat[0::2] | flat[1::2] << 4


def _tensor(builder: flatbuffers.Builder, tensor: Tensor, type_code: int, number: int, variable: bool) -> int:
    fields: dict[str, Any] = {}
    if tensor.quantization is not None:
        entry = tensor.quantization
        fields["Quantization"] = table(
            builder,
            "QuantizationParameters",
            Scale=builder.CreateNumpyVector(np.array(entry.scale, dtype=np.float32)),
            ZeroPoint=builder.CreateNumpyVector(np.array(entry.zero_point, dtype=np.int64)),
            QuantizedDimension=entry.axis or 0,
        )
    fields["Name"] = builder.CreateString(tensor.name)
    fields["Shape"] = int32(builder, tensor.shape)
    fields |= {"Type": type_code, "Buffer": number, "IsVariable": variable, "HasRank": True}
    return table(builder, "Tensor", **fields)


def _operator(builder: flatbuffers.Builder, layer: Layer, code: int, index: dict[str, int]) -> int:
    fields: dict[str, Any] = {}
    if layer.options:
        fields["BuiltinOptions"] = table(builder, layer.options, **layer.fields)
        fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, layer.options)
    inputs = int32(builder, [index[n] if n else -1 for n in layer.inputs])
    outputs = int32(builder, [index[n] for n in layer.outputs])
    return table(builder, "Operator", OpcodeIndex=code, Inputs=inputs, Outputs=outputs, **fields)


def _buffer(builder: flatbuffers.Builder, data: Array | None) -> int:
    if data is None or not data.size:
        return table(builder, "Buffer")
    content = np.frombuffer(np.ascontiguousarray(data).tobytes(), dtype=np.uint8)
    # LiteRT reads tensors in place and wants them aligned.
    builder.StartVector(1, len(content), 16)
    builder.head = builder.Head() - len(content)
    builder.Bytes[builder.Head() : builder.Head() + len(content)] = content.tobytes()
    vector = builder.EndVector()
    return table(builder, "Buffer", Data=vector)
