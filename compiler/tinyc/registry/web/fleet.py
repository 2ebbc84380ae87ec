"""The fleet: devices by filters, in pages, and figures over all of them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from pyoxigraph import Literal, NamedNode

from tinyc.errors import TinycError
from tinyc.registry import names
from tinyc.registry.vocabulary import PROV, SCHEMA, TINYC
from tinyc.registry.web.read import Node, Reader, called, drift_word, local, plain, values

DRIFTS = {"stable": TINYC.Stable, "warning": TINYC.Warning, "drifted": TINYC.Drifted}
STATES = {
    "missing": "?device tinyc:missingSince ?gone .",
    "present": "FILTER NOT EXISTS { ?device tinyc:missingSince ?gone }",
    "verified": "?device tinyc:currentDeployment ?now . ?now tinyc:verified true .",
    "unverified": "?device tinyc:currentDeployment ?now . ?now tinyc:verified false .",
    "unknown": "?unknown a tinyc:UnknownFirmware . ?device tinyc:runsFirmware ?unknown .",
}
PAGE = 50
LONGEST_PAGE = 500
_SORTED = 20_000
"""Up to so many devices are sorted. Sorting more for a page takes seconds; the store's order is as firm."""
_WORDS = 8
_FRESH = 5.0
_HISTORY_FRESH = 60.0


@dataclass(frozen=True, slots=True)
class Filter:
    """Which devices: names as people write them, empty for any. `text` has words that must all occur."""

    board: str = ""
    model: str = ""
    version: str = ""
    site: str = ""
    drift: str = ""
    state: str = ""
    text: str = ""

    @staticmethod
    def of(given: Mapping[str, str]) -> Filter:
        """From the parameters of a request; raises TinycError for values that are none."""
        known = {one.name for one in fields(Filter)}
        chosen = Filter(**{key: value.strip() for key, value in given.items() if key in known})
        for word, allowed in (("drift", DRIFTS), ("state", STATES)):
            value = getattr(chosen, word)
            if value and value not in allowed:
                raise TinycError(f"{value!r} is no {word}", where=word, allowed=", ".join(allowed))
        return chosen

    def patterns(self, reader: Reader) -> str:
        """The group of SPARQL that ?device must match. `reader` knows which names have a word of `text`."""
        parts = ["?device a tinyc:Device ."]
        if self.board:
            parts.append(f"?device tinyc:board {names.board(self.board)} .")
        if self.site:
            parts.append(f"?device tinyc:site ?at . ?at schema:name {Literal(self.site)} .")
        if self.model or self.version:
            parts.append("?device tinyc:runsModel ?runs .")
        if self.model:
            parts.append(f"?runs schema:name {Literal(self.model)} .")
        if self.version:
            parts.append(f"?runs schema:version {Literal(self.version)} .")
        if self.drift:
            parts.append(f"?device tinyc:drift {DRIFTS[self.drift]} .")
        if self.state:
            parts.append(STATES[self.state])
        words = self.text.lower().split()[:_WORDS]
        if words:
            start = len(names.BASE + "device:") + 1
            parts.append(f"BIND(LCASE(SUBSTR(STR(?device), {start})) AS ?own)")
            parts += [_mentions(reader, word) for word in words]
        return "\n".join(parts)


def devices(reader: Reader, wanted: Filter, *, cursor: str = "", limit: int = PAGE) -> dict[str, Any]:
    """One page of devices, and `next`, the cursor of the page after it (None on the last).

    Small fleets come sorted by board and chip, large ones in the store's order; a cursor holds for the order
    in which its page came. Raises TinycError for a cursor or a limit that is none.
    """
    if not 1 <= limit <= LONGEST_PAGE:
        raise TinycError(f"a page has 1 to {LONGEST_PAGE} devices", where="limit")
    kind, place = _read_cursor(cursor)
    is_sorted = kind == "s" or (not kind and count(reader, Filter()) <= _SORTED)
    after, tail = "", f"LIMIT {limit + 1}"
    if is_sorted:
        after = f"FILTER(STR(?device) > {Literal(place)})" if place else ""
        tail = f"ORDER BY STR(?device) {tail}"
    elif place:
        tail += f" OFFSET {int(place)}"
    found = reader.rows(f"SELECT DISTINCT ?device {{ {wanted.patterns(reader)} {after} }} {tail}")
    iris = [str(plain(row["device"])) for row in found]
    more, iris = len(iris) > limit, iris[:limit]
    following = None
    if more:
        following = _cursor("s", iris[-1]) if is_sorted else _cursor("o", str(int(place or 0) + limit))
    return {"devices": rows(reader, iris), "next": following}


def count(reader: Reader, wanted: Filter) -> int:
    """How many devices match, as of some seconds ago at most."""
    text = f"SELECT (COUNT(DISTINCT ?device) AS ?n) {{ {wanted.patterns(reader)} }}"
    if wanted == Filter():
        text = "SELECT (COUNT(*) AS ?n) { ?device a tinyc:Device }"
    return reader.keep(text, _FRESH, lambda: reader.number(text))


def rows(reader: Reader, iris: list[str]) -> list[dict[str, Any]]:
    """What the table says of each of these devices, in their order."""
    found = reader.describe(iris)
    linked = (TINYC.board, TINYC.site, TINYC.runsModel, TINYC.runsFirmware, TINYC.currentDeployment)
    others = reader.describe(iri for node in found.values() for name in linked for iri in node.iris(name)[:1])
    return [row(found[iri], others) for iri in iris]


def row(device: Node, others: Mapping[str, Node]) -> dict[str, Any]:
    """A device in a table. `others` are the things that it points at."""

    def other(name: NamedNode) -> Node | None:
        iris = device.iris(name)
        return others.get(iris[0]) if iris else None

    site, firmware, deployment = other(TINYC.site), other(TINYC.runsFirmware), other(TINYC.currentDeployment)
    return {
        "id": local(device.iri, "device"),
        "iri": device.iri,
        "chip": device.value(TINYC.chip),
        "board": board_of(other(TINYC.board)),
        "site": site and (site.value(SCHEMA.name) or called(site.iri, "site")),
        "model": model_of(other(TINYC.runsModel)),
        "firmware": firmware
        and {
            "identity": firmware.value(TINYC.identity) or local(firmware.iri, "firmware"),
            "known": not firmware.is_a(TINYC.UnknownFirmware),
        },
        "since": deployment and deployment.value(PROV.startedAtTime),
        "verified": deployment and deployment.value(TINYC.verified),
        "drift": drift_word(device),
        "missing_since": device.value(TINYC.missingSince),
    }


def board_of(node: Node | None) -> dict[str, Any] | None:
    if node is None:
        return None
    name = node.value(SCHEMA.name) or called(node.iri, "board")
    return {"name": name, "title": node.value(SCHEMA.description) or name}


def model_of(node: Node | None) -> dict[str, Any] | None:
    if node is None:
        return None
    return {
        "id": local(node.iri, "model"),
        "name": node.value(SCHEMA.name),
        "version": node.value(SCHEMA.version),
        "recalled": bool(node.value(TINYC.recalled)),
    }


def stats(reader: Reader) -> dict[str, Any]:
    """Figures over the fleet, as of some seconds ago at most."""
    return reader.keep("stats", _FRESH, lambda: _stats(reader))


def models(reader: Reader) -> list[dict[str, Any]]:
    """All models by name, with their versions and on how many devices each runs, as of some seconds ago."""
    return reader.keep("models", _FRESH, lambda: _models(reader))


def _models(reader: Reader) -> list[dict[str, Any]]:
    running = reader.counts("SELECT ?key (COUNT(*) AS ?n) { ?d tinyc:runsModel ?key } GROUP BY ?key")
    known = reader.rows("SELECT ?m { ?m a tinyc:Model } LIMIT 5000")
    found: dict[str, list[dict[str, Any]]] = {}
    for iri, node in reader.describe(plain(row["m"]) for row in known).items():
        entry = {**(model_of(node) or {}), "devices": running.get(iri, 0)}
        found.setdefault(str(entry["name"]), []).append(entry)
    return [
        {"name": name, "versions": sorted(versions, key=lambda one: version_key(str(one["version"])))}
        for name, versions in sorted(found.items())
    ]


def _mentions(reader: Reader, word: str) -> str:
    """What ?device must match to have `word` in its board, chip, site or model.

    Sites and models are few: they are looked through by themselves, not once for every device.
    """
    text = str(Literal(word))
    choices = [f"CONTAINS(?own, {text})"]
    for name, kind in (("site", "tinyc:Site"), ("runsModel", "tinyc:Model")):
        found = reader.rows(
            f"SELECT ?key {{ ?key a {kind} ; schema:name ?name FILTER(CONTAINS(LCASE(?name), {text})) }} "
            "LIMIT 500"
        )
        if found:
            choice = values("key", [str(plain(row["key"])) for row in found])
            choices.append(f"EXISTS {{ {choice} ?device tinyc:{name} ?key }}")
    return f"FILTER({' || '.join(choices)})"


def _stats(reader: Reader) -> dict[str, Any]:
    def by(pattern: str) -> dict[str | None, int]:
        return reader.counts(f"SELECT ?key (COUNT(*) AS ?n) {{ {pattern} }} GROUP BY ?key")

    boards, sites = by("?d tinyc:board ?key . ?d a tinyc:Device"), by("?d tinyc:site ?key")
    drifts = by("?d tinyc:drift ?key")
    verified = by("?d tinyc:currentDeployment ?x . ?x tinyc:verified ?key")
    nodes = reader.describe([*boards, *sites])
    return {
        "devices": count(reader, Filter()),
        "verified": verified.get(True, 0),  # type: ignore[call-overload]
        "unverified": verified.get(False, 0),  # type: ignore[call-overload]
        "missing": reader.number("SELECT (COUNT(*) AS ?n) { ?d tinyc:missingSince ?t . ?d a tinyc:Device }"),
        "unknown": reader.number(
            "SELECT (COUNT(*) AS ?n) { ?f a tinyc:UnknownFirmware . ?d tinyc:runsFirmware ?f }"
        ),
        "drift": {word: drifts.get(term.value, 0) for word, term in DRIFTS.items()},
        "boards": _named(boards, nodes, "board"),
        "sites": _named(sites, nodes, "site"),
        "models": models(reader),
    }


def history(reader: Reader) -> list[dict[str, Any]]:
    """How many deployments of each model version began in each month."""

    def make() -> list[dict[str, Any]]:
        found = reader.rows(
            "SELECT ?month ?m (COUNT(*) AS ?n) { "
            "?x a tinyc:Deployment ; tinyc:model ?m ; prov:startedAtTime ?at "
            "BIND(SUBSTR(STR(?at), 1, 7) AS ?month) } GROUP BY ?month ?m ORDER BY ?month ?m"
        )
        nodes = reader.describe(plain(row["m"]) for row in found)
        return [
            {
                "month": plain(row["month"]),
                "model": model_of(nodes[plain(row["m"])]),
                "deployments": plain(row["n"]),
            }
            for row in found
        ]

    return reader.keep("history", _HISTORY_FRESH, make)


def version_key(version: str) -> list[tuple[int, int, str]]:
    """Sorts 1.10.0 after 1.9.0, and a pre-release before its release."""
    release, dash, rest = version.partition("+")[0].partition("-")
    key = [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in release.split(".")]
    return [*key, (-1, 0, rest) if dash else (0, 0, "")]


def _named(counts: Mapping[str | None, int], nodes: Mapping[str, Node], kind: str) -> list[dict[str, Any]]:
    totals: dict[str, int] = {}
    for iri, number in counts.items():
        if iri:
            name = str(nodes[iri].value(SCHEMA.name) or called(iri, kind))
            totals[name] = totals.get(name, 0) + number
    order = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    return [{"name": name, "devices": number} for name, number in order]


def _cursor(kind: str, place: str) -> str:
    return base64.urlsafe_b64encode(f"{kind}{place}".encode()).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[str, str]:
    if not text:
        return "", ""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError):
        raw = ""
    if raw[:1] == "s" or (raw[:1] == "o" and raw[1:].isascii() and raw[1:].isdecimal() and len(raw) < 12):
        return raw[0], raw[1:]
    raise TinycError("the cursor is none that this server gave", where="cursor")
