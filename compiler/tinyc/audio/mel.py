"""The mel filter bank: triangles of equal width on the mel scale, as integer weights of FFT bins.

Neighbouring triangles share their edges, so a bin between two centres needs one weight only: `w`
for the band that rises and `1 - w` for the one that falls. The scale is O'Shaughnessy's,
mel = 1127 ln(1 + f / 700) (Speech Communication: Human and Machine, 1987).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

# Weights are Q15: 32768 is one.
ONE = 1 << 15


class MelSettings(Protocol):
    @property
    def sample_rate(self) -> int: ...
    @property
    def fft(self) -> int: ...
    @property
    def mel_bands(self) -> int: ...
    @property
    def mel_low_hz(self) -> int: ...
    @property
    def mel_high_hz(self) -> int: ...


@dataclass(frozen=True, slots=True)
class MelBank:
    """`bands + 1` runs of FFT bins, from `first_bin` on.

    Run `j` holds `counts[j]` bins; they rise in band `j` (not in the last run) with `weights`, and
    fall in band `j - 1` (not in the first run) with `ONE - weights`.
    """

    first_bin: int
    counts: tuple[int, ...]
    weights: tuple[int, ...]

    @classmethod
    def of(cls, settings: MelSettings) -> MelBank:
        low, high = mel(settings.mel_low_hz), mel(settings.mel_high_hz)
        spacing = (high - low) / (settings.mel_bands + 1)
        counts = [0] * (settings.mel_bands + 1)
        weights: list[int] = []
        first_bin = 0
        for index in range(settings.fft // 2 + 1):
            place = (mel(index * settings.sample_rate / settings.fft) - low) / spacing
            run = math.floor(place)
            if place <= 0.0 or run > settings.mel_bands:
                continue
            first_bin = first_bin if weights else index
            counts[run] += 1
            weights.append(math.floor((place - run) * ONE + 0.5))
        return cls(first_bin, tuple(counts), tuple(weights))

    def empty_bands(self) -> tuple[int, ...]:
        """Bands whose weights are all zero, counted from 0."""
        sums = [0] * (len(self.counts) + 1)
        at = 0
        for run, count in enumerate(self.counts):
            for weight in self.weights[at : at + count]:
                sums[run + 1] += weight
                sums[run] += ONE - weight
            at += count
        return tuple(band for band, total in enumerate(sums[1:-1]) if total == 0)


def mel(hertz: float) -> float:
    return 1127.0 * math.log(1.0 + hertz / 700.0)
