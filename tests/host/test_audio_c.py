"""The generated audio front end equals its NumPy twin bit for bit, under sanitizers."""

from __future__ import annotations

import os
import subprocess
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from support.audio import AudioExecutable, audio_program
from support.sounds import sounds
from tinyc.audio.front_end import AudioFrontEnd
from tinyc.audio.settings import AudioSettings
from tinyc.audio.wav import read_wav
from tinyc.errors import TinycError
from tinyc.ir.tensor import Array
from tinyc.toolchain.host_compiler import compiler_called, find_compiler

pytestmark = pytest.mark.host

# (settings, input scale, input zero point)
CASES = {
    "default": (AudioSettings(), 0.55, -62),
    "fine_scale": (AudioSettings(), 0.02, 127),
    "smallest_scale": (AudioSettings(clip_samples=4_000), 2.0**-12, -128),
    "hamming_to_nyquist": (
        AudioSettings(
            mel_high_hz=8_000,
            mel_low_hz=0,
            coefficients=40,
            lifter=0,
            window_function="hamming",
            floor_log2=0,
        ),
        0.7,
        5,
    ),
    "telephone": (
        AudioSettings(
            sample_rate=8_000,
            clip_samples=8_000,
            window=255,
            hop=255,
            fft=256,
            mel_bands=16,
            mel_high_hz=3_999,
        ),
        1.3,
        0,
    ),
    "long": (
        AudioSettings(
            sample_rate=48_000,
            clip_samples=24_000,
            window=2_048,
            hop=500,
            fft=2_048,
            mel_bands=64,
            mel_high_hz=24_000,
            coefficients=13,
        ),
        0.9,
        -3,
    ),
    "short": (
        AudioSettings(
            sample_rate=16_000,
            clip_samples=1_000,
            window=17,
            hop=1,
            fft=64,
            mel_bands=2,
            mel_high_hz=8_000,
            coefficients=2,
        ),
        0.3,
        9,
    ),
}


@cache
def executable(name: str) -> tuple[AudioFrontEnd, AudioExecutable]:
    program = audio_program(*CASES[name])
    front_end = AudioFrontEnd.for_input(CASES[name][0], program.graph["x"])
    return front_end, AudioExecutable(program, find_compiler())


def assert_same(front_end: AudioFrontEnd, c: AudioExecutable, clips: dict[str, Array]) -> None:
    answers = c.run([[clip] for clip in clips.values()])
    for (name, clip), (frames, actual) in zip(clips.items(), answers, strict=True):
        assert frames == front_end.settings.frames
        expected = front_end.features(clip)
        wrong = np.argwhere(expected != actual)
        assert len(wrong) == 0, f"{name}: {len(wrong)} values differ, first at {wrong[0]}"


@pytest.mark.parametrize("name", CASES)
def test_the_c_equals_numpy(name: str) -> None:
    front_end, c = executable(name)
    assert_same(front_end, c, sounds(front_end.settings))


@pytest.mark.parametrize("name", ["default", "telephone"])
def test_pieces_of_any_size_give_the_whole_clip(name: str) -> None:
    front_end, c = executable(name)
    clip = sounds(front_end.settings)["noise_1000"]
    rng = np.random.default_rng(7)
    cuts = [np.sort(rng.integers(0, len(clip), number)) for number in (1, 5, 40, 300)]
    clips = [np.split(clip, cut) for cut in cuts]
    clips.append(np.split(clip, np.arange(1, 2_000)))
    # More sound than the clip holds must not run over the end of the input.
    clips.append([clip, clip])
    for frames, actual in c.run(clips):
        assert frames == front_end.settings.frames
        np.testing.assert_array_equal(actual, front_end.features(clip))


def test_an_unfinished_clip_counts_its_frames() -> None:
    front_end, c = executable("default")
    clip = sounds(front_end.settings)["noise_1000"]
    for samples, frames in ((0, 0), (479, 0), (480, 1), (799, 1), (800, 2), (15_839, 48)):
        ((counted, actual),) = c.run([[clip[:samples]]])
        assert counted == frames
        np.testing.assert_array_equal(actual[:frames], front_end.features(clip)[:frames])


def test_other_compilers_agree_without_warnings() -> None:
    compiler = compiler_called("clang")
    if compiler is None:
        pytest.skip("clang is not installed")
    with_sanitizers = [*compiler.command, "-fsanitize=address", "-x", "c", "-", "-o", os.devnull]
    source = "#include <sanitizer/asan_interface.h>\nint main(void) { return 0; }\n"
    if subprocess.run(with_sanitizers, input=source, text=True, capture_output=True, check=False).returncode:
        pytest.skip("clang has no sanitizers (package libclang-rt-dev)")
    front_end, _ = executable("default")
    c = AudioExecutable(audio_program(*CASES["default"]), compiler)
    assert_same(front_end, c, sounds(front_end.settings))


def test_the_state_fits_the_budget() -> None:
    assert AudioFrontEnd(AudioSettings()).state_bytes < 4096


def test_an_input_of_another_size_is_refused() -> None:
    program = audio_program(*CASES["default"])
    with pytest.raises(TinycError, match="makes 24 frames of 10"):
        AudioFrontEnd.for_input(AudioSettings(clip_samples=8_000), program.graph["x"])


def test_real_recordings(shared: Path) -> None:
    archive = shared / "data" / "speech_commands_subset" / "speech_commands_subset.zip"
    if not archive.is_file():
        pytest.skip("the recordings are not here")
    front_end, c = executable("default")
    with zipfile.ZipFile(archive) as recordings:
        names = sorted(name for name in recordings.namelist() if name.endswith(".wav"))[::11][:200]
        clips = {
            name: read_wav(recordings.read(name), front_end.settings.sample_rate, 16_000) for name in names
        }
    assert len(clips) == 200
    assert_same(front_end, c, clips)
