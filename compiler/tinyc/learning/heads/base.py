"""What the twins of all heads have in common."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Self

import numpy as np

from tinyc.learning import float_math
from tinyc.learning.heads.design import Floats, HeadDesign, Int8s, Values


class StatefulHead(ABC):
    """A design and the arrays of its state, of the fields' shapes. Starts with the factory state."""

    def __init__(self, design: HeadDesign) -> None:
        self.design = design
        self.values: dict[str, Values] = {f.name: design.factory[f.name].copy() for f in design.fields}

    def to_bytes(self) -> bytes:
        return self.design.pack(self.values)

    def load(self, state: bytes) -> None:
        self.values = self.design.unpack(state)

    def copy(self) -> Self:
        return copy.deepcopy(self)

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        other = copy.copy(self)
        for name, value in vars(self).items():
            if name != "design" and not name.startswith("_table"):
                setattr(other, name, copy.deepcopy(value, memo))
        return other

    @abstractmethod
    def scores_many(self, latents: Int8s) -> Floats:
        """See `Head`."""

    def scores(self, latent: Int8s) -> Floats:
        return np.asarray(self.scores_many(latent.reshape(1, -1))[0])

    def predict(self, latent: Int8s) -> int:
        return float_math.best(self.scores(latent))

    def predict_many(self, latents: Int8s) -> Values:
        """The best class of each row, the lowest of several."""
        return np.asarray(np.argmax(self.scores_many(latents), axis=1))


def empty_as_no_score(scores: Floats, counts: Values) -> Floats:
    """Classes without a sample score -FLT_MAX. Scores are (n, capacity)."""
    return np.asarray(np.where(counts[None, :] > 0, scores, float_math.NO_SCORE))


def serial_dots(x: Floats, rows: Floats) -> Floats:
    """x (n, d) by rows (c, d), each product sum in the order of d: float32 (n, c)."""
    total = x[:, 0, None] * rows[None, :, 0]
    for j in range(1, x.shape[1]):
        total = total + x[:, j, None] * rows[None, :, j]
    return np.asarray(total)
