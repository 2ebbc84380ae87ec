"""Reads WAV files as the samples that an audio front end takes."""

from __future__ import annotations

import math
import struct
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinyc.audio.settings import AudioSettings
from tinyc.errors import TinycError

Samples = npt.NDArray[np.int16]
FloatArray = npt.NDArray[np.float64]

_LONGEST_SECONDS = 600
# Zero crossings on each side of the interpolation kernel; more give a steeper low pass.
_CROSSINGS = 24
_KAISER_BETA = 8.0
_EXTENSIBLE = 0xFFFE
# (format, bits) to the type of one sample; 8-bit samples are unsigned, "i3" is 24 bits.
_DTYPES = {
    (1, 8): "u1",
    (1, 16): "i2",
    (1, 24): "i3",
    (1, 32): "i4",
    (3, 32): "f4",
    (3, 64): "f8",
}


def read_wav(source: Path | bytes, sample_rate: int, clip_samples: int | None = None) -> Samples:
    """Mono int16 samples at `sample_rate` of a WAV file: integers of 8 to 32 bits or floats, any rate.

    Channels are averaged. With `clip_samples` the result is cut, or padded with silence, at its end.
    Raises TinycError for a file that is missing, damaged, compressed, empty or longer than ten minutes.
    """
    where = str(source) if isinstance(source, Path) else "WAV data"
    try:
        data = source.read_bytes() if isinstance(source, Path) else source
    except FileNotFoundError as error:
        raise TinycError("no such file", where=where) from error
    except OSError as error:
        raise TinycError(f"cannot be read: {error.strerror}", where=where) from error
    signal, rate = _decode(data, where)
    if rate != sample_rate:
        signal = resample(signal, rate, sample_rate)
    samples = np.clip(np.floor(signal + 0.5), -32768, 32767).astype(np.int16)
    return samples if clip_samples is None else fit(samples, clip_samples)


def read_clip(path: Path, settings: AudioSettings) -> Samples:
    """One clip of `settings.clip_samples` int16 samples for the audio front end. Raises TinycError."""
    return read_wav(path, settings.sample_rate, settings.clip_samples)


def write_wav(path: Path, samples: Samples, sample_rate: int) -> None:
    """Write mono int16 samples as a 16-bit PCM WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(np.ascontiguousarray(samples, "<i2").tobytes())


def fit(samples: Samples, count: int) -> Samples:
    """The first `count` samples, with silence behind them when there are fewer."""
    kept = samples[:count]
    return np.concatenate([kept, np.zeros(count - len(kept), np.int16)])


def resample(signal: FloatArray, rate: int, target: int) -> FloatArray:
    """`signal` at another sample rate: band-limited interpolation by a Kaiser-windowed sinc.

    Source: J. O. Smith, "Digital Audio Resampling Home Page" (CCRMA). One kernel per phase, with
    unit gain at zero frequency, so the cost is that of a polyphase filter.
    """
    divisor = math.gcd(rate, target)
    up, down = target // divisor, rate // divisor
    count = -(-len(signal) * up // down)
    # Below the lower of both Nyquist frequencies, in cycles per input sample.
    cutoff = 0.5 * min(1.0, up / down)
    reach = math.ceil(_CROSSINGS / (2 * cutoff))
    padded = np.concatenate([np.zeros(reach), signal, np.zeros(reach + 1)])
    result = np.empty(count)
    for phase in range(min(up, count)):
        outputs = np.arange(phase, count, up)
        starts = outputs * down // up
        fraction = (phase * down % up) / up
        offsets = np.arange(-reach + 1, reach + 1) - fraction
        inside = np.clip(1.0 - (offsets / reach) ** 2, 0.0, None)
        kernel = np.sinc(2 * cutoff * offsets) * np.i0(_KAISER_BETA * np.sqrt(inside))
        kernel /= kernel.sum()
        value = np.zeros(len(outputs))
        for tap, weight in enumerate(kernel):
            value += weight * padded[starts + tap + 1]
        result[outputs] = value
    return result


def _decode(data: bytes, where: str) -> tuple[FloatArray, int]:
    """(mono signal in int16 units, sample rate)."""
    chunks = dict(_chunks(data, where))
    if b"fmt " not in chunks or b"data" not in chunks:
        raise _bad("lacks its format or its samples", where)
    header, raw = chunks[b"fmt "], chunks[b"data"]
    if len(header) < 16:
        raise _bad("has a damaged format", where)
    kind, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", header)
    if kind == _EXTENSIBLE and len(header) >= 26:
        (kind,) = struct.unpack_from("<H", header, 24)
    dtype = _DTYPES.get((kind, bits))
    if dtype is None:
        raise _bad(f"has samples of format {kind} with {bits} bits", where)
    if not 1 <= channels <= 64 or block != channels * bits // 8:
        raise _bad("has a damaged format", where)
    if not 1_000 <= rate <= 384_000:
        raise TinycError(f"has a sample rate of {rate} Hz", where=where, allowed="1000 to 384000")
    frames = len(raw) // block
    if frames == 0:
        raise TinycError("holds no sound", where=where)
    if frames > _LONGEST_SECONDS * rate:
        raise TinycError("is too long", where=where, allowed="at most ten minutes")
    values = _in_int16_units(raw[: frames * block], dtype)
    if not np.isfinite(values).all():
        raise TinycError("holds samples that are not numbers", where=where)
    return values.reshape(frames, channels).mean(axis=1), rate


def _chunks(data: bytes, where: str) -> Iterator[tuple[bytes, bytes]]:
    """(name, content) of the RIFF chunks. The last one may be cut short, as streams leave it."""
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise _bad("is not a WAV file", where)
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        yield name, data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _bad(what: str, where: str) -> TinycError:
    return TinycError(
        what,
        where=where,
        allowed="WAV with integers of 8, 16, 24 or 32 bits or floats",
        hint="convert it, for instance with `sox INPUT -b 16 output.wav`",
    )


def _in_int16_units(raw: bytes, dtype: str) -> FloatArray:
    if dtype == "u1":
        return (np.frombuffer(raw, np.uint8).astype(np.float64) - 128.0) * 256.0
    if dtype == "i3":
        parts = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        wide = np.zeros((len(parts), 4), np.uint8)
        wide[:, 1:] = parts
        return wide.reshape(-1).view("<i4") / 65536.0
    values = np.frombuffer(raw, f"<{dtype}").astype(np.float64)
    if dtype in ("f4", "f8"):
        # Full scale is one; numbers far outside would only ring in the resampler.
        return np.clip(values, -4.0, 4.0) * 32768.0
    return values / float(1 << (8 * int(dtype[1:]) - 16))
