"""Real recordings of words from the shared data."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from tinyc.audio.wav import read_wav
from tinyc.ir.tensor import Array

RATE = 16_000


def real_clips(shared: Path, count: int) -> list[Array]:
    """`count` one-second clips of int16 samples, spread over words and speakers."""
    path = shared / "data" / "speech_commands_subset" / "speech_commands_subset.zip"
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".wav"))
        chosen = [names[index * len(names) // count] for index in range(count)]
        return [read_wav(archive.read(name), RATE, RATE) for name in chosen]


def spoken_digits(shared: Path, speaker: str) -> tuple[Array, Array]:
    """One-second clips int16 (n, 16000) of one speaker with the word in the middle, and the digits (n,)."""
    clips, digits = [], []
    with zipfile.ZipFile(shared / "data" / "fsdd" / "fsdd.zip") as archive:
        for name in sorted(archive.namelist()):
            if f"_{speaker}_" not in name or not name.endswith(".wav"):
                continue
            samples = read_wav(archive.read(name), RATE)[:RATE]
            before = (RATE - len(samples)) // 2
            clips.append(np.pad(samples, (before, RATE - len(samples) - before)))
            digits.append(int(Path(name).name.split("_")[0]))
    return np.stack(clips), np.array(digits)
