"""What the federated benchmarks share: a run of simulated devices by the product's own loop."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from tinyc.learning.federation.client import NetworkShape, Vector
from tinyc.learning.federation.evaluation import Evaluation, episodes, evaluate
from tinyc.learning.federation.numpy_client import SimulatedClient
from tinyc.learning.federation.rounds import Run
from tinyc.learning.federation.settings import FederateConfig
from tinyc.learning.federation.state import RunState, totals
from tinyc.learning.federation.strategies import Strategy
from tinyc.learning.federation.tasks import Family

Tests = tuple[tuple[str, Evaluation], ...]
"""Name of a score → how it is measured."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One row of a table: a run, and how its result is tested."""

    name: str
    shape: NetworkShape
    strategy: Strategy
    rounds: int
    devices: int
    tests: Tests
    force: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """Scores of a plan with one seed. up: bytes of one delta, mean over the run."""

    name: str
    seed: int
    scores: dict[str, float]
    up: float


def train(plan: Plan, family: Family, seed: int) -> tuple[Vector, float]:
    """The parameters after all rounds, and the mean bytes of a delta."""
    last = replace(plan.tests[0][1], tasks=1, every=0)
    path = Path(plan.name)
    config = FederateConfig(path, "", plan.rounds, seed, plan.shape, plan.strategy, last, family, ())
    clients = [
        SimulatedClient(f"sim-{number}", plan.shape, family.task(number)) for number in range(plan.devices)
    ]
    with tempfile.TemporaryDirectory() as folder, RunState(Path(folder) / "run", create=True) as state:
        parameters = Run(config, clients, state, force=plan.force).advance().parameters
        summed = totals(state.records())
    return parameters, summed["sent_bytes"] / summed["asked"]


def measure(plan: Plan, family: Family, seed: int) -> Result:
    """One run and its scores."""
    parameters, up = train(plan, family, seed)
    scores = {}
    for name, evaluation in plan.tests:
        tests = episodes(family, evaluation.tasks, evaluation.shots)
        scores[name] = evaluate(plan.shape, parameters, tests, evaluation).mean
    return Result(plan.name, seed, scores, up)


_family: Family | None = None


def _start(family: Family) -> None:
    global _family
    _family = family


def _measure(plan: Plan, seed: int) -> Result:
    assert _family is not None
    return measure(plan, _family, seed)


def measure_all(plans: Sequence[Plan], family: Family, seeds: Sequence[int]) -> list[Result]:
    """All plans with all seeds, spread over the processors."""
    workers = min(os.cpu_count() or 1, 4)
    with ProcessPoolExecutor(workers, initializer=_start, initargs=(family,)) as pool:
        work = [pool.submit(_measure, plan, seed) for plan in plans for seed in seeds]
        return [each.result() for each in work]


@dataclass(frozen=True, slots=True)
class Row:
    """A plan over its seeds: mean and standard deviation of each score."""

    name: str
    seeds: int
    means: dict[str, float]
    spreads: dict[str, float]
    up: float


def rows(results: Sequence[Result]) -> list[Row]:
    """One row a plan, in their order."""
    made = []
    for name in dict.fromkeys(result.name for result in results):
        group = [result for result in results if result.name == name]
        columns = {test: [result.scores[test] for result in group] for test in group[0].scores}
        made.append(
            Row(
                name,
                len(group),
                {test: statistics.fmean(values) for test, values in columns.items()},
                {
                    test: statistics.stdev(values) if len(group) > 1 else 0.0
                    for test, values in columns.items()
                },
                statistics.fmean(result.up for result in group),
            )
        )
    return made


def table(title: str, made: Sequence[Row]) -> str:
    """The rows as Markdown."""
    tests = list(made[0].means)
    lines = [f"{title}\n", "| run | seeds | " + " | ".join(tests) + " | bytes up a device and round |"]
    lines.append("|---" * (len(tests) + 3) + "|")
    for row in made:
        cells = [f"{row.means[test]:.3f} ± {row.spreads[test]:.3f}" for test in tests]
        lines.append(f"| {row.name} | {row.seeds} | " + " | ".join(cells) + f" | {row.up:,.0f} |")
    return "\n".join(lines)


def bar(row: Row, test: str, limit: float, lower_is_better: bool) -> dict[str, object]:
    """A figure with its bar, for `benchmarks/learning.py --json`."""
    mean = row.means[test]
    met = mean <= limit if lower_is_better else mean >= limit
    return {"mean": mean, "spread": row.spreads[test], "seeds": row.seeds, "bar": limit, "met": met}
