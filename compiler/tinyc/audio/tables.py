"""Constant tables of the audio front end: the same integers for NumPy and for C."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyc.audio.mel import MelBank
from tinyc.audio.settings import AudioSettings

IntArray = npt.NDArray[Any]

# One in Q15, the format of window, sine, mel weights and logarithm table.
Q15 = 1 << 15
# Pieces of the logarithm's mantissa; between two entries the table is interpolated.
LOG_BITS = 6
# Logarithms and coefficients are Q12.
UNIT_BITS = 12
# Bits of a squared spectrum value that are dropped to leave room for the sum over a mel band.
POWER_SHIFT = 12

_HAMMING = 0.54


@dataclass(frozen=True, slots=True)
class Tables:
    """`window` is the rising half, `sine` the first quarter wave; `dct` is [coefficients, mel_bands],
    lifted, with `dct_shift` bits of fraction.

    `sample_shift` rounds sample * window (Q15) to the fixed point of the FFT: 14 - log2(fft) bits
    of fraction, which leave the largest spectrum just below 2^30. `log_offset` is log2 of the
    accumulated energy of one squared sample unit.
    """

    window: IntArray
    sine: IntArray
    mel: MelBank
    logarithm: IntArray
    dct: IntArray
    dct_shift: int
    sample_shift: int
    log_offset: int

    @classmethod
    def of(cls, settings: AudioSettings) -> Tables:
        stages = settings.fft.bit_length() - 1
        bands = settings.mel_bands
        dct = [
            [_lifter(settings, row) * _dct(bands, row, band) for band in range(bands)]
            for row in range(settings.coefficients)
        ]
        # The finest format that keeps the largest entry in 16 bits.
        largest = max(abs(value) for row in dct for value in row)
        dct_shift = 15 - max(0, math.frexp(largest)[1])
        quarter = settings.fft // 4
        return cls(
            window=_fixed(_window(settings), 15, np.uint16),
            sine=_fixed([math.sin(math.pi / 2 * i / quarter) for i in range(quarter + 1)], 15, np.uint16),
            mel=MelBank.of(settings),
            logarithm=_fixed(
                [math.log2(1 + i / (1 << LOG_BITS)) for i in range((1 << LOG_BITS) + 1)], 15, np.uint16
            ),
            dct=_fixed(dct, dct_shift, np.int16),
            dct_shift=dct_shift,
            sample_shift=stages + 1,
            log_offset=33 - 2 * stages,
        )


def _window(settings: AudioSettings) -> list[float]:
    """The first half, middle included; symmetric, sampled at half steps, so never zero."""
    hann = [
        math.sin(math.pi * (index + 0.5) / settings.window) ** 2
        for index in range((settings.window + 1) // 2)
    ]
    if settings.window_function == "hann":
        return hann
    return [(2 * _HAMMING - 1) + (2 - 2 * _HAMMING) * value for value in hann]


def _dct(bands: int, row: int, band: int) -> float:
    """The orthonormal DCT-II."""
    return math.sqrt((1 if row == 0 else 2) / bands) * math.cos(math.pi * row * (band + 0.5) / bands)


def _lifter(settings: AudioSettings, row: int) -> float:
    """Source: Young et al., "The HTK Book", section 5.6."""
    if settings.lifter == 0:
        return 1.0
    return 1.0 + settings.lifter / 2 * math.sin(math.pi * row / settings.lifter)


def _fixed(values: list[float] | list[list[float]], bits: int, dtype: npt.DTypeLike) -> IntArray:
    scaled = np.floor(np.asarray(values) * (1 << bits) + 0.5)
    return np.clip(scaled, np.iinfo(dtype).min, np.iinfo(dtype).max).astype(dtype)
