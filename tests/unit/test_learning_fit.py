"""Fitted heads: what their twins answer and learn, against plain float64 formulas."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tinyc.errors import TinycError
from tinyc.learning.choose import candidates, choose, steps
from tinyc.learning.fit import HeadOptions, fit
from tinyc.learning.heads.design import HeadDesign, StateField

pytestmark = pytest.mark.unit

FACTORY, CLASSES, SIZE = 6, 8, 16
ZERO_POINT = -100


class Clusters:
    """Classes with one covariance, wide in directions that tell nothing: latents as int8."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._means = self._rng.normal(0, 10, (CLASSES, SIZE))
        self._mix = self._rng.normal(0, 1, (SIZE, SIZE)) * np.geomspace(1, 9, SIZE)[:, None]

    def draw(self, label: int, count: int) -> npt.NDArray[np.int8]:
        values = self._means[label] + self._rng.normal(0, 1, (count, SIZE)) @ self._mix
        return np.clip(np.rint(values), -128, 127).astype(np.int8)

    def sets(self, classes: int, count: int) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int64]]:
        return np.concatenate([self.draw(c, count) for c in range(classes)]), np.repeat(
            np.arange(classes), count
        )


@pytest.fixture(scope="module")
def clusters() -> Clusters:
    return Clusters()


@pytest.fixture(scope="module")
def factory(clusters: Clusters) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int64]]:
    return clusters.sets(FACTORY, 120)


@pytest.fixture(scope="module")
def test_set(clusters: Clusters) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int64]]:
    return clusters.sets(CLASSES, 60)


def make(kind: str, factory: tuple[Any, Any], **options: Any) -> HeadDesign:
    """Fitted once for the same data and options."""
    key = (kind, factory[0].tobytes(), HeadOptions(**options))
    if key not in _made:
        _made[key] = fresh(kind, factory, **options)
    return _made[key]


_made: dict[tuple[str, bytes, HeadOptions], HeadDesign] = {}


def fresh(kind: str, factory: tuple[Any, Any], **options: Any) -> HeadDesign:
    settings = HeadOptions(**options)
    return fit(kind, *factory, zero_point=ZERO_POINT, scale=0.1, capacity=CLASSES, options=settings)


def recalls(head: Any, test: tuple[Any, Any]) -> npt.NDArray[np.float64]:
    """Of each class, 0 for those that the test has nothing of."""
    answers = head.predict_many(test[0])
    right = np.bincount(test[1][answers == test[1]], minlength=CLASSES)
    return np.asarray(right / np.maximum(np.bincount(test[1], minlength=CLASSES), 1))


def test_slda_is_linear_discriminant_analysis(factory: Any, test_set: Any) -> None:
    """Scores and surprise of the factory state against float64, with the true pooled covariance."""
    design = make("slda", factory, curve=False, shrinkage=0.01, prior=0.0)
    x, labels = factory[0].astype(np.float64), factory[1]
    centre = design.tables["centre"].astype(np.float64)
    means = np.stack([x[labels == c].mean(axis=0) for c in range(FACTORY)])
    inner = x - means[labels]
    covariance = inner.T @ inner / len(x)
    level = np.trace(covariance) / SIZE
    precision = np.linalg.inv(0.99 * covariance + 0.01 * level * np.eye(SIZE))
    tested = test_set[0].astype(np.float64) - centre
    scores = tested @ precision @ (means - centre).T
    scores -= np.einsum("cd,de,ce->c", means - centre, precision, means - centre) / 2
    head: Any = design.head()
    assert np.allclose(head.scores_many(test_set[0])[:, :FACTORY], scores, rtol=2e-3, atol=0.05)
    distance = np.einsum("nd,de,ne->n", tested, precision, tested) - 2 * scores.max(axis=1)
    measured = head.surprises(test_set[0]) / np.float32(design.options["surprise"])
    assert np.allclose(measured, distance, rtol=5e-3, atol=0.1)
    assert abs(head.surprises(factory[0]).mean() - 1) < 0.02


def test_slda_after_many_samples_is_as_if_fitted_to_them(clusters: Clusters, factory: Any) -> None:
    """A mean learned one by one is the mean, in any order, and the state stays consistent."""
    design = make("slda", factory, curve=True, shrinkage=0.1, prior=0.0)
    samples = clusters.draw(7, 200)
    head, other = design.head(), design.head()
    for sample in samples:
        head.update(sample, 7)
    for sample in samples[::-1]:
        other.update(sample, 7)
    x = design.tables["curve"][samples.astype(int) + 128].astype(np.float64) - design.tables["centre"]
    table = design.tables["precision"][:SIZE, :SIZE] * design.tables["factors"][:SIZE, None]
    sums, squares = head.values["sums"][7], head.values["squares"][7]
    assert np.allclose(sums, table @ x.sum(axis=0), rtol=1e-4, atol=1e-3)
    assert np.isclose(squares, x.sum(axis=0) @ table @ x.sum(axis=0), rtol=1e-3)
    assert np.allclose(sums, other.values["sums"][7], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("extreme", [False, True])
def test_no_sum_of_the_precision_leaves_int32(factory: Any, extreme: bool) -> None:
    """For latents that no data has too; `extreme` has elements of very different spread."""
    latents, labels = factory
    if extreme:
        latents = latents.copy()
        latents[:, 0] = latents[:, 0] // 64
        latents[:, 1] = 127
    design = make("slda", (latents, labels), curve=True, shrinkage=1e-4)
    curve, centre = design.tables["curve"].astype(np.int64), design.tables["centre"].astype(np.int64)
    widest = np.maximum(abs(curve.max() - centre), abs(curve.min() - centre))
    table = np.abs(design.tables["precision"][:SIZE, :SIZE].astype(np.int64))
    assert (table @ widest).max() < 2**31
    # And the table is not coarse: its rows use what int16 or int32 has.
    assert table.max(axis=1).min() > 2000


@pytest.mark.parametrize("kind", ["slda", "sgd", "ncm"])
def test_new_classes_are_learned_and_old_ones_kept(
    kind: str, clusters: Clusters, factory: Any, test_set: Any
) -> None:
    head: Any = make(kind, factory).head()
    before = recalls(head, test_set)
    assert before[:FACTORY].mean() > 0.75
    assert not before[FACTORY:].any()
    for label in (6, 7):
        for sample in clusters.draw(label, 20):
            head.update(sample, label)
    after = recalls(head, test_set)
    assert after[FACTORY:].mean() > 0.5
    assert after[:FACTORY].mean() > before[:FACTORY].mean() - 0.15


def with_rate(design: HeadDesign, rate: float) -> HeadDesign:
    """As fitted with that rate: nothing else depends on it."""
    return replace(design, options={**design.options, "rate": float(np.float32(rate))})


@pytest.mark.parametrize("rate", [1e-3, 1e-2, 0.1, 0.3, 1.0])
@pytest.mark.parametrize("replays", [0, 8])
def test_no_learning_rate_is_catastrophic(
    rate: float, replays: int, clusters: Clusters, factory: Any, test_set: Any
) -> None:
    """New classes alone, one after the other: what TinyOL's head forgets the old ones by."""
    head: Any = with_rate(make("sgd", factory, factory_replay=replays), rate).head()
    before = recalls(head, test_set)
    for label in (6, 7):
        for sample in clusters.draw(label, 60):
            head.update(sample, label)
    after = recalls(head, test_set)
    assert after.mean() > before.mean()
    assert after[:FACTORY].mean() > before[:FACTORY].mean() - 0.35


def test_episodes_find_the_curve_for_skewed_latents() -> None:
    """Averages of rectified values: the spread of an element grows with its mean."""
    rng = np.random.default_rng(3)
    strength = rng.gamma(1.0, 3.0, (CLASSES, SIZE)) + 0.3

    def draw(classes: int, count: int) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int64]]:
        labels = np.repeat(np.arange(classes), count)
        loud = strength[labels] * rng.gamma(1.5, 1.0, (len(labels), SIZE)) * 5
        return np.clip(np.rint(loud) + ZERO_POINT, -128, 127).astype(np.int8), labels

    factory, test = draw(FACTORY, 60), draw(FACTORY, 200)
    chosen, plain = make("slda", factory), make("slda", factory, curve=False)
    assert chosen.options["curve"] == 1 and chosen.notes["curve"] == "square root"
    assert recalls(chosen.head(), test)[:FACTORY].mean() > recalls(plain.head(), test)[:FACTORY].mean() + 0.01


def test_slda_uses_the_covariance_that_means_alone_do_not(factory: Any, test_set: Any) -> None:
    """On these clusters the nearest mean is not enough, and `auto` finds out."""
    selection = choose(*factory, zero_point=ZERO_POINT, scale=0.1, capacity=CLASSES, seeds=2)
    by_name = {row.name: row for row in selection.rows}
    assert selection.winner.kind == "slda"
    assert by_name["slda"].overall > by_name["ncm, euclidean"].overall + 0.05
    assert (
        recalls(make("slda", factory).head(), test_set).mean()
        > recalls(make("ncm", factory, metric="euclidean").head(), test_set).mean()
    )
    assert selection.rows == tuple(sorted(selection.rows, key=lambda row: -row.overall))
    assert all(0 <= row.new <= 1 and row.flash > 0 and row.ram > 0 for row in selection.rows)


def test_choosing_is_deterministic_and_counts_its_steps(factory: Any) -> None:
    calls = []
    few = (factory[0][::4], factory[1][::4])

    def once() -> Any:
        return choose(
            *few, zero_point=0, scale=1.0, capacity=9, shots=5, seeds=1, advance=lambda: calls.append(1)
        )

    assert once() == once()
    assert len(calls) == 2 * steps(seeds=1)
    assert len({candidate.name for candidate in candidates(HeadOptions())}) == steps(seeds=0)


def test_a_cheaper_head_wins_among_equals() -> None:
    """Clusters that any head tells apart: the one with the fewest instructions."""
    labels = np.repeat(np.arange(4), 12)
    latents = np.zeros((48, 8), np.int8)
    latents[np.arange(48), labels] = 100
    latents[:, 4:] = np.random.default_rng(0).integers(-3, 4, (48, 4))
    selection = choose(latents, labels, zero_point=0, scale=1.0, capacity=5, shots=5, seeds=2)
    assert selection.winner.kind == "ncm"
    assert min(row.instructions for row in selection.rows) == next(
        row.instructions for row in selection.rows if row.name == selection.winner.name
    )


def test_too_little_to_choose_from(factory: Any) -> None:
    two = factory[1] < 2
    with pytest.raises(TinycError, match="cannot show how heads learn"):
        choose(factory[0][two], factory[1][two], zero_point=0, scale=1.0, capacity=4)


def test_fits_are_the_same_from_run_to_run(factory: Any) -> None:
    for kind in ("slda", "sgd", "ncm"):
        first, second = make(kind, factory, factory_replay=8), fresh(kind, factory, factory_replay=8)
        assert first.pack(first.factory) == second.pack(second.factory)
        assert first.options == second.options
        for name, table in first.tables.items():
            assert table.tobytes() == second.tables[name].tobytes()


def test_regression_learns_a_linear_rule() -> None:
    rng = np.random.default_rng(1)
    latents = rng.integers(-100, 100, (300, 6)).astype(np.int8)
    rule = rng.normal(0, 0.02, (2, 6))
    targets = (latents @ rule.T + 0.3).astype(np.float32)
    design = fit("regression", latents[:20], targets[:20] * 0, zero_point=0, scale=1.0, capacity=2)
    head: Any = design.head()
    before = head.error(head.scores(latents[-1]), targets[-1])
    for _ in range(4):
        for latent, target in zip(latents[:250], targets[:250], strict=True):
            head.update(latent, target)
    errors = [head.error(head.scores(x), y) for x, y in zip(latents[250:], targets[250:], strict=True)]
    assert np.mean(errors) < 1e-3 < before


def test_an_autoencoder_s_threshold_is_a_quantile_of_the_factory_s_errors() -> None:
    rng = np.random.default_rng(2)
    latents = rng.integers(-50, 50, (400, 4)).astype(np.int8)
    inputs = (latents @ rng.normal(0, 0.05, (4, 20)) + rng.normal(0, 0.1, (400, 20))).astype(np.float32)
    options = HeadOptions(quantile=0.9)
    design = fit("autoencoder", latents, inputs, zero_point=0, scale=1.0, capacity=20, options=options)
    head: Any = design.head()
    errors = np.array([head.error(head.scores(x), y) for x, y in zip(latents, inputs, strict=True)])
    assert abs(np.mean(errors > design.options["threshold"]) - 0.1) < 0.01
    strange = inputs[:50] + rng.normal(0, 1, (50, 20)).astype(np.float32)
    far = np.array([head.error(head.scores(x), y) for x, y in zip(latents, strange, strict=False)])
    assert (far > design.options["threshold"]).all()
    # Learning what is normal here makes it less of an anomaly.
    for _ in range(30):
        head.update(latents[0], strange[0])
    assert head.error(head.scores(latents[0]), strange[0]) < far[0] / 10


def test_all_wrong_options_are_named_at_once(factory: Any) -> None:
    wrong = HeadOptions(shrinkage=0.0, learning_rate=2.0, metric="city block", forget=1, seed=0)
    with pytest.raises(TinycError) as caught:
        fit("lda", *factory, zero_point=0, scale=1.0, capacity=8, options=wrong)
    named = {problem.where for problem in caught.value.problems}
    assert named == {"shrinkage", "learning_rate", "metric", "forget", "factory_weight", "seed", "head"}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 3], "classes without a sample"),
        ([0, 1, 9], "labels reach from 0 to 9"),
        ([0, -1, 1], "labels reach from -1"),
        ([0.0, 1.0, 2.0], "not integers"),
        ([0, 1], "do not go with 2 labels"),
    ],
)
def test_labels_that_do_not_fit(labels: list[int], message: str) -> None:
    with pytest.raises(TinycError, match=message):
        fit("ncm", np.zeros((3, 4), np.int8), np.array(labels), zero_point=0, scale=1.0, capacity=8)


def test_targets_that_do_not_fit() -> None:
    latents = np.zeros((3, 4), np.int8)
    for targets in (np.zeros((3, 2), np.float32), np.full((3, 5), np.nan, np.float32)):
        with pytest.raises(TinycError, match="targets"):
            fit("regression", latents, targets, zero_point=0, scale=1.0, capacity=5)


def test_a_design_checks_its_factory_state(factory: Any) -> None:
    design = make("ncm", factory)
    with pytest.raises(ValueError, match="multiple of four"):
        replace(design, fields=(StateField("flags", "int8", (3,)),))
    with pytest.raises(ValueError, match="factory value of counts"):
        replace(design, factory={**design.factory, "counts": np.zeros(CLASSES, np.int32)})


def test_one_class_and_one_sample_are_enough() -> None:
    for kind in ("slda", "sgd", "ncm"):
        design = fit(kind, np.zeros((1, 3), np.int8), np.array([0]), zero_point=0, scale=1.0, capacity=2)
        head = design.head()
        assert head.predict(np.array([1, 2, 3], np.int8)) == 0
        head.update(np.array([90, -90, 90], np.int8), 1)
        assert np.isfinite(head.scores(np.array([90, -90, 90], np.int8))).all()
