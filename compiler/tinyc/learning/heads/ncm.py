"""Nearest class mean, by cosine or Euclidean distance (Mensink et al. 2013).

The twin of firmware_templates/learning/head_ncm.c.
"""

from __future__ import annotations

import numpy as np

from tinyc.learning import float_math
from tinyc.learning.float_math import F
from tinyc.learning.heads.base import StatefulHead, empty_as_no_score, serial_dots
from tinyc.learning.heads.design import Floats, HeadDesign, Int8s


class NcmHead(StatefulHead):
    """Fields: `counts` uint32 (capacity,); float32 `squares` (capacity,) and `means` (capacity, latent)."""

    def __init__(self, design: HeadDesign) -> None:
        super().__init__(design)
        self._cosine = bool(design.options["cosine"])
        self._zero_point = int(design.options["zero_point"])
        self._forget = int(design.options["forget"])
        self._surprise = F(design.options["surprise"])

    def _dequantized(self, latents: Int8s) -> tuple[Floats, Floats]:
        x = (latents.astype(np.int32) - self._zero_point).astype(F)
        return x, float_math.serial_sum(x * x)

    @np.errstate(all="ignore")
    def scores_many(self, latents: Int8s) -> Floats:
        x, square = self._dequantized(latents)
        scores = serial_dots(x, self.values["means"])
        squares = self.values["squares"]
        if self._cosine:
            length = float_math.sqrt(squares[None, :] * square[:, None])
            scores = np.asarray(np.where(length > 0, scores / length, F(0)), F)
        else:
            scores = np.asarray(scores - squares * F(0.5), F)
        return empty_as_no_score(scores, self.values["counts"])

    @np.errstate(all="ignore")
    def surprises(self, latents: Int8s) -> Floats:
        """`surprise` of each row of int8 (n, latent)."""
        nearest = np.array([row[float_math.best(row)] for row in self.scores_many(latents)], F)
        far = F(1) - nearest if self._cosine else self._dequantized(latents)[1] - (nearest + nearest)
        return np.asarray(far * self._surprise)

    def surprise(self, latent: Int8s) -> np.float32:
        return F(self.surprises(latent.reshape(1, -1))[0])

    @np.errstate(all="ignore")
    def update(self, latent: Int8s, target: int | Floats) -> None:
        label = int(target)
        if not 0 <= label < self.design.capacity:
            return
        mean, counts = self.values["means"][label], self.values["counts"]
        if counts[label] == 0:
            mean[:] = 0
        counts[label] = min(int(counts[label]) + 1, self._forget)
        rate = F(1) / F(counts[label])
        x = self._dequantized(latent.reshape(1, -1))[0][0]
        mean += (x - mean) * rate
        self.values["squares"][label] = float_math.serial_sum(mean * mean)
