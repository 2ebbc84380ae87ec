"""Plain transformer encoders of standard Keras layers: a small BERT and a keyword transformer."""

from __future__ import annotations

from typing import Any, Literal

import keras

from tinyc.models.embedding import ClassToken, LearnedPositions, NanoEmbedder
from tinyc.models.masking import ResidualAdd
from tinyc.models.pooling import FirstToken

Norm = Literal["post", "pre"]
Activation = Literal["gelu", "silu", "squared_relu"]


def bert(
    classes: int,
    vocabulary: int,
    max_length: int,
    units: int = 128,
    blocks: int = 2,
    heads: int = 2,
    feed_forward: int = 512,
    norm: Norm = "post",
    activation: Activation = "gelu",
    rank: int | None = None,
    pooling: Literal["first", "mean"] = "first",
    dropout: float = 0.1,
    dynamic: bool = False,
) -> Any:
    """A small BERT: int32 [batch, max_length], padded with 0 -> logits [batch, classes].

    With a `rank`, tokens and positions go through narrow tables (`NanoEmbedder` without segments). `norm`
    says where the layer normalizations stand: "post" after each sum and after the embedding, "pre" before
    each branch and at the end. `dynamic` leaves the length open.
    """
    layers = keras.layers
    ids = keras.Input((None if dynamic else max_length,), dtype="int32", name="ids")
    if rank is None:
        x = layers.Embedding(vocabulary, units, mask_zero=True, name="tokens")(ids)
        x = LearnedPositions(max_length, name="positions")(x)
    else:
        x = NanoEmbedder(vocabulary, rank, units, max_length, segments=0, name="embedder")(ids)
    if norm == "post":
        x = layers.LayerNormalization(epsilon=1e-6, name="embedding_norm")(x)
    x = _dropped(x, dropout, "embedding_dropout")
    for block in range(blocks):
        x = encoder_block(x, f"block_{block}", heads, feed_forward, norm, activation, dropout)
    if norm == "pre":
        x = layers.LayerNormalization(epsilon=1e-6, name="final_norm")(x)
    if pooling == "first":
        x = FirstToken(name="first_token")(x)
    else:
        x = layers.GlobalAveragePooling1D(name="mean_pooling")(x)
    x = _dropped(x, dropout, "dropout")
    return keras.Model(ids, layers.Dense(classes, name="logits")(x), name="bert")


def keyword_transformer(
    classes: int,
    frames: int = 98,
    coefficients: int = 40,
    units: int = 64,
    blocks: int = 12,
    heads: int = 1,
    feed_forward: int = 256,
    dropout: float = 0.0,
) -> Any:
    """A keyword transformer like KWT-1 (arXiv 2104.00769): features [batch, frames, coefficients] -> logits.

    Each frame is a patch; the answer is read off a class token in front of them.
    """
    layers = keras.layers
    features = keras.Input((frames, coefficients), name="features")
    x = layers.Dense(units, name="patches")(features)
    x = ClassToken(name="class_token")(x)
    x = LearnedPositions(frames + 1, name="positions")(x)
    for block in range(blocks):
        x = encoder_block(x, f"block_{block}", heads, feed_forward, "post", "gelu", dropout)
    x = FirstToken(name="first_token")(x)
    return keras.Model(features, layers.Dense(classes, name="logits")(x), name="keyword_transformer")


def encoder_block(
    x: Any, name: str, heads: int, feed_forward: int, norm: Norm, activation: Activation, dropout: float
) -> Any:
    """Self-attention and a feed-forward net, each with a sum around it: [batch, time, d] -> the same."""
    layers = keras.layers
    units = x.shape[-1]

    def attention(rows: Any) -> Any:
        attend = layers.MultiHeadAttention(heads, units // heads, dropout=dropout, name=f"{name}_attention")
        return _dropped(attend(rows, rows), dropout, f"{name}_attention_dropout")

    def net(rows: Any) -> Any:
        rows = layers.Dense(feed_forward, name=f"{name}_expand")(rows)
        if activation == "squared_relu":
            rows = layers.Activation("relu", name=f"{name}_activation")(rows)
            rows = layers.Multiply(name=f"{name}_square")([rows, rows])
        else:
            rows = layers.Activation(activation, name=f"{name}_activation")(rows)
        rows = layers.Dense(units, name=f"{name}_contract")(rows)
        return _dropped(rows, dropout, f"{name}_feed_forward_dropout")

    for part, branch in (("attention", attention), ("feed_forward", net)):
        normalize = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_{part}_norm")
        add = ResidualAdd(name=f"{name}_{part}_skip")
        x = normalize(add([x, branch(x)])) if norm == "post" else add([x, branch(normalize(x))])
    return x


def _dropped(x: Any, dropout: float, name: str) -> Any:
    return keras.layers.Dropout(dropout, name=name)(x) if dropout else x
