"""Chooses a head: every kind learns held-out classes as a device would, and the best one wins.

An episode takes some classes out of the factory's, fits each head to a part of the others' samples, teaches
it the classes taken out shot by shot, one class after the other, with the head's own arithmetic, and looks at
what it answers for samples that neither the fit nor the lessons had.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tinyc.errors import TinycError
from tinyc.learning.fit import HeadOptions, fit
from tinyc.learning.heads.design import HeadDesign, Int8s

CLASSIFIERS = ("slda", "sgd", "ncm")
SHOTS = 20
SEEDS = 5
# Samples of a class that an episode looks at: more only take longer.
_MOST = 400
# A head must be this much better than a cheaper one.
_MARGIN = 0.005


@dataclass(frozen=True, slots=True)
class Candidate:
    """A kind of head with options. `name` is what the table calls it."""

    name: str
    kind: str
    options: HeadOptions


@dataclass(frozen=True, slots=True)
class Row:
    """What episodes say about one head: mean recalls over seeds, the spread of the first, and its cost.

    `ram` and `flash` in bytes are those of the head on the device, `instructions` an estimate for one
    inference and one update on a Cortex-M4F.
    """

    name: str
    kind: str
    overall: float
    spread: float
    old: float
    new: float
    ram: int
    flash: int
    instructions: int


@dataclass(frozen=True, slots=True)
class Selection:
    """All rows, best first, the candidate that won, and why."""

    rows: tuple[Row, ...]
    winner: Candidate
    reason: str


def candidates(options: HeadOptions) -> tuple[Candidate, ...]:
    """What `--head auto` tries, all with the user's options."""
    other = "euclidean" if options.metric == "cosine" else "cosine"
    rehearsing = replace(options, factory_replay=options.factory_replay or 8)
    return (
        Candidate("slda", "slda", options),
        Candidate("sgd", "sgd", options),
        Candidate(f"sgd, rehearsing {rehearsing.factory_replay} a class", "sgd", rehearsing),
        Candidate(f"ncm, {options.metric}", "ncm", options),
        Candidate(f"ncm, {other}", "ncm", replace(options, metric=other)),
    )


def choose(
    latents: Int8s,
    labels: npt.NDArray[np.integer],
    *,
    zero_point: int,
    scale: float,
    capacity: int,
    options: HeadOptions | None = None,
    shots: int = SHOTS,
    seeds: int = SEEDS,
    advance: Callable[[], None] = lambda: None,
) -> Selection:
    """Rows for all candidates over `seeds` episodes of `shots` samples per new class, and the winner.

    Arguments as for `fit`; `latents` are int8 (n, d), at least three classes of at least four samples.
    Deterministic. The winner has the best mean recall over all classes; of heads within half a point of it,
    the one with the fewest instructions. `advance` is called after each fit and lesson, `steps` times.
    Raises TinycError when there are too few classes or samples, or as `fit` does.
    """
    options = options or HeadOptions()
    classes = int(labels.max()) + 1 if len(labels) else 0
    counts = np.bincount(labels, minlength=classes)
    if classes < 3 or counts.min() < 4:
        raise TinycError(
            f"{classes} classes of {counts.min() if classes else 0} samples cannot show how heads learn",
            where="head",
            allowed="three classes or more, four samples or more of each",
            hint='name a head: "slda" is the usual one',
        )
    tried = candidates(options)
    results: dict[str, list[tuple[float, float, float]]] = {c.name: [] for c in tried}
    for seed in range(seeds):
        episode = _Episode.of(latents, labels, shots, np.random.default_rng((options.seed, seed)))
        for candidate in tried:
            results[candidate.name].append(
                episode.run(candidate, zero_point=zero_point, scale=scale, classes=classes)
            )
            advance()
    rows = []
    for candidate in tried:
        design = fit(
            candidate.kind,
            latents,
            labels,
            zero_point=zero_point,
            scale=scale,
            capacity=capacity,
            options=candidate.options,
        )
        rows.append(_row(candidate, design, results[candidate.name]))
        advance()
    return _select(tried, rows, shots, seeds)


def steps(options: HeadOptions | None = None, seeds: int = SEEDS) -> int:
    """How often `choose` calls `advance`."""
    return len(candidates(options or HeadOptions())) * (seeds + 1)


@dataclass(frozen=True, slots=True)
class _Episode:
    """Samples by use. Labels are renamed: old classes 0 ... old - 1, new ones behind them."""

    latents: Int8s
    labels: npt.NDArray[np.int64]
    old: int
    factory: npt.NDArray[np.int64]
    lessons: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]

    @classmethod
    def of(
        cls, latents: Int8s, labels: npt.NDArray[np.integer], shots: int, rng: np.random.Generator
    ) -> _Episode:
        """A third of the classes are new. Half of each class's samples are for the test."""
        classes = int(labels.max()) + 1
        order = rng.permutation(classes)
        old = classes - max(1, classes // 3)
        place = np.empty(classes, np.int64)
        place[order] = np.arange(classes)
        renamed = place[labels]
        factory: list[npt.NDArray[np.int64]] = []
        lessons: list[npt.NDArray[np.int64]] = []
        test: list[npt.NDArray[np.int64]] = []
        for label in range(classes):
            mine = rng.permutation(np.flatnonzero(renamed == label))[:_MOST]
            half = len(mine) // 2
            test.append(mine[half:])
            (factory if label < old else lessons).append(mine[: half if label < old else min(half, shots)])
        return cls(
            latents, renamed, old, np.concatenate(factory), np.concatenate(lessons), np.concatenate(test)
        )

    def run(
        self, candidate: Candidate, *, zero_point: int, scale: float, classes: int
    ) -> tuple[float, float, float]:
        """Mean recall over all classes, the old and the new ones."""
        head = fit(
            candidate.kind,
            self.latents[self.factory],
            self.labels[self.factory],
            zero_point=zero_point,
            scale=scale,
            capacity=classes,
            options=candidate.options,
        ).head()
        for at in self.lessons:
            head.update(self.latents[at], int(self.labels[at]))
        answers = head.scores_many(self.latents[self.test]).argmax(axis=1)
        truth = self.labels[self.test]
        recalls = np.array([np.mean(answers[truth == c] == c) for c in range(classes)])
        return float(recalls.mean()), float(recalls[: self.old].mean()), float(recalls[self.old :].mean())


def _row(candidate: Candidate, design: HeadDesign, results: Sequence[tuple[float, float, float]]) -> Row:
    values = np.array(results)
    overall, old, new = values.mean(axis=0).tolist()
    spread = float(values[:, 0].std(ddof=1)) if len(values) > 1 else 0.0
    return Row(
        name=candidate.name,
        kind=candidate.kind,
        overall=overall,
        spread=spread,
        old=old,
        new=new,
        ram=design.state_bytes + design.scratch_bytes,
        flash=design.table_bytes + design.state_bytes,
        instructions=instructions(design),
    )


def instructions(design: HeadDesign) -> int:
    """About what one inference and one update take on a Cortex-M4F, counted on the emulated chip.

    The factors are those of 64 elements and 12 classes (tests/emulated/test_learning_heads_on_chip.py).
    """
    products = design.latent * design.capacity
    inference = 4.2 * products + 12 * design.latent + 30 * design.capacity
    if design.kind == "slda":
        update = 1.3 * design.latent**2 + 14 * design.latent
    elif design.kind == "sgd":
        one = inference + 6 * products + 60 * design.capacity
        rehearsed = bool(design.options["replay"]) or bool(design.options["factory_replay"])
        update = one * (1 + int(design.options["replays"]) * rehearsed)
    elif design.is_regression:
        update = 12 * products + 40 * design.capacity
    else:
        update = 16 * design.latent
    return round(inference + update)


def _select(tried: Sequence[Candidate], rows: Sequence[Row], shots: int, seeds: int) -> Selection:
    best = max(row.overall for row in rows)
    near = [row for row in rows if row.overall >= best - _MARGIN]
    won = min(near, key=lambda row: row.instructions)
    ordered = sorted(rows, key=lambda row: -row.overall)
    winner = next(candidate for candidate in tried if candidate.name == won.name)
    reason = f"mean recall {won.overall:.3f} over {seeds} episodes of {shots} shots"
    if won.overall < best:
        reason += f", within {_MARGIN:g} of the best ({ordered[0].name}) and cheaper"
    return Selection(tuple(ordered), winner, reason)
