"""Renders the demo's inputs with espeak-ng: words of one second, and silence. Needs espeak-ng.

python make_inputs.py
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from recordings import SAMPLE_RATE, centred

from tinyc.audio.wav import read_wav, write_wav

HERE = Path(__file__).parent
WORDS = ("down", "go", "left", "one", "right", "yes", "zero")
LOUDNESS = 6_000.0
# A quiet room, in steps of 16-bit samples.
ROOM = 12.0


def spoken(word: str, voice: str, speed: int) -> np.ndarray:
    """The word as espeak-ng says it, int16 at `SAMPLE_RATE`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "word.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-s", str(speed), "-w", str(path), word], check=True)
        return read_wav(path, SAMPLE_RATE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--voice", default="en-gb")
    parser.add_argument("--speed", type=int, default=170, help="words in a minute")
    parser.add_argument("--output", type=Path, default=HERE / "inputs", help="where the files go")
    arguments = parser.parse_args()
    arguments.output.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    for word in (*WORDS, "silence"):
        clip = rng.normal(0, ROOM, SAMPLE_RATE)
        if word in WORDS:
            said = centred(spoken(word, arguments.voice, arguments.speed)).astype(np.float64)
            clip += said * LOUDNESS / np.abs(said).max()
        write_wav(arguments.output / f"{word}.wav", np.round(clip).astype(np.int16), SAMPLE_RATE)


if __name__ == "__main__":
    main()
