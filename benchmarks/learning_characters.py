"""Omniglot characters that the body never saw, told apart by the means of one or five drawings of each.

The body is the one of `examples/omniglot`, 57,472 parameters, 28 x 28 pixels, as int8; it was trained on the
964 characters of the background set. A task draws five of the 659 evaluation characters, takes one or five
drawings of each as shots and ten others as queries. The head is tinyc's `ncm` with nothing from the factory
but the classes' places. The spread is over seeds, of 200 tasks each.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import learning_body
import omniglot_data
from learning_baselines import Latents
from learning_stream import EXAMPLES, figures
from tinyc.learning.fit import HeadOptions, fit
from tinyc.learning.heads.design import HeadDesign

FOLDER = EXAMPLES / "omniglot"
WAYS, QUERIES, TASKS = 5, 10, 200
SHOTS = (1, 5)
METRICS = ("euclidean", "cosine")


def load(shared: Path, folder: Path = FOLDER) -> tuple[Latents, int, float]:
    """Latents of the evaluation characters, int8 (characters, 20, d), their zero point and scale."""
    _, evaluation = omniglot_data.load(shared, 28)
    body = learning_body.load(folder / "omniglot.tflite", folder / "calibration.npz")
    characters, drawings = evaluation.shape[:2]
    latents = body.latents(evaluation.reshape(-1, 28, 28, 1).astype(np.float32))
    return latents.reshape(characters, drawings, -1), body.zero_point, body.scale


def empty(latent: int, zero_point: int, scale: float, metric: str) -> HeadDesign:
    """A head of five classes without a sample."""
    design = fit(
        "ncm",
        np.zeros((1, latent), np.int8),
        np.zeros(1, np.int64),
        zero_point=zero_point,
        scale=scale,
        capacity=WAYS,
        options=HeadOptions(metric=metric),
    )
    nothing = {name: np.zeros_like(value) for name, value in design.factory.items()}
    return replace(design, factory_classes=0, factory=nothing)


def measure(
    latents: Latents, zero_point: int, scale: float, seeds: int, tasks: int = TASKS
) -> dict[str, Any]:
    """Accuracy by metric and shots."""
    rows: dict[str, Any] = {}
    for metric in METRICS:
        design = empty(latents.shape[-1], zero_point, scale, metric)
        for shots in SHOTS:
            found = [accuracy(latents, design, shots, tasks, seed) for seed in range(seeds)]
            rows.setdefault(metric, {})[f"{shots} shot" + "s" * (shots > 1)] = figures(found)
    return rows


def accuracy(latents: Latents, design: HeadDesign, shots: int, tasks: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    right = []
    for _ in range(tasks):
        head = design.head()
        characters = rng.choice(len(latents), WAYS, replace=False)
        drawn = [latents[c][rng.permutation(latents.shape[1])[: shots + QUERIES]] for c in characters]
        for label, samples in enumerate(drawn):
            for latent in samples[:shots]:
                head.update(latent, label)
        queries = np.concatenate([samples[shots:] for samples in drawn])
        answers = head.scores_many(queries).argmax(axis=1)
        right.append(float(np.mean(answers == np.repeat(np.arange(WAYS), QUERIES))))
    return float(np.mean(right))
