"""What a user says about learning on the device: the table `[learn]` of `tinyc.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from tinyc.errors import Problem, TinycError, nearest
from tinyc.learning.fit import HeadOptions

AUTO = "auto"
MORE_CLASSES = 4
"""Classes beyond the factory's that there is room for, unless the user says how many."""
HEADS = ("slda", "sgd", "ncm", "regression", "autoencoder", "sparse")

# Inclusive bounds of the whole numbers.
_BOUNDS = {
    "capacity": (1, 64),
    "samples": (1, 1_000_000),
    "held_out": (1, 64),
    "guard_per_class": (1, 32),
    "arl0": (100, 10_000_000),
    "min_updates": (1, 10_000),
    "ram": (256, 1_048_576),
    "erase_cycles": (1, 10_000_000),
    "saves_per_day": (1, 86_400),
}
# Keys that may be left out and then depend on the model.
_OPTIONAL = ("capacity", "samples", "ram")


@dataclass(frozen=True, slots=True)
class LearnSettings:
    """`head` is `auto` or one of HEADS; `tap` the layer whose output the head reads, None: what the last
    dense layer reads.

    `capacity`: classes there is room for, None: four more than the model has; `samples`: of the data at most
    so many are used, evenly spread, None: all. `data`: an `.npz` with `inputs` and `labels` from which the
    head's statistics, the guard set and the drift threshold come; it has to be other data than the
    evaluation's. `held_out`: labelled samples that the device keeps to judge a head by; `guard_per_class`:
    samples of each class that are shipped with the firmware for the same. `arl0`: inferences between two
    false alarms of the drift detector, on average. `min_updates`: updates between two saves, at least.
    `ram`: bytes that `sparse` may take, None: 64 kB; `update`: the layers that it trains, each `LAYER`,
    `LAYER:SHARE`, `LAYER:bias`, `LAYER:gain` or a norm, none: those that give most within `ram`.
    `erase_cycles` of a flash page and `saves_per_day` give the years that the flash lasts. `options` are
    those of the head; in the table they are keys like the others.
    Raises TinycError that lists every setting that is impossible.
    """

    head: str = AUTO
    tap: str | None = None
    capacity: int | None = None
    data: Path | None = None
    samples: int | None = None
    held_out: int = 8
    guard_per_class: int = 8
    arl0: int = 10_000
    min_updates: int = 8
    ram: int | None = None
    update: tuple[str, ...] = ()
    erase_cycles: int = 10_000
    saves_per_day: int = 24
    options: HeadOptions = field(default_factory=HeadOptions)

    def __post_init__(self) -> None:
        problems = self._problems()
        if problems:
            raise TinycError("the settings of learning are not possible", where="[learn]", problems=problems)

    @classmethod
    def from_toml(cls, table: Mapping[str, Any], folder: Path) -> LearnSettings:
        """The table `[learn]`; what it leaves out keeps its default, `data` is relative to `folder`.

        Raises TinycError that lists every key that is unknown, every value that is impossible and data that
        are not there.
        """
        own = [each.name for each in fields(cls) if each.name != "options"]
        names = [*own, *(each.name for each in fields(HeadOptions))]
        problems = [
            Problem(f"learn.{key}", "is not a key of learning", nearest(key, names))
            for key in table
            if key not in names
        ]
        values = {key: value for key, value in table.items() if key in own}
        update = values.pop("update", [])
        if isinstance(update, list) and all(isinstance(name, str) and name for name in update):
            values["update"] = tuple(update)
        else:
            problems.append(Problem("learn.update", f"is {update!r}", "needs a list of layers"))
        values["options"] = _options(table, problems)
        data = values.pop("data", None)
        if data is not None:
            if not isinstance(data, str) or not data.strip():
                problems.append(Problem("learn.data", f"is {data!r}", "needs the path of an .npz"))
            elif not (folder / data).is_file():
                problems.append(Problem("learn.data", f"names {data!r}, which is not there"))
            else:
                values["data"] = folder / data
        try:
            settings = cls(**values)
        except TinycError as error:
            problems += error.problems
        if problems:
            raise TinycError("the settings of learning are not possible", where="[learn]", problems=problems)
        return settings

    def to_json(self) -> dict[str, Any]:
        """Without the path of the data, which is of no use to who has the firmware."""
        values = asdict(self)
        del values["data"]
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> LearnSettings:
        """The inverse of `to_json`. Raises TypeError for unknown keys, TinycError for bad values."""
        return cls(
            **{**values, "update": tuple(values["update"]), "options": HeadOptions(**values["options"])}
        )

    def _problems(self) -> list[Problem]:
        found = []
        if self.head not in (AUTO, *HEADS):
            found.append(Problem("learn.head", f"is {self.head!r}", nearest(str(self.head), (AUTO, *HEADS))))
        if self.tap is not None and (not isinstance(self.tap, str) or not self.tap.strip()):
            found.append(Problem("learn.tap", f"is {self.tap!r}", "needs the name of a layer"))
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if value is None and name in _OPTIONAL:
                continue
            if type(value) is not int:
                found.append(Problem(f"learn.{name}", f"is {value!r}", "needs a whole number"))
            elif not low <= value <= high:
                found.append(Problem(f"learn.{name}", f"is {value}", f"allowed: {low} to {high}"))
        try:
            # Bounds are the same for every head.
            self.options.check("slda")
        except TinycError as error:
            found += [Problem(f"learn.{each.where}", each.what, each.allowed) for each in error.problems]
        return found


def _options(table: Mapping[str, Any], problems: list[Problem]) -> HeadOptions:
    """The options of the head in the table, each of its default's type; `fit` knows their bounds."""
    found: dict[str, Any] = {}
    for each in fields(HeadOptions):
        if each.name not in table:
            continue
        value, default = table[each.name], each.default
        number = default is None or isinstance(default, float)
        kinds = (int, float) if number else (type(default),)
        if type(value) in kinds:
            found[each.name] = float(value) if number else value
        else:
            names = {bool: "true or false", str: "a text", int: "a whole number"}
            allowed = "a number" if number else names[type(default)]
            problems.append(Problem(f"learn.{each.name}", f"is {value!r}", f"needs {allowed}"))
    return HeadOptions(**found)
