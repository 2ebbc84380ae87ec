"""Which boards a model fits on, which models fit a board, and what every miss lacks.

Sizes come from the best that is known: the newest build for this very board, else one for the same
core, else one for another core, else the weights alone. Nothing is scaled: the text `basis` says where
the sizes were measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pyoxigraph import NamedNode

from tinyc.cores import HOST
from tinyc.errors import TinycError, nearest
from tinyc.registry.models import RegisteredModel, models, rows
from tinyc.registry.store.base import Store
from tinyc.versioning.model import Manifest

# What the input of a model is taken with.
_SENSOR_OF_INPUT = {"audio": "microphone"}


@dataclass(frozen=True, slots=True)
class RegisteredBoard:
    """A board: bytes for an application. `sensors` and `features` are None where nobody told them."""

    name: str
    core: str
    flash: int
    ram: int
    sensors: frozenset[str] | None = None
    features: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Build:
    """What a build of a model takes of a board in bytes; `ram` with the stack.

    `features` are those of the board that it was built for, None where nobody told them.
    """

    board: str
    core: str
    flash: int
    ram: int
    features: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model and what it needs. `estimates` are by board, for a model that is not built for it."""

    label: str
    builds: tuple[Build, ...] = ()
    weights: int | None = None
    sensor: str | None = None
    features: frozenset[str] = frozenset()
    estimates: Mapping[str, Build | str] = field(default_factory=dict)
    """Board → an estimate, or why there is none."""


@dataclass(frozen=True, slots=True)
class Match:
    """One model on one board. Sizes are bytes, None where unknown; `margin` is the smaller of the free
    parts of flash and RAM, negative when something is short, None when nothing is known of either.

    `lacks` says what keeps the model off the board; `certain` whether the sizes are of this very board.
    """

    model: str
    board: str
    lacks: tuple[str, ...]
    flash: int | None
    ram: int | None
    free_flash: int | None
    free_ram: int | None
    margin: float | None
    basis: str
    certain: bool

    @property
    def fits(self) -> bool:
        return not self.lacks


def match(board: RegisteredBoard, wanted: Wanted) -> Match:
    """Whether the model fits on the board, from the best that is known."""
    build, basis, why = _best(board, wanted)
    lacks: list[str] = [why] if why else []
    flash = build.flash if build else wanted.weights
    ram = build.ram if build else None
    free_flash = None if flash is None else board.flash - flash
    free_ram = None if ram is None else board.ram - ram
    for memory, free in (("flash", free_flash), ("RAM", free_ram)):
        if free is not None and free < 0:
            lacks.append(f"{-free:,} B {memory} short")
    if wanted.sensor is not None and board.sensors is not None and wanted.sensor not in board.sensors:
        lacks.append(f"no {wanted.sensor}")
    if board.features is not None:
        lacks += [f"kernel set needs {feature}" for feature in sorted(wanted.features - board.features)]
    parts = [
        free / has
        for free, has in ((free_flash, board.flash), (free_ram, board.ram))
        if free is not None and has > 0
    ]
    certain = build is not None and build.board == board.name and build in wanted.builds
    return Match(
        model=wanted.label,
        board=board.name,
        lacks=tuple(lacks),
        flash=flash,
        ram=ram,
        free_flash=free_flash,
        free_ram=free_ram,
        margin=min(parts, default=None),
        basis=basis,
        certain=certain,
    )


def ordered(found: Iterable[Match]) -> list[Match]:
    """What fits first, the largest margin first; then the misses, the nearest first."""
    return sorted(
        found,
        key=lambda each: (
            len(each.lacks),
            each.margin is None,
            -(each.margin or 0.0),
            each.model,
            each.board,
        ),
    )


def boards_for(store: Store, wanted: Wanted) -> list[Match]:
    """The model on every board that the registry knows."""
    return ordered(match(board, wanted) for board in boards(store))


def models_for(store: Store, name: str, *, newest: bool = True) -> list[Match]:
    """Every model on the board `name`, or only the `newest` version of each.

    Raises TinycError when the registry does not know the board.
    """
    known = boards(store)
    found = next((board for board in known if board.name == name), None)
    if found is None:
        names = tuple(board.name for board in known)
        raise TinycError(
            f"the registry knows no board {name!r}",
            allowed=nearest(name, names) if names else "",
            hint="" if names else "`tinyc registry add boards` tells it of tinyc's boards",
        )
    versions = models(store)
    if newest:
        first: dict[str, RegisteredModel] = {}
        for model in versions:
            first.setdefault(model.name, model)
        versions = tuple(first.values())
    needs = wanted_of(store, versions, known)
    return ordered(match(found, each) for each in needs)


def boards(store: Store) -> tuple[RegisteredBoard, ...]:
    """Every board whose sizes the registry knows, by name."""
    sizes: dict[str, tuple[str, int, int]] = {}
    told: dict[str, dict[str, set[str]]] = {"sensor": {}, "feature": {}}
    query = """SELECT ?name ?core ?flash ?ram WHERE {
        ?board a tinyc:Board ; schema:name ?name ; tinyc:flash ?flash ; tinyc:ram ?ram .
        OPTIONAL { ?board tinyc:core ?core } }"""
    for row in rows(store, query):
        sizes[row["name"]] = (row.get("core", ""), int(row["flash"]), int(row["ram"]))
    queries = {
        "sensor": """SELECT ?name ?value WHERE {
            ?board a tinyc:Board ; schema:name ?name ; <http://www.w3.org/ns/sosa/hosts> ?sensor .
            ?sensor a ?value }""",
        "feature": """SELECT ?name ?value WHERE {
            ?board a tinyc:Board ; schema:name ?name ; tinyc:feature ?value }""",
    }
    for what, text in queries.items():
        for row in rows(store, text):
            told[what].setdefault(row["name"], set()).add(_local(row["value"]))
    return tuple(
        RegisteredBoard(
            name, core, flash, ram, _told(told["sensor"].get(name)), _told(told["feature"].get(name))
        )
        for name, (core, flash, ram) in sorted(sizes.items())
    )


def wanted_of(
    store: Store, chosen: Sequence[RegisteredModel], known_boards: Iterable[RegisteredBoard] = ()
) -> list[Wanted]:
    """What these models need, from two queries whatever their number."""
    features_of = {board.name: board.features for board in known_boards}
    iris = {model.iri.value for model in chosen}
    builds: dict[str, dict[str, Build]] = {}
    weights: dict[str, int] = {}
    sensors: dict[str, str] = {}
    features: dict[str, set[str]] = {}
    only = _values(chosen)
    facts = f"""SELECT ?model ?weights ?input ?feature WHERE {{ {only} ?model a tinyc:Model .
        OPTIONAL {{ ?model tinyc:weightBytes ?weights }} OPTIONAL {{ ?model tinyc:inputType ?input }}
        OPTIONAL {{ ?model tinyc:needsFeature ?feature }} }}"""
    for row in rows(store, facts):
        if row["model"] not in iris:
            continue
        if "weights" in row:
            weights[row["model"]] = int(row["weights"])
        if row.get("input") in _SENSOR_OF_INPUT:
            sensors[row["model"]] = _SENSOR_OF_INPUT[row["input"]]
        if "feature" in row:
            features.setdefault(row["model"], set()).add(row["feature"])
    # Ordered by time, so that the newest build of a board is the one that stays.
    sizes = f"""SELECT ?model ?board ?core ?flash ?ram ?stack WHERE {{ {only}
        ?firmware tinyc:model ?model ; tinyc:board ?place ; tinyc:budget ?budget .
        ?place schema:name ?board . OPTIONAL {{ ?place tinyc:core ?core }}
        ?budget tinyc:flash ?flash ; tinyc:ram ?ram . OPTIONAL {{ ?budget tinyc:stack ?stack }}
        OPTIONAL {{ ?firmware prov:generatedAtTime ?at }} }} ORDER BY ?at ?firmware"""
    for row in rows(store, sizes):
        if row["model"] in iris:
            build = Build(
                row["board"],
                row.get("core", ""),
                int(row["flash"]),
                int(row["ram"]) + int(row.get("stack", 0)),
                features_of.get(row["board"]),
            )
            known = builds.setdefault(row["model"], {})
            known.pop(build.board, None)
            known[build.board] = build
    # A manifest tells of its build as a whole, where a split one has a firmware without the model.
    for model in chosen:
        for build in _told_builds(model, features_of):
            known = builds.setdefault(model.iri.value, {})
            known.pop(build.board, None)
            known[build.board] = build
    return [
        Wanted(
            label=model.label,
            builds=tuple(builds.get(model.iri.value, {}).values()),
            weights=weights.get(model.iri.value),
            sensor=_told_sensor(model) or sensors.get(model.iri.value),
            features=frozenset(features.get(model.iri.value, ())),
        )
        for model in chosen
    ]


def _best(board: RegisteredBoard, wanted: Wanted) -> tuple[Build | None, str, str]:
    """(what is known of the sizes, where from, why the model cannot be built for the board)."""
    newest = list(reversed(wanted.builds))
    for build in newest:
        if build.board == board.name:
            return build, "measured", ""
    estimate = wanted.estimates.get(board.name)
    if isinstance(estimate, Build):
        return estimate, "budget", ""
    if isinstance(estimate, str):
        return None, "budget", estimate
    same = [build for build in newest if build.core and build.core == board.core]
    # Kernels depend on the core's features as well: sizes of a board with the same ones say more.
    same.sort(key=lambda build: build.features != board.features)
    if same:
        return same[0], f"measured on {same[0].board}", ""
    if newest:
        return newest[0], f"measured on {newest[0].board}, another core", ""
    if wanted.weights is not None:
        return None, "weights alone, no build is known", ""
    return None, "nothing is known", ""


def _values(chosen: Sequence[RegisteredModel]) -> str:
    """A VALUES clause where it keeps the answer small; a long one is slower than looking at all models."""
    if len(chosen) > 20:
        return ""
    return f"VALUES ?model {{ {' '.join(str(model.iri) for model in chosen)} }}"


def _told_sensor(model: RegisteredModel) -> str | None:
    """The sensor that the manifest names."""
    return next((told.input.sensor.lower() for told in _manifests(model) if told.input.sensor), None)


def _told_builds(model: RegisteredModel, features_of: Mapping[str, frozenset[str] | None]) -> Iterator[Build]:
    """The builds that the manifest names, but for this machine itself."""
    for told in _manifests(model):
        for board, target in told.targets.items():
            if board != HOST:
                yield Build(
                    board, target.core, target.flash, target.ram + target.stack, features_of.get(board)
                )


def _manifests(model: RegisteredModel) -> Iterator[Manifest]:
    """The manifests of a model that can be read; one that cannot says nothing here."""
    for text in model.texts:
        try:
            yield Manifest.from_json(json.loads(text))
        except (ValueError, TinycError):
            continue


def _local(value: str) -> str:
    """`microphone` of `…/sosa_extend/Microphone`; a plain word stays."""
    return NamedNode(value).value.rsplit("/", 1)[-1].rsplit("#", 1)[-1].lower() if ":" in value else value


def _told(values: set[str] | None) -> frozenset[str] | None:
    return None if not values else frozenset(values)
