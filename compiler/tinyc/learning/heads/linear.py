"""Linear regression by normalised least mean squares: values, or the last layer of an autoencoder.

The twin of firmware_templates/learning/head_linear.c.
"""

from __future__ import annotations

import numpy as np

from tinyc.learning import float_math
from tinyc.learning.float_math import F
from tinyc.learning.heads.base import serial_dots
from tinyc.learning.heads.design import Floats, HeadDesign, Int8s
from tinyc.learning.heads.standard import StandardisingHead


class LinearHead(StandardisingHead):
    """Fields: `biases` float32 (capacity,), `weights` float32 (capacity, latent)."""

    def __init__(self, design: HeadDesign) -> None:
        super().__init__(design)
        self._rate = F(design.options["rate"])

    @np.errstate(all="ignore")
    def scores_many(self, latents: Int8s) -> Floats:
        z, _ = self._standardised(latents)
        return np.asarray(serial_dots(z, self.values["weights"]) + self.values["biases"])

    @np.errstate(all="ignore")
    def update(self, latent: Int8s, target: int | Floats) -> None:
        """`target` is float32 (capacity,)."""
        z, squares = self._standardised(latent.reshape(1, -1))
        y = serial_dots(z, self.values["weights"])[0] + self.values["biases"]
        step = self._rate / (squares[0] + F(1))
        delta = (np.asarray(target, F) - y) * step
        self.values["weights"] += z * delta[:, None]
        self.values["biases"] += delta

    @np.errstate(all="ignore")
    def error(self, scores: Floats, target: Floats) -> np.float32:
        """Mean squared difference: for an autoencoder the anomaly score."""
        difference = scores - np.asarray(target, F)
        return F(float_math.serial_sum(difference * difference) * (F(1) / F(self.design.capacity)))
