"""Keras models for text and speech that fit a microcontroller, and the layers they are made of.

Needs TensorFlow (`pip install "tinyc[keras]"`). Of tinyc only the Keras front end imports this package, for
files that name one of its layers.
"""

from __future__ import annotations

from tinyc.models.attention import DifferenceSkip, EfficientAttention
from tinyc.models.convolution import CausalDepthwiseConv1D
from tinyc.models.embbert import embbert, embedder_conv, encoder, masked_language_model
from tinyc.models.embedding import ClassToken, LearnedPositions, NanoEmbedder
from tinyc.models.masking import ResidualAdd, RMSNormalization
from tinyc.models.pooling import FirstToken, RootMeanSquarePooling1D
from tinyc.models.transformer import bert, keyword_transformer

__all__ = [
    "CausalDepthwiseConv1D",
    "ClassToken",
    "DifferenceSkip",
    "EfficientAttention",
    "FirstToken",
    "LearnedPositions",
    "NanoEmbedder",
    "RMSNormalization",
    "ResidualAdd",
    "RootMeanSquarePooling1D",
    "bert",
    "embbert",
    "embedder_conv",
    "encoder",
    "keyword_transformer",
    "masked_language_model",
]
