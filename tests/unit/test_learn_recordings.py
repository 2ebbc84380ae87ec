"""Clips to learn from: out of folders, long recordings, and a microphone."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from support.audio import audio_program
from tinyc.audio.settings import AudioSettings
from tinyc.audio.wav import write_wav
from tinyc.cli.learn.lessons import examples_of
from tinyc.cli.learn.session import Session
from tinyc.errors import TinycError
from tinyc.learning.recording import clips_of, microphone, recordings, utterances

pytestmark = pytest.mark.unit

RATE = 8000
SETTINGS = AudioSettings(sample_rate=RATE, clip_samples=RATE)


def word(seconds: float, frequency: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A sound that swells and fades, in steps of int16."""
    time = np.arange(int(seconds * RATE)) / RATE
    return 6000 * np.sin(2 * np.pi * frequency * time) * np.sin(np.pi * time / seconds)


def speech(starts: list[float], seconds: float = 0.5, length: float = 8.0, noise: float = 25.0) -> Any:
    """Words that begin at these seconds, over noise."""
    sound = np.random.default_rng(1).normal(0, noise, int(length * RATE))
    for index, start in enumerate(starts):
        part = word(seconds, 300 + 40 * index)
        sound[int(start * RATE) : int(start * RATE) + len(part)] += part
    return np.clip(sound, -32768, 32767).astype(np.int16)


def centre(clip: Any) -> float:
    """Where the middle of the loud part is, a fraction of the clip."""
    loud = np.flatnonzero(np.abs(clip.astype(np.int32)) > 1000)
    return float((loud[0] + loud[-1]) / 2 / len(clip))


def test_a_long_recording_has_a_clip_for_each_word(tmp_path: Path) -> None:
    path = tmp_path / "words.wav"
    write_wav(path, speech([0.9, 2.6, 4.5, 6.6]), RATE)
    found = clips_of(path, SETTINGS)
    assert [clip.name for clip in found] == [f"words.wav[{index}]" for index in range(4)]
    assert all(len(clip.samples) == RATE and clip.samples.dtype == np.int16 for clip in found)
    assert all(abs(centre(clip.samples) - 0.5) < 0.05 for clip in found)


def test_a_short_recording_is_one_clip(tmp_path: Path) -> None:
    path = tmp_path / "word.wav"
    sound = speech([0.3], length=0.9)
    write_wav(path, sound, RATE)
    (clip,) = clips_of(path, SETTINGS)
    assert np.array_equal(clip.samples[: len(sound)], sound) and not clip.samples[len(sound) :].any()


def test_a_recording_of_nothing(tmp_path: Path) -> None:
    path = tmp_path / "nothing.wav"
    write_wav(path, speech([]), RATE)
    with pytest.raises(TinycError, match="louder"):
        clips_of(path, SETTINGS)


def test_words_as_a_microphone_hears_them() -> None:
    """Each comes while the sound goes on: half a second after its end, not at the end of all."""
    sound = speech([1.0, 3.0, 5.0])
    given = 0

    def blocks() -> Any:
        nonlocal given
        for at in range(0, len(sound), 80):
            given = at + 80
            yield sound[at : at + 80]

    ends = []
    for clip in utterances(blocks(), SETTINGS):
        assert abs(centre(clip) - 0.5) < 0.05
        ends.append(given / RATE)
    assert len(ends) == 3
    assert all(end < start + 0.5 + 0.65 for start, end in zip([1.0, 3.0, 5.0], ends, strict=True))


def test_clicks_are_no_words_and_noise_may_rise_slowly() -> None:
    rng = np.random.default_rng(2)
    rising = rng.normal(0, 1, 8 * RATE) * np.linspace(20, 120, 8 * RATE)
    rising[3 * RATE : 3 * RATE + 100] = 20000
    sound = np.clip(rising, -32768, 32767).astype(np.int16)
    blocks = [sound[at : at + 80] for at in range(0, len(sound), 80)]
    assert list(utterances(blocks, SETTINGS)) == []


def test_a_sound_without_end_is_cut() -> None:
    sound = speech([1.0], seconds=6.0)
    blocks = [sound[at : at + 80] for at in range(0, len(sound), 80)]
    found = list(utterances(blocks, SETTINGS))
    assert 2 <= len(found) <= 6


def test_recordings_of_folders(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    for name in ("b.wav", "a.wav", "note.txt", "more/c.wav"):
        (tmp_path / name).write_bytes(b"")
    found = recordings([str(tmp_path), str(tmp_path / "more" / "c.wav")])
    assert [path.name for path in found] == ["a.wav", "b.wav", "c.wav"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(TinycError) as raised:
        recordings([str(tmp_path / "empty"), str(tmp_path / "none.wav")])
    assert [problem.what for problem in raised.value.problems] == ["holds no .wav file", "no such file"]


def test_without_a_microphone() -> None:
    """This machine lacks the package, or the microphone: both are told with what to do instead."""
    try:
        importlib.import_module("sounddevice")
    except (ImportError, OSError):
        expected = "sounddevice"
    else:
        pytest.skip("sounddevice is installed, there may be a microphone")
    with pytest.raises(TinycError, match=expected) as raised:
        next(microphone(SETTINGS))
    assert "--input" in raised.value.hint


class Heard:
    """A device that keeps the clips it is given."""

    def __init__(self) -> None:
        self.clips: list[Any] = []

    def run_audio(self, clip: Any) -> tuple[Any, ...]:
        self.clips.append(clip)
        return ()


def test_examples_of_recordings_and_folders(tmp_path: Path) -> None:
    """What `tinyc learn teach --input` has the device hear: each word of each recording, in order."""
    folder = tmp_path / "words"
    folder.mkdir()
    write_wav(folder / "b.wav", speech([0.9, 2.6, 4.5], length=6.5), RATE)
    write_wav(folder / "a.wav", speech([0.3], length=1.0), RATE)
    program = audio_program(replace(SETTINGS, fft=512), 0.5, 0)
    heard = Heard()
    session = Session(
        client=cast(Any, None),
        hello=cast(Any, None),
        learned=cast(Any, None),
        classes=(),
        name="a device",
        emulated=True,
        program=program,
        engine=cast(Any, heard),
    )
    examples = examples_of(session, [str(folder), str(folder / "a.wav")])
    assert [example.name for example in examples] == [
        *("a.wav", "b.wav[0]", "b.wav[1]", "b.wav[2]", "a.wav"),
    ]
    for example in examples:
        example.run()
    assert all(len(clip) == RATE for clip in heard.clips)
    assert np.array_equal(heard.clips[0], heard.clips[4]) and not np.array_equal(*heard.clips[1:3])
