"""One device, one model: all that the registry knows of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pyoxigraph import NamedNode

from tinyc.registry.vocabulary import DCT, MLS, PROV, SCHEMA, TINYC
from tinyc.registry.web import fleet, lineage
from tinyc.registry.web.read import Node, Reader, local, node_of, plain, values
from tinyc.registry.web.settings import Heartbeats

_HISTORY = 200
_STATES = 100
_SIZES = ("flash", "ram", "arena", "weightBytes", "stack")


def device(reader: Reader, text: str, heartbeats: Heartbeats | None = None) -> dict[str, Any]:
    """The page of a device: its row, history, memory, health, what it learned and its lineage."""
    node = node_of(text, "device")
    found = reader.the(node, TINYC.Device, "device")
    (entry,) = fleet.rows(reader, [node.value])
    learned = _learned(reader, node)
    model = found.iris(TINYC.runsModel)[:1]
    graph = (
        lineage.chain(lineage.family(reader, model[0]), entry, learned)
        if model and entry["firmware"]
        else None
    )
    return {
        **entry,
        "history": _history(reader, node, found),
        "memory": _memory(reader, found),
        "learned": learned,
        "health": health(heartbeats, node.value),
        "lineage": graph,
    }


def _history(reader: Reader, node: NamedNode, device_node: Node) -> list[dict[str, Any]]:
    found = reader.rows(
        f"SELECT ?x {{ ?x tinyc:device {node} . ?x a tinyc:Deployment . ?x prov:startedAtTime ?at }} "
        f"ORDER BY DESC(?at) LIMIT {_HISTORY}"
    )
    deployments = reader.describe(plain(row["x"]) for row in found)
    others = reader.describe(
        iri
        for one in deployments.values()
        for name in (TINYC.firmware, TINYC.model)
        for iri in one.iris(name)
    )
    current = set(device_node.iris(TINYC.currentDeployment))
    return [_deployment(deployments[plain(row["x"])], others, current) for row in found]


def _deployment(node: Node, others: Mapping[str, Node], current: set[str]) -> dict[str, Any]:
    firmware, model = node.iris(TINYC.firmware)[:1], node.iris(TINYC.model)[:1]
    of = others[firmware[0]] if firmware else None
    return {
        "at": node.value(PROV.startedAtTime),
        "method": node.value(TINYC.method),
        "verified": node.value(TINYC.verified),
        "current": node.iri in current,
        "model": fleet.model_of(others[model[0]]) if model else None,
        "firmware": of
        and {
            "identity": of.value(TINYC.identity),
            "known": not of.is_a(TINYC.UnknownFirmware),
            "compiler": of.value(TINYC.compilerVersion),
        },
    }


def _memory(reader: Reader, found: Node) -> dict[str, Any]:
    """What the board has, what the firmware takes and what is left: all in bytes."""
    nodes = reader.describe([*found.iris(TINYC.board)[:1], *found.iris(TINYC.runsFirmware)[:1]])
    board = next((node for node in nodes.values() if node.is_a(TINYC.Board)), None)
    firmware = next((node for node in nodes.values() if node.is_a(TINYC.Firmware)), None)
    return {
        "board": {"flash": board.value(TINYC.flash), "ram": board.value(TINYC.ram)} if board else None,
        "budget": _budget(reader, firmware) if firmware else None,
        "free_flash": firmware.value(TINYC.freeFlash) if firmware else None,
        "free_ram": firmware.value(TINYC.freeRam) if firmware else None,
    }


def _budget(reader: Reader, firmware: Node) -> dict[str, Any] | None:
    iris = firmware.iris(TINYC.budget)[:1]
    if not iris:
        return None
    node = reader.describe(iris)[iris[0]]
    return {word: node.value(TINYC[word]) for word in _SIZES}


def _learned(reader: Reader, node: NamedNode) -> list[dict[str, Any]]:
    found = reader.rows(
        "SELECT ?s ?sequence ?at ?updates ?digest ?before ?after ?samples { "
        f"?s tinyc:device {node} . ?s a tinyc:LearnedState . ?s tinyc:sequence ?sequence . "
        "OPTIONAL { ?s prov:generatedAtTime ?at } OPTIONAL { ?s tinyc:updates ?updates } "
        "OPTIONAL { ?s tinyc:digest ?digest } "
        "OPTIONAL { ?s tinyc:guardMetric ?g . ?g tinyc:before ?before . ?g tinyc:after ?after . "
        "OPTIONAL { ?g tinyc:samples ?samples } } } "
        f"ORDER BY DESC(?sequence) LIMIT {_STATES}"
    )
    names = ("sequence", "at", "updates", "digest", "before", "after", "samples")
    return [{name: plain(row.get(name)) for name in names} for row in found]


def health(heartbeats: Heartbeats | None, iri: str) -> dict[str, Any] | None:
    """The device's row of the heartbeat table."""
    if heartbeats is None:
        return None
    beat = heartbeats.get([iri]).get(iri)
    return None if beat is None else _health(beat)


def add_health(heartbeats: Heartbeats, rows: list[dict[str, Any]]) -> None:
    """Add `last_seen` and `errors` of the heartbeat table to rows of devices."""
    beats = heartbeats.get([row["iri"] for row in rows])
    for row in rows:
        beat = beats.get(row["iri"])
        found = {} if beat is None else _health(beat)
        row |= {"last_seen": found.get("last_seen"), "errors": found.get("errors")}


def _health(beat: Any) -> dict[str, Any]:
    known = ("last_seen", "free_ram", "uptime", "inferences", "errors", "clock_wrong")
    values_of = {name: getattr(beat, name, None) for name in known}
    seen = values_of["last_seen"]
    return values_of | {"last_seen": seen.isoformat() if isinstance(seen, datetime) else None}


def model(reader: Reader, text: str) -> dict[str, Any]:
    """The page of a model version: what it is, its bill, its builds, where it runs, its lineage."""
    node = node_of(text, "model")
    found = reader.the(node, TINYC.Model, "model")
    facts = (
        "digest",
        "parameters",
        "macs",
        "weightBytes",
        "inputShape",
        "outputShape",
        "precision",
        "inputType",
    )
    others = [
        one
        for entry in fleet.models(reader)
        if entry["name"] == found.value(SCHEMA.name)
        for one in entry["versions"]
    ]
    return {
        **(fleet.model_of(found) or {}),
        "iri": found.iri,
        **{word: found.value(TINYC[word]) for word in facts},
        "labels": sorted(str(plain(term)) for term in found.all(TINYC.label)),
        "bill": _bill(reader, found),
        "evaluations": _evaluations(reader, found),
        "firmware": _builds(reader, node),
        "runs": _runs(reader, node),
        "versions": others,
        "lineage": lineage.family(reader, found.iri),
    }


def _bill(reader: Reader, found: Node) -> dict[str, Any] | None:
    iris = found.iris(TINYC.bill)[:1]
    if not iris:
        return None
    bill = reader.describe(iris)[iris[0]]
    words = ("sqnrDb", "samples", "floatAccuracy", "accuracy", "accuracyLost")
    layers = reader.rows(
        f"SELECT ?name ?kind ?sqnr {{ {NamedNode(iris[0])} tinyc:layerBill ?l . ?l schema:name ?name "
        "OPTIONAL { ?l tinyc:kind ?kind } OPTIONAL { ?l tinyc:sqnrDb ?sqnr } } ORDER BY ?sqnr LIMIT 500"
    )
    return {word: bill.value(TINYC[word]) for word in words} | {
        "layers": [{name: plain(row.get(name)) for name in ("name", "kind", "sqnr")} for row in layers]
    }


def _evaluations(reader: Reader, found: Node) -> list[dict[str, Any]]:
    nodes = reader.describe(found.iris(TINYC.evaluation))
    data = reader.describe(iri for node in nodes.values() for iri in node.iris(TINYC.onDataset))
    result = []
    for node in nodes.values():
        measure = node.iris(MLS.specifiedBy)[:1]
        on = node.iris(TINYC.onDataset)[:1]
        result.append(
            {
                "measure": measure[0].removeprefix(TINYC.iri) if measure else None,
                "value": node.value(MLS.hasValue),
                "dataset": data[on[0]].value(DCT.title) if on else None,
            }
        )
    return result


def _builds(reader: Reader, node: NamedNode) -> list[dict[str, Any]]:
    rows = reader.rows(f"SELECT ?f {{ ?f tinyc:model {node} . ?f a tinyc:Firmware }} LIMIT 500")
    nodes = reader.describe(plain(row["f"]) for row in rows)
    linked = reader.describe(
        iri for one in nodes.values() for name in (TINYC.board, TINYC.budget) for iri in one.iris(name)[:1]
    )
    running: dict[str | None, int] = {}
    if nodes:
        running = reader.counts(
            f"SELECT ?key (COUNT(*) AS ?n) {{ {values('key', sorted(nodes))} "
            "?d tinyc:runsFirmware ?key } GROUP BY ?key"
        )
    result = []
    for iri, one in nodes.items():
        board, budget = one.iris(TINYC.board)[:1], one.iris(TINYC.budget)[:1]
        sizes = linked[budget[0]] if budget else None
        result.append(
            {
                "identity": one.value(TINYC.identity) or local(iri, "firmware"),
                "board": fleet.board_of(linked[board[0]]) if board else None,
                "compiler": one.value(TINYC.compilerVersion),
                "optimize": one.value(TINYC.optimize),
                "signed": one.value(TINYC.signed),
                "at": one.value(PROV.generatedAtTime),
                "budget": sizes and {word: sizes.value(TINYC[word]) for word in _SIZES},
                "free_flash": one.value(TINYC.freeFlash),
                "free_ram": one.value(TINYC.freeRam),
                "devices": running.get(iri, 0),
            }
        )
    return sorted(result, key=lambda entry: (-entry["devices"], str(entry["identity"])))


def _runs(reader: Reader, node: NamedNode) -> dict[str, Any]:
    """On how many devices, by site and by drift."""

    def by(pattern: str) -> dict[str | None, int]:
        text = f"SELECT ?key (COUNT(*) AS ?n) {{ ?d tinyc:runsModel {node} . {pattern} }} GROUP BY ?key"
        return reader.counts(text)

    drifts = by("?d tinyc:drift ?key")
    return {
        "devices": reader.number(f"SELECT (COUNT(*) AS ?n) {{ ?d tinyc:runsModel {node} }}"),
        "sites": [
            {"name": name, "devices": number}
            for name, number in sorted(
                by("?d tinyc:site/schema:name ?key").items(), key=lambda item: (-item[1], str(item[0]))
            )
        ],
        "drift": {word: drifts.get(term.value, 0) for word, term in fleet.DRIFTS.items()},
    }
