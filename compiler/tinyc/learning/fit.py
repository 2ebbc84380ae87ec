"""Fits a head to the latents of a body: the factory state and the tables of a design.

Runs in float64 on the host; what it gives is rounded once, to the tables and the state of the firmware.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyc.errors import Problem, TinycError
from tinyc.learning import factory
from tinyc.learning.heads.design import Floats, HeadDesign, Int8s

KINDS = ("slda", "sgd", "ncm", "autoencoder", "regression")
# The sums of a class are float32: more than this many samples would add less than a rounding.
_MOST_SAMPLES = 1_000_000


@dataclass(frozen=True, slots=True)
class HeadOptions:
    """What a user may choose about a head. Each kind reads its own options.

    slda, sgd: `curve`, whether latents go through a signed square root first, None to choose it by episodes
    with held-out factory classes.
    slda: `shrinkage` of the covariance towards a multiple of the identity, in (0, 1], None to choose it
    likewise; `prior`, the samples at the centre that a class mean starts with, None to choose it likewise.
    slda, ncm: `forget`, the count from which on a class forgets: old samples fade as new ones come.
    All classifiers: `factory_weight`, the most samples that the factory's mean of a class counts for.
    sgd, regression, autoencoder: `learning_rate` of the normalised step, in (0, 1]; `normalise`: running
    statistics of the latents in the state, over `normalise_samples` samples.
    sgd: `only_mistakes`, whether a sample that the head knows leads to no step; `imprint`, over how many
    samples the row of a new class follows their mean; `replay`, samples per class stored in RAM;
    `factory_replay`, samples per factory class stored in flash; `replays`, steps with stored samples after
    each sample; `seed` of the choice among them.
    ncm: `metric`, "cosine" or "euclidean".
    autoencoder: `quantile` of the factory's errors above which an input is an anomaly.
    """

    shrinkage: float | None = None
    prior: float | None = None
    curve: bool | None = None
    forget: int = 1000
    factory_weight: int = 100
    learning_rate: float = 0.3
    only_mistakes: bool = True
    imprint: int = 5
    normalise: bool = False
    normalise_samples: int = 3000
    replay: int = 0
    factory_replay: int = 0
    replays: int = 4
    metric: str = "cosine"
    quantile: float = 0.99
    seed: int = 1

    def check(self, kind: str) -> None:
        """Raises TinycError that names every option out of range."""
        ranges: dict[str, tuple[bool, str]] = {
            "shrinkage": (self.shrinkage is None or 0 < self.shrinkage <= 1, "in (0, 1]"),
            "prior": (self.prior is None or 0 <= self.prior <= 1000, "in [0, 1000]"),
            "forget": (2 <= self.forget <= _MOST_SAMPLES, f"in [2, {_MOST_SAMPLES}]"),
            "factory_weight": (1 <= self.factory_weight <= self.forget, "in [1, forget]"),
            "learning_rate": (1e-6 <= self.learning_rate <= 1, "in [1e-6, 1]"),
            "imprint": (1 <= self.imprint <= 1000, "in [1, 1000]"),
            "normalise_samples": (2 <= self.normalise_samples <= _MOST_SAMPLES, f"in [2, {_MOST_SAMPLES}]"),
            "replay": (0 <= self.replay <= 10_000, "in [0, 10000]"),
            "factory_replay": (0 <= self.factory_replay <= 10_000, "in [0, 10000]"),
            "replays": (0 <= self.replays <= 1000, "in [0, 1000]"),
            "metric": (self.metric in ("cosine", "euclidean"), '"cosine" or "euclidean"'),
            "quantile": (0 < self.quantile <= 1, "in (0, 1]"),
            "seed": (1 <= self.seed < 2**31, "in [1, 2^31)"),
        }
        problems = [
            Problem(name, f"{getattr(self, name)} is out of range", allowed)
            for name, (right, allowed) in ranges.items()
            if not right
        ]
        if kind not in KINDS:
            problems.append(Problem("head", f"there is no head `{kind}`", ", ".join(KINDS)))
        if problems:
            raise TinycError("the options of the head are wrong", problems=problems)


def fit(
    kind: str,
    latents: Int8s,
    labels: npt.NDArray[np.integer] | Floats,
    *,
    zero_point: int,
    scale: float,
    capacity: int,
    options: HeadOptions | None = None,
) -> HeadDesign:
    """The head of `kind` fitted to `latents`, int8 (n, d), and `labels`, integers (n,) in [0, capacity).

    A regression and an autoencoder take targets, float32 (n, capacity), in place of labels. `scale` and
    `zero_point` are those of the latent tensor. Classes up to the largest label belong to the factory; each
    needs a sample. Raises TinycError for options and data that do not fit.
    """
    options = options or HeadOptions()
    options.check(kind)
    if latents.dtype != np.int8 or latents.ndim != 2 or len(labels) != len(latents) or not len(latents):
        raise TinycError(
            f"latents {latents.dtype} {latents.shape} do not go with {len(labels)} labels",
            allowed="int8 (samples, elements) with one label a sample",
        )
    if kind in ("autoencoder", "regression"):
        targets = np.asarray(labels, np.float64)
        if targets.shape != (len(latents), capacity) or not np.isfinite(targets).all():
            raise TinycError(
                f"targets of shape {targets.shape} do not fit",
                allowed=f"finite numbers ({len(latents)}, {capacity})",
            )
        return factory.linear(kind, latents, targets, options)
    classes = _check_labels(labels, capacity)
    makers: dict[str, Callable[[], HeadDesign]] = {
        "slda": lambda: factory.slda(latents, classes, capacity, zero_point, options),
        "sgd": lambda: factory.sgd(latents, classes, capacity, zero_point, options),
        "ncm": lambda: factory.ncm(latents, classes, capacity, zero_point, options),
    }
    return makers[kind]()


def _check_labels(labels: npt.NDArray[np.generic], capacity: int) -> npt.NDArray[np.int64]:
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise TinycError("labels are not integers", allowed="integers (samples,)")
    classes = labels.astype(np.int64)
    if classes.min() < 0 or classes.max() >= capacity:
        raise TinycError(
            f"labels reach from {classes.min()} to {classes.max()}", allowed=f"0 to {capacity - 1}"
        )
    missing = set(range(int(classes.max()) + 1)) - set(classes.tolist())
    if missing:
        raise TinycError(
            f"classes without a sample: {sorted(missing)}", allowed="a sample or more of each factory class"
        )
    return classes
