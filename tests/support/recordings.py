"""Real recordings of words from the shared data."""

from __future__ import annotations

import zipfile
from pathlib import Path

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
