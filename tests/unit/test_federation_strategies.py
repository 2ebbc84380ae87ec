"""The strategies' mathematics, the schedule's check, and each defence with what happens without it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from support.federation import SHAPE, update
from tinyc.errors import TinycError
from tinyc.learning.federation import robust
from tinyc.learning.federation.client import ClientError, NetworkShape, TrainConfig, Vector
from tinyc.learning.federation.evaluation import Evaluation, episodes, evaluate
from tinyc.learning.federation.numpy_client import Faults, SimulatedClient
from tinyc.learning.federation.robust import Robustness
from tinyc.learning.federation.schedule import Schedule
from tinyc.learning.federation.strategies import NAMES, Strategy, preset
from tinyc.learning.federation.tasks import Classes, Sines

pytestmark = pytest.mark.unit

SIZE = SHAPE.parameters


def vector(seed: int) -> Vector:
    return np.random.default_rng(seed).normal(0, 1, SIZE).astype(np.float32)


def plain(**changes: object) -> Strategy:
    """A strategy without defences but the screen."""
    settings: dict[str, object] = {"clip": 0.0} | changes
    return replace(preset("tinyreptile"), devices=9, robustness=Robustness(**settings))  # type: ignore[arg-type]


def test_serial_step_is_reptiles() -> None:
    phi, delta = vector(0), vector(1)
    moved = plain().apply(phi, [update(delta)], 0.25).parameters
    np.testing.assert_allclose(moved, phi + 0.25 * delta, rtol=1e-6)


def test_a_round_of_several_is_their_mean() -> None:
    phi, deltas = vector(0), [vector(seed) for seed in range(1, 5)]
    moved = plain().apply(phi, [update(delta) for delta in deltas], 0.5).parameters
    np.testing.assert_allclose(moved, phi + 0.5 * np.mean(deltas, axis=0), rtol=1e-5, atol=1e-6)


def test_fedavg_counts_samples() -> None:
    phi, first, second = vector(0), vector(1), vector(2)
    strategy = replace(preset("fedavg"), robustness=Robustness(clip=0))
    updates = [update(first, samples=30), update(second, samples=10)]
    moved = strategy.apply(phi, updates, 1.0).parameters
    np.testing.assert_allclose(moved, phi + 0.75 * first + 0.25 * second, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_presets_are_what_their_papers_say(name: str) -> None:
    training = preset(name).training
    assert (training.batch_steps > 0) == (name == "reptile")
    assert (training.head != "shared") == (name == "tinymetafed")
    assert (training.top < 1) == (name == "tinymetafed")
    assert preset(name).weighted == (name == "fedavg")


def test_local_head_stays_on_the_device() -> None:
    shape = NetworkShape((1, 6, 1))
    client = SimulatedClient("sim", shape, Sines().task(0))
    strategy = preset("tinymetafed")
    phi = shape.initial(0)
    answer = client.train(phi, strategy.configure(1))
    assert not answer.delta[shape.head].any()
    assert 0 < np.count_nonzero(answer.delta) <= 6
    # It starts at zero on the device, whatever the server has there.
    other = phi.copy()
    other[shape.head] = 99.0
    np.testing.assert_array_equal(answer.delta, client.train(other, strategy.configure(1)).delta)
    moved = strategy.apply(phi, [answer], 0.5).parameters
    np.testing.assert_array_equal(moved[shape.head], phi[shape.head])


def test_a_kept_head_goes_on_and_survives_a_restart() -> None:
    shape = NetworkShape((1, 6, 1))
    config = TrainConfig(0.02, 8, head_samples=4, head="kept")
    client = SimulatedClient("sim", shape, Sines().task(0))
    phi = shape.initial(0)
    first = client.train(phi, config)
    after = SimulatedClient("sim", shape, Sines().task(0))
    after.restore(client.state())
    second = client.train(phi, config)
    np.testing.assert_array_equal(second.delta, after.train(phi, config).delta)
    assert (second.delta != first.delta).any()
    with pytest.raises(TinycError, match="another network"):
        after.restore(b"1234")


@pytest.mark.parametrize(
    ("schedule", "steps"),
    [
        (Schedule("constant", 0.3), [0.3, 0.3, 0.3, 0.3]),
        (Schedule("linear", 0.8, 0.0), [0.8, 0.6, 0.4, 0.2]),
        (Schedule("cosine", 1.0, 0.0), [1.0, 0.853553, 0.5, 0.146447]),
        (Schedule("linear", 0.8, 0.4), [0.8, 0.7, 0.6, 0.5]),
    ],
)
def test_schedules(schedule: Schedule, steps: list[float]) -> None:
    assert [schedule.step(number, 4) for number in range(4)] == pytest.approx(steps, abs=1e-6)


def test_constant_one_is_refused_where_labels_are_permuted() -> None:
    fixed = replace(preset("tinyreptile"), schedule=Schedule("constant", 1.0))
    with pytest.raises(TinycError, match="numbers its classes in its own way") as refused:
        fixed.check(label_permuted=True, force=False)
    assert "--force" in refused.value.hint
    fixed.check(label_permuted=True, force=True)
    fixed.check(label_permuted=False, force=False)
    for schedule in (Schedule("constant", 0.99), Schedule("linear", 1.0), Schedule("cosine", 1.0)):
        replace(fixed, schedule=schedule).check(label_permuted=True, force=False)
    with pytest.raises(TinycError, match="numbers its classes"):
        preset("fedavg").check(label_permuted=True, force=False)


def blobs() -> Classes:
    """60 classes of noisy points in the plane of 8 numbers; the first 45 train."""
    generator = np.random.default_rng(0)
    centres = generator.normal(0, 1, (60, 1, 8))
    points = (centres + generator.normal(0, 0.7, (60, 20, 8))).astype(np.float32)
    return Classes(points[:45], points[45:], 5, queries=10)


def test_what_constant_one_does_there() -> None:
    """The check is no superstition: the same run is worse with a constant step of 1.0."""
    family, shape = blobs(), NetworkShape((8, 16, 5), "leaky", "softmax")
    tests = episodes(family, 60, 2)
    scores = {}
    for schedule in (Schedule("linear", 0.3), Schedule("constant", 1.0)):
        strategy = replace(preset("tinyreptile"), training=TrainConfig(0.1, 40), schedule=schedule)
        phi, recent = shape.initial(0), ()
        for number in range(200):
            client = SimulatedClient("sim", shape, family.task(number))
            answer = client.train(phi, strategy.configure(number))
            outcome = strategy.apply(phi, [answer], schedule.step(number, 200), recent)
            phi, recent = outcome.parameters, outcome.recent
        scores[schedule.kind] = evaluate(shape, phi, tests, Evaluation(rate=0.1, online=True, passes=1)).mean
    assert scores["linear"] > scores["constant"] + 0.05


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (update(np.full(SIZE, np.nan)), "NaN"),
        (update(np.full(SIZE, np.inf)), "NaN or infinity"),
        (update(np.zeros(SIZE - 1)), "a delta of"),
        (update(np.zeros(SIZE), loss=float("nan")), "impossible figures"),
        (update(np.zeros(SIZE), samples=-1), "impossible figures"),
    ],
)
def test_impossible_answers_are_refused(answer: object, why: str) -> None:
    phi, good = vector(0), vector(1)
    outcome = plain().apply(phi, [answer, update(good)], 0.5)  # type: ignore[list-item]
    assert [place for place, _ in outcome.refused] == [0]
    assert why in outcome.refused[0][1]
    np.testing.assert_allclose(outcome.parameters, phi + 0.5 * good, rtol=1e-6)


def test_without_the_screen_one_nan_is_everywhere() -> None:
    combined = robust.combine([vector(0), np.full(SIZE, np.nan, np.float32)], [1, 1], "mean", 0)
    assert np.isnan(combined).all()


def test_a_round_below_its_quorum_moves_nothing() -> None:
    phi = vector(0)
    strategy = plain(quorum=2)
    outcome = strategy.apply(phi, [update(vector(1)), update(np.full(SIZE, np.nan))], 1.0)
    assert not outcome.applied
    np.testing.assert_array_equal(outcome.parameters, phi)
    assert strategy.apply(phi, [], 1.0).parameters is phi


def honest_and(liars: int, times: float) -> tuple[list[Vector], list[Vector]]:
    """Seven honest deltas that agree but for noise, and liars who send them `times` as long."""
    truth = vector(9)
    honest = [truth + 0.1 * vector(seed) for seed in range(7)]
    return honest, [np.float32(times) * truth for _ in range(liars)]


@pytest.mark.parametrize(
    ("defence", "times"),
    [
        ({"aggregate": "median"}, -100.0),
        ({"aggregate": "trimmed", "trim": 0.23}, -100.0),
        ({"aggregate": "trimmed", "trim": 0.23}, 100.0),
        ({"clip": 1.5}, 100.0),
    ],
)
def test_liars_among_honest_devices(defence: dict[str, object], times: float) -> None:
    phi = vector(0)
    honest, lies = honest_and(2, times)
    truth = np.mean(honest, axis=0)
    recent = tuple(robust.norm(delta) for delta in honest) * 2
    updates = [update(delta) for delta in (*honest, *lies)]
    undefended = plain().apply(phi, updates, 1.0, recent).parameters - phi
    assert robust.norm(undefended - truth) > 5 * robust.norm(truth)
    defended = plain(**defence).apply(phi, updates, 1.0, recent).parameters - phi
    assert robust.norm(defended - truth) < 0.35 * robust.norm(truth)


def test_clipping_tells_whom_and_does_not_learn_from_liars() -> None:
    phi = vector(0)
    strategy = plain(clip=2.0)
    recent = (1.0,) * 20
    unit = vector(1) / np.float32(robust.norm(vector(1)))
    outcome = strategy.apply(phi, [update(unit), update(unit * 50)], 1.0, recent)
    assert outcome.clipped == (1,)
    assert outcome.recent[-2:] == pytest.approx((1.0, 2.0), rel=1e-5)
    # The first rounds have nothing to compare with: a delta may be as long as the parameters.
    first = strategy.apply(phi, [update(unit * 1000)], 1.0)
    assert robust.norm(first.parameters - phi) == pytest.approx(robust.norm(phi), rel=1e-5)


def test_overlong_deltas_that_overflow_are_clipped_too() -> None:
    phi = vector(0)
    huge = update(np.full(SIZE, 3e38, np.float32))
    outcome = plain(clip=2.0).apply(phi, [huge], 1.0, (1.0,) * 10)
    assert robust.norm(outcome.parameters - phi) == pytest.approx(2.0, rel=1e-4)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: Schedule("step"), "unknown kind"),  # type: ignore[arg-type]
        (lambda: Schedule("linear", 1.5), "start = 1.5"),
        (lambda: Schedule("linear", 0.5, 0.6), "end = 0.6"),
        (lambda: Robustness("krum"), "unknown aggregate"),  # type: ignore[arg-type]
        (lambda: Robustness(trim=0.5), "trim = 0.5"),
        (lambda: Robustness(clip=0.5), "clip = 0.5"),
        (lambda: preset("fedprox"), "unknown strategy"),
        (lambda: Faults(dropout=2), "dropout = 2"),
        (lambda: Faults(poison="rude"), "unknown poison"),  # type: ignore[arg-type]
    ],
)
def test_values_out_of_range_are_refused(make: object, what: str) -> None:
    with pytest.raises(TinycError, match=what):
        make()  # type: ignore[operator]


def test_all_mistakes_of_a_strategy_are_told_at_once() -> None:
    with pytest.raises(TinycError) as refused:
        replace(
            preset("tinyreptile"),
            devices=0,
            training=TrainConfig(rate=-1, samples=0, top=0.0),
            robustness=Robustness("median", quorum=2),
        )
    told = [problem.where for problem in refused.value.problems]
    assert told == ["devices", "rate", "samples", "top", "aggregate", "quorum"]


def test_faults_are_the_same_each_time() -> None:
    client = SimulatedClient("sim", SHAPE, Sines().task(0), Faults(dropout=0.3, slow=0.3))
    config = TrainConfig(0.02, 4)

    def history() -> list[float | None]:
        times: list[float | None] = []
        for seed in range(60):
            try:
                times.append(client.train(SHAPE.initial(0), replace(config, seed=seed)).seconds)
            except ClientError:
                times.append(None)
        return times

    first = history()
    assert first == history()
    assert 8 <= first.count(None) <= 30
    assert len({time for time in first if time is not None}) == 2
