"""Boards and models out of descriptions in the TinyML schema (nnet, S3N), as SeLoC-ML publishes them.

The published triples stay as they are in a graph of their own; this module says the same in the registry's
own terms. Sizes are kilobytes there, 1000 bytes each. What cannot be taken over is reported, not guessed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from urllib.parse import unquote

from pyoxigraph import Literal, NamedNode, Triple

from tinyc.registry import names
from tinyc.registry.change import Change, Step, Value, properties_of, triples_of
from tinyc.registry.formats.staging import Staging
from tinyc.registry.vocabulary import (
    DCAT,
    DCT,
    MLS,
    NNET,
    PREFIXES,
    RDF,
    S3N,
    S3N_EXTEND,
    SCHEMA,
    SOSA,
    SOSA_EXTEND,
    TD,
    TINYC,
    XSD,
)

DEFAULT_GRAPH = NamedNode("urn:tinyc:graph:descriptions")
_UNKNOWN = "unknown"
_VERSION = "0.0.0"
"""Descriptions have no version of the model."""
SENSORS = frozenset({"Accelerometer", "Camera", "Gyroscope", "Magnetometer", "Microphone", "Thermometer"})
_INPUT_TYPES = {"Microphone": "audio", "Camera": "image"}
_BYTES = {"kilobyte": 1000, "kibibyte": 1024, "byte": 1, "megabyte": 1_000_000}
_SERIAL = re.compile(r"-[0-9]{3}(-[0-9]{3})+$")
_LABEL = re.compile(r"[0-9]+:\s*([^,]+)")
_PROLOGUE = "".join(f"PREFIX {name}: <{iri}>\n" for name, iri in PREFIXES.items())


class Descriptions:
    """What the quads of a staging describe. `notes` says what was repaired or left out."""

    def __init__(self, staging: Staging) -> None:
        self.staging = staging
        self.notes: list[str] = []
        self.boards = 0
        self.models = 0
        self._described: dict[str, NamedNode] = {}

    def plan(self) -> bool:
        """Plan a change for each board and model; False when nothing of the kind is described."""
        for iri in self._of(S3N.SmartSensor):
            self._board(iri)
        for iri in self._of(NNET.NeuralNetwork):
            self._model(iri)
        if self.boards + self.models:
            self.notes.insert(0, "sizes were kilobytes and are bytes now, 1 kB = 1000 B")
        return bool(self.boards + self.models)

    def _of(self, kind: NamedNode) -> list[NamedNode]:
        """Things of a class that are not described in the registry's own terms."""
        own = f"FILTER NOT EXISTS {{ ?s a {TINYC.Model} }} FILTER NOT EXISTS {{ ?s a {TINYC.Device} }}"
        rows = self.staging.query(f"SELECT DISTINCT ?s {{ ?s a {kind} {own} }}")
        found = (row[0] for row in rows)
        return sorted((each for each in found if isinstance(each, NamedNode)), key=lambda each: each.value)

    def _values(self, pattern: str) -> list[object]:
        """The bindings of ?v, each once and sorted as text. `pattern` is made of terms alone."""
        rows = self.staging.query(f"{_PROLOGUE}SELECT DISTINCT ?v {{ {pattern} }}")
        return sorted((row[0] for row in rows if row[0] is not None), key=str)

    def _text(self, iri: NamedNode, predicate: NamedNode) -> str:
        values = self._values(f"{iri} {predicate} ?v")
        return values[0].value if values and isinstance(values[0], Literal) else ""

    def _note(self, name: str, said: str) -> None:
        self.notes.append(f"{name}: {said}")

    def _size(self, name: str, what: str, pattern: str) -> int | None:
        """Bytes of the one value with a unit that `pattern` binds to ?value and ?unit."""
        rows = list(self.staging.query(f"{_PROLOGUE}SELECT DISTINCT ?value ?unit {{ {pattern} }}"))
        if len(rows) != 1:
            self._note(name, f"has {len(rows)} values for {what}, left out" if rows else f"has no {what}")
            return None
        value, unit = rows[0]
        factor = _BYTES.get(unit.value.rpartition("/")[2]) if isinstance(unit, NamedNode) else None
        number = _number(value)
        if factor is None or number is None or number < 0:
            self._note(name, f"has a {what} that is no size: {value} {unit}")
            return None
        return round(number * factor)

    def _sensors(self, name: str, pattern: str) -> tuple[str, ...]:
        found = []
        for value in self._values(pattern):
            if not isinstance(value, NamedNode) or not value.value.startswith(SOSA_EXTEND.iri):
                continue
            kind = value.value.removeprefix(SOSA_EXTEND.iri)
            if kind.lstrip(":") in SENSORS and kind not in SENSORS:
                self._note(name, f"has a sensor of the class {value}, taken for {kind.lstrip(':')}")
            if kind.lstrip(":") in SENSORS:
                found.append(kind.lstrip(":"))
            else:
                self._note(name, f"has a sensor of the kind {kind}, left out")
        return tuple(sorted(set(found)))

    def _board(self, iri: NamedNode) -> None:
        name = _board_name(iri)
        if self._described.setdefault(name, iri) != iri:
            self._note(
                name, f"is described by {self._described[name].value} and {iri.value}: the first is taken"
            )
            return
        micro = f"{iri} ssn:hasSubSystem ?m . ?m a s3n:MicroController ; s3n:hasSystemCapability ?c . "
        memory = (
            micro
            + "?c ssn-system:hasSystemProperty ?p . ?p a {} ; schema:value ?value ; schema:unitCode ?unit"
        )
        flash = self._size(name, "flash", memory.format(S3N_EXTEND.Flash))
        ram = self._size(name, "RAM", memory.format(S3N_EXTEND.RAM))
        if flash is None or ram is None:
            return
        kinds = self._sensors(name, f"{iri} ssn:hasSubSystem ?system . ?system a ?v")
        board = names.board(name)
        description = self._text(iri, TD.description).rstrip(".")
        own = triples_of(
            board,
            (RDF.type, TINYC.Board),
            (SCHEMA.name, Literal(name)),
            (SCHEMA.description, Literal(description) if description else None),
            # Not published. The sizes are what was left to an application, as ours are.
            (TINYC.soc, Literal(_UNKNOWN)),
            (TINYC.core, Literal(_UNKNOWN)),
            (TINYC.flash, _integer(flash)),
            (TINYC.ram, _integer(ram)),
            (DCT.source, iri),
        )
        sensors: list[Triple] = []
        for kind in kinds:
            sensor = names.sensor(name, kind.lower())
            sensors += triples_of(board, (SOSA.hosts, sensor))
            sensors += triples_of(sensor, (RDF.type, SOSA_EXTEND[kind]))
        clear = (*properties_of(own, RDF.type), (board, SOSA.hosts))
        self.staging.plan(Change((Step((*own, *sensors), clear),)))
        self.boards += 1

    def _model(self, iri: NamedNode) -> None:
        name = self._text(iri, SCHEMA.name) or unquote(iri.value.rpartition("/")[2])
        needs = f"{iri} s3n:hasProcedureFeature/ssn-system:inCondition ?c . "
        needs += "?c a {} ; schema:minValue ?value ; schema:unitCode ?unit"
        flash = self._size(name, "flash", needs.format(S3N_EXTEND.Flash))
        ram = self._size(name, "RAM", needs.format(S3N_EXTEND.RAM))
        digest = self._digest(iri)
        model = names.model(name, _VERSION, digest)
        sensors = self._sensors(name, f"{iri} ssn:hasInput ?i . ?s ssn-extend:provideInput ?i ; a ?v")
        kinds = {_INPUT_TYPES.get(kind, "motion") for kind in sensors} - {""}
        description = self._text(iri, SCHEMA.description).strip()
        own = triples_of(
            model,
            (RDF.type, TINYC.Model),
            (SCHEMA.name, Literal(name)),
            (SCHEMA.version, Literal(_VERSION)),
            (SCHEMA.description, Literal(description) if description else None),
            (SCHEMA.creator, _literal(self._text(iri, SCHEMA.creator))),
            (TINYC.digest, Literal(digest)),
            (TINYC.macs, self._macs(name, iri)),
            (TINYC.inputShape, self._shape(f"{iri} nnet:inputLayer ?l . ?l nnet:shapeIn ?v")),
            (TINYC.outputShape, self._shape(f"{iri} nnet:outputLayer ?l . ?l nnet:shapeOut ?v")),
            (TINYC.precision, self._precision(iri)),
            (TINYC.inputType, Literal(kinds.pop()) if len(kinds) == 1 else None),
            (DCT.source, iri),
        )
        labels = [Literal(label) for label in self._labels(iri)]
        many = triples_of(model, *((TINYC.label, label) for label in labels))
        clear = (*properties_of(own, RDF.type), (model, TINYC.label), (model, NNET.trainingDataset))
        steps = [
            Step((*own, *many), clear),
            *self._dataset(name, iri, model),
            *self._metric(name, iri, model, digest),
        ]
        if flash is not None and ram is not None:
            steps.append(_budget(model, digest, flash, ram))
        self.staging.plan(Change(tuple(steps)))
        self.models += 1

    def _digest(self, iri: NamedNode) -> str:
        """No digest of the model is published, so that of what is said of it stands in."""
        rows = self.staging.query(f"SELECT DISTINCT ?p ?o {{ {iri} ?p ?o FILTER(!isBlank(?o)) }}")
        lines = sorted(f"{predicate} {value}" for predicate, value in rows)
        return hashlib.sha256("\n".join([str(iri), *lines]).encode()).hexdigest()

    def _macs(self, name: str, iri: NamedNode) -> Literal | None:
        values = self._values(f"{iri} nnet:hasMultiplyAccumulateOps ?v")
        numbers = [number for number in map(_number, values) if number is not None and number >= 0]
        if len(numbers) != 1 or numbers[0] != int(numbers[0]):
            self._note(name, "has no whole number of multiply-accumulates")
            return None
        return _integer(int(numbers[0]))

    def _shape(self, pattern: str) -> Literal | None:
        """`[ 1 49 10  1]` is `1,49,10,1`."""
        found = [
            re.findall(r"[0-9]+", each.value) for each in self._values(pattern) if isinstance(each, Literal)
        ]
        return Literal(",".join(found[0])) if len(found) == 1 and found[0] else None

    def _precision(self, iri: NamedNode) -> Literal | None:
        """That of the layers' weights, where they agree; biases have another one."""
        pattern = f"{iri} nnet:inputLayer|nnet:middleLayer|nnet:outputLayer ?l . ?l nnet:hasQuantization ?v"
        found = {
            each.value.removeprefix(NNET.iri).lower()
            for each in self._values(pattern)
            if isinstance(each, NamedNode)
        }
        found -= {"int32"}
        return Literal(found.pop()) if len(found) == 1 else None

    def _labels(self, iri: NamedNode) -> Iterator[str]:
        for value in self._values(f"{iri} ssn:hasOutput ?o . ?o nnet:hasOutputInfo ?v"):
            if isinstance(value, Literal):
                yield from (label.strip() for label in _LABEL.findall(value.value))

    def _dataset(self, name: str, iri: NamedNode, model: NamedNode) -> Iterator[Step]:
        for value in self._values(f"{iri} nnet:trainingDataset ?v"):
            text = value.value if isinstance(value, NamedNode) else ""
            repaired = _address(text)
            if not repaired:
                self._note(name, f"was trained on {value}, which is no address: left out")
                continue
            if repaired != text:
                self._note(name, f"was trained on {text.removeprefix('file:///')}, taken for {repaired}")
            at = NamedNode(repaired)
            title = repaired.rstrip("/").rpartition("/")[2]
            yield Step(
                (
                    *triples_of(model, (NNET.trainingDataset, at)),
                    *triples_of(at, (RDF.type, DCAT.Dataset), (DCT.title, Literal(title))),
                )
            )

    def _metric(self, name: str, iri: NamedNode, model: NamedNode, digest: str) -> Iterator[Step]:
        values = self._values(f"{iri} nnet:hasMetric ?m . ?m a nnet:Top_1_accuracy ; nnet:hasMetricValue ?v")
        for number in map(_number, values):
            if number is None or not 0 < number <= 100:
                self._note(name, "has an accuracy of 0, which stands for one that is not known: left out")
                continue
            share = number / 100 if number > 1 else number
            evaluation = names.evaluation(digest, TINYC.TopOneAccuracy.value, "")
            own = triples_of(
                evaluation,
                (RDF.type, MLS.ModelEvaluation),
                (MLS.specifiedBy, TINYC.TopOneAccuracy),
                (MLS.hasValue, Literal(f"{share.normalize():f}", datatype=XSD.decimal)),
            )
            link = triples_of(model, (TINYC.evaluation, evaluation))
            yield Step((*own, *link), properties_of(own, RDF.type))


def _budget(model: NamedNode, digest: str, flash: int, ram: int) -> Step:
    """What the model needs, measured on a board that is not told: a budget of the model itself."""
    budget = names.budget(digest)
    own = triples_of(
        budget,
        (RDF.type, TINYC.MemoryBudget),
        (TINYC.flash, _integer(flash)),
        (TINYC.ram, _integer(ram)),
    )
    return Step((*own, *triples_of(model, (TINYC.budget, budget))), properties_of(own, RDF.type))


def _board_name(iri: NamedNode) -> str:
    """`…/arduino_nano_ble_33-322-000-000-002` is the board `arduino_nano_ble_33`."""
    return _SERIAL.sub("", unquote(re.split(r"[/#:]", iri.value)[-1]))


def _address(text: str) -> str:
    """An address of the web, or nothing. One without its scheme was read as a file's."""
    if re.match(r"https?://[^/]+\.[^/]+", text):
        return text
    host, slash, rest = text.removeprefix("file:///").partition("/")
    return f"http://{host}/{rest}" if slash and "." in host and text.startswith("file:///") else ""


def _number(value: object) -> Decimal | None:
    try:
        number = Decimal(value.value) if isinstance(value, Literal) else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() and abs(number) < Decimal(10) ** 18 else None


def _integer(value: int) -> Literal:
    return Literal(str(value), datatype=XSD.integer)


def _literal(text: str) -> Value | None:
    return Literal(text) if text else None
