"""EmbBERT, a sentence encoder of 357,248 weights, and its embedder with one convolution.

The architecture is that of "EmbBERT: Attention Under 2 MB Memory" (arXiv 2502.10001), written anew.
"""

from __future__ import annotations

from typing import Any

import keras

from tinyc.models.attention import DifferenceSkip, EfficientAttention
from tinyc.models.convolution import CausalDepthwiseConv1D
from tinyc.models.embedding import NanoEmbedder
from tinyc.models.masking import RMSNormalization
from tinyc.models.pooling import FirstToken, RootMeanSquarePooling1D

SEPARATOR = 4


def embbert(
    classes: int,
    vocabulary: int = 8192,
    rank: int = 16,
    units: int = 128,
    blocks: int = 4,
    max_length: int = 256,
    kernel_size: int = 32,
    heads: int = 1,
    dropout: float = 0.1,
    dynamic: bool = False,
) -> Any:
    """A classifier of token ids: int32 [batch, max_length], padded with 0 -> logits [batch, classes].

    `dynamic` leaves the length open, for training on short batches; the weights are the same.
    """
    layers = keras.layers
    ids = keras.Input((None if dynamic else max_length,), dtype="int32", name="ids")
    x = NanoEmbedder(vocabulary, rank, units, max_length, separator=SEPARATOR, name="embedder")(ids)
    for block in range(blocks):
        name = f"block_{block}"
        x = RMSNormalization(name=f"{name}_norm")(x)
        attended = EfficientAttention(heads, dropout, name=f"{name}_attention")(x)
        convolved = CausalDepthwiseConv1D(kernel_size, "silu", name=f"{name}_convolution")(x)
        convolved = layers.Dense(units, name=f"{name}_projection")(convolved)
        x = DifferenceSkip(name=f"{name}_skip")([attended, convolved])
    x = FirstToken(name="first_token")(x)
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(ids, layers.Dense(classes, name="logits")(x), name="embbert")


def encoder(model: Any) -> Any:
    """The part of an `embbert` or `bert` classifier before its pooling: ids -> rows [batch, time, units].

    The encoder shares its weights with the classifier.
    """
    for name in ("first_token", "mean_pooling", "pooling"):
        if any(layer.name == name for layer in model.layers):
            rows = model.get_layer(name).input
            # A layer that takes a mask counts it among its inputs.
            rows = rows[0] if isinstance(rows, (list, tuple)) else rows
            return keras.Model(model.inputs, rows, name=f"{model.name}_encoder")
    raise ValueError(f"{model.name} has no pooling layer")


def masked_language_model(model: Any, vocabulary: int = 8192) -> Any:
    """A classifier's encoder with a head that guesses each token: ids -> logits [batch, time, vocabulary].

    Training it trains the weights of the classifier, except for the classifier's own head.
    """
    rows = encoder(model)
    logits = keras.layers.Dense(vocabulary, name="token_logits")(rows.output)
    return keras.Model(rows.inputs, logits, name=f"{model.name}_masked_language_model")


def embedder_conv(
    classes: int,
    vocabulary: int = 8192,
    rank: int = 32,
    units: int = 320,
    max_length: int = 256,
    kernel_size: int = 16,
    dropout: float = 0.1,
    dynamic: bool = False,
) -> Any:
    """Embedder, one causal convolution, root-mean-square pooling: int32 [batch, max_length] -> logits."""
    layers = keras.layers
    ids = keras.Input((None if dynamic else max_length,), dtype="int32", name="ids")
    x = NanoEmbedder(vocabulary, rank, units, max_length, separator=SEPARATOR, name="embedder")(ids)
    x = CausalDepthwiseConv1D(kernel_size, "silu", name="convolution")(x)
    x = RootMeanSquarePooling1D(name="pooling")(x)
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(ids, layers.Dense(classes, name="logits")(x), name="embedder_conv")
