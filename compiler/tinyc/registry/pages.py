"""Everything about one device, model or firmware, by queries that take milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from pyoxigraph import Literal, NamedNode

from tinyc.registry.reading import rows, text_of
from tinyc.registry.store.base import Store, Term
from tinyc.registry.vocabulary import SCHEMA, TINYC

_SHORTEST_PREFIX = 6
_MOST = 20
_KINDS = {
    TINYC.Device: "device",
    TINYC.Model: "model",
    TINYC.Firmware: "firmware",
    TINYC.UnknownFirmware: "firmware",
}
# The limit inside makes Oxigraph read this device's deployments first, not those of the whole fleet.
# Virtuoso sorts no more than 10,000 rows with a limit.
_DEPLOYMENTS = """SELECT ?d ?t ?i ?known ?n ?v ?how ?verified WHERE {
  { SELECT ?d ?t ?f ?how ?verified WHERE {
    ?d tinyc:device $device ; a tinyc:Deployment ; prov:startedAtTime ?t ; tinyc:firmware ?f ;
       tinyc:method ?how ; tinyc:verified ?verified .
  } ORDER BY DESC(?t) LIMIT 10000 }
  OPTIONAL { ?f tinyc:identity ?i }
  BIND(EXISTS { ?f a tinyc:Firmware } AS ?known)
  OPTIONAL { ?d tinyc:model ?m . ?m schema:name ?n ; schema:version ?v }
} ORDER BY DESC(?t) ?d"""
_STATES = """SELECT ?q ?t ?u ?before ?after WHERE {
  ?s tinyc:device $device ; a tinyc:LearnedState ; tinyc:sequence ?q ; prov:generatedAtTime ?t .
  OPTIONAL { ?s tinyc:updates ?u }
  OPTIONAL { ?s tinyc:guardMetric ?g . ?g tinyc:after ?after OPTIONAL { ?g tinyc:before ?before } }
} ORDER BY DESC(?q)"""
_PARENTS = """SELECT DISTINCT ?a ?n ?v ?r WHERE {
  VALUES ?m { $models } ?m prov:wasDerivedFrom ?a .
  OPTIONAL { ?a schema:name|dct:title ?n } OPTIONAL { ?a schema:version ?v }
  OPTIONAL { ?m prov:qualifiedDerivation ?d . ?d prov:entity ?a ; tinyc:relation ?r }
} ORDER BY ?n ?v ?a"""
_EVALUATIONS = """SELECT ?title ?value WHERE {
  $model tinyc:evaluation ?e . ?e mls:hasValue ?value ; tinyc:onDataset ?data .
  OPTIONAL { ?data dct:title ?title }
} ORDER BY ?title ?value"""
_FIRMWARE = """SELECT ?f ?i ?b ?n ?v ?c ?flash ?ram ?freeFlash ?freeRam ?t WHERE {
  $pattern . ?f a tinyc:Firmware ; tinyc:identity ?i ; tinyc:board ?board ; tinyc:model ?m .
  ?board schema:name ?b . ?m schema:name ?n ; schema:version ?v .
  OPTIONAL { ?f tinyc:compilerVersion ?c }
  OPTIONAL { ?f tinyc:budget ?budget . ?budget tinyc:flash ?flash ; tinyc:ram ?ram }
  OPTIONAL { ?f tinyc:freeFlash ?freeFlash ; tinyc:freeRam ?freeRam }
  OPTIONAL { ?f prov:generatedAtTime ?t }
} ORDER BY DESC(?t) ?i"""


@dataclass(frozen=True, slots=True)
class Thing:
    """What a text may mean: `kind` is device, model or firmware."""

    kind: str
    iri: NamedNode


@dataclass(frozen=True, slots=True)
class DeploymentRow:
    """One deployment of a device. `known`: some build told of the firmware."""

    at: str
    firmware: str
    known: bool
    model: str
    version: str
    method: str
    verified: bool
    current: bool


@dataclass(frozen=True, slots=True)
class StateRow:
    """One learned state: the guard metric before and after, fractions of 1."""

    sequence: int
    at: str
    updates: int | None
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class DevicePage:
    """A device. Times are ISO 8601, sizes bytes; None and empty texts are what nobody told."""

    iri: str
    board: str
    chip: str
    site: str
    drift: str
    first_seen: str
    missing_since: str
    free_flash: int | None
    free_ram: int | None
    deployments: tuple[DeploymentRow, ...]
    states: tuple[StateRow, ...]


@dataclass(frozen=True, slots=True)
class Ancestor:
    """What a model was derived from, `steps` away; a file has no version."""

    iri: str
    name: str
    version: str
    relation: str
    steps: int


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """The accuracy of a model on a data set, a fraction of 1."""

    dataset: str
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class FirmwareRow:
    """A firmware with its budget in bytes, and how many devices run it."""

    iri: str
    identity: str
    known: bool
    board: str
    model: str
    version: str
    compiler: str
    flash: int | None
    ram: int | None
    free_flash: int | None
    free_ram: int | None
    at: str
    devices: int


@dataclass(frozen=True, slots=True)
class ModelPage:
    """A version of a model, what it came from and where it runs. Accuracies are fractions of 1."""

    iri: str
    name: str
    version: str
    digest: str
    parameters: int | None
    macs: int | None
    weight_bytes: int | None
    input_shape: str
    output_shape: str
    precision: str
    input_type: str
    recalled: bool
    sqnr_db: float | None
    float_accuracy: float | None
    accuracy: float | None
    evaluations: tuple[EvaluationRow, ...]
    ancestors: tuple[Ancestor, ...]
    firmware: tuple[FirmwareRow, ...]
    devices: int


def find(store: Store, text: str) -> tuple[Thing, ...]:
    """What `text` means: an IRI, the number of a chip, NAME or NAME@VERSION of a model, the start of a
    firmware's identity. At most 20."""
    name, _, version = text.partition("@")
    terms: dict[str, Term] = {
        "chip": Literal(text.lower()),
        "name": Literal(name),
        "version": Literal(version),
    }
    patterns = ["?x tinyc:chip $chip"]
    model = "?x a tinyc:Model ; schema:name $name"
    patterns.append(f"{model} ; schema:version $version" if version else model)
    if len(text) >= _SHORTEST_PREFIX:
        patterns.append("?x tinyc:identity ?i FILTER(STRSTARTS(?i, $chip))")
    with suppress(ValueError):
        terms["iri"] = NamedNode(text)
        patterns.append("VALUES ?x { $iri }")
    arms = " UNION ".join(f"{{ {pattern} }}" for pattern in patterns)
    # The limit inside keeps the store from looking at the class of everything.
    some = f"{{ SELECT DISTINCT ?x WHERE {{ {arms} }} LIMIT {2 * _MOST} }}"
    query = f"SELECT DISTINCT ?x ?k WHERE {{ {some} ?x a ?k }} ORDER BY ?x"
    found = {
        Thing(_KINDS[kind], thing): None
        for thing, kind in rows(store, query, **terms)
        if isinstance(thing, NamedNode) and isinstance(kind, NamedNode) and kind in _KINDS
    }
    return tuple(found)[:_MOST]


def device_page(store: Store, device: NamedNode) -> DevicePage:
    """All about a device; empty where nothing is known."""
    told = _properties(store, device)
    board, site = _iri(told, TINYC.board), _iri(told, TINYC.site)
    firmware = _iri(told, TINYC.runsFirmware)
    runs = _properties(store, firmware) if firmware else {}
    current = _iri(told, TINYC.currentDeployment)
    return DevicePage(
        iri=device.value,
        board=_name(store, board),
        chip=_text(told, TINYC.chip),
        site=_name(store, site),
        drift=_text(told, TINYC.drift).removeprefix(TINYC.iri),
        first_seen=_text(told, TINYC.firstSeen),
        missing_since=_text(told, TINYC.missingSince),
        free_flash=_whole(runs, TINYC.freeFlash),
        free_ram=_whole(runs, TINYC.freeRam),
        deployments=_deployments(store, device, current),
        states=_states(store, device),
    )


def _deployments(store: Store, device: NamedNode, current: NamedNode | None) -> tuple[DeploymentRow, ...]:
    """Newest first."""
    return tuple(
        DeploymentRow(
            at=text_of(at),
            firmware=text_of(identity),
            known=_true(known),
            model=text_of(name),
            version=text_of(version),
            method=text_of(method),
            verified=_true(verified),
            current=deployment == current,
        )
        for deployment, at, identity, known, name, version, method, verified in rows(
            store, _DEPLOYMENTS, device=device
        )
    )


def _states(store: Store, device: NamedNode) -> tuple[StateRow, ...]:
    """Newest first."""
    return tuple(
        StateRow(_int(sequence) or 0, text_of(at), _int(updates), _float(before), _float(after))
        for sequence, at, updates, before, after in rows(store, _STATES, device=device)
    )


def model_page(store: Store, model: NamedNode) -> ModelPage:
    """All about a version of a model."""
    told = _properties(store, model)
    bill = _iri(told, TINYC.bill)
    cost = _properties(store, bill) if bill else {}
    return ModelPage(
        iri=model.value,
        name=_text(told, SCHEMA.name),
        version=_text(told, SCHEMA.version),
        digest=_text(told, TINYC.digest),
        parameters=_whole(told, TINYC.parameters),
        macs=_whole(told, TINYC.macs),
        weight_bytes=_whole(told, TINYC.weightBytes),
        input_shape=_text(told, TINYC.inputShape),
        output_shape=_text(told, TINYC.outputShape),
        precision=_text(told, TINYC.precision),
        input_type=_text(told, TINYC.inputType),
        recalled=_true(_first(told, TINYC.recalled)),
        sqnr_db=_float(_first(cost, TINYC.sqnrDb)),
        float_accuracy=_float(_first(cost, TINYC.floatAccuracy)),
        accuracy=_float(_first(cost, TINYC.accuracy)),
        evaluations=tuple(
            EvaluationRow(text_of(title), _float(value))
            for title, value in rows(store, _EVALUATIONS, model=model)
        ),
        ancestors=ancestors(store, model),
        firmware=_firmware(store, "?f tinyc:model $node", model),
        devices=_count(store, "?d tinyc:runsModel $node", model),
    )


def ancestors(store: Store, model: NamedNode) -> tuple[Ancestor, ...]:
    """What a model was derived from, nearest first; each once, so that a circle ends."""
    found: dict[NamedNode, Ancestor] = {}
    front, steps = [model], 0
    while front:
        steps += 1
        values = " ".join(map(str, front))
        found_now = rows(store, _PARENTS.replace("$models", values))
        front = []
        for ancestor, name, version, relation in found_now:
            if isinstance(ancestor, NamedNode) and ancestor not in found and ancestor != model:
                how = text_of(relation).removeprefix(TINYC.iri)
                found[ancestor] = Ancestor(ancestor.value, text_of(name), text_of(version), how, steps)
                front.append(ancestor)
    return tuple(found.values())


def firmware_page(store: Store, firmware: NamedNode) -> FirmwareRow:
    """All about a firmware; of an unknown one only the identity and the devices."""
    known = _firmware(store, "VALUES ?f { $node }", firmware)
    if known:
        return known[0]
    identity = _text(_properties(store, firmware), TINYC.identity)
    devices = _count(store, "?d tinyc:runsFirmware $node", firmware)
    return FirmwareRow(firmware.value, identity, False, "", "", "", "", None, None, None, None, "", devices)


def _firmware(store: Store, pattern: str, node: NamedNode) -> tuple[FirmwareRow, ...]:
    """Newest first; `$node` of the pattern is `node`."""
    return tuple(
        FirmwareRow(
            iri=text_of(firmware),
            identity=text_of(identity),
            known=True,
            board=text_of(board),
            model=text_of(name),
            version=text_of(version),
            compiler=text_of(compiler),
            flash=_int(flash),
            ram=_int(ram),
            free_flash=_int(free_flash),
            free_ram=_int(free_ram),
            at=text_of(at),
            devices=_count(store, "?d tinyc:runsFirmware $node", NamedNode(text_of(firmware))),
        )
        for firmware, identity, board, name, version, compiler, flash, ram, free_flash, free_ram, at in rows(
            store, _FIRMWARE.replace("$pattern", pattern), node=node
        )
    )


def _properties(store: Store, node: NamedNode) -> Mapping[NamedNode, tuple[Term, ...]]:
    found: dict[NamedNode, tuple[Term, ...]] = {}
    for predicate, value in rows(store, "SELECT ?p ?o WHERE { $node ?p ?o } ORDER BY ?p ?o", node=node):
        if isinstance(predicate, NamedNode) and value is not None:
            found[predicate] = (*found.get(predicate, ()), value)
    return found


def _first(told: Mapping[NamedNode, tuple[Term, ...]], predicate: NamedNode) -> Term | None:
    return next(iter(told.get(predicate, ())), None)


def _text(told: Mapping[NamedNode, tuple[Term, ...]], predicate: NamedNode) -> str:
    return text_of(_first(told, predicate))


def _iri(told: Mapping[NamedNode, tuple[Term, ...]], predicate: NamedNode) -> NamedNode | None:
    term = _first(told, predicate)
    return term if isinstance(term, NamedNode) else None


def _whole(told: Mapping[NamedNode, tuple[Term, ...]], predicate: NamedNode) -> int | None:
    return _int(_first(told, predicate))


def _name(store: Store, node: NamedNode | None) -> str:
    return _text(_properties(store, node), SCHEMA.name) if node is not None else ""


def _int(term: Term | None) -> int | None:
    try:
        return int(text_of(term))
    except ValueError:
        return None


def _float(term: Term | None) -> float | None:
    try:
        return float(text_of(term))
    except ValueError:
        return None


def _true(term: Term | None) -> bool:
    return text_of(term) in ("true", "1")


def _count(store: Store, pattern: str, node: NamedNode) -> int:
    for (count,) in rows(store, f"SELECT (COUNT(*) AS ?n) WHERE {{ {pattern} }}", node=node):
        return _int(count) or 0
    return 0
