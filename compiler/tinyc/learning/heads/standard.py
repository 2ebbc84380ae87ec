"""The standardised latent of the heads that learn by gradient steps.

The twin of firmware_templates/learning/learn_latent.h. Statistics are tables, `mean` and `inverse` float32
(latent,), or with the option `normalise` fields of the state that follow the samples. With the option `curve`
the table `curve` int16 (256,) says what takes the place of the latents -128 to 127.
"""

from __future__ import annotations

import numpy as np

from tinyc.learning import float_math
from tinyc.learning.float_math import F
from tinyc.learning.heads.base import StatefulHead
from tinyc.learning.heads.design import Floats, HeadDesign, Int8s


class StandardisingHead(StatefulHead):
    """With normalisation also the fields `mean`, `variance` float32 (latent,) and `seen` uint32 (1,)."""

    def __init__(self, design: HeadDesign) -> None:
        super().__init__(design)
        self._normalise = int(design.options["normalise"])
        self._surprise = F(design.options["surprise"])
        self._least_variance = F(design.options["least_variance"])
        identity = np.arange(-128, 128, dtype=np.int16)
        self._table_curve = design.tables.get("curve", identity).astype(F)

    def _curved(self, latents: Int8s) -> Floats:
        return np.asarray(self._table_curve[latents.astype(np.int32) + 128])

    def _standardised(self, latents: Int8s) -> tuple[Floats, Floats]:
        """z (n, latent) and the sums of its squares (n,)."""
        x = self._curved(latents)
        if self._normalise:
            variance = self.values["variance"]
            varies = variance > self._least_variance
            deviation = float_math.sqrt(np.where(varies, variance, F(1)))
            z = np.where(varies, (x - self.values["mean"]) / deviation, F(0))
        else:
            z = (x - self.design.tables["mean"]) * self.design.tables["inverse"]
        return z, float_math.serial_sum(z * z)

    @np.errstate(all="ignore")
    def normalise(self, latent: Int8s) -> None:
        """One sample without a label into the running statistics. Source: Welford 1962."""
        if not self._normalise:
            return
        seen = min(int(self.values["seen"][0]) + 1, self._normalise)
        self.values["seen"][0] = seen
        rate = F(1) / F(seen)
        x, mean, variance = self._curved(latent), self.values["mean"], self.values["variance"]
        before = x - mean
        mean += before * rate
        variance += (before * (x - mean) - variance) * rate

    @np.errstate(all="ignore")
    def surprises(self, latents: Int8s) -> Floats:
        """`surprise` of each row of int8 (n, latent)."""
        return np.asarray(self._standardised(latents)[1] * self._surprise)

    def surprise(self, latent: Int8s) -> np.float32:
        return F(self.surprises(latent.reshape(1, -1))[0])
