"""Few-shot regression of sine waves after federated meta-learning: `python benchmarks/learning_sine.py`.

Protocol: a network 1-32-32-1 with tanh (1,153 parameters). Each device has a sine of its own, amplitude
U[0.1, 5], phase U[0, π], x in [−5, 5] (MAML, 2017). 1,000 simulated devices, one a round (reptile: five).
Test: 500 unseen sines, 8 samples each, mean squared error on 100 places of [−5, 5], after 8 steps along
the mean gradient of the 8 samples, and after one online pass (8 steps of one sample) at the training rate.
A step along a mean bears a larger rate: twice the training rate was the best of half, one and two times on
200 other sines; the figure at the training rate stands beside it. The spread is over seeds of the run.
"""

from __future__ import annotations

from dataclasses import replace

from federation_runs import Plan, Row, Tests, bar, measure_all, rows, table
from tinyc.learning.federation.client import NetworkShape, TrainConfig
from tinyc.learning.federation.evaluation import Evaluation
from tinyc.learning.federation.schedule import Schedule
from tinyc.learning.federation.strategies import Strategy, preset
from tinyc.learning.federation.tasks import Sines

SHAPE = NetworkShape((1, 32, 32, 1), "tanh", "mse")
RATE, BATCH_RATE = 0.04, 0.08
SEEDS = 5
BATCH, SAME_RATE = "MSE, 8 batch steps", "MSE, 8 batch steps at the training rate"
ONLINE = "MSE, 8 online steps"
LIMIT = 0.16


def plans(quick: bool) -> list[Plan]:
    """The rows of the table."""
    short, long = (500, 1000) if quick else (5000, 20000)
    reptile = replace(preset("tinyreptile"), schedule=Schedule("cosine", 0.5))
    online = replace(reptile, training=TrainConfig(RATE, 32))
    tests: Tests = (
        (BATCH, Evaluation(500, 8, 8, BATCH_RATE)),
        (SAME_RATE, Evaluation(500, 8, 8, RATE)),
        (ONLINE, Evaluation(500, 8, 1, RATE, online=True)),
    )
    local = tuple((name, replace(test, head_zero=True)) for name, test in tests)
    metafed = TrainConfig(RATE, 24, head_samples=8, head="zero", top=0.5)
    batch = replace(preset("reptile"), training=TrainConfig(RATE, 10, batch_steps=8))

    def plan(name: str, strategy: Strategy, rounds: int, tested: Tests = tests) -> Plan:
        return Plan(name, SHAPE, strategy, rounds, 1000, tested)

    return [
        plan(f"tinyreptile, {short:,} rounds", online, short),
        plan(f"tinyreptile, {long:,} rounds", online, long),
        plan(
            f"tinyreptile, top 50 %, {short:,} rounds",
            replace(online, training=TrainConfig(RATE, 32, top=0.5)),
            short,
        ),
        plan(f"tinymetafed, {short:,} rounds", replace(online, training=metafed), short, local),
        plan(f"reptile, {short:,} rounds", replace(batch, schedule=Schedule("cosine", 0.5)), short),
    ]


def measured(quick: bool = False) -> list[Row]:
    """The table's rows."""
    seeds = range(1 if quick else SEEDS)
    return rows(measure_all(plans(quick), Sines(), seeds))


def bars(made: list[Row]) -> dict[str, dict[str, object]]:
    """The figures that have a bar, by name."""
    return {
        "sine_mse_after_8_steps": bar(made[0], BATCH, LIMIT, True),
        "sine_mse_after_8_steps_20000_rounds": bar(made[1], BATCH, LIMIT, True),
        "sine_mse_after_8_online_steps_20000_rounds": bar(made[1], ONLINE, LIMIT, True),
    }


if __name__ == "__main__":
    import sys

    print(table("Sine regression, few-shot", measured("--quick" in sys.argv)))
