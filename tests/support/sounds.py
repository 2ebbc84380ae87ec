"""Synthetic clips that reach the corners of the audio front end."""

from __future__ import annotations

import numpy as np

from tinyc.audio.settings import AudioSettings
from tinyc.ir.tensor import Array


def sounds(settings: AudioSettings, seed: int = 1) -> dict[str, Array]:
    """int16 clips of `clip_samples`: silence, limits, impulses, tones, noise of every loudness."""
    rng = np.random.default_rng(seed)
    count = settings.clip_samples
    time = np.arange(count)
    clips = {
        "silence": np.zeros(count),
        "one": np.ones(count),
        "minus_one": -np.ones(count),
        "largest": np.full(count, 32767),
        "smallest": np.full(count, -32768),
        "alternating": np.where(time % 2, 32767, -32768),
        "random_signs": rng.choice([-32768, 32767], count),
        "impulses": np.where(time % 397 == 0, 32767, 0),
        "negative_impulse": np.where(time == settings.window // 2, -32768, 0),
    }
    for hertz in (31.25, 440.0, 1000.0, settings.mel_high_hz - 10.0):
        square = np.where(np.sin(2 * np.pi * hertz / settings.sample_rate * time) >= 0, 32767, -32768)
        clips[f"square_{hertz:g}"] = square
        clips[f"tone_{hertz:g}"] = 20_000 * np.sin(2 * np.pi * hertz / settings.sample_rate * time)
    for loudness in (0.5, 3, 50, 1000, 15_000, 60_000):
        clips[f"noise_{loudness:g}"] = rng.normal(0, loudness, count)
    return {name: np.clip(np.round(clip), -32768, 32767).astype(np.int16) for name, clip in clips.items()}
