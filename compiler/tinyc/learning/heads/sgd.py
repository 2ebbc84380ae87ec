"""Softmax regression by normalised gradient steps, with imprinted new classes and rehearsal.

The twin of firmware_templates/learning/head_sgd.c, which names the sources. The reservoir in RAM is not part
of the state: `load` keeps it, `copy` copies it.
"""

from __future__ import annotations

import numpy as np

from tinyc.learning import float_math
from tinyc.learning.float_math import F
from tinyc.learning.heads.base import empty_as_no_score, serial_dots
from tinyc.learning.heads.design import Floats, HeadDesign, Int8s
from tinyc.learning.heads.standard import StandardisingHead


class SgdHead(StandardisingHead):
    """Fields: `counts` uint32 (capacity,); float32 `biases` (capacity,) and `weights` (capacity, latent).

    Table with `factory_replay`: `factory_replay` int8 (factory classes, samples, latent).
    """

    def __init__(self, design: HeadDesign) -> None:
        super().__init__(design)
        option = design.options
        self._rate, self._norm = F(option["rate"]), F(option["norm"])
        self._only_mistakes = bool(option["only_mistakes"])
        self._imprint, self._most_counted = int(option["imprint"]), int(option["most_counted"])
        self._replay, self._replays = int(option["replay"]), int(option["replays"])
        self._factory_replay = int(option["factory_replay"])
        self._generator = int(option["seed"])
        self._reservoir = np.zeros((design.capacity, self._replay, design.latent), np.int8)
        self._offered = [0] * design.capacity

    @np.errstate(all="ignore")
    def scores_many(self, latents: Int8s) -> Floats:
        return self._scores(self._standardised(latents)[0])

    def _scores(self, z: Floats) -> Floats:
        scores = serial_dots(z, self.values["weights"]) + self.values["biases"]
        return empty_as_no_score(scores, self.values["counts"])

    def _descend(self, z: Floats, square: np.float32, label: int) -> None:
        scores = self._scores(z[None, :])[0]
        if self._only_mistakes and float_math.best(scores) == label:
            return
        known = np.flatnonzero(self.values["counts"])
        powers = float_math.exp(scores[known] - scores[float_math.best(scores)])
        share = F(1) / float_math.serial_sum(powers)
        step = self._rate / (square + F(1))
        delta = ((known == label).astype(F) - powers * share) * step
        self.values["weights"][known] += z[None, :] * delta[:, None]
        self.values["biases"][known] += delta

    def _imprint_row(self, z: Floats, square: np.float32, label: int) -> None:
        count = int(self.values["counts"][label])
        row = self.values["weights"][label]
        rate = F(1) / F(count + 1)
        length = float_math.sqrt(square)
        scale = self._norm / length if length > 0 else F(0)
        keep = F(0) if count == 0 else F(1) - rate
        if keep == 0:
            row[:] = 0
            self.values["biases"][label] = 0
        row *= keep
        row += z * (scale * rate)

    @np.errstate(all="ignore")
    def update(self, latent: Int8s, target: int | Floats) -> None:
        label = int(target)
        if not 0 <= label < self.design.capacity:
            return
        z, squares = self._standardised(latent.reshape(1, -1))
        counts = self.values["counts"]
        if counts[label] < self._imprint:
            self._imprint_row(z[0], squares[0], label)
            counts[label] += 1
        else:
            counts[label] = min(int(counts[label]) + 1, self._most_counted)
            self._descend(z[0], squares[0], label)
        if self._replay:
            self._keep(latent, label)
        if self._replay or self._factory_replay:
            self._rehearse()

    def _random(self, below: int) -> int:
        self._generator = float_math.random(self._generator)
        return self._generator % below

    def _keep(self, latent: Int8s, label: int) -> None:
        at = self._offered[label]
        self._offered[label] = min(at + 1, 0xFFFFFFFF)
        if at >= self._replay:
            at = self._random(self._offered[label])
        if at < self._replay:
            self._reservoir[label, at] = latent

    def _in_flash(self, label: int) -> int:
        return self._factory_replay if label < self.design.factory_classes else 0

    def _rehearse(self) -> None:
        available = {
            label: self._in_flash(label) + min(self._offered[label], self._replay)
            for label in range(self.design.capacity)
            if self.values["counts"][label]
        }
        classes = [label for label, samples in available.items() if samples]
        for _ in range(self._replays if classes else 0):
            label = classes[self._random(len(classes))]
            index = self._random(available[label])
            if index < self._in_flash(label):
                latent = self.design.tables["factory_replay"][label, index]
            else:
                latent = self._reservoir[label, index - self._in_flash(label)]
            z, squares = self._standardised(latent.reshape(1, -1))
            self._descend(z[0], squares[0], label)
