"""Examples of a sound to learn from: clips out of recordings, or out of a microphone as it hears.

A clip is what the model's front end takes, `clip_samples` int16 samples. A recording of about that
length is one clip; out of a longer one, and out of a microphone, each utterance becomes one: where the
loudness rises clearly above what it is between words.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyc.audio.settings import AudioSettings
from tinyc.audio.wav import fit, read_wav
from tinyc.errors import Problem, TinycError

Samples = npt.NDArray[np.int16]

_FRAME_SECONDS = 0.01
# A word is louder than the quiet around it by this factor of its mean magnitude, and than hiss.
_LOUDER = 4.0
_HISS = 40.0
# Shorter noises are clicks; a pause inside a word is shorter than this.
_SHORTEST_SECONDS = 0.08
_PAUSE_SECONDS = 0.25
# How long a microphone listens before it takes anything for a word.
_WARM_UP_SECONDS = 0.3
_SETTLE = 0.05
# A recording of at most so many clips in length is one clip.
_ONE_CLIP = 1.5


@dataclass(frozen=True, slots=True)
class Clip:
    """One example: int16 samples at the model's rate."""

    name: str
    samples: Samples


def recordings(names: Sequence[str]) -> list[Path]:
    """The WAV files that are named, and those in folders that are named. Raises TinycError for others."""
    found: list[Path] = []
    problems = []
    for name in names:
        path = Path(name)
        inside = sorted(p for p in path.glob("*.wav") if p.is_file()) if path.is_dir() else [path]
        if not inside:
            problems.append(Problem(name, "holds no .wav file"))
        elif path.is_dir() or path.is_file():
            found += inside
        else:
            problems.append(Problem(name, "no such file"))
    if problems:
        raise TinycError("recordings are missing", problems=problems)
    return found


def clips_of(path: Path, settings: AudioSettings) -> list[Clip]:
    """The clips of one recording. Raises TinycError for one that cannot be read, or holds only quiet."""
    samples = read_wav(path, settings.sample_rate)
    length = settings.clip_samples
    if len(samples) <= _ONE_CLIP * length:
        return [Clip(path.name, fit(samples, length))]
    block = max(1, int(_FRAME_SECONDS * settings.sample_rate))
    blocks = [samples[at : at + block] for at in range(0, len(samples), block)]
    quiet = float(np.percentile([_loudness(part) for part in blocks], 20))
    found = list(utterances(blocks, settings, quiet=quiet))
    if not found:
        raise TinycError("nothing in it is louder than the rest", where=str(path))
    return [Clip(f"{path.name}[{index}]", clip) for index, clip in enumerate(found)]


def utterances(
    blocks: Iterable[Samples], settings: AudioSettings, *, quiet: float | None = None
) -> Iterator[Samples]:
    """Each word in a stream of blocks of about 10 ms, centred in a clip, as soon as it has ended.

    `quiet` is the mean magnitude between words; without it the first 0.3 s tell, and it is followed on.
    """
    rate, length = settings.sample_rate, settings.clip_samples
    heard = np.zeros(0, np.int16)
    start: int | None = None  # in `heard`
    last = 0
    elapsed = 0
    followed = quiet is None
    level = quiet or 0.0
    for block in blocks:
        loudness = _loudness(block)
        heard = np.concatenate([heard, block])
        elapsed += len(block)
        warming = followed and elapsed <= _WARM_UP_SECONDS * rate
        if warming:
            level = max(level, loudness) if elapsed > len(block) else loudness
            continue
        if loudness > max(_LOUDER * level, _HISS):
            start = len(heard) - len(block) if start is None else start
            last = len(heard)
        elif start is None and followed:
            level += _SETTLE * (loudness - level)
        ended = start is not None and len(heard) - last >= max(_PAUSE_SECONDS * rate, length / 2)
        full = start is not None and len(heard) - start >= 2 * length
        if start is not None and (ended or full):
            if last - start >= _SHORTEST_SECONDS * rate:
                yield _centred(heard, start, last, length)
            heard, start = heard[len(heard) - min(len(heard), length // 2) :], None
        elif start is None and len(heard) > 2 * length:
            heard = heard[-length:]
    if start is not None and last - start >= _SHORTEST_SECONDS * rate:
        yield _centred(heard, start, last, length)


def _centred(heard: Samples, start: int, last: int, length: int) -> Samples:
    """A clip with the middle of the word in its middle, silence where nothing was heard."""
    begin = (start + last) // 2 - length // 2
    padded = np.concatenate([np.zeros(max(0, -begin), np.int16), heard[max(0, begin) :]])
    return fit(padded, length)


def _loudness(block: Samples) -> float:
    """Mean magnitude without the mean, in steps of int16."""
    if not len(block):
        return 0.0
    values = block.astype(np.float64)
    return float(np.abs(values - values.mean()).mean())


def microphone(settings: AudioSettings) -> Iterator[Samples]:
    """Blocks of 10 ms from the computer's microphone, without end.

    Raises TinycError without the package `sounddevice`, and when there is no microphone.
    """
    try:
        sound: Any = importlib.import_module("sounddevice")
    except (ImportError, OSError) as error:  # OSError: the package is there, its library is not
        raise TinycError(
            "the microphone needs the package `sounddevice`, with PortAudio",
            hint='pip install "tinyc[microphone]", or teach from recordings: --input a.wav b.wav',
        ) from error
    size = max(1, int(_FRAME_SECONDS * settings.sample_rate))
    try:
        with sound.RawInputStream(
            samplerate=settings.sample_rate, channels=1, dtype="int16", blocksize=size
        ) as stream:
            while True:
                data, _ = stream.read(size)
                yield np.frombuffer(bytes(data), np.int16).copy()
    except sound.PortAudioError as error:
        raise TinycError(
            f"the microphone cannot be used: {error}", hint="teach from recordings: --input a.wav b.wav"
        ) from error
