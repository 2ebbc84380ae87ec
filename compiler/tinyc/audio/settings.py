"""Settings of the audio front end, as `tinyc.toml` gives them under `[audio]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from tinyc.audio.mel import MelBank
from tinyc.errors import Problem, TinycError, nearest

WINDOWS = ("hann", "hamming")
FFT_SIZES = (64, 128, 256, 512, 1024, 2048)

# Inclusive bounds of each number. Beyond them the fixed point of the front end is not proven.
_BOUNDS = {
    "sample_rate": (4_000, 96_000),
    "clip_samples": (64, 2_000_000),
    "window": (16, 2_048),
    "hop": (1, 2_048),
    "mel_bands": (2, 128),
    "mel_low_hz": (0, 48_000),
    "mel_high_hz": (1, 48_000),
    "coefficients": (1, 128),
    "lifter": (0, 100),
    "floor_log2": (0, 30),
}


@dataclass(frozen=True, slots=True)
class AudioSettings:
    """Framing and features. Lengths in samples, frequencies in hertz.

    Features of one clip: `frames` x `coefficients` int8 values, the model's input. `floor_log2` is
    the logarithm of the energy that is added to every mel band, so that sounds below it fade out
    of the features instead of dominating them. `lifter` L weights coefficient n by
    1 + L/2 sin(pi n / L), which brings all of them to one size; 0 leaves them alone.
    Raises TinycError that lists every setting that is impossible.
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
    lifter: int = 22
    floor_log2: int = 12
    window_function: str = "hann"

    def __post_init__(self) -> None:
        problems = self._problems()
        if problems:
            raise TinycError("the audio settings are not possible", where="[audio]", problems=problems)

    @property
    def frames(self) -> int:
        """Whole windows in a clip; samples behind the last one are not used."""
        return 1 + (self.clip_samples - self.window) // self.hop

    @property
    def features(self) -> int:
        """Values of one clip: `frames * coefficients`."""
        return self.frames * self.coefficients

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> AudioSettings:
        """The inverse of `to_json`. Raises TypeError for unknown keys, TinycError for bad values."""
        return cls(**values)

    @classmethod
    def from_toml(cls, table: Mapping[str, Any]) -> AudioSettings:
        """The `[audio]` table of a `tinyc.toml`; what it leaves out keeps its default.

        Raises TinycError that lists every key that is unknown and every value that is impossible.
        """
        names = [field.name for field in fields(cls)]
        unknown = []
        for key in table:
            if key not in names:
                unknown.append(Problem(f"audio.{key}", "is not an audio setting", nearest(key, names)))
        try:
            settings = cls(**{key: value for key, value in table.items() if key in names})
        except TinycError as error:
            unknown += error.problems
        if unknown:
            raise TinycError("the audio settings are not possible", where="[audio]", problems=unknown)
        return settings

    def _problems(self) -> list[Problem]:
        """Ranges first; how the settings fit together is looked at when each one is sound."""
        found = []
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool):
                found.append(Problem(f"audio.{name}", f"is {value!r}", "needs a whole number"))
            elif not low <= value <= high:
                found.append(Problem(f"audio.{name}", f"is {value}", f"allowed: {low} to {high}"))
        if not isinstance(self.fft, int) or self.fft not in FFT_SIZES:
            found.append(
                Problem("audio.fft", f"is {self.fft!r}", f"allowed: {', '.join(map(str, FFT_SIZES))}")
            )
        if self.window_function not in WINDOWS:
            found.append(
                Problem(
                    "audio.window_function", f"is {self.window_function!r}", f"allowed: {', '.join(WINDOWS)}"
                )
            )
        return found or self._misfits()

    def _misfits(self) -> list[Problem]:
        checks = (
            (self.window > self.fft, "window", f"longer than the FFT of {self.fft} points"),
            (self.hop > self.window, "hop", f"larger than the window of {self.window}, which skips samples"),
            (self.clip_samples < self.window, "clip_samples", f"shorter than one window of {self.window}"),
            (self.mel_low_hz >= self.mel_high_hz, "mel_low_hz", f"not below mel_high_hz {self.mel_high_hz}"),
            (
                2 * self.mel_high_hz > self.sample_rate,
                "mel_high_hz",
                f"above half the sample rate of {self.sample_rate} Hz",
            ),
            (self.coefficients > self.mel_bands, "coefficients", f"more than {self.mel_bands} mel bands"),
            (
                0 < self.lifter < self.coefficients,
                "lifter",
                f"less than the {self.coefficients} coefficients; 0 turns it off",
            ),
        )
        found = [
            Problem(f"audio.{name}", f"is {getattr(self, name)}, {what}")
            for wrong, name, what in checks
            if wrong
        ]
        if not found:
            empty = MelBank.of(self).empty_bands()
            if empty:
                bands = ", ".join(map(str, empty))
                found.append(
                    Problem(
                        "audio.mel_bands", f"leaves no FFT bin to band {bands}", "fewer bands or a longer fft"
                    )
                )
        return found
