"""Streaming linear discriminant analysis with a covariance frozen at the factory.

Source: Hayes and Kanan 2020, "Lifelong machine learning with deep streaming linear discriminant analysis",
section 3. The twin of firmware_templates/learning/head_slda.c, which says what the state holds.

Tables: `precision` int16 (rows, columns), the inverse covariance with rows padded to an even number and
columns to a multiple of four; `factors` float32 (rows,), one for each row; `centre` int16 (latent,);
with the option `curve` also `curve` int16 (256,), what takes the place of the latents -128 to 127.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyc.learning import float_math
from tinyc.learning.float_math import F
from tinyc.learning.heads.base import StatefulHead, empty_as_no_score, serial_dots
from tinyc.learning.heads.design import Floats, HeadDesign, Int8s


def padded(latent: int) -> tuple[int, int]:
    """Rows and columns of the precision table."""
    return (latent + 1) & ~1, (latent + 3) & ~3


class SldaHead(StatefulHead):
    """Fields: `counts` uint32 (capacity,); float32 `squares` (capacity,) and `sums` (capacity, latent)."""

    def __init__(self, design: HeadDesign) -> None:
        super().__init__(design)
        d = design.latent
        # Integers below 2^31 in float64: the products are exact in any order.
        self._table_precision = design.tables["precision"][:d, :d].astype(np.float64)
        block = np.arange(d) // 4
        self._table_near = np.where(block[:, None] == block, self._table_precision, 0)
        self._table_far = np.where(block[:, None] < block, self._table_precision, 0)
        self._table_factors = design.tables["factors"][:d]
        self._table_centre = design.tables["centre"].astype(np.int32)
        identity = np.arange(-128, 128, dtype=np.int16)
        self._table_curve = design.tables.get("curve", identity).astype(np.int32)
        self._forget = int(design.options["forget"])
        self._prior = F(design.options["prior"])
        self._bias = F(design.options["bias"])
        self._surprise = F(design.options["surprise"])

    def _centred(self, latents: Int8s) -> Floats:
        return np.asarray((self._table_curve[latents.astype(np.int32) + 128] - self._table_centre).astype(F))

    def _product(self, x: Floats) -> Floats:
        """P x, for x (n, d)."""
        return np.asarray(_exact(x, self._table_precision) * self._table_factors)

    @np.errstate(all="ignore")
    def scores_many(self, latents: Int8s) -> Floats:
        counts = self.values["counts"]
        scores = serial_dots(self._centred(latents), self.values["sums"])
        weight = F(1) / (counts.astype(F) + self._prior)
        half = ((self.values["squares"] * weight) * weight) * F(0.5)
        scores = (scores * weight - half) + self._bias * weight
        return empty_as_no_score(scores, counts)

    @np.errstate(all="ignore")
    def surprises(self, latents: Int8s) -> Floats:
        """`surprise` of each row of int8 (n, latent)."""
        x = self._centred(latents)
        # P is symmetric: the product by its upper half is enough.
        far = _exact(x, self._table_far)
        half = (far + far) + _exact(x, self._table_near)
        own = float_math.serial_sum(x * (half * self._table_factors))
        scores = self.scores_many(latents)
        nearest = np.array([row[float_math.best(row)] for row in scores], F)
        return np.asarray((own - (nearest + nearest)) * self._surprise)

    def surprise(self, latent: Int8s) -> np.float32:
        return F(self.surprises(latent.reshape(1, -1))[0])

    @np.errstate(all="ignore")
    def update(self, latent: Int8s, target: int | Floats) -> None:
        label = int(target)
        if not 0 <= label < self.design.capacity:
            return
        sums, square = self.values["sums"][label], self.values["squares"][label]
        count = int(self.values["counts"][label])
        if count == 0:
            sums[:] = 0
            square = F(0)
        elif count >= self._forget:
            keep = F(self._forget - 1) / F(self._forget)
            sums *= keep
            square = (square * keep) * keep
            count = self._forget - 1
        x = self._centred(latent.reshape(1, -1))
        u = self._product(x)[0]
        cross = float_math.serial_sum(x[0] * sums)
        own = float_math.serial_sum(x[0] * u)
        sums += u
        self.values["squares"][label] = (square + (cross + cross)) + own
        self.values["counts"][label] = count + 1


def _exact(x: Floats, table: npt.NDArray[np.float64]) -> Floats:
    """x (n, d) by rows of integers: int32 sums, exact in float64, then rounded once."""
    return np.asarray((x.astype(np.float64) @ table.T).astype(np.int32).astype(F))
