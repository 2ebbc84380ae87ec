"""Nine words known to the factory, three new ones taught: every learner on the same latents.

The body is the one of `examples/keyword_learning`, as int8; it never heard the new words. Shots come from the
speakers of training and validation, the test holds speakers of whom neither body nor head heard anything.
Accuracy is the mean of the twelve words' recalls, so a head that learns nothing new has at most 0.75. There
are about fifty clips of each new word outside the test: "all" teaches them all, in place of a hundred.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import learning_body
from learning_baselines import CosineMeans, Layer, Learner, Sgd
from learning_body import Body
from learning_stream import EXAMPLES, Accuracy, Set, accuracy, example, figures, joined, learn, shuffled
from tinyc.audio.front_end import AudioFrontEnd
from tinyc.audio.settings import AudioSettings
from tinyc.learning.fit import HeadOptions, fit
from tinyc.learning.heads.design import HeadDesign

FOLDER = EXAMPLES / "keyword_learning"
OLD, ALL = 9, 12
SHOTS = {"5": 5, "20": 20, "all": 1000}
# Best of five, chosen on the test: in favour of the learners that need a rate.
RATES = (0.001, 0.003, 0.01, 0.03, 0.1)
OWN_RATES = (0.001, 0.01, 0.1, 0.3, 1.0)
PUBLISHED = ("tinyol", "raw", "V2", "normalised", "replay")
# Under the accuracy of a head that learned nothing.
TOLERATED = 0.05
NORMALISED_RATES = (0.03, 0.1, 0.3, 0.6, 1.0)


@dataclass(frozen=True, slots=True)
class Words:
    """`factory` are the samples the heads of the factory are fitted to, `field` those of the same words a
    user may say, `lessons` the new words, `test` all twelve by other speakers."""

    body: Body
    factory: Set
    field: Set
    lessons: Set
    test: Set
    layer: Layer


@dataclass(frozen=True, slots=True)
class Method:
    """A learner of the table, its order of samples, and the rates it is tried with (none: it needs none)."""

    name: str
    order: str
    make: Callable[[float], Learner]
    rates: Sequence[float] = (0.0,)
    # Only with twenty shots: rehearsal takes its time.
    is_slow: bool = False


def load(shared: Path, folder: Path = FOLDER) -> Words:
    """The example's body on the recordings in `shared`."""
    words, recordings = example("keyword_learning/words.py"), example("keyword_spotting/recordings.py")
    toml = (EXAMPLES / "keyword_spotting" / "tinyc.toml").read_text(encoding="utf-8")
    front_end = AudioFrontEnd(AudioSettings.from_toml(tomllib.loads(toml)["audio"]))
    clips = recordings.load(shared / "data", FOLDER / "build")
    features, labels, parts = words.keyword_features(clips, front_end)
    body = learning_body.load(folder / "keyword_learning.tflite", folder / "calibration.npz")
    every = Set(body.latents(features), labels.astype(np.int64))
    with np.load(folder / "factory.npz") as arrays:
        factory = Set(body.latents(arrays["inputs"]), arrays["labels"].astype(np.int64))
    known, heard = labels < OLD, parts != "test"
    return Words(
        body=body,
        factory=factory,
        field=every.at(np.flatnonzero(known & heard)),
        lessons=every.at(np.flatnonzero(~known & heard)),
        test=every.at(np.flatnonzero(~heard)),
        layer=last_layer(body, factory),
    )


def last_layer(body: Body, factory: Set) -> Layer:
    """The network's own last layer, on latents as integers."""
    dense = next(op for op in body.graph.ops if body.tap in op.inputs)
    weights, bias = (body.graph[name] for name in dense.inputs[1:3])
    assert weights.quantization is not None and weights.data is not None and bias.data is not None
    scales = np.array(weights.quantization.scale).reshape(-1, 1)
    real = weights.data.astype(np.float64) * scales * body.scale
    offset = bias.data.astype(np.float64) * scales.ravel() * body.scale - real.sum(axis=1) * body.zero_point
    values = factory.latents.astype(np.float64)
    # A channel that hardly ever moves has no deviation to divide by: half a step of the latent.
    deviation = np.maximum(values.std(axis=0), 0.5)
    return Layer(real, offset, values.mean(axis=0), deviation, body.zero_point, body.scale)


def designs(words: Words) -> Callable[..., HeadDesign]:
    """Fits a head to the factory's samples; what is asked for twice is fitted once."""
    kept: dict[tuple[str, HeadOptions], HeadDesign] = {}

    def design(kind: str, options: HeadOptions) -> HeadDesign:
        if (kind, options) not in kept:
            kept[kind, options] = fit(
                kind,
                words.factory.latents,
                words.factory.labels,
                zero_point=words.body.zero_point,
                scale=words.body.scale,
                capacity=ALL,
                options=options,
            )
        return kept[kind, options]

    return design


def methods(words: Words) -> list[Method]:
    layer, design = words.layer, designs(words)

    def sgd(**options: Any) -> Callable[[float], Learner]:
        return lambda rate: Sgd(layer, ALL, rate, **options)

    def own(kind: str, **options: Any) -> Callable[[float], Learner]:
        settings = HeadOptions(**options)
        return lambda rate: design(kind, replace(settings, learning_rate=rate) if rate else settings).head()

    sums = np.zeros((ALL, words.body.latent))
    np.add.at(sums, words.factory.labels, words.factory.latents.astype(np.float64))
    replay, rehearsed = {"memory": 20, "replays": 8}, {"replay": 20, "replays": 4}
    return [
        Method("tinyol, in sequence", "sequence", sgd(), RATES),
        Method("tinyol, shuffled", "shuffled", sgd(), RATES),
        Method("tinyol, mixed", "mixed", sgd(), RATES),
        Method("raw, in sequence", "sequence", sgd(standardise=False), RATES),
        Method("raw, shuffled", "shuffled", sgd(standardise=False), RATES),
        Method("V2, shuffled", "shuffled", sgd(only_new=True), RATES),
        Method("normalised, shuffled", "shuffled", sgd(normalise=True), NORMALISED_RATES),
        Method("replay, in sequence", "sequence", sgd(**replay), RATES),
        Method("replay, mixed", "mixed", sgd(**replay), RATES),
        Method("ncm cosine, plain", "sequence", lambda rate: CosineMeans(sums.copy())),
        Method("tinyc ncm", "sequence", own("ncm")),
        Method("tinyc sgd, in sequence", "sequence", own("sgd"), OWN_RATES),
        Method("tinyc sgd, shuffled", "shuffled", own("sgd"), OWN_RATES),
        Method("tinyc sgd, mixed", "mixed", own("sgd"), OWN_RATES),
        Method("tinyc sgd + replay, in sequence", "sequence", own("sgd", **rehearsed), OWN_RATES, True),
        Method("tinyc sgd + replay, mixed", "mixed", own("sgd", **rehearsed), OWN_RATES, True),
        Method("tinyc slda", "sequence", own("slda")),
    ]


def stream(words: Words, order: str, shots: int, seed: int) -> Set:
    """New words one after another, shuffled, or mixed with as many samples of each old word."""
    rng = np.random.default_rng(seed)
    lessons = words.lessons.drawn(shots, rng)
    if order == "mixed":
        lessons = joined(lessons, words.field.drawn(min(shots, 50), rng))
    return lessons if order == "sequence" else shuffled(lessons, rng)


def measure(words: Words, seeds: int, shots: Sequence[str]) -> dict[str, Any]:
    """Every method with every number of shots: accuracy of the best rate, and of every rate."""
    rows: dict[str, Any] = {"nothing learned": nothing(words)}
    for method in methods(words):
        tried = [name for name in shots if name == "20" or not method.is_slow]
        rows[method.name] = {name: best(words, method, SHOTS[name], seeds) for name in tried}
    return rows


def nothing(words: Words) -> dict[str, Any]:
    """The network's own last layer."""
    found = accuracy(Sgd(words.layer, ALL, 0.0, standardise=False), words.test, OLD)
    return {"overall": found.overall, "old": found.old, "new": found.new}


def best(words: Words, method: Method, shots: int, seeds: int) -> dict[str, Any]:
    """Figures of the rate with the best overall accuracy; `by_rate` has the overall ones of all."""
    streams = [stream(words, method.order, shots, seed) for seed in range(seeds)]
    runs: dict[float, list[Accuracy]] = {}
    for rate in method.rates:
        for lessons in streams:
            learner = method.make(rate)
            learn(learner, lessons)
            runs.setdefault(rate, []).append(accuracy(learner, words.test, OLD))
    chosen = max(runs, key=lambda rate: float(np.mean([run.overall for run in runs[rate]])))
    row: dict[str, Any] = {
        part: figures([getattr(run, part) for run in runs[chosen]]) for part in ("overall", "old", "new")
    }
    if len(method.rates) > 1:
        row["rate"] = chosen
        row["by_rate"] = {f"{rate:g}": figures([r.overall for r in found]) for rate, found in runs.items()}
        row["worst"] = min(run.overall for found in runs.values() for run in found)
    return row


def bars(rows: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The figures that have a bar, by name."""
    slda = rows["tinyc slda"]["20"]
    published = {name: row["20"]["overall"] for name, row in rows.items() if name.startswith(PUBLISHED)}
    rival = max(published, key=lambda name: float(published[name]["mean"]))
    nothing = rows["nothing learned"]["overall"]
    worst = min(row["20"]["worst"] for name, row in rows.items() if name.startswith("tinyc sgd"))
    found = {
        "keywords_slda_20_shots_overall": (slda["overall"], 0.75),
        "keywords_slda_20_shots_new_words": (slda["new"], 0.50),
        "keywords_slda_beats_best_published_sgd": (slda["overall"], published[rival]["mean"]),
    }
    result = {
        name: {
            "value": entry["mean"],
            "spread": entry["spread"],
            "seeds": entry["seeds"],
            "bar": bar,
            "met": entry["mean"] >= bar,
        }
        for name, (entry, bar) in found.items()
    }
    result["keywords_slda_beats_best_published_sgd"]["rival"] = rival
    # Nothing catastrophic: the worst run of all rates, orders and seeds, beside a head that learned nothing.
    bar = nothing - TOLERATED
    result["keywords_sgd_worst_of_all_rates"] = {
        "value": worst,
        "spread": 0.0,
        "seeds": slda["overall"]["seeds"],
        "bar": bar,
        "met": worst >= bar,
    }
    return result
