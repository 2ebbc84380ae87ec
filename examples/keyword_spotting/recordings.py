"""Recordings for the keyword model: reading, splitting by speaker, and augmentation.

Two public sets are used: Google's Speech Commands v0.01 (CC BY 4.0), whole or in part, and the
Free Spoken Digit Dataset (CC BY-SA 4.0). Neither is part of this repository.
"""

from __future__ import annotations

import hashlib
import tarfile
import urllib.request
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from tinyc.audio.wav import read_wav

SAMPLE_RATE = 16_000
CLIP = 16_000

KEYWORDS = ("down", "eight", "five", "go", "left", "one", "right", "up", "zero")
LABELS = ("silence", "unknown", *KEYWORDS)

SPEECH_COMMANDS_URL = "http://download.tensorflow.org/data/speech_commands_v0.01.tar.gz"
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# Six people read all digits: one is kept for validation, one for the test.
DIGIT_SPEAKERS = {"theo": "validation", "yweweler": "test"}
# Of a hundred Speech Commands speakers.
TEST_SPEAKERS, VALIDATION_SPEAKERS = 20, 12


@dataclass(frozen=True)
class Recording:
    """One spoken word. `part` is train, validation or test, and depends on the speaker alone."""

    word: str
    speaker: str
    source: str
    part: str
    samples: np.ndarray

    @property
    def label(self) -> int:
        return LABELS.index(self.word) if self.word in KEYWORDS else LABELS.index("unknown")


def load(folder: Path | None, cache: Path) -> list[Recording]:
    """All recordings below `folder`; without one, Speech Commands is downloaded into `cache`."""
    if folder is None:
        return list(_commands(_tar_members(_download(cache))))
    found: list[Recording] = []
    commands = folder / "speech_commands_subset" / "speech_commands_subset.zip"
    if commands.is_file():
        found += _commands(_zip_members(commands))
    digits = folder / "fsdd" / "fsdd.zip"
    if digits.is_file():
        found += _digits(_zip_members(digits))
    for archive in sorted(folder.glob("speech_commands*.tar.gz")):
        found += _commands(_tar_members(archive))
    if not found:
        raise SystemExit(f"{folder} holds neither Speech Commands nor the spoken digits")
    return found


def _download(cache: Path) -> Path:
    archive = cache / PurePosixPath(SPEECH_COMMANDS_URL).name
    if not archive.is_file():
        print(f"downloading {SPEECH_COMMANDS_URL} (1.4 GB)", flush=True)
        cache.mkdir(parents=True, exist_ok=True)
        partial = archive.with_suffix(".part")
        urllib.request.urlretrieve(SPEECH_COMMANDS_URL, partial)
        partial.rename(archive)
    return archive


def _zip_members(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".wav"):
                yield name, archive.read(name)


def _tar_members(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.name.endswith(".wav") else None
            if content is not None:
                yield member.name, content.read()


def _commands(members: Iterable[tuple[str, bytes]]) -> Iterator[Recording]:
    """`<word>/<speaker>_nohash_<n>.wav`; a byte-identical copy of a recording is dropped."""
    seen = set()
    for name, content in members:
        path = PurePosixPath(name)
        digest = hashlib.sha256(content).digest()
        if "_nohash_" not in path.name or digest in seen:
            continue
        seen.add(digest)
        speaker = path.name.split("_nohash_")[0]
        place = int.from_bytes(hashlib.sha256(speaker.encode()).digest()[:4], "big") % 100
        part = "train"
        if place < TEST_SPEAKERS:
            part = "test"
        elif place < TEST_SPEAKERS + VALIDATION_SPEAKERS:
            part = "validation"
        samples = read_wav(content, SAMPLE_RATE)
        yield Recording(path.parent.name, speaker, "commands", part, samples)


def _digits(members: Iterable[tuple[str, bytes]]) -> Iterator[Recording]:
    """`recordings/<digit>_<speaker>_<n>.wav`."""
    for name, content in members:
        digit, speaker, _ = PurePosixPath(name).stem.split("_")
        samples = read_wav(content, SAMPLE_RATE)
        part = DIGIT_SPEAKERS.get(speaker, "train")
        yield Recording(DIGITS[int(digit)], speaker, "digits", part, samples)


def centred(samples: np.ndarray) -> np.ndarray:
    """A clip of one second with the recording in its middle."""
    clip = np.zeros(CLIP, np.int16)
    start = max(0, (CLIP - len(samples)) // 2)
    kept = samples[max(0, (len(samples) - CLIP) // 2) :][:CLIP]
    clip[start : start + len(kept)] = kept
    return clip


class Augmenter:
    """Random clips in the manner of a cheap microphone in a room: pace, shift, level, noise, babble."""

    def __init__(self, rng: np.random.Generator, speech: list[Recording]) -> None:
        self.rng = rng
        self.speech = speech
        self.noises = [self._coloured(tilt) for tilt in (0.0, 0.5, 1.0, 1.5, 2.0)]

    def _coloured(self, tilt: float) -> np.ndarray:
        """Thirty seconds of noise whose power falls with frequency to the power of `tilt`."""
        count = 30 * SAMPLE_RATE
        spectrum = np.fft.rfft(self.rng.normal(size=count))
        shape = np.maximum(np.arange(len(spectrum)), 30 * 20.0) ** (-tilt / 2)
        noise = np.fft.irfft(spectrum * shape, count)
        return (noise / noise.std()).astype(np.float32)

    def noise(self) -> np.ndarray:
        """A clip of noise with unit power, at times with a hum or swelling."""
        rng = self.rng
        source = self.noises[rng.integers(len(self.noises))]
        start = rng.integers(len(source) - CLIP)
        noise = source[start : start + CLIP].astype(np.float64)
        time = np.arange(CLIP) / SAMPLE_RATE
        if rng.random() < 0.2:
            hum = rng.choice([50.0, 60.0, 100.0, 120.0, rng.uniform(150, 2500)])
            noise = noise + rng.uniform(0.3, 2) * np.sin(2 * np.pi * hum * time + rng.uniform(0, 6))
        if rng.random() < 0.3:
            noise *= 1 + 0.9 * np.sin(2 * np.pi * rng.uniform(0.2, 4) * time + rng.uniform(0, 6))
        return noise / np.sqrt(np.mean(noise**2))

    def silence(self) -> np.ndarray:
        """A clip without speech: noise of any loudness, digital silence, clicks."""
        rng = self.rng
        if rng.random() < 0.05:
            return np.zeros(CLIP, np.int16)
        clip = self.noise() * 10 ** rng.uniform(0, 3.5)
        if rng.random() < 0.15:
            at = rng.integers(CLIP - 200)
            clip[at : at + 200] += rng.normal(0, 10 ** rng.uniform(2, 3.8), 200) * np.hanning(200)
        return _int16(clip)

    def word(self, recording: Recording) -> np.ndarray:
        """One recording as a clip of one second."""
        rng = self.rng
        signal = recording.samples.astype(np.float64)
        pace = rng.uniform(0.85, 1.18)
        places = np.arange(0, len(signal) - 1, pace)
        signal = np.interp(places, np.arange(len(signal)), signal)
        clip = np.zeros(CLIP)
        spare = CLIP - len(signal)
        if recording.source == "digits" and spare > 0:
            # Cut to the word itself: it may lie anywhere in the clip.
            start = int(rng.integers(0, spare + 1))
        else:
            start = spare // 2 + int(rng.integers(-1_900, 1_901))
        kept = signal[max(0, -start) :][: CLIP - max(0, start)]
        clip[max(0, start) : max(0, start) + len(kept)] = kept
        if rng.random() < 0.4:
            # A microphone's tone: one pole either way.
            clip[1:] -= rng.uniform(-0.5, 0.8) * clip[:-1]
        level = np.sqrt(np.mean(clip**2)) + 1.0
        if rng.random() < 0.8:
            clip += self.noise() * level * 10 ** (-rng.uniform(3, 40) / 20)
        if rng.random() < 0.15:
            other = centred(self.speech[rng.integers(len(self.speech))].samples).astype(np.float64)
            loudness = np.sqrt(np.mean(other**2)) + 1.0
            clip += np.roll(other, rng.integers(CLIP)) * level / loudness * 10 ** (-rng.uniform(10, 25) / 20)
        target = 10 ** rng.uniform(2.0, 3.9)
        return _int16(clip * (target / level if rng.random() < 0.7 else 1.0))


def _int16(clip: np.ndarray) -> np.ndarray:
    return np.clip(np.round(clip), -32768, 32767).astype(np.int16)
