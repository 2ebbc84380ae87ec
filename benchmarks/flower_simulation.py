"""TinyReptile on sine waves with Flower: many simulated SuperNodes on this machine, one device each.

    python benchmarks/flower_simulation.py --supernodes 100 --rounds 20 [--json FILE]

Needs the extra `flower`. Prints seconds a round and the few-shot error on unseen waves before and after.
Which devices a round asks is up to the numbers that Flower gives its nodes, so two runs differ a little.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

# Before flwr is imported.
os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import numpy as np

from tinyc.learning.federation.client import NetworkShape, Vector
from tinyc.learning.federation.evaluation import Evaluation, episodes, evaluate
from tinyc.learning.federation.numpy_client import SimulatedClient
from tinyc.learning.federation.strategies import Strategy, preset
from tinyc.learning.federation.tasks import Sines

SHAPE = NetworkShape((1, 32, 32, 1), "tanh", "mse")


def few_shot(parameters: Vector) -> float:
    """Mean squared error on 100 unseen waves after 8 steps on 8 samples."""
    settings = Evaluation(tasks=100, shots=8, passes=8, rate=0.02)
    return evaluate(SHAPE, parameters, episodes(Sines(), 100, 8), settings).mean


def simulate(supernodes: int, rounds: int, strategy: Strategy, seed: int = 0) -> dict[str, Any]:
    """The run over Flower's simulation; figures by name."""
    from flwr.app import Context
    from flwr.simulation import run_simulation

    from tinyc.learning.federation.flower import FlowerStrategy, client_app, server_app

    def make(context: Context) -> SimulatedClient:
        number = int(context.node_config["partition-id"])
        return SimulatedClient(f"sim-{number}", SHAPE, Sines().task(number))

    finished: list[FlowerStrategy] = []
    seconds: list[float] = []

    def strategy_of(context: Context) -> FlowerStrategy:
        seconds.append(time.monotonic())
        return FlowerStrategy(strategy, SHAPE, rounds, seed=seed)

    def done(context: Context, made: FlowerStrategy) -> None:
        seconds.append(time.monotonic())
        finished.append(made)

    begun = time.monotonic()
    run_simulation(
        server_app=server_app(strategy_of, done),
        client_app=client_app(make),
        num_supernodes=supernodes,
        backend_config={"client_resources": {"num_cpus": 1.0, "num_gpus": 0.0}},
    )
    (made,) = finished
    return {
        "supernodes": supernodes,
        "devices_a_round": strategy.devices,
        "rounds": rounds,
        "seconds_a_round": (seconds[1] - seconds[0]) / rounds,
        "seconds": time.monotonic() - begun,
        "problems": made.problems,
        "mse_before": few_shot(SHAPE.initial(seed)),
        "mse_after": few_shot(made.parameters),
        "moved": float(np.abs(made.parameters - SHAPE.initial(seed)).max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--supernodes", type=int, default=100)
    parser.add_argument("--devices", type=int, default=10, help="SuperNodes asked in a round")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    strategy = replace(preset("tinyreptile"), devices=arguments.devices)
    figures = simulate(arguments.supernodes, arguments.rounds, strategy)
    text = json.dumps(figures, indent=1)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
