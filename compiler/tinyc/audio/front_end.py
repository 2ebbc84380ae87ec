"""The audio front end in NumPy: integers only, equal to the generated C bit for bit.

Samples become windows, windows a power spectrum (real FFT by a complex one of half the size),
the spectrum mel bands, their logarithms a DCT: mel-frequency cepstral coefficients, after Davis
and Mermelstein, "Comparison of Parametric Representations for Monosyllabic Word Recognition"
(IEEE Trans. ASSP 28, 1980). Numbers, with L = log2(fft):

- samples times window: 14 - L bits of fraction; the spectrum stays below 2^30
- power: the squared spectrum, 64 bits, shifted right by 12
- mel energy: below 2^62 after Q15 weights; a band's value is log2(1 + energy / 2^floor_log2) in Q12
- coefficients: the bands' orthonormal DCT, lifted, Q12 in 32 bits
- features: coefficients requantized to the model's input scale and zero point

Every rounding is `(x + half) >> bits`. Change `firmware_templates/audio/audio.c.j2` with this file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinyc.audio.settings import AudioSettings
from tinyc.audio.tables import LOG_BITS, POWER_SHIFT, Q15, UNIT_BITS, Tables
from tinyc.errors import TinycError
from tinyc.ir.tensor import DType, Tensor
from tinyc.quantize.fixed_point import multiply_by_quantized_multiplier, quantize_multiplier

IntArray = npt.NDArray[Any]

# Frames per pass; one array of a pass is then about half a megabyte and stays in the cache.
_CHUNK = 256
# Requantization never shifts left: the product of a 32-bit coefficient always fits.
_SMALLEST_SCALE = 2.0**-UNIT_BITS


class AudioFrontEnd:
    """Features of sound for one model.

    `scale` and `zero_point` are the quantization of the model's int8 input; without them features
    have a scale of one. Raises TinycError for a scale that is not in [2^-12, 2^12] and a zero point that
    is not an int8.
    """

    def __init__(self, settings: AudioSettings, scale: float = 1.0, zero_point: int = 0) -> None:
        if not _SMALLEST_SCALE <= scale <= 1 / _SMALLEST_SCALE:
            raise TinycError(f"the input scale {scale} does not suit audio features", allowed="2^-12 to 2^12")
        if not -128 <= zero_point <= 127:
            raise TinycError(f"the input zero point {zero_point} is not an int8")
        self.settings = settings
        self.tables = Tables.of(settings)
        self.zero_point = zero_point
        self.multiplier, self.shift = quantize_multiplier(_SMALLEST_SCALE / scale)

    @classmethod
    def for_input(cls, settings: AudioSettings, tensor: Tensor) -> AudioFrontEnd:
        """The front end of a model with this input.

        Raises TinycError when the input is not int8 with one scale, or holds another number of values
        than a clip has features.
        """
        if tensor.dtype is not DType.INT8 or tensor.quantization is None or tensor.quantization.per_channel:
            raise TinycError(
                f"the audio front end cannot fill an input of {tensor.dtype.value[0]}",
                where=tensor.name,
                allowed="int8 with one scale and zero point",
            )
        if tensor.elements != settings.features:
            raise TinycError(
                f"the input has {tensor.elements} values {list(tensor.shape)}, the audio front end makes "
                f"{settings.frames} frames of {settings.coefficients}",
                where=tensor.name,
                hint="change clip_samples, window, hop or coefficients under [audio]",
            )
        return cls(settings, tensor.scale, tensor.zero_point)

    @property
    def state_bytes(self) -> int:
        """Bytes of the arena buffer `audio`: spectrum, mel bands, and the samples of one window."""
        return 4 * self.settings.fft + 4 * self.settings.mel_bands + 2 * self.settings.window

    def features(self, samples: IntArray) -> IntArray:
        """int8 [..., frames, coefficients] of int16 samples [..., count]: the bytes of the model's input.

        Raises TinycError as `coefficients` does.
        """
        scaled = multiply_by_quantized_multiplier(self.coefficients(samples), self.multiplier, self.shift)
        clamped: IntArray = np.clip(scaled + self.zero_point, -128, 127).astype(np.int8)
        return clamped

    def real(self, samples: IntArray) -> IntArray:
        """float32 [..., frames, coefficients]: what a float model is trained on."""
        unit = np.float32(1 << UNIT_BITS)
        return np.divide(self.coefficients(samples), unit, dtype=np.float32)

    def coefficients(self, samples: IntArray) -> IntArray:
        """int32 [..., frames, coefficients] in Q12 of int16 samples [..., count].

        Raises TinycError when the samples are not int16 or do not fill one window.
        """
        samples = np.asarray(samples)
        window, hop = self.settings.window, self.settings.hop
        if samples.dtype != np.int16:
            raise TinycError(f"samples are {samples.dtype}", allowed="int16")
        if samples.ndim == 0 or samples.shape[-1] < window:
            raise TinycError("there are too few samples", allowed=f"at least one window of {window}")
        framed = np.lib.stride_tricks.sliding_window_view(samples, window, axis=-1)[..., ::hop, :]
        shape = framed.shape[:-1]
        clips = framed.reshape(-1, *framed.shape[-2:]) if framed.ndim > 2 else framed[None]
        found = np.empty((len(clips), shape[-1], self.settings.coefficients), np.int32)
        step = max(1, _CHUNK // shape[-1])
        for at in range(0, len(clips), step):
            frames = clips[at : at + step].reshape(-1, window)
            for row in range(0, len(frames), _CHUNK):
                part = self._frames(frames[row : row + _CHUNK].T.astype(np.int64))
                target = found[at : at + step].reshape(-1, self.settings.coefficients)
                target[row : row + _CHUNK] = part.T
        return found.reshape(*shape, self.settings.coefficients)

    def _frames(self, samples: IntArray) -> IntArray:
        """[window, frames] to [coefficients, frames], all int64."""
        tables = self.tables
        rising = tables.window.astype(np.int64)
        window = np.concatenate([rising, rising[: self.settings.window // 2][::-1]])
        padded = np.zeros((self.settings.fft, samples.shape[1]), np.int64)
        padded[: len(window)] = _shift(samples * window[:, None], tables.sample_shift)
        bands = self._mel(self._power(padded))
        levels = _log2(bands + (1 << (tables.log_offset + self.settings.floor_log2)), tables.logarithm)
        levels -= (tables.log_offset + self.settings.floor_log2) << UNIT_BITS
        total = np.zeros((self.settings.coefficients, samples.shape[1]), np.int64)
        for band, level in enumerate(levels):
            total += tables.dct[:, band, None].astype(np.int64) * level
        return _shift(total, tables.dct_shift)

    def _power(self, frames: IntArray) -> IntArray:
        """Squared spectrum of the bins that the mel bank uses, [bins, frames]."""
        half = self.settings.fft // 2
        order = _bit_reversed(half)
        re, im = frames[0::2][order], frames[1::2][order]
        sine = self.tables.sine.astype(np.int64)
        # Angles from 0 to pi: sine[i] and cosine[i] of 2 pi i / fft.
        sines = np.concatenate([sine, sine[-2::-1]])
        cosines = np.concatenate([sine[::-1], -sine[1:]])
        span = 1
        while span < half:
            stride = half // span
            c, s = (wave[:half:stride][:, None] for wave in (cosines, sines))
            re, im = re.reshape(-1, 2, span, re.shape[-1]), im.reshape(-1, 2, span, im.shape[-1])
            turned_re = _shift(re[:, 1] * c + im[:, 1] * s, 15)
            turned_im = _shift(im[:, 1] * c - re[:, 1] * s, 15)
            re = np.stack([re[:, 0] + turned_re, re[:, 0] - turned_re], axis=1)
            im = np.stack([im[:, 0] + turned_im, im[:, 0] - turned_im], axis=1)
            span *= 2
        re, im = re.reshape(half, -1), im.reshape(half, -1)
        # Bin k of the real transform, doubled: (Z[k] + Z*[-k]) - j e^(-2 pi j k / fft) (Z[k] - Z*[-k]).
        bins = np.arange(len(self.tables.mel.weights)) + self.tables.mel.first_bin
        left, right = bins % half, (half - bins) % half
        c, s = cosines[bins, None], sines[bins, None]
        even_re, even_im = re[left] + re[right], im[left] - im[right]
        odd_re, odd_im = im[left] + im[right], re[right] - re[left]
        bin_re = even_re + _shift(odd_re * c + odd_im * s, 15)
        bin_im = even_im + _shift(odd_im * c - odd_re * s, 15)
        power: IntArray = (bin_re * bin_re + bin_im * bin_im) >> POWER_SHIFT
        return power

    def _mel(self, power: IntArray) -> IntArray:
        """Energies of the mel bands, [mel_bands, frames]."""
        mel = self.tables.mel
        weights = np.asarray(mel.weights, np.int64)[:, None]
        rising, falling = power * weights, power * (Q15 - weights)
        bands = np.zeros((len(mel.counts) + 1, power.shape[1]), np.int64)
        at = 0
        for run, count in enumerate(mel.counts):
            bands[run] += falling[at : at + count].sum(axis=0)
            bands[run + 1] += rising[at : at + count].sum(axis=0)
            at += count
        return bands[1:-1]


def _shift(x: IntArray, bits: int) -> IntArray:
    shifted: IntArray = (x + (1 << (bits - 1))) >> bits
    return shifted


def _bit_reversed(count: int) -> IntArray:
    order = np.zeros(1, np.int64)
    while len(order) < count:
        order = np.concatenate([2 * order, 2 * order + 1])
    return order


def _log2(x: IntArray, table: IntArray) -> IntArray:
    """log2 of positive integers below 2^63, in Q12: exponent and interpolated table."""
    exponent = np.zeros_like(x)
    rest = x
    for step in (32, 16, 8, 4, 2, 1):
        large = (rest >> step) > 0
        exponent += np.where(large, step, 0)
        rest = np.where(large, rest >> step, rest)
    mantissa = (
        np.where(exponent >= 16, x >> np.maximum(exponent - 16, 0), x << np.maximum(16 - exponent, 0))
        & 0xFFFF
    )
    bits = 16 - LOG_BITS
    entries = table.astype(np.int64)
    index, between = mantissa >> bits, mantissa & ((1 << bits) - 1)
    fine = (entries[index] << bits) + (entries[index + 1] - entries[index]) * between
    return (exponent << UNIT_BITS) + _shift(fine, 15 + bits - UNIT_BITS)
