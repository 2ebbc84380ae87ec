"""W3C Web of Things: a Thing Model for each board, a Thing Description 1.1 for each device.

Forms speak of the Simple Management Protocol on a serial line, as `docs/reference/protocol.md` has it: the
`href` is a name of the device with group and command, not an address that a browser could open.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from pyoxigraph import NamedNode

import tinyc
from tinyc.errors import TinycError
from tinyc.registry.formats.reader import Node, Reader
from tinyc.registry.vocabulary import PROV, RDF, SCHEMA, SOSA, TINYC, UNIT

CONTEXT = "https://www.w3.org/2022/wot/td/v1.1"
PREFIXES = {"tinyc": TINYC.iri, "unit": UNIT.iri, "sosa": SOSA.iri, "prov": PROV.iri, "schema": SCHEMA.iri}
MODEL_TYPE = "application/tm+json"

_CBOR = "application/cbor"
# Group of tinyc's own commands and those of the operating system.
_OWN, _OS = 64, 0
_HELLO, _INVOKE, _COUNTERS, _RESET = 0, 2, 5, 5
# A model with more inputs than this is described by their number alone.
_MOST_ITEMS = 1 << 20


def thing_model(reader: Reader, board: NamedNode) -> dict[str, Any]:
    """The Thing Model of a board: what its devices have in common. Raises TinycError when it is no board."""
    node = reader.shared(board)
    if not node.is_a(TINYC.Board):
        raise TinycError("a Thing Model is made of a board", where=board.value)
    return {
        "@context": [CONTEXT, PREFIXES],
        "@type": ["tm:ThingModel", "tinyc:Board"],
        "id": board.value,
        "title": node.text(SCHEMA.description) or node.text(SCHEMA.name),
        "description": f"Devices that are a {node.text(SCHEMA.name)}, with firmware by tinyc.",
        "version": {"model": tinyc.__version__},
        **_facts_of_board(reader, board, node),
        "securityDefinitions": {"nosec_sc": _NOSEC},
        "security": ["nosec_sc"],
        "properties": _properties({}),
        "actions": _actions({}),
    }


def thing_description(reader: Reader, device: NamedNode) -> dict[str, Any]:
    """The Thing Description of a device. Raises TinycError when it is no device."""
    node = reader.node(device)
    if not node.is_a(TINYC.Device):
        raise TinycError("a Thing Description is made of a device", where=device.value)
    board, site = node.iri(TINYC.board), node.iri(TINYC.site)
    board_node = reader.shared(board) if board else Node("", {})
    model = node.iri(TINYC.runsModel)
    firmware = node.iri(TINYC.runsFirmware)
    model_node = reader.shared(model) if model else Node("", {})
    current = node.iri(TINYC.currentDeployment)
    since = reader.node(current).text(PROV.startedAtTime) if current else ""
    name = board_node.text(SCHEMA.name) or "device"
    chip = node.text(TINYC.chip)
    version = model_node.text(SCHEMA.version)
    references = {
        "tinyc:board": board,
        "tinyc:site": site,
        "tinyc:runsFirmware": firmware,
        "tinyc:runsModel": model,
        "tinyc:drift": node.iri(TINYC.drift),
    }
    described = {
        "@context": [CONTEXT, PREFIXES],
        "@type": "tinyc:Device",
        "id": device.value,
        "title": f"{name} {chip}".strip(),
        "description": _about(name, model_node),
        "version": {"instance": version or "0.0.0", "model": tinyc.__version__},
        **({"modified": since} if since else {}),
        "tinyc:chip": chip,
        **{key: {"@id": value.value} for key, value in references.items() if value},
        "securityDefinitions": {"nosec_sc": _NOSEC},
        "security": ["nosec_sc"],
        "links": _links(board, site),
        "properties": _properties(_state(reader, device, node), _base(name, chip), device.value),
        "actions": _actions(_sizes(model_node), _base(name, chip)),
    }
    missing = node.text(TINYC.missingSince)
    return described | ({"tinyc:missingSince": missing} if missing else {})


def descriptions(reader: Reader) -> Iterator[dict[str, Any]]:
    """The Thing Descriptions of all devices, one at a time."""
    return (thing_description(reader, device) for device in reader.of_class(TINYC.Device))


_NOSEC = {
    "scheme": "nosec",
    "description": "Whoever has the serial line may ask; what is uploaded has to be signed where the board's "
    "bootloader has a key.",
}


def _about(board: str, model: Node) -> str:
    runs = f"runs the model {model.text(SCHEMA.name)} {model.text(SCHEMA.version)}" if model.known else ""
    return f"A {board}" + (f" that {runs}." if runs else ", and no model that the registry knows.")


def _links(board: NamedNode | None, site: NamedNode | None) -> list[dict[str, str]]:
    links = [{"rel": "type", "href": board.value, "type": MODEL_TYPE}] if board else []
    return links + ([{"rel": "collection", "href": site.value}] if site else [])


def _facts_of_board(reader: Reader, board: NamedNode, node: Node) -> dict[str, Any]:
    sensors = [each for sensor in reader.nodes(board, SOSA.hosts) for each in sensor.iris(RDF.type)]
    facts: dict[str, Any] = {
        "schema:name": node.text(SCHEMA.name),
        "tinyc:soc": node.text(TINYC.soc),
        "tinyc:core": node.text(TINYC.core),
        "tinyc:feature": sorted(node.texts(TINYC.feature)),
        "tinyc:clockHz": node.integer(TINYC.clockHz),
        "tinyc:flash": node.integer(TINYC.flash),
        "tinyc:ram": node.integer(TINYC.ram),
        "sosa:hosts": [{"@type": each.value} for each in sensors],
    }
    return {key: value for key, value in facts.items() if value not in ("", None, [])}


def _base(board: str, chip: str) -> str:
    return f"smp+serial:{quote(board, safe='')}/{quote(chip, safe='')}"


def _form(base: str, op: str, group: int, command: int, key: str = "") -> dict[str, Any]:
    form = {
        "href": f"{base}?group={group}&command={command}",
        "contentType": _CBOR,
        "op": [op],
        "subprotocol": "smp",
    }
    return form | ({"schema:propertyID": key} if key else {})


def _properties(state: Mapping[str, Any], base: str = "", device: str = "") -> dict[str, Any]:
    """`state` is what the registry knows of single ones; without `base` they have no forms."""

    def asked(command: int, key: str) -> dict[str, Any]:
        return {"forms": [_form(base, "readproperty", _OWN, command, key)]} if base else {}

    # No device tells these: whoever has the registry asks it for what is at the IRI.
    told = (
        {"forms": [{"href": device, "op": ["readproperty"], "contentType": "text/turtle"}]} if device else {}
    )
    count = {"type": "integer", "minimum": 0, "readOnly": True}
    return {
        "firmware": _property("Firmware", "SHA-256 that names the firmware.", "string", state)
        | asked(_HELLO, "firmware"),
        "model": _property("Model", "SHA-256 of the model's graph.", "string", state)
        | {f"schema:{key}": state[key] for key in ("name", "version") if state.get(key)}
        | asked(_HELLO, "model"),
        "freeRam": {"title": "Free RAM", "description": "Bytes behind static data and stack."}
        | {**count, "unit": "unit:BYTE"}
        | asked(_HELLO, "ram"),
        "invocations": {"title": "Inferences since the start"} | count | asked(_COUNTERS, "invocations"),
        "refused": {"title": "Requests refused since the start"} | count | asked(_COUNTERS, "refused"),
        "drift": _property("Drift", "What the registry holds of the model's inputs.", "string", state)
        | {"enum": ["Stable", "Warning", "Drifted"]}
        | told,
        "learnedUpdates": {"title": "Updates learned on the device", "description": "Told by the registry."}
        | count
        | ({"schema:value": state["learnedUpdates"]} if "learnedUpdates" in state else {})
        | told,
    }


def _property(title: str, description: str, kind: str, state: Mapping[str, Any]) -> dict[str, Any]:
    entry = {"title": title, "description": description, "type": kind, "readOnly": True}
    value = state.get(title.lower())
    return entry | ({"schema:value": value} if value else {})


def _state(reader: Reader, device: NamedNode, node: Node) -> dict[str, Any]:
    firmware, model, drift = (node.iri(key) for key in (TINYC.runsFirmware, TINYC.runsModel, TINYC.drift))
    states = reader.nodes(device, TINYC.learnedState) if node.all(TINYC.learnedState) else ()
    newest = max(states, key=lambda each: each.integer(TINYC.sequence) or 0, default=None)
    known = reader.shared(model) if model else Node("", {})
    return {
        "firmware": reader.shared(firmware).text(TINYC.identity) if firmware else "",
        "model": known.text(TINYC.digest),
        "name": known.text(SCHEMA.name),
        "version": known.text(SCHEMA.version),
        "drift": drift.value.removeprefix(TINYC.iri) if drift else "",
        **({"learnedUpdates": newest.integer(TINYC.updates) or 0} if newest else {}),
    }


def _sizes(model: Node) -> dict[str, list[int]]:
    """Shapes of the model's input and output, where the registry has them."""
    found = {}
    for name, predicate in (("input", TINYC.inputShape), ("output", TINYC.outputShape)):
        parts = model.text(predicate).split(",")
        if all(part.strip().isdecimal() for part in parts):
            found[name] = [int(part) for part in parts]
    return found


def _actions(shapes: Mapping[str, list[int]], base: str = "") -> dict[str, Any]:
    invoke: dict[str, Any] = {
        "title": "Run the model once",
        "description": "Write the input (group 64, command 1), invoke (2), read the output (3).",
        "safe": False,
        "idempotent": False,
    }
    for name, shape in shapes.items():
        invoke[name] = _array(shape)
    reset = {"title": "Start again", "safe": False, "idempotent": True}
    if base:
        invoke["forms"] = [_form(base, "invokeaction", _OWN, _INVOKE)]
        reset["forms"] = [_form(base, "invokeaction", _OS, _RESET)]
    return {"invoke": invoke, "reset": reset}


def _array(shape: list[int]) -> dict[str, Any]:
    items = math.prod(shape)
    entry: dict[str, Any] = {
        "type": "array",
        "description": f"int8, shape {'x'.join(map(str, shape))}",
        "items": {"type": "integer", "minimum": -128, "maximum": 127},
    }
    return entry | ({"minItems": items, "maxItems": items} if items <= _MOST_ITEMS else {})
