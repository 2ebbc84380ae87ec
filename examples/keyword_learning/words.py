"""The words of this example: what the body hears, and what only a device is taught.

The recordings come from `recordings.py` of the example keyword_spotting, the folder beside this one.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "keyword_spotting"))

import numpy as np
from recordings import DIGITS, KEYWORDS, Recording, centred

from tinyc.audio.front_end import AudioFrontEnd

NEW_WORDS = ("bed", "cat", "happy")
# Readers of the digits whose voices are kept for measuring how a device gets used to a new speaker.
NEW_SPEAKERS = ("nicolas", "theo", "yweweler")


def body_recordings(recordings: list[Recording]) -> list[Recording]:
    """What the body may hear: training speakers, no new word, no reader that is kept apart."""
    return [
        r
        for r in recordings
        if r.part == "train" and r.word not in NEW_WORDS and r.speaker not in NEW_SPEAKERS
    ]


def reversed_words(recordings: list[Recording]) -> list[Recording]:
    """The keywords backwards: as many words more, of the same voices, and of no language."""
    return [
        replace(r, word=f"{r.word} backwards", samples=r.samples[::-1])
        for r in recordings
        if r.word in KEYWORDS
    ]


def voiced(samples: np.ndarray) -> np.ndarray:
    """The stretch of a recording that is loud: from the first to the last tenth of its loudest 20 ms."""
    count = len(samples) // 320
    energy = np.sqrt(np.mean(samples[: count * 320].reshape(count, 320).astype(np.float64) ** 2, axis=1))
    loud = np.flatnonzero(energy >= 0.1 * energy.max())
    return samples[loud[0] * 320 : (loud[-1] + 1) * 320]


def spliced_words(recordings: list[Recording], rng: np.random.Generator) -> list[Recording]:
    """Words made of the beginning of one keyword and the end of another, by the same speaker."""
    by_speaker: dict[str, dict[str, list[Recording]]] = {}
    for r in recordings:
        if r.word in KEYWORDS:
            by_speaker.setdefault(r.speaker, {}).setdefault(r.word, []).append(r)
    made = []
    for first, second in spliced_pairs():
        for words in by_speaker.values():
            for _ in range(3):
                if first not in words or second not in words:
                    continue
                start, end = (voiced(words[w][rng.integers(len(words[w]))].samples) for w in (first, second))
                joined = np.concatenate([start[: len(start) // 2], end[len(end) // 2 :]])
                like = words[first][0]
                made.append(replace(like, word=f"{first}+{second}", samples=joined))
    return made


def spliced_pairs() -> list[tuple[str, str]]:
    """Each keyword before two others."""
    count = len(KEYWORDS)
    return [(KEYWORDS[i], KEYWORDS[(i + step) % count]) for step in (2, 5) for i in range(count)]


def keyword_features(
    recordings: list[Recording], front_end: AudioFrontEnd
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of unchanged Speech Commands clips of the keywords and new words, labels and parts."""
    names = (*KEYWORDS, *NEW_WORDS)
    chosen = [r for r in recordings if r.word in names and r.source == "commands"]
    features = front_end.real(np.stack([centred(r.samples) for r in chosen]))[..., None]
    labels = np.array([names.index(r.word) for r in chosen])
    return features, labels, np.array([r.part for r in chosen])


def digit_features(
    recordings: list[Recording], front_end: AudioFrontEnd
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of the spoken digits, unchanged, labels and speakers."""
    chosen = [r for r in recordings if r.source == "digits"]
    features = front_end.real(np.stack([centred(r.samples) for r in chosen]))[..., None]
    labels = np.array([DIGITS.index(r.word) for r in chosen])
    return features, labels, np.array([r.speaker for r in chosen])
