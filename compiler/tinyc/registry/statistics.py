"""Counts over the whole registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinyc.registry.reading import rows, text_of
from tinyc.registry.store.base import Store, Term

_KINDS = {
    "boards": "tinyc:Board",
    "sites": "tinyc:Site",
    "models": "tinyc:Model",
    "firmware": "tinyc:Firmware",
    "unknown firmware": "tinyc:UnknownFirmware",
    "devices": "tinyc:Device",
    "deployments": "tinyc:Deployment",
    "learned states": "tinyc:LearnedState",
}
_VERSIONS = """SELECT ?name ?version ?n WHERE {
  { SELECT ?m (COUNT(?d) AS ?n) WHERE { ?d tinyc:runsModel ?m } GROUP BY ?m }
  ?m schema:name ?name ; schema:version ?version
} ORDER BY DESC(?n) ?name ?version"""
_BOARDS = """SELECT ?name ?n WHERE {
  { SELECT ?b (COUNT(?d) AS ?n) WHERE { ?d a tinyc:Device ; tinyc:board ?b } GROUP BY ?b }
  ?b schema:name ?name
} ORDER BY DESC(?n) ?name"""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts: things by kind, (model, version, devices) and (board, devices), most devices first."""

    things: dict[str, int]
    versions: tuple[tuple[str, str, int], ...]
    boards: tuple[tuple[str, int], ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "things": self.things,
            "versions": [
                {"model": model, "version": version, "devices": count}
                for model, version, count in self.versions
            ],
            "boards": [{"board": board, "devices": count} for board, count in self.boards],
        }


def statistics(store: Store) -> Statistics:
    """Count. Raises TinycError as the store does."""
    things = {name: _count(store, f"?x a {kind}") for name, kind in _KINDS.items()}
    things["missing devices"] = _count(store, "?x tinyc:missingSince ?since")
    things["deployments never verified"] = _count(store, "?x tinyc:verified false")
    things["triples"] = store.count()
    versions, boards = rows(store, _VERSIONS), rows(store, _BOARDS)
    return Statistics(
        things,
        tuple((text_of(name), text_of(version), _number(count)) for name, version, count in versions),
        tuple((text_of(name), _number(count)) for name, count in boards),
    )


def _count(store: Store, pattern: str) -> int:
    for (count,) in rows(store, f"SELECT (COUNT(?x) AS ?n) WHERE {{ {pattern} }}"):
        return _number(count)
    return 0


def _number(term: Term | None) -> int:
    return int(text_of(term) or 0)
