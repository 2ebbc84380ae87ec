"""Ten spoken digits and a new speaker: what a few labelled clips of that voice are worth.

The body is the one of `examples/keyword_learning`, as int8. Its training and the factory's head heard three
readers of the Free Spoken Digit Dataset; three others stand for new users. Of each new reader the first half
of the recordings of a digit may be taught, the second half is the test. Accuracy is averaged over the
readers; the spread is over draws of the clips.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import learning_body
from learning_keywords import FOLDER
from learning_stream import EXAMPLES, Set, example, figures, learn, shuffled
from tinyc.audio.front_end import AudioFrontEnd
from tinyc.audio.settings import AudioSettings
from tinyc.learning.fit import HeadOptions, fit

CLIPS = (0, 1, 2, 5, 10)
DIGITS = 10
# The factory's samples of a digit count for ten: a new speaker's clips move the means.
OPTIONS = {
    "slda": HeadOptions(factory_weight=10),
    "sgd": HeadOptions(),
    "ncm": HeadOptions(factory_weight=10),
}


@dataclass(frozen=True, slots=True)
class Speakers:
    """Latents of the factory's readers, and by new reader those to be taught and those of the test."""

    factory: Set
    lessons: dict[str, Set]
    tests: dict[str, Set]
    zero_point: int
    scale: float


def load(shared: Path, folder: Path = FOLDER) -> Speakers:
    words, recordings = example("keyword_learning/words.py"), example("keyword_spotting/recordings.py")
    toml = (EXAMPLES / "keyword_spotting" / "tinyc.toml").read_text(encoding="utf-8")
    front_end = AudioFrontEnd(AudioSettings.from_toml(tomllib.loads(toml)["audio"]))
    clips = recordings.load(shared / "data", FOLDER / "build")
    features, labels, speakers = words.digit_features(clips, front_end)
    body = learning_body.load(folder / "keyword_learning.tflite", folder / "calibration.npz")
    known = ~np.isin(speakers, words.NEW_SPEAKERS)
    # Every third recording of the known readers: 500 clips.
    factory = np.flatnonzero(known)[::3]
    lessons, tests = {}, {}
    for speaker in words.NEW_SPEAKERS:
        of_digit = [np.flatnonzero((speakers == speaker) & (labels == digit)) for digit in range(DIGITS)]
        halves = [np.array_split(places, 2) for places in of_digit]
        lessons[speaker], tests[speaker] = (
            Set(body.latents(features[places]), labels[places].astype(np.int64))
            for places in (np.concatenate([half[part] for half in halves]) for part in (0, 1))
        )
    return Speakers(
        Set(body.latents(features[factory]), labels[factory].astype(np.int64)),
        lessons,
        tests,
        body.zero_point,
        body.scale,
    )


def measure(speakers: Speakers, seeds: int, clips: Sequence[int] = CLIPS) -> dict[str, Any]:
    """Accuracy by head and number of clips of each digit."""
    rows: dict[str, Any] = {}
    for kind, options in OPTIONS.items():
        design = fit(
            kind,
            speakers.factory.latents,
            speakers.factory.labels,
            zero_point=speakers.zero_point,
            scale=speakers.scale,
            capacity=DIGITS,
            options=options,
        )
        for count in clips:
            found = []
            for seed in range(seeds):
                rng = np.random.default_rng(seed)
                right = []
                for speaker, test in speakers.tests.items():
                    head = design.head()
                    learn(head, shuffled(speakers.lessons[speaker].drawn(count, rng), rng))
                    right.append(float(np.mean(head.scores_many(test.latents).argmax(axis=1) == test.labels)))
                found.append(float(np.mean(right)))
            rows.setdefault(kind, {})[str(count)] = figures(found)
    return rows
