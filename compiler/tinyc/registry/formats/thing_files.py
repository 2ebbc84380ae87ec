"""Devices and boards out of Thing Descriptions and Thing Models, as JSON that came from anywhere.

The JSON is mapped as it stands: no context is expanded, and none is fetched. Descriptions that tinyc wrote
give back what they were made of; of others the id, the title and the kind are kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pyoxigraph import Literal, NamedNode, Triple

from tinyc.cores import FEATURES
from tinyc.errors import Problem, TinycError
from tinyc.registry import names
from tinyc.registry.change import Change, Step, present, properties_of, triples_of
from tinyc.registry.fact import ModelRef
from tinyc.registry.facts import DeviceFact, SightingFact
from tinyc.registry.formats.staging import Staging
from tinyc.registry.vocabulary import DCT, RDF, SCHEMA, SOSA, SOSA_EXTEND, TINYC, XSD

MOST_BYTES = 64 << 20
"""The largest file that is read: JSON is held in memory as a whole."""
_CONTEXT = re.compile(r"https?://www\.w3\.org/(\d{4}/wot/td|ns/wot)")
_BOARD = f"{names.BASE}board:"
_SITE = f"{names.BASE}site:"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CHIP = re.compile(r"[0-9a-f]{1,64}")
_LONGEST_TEXT = 4096
_MOST_PROBLEMS = 50
_UNKNOWN = "unknown"
_NO_BOARD = "thing"
_MOST_BYTES_OF_MEMORY = 1 << 50


def read_json(path: Path) -> Any:
    """The JSON of a file. Raises TinycError at the place where it is malformed."""
    where = str(path)
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise TinycError(f"has {size:,} B", where=where, allowed=f"at most {MOST_BYTES:,} B of JSON")
        return parse_json(path.read_bytes(), where)
    except OSError as error:
        raise TinycError(f"cannot be read: {error.strerror}", where=where) from error


def parse_json(data: bytes, where: str) -> Any:
    """The JSON in `data`. Raises TinycError at the place where it is malformed."""
    try:
        return json.loads(data.decode("utf-8"))
    except json.JSONDecodeError as error:
        said = f"{error.msg[:1].lower()}{error.msg[1:]}"
        raise TinycError(f"is malformed: {said}", where=f"{where}:{error.lineno}:{error.colno}") from error
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise TinycError(f"is no JSON that can be read: {error}", where=where) from error


def is_thing(value: Any) -> bool:
    """Whether JSON has the context of Thing Descriptions."""
    if not isinstance(value, dict):
        return False
    contexts = value.get("@context")
    every = contexts if isinstance(contexts, list) else [contexts]
    return any(isinstance(each, str) and _CONTEXT.match(each) for each in every)


def things_in(value: Any, where: str) -> list[dict[str, Any]]:
    """The descriptions in the JSON of a file or of a directory's answer: one, a list, or a collection.

    Raises TinycError for JSON that holds something else.
    """
    if isinstance(value, dict) and isinstance(value.get("members"), list):
        value = value["members"]
    found = value if isinstance(value, list) else [value]
    wrong = [index for index, each in enumerate(found) if not is_thing(each)]
    if wrong:
        place = f", item {wrong[0] + 1}" if isinstance(value, list) else ""
        raise TinycError(
            f"holds no Thing Description{place}",
            where=where,
            allowed="JSON with the context https://www.w3.org/2022/wot/td/v1.1",
        )
    return found


@dataclass(slots=True)
class Things:
    """Plans what descriptions say. `problems` are those of the input: with any nothing may be written."""

    staging: Staging
    now: datetime
    devices: int = 0
    boards: int = 0
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _ids: dict[str, str] = field(default_factory=dict)

    def plan(self, things: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Plan a change for each description, given with where it stands. Thing Models come first."""
        every = list(things)
        for where, thing in sorted(every, key=lambda item: not _is_model(item[1])):
            try:
                self._plan(where, thing)
            except _Unusable as error:
                self.problems.append(Problem(where, str(error)))
            if len(self.problems) >= _MOST_PROBLEMS:
                break

    def refuse(self) -> None:
        """Raise TinycError when there are problems."""
        if self.problems:
            raise TinycError(
                "there are descriptions that cannot be taken over; nothing was written",
                problems=self.problems,
            )

    def _plan(self, where: str, thing: Mapping[str, Any]) -> None:
        if _is_model(thing):
            self._model(thing)
            return
        known = _text(thing, "id")
        if not known:
            raise _Unusable("has no `id`, so it could not be found again")
        if known in self._ids:
            raise _Unusable(f"has the `id` of {self._ids[known]}: {known}")
        self._ids[known] = where
        iri = _iri(known)
        if known.startswith(f"{names.BASE}device:"):
            self._own(thing, known)
        else:
            self._foreign(thing, iri)
        self.devices += 1

    def _own(self, thing: Mapping[str, Any], known: str) -> None:
        """A description that tinyc wrote."""
        board = unquote(_reference(thing, "tinyc:board").removeprefix(_BOARD))
        chip = _text(thing, "tinyc:chip")
        if not board or not _CHIP.fullmatch(chip) or names.device(board, chip).value != known:
            raise _Unusable(f"has the id {known}, which is not that of its board and chip")
        self._need_board(board)
        firmware = _value(thing, "firmware")
        if firmware and not _DIGEST.fullmatch(firmware):
            raise _Unusable(f"has the firmware {firmware!r}, which is no SHA-256")
        steps = self._place(names.device(board, chip), _reference(thing, "tinyc:site"))
        if firmware:
            at = self._time(_text(thing, "modified"))
            fact = SightingFact(board, chip, firmware, self._model_of(thing, known), at)
            change = fact.change(live=False)
        else:
            change = DeviceFact(board, chip).change()
        self.staging.plan(Change((*change.steps, *steps)))

    def _model_of(self, thing: Mapping[str, Any], known: str) -> ModelRef | None:
        entry = _entry(thing, "model")
        digest = _value(thing, "model")
        name, version = _text(entry, "schema:name"), _text(entry, "schema:version")
        if not (name and version and _DIGEST.fullmatch(digest)):
            return None
        model = ModelRef(name, version, digest)
        if self.staging.knows(model.iri, TINYC.Model):
            return model
        self.notes.append(f"{known}: its model {name} {version} is not in the registry, so that is left out")
        return None

    def _foreign(self, thing: Mapping[str, Any], iri: NamedNode) -> None:
        """A description from elsewhere: a device of a board that nothing else is known of."""
        board = _kind(thing)
        chip = names.hashed("thing", iri.value)
        self._need_board(board)
        title = _text(thing, "title") or next(iter(_texts(thing.get("titles"))), "")
        more = triples_of(
            names.device(board, chip),
            (SCHEMA.name, Literal(title) if title else None),
            (DCT.source, iri),
        )
        change = DeviceFact(board, chip).change()
        self.staging.plan(Change((*change.steps, Step(more, properties_of(more)))))

    def _model(self, thing: Mapping[str, Any]) -> None:
        """A Thing Model: a board."""
        known = _text(thing, "id")
        name = _text(thing, "schema:name")
        if known.startswith(_BOARD):
            name = unquote(known.removeprefix(_BOARD))
        name = name or _slug(_text(thing, "title"))
        title = _text(thing, "title")
        board = names.board(name)
        sizes = {key: _size(thing, f"tinyc:{key}") for key in ("flash", "ram")}
        clock = _size(thing, "tinyc:clockHz")
        if None in sizes.values():
            self.notes.append(
                f"board {name}: its description has no sizes, they are 0 until it is imported again"
            )
        own = triples_of(
            board,
            (RDF.type, TINYC.Board),
            (SCHEMA.name, Literal(name)),
            (SCHEMA.description, Literal(title) if title else None),
            (TINYC.soc, Literal(_text(thing, "tinyc:soc") or _UNKNOWN)),
            (TINYC.core, Literal(_text(thing, "tinyc:core") or _UNKNOWN)),
            (TINYC.clockHz, _whole(clock) if clock else None),
            *((TINYC[key], _whole(value or 0)) for key, value in sizes.items()),
        )
        features = triples_of(board, *((TINYC.feature, Literal(each)) for each in _features(thing)))
        sensors: list[Triple] = []
        for kind in _sensors(thing):
            sensor = names.sensor(name, kind.lower())
            sensors += triples_of(board, (SOSA.hosts, sensor))
            sensors += triples_of(sensor, (RDF.type, SOSA_EXTEND[kind]))
        # A description without sizes does not take away those that are known.
        guards = (present(board, RDF.type, TINYC.Board),) if None in sizes.values() else ()
        many = [(SOSA.hosts, sensors), (TINYC.feature, features)]
        clear = (*properties_of(own, RDF.type), *((board, name) for name, there in many if there))
        self.staging.plan(Change((Step((*own, *features, *sensors), clear, guards),)))
        self.boards += 1

    def _need_board(self, name: str) -> None:
        board = names.board(name)
        if not self.staging.knows(board, TINYC.Board):
            self._model({"schema:name": name, "title": name})

    def _place(self, device: NamedNode, where: str) -> tuple[Step, ...]:
        """The device is at a site, whose name is in its IRI where the registry has no other."""
        if not where:
            return ()
        if not where.startswith(_SITE):
            raise _Unusable(f"is at {where!r}, which is no site")
        site = _iri(where)
        if not self.staging.knows(site, TINYC.Site):
            name = Literal(unquote(where.removeprefix(_SITE)))
            self.staging.plan(Change((Step(triples_of(site, (RDF.type, TINYC.Site), (SCHEMA.name, name))),)))
        return (Step(triples_of(device, (TINYC.site, site)), ((device, TINYC.site),)),)

    def _time(self, text: str) -> datetime:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            return self.now
        return at if at.tzinfo else at.replace(tzinfo=UTC)


class _Unusable(Exception):  # noqa: N818
    """A description cannot be taken over, and why."""


def _is_model(thing: Mapping[str, Any]) -> bool:
    return any(each in ("tm:ThingModel", "ThingModel") for each in _texts(thing.get("@type")))


def _texts(value: Any) -> list[str]:
    """The texts of a value that may be one, a list or a map."""
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str)]


def _text(thing: Mapping[str, Any], key: str) -> str:
    value = thing.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise _Unusable(f"has something else than a text of {_LONGEST_TEXT} characters for `{key}`")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _Unusable(f"has half a character in `{key}`") from error
    return value


def _entry(thing: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    properties = thing.get("properties")
    entry = properties.get(key) if isinstance(properties, dict) else None
    return entry if isinstance(entry, dict) else {}


def _value(thing: Mapping[str, Any], key: str) -> str:
    return _text(_entry(thing, key), "schema:value")


def _reference(thing: Mapping[str, Any], key: str) -> str:
    value = thing.get(key)
    return _text(value, "@id") if isinstance(value, dict) else ""


def _iri(text: str) -> NamedNode:
    try:
        return NamedNode(text)
    except ValueError as error:
        raise _Unusable(f"has an `id` that is no IRI: {text!r}") from error


def _kind(thing: Mapping[str, Any]) -> str:
    """The name of the board of a foreign thing: that of its Thing Model, where it has one."""
    links = thing.get("links")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("rel") == "type":
            href = _text(link, "href")
            if href.startswith(_BOARD):
                return unquote(href.removeprefix(_BOARD))
            return _slug(re.split(r"[/#:]", href.rstrip("/"))[-1])
    return _NO_BOARD


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or _NO_BOARD


def _size(thing: Mapping[str, Any], key: str) -> int | None:
    value = thing.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_BYTES_OF_MEMORY:
        raise _Unusable(f"has something else than a whole number for `{key}`")
    return value


def _whole(value: int) -> Literal:
    return Literal(str(value), datatype=XSD.integer)


def _features(thing: Mapping[str, Any]) -> list[str]:
    found = thing.get("tinyc:feature")
    return (
        sorted({each for each in found if isinstance(each, str) and each in FEATURES})
        if isinstance(found, list)
        else []
    )


def _sensors(thing: Mapping[str, Any]) -> list[str]:
    from tinyc.registry.formats.descriptions import SENSORS

    hosts = thing.get("sosa:hosts")
    found = (each.get("@type") for each in hosts if isinstance(each, dict)) if isinstance(hosts, list) else ()
    kinds = (each.removeprefix(SOSA_EXTEND.iri) for each in found if isinstance(each, str))
    return sorted({kind for kind in kinds if kind in SENSORS})
