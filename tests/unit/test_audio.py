"""The integer front end against a float64 reference, and what it promises at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest

from support.sounds import sounds
from tinyc.audio.front_end import AudioFrontEnd
from tinyc.audio.mel import MelBank, mel
from tinyc.audio.settings import AudioSettings
from tinyc.errors import TinycError
from tinyc.ir.tensor import Array

pytestmark = pytest.mark.unit

SETTINGS = {
    "default": AudioSettings(),
    "no_lifter": AudioSettings(lifter=0),
    "hamming_wide": AudioSettings(
        mel_high_hz=8_000, mel_low_hz=0, coefficients=40, lifter=0, window_function="hamming", floor_log2=4
    ),
    "long": AudioSettings(
        sample_rate=48_000, clip_samples=24_000, window=2_047, hop=500, fft=2_048, mel_high_hz=20_000
    ),
    "short": AudioSettings(
        sample_rate=8_000, clip_samples=4_000, window=60, hop=60, fft=64, mel_bands=8, coefficients=8
    ),
}


def reference(settings: AudioSettings, clip: Array) -> Array:
    """The same features by the textbook, in float64: no table, no rounding, another FFT."""
    count = settings.window
    place = (np.arange(count) + 0.5) / count
    if settings.window_function == "hann":
        window = 0.5 - 0.5 * np.cos(2 * np.pi * place)
    else:
        window = 0.54 - 0.46 * np.cos(2 * np.pi * place)
    starts = np.arange(settings.frames) * settings.hop
    frames = np.stack([clip[start : start + count] * window for start in starts])
    power = np.abs(np.fft.rfft(frames, settings.fft)) ** 2
    edges = np.linspace(mel(settings.mel_low_hz), mel(settings.mel_high_hz), settings.mel_bands + 2)
    places = np.array([mel(hertz) for hertz in np.fft.rfftfreq(settings.fft, 1 / settings.sample_rate)])
    width = edges[1] - edges[0]
    triangles = np.minimum((places - edges[:-2, None]) / width, (edges[2:, None] - places) / width)
    energy = power @ np.maximum(triangles, 0).T
    bands = np.log2(1 + energy / 2.0**settings.floor_log2)
    features = np.zeros((settings.frames, settings.coefficients))
    for row in range(settings.coefficients):
        angles = math.pi * row * (np.arange(settings.mel_bands) + 0.5) / settings.mel_bands
        lift = 1 + settings.lifter / 2 * math.sin(math.pi * row / settings.lifter) if settings.lifter else 1
        norm = math.sqrt((2 if row else 1) / settings.mel_bands)
        features[:, row] = bands @ np.cos(angles) * norm * lift
    return features


# Largest error of broad-band sounds, and of pure ones: beside a full-scale tone the Q15 tables leave
# a noise floor some 90 dB below it, which is all that the other bands hold. One step of an int8
# input is about 0.8.
TOLERANCES = {
    "default": (0.1, 1.5),
    "no_lifter": (0.01, 0.3),
    "hamming_wide": (0.15, 0.1),
    "long": (0.7, 10.0),
    "short": (0.05, 0.6),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_features_are_close_to_float64(name: str) -> None:
    settings = SETTINGS[name]
    front_end = AudioFrontEnd(settings)
    for sound, clip in sounds(settings).items():
        broad = sound.startswith(("noise", "silence", "random", "impulses"))
        error = np.abs(front_end.real(clip) - reference(settings, clip)).max()
        assert error <= TOLERANCES[name][0 if broad else 1], f"{sound}: {error}"


def test_a_float_model_sees_the_codes_that_the_device_makes() -> None:
    front_end = AudioFrontEnd(AudioSettings(), 0.5, -20)
    clip = sounds(front_end.settings)["noise_1000"]
    exact = front_end.real(clip) / 0.5 - 20
    inside = np.abs(exact + 0.5) < 127
    assert inside.mean() > 0.5
    assert np.abs(front_end.features(clip) - exact)[inside].max() <= 0.51
    assert front_end.features(clip).dtype == np.int8


def test_silence_is_zero() -> None:
    for settings in SETTINGS.values():
        front_end = AudioFrontEnd(settings, 0.7, 11)
        clip = np.zeros(settings.clip_samples, np.int16)
        assert not front_end.coefficients(clip).any()
        assert (front_end.features(clip) == 11).all()


def test_gain_moves_the_first_coefficient_alone() -> None:
    """Twice the amplitude is four times the energy: two more in each log2 band."""
    settings = AudioSettings(floor_log2=0)
    front_end = AudioFrontEnd(settings)
    rng = np.random.default_rng(3)
    quiet = np.round(rng.normal(0, 1_500, settings.clip_samples)).astype(np.int16)
    difference = front_end.real(2 * quiet) - front_end.real(quiet)
    assert np.abs(difference[:, 0] - 2 * math.sqrt(settings.mel_bands)).max() < 0.01
    assert np.abs(difference[:, 1:]).max() < 0.02


def test_sounds_below_the_floor_fade_out() -> None:
    settings = AudioSettings(floor_log2=20)
    clip = sounds(settings)["noise_3"]
    # Two in log2 of the energy is what the floor leaves of a band that it drowns.
    assert np.abs(AudioFrontEnd(settings).real(clip)[:, 0]).max() < 2.0
    assert AudioFrontEnd(AudioSettings(floor_log2=0)).real(clip)[:, 0].min() > 40.0


def test_a_tone_lands_in_its_mel_band() -> None:
    """With as many coefficients as bands and no lifter the DCT can be undone."""
    settings = AudioSettings(coefficients=40, lifter=0, floor_log2=0)
    front_end = AudioFrontEnd(settings)
    edges = np.linspace(mel(settings.mel_low_hz), mel(settings.mel_high_hz), settings.mel_bands + 2)
    dct = front_end.tables.dct / 2.0**front_end.tables.dct_shift
    time = np.arange(settings.clip_samples) / settings.sample_rate
    for band in (5, 12, 20, 30, 38):
        hertz = 700 * (math.exp(edges[band + 1] / 1127) - 1)
        clip = np.round(10_000 * np.sin(2 * np.pi * hertz * time)).astype(np.int16)
        bands = front_end.real(clip) @ dct
        assert (bands.argmax(axis=1) == band).all()


def test_many_clips_at_once_equal_one_after_another() -> None:
    settings = AudioSettings(clip_samples=3_000)
    front_end = AudioFrontEnd(settings)
    clips = np.stack(list(sounds(settings).values()))
    together = front_end.coefficients(clips)
    assert together.shape == (len(clips), settings.frames, settings.coefficients)
    for clip, found in zip(clips, together, strict=True):
        np.testing.assert_array_equal(found, front_end.coefficients(clip))
    np.testing.assert_array_equal(front_end.coefficients(clips.reshape(1, *clips.shape))[0], together)


def test_a_window_depends_on_its_samples_alone() -> None:
    settings = AudioSettings()
    front_end = AudioFrontEnd(settings)
    clip = sounds(settings)["noise_1000"]
    whole = front_end.coefficients(clip)
    for frame in (0, 7, 48):
        part = clip[frame * settings.hop :][: settings.window]
        np.testing.assert_array_equal(front_end.coefficients(part)[0], whole[frame])


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(16_000, np.float32), "samples are float32"),
        (np.zeros(479, np.int16), "too few samples"),
        (np.int16(3), "too few samples"),
    ],
)
def test_wrong_samples_are_refused(samples: Array, message: str) -> None:
    with pytest.raises(TinycError, match=message):
        AudioFrontEnd(AudioSettings()).features(samples)


@pytest.mark.parametrize(("scale", "zero_point"), [(1e-5, 0), (1e5, 0), (math.nan, 0), (1.0, 128)])
def test_impossible_input_quantizations_are_refused(scale: float, zero_point: int) -> None:
    with pytest.raises(TinycError, match="the input"):
        AudioFrontEnd(AudioSettings(), scale, zero_point)


def test_the_weights_of_neighbouring_bands_add_up_to_one() -> None:
    bank = MelBank.of(AudioSettings())
    assert sum(bank.counts) == len(bank.weights)
    assert len(bank.counts) == 41
    assert all(0 <= weight <= 1 << 15 for weight in bank.weights)
    assert bank.empty_bands() == ()


def test_whole_windows_are_counted() -> None:
    assert AudioSettings().frames == 49
    assert AudioSettings().features == 490
    assert AudioSettings(clip_samples=480).frames == 1


def problems(**changes: object) -> str:
    with pytest.raises(TinycError) as caught:
        AudioSettings.from_toml(changes)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": 513}, "audio.window: is 513, longer than the FFT of 512 points"),
        ({"hop": 0}, "audio.hop: is 0; allowed: 1 to 2048"),
        ({"hop": 481}, "audio.hop: is 481, larger than the window of 480"),
        ({"fft": 500}, "audio.fft: is 500; allowed: 64, 128"),
        ({"fft": 512.0}, "audio.fft: is 512.0"),
        ({"clip_samples": 400}, "audio.clip_samples: is 400, shorter than one window of 480"),
        ({"mel_high_hz": 8001}, "above half the sample rate of 16000 Hz"),
        ({"mel_low_hz": 4000}, "not below mel_high_hz 4000"),
        ({"coefficients": 41, "lifter": 0}, "more than 40 mel bands"),
        ({"lifter": 9}, "audio.lifter: is 9, less than the 10 coefficients"),
        ({"mel_bands": 100}, "leaves no FFT bin to band"),
        ({"sample_rate": "fast"}, "audio.sample_rate: is 'fast'; needs a whole number"),
        ({"window": True}, "audio.window: is True; needs a whole number"),
        ({"window_function": "blackman"}, "allowed: hann, hamming"),
        ({"windw": 480}, "did you mean `window`?"),
        ({"colour": "red"}, "audio.colour: is not an audio setting; allowed: sample_rate"),
    ],
)
def test_impossible_settings_say_why(changes: dict[str, object], message: str) -> None:
    assert message in problems(**changes)


def test_all_problems_come_at_once() -> None:
    text = problems(hop=0, fft=3, colour="red", mel_bands=1_000)
    for name in ("audio.hop", "audio.fft", "audio.colour", "audio.mel_bands"):
        assert name in text


def test_settings_survive_json() -> None:
    settings = AudioSettings(hop=240, window_function="hamming")
    assert AudioSettings.from_json(settings.to_json()) == settings
