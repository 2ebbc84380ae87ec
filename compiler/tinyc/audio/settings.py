"""Settings of the audio front end, as `tinyc.toml` gives them under `[audio]`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AudioSettings:
    """Framing and features. Lengths in samples, frequencies in hertz.

    Features of one clip: `frames` x `coefficients` int8 values, the model's input.
    """

    sample_rate: int = 16_000
    clip_samples: int = 16_000
    window: int = 480
    hop: int = 320
    fft: int = 512
    mel_bands: int = 40
    mel_low_hz: int = 20
    mel_high_hz: int = 4_000
    coefficients: int = 10

    @property
    def frames(self) -> int:
        return 1 + (self.clip_samples - self.window) // self.hop
