"""Omniglot 5-way 5-shot after federated meta-learning: `python benchmarks/learning_omniglot.py`.

Protocol: 14 × 14 pixels (ink shrunk by area, centred and scaled by two constants of the background set),
dense 196-64-32-5 (14,853 parameters), leaky units. 2,000 simulated devices, each with five of the 964
background characters turned by 0, 90, 180 or 270 degrees (3,856 classes), numbered in its own way; one
device a round, 50 samples online, 10,000 rounds. Test: 400 tasks of five of the 659 evaluation
characters, five support and 15 query images each, one step a sample at the training rate, after one pass
and after eight. Rate, schedule and units were chosen on six alphabets of the background set held out for
that; the evaluation set was not used to choose. The spread is over seeds of the run.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

import omniglot_data
from federation_runs import Plan, Row, Tests, bar, measure_all, rows, table
from tinyc.learning.federation.client import NetworkShape, TrainConfig
from tinyc.learning.federation.evaluation import Evaluation
from tinyc.learning.federation.schedule import Schedule
from tinyc.learning.federation.strategies import Strategy, preset
from tinyc.learning.federation.tasks import Classes

SHAPE = NetworkShape((196, 64, 32, 5), "leaky", "softmax")
MEAN, SCALE = np.float32(0.087), np.float32(0.44)
RATE, SAMPLES = 0.06, 50
SEEDS = 3
ONE, EIGHT = "accuracy, 1 pass", "accuracy, 8 passes"


def load(shared: Path) -> Classes:
    """The family of tasks from the shared data."""
    background, evaluation = omniglot_data.load(shared, 14)
    parts = [(part - MEAN) / SCALE for part in (omniglot_data.rotated(background), evaluation)]
    flat = [part.reshape(*part.shape[:2], -1).astype(np.float32) for part in parts]
    return Classes(flat[0], flat[1], 5, 15)


def plans(quick: bool) -> list[Plan]:
    """The rows of the table."""
    rounds = 300 if quick else 10000
    base = replace(
        preset("tinyreptile"), training=TrainConfig(RATE, SAMPLES), schedule=Schedule("linear", 0.3)
    )
    tests: Tests = (
        (ONE, Evaluation(400, 5, 1, RATE, online=True)),
        (EIGHT, Evaluation(400, 5, 8, RATE, online=True)),
    )
    local: Tests = tuple((name, replace(test, head_zero=True)) for name, test in tests)
    metafed = TrainConfig(RATE, SAMPLES, head_samples=20, head="zero", top=0.5)

    def plan(name: str, strategy: Strategy, tested: Tests = tests, force: bool = False) -> Plan:
        return Plan(name, SHAPE, strategy, rounds, 2000, tested, force)

    def top(part: float) -> Strategy:
        return replace(base, training=TrainConfig(RATE, SAMPLES, top=part))

    return [
        plan("tinyreptile, float32 deltas", base),
        plan("tinyreptile, top 50 %, int8", top(0.5)),
        plan("tinyreptile, top 20 %, int8", top(0.2)),
        plan("tinymetafed, local head, top 50 %, int8", replace(base, training=metafed), local),
        plan(
            "tinyreptile, constant outer step 1.0 (--force)",
            replace(base, schedule=Schedule("constant", 1.0)),
            force=True,
        ),
    ]


def measured(shared: Path, quick: bool = False) -> list[Row]:
    """The table's rows."""
    return rows(measure_all(plans(quick), load(shared), range(1 if quick else SEEDS)))


def bars(made: list[Row]) -> dict[str, dict[str, object]]:
    """The figures that have a bar, by name. Top 50 % is without loss if it is within 0.01 of all."""
    full, half = made[0], made[1]
    return {
        "omniglot_5way_5shot_one_pass": bar(full, ONE, 0.75, False),
        "omniglot_5way_5shot_eight_passes": bar(full, EIGHT, 0.85, False),
        "omniglot_top_50_percent_one_pass": bar(half, ONE, full.means[ONE] - 0.01, False),
        "omniglot_top_50_percent_eight_passes": bar(half, EIGHT, full.means[EIGHT] - 0.01, False),
    }


if __name__ == "__main__":
    import os
    import sys

    folder = Path(os.environ.get("TINYC_SHARED", "../shared"))
    print(table("Omniglot, 5-way 5-shot", measured(folder, "--quick" in sys.argv)))
