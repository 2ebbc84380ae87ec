"""Keras' MultiHeadAttention as three linear layers, the attention and a fourth."""

from __future__ import annotations

import math
from typing import Any

from tinyc.frontends.keras_builder import Builder, Refused, Value
from tinyc.frontends.keras_walk import Call, Ref
from tinyc.ir.ops import Attention
from tinyc.ir.tensor import Array

_TENSORS = ("query", "value", "key")
# The masks among them are checked by `Builder.reads_all_rows`.
_KNOWN = (*_TENSORS, "use_causal_mask", "training", "query_mask", "value_mask", "key_mask")


def multi_head_attention(build: Builder, call: Call) -> Value:
    layer, name = call.layer, call.name
    rows = _rows(call)
    _check(layer)
    x = build.activation(rows)
    build.reads_all_rows(call, rows)

    def projected(part: str) -> str:
        dense = getattr(layer, f"_{part}_dense")
        kernel = build.weight(f"{part}/kernel", dense.kernel)
        weights = kernel.reshape(kernel.shape[0], -1).T
        return build.linear(f"{name}/{part}", [(x, weights)], _bias(build, part, dense))

    context = build.add(
        Attention,
        f"{name}/attention",
        [projected(part) for part in ("query", "key", "value")],
        heads=layer._num_heads,
        causal=bool(call.kwargs.get("use_causal_mask")),
        scale=1.0 / math.sqrt(layer._key_dim),
    )
    dense = layer._output_dense
    kernel = build.weight("attention_output/kernel", dense.kernel)
    weights = kernel.reshape(-1, kernel.shape[-1]).T
    return build.linear(name, [(context, weights)], _bias(build, "attention_output", dense))


def _bias(build: Builder, part: str, dense: Any) -> Array | None:
    if dense.bias is None:
        return None
    return build.weight(f"{part}/bias", dense.bias).reshape(-1)


def _rows(call: Call) -> Ref:
    """The one tensor that queries, keys and values are made of."""
    given = dict(zip(_TENSORS, call.args, strict=False))
    given |= {key: ref for key, ref in call.kwargs.items() if key in _TENSORS}
    query, value, key = (given.get(name) for name in _TENSORS)
    if query != value or key not in (None, query) or not isinstance(query, Ref):
        raise Refused("attends to another tensor", "self-attention: query, key and value the same")
    if call.kwargs.get("return_attention_scores"):
        raise Refused("returns its scores", "return_attention_scores=False")
    extra = [
        key
        for key, given in call.kwargs.items()
        if key not in _KNOWN and given is not None and given is not False
    ]
    if extra or len(call.args) > len(_TENSORS):
        raise Refused(
            f"is called with {', '.join(extra) or 'masks of its own'}",
            "the padding mask that Keras carries along, use_causal_mask",
        )
    return query


def _check(layer: Any) -> None:
    """Raises Refused for settings that change what is computed."""
    config = layer.get_config()
    for key in ("use_gate", "sliding_window"):
        if config.get(key):
            raise Refused(f"has {key}={config[key]}", f"no {key}")
    axes = config.get("attention_axes")
    if axes not in (None, 1) and list(axes) != [1]:
        raise Refused(f"has attention_axes={axes}", "rows [batch, tokens, units]")
    if len(config.get("output_shape") or ()) > 1:
        raise Refused(f"has output_shape={config['output_shape']}", "one extent")


LAYERS = {"MultiHeadAttention": multi_head_attention}
