"""The configuration of a federated run: a TOML file, read and checked with all problems at once."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from tinyc.errors import Problem, TinycError, nearest
from tinyc.learning.federation import fleet
from tinyc.learning.federation.client import NetworkShape, TrainConfig
from tinyc.learning.federation.evaluation import Evaluation
from tinyc.learning.federation.robust import Robustness
from tinyc.learning.federation.schedule import Schedule
from tinyc.learning.federation.strategies import NAMES, Strategy, preset
from tinyc.learning.federation.tasks import Family, Sines, check_shape, load_classes

T = TypeVar("T")
_NUMBER: tuple[type, ...] = (int, float)
_INTEGER: tuple[type, ...] = (int,)
_TEXT: tuple[type, ...] = (str,)
_TRUTH: tuple[type, ...] = (bool,)
_KEYS: dict[str, dict[str, tuple[type, ...]]] = {
    "run": {"strategy": _TEXT, "rounds": _INTEGER, "seed": _INTEGER, "devices": _INTEGER},
    "network": {"layers": (list,), "hidden": _TEXT, "loss": _TEXT},
    "task": {"kind": _TEXT, "data": _TEXT, "ways": _INTEGER, "queries": _INTEGER},
    "training": {
        **{"rate": _NUMBER, "samples": _INTEGER, "head_samples": _INTEGER},
        **{"batch_steps": _INTEGER, "head": _TEXT, "top": _NUMBER},
    },
    "schedule": {"kind": _TEXT, "start": _NUMBER, "end": _NUMBER},
    "robust": {
        **{"aggregate": _TEXT, "trim": _NUMBER, "clip": _NUMBER},
        **{"deadline": _NUMBER, "quorum": _INTEGER},
    },
    "evaluation": {
        **{"tasks": _INTEGER, "shots": _INTEGER, "passes": _INTEGER, "rate": _NUMBER},
        **{"online": _TRUTH, "every": _INTEGER},
    },
}
TASKS = ("sine", "classes")


@dataclass(frozen=True, slots=True)
class FederateConfig:
    """A run. `digest` is SHA-256 over everything in the file and the task's data: a run that goes on
    must have the same."""

    path: Path
    digest: str
    rounds: int
    seed: int
    shape: NetworkShape
    strategy: Strategy
    evaluation: Evaluation
    family: Family
    clients: tuple[Mapping[str, Any], ...]


def load_config(path: Path) -> FederateConfig:
    """Read and check a configuration. Raises TinycError with everything that is wrong."""
    try:
        content = path.read_bytes()
        table = tomllib.loads(content.decode("utf-8"))
    except FileNotFoundError as error:
        raise TinycError("no such file", where=str(path)) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TinycError(f"cannot be read: {error}", where=str(path)) from error
    return _Reader(path, table).config()


class _Reader:
    """Builds the parts and collects what is wrong with each."""

    def __init__(self, path: Path, table: dict[str, Any]) -> None:
        self.path = path
        self.table = table
        self.problems: list[Problem] = []
        self.data = b""

    def config(self) -> FederateConfig:
        clients = self._clients()
        self._check_keys()
        self._stop_if_wrong()
        run = self.table.get("run", {})
        rounds, seed = run.get("rounds", 1000), run.get("seed", 0)
        if rounds < 1:
            self.problems.append(Problem("run.rounds", f"is {rounds}", "1 or more"))
        if not 0 <= seed < 2**32:
            self.problems.append(Problem("run.seed", f"is {seed}", "0 to 2**32 − 1"))
        if "layers" not in self.table.get("network", {}):
            self.problems.append(Problem("network.layers", "is missing", "such as [1, 32, 32, 1]"))
        self._stop_if_wrong()
        shape = self._part("network", self._shape)
        strategy = self._part("training", self._strategy)
        family = self._part("task", self._family)
        evaluation = (
            None if strategy is None else self._part("evaluation", lambda: self._evaluation(strategy))
        )
        if shape is not None and family is not None:
            self._part("network", lambda: check_shape(family, shape))
        if strategy is not None and strategy.devices > sum(table.get("count", 1) for table in clients):
            self.problems.append(
                Problem("run.devices", f"is {strategy.devices}", "at most as many as there are clients")
            )
        self._stop_if_wrong()
        assert shape and strategy and family and evaluation
        canonical = json.dumps(self.table, sort_keys=True, default=str).encode() + self.data
        digest = hashlib.sha256(canonical).hexdigest()
        return FederateConfig(self.path, digest, rounds, seed, shape, strategy, evaluation, family, clients)

    def _stop_if_wrong(self) -> None:
        if self.problems:
            raise TinycError("the run is not described well", where=str(self.path), problems=self.problems)

    def _part(self, name: str, make: Callable[[], T]) -> T | None:
        """What `make` gives; its TinycError becomes problems."""
        try:
            return make()
        except TinycError as error:
            self.problems.extend(error.problems or [Problem(error.where or name, error.what, error.allowed)])
            return None

    def _check_keys(self) -> None:
        for name, value in self.table.items():
            if name == "clients":
                continue
            if name not in _KEYS:
                allowed = nearest(name, (*_KEYS, "clients"))
                self.problems.append(Problem(name, "is no table of a run", allowed))
            elif not isinstance(value, dict):
                self.problems.append(Problem(name, f"is {value!r}", f"needs a table: [{name}]"))
            else:
                self._check_table(name, value)

    def _check_table(self, name: str, table: Mapping[str, Any]) -> None:
        for key, value in table.items():
            wanted = _KEYS[name].get(key)
            if wanted is None:
                allowed = nearest(key, tuple(_KEYS[name]))
                self.problems.append(Problem(f"{name}.{key}", "is unknown", allowed))
            elif not isinstance(value, wanted) or (isinstance(value, bool) and wanted != _TRUTH):
                names = " or ".join(each.__name__ for each in wanted)
                self.problems.append(Problem(f"{name}.{key}", f"is {value!r}", names))

    def _clients(self) -> tuple[Mapping[str, Any], ...]:
        tables = self.table.get("clients", [])
        if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables) or not tables:
            self.problems.append(Problem("clients", "is missing", "one [[clients]] table or more"))
            return ()
        self.problems.extend(fleet.problems_of(tables))
        return tuple(tables)

    def _shape(self) -> NetworkShape:
        network = dict(self.table["network"])
        layers = network.pop("layers")
        if not all(isinstance(width, int) and not isinstance(width, bool) for width in layers):
            raise TinycError(f"are {layers}", where="network.layers", allowed="whole numbers")
        return NetworkShape(tuple(layers), **network)

    def _strategy(self) -> Strategy:
        run = self.table.get("run", {})
        name = run.get("strategy", NAMES[0])
        base = preset(name)
        training: TrainConfig = replace(base.training, **self.table.get("training", {}))
        schedule: Schedule = replace(base.schedule, **self.table.get("schedule", {}))
        robustness: Robustness = replace(base.robustness, **self.table.get("robust", {}))
        return replace(
            base,
            training=training,
            schedule=schedule,
            robustness=robustness,
            devices=run.get("devices", base.devices),
        )

    def _evaluation(self, strategy: Strategy) -> Evaluation:
        training = strategy.training
        base = Evaluation(rate=training.rate, head_zero=training.head != "shared")
        return replace(base, **self.table.get("evaluation", {}))

    def _family(self) -> Family:
        task = self.table.get("task", {})
        kind = task.get("kind", "sine")
        if kind not in TASKS:
            raise TinycError(f"is {kind!r}", where="task.kind", allowed=nearest(kind, TASKS))
        if kind == "sine":
            return Sines()
        if "data" not in task:
            raise TinycError("is missing", where="task.data", allowed="an .npz with `train` and `test`")
        data = self.path.parent / task["data"]
        family = load_classes(data, task.get("ways", 5), task.get("queries", 15))
        self.data = hashlib.sha256(data.read_bytes()).digest()
        return family
