"""Layers of Keras as operators: dense layers, attention, normalization, convolutions over time, pooling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from tinyc.frontends.keras_activations import activate, fused
from tinyc.frontends.keras_builder import Builder, Refused, Value
from tinyc.frontends.keras_walk import Call
from tinyc.ir.ops import (
    DepthwiseConv1D,
    Embedding,
    LayerNorm,
    Pad,
    Pooling,
    Reshape,
    RmsNorm,
    StridedSlice,
    TokenPool,
)
from tinyc.ir.tensor import Array, TensorName

Handler: TypeAlias = Callable[[Builder, Call], Value]

MOST_IDS = 32767


def first_row(build: Builder, name: str, x: TensorName, keep: bool = False) -> TensorName:
    """Row 0 of [1, n, d] as [1, d], or [1, 1, d] with `keep`."""
    shape = build.shape(x)
    if len(shape) != 3:
        raise Refused(f"takes a row of {list(shape)}", "[1, rows, units]")
    size = (1, 1, shape[2])
    return build.add(
        StridedSlice,
        name,
        (x,),
        begin=(0, 0, 0),
        size=size,
        strides=(1, 1, 1),
        shape=size if keep else (1, shape[2]),
    )


def pool(
    build: Builder, call: Call, pooling: Pooling, keep: bool = False, epsilon: float = 0.0
) -> TensorName:
    """All rows as one, [1, units] or with `keep` [1, 1, units]."""
    x = build.activation(call.args[0])
    _plain_call(call)
    build.reads_all_rows(call, call.args[0])
    pooled = build.add(TokenPool, call.name, (x,), pooling=pooling, epsilon=epsilon)
    return (
        pooled if keep else build.add(Reshape, f"{call.name}/row", (pooled,), shape=(1, build.shape(x)[-1]))
    )


def _identity(build: Builder, call: Call) -> Value:
    return build.value(call.args[0])


def _plain_call(call: Call) -> None:
    """Raises Refused when the layer is called with more than its input."""
    known = ("training", "mask")
    given = [key for key, value in call.kwargs.items() if value is not None and key not in known]
    if len(call.args) > 1 or given:
        raise Refused(f"is called with {', '.join(given) or 'several inputs'}", "one input")


def _dense(build: Builder, call: Call) -> Value:
    layer = call.layer
    x = build.activation(call.args[0])
    kernel = build.weight("kernel", layer.kernel)
    bias = build.weight("bias", layer.bias) if layer.use_bias else None
    return with_activation(build, call.name, x, kernel.T, bias, layer.activation)


def with_activation(
    build: Builder, name: str, x: TensorName, weights: Array, bias: Array | None, function: Any
) -> Value:
    """A linear layer and its activation, in the layer itself where that is possible."""
    clamp = fused(function)
    if clamp is not None:
        return build.linear(name, [(x, weights)], bias, None, clamp)
    return activate(build, f"{name}/{function.__name__}", build.linear(name, [(x, weights)], bias), function)


def _embedding(build: Builder, call: Call) -> Value:
    table = build.weight("embeddings", call.layer.embeddings)
    ids = build.value(call.args[0])
    if not isinstance(ids, str):
        return np.asarray(table[ids.astype(np.int64)], np.float32)
    check_ids(build, ids, table.shape[0])
    return build.add(Embedding, call.name, (ids, build.constant(f"{call.name}/embeddings", table)))


def check_ids(build: Builder, ids: TensorName, vocabulary: int) -> None:
    """Raises Refused unless `ids` are an input of the model and fit int16."""
    if len(build.shape(ids)) != 2 or build.producer(ids) is not None:
        raise Refused("reads something else than the model's input", "token ids [1, tokens]")
    if vocabulary > MOST_IDS:
        raise Refused(f"has a vocabulary of {vocabulary}", f"at most {MOST_IDS} ids, which fit int16")


def _last_axis(call: Call, axis: Any) -> None:
    axes = [axis] if isinstance(axis, int) else list(axis)
    rank = len(call.args[0].shape) + 1
    if axes not in ([-1], [rank - 1]):
        raise Refused(f"normalizes along axis {axis}", "the last axis")


def _layer_norm(build: Builder, call: Call) -> Value:
    layer = call.layer
    _last_axis(call, layer.axis)
    if getattr(layer, "rms_scaling", False):
        raise Refused("has rms_scaling", "RMSNormalization")
    x = build.activation(call.args[0])
    depth = build.shape(x)[-1]
    gain = build.weight("gamma", layer.gamma) if layer.scale else np.ones(depth)
    inputs = [x]
    if layer.scale or layer.center:
        inputs.append(build.constant(f"{call.name}/gamma", gain))
    if layer.center:
        inputs.append(build.constant(f"{call.name}/beta", build.weight("beta", layer.beta)))
    return build.add(
        LayerNorm, call.name, inputs, epsilon=float(layer.epsilon), gain=len(inputs) > 1, beta=len(inputs) > 2
    )


def _rms_norm(build: Builder, call: Call) -> Value:
    layer = call.layer
    _last_axis(call, layer.axis)
    gain = build.constant(f"{call.name}/scale", build.weight("scale", layer.scale))
    x = build.activation(call.args[0])
    return build.add(RmsNorm, call.name, (x, gain), epsilon=float(layer.epsilon), gain=True)


def _batch_norm(build: Builder, call: Call) -> Value:
    layer = call.layer
    _last_axis(call, layer.axis)
    scale = 1.0 / np.sqrt(build.weight("moving_variance", layer.moving_variance) + layer.epsilon)
    if layer.scale:
        scale = scale * build.weight("gamma", layer.gamma)
    bias = -build.weight("moving_mean", layer.moving_mean) * scale
    if layer.center:
        bias = bias + build.weight("beta", layer.beta)
    return build.scaled(call.name, build.activation(call.args[0]), scale, bias)


def _rescaling(build: Builder, call: Call) -> Value:
    x = build.activation(call.args[0])
    units = build.shape(x)[-1]
    offset = np.broadcast_to(np.asarray(call.layer.offset, np.float32).reshape(-1), (units,))
    return build.scaled(call.name, x, np.asarray(call.layer.scale), offset if offset.any() else None)


def _zero_padding(build: Builder, call: Call) -> Value:
    front, behind = call.layer.padding
    if behind:
        raise Refused(f"pads {behind} rows behind", "rows in front, for a causal convolution")
    return build.add(Pad, call.name, (build.activation(call.args[0]),), paddings=((0, 0), (front, 0), (0, 0)))


def _convolution(build: Builder, call: Call) -> Value:
    layer = call.layer
    x = build.activation(call.args[0])
    kernel = build.weight("kernel", layer.kernel)
    bias = build.weight("bias", layer.bias) if layer.use_bias else None
    taps, inner, filters = kernel.shape
    channels = build.shape(x)[-1]
    plain = layer.strides == (1,) and layer.data_format == "channels_last"
    if plain and taps == 1 and layer.groups == 1:
        return with_activation(build, call.name, x, kernel[0].T, bias, layer.activation)
    if not plain or inner != 1 or filters != channels:
        raise Refused(
            f"is a convolution of {taps} taps over {inner} of {channels} channels",
            "stride 1, and one tap or groups=channels=filters",
        )
    return _depthwise(build, call, x, kernel[:, 0], bias)


def _depthwise_convolution(build: Builder, call: Call) -> Value:
    layer = call.layer
    if layer.depth_multiplier != 1 or tuple(layer.strides) != (1,) or layer.data_format != "channels_last":
        raise Refused("has strides or a depth multiplier", "stride 1 and depth_multiplier=1")
    kernel = build.weight("kernel", layer.kernel)
    bias = build.weight("bias", layer.bias) if layer.use_bias else None
    return _depthwise(build, call, build.activation(call.args[0]), kernel[:, :, 0], bias)


def _depthwise(build: Builder, call: Call, x: TensorName, taps: Array, bias: Array | None) -> Value:
    layer = call.layer
    (dilation,) = layer.dilation_rate
    if dilation > 1:
        spread = np.zeros(((len(taps) - 1) * dilation + 1, taps.shape[1]), np.float32)
        spread[::dilation] = taps
        taps = spread
    before = build.producer(x)
    if layer.padding == "valid" and isinstance(before, Pad) and before.paddings[1] == (len(taps) - 1, 0):
        x = before.inputs[0]
    elif layer.padding != "causal" and len(taps) > 1:
        raise Refused(
            f"has padding={layer.padding!r}",
            "a causal convolution: ZeroPadding1D((kernel_size - 1, 0)) before it",
        )
    return causal_convolution(build, call.name, x, taps, bias, layer.activation)


def causal_convolution(
    build: Builder, name: str, x: TensorName, taps: Array, bias: Array | None, function: Any
) -> TensorName:
    """A depthwise convolution of taps [count, units] and its activation."""
    weights = build.constant(f"{name}/taps", taps)
    offsets = build.constant(f"{name}/bias", np.zeros(taps.shape[1]) if bias is None else bias)
    y = build.add(DepthwiseConv1D, name, (x, weights, offsets))
    return activate(build, f"{name}/{function.__name__}", y, function)


def _mean_pooling(build: Builder, call: Call) -> Value:
    if call.layer.data_format != "channels_last":
        raise Refused("pools channels_first", "channels_last")
    return pool(build, call, Pooling.MEAN, call.layer.keepdims)


def _add(build: Builder, call: Call) -> Value:
    inputs = call.args[0] if len(call.args) == 1 else call.args
    result = build.value(inputs[0])
    for count, other in enumerate(inputs[1:]):
        result = build.plus(call.name if not count else f"{call.name}/{count}", result, build.value(other))
    return result


def reshape(build: Builder, call: Call) -> Value:
    """Reshapes that leave one row: [1, 1, d] and, without a mask, [1, rows, d] to [1, all]."""
    x = build.activation(call.args[0])
    wanted = tuple(call.results[0].shape)
    if len(build.shape(x)) == 3 and build.shape(x)[1] > 1:
        build.reads_all_rows(call, call.args[0])
        if call.args[0].masked:
            raise Refused("flattens rows that padding may follow", "pooling, or the first row")
    if len(wanted) not in (1, 2) or (len(wanted) == 2 and wanted[0] != 1 and build.shape(x)[1:] != wanted):
        raise Refused(f"gives {list(wanted)}", "one row of all elements")
    return build.add(Reshape, call.name, (x,), shape=(1, *(int(extent or 1) for extent in wanted)))


IDENTITIES = (
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "SpatialDropout1D",
)

LAYERS: dict[str, Handler] = {
    **dict.fromkeys(IDENTITIES, _identity),
    "Add": _add,
    "BatchNormalization": _batch_norm,
    "Conv1D": _convolution,
    "Dense": _dense,
    "DepthwiseConv1D": _depthwise_convolution,
    "Embedding": _embedding,
    "Flatten": reshape,
    "GlobalAveragePooling1D": _mean_pooling,
    "LayerNormalization": _layer_norm,
    "RMSNormalization": _rms_norm,
    "Rescaling": _rescaling,
    "Reshape": reshape,
    "ZeroPadding1D": _zero_padding,
    "tinyc>RMSNormalization": _rms_norm,
    "tinyc>ResidualAdd": _add,
}
