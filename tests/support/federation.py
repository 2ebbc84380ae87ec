"""Small federated runs for tests: sines, few rounds, simulated devices."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinyc.learning.federation.client import Client, NetworkShape, TrainConfig, Update, Vector
from tinyc.learning.federation.fleet import make_clients
from tinyc.learning.federation.rounds import Run
from tinyc.learning.federation.settings import FederateConfig, load_config
from tinyc.learning.federation.state import Progress, RoundRecord, RunState, Tally

SHAPE = NetworkShape((1, 8, 1))
BASE: dict[str, dict[str, Any]] = {
    "run": {"strategy": "tinyreptile", "rounds": 30, "seed": 3, "devices": 1},
    "network": {"layers": list(SHAPE.layers), "hidden": "tanh", "loss": "mse"},
    "task": {"kind": "sine"},
    "training": {"rate": 0.02, "samples": 8},
    "schedule": {"kind": "linear", "start": 0.5},
    "robust": {},
    "evaluation": {"tasks": 20, "shots": 8, "passes": 8},
}
TEN: tuple[Mapping[str, Any], ...] = ({"kind": "simulated", "count": 10},)


def config_text(clients: Sequence[Mapping[str, Any]] = TEN, **changes: Mapping[str, Any]) -> str:
    """A configuration: BASE, changed table by table."""
    lines = []
    for name, table in BASE.items():
        lines.append(f"[{name}]")
        lines.extend(f"{key} = {json.dumps(value)}" for key, value in (table | changes.get(name, {})).items())
    for table in clients:
        lines.append("[[clients]]")
        lines.extend(f"{key} = {json.dumps(value)}" for key, value in table.items())
    return "\n".join(lines) + "\n"


def write_config(
    folder: Path, clients: Sequence[Mapping[str, Any]] = TEN, **changes: Mapping[str, Any]
) -> Path:
    """`run.toml` in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "run.toml"
    path.write_text(config_text(clients, **changes))
    return path


class Ended:
    """A run in the end: its progress, its rounds, and what each device did."""

    def __init__(self, state: RunState) -> None:
        progress = state.progress()
        assert progress is not None
        self.progress: Progress = progress
        self.records: list[RoundRecord] = state.records()
        self.tallies: dict[str, Tally] = state.tallies()

    @property
    def score(self) -> float | None:
        """That of the last round."""
        return self.records[-1].score


def clients_of(config: FederateConfig) -> list[Client]:
    return make_clients(config.clients, config.shape, config.family, config.path.parent)


def run(
    folder: Path,
    clients: Sequence[Mapping[str, Any]] = TEN,
    *,
    make: Callable[[FederateConfig], Sequence[Client]] = clients_of,
    force: bool = False,
    **changes: Mapping[str, Any],
) -> Ended:
    """A whole run in the folder."""
    config = load_config(write_config(folder, clients, **changes))
    with RunState(folder / "run.run", create=True) as state:
        Run(config, make(config), state, force=force).advance()
        return Ended(state)


class Scripted:
    """A device that answers what a function says; not simulated, so it is asked in a thread of its own."""

    def __init__(
        self, name: str, answer: Callable[[Vector, TrainConfig], Update], shape: NetworkShape = SHAPE
    ) -> None:
        self.name = name
        self._answer = answer
        self._shape = shape
        self.kept = b""

    def shape(self) -> NetworkShape:
        return self._shape

    def train(self, parameters: Vector, config: TrainConfig) -> Update:
        return self._answer(parameters, config)

    def state(self) -> bytes:
        return self.kept

    def restore(self, state: bytes) -> None:
        self.kept = state

    def close(self) -> None:
        """Nothing is held."""


def update(delta: Vector, **changes: Any) -> Update:
    """An answer with this delta."""
    values = {"samples": 8, "loss": 1.0, "seconds": 0.0, "sent_bytes": 0, "received_bytes": 0} | changes
    return Update(np.asarray(delta, np.float32), **values)
