"""The layers of `tinyc.models` as operators, known by their registered names."""

from __future__ import annotations

import numpy as np

from tinyc.frontends.keras_builder import Builder, Refused, Value
from tinyc.frontends.keras_layers import Handler, causal_convolution, check_ids, first_row, pool
from tinyc.frontends.keras_walk import Call
from tinyc.ir.ops import Activation, Attention, Embedding, Linear, Pad, Pooling


def _embedder(build: Builder, call: Call) -> Value:
    layer, name = call.layer, call.name
    ids = build.activation(call.args[0])
    check_ids(build, ids, layer.vocabulary)
    rows = build.shape(ids)[1]
    if rows > layer.max_length:
        raise Refused(f"has {layer.max_length} positions for {rows} tokens", "max_length of at least that")
    parts = {
        "tokens": build.weight("tokens", layer.tokens),
        "positions": build.weight("positions", layer.positions)[:rows],
        "token_expander": build.weight("token_expander", layer.token_expander).T,
        "position_expander": build.weight("position_expander", layer.position_expander).T,
    }
    if layer.segments:
        parts["segment_table"] = build.weight("segment_table", layer.segment_table)
    return build.add(
        Embedding,
        name,
        (ids, *(build.constant(f"{name}/{part}", data) for part, data in parts.items())),
        positions=True,
        expanded=True,
        segments=bool(layer.segments),
        # The padding, which no sentence has: all of it is segment 1.
        separator=0 if layer.separator is None else layer.separator,
    )


def _efficient_attention(build: Builder, call: Call) -> Value:
    layer, name = call.layer, call.name
    x = build.activation(call.args[0])
    build.reads_all_rows(call, call.args[0])
    queries = build.linear(
        f"{name}/query",
        [(x, build.weight("query_kernel", layer.query_kernel).T)],
        build.weight("query_bias", layer.query_bias),
    )
    scale = (build.shape(x)[-1] / layer.heads) ** -0.5
    context = build.add(Attention, f"{name}/attention", (queries, x, x), heads=layer.heads, scale=scale)
    return build.linear(
        name,
        [(context, build.weight("output_kernel", layer.output_kernel).T)],
        build.weight("output_bias", layer.output_bias),
    )


def _convolution(build: Builder, call: Call) -> Value:
    layer = call.layer
    bias = build.weight("bias", layer.bias) if layer.use_bias else None
    taps = build.weight("kernel", layer.kernel)
    return causal_convolution(build, call.name, build.activation(call.args[0]), taps, bias, layer.activation)


def _difference_skip(build: Builder, call: Call) -> Value:
    layer = call.layer
    attended, convolved = (build.activation(ref) for ref in call.args[0])
    lambdas = [
        np.exp(np.sum(build.weight(f"query_{at}", query) * build.weight(f"key_{at}", key)))
        for at, query, key in ((1, layer.query_1, layer.key_1), (2, layer.query_2, layer.key_2))
    ]
    identity = np.eye(build.shape(attended)[-1])
    return build.linear(call.name, [(attended, lambdas[0] * identity), (convolved, -lambdas[1] * identity)])


def _first_token(build: Builder, call: Call) -> Value:
    return first_row(build, call.name, build.activation(call.args[0]))


def _rms_pooling(build: Builder, call: Call) -> Value:
    return pool(build, call, Pooling.RMS, epsilon=float(call.layer.epsilon))


def _positions(build: Builder, call: Call) -> Value:
    x = build.activation(call.args[0])
    rows = build.shape(x)[1]
    if rows > call.layer.max_length:
        raise Refused(f"has {call.layer.max_length} positions for {rows} rows", "max_length of at least that")
    return build.plus(call.name, x, build.weight("positions", call.layer.positions)[None, :rows])


def _class_token(build: Builder, call: Call) -> Value:
    x = build.activation(call.args[0])
    if call.args[0].masked:
        raise Refused("puts a row in front of a sentence with padding", "a class token among the ids")
    token = build.weight("token", call.layer.token)
    rows = np.zeros((1, build.shape(x)[1] + 1, len(token)), np.float32)
    rows[0, 0] = token
    before = build.producer(x)
    plain = isinstance(before, Linear) and before.sources == 1 and not before.residual
    if isinstance(before, Linear) and plain and before.activation is Activation.NONE:
        # The zeros go through the layer instead: of them it makes its bias.
        x, kernel, *bias = before.inputs
        if bias:
            rows[0, 0] -= build.tensors[bias[0]].constant
        padded = build.add(Pad, f"{call.name}/row", (x,), paddings=((0, 0), (1, 0), (0, 0)))
        residual = build.constant(f"{call.name}/rows", rows)
        inputs = (padded, kernel, *bias, residual)
        return build.add(Linear, call.name, inputs, bias=bool(bias), residual=True)
    padded = build.add(Pad, f"{call.name}/row", (x,), paddings=((0, 0), (1, 0), (0, 0)))
    return build.plus(call.name, padded, rows)


LAYERS: dict[str, Handler] = {
    "tinyc>CausalDepthwiseConv1D": _convolution,
    "tinyc>ClassToken": _class_token,
    "tinyc>DifferenceSkip": _difference_skip,
    "tinyc>EfficientAttention": _efficient_attention,
    "tinyc>FirstToken": _first_token,
    "tinyc>LearnedPositions": _positions,
    "tinyc>NanoEmbedder": _embedder,
    "tinyc>RootMeanSquarePooling1D": _rms_pooling,
}
