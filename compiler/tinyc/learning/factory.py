"""The designs of the heads, fitted in float64. `fit` checks what comes in here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinyc.learning import softmax, tuning
from tinyc.learning.heads.design import HeadDesign, Int8s, StateField, Values
from tinyc.learning.heads.slda import padded
from tinyc.learning.tuning import Doubles, Labels, class_means, precision_of

if TYPE_CHECKING:
    from tinyc.learning.fit import HeadOptions

_F = np.float32
_INT32 = 2**31 - 1


def slda(latents: Int8s, labels: Labels, capacity: int, zero_point: int, options: HeadOptions) -> HeadDesign:
    """Streaming LDA; curve, shrinkage and prior are chosen by episodes unless they are given."""
    count, dimension = latents.shape
    classes = int(labels.max()) + 1
    chosen = tuning.choose(latents, labels, zero_point, options)
    curve = tuning.curve_of(chosen.curve, zero_point)
    curved = curve[latents.astype(np.int64) + 128]
    centre = np.rint(curved.mean(axis=0)).astype(np.int16)
    x = curved.astype(np.float64) - centre
    widest = int(np.abs(curve[:, None].astype(np.int64) - centre).max())
    precision = precision_of(x, labels, chosen.shrinkage)
    table, factors = _int16_rows(precision, widest)
    exact = table[:dimension, :dimension] * factors[:dimension, None].astype(np.float64)
    means, seen = class_means(x, labels, classes)
    weights = np.minimum(seen, options.factory_weight)
    factory: dict[str, Values] = {
        "counts": _rows(weights.astype(np.uint32), capacity),
        "squares": _rows(
            np.einsum("cd,de,ce->c", means, exact, means).astype(np.float64) * weights**2, capacity
        ),
        "sums": _rows((means @ exact.T) * weights[:, None], capacity),
    }
    design = HeadDesign(
        kind="slda",
        latent=dimension,
        capacity=capacity,
        factory_classes=classes,
        options={
            "forget": options.forget,
            "prior": float(_F(chosen.prior)),
            "bias": 0.0,
            "surprise": 1.0,
            "normalise": 0,
            "curve": int(chosen.curve),
        },
        tables={"precision": table, "factors": factors, "centre": centre}
        | ({"curve": curve} if chosen.curve else {}),
        fields=_fields(factory),
        factory=factory,
        scratch_bytes=0,
        sources=("head_slda.c",),
        notes={
            "samples": str(count),
            "curve": "square root" if chosen.curve else "none",
            "shrinkage": f"{chosen.shrinkage:g}",
            "prior": f"{chosen.prior:g}",
            "chosen by": chosen.reason,
        },
    )
    return _with_surprise(design, latents)


def sgd(latents: Int8s, labels: Labels, capacity: int, zero_point: int, options: HeadOptions) -> HeadDesign:
    """Softmax regression on standardised latents; curve and ridge are chosen by episodes."""
    classes = int(labels.max()) + 1
    dimension = latents.shape[1]
    chosen = softmax.choose(latents, labels, zero_point, options)
    curve = tuning.curve_of(chosen.curve, zero_point)
    x = curve[latents.astype(np.int64) + 128].astype(np.float64)
    statistics, tables = _statistics(x, options)
    if chosen.curve:
        tables["curve"] = curve
    z = _standardised(x, statistics)
    weights, biases = softmax.fit(z, labels, classes, chosen.ridge)
    norm = softmax.LENGTH * softmax.row_length(weights)
    factory: dict[str, Values] = {
        "counts": _rows(np.full(classes, max(options.factory_weight, options.imprint), np.uint32), capacity),
        "biases": _rows(biases, capacity),
        "weights": _rows(weights, capacity),
    }
    factory |= _running(statistics, len(latents), options)
    if options.factory_replay:
        tables["factory_replay"] = _rehearsed(latents, labels, classes, options)
    replay = options.replay * dimension * capacity + 4 * capacity if options.replay else 0
    design = HeadDesign(
        kind="sgd",
        latent=dimension,
        capacity=capacity,
        factory_classes=classes,
        options={
            "rate": float(_F(options.learning_rate)),
            "norm": float(_F(norm)),
            "only_mistakes": int(options.only_mistakes),
            "imprint": options.imprint,
            "most_counted": max(options.forget, options.imprint),
            "replay": options.replay,
            "factory_replay": options.factory_replay,
            "replays": options.replays,
            "seed": options.seed,
            **_standard_options(options),
            "curve": int(chosen.curve),
        },
        tables=tables,
        fields=_fields(factory),
        factory=factory,
        scratch_bytes=replay + (4 if options.replay or options.factory_replay else 0),
        sources=("head_sgd.c",),
        notes={
            "samples": str(len(latents)),
            "curve": "square root" if chosen.curve else "none",
            "ridge": f"{chosen.ridge:g}",
            "chosen by": chosen.reason,
        },
    )
    return _with_surprise(design, latents)


def ncm(latents: Int8s, labels: Labels, capacity: int, zero_point: int, options: HeadOptions) -> HeadDesign:
    """Nearest class mean of latents less their zero point."""
    classes = int(labels.max()) + 1
    x = latents.astype(np.float64) - zero_point
    means, seen = class_means(x, labels, classes)
    factory: dict[str, Values] = {
        "counts": _rows(np.minimum(seen, options.factory_weight).astype(np.uint32), capacity),
        "squares": _rows((means.astype(_F).astype(np.float64) ** 2).sum(axis=1), capacity),
        "means": _rows(means, capacity),
    }
    design = HeadDesign(
        kind="ncm",
        latent=latents.shape[1],
        capacity=capacity,
        factory_classes=classes,
        options={
            "cosine": int(options.metric == "cosine"),
            "zero_point": zero_point,
            "forget": options.forget,
            "surprise": 1.0,
            "normalise": 0,
        },
        tables={},
        fields=_fields(factory),
        factory=factory,
        scratch_bytes=0,
        sources=("head_ncm.c",),
        notes={"samples": str(len(latents)), "metric": options.metric},
    )
    return _with_surprise(design, latents)


def linear(kind: str, latents: Int8s, targets: Doubles, options: HeadOptions) -> HeadDesign:
    """Least squares with a little ridge; an autoencoder also gets the threshold of an anomaly."""
    x = latents.astype(np.float64)
    statistics, tables = _statistics(x, options)
    z = _standardised(x, statistics)
    biases = targets.mean(axis=0)
    ridge = 1e-3 * len(z) * np.eye(z.shape[1])
    weights = np.linalg.solve(z.T @ z + ridge, z.T @ (targets - biases)).T
    factory: dict[str, Values] = {"biases": biases.astype(_F), "weights": weights.astype(_F)}
    factory |= _running(statistics, len(latents), options)
    error = np.mean((z @ weights.T + biases - targets) ** 2, axis=1)
    threshold = float(_F(np.quantile(error, options.quantile)))
    design = HeadDesign(
        kind=kind,
        latent=latents.shape[1],
        capacity=targets.shape[1],
        factory_classes=0,
        options={
            "rate": float(_F(options.learning_rate)),
            "threshold": threshold,
            **_standard_options(options),
        },
        tables=tables,
        fields=_fields(factory),
        factory=factory,
        scratch_bytes=0,
        sources=("head_linear.c",),
        notes={"samples": str(len(latents)), "factory error": f"{error.mean():.4g}"},
    )
    return _with_surprise(design, latents)


def _rows(values: npt.NDArray[Any], capacity: int) -> Values:
    """Zero rows up to the capacity; float64 becomes float32."""
    dtype = _F if values.dtype == np.float64 else values.dtype
    full = np.zeros((capacity, *values.shape[1:]), dtype)
    full[: len(values)] = values
    return full


def _fields(factory: dict[str, Values]) -> tuple[StateField, ...]:
    return tuple(StateField(name, value.dtype.name, value.shape) for name, value in factory.items())


def _int16_rows(precision: Doubles, widest: int) -> tuple[Values, Values]:
    """int16 (rows, columns) and float32 factors (rows,): as fine as int16 and exact int32 sums allow."""
    dimension = len(precision)
    rows, columns = padded(dimension)
    largest = np.abs(precision).max(axis=1)
    total = np.abs(precision).sum(axis=1)
    # Rounding adds up to one half per element, of which none is larger than `widest`.
    room = (_INT32 / widest - dimension) / total
    steps = np.minimum(32767 / largest, room)
    factors = np.zeros(rows, _F)
    factors[:dimension] = 1 / steps
    table = np.zeros((rows, columns), np.int16)
    fine = np.rint(precision / factors[:dimension, None].astype(np.float64))
    table[:dimension, :dimension] = np.clip(fine, -32767, 32767)
    return table, factors


def _statistics(x: Doubles, options: HeadOptions) -> tuple[Doubles, dict[str, Values]]:
    """Mean and inverse deviation (2, latent), and the tables that hold them."""
    statistics = softmax.statistics_of(x).astype(_F)
    tables = {} if options.normalise else {"mean": statistics[0], "inverse": statistics[1]}
    return statistics.astype(np.float64), dict(tables)


def _standardised(x: Doubles, statistics: Doubles) -> Doubles:
    return np.asarray((x - statistics[0]) * statistics[1])


def _running(statistics: Doubles, samples: int, options: HeadOptions) -> dict[str, Values]:
    if not options.normalise:
        return {}
    inverse = statistics[1]
    variance = np.where(inverse > 0, 1 / np.maximum(inverse, 1e-9) ** 2, 0.0)
    seen = max(1, min(samples, options.normalise_samples))
    return {
        "mean": statistics[0].astype(_F),
        "variance": variance.astype(_F),
        "seen": np.array([seen], np.uint32),
    }


def _standard_options(options: HeadOptions) -> dict[str, int | float]:
    return {
        "normalise": options.normalise_samples if options.normalise else 0,
        "least_variance": float(_F(0.01)),
        "curve": 0,
        "surprise": 1.0,
    }


def _rehearsed(latents: Int8s, labels: Labels, classes: int, options: HeadOptions) -> Values:
    """int8 (classes, samples, latent): a random choice, with repetition where a class has too few."""
    rng = np.random.default_rng(options.seed)
    rows = []
    for label in range(classes):
        mine = np.flatnonzero(labels == label)
        repeats = -(-options.factory_replay // len(mine))
        order = np.concatenate([rng.permutation(mine) for _ in range(repeats)])
        rows.append(latents[order[: options.factory_replay]])
    return np.stack(rows)


def _with_surprise(design: HeadDesign, latents: Int8s) -> HeadDesign:
    """The factor that makes the mean surprise of factory data 1."""
    twin: Any = design.head()
    some = latents[np.linspace(0, len(latents) - 1, min(len(latents), 2000)).astype(int)]
    mean = float(twin.surprises(some).astype(np.float64).mean())
    factor = float(_F(1 / mean)) if mean > 1e-6 else 1.0
    return replace(design, options={**design.options, "surprise": factor})
