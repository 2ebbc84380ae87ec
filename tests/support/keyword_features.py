"""MFCC features as the MLPerf Tiny keyword model was trained on, from recordings in a zip file.

Frames of 30 ms every 20 ms, Hann window, 40 mel bands from 20 to 4000 Hz, logarithm, ten DCT-II
coefficients; the recording is scaled to a peak of 1.
"""

from __future__ import annotations

import io
import wave
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tinyc.ir.tensor import Array

CLASSES = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "silence", "unknown")
RATE, FRAME, STEP, FFT, BANDS, COEFFICIENTS = 16000, 480, 320, 512, 40, 10


def _mel(hertz: Array) -> Array:
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)


def _mel_bands() -> Array:
    """[FFT bins, bands]; triangles on the mel scale, nothing for the first bin."""
    bins = _mel(np.linspace(0, RATE / 2, FFT // 2 + 1)[1:])[:, None]
    edges = np.linspace(_mel(np.array(20.0)), _mel(np.array(4000.0)), BANDS + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    triangle = np.maximum(0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    return np.vstack([np.zeros((1, BANDS)), triangle])


def mfcc(samples: Array) -> Array:
    """float32 [1, 49, 10, 1] for one second of audio."""
    audio = np.zeros(RATE)
    audio[: min(RATE, len(samples))] = samples[:RATE]
    audio = audio / max(float(np.abs(audio).max()), 1.0)
    frames = np.lib.stride_tricks.sliding_window_view(audio, FRAME)[::STEP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
    spectrum = np.abs(np.fft.rfft(frames * window, FFT))
    log_mel = np.log(spectrum @ _mel_bands() + 1e-6)
    angle = np.pi / BANDS * np.outer(np.arange(BANDS) + 0.5, np.arange(COEFFICIENTS))
    features = log_mel @ np.cos(angle) * 2.0 / np.sqrt(2.0 * BANDS)
    return features.astype(np.float32)[None, :, :, None]


def recordings(archive: Path, per_word: int) -> Iterator[tuple[Array, int]]:
    """(features, class) of the first `per_word` recordings of each of the model's ten words."""
    with zipfile.ZipFile(archive) as stored:
        names = sorted(name for name in stored.namelist() if name.endswith(".wav"))
        for word in CLASSES:
            for name in [name for name in names if Path(name).parent.name == word][:per_word]:
                with wave.open(io.BytesIO(stored.read(name))) as audio:
                    data = np.frombuffer(audio.readframes(audio.getnframes()), np.int16)
                yield mfcc(data.astype(np.float64)), CLASSES.index(word)
