"""Two of Keras' layers, changed only in that the mask is not lost."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="tinyc")
class RMSNormalization(keras.layers.RMSNormalization):
    """Keras' RMSNormalization, which drops the mask, passing it on: [batch, time, d] -> the same.

    `x / sqrt(mean(x^2) + epsilon) * scale` over the last axis. Weights: scale [d].
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True


@keras.saving.register_keras_serializable(package="tinyc")
class ResidualAdd(keras.layers.Add):
    """Keras' Add with the mask of whichever input has one: [batch, time, d] each -> the same.

    MultiHeadAttention takes the mask off its input, so the plain sum around it would have none.
    """

    def compute_mask(self, inputs: Any, previous: Any = None) -> Any:
        return next((mask for mask in previous or () if mask is not None), None)
