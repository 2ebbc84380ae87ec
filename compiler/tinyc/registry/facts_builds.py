"""Facts that a build knows: boards, models, firmware."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from pyoxigraph import Literal, NamedNode, Triple

from tinyc.registry import names
from tinyc.registry.change import Change, Property, Step, moment, present, properties_of, triples_of
from tinyc.registry.fact import Fact, ModelRef, decimal, need, text, truth, whole
from tinyc.registry.vocabulary import DCAT, DCT, MLS, PROV, RDF, SCHEMA, SOSA, SOSA_EXTEND, TINYC

_TYPE = RDF.type
_COMPILER = "tinyc"


@dataclass(frozen=True, slots=True)
class BoardFact(Fact):
    """A kind of board. `flash` and `ram` are the bytes that an application may use."""

    kind: ClassVar[str] = "board"
    name: str
    title: str
    soc: str
    core: str
    clock_hz: int
    flash: int
    ram: int
    sensors: tuple[str, ...] = ()
    features: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        need(name=self.name)

    @property
    def key(self) -> str:
        return f"board {self.iri.value}"

    @property
    def iri(self) -> NamedNode:
        return names.board(self.name)

    def change(self, *, live: bool = True) -> Change:
        board = self.iri
        own = triples_of(
            board,
            (_TYPE, TINYC.Board),
            (SCHEMA.name, Literal(self.name)),
            (SCHEMA.description, text(self.title)),
            (TINYC.soc, text(self.soc)),
            (TINYC.core, text(self.core)),
            (TINYC.clockHz, whole(self.clock_hz)),
            (TINYC.flash, whole(self.flash)),
            (TINYC.ram, whole(self.ram)),
        )
        features = triples_of(board, *((TINYC.feature, Literal(each)) for each in self.features))
        sensors = []
        for kind in self.sensors:
            sensor = names.sensor(self.name, kind)
            sensors += [
                Triple(board, SOSA.hosts, sensor),
                Triple(sensor, _TYPE, SOSA_EXTEND[kind.capitalize()]),
            ]
        clear: tuple[Property, ...] = (
            *properties_of(own, _TYPE),
            (board, SOSA.hosts),
            (board, TINYC.feature),
        )
        return Change((Step((*own, *features, *sensors), clear),))


@dataclass(frozen=True, slots=True)
class FileFact:
    """A file that something was made from or measured with, by its SHA-256."""

    title: str
    digest: str


@dataclass(frozen=True, slots=True)
class LayerFact:
    """A layer of a quantization bill."""

    name: str
    kind: str
    sqnr_db: float


@dataclass(frozen=True, slots=True)
class BillFact:
    """What quantization cost. Accuracies are fractions of 1, None where nothing was labelled."""

    sqnr_db: float
    samples: int
    float_accuracy: float | None = None
    accuracy: float | None = None
    layers: tuple[LayerFact, ...] = ()


@dataclass(frozen=True, slots=True)
class BaseFact:
    """The model that one was made from; `relation` is Quantized, FineTuned, Pruned or Revised."""

    model: ModelRef
    relation: str

    def __post_init__(self) -> None:
        if self.relation not in RELATIONS:
            raise ValueError(f"relation is {self.relation!r}, needs one of {', '.join(RELATIONS)}")


RELATIONS = ("Quantized", "FineTuned", "Pruned", "Revised")


@dataclass(frozen=True, slots=True)
class ModelFact(Fact):
    """A version of a model, as a build has it. `at` is when it was made, `compiler` the version of tinyc.

    Shapes are numbers with commas, several with a semicolon between. `manifest` is JSON text.
    """

    kind: ClassVar[str] = "model"
    model: ModelRef
    at: datetime
    compiler: str
    parameters: int | None = None
    macs: int | None = None
    weight_bytes: int | None = None
    input_shape: str = ""
    output_shape: str = ""
    precision: str = ""
    labels: tuple[str, ...] = ()
    input_type: str = ""
    manifest: str = ""
    source: FileFact | None = None
    base: BaseFact | None = None
    bill: BillFact | None = None

    def __post_init__(self) -> None:
        need(name=self.model.name, version=self.model.version, digest=self.model.digest)

    @property
    def key(self) -> str:
        return f"model {self.model.iri.value}"

    def change(self, *, live: bool = True) -> Change:
        model, digest = self.model.iri, self.model.digest
        one = triples_of(
            model,
            (_TYPE, TINYC.Model),
            (SCHEMA.name, Literal(self.model.name)),
            (SCHEMA.version, Literal(self.model.version)),
            (TINYC.digest, Literal(digest)),
            (TINYC.parameters, whole(self.parameters)),
            (TINYC.macs, whole(self.macs)),
            (TINYC.weightBytes, whole(self.weight_bytes)),
            (TINYC.inputShape, text(self.input_shape)),
            (TINYC.outputShape, text(self.output_shape)),
            (TINYC.precision, text(self.precision)),
            (TINYC.inputType, text(self.input_type)),
            (TINYC.manifest, text(self.manifest)),
        )
        labels = triples_of(model, *((TINYC.label, Literal(label)) for label in self.labels))
        steps = [Step((*one, *labels), (*properties_of(one, _TYPE), (model, TINYC.label)))]
        if self.bill is not None:
            steps.append(self._bill(self.bill))
        if self.source is not None:
            artifact = names.artifact(self.source.digest)
            file = triples_of(
                artifact,
                (_TYPE, TINYC.SourceModel),
                (DCT.title, text(self.source.title)),
                (TINYC.digest, Literal(self.source.digest)),
            )
            relation = "Quantized" if self.bill is not None else "Revised"
            steps.append(Step((*file, *_derived(model, artifact, relation)), properties_of(file, _TYPE)))
            if self.bill is not None:
                steps += self._quantization(artifact)
        if self.base is not None:
            derived = _derived(model, self.base.model.iri, self.base.relation)
            # Whoever said that it was another relation is corrected.
            relation_of = names.derivation(model, self.base.model.iri), TINYC.relation
            steps.append(Step((*derived, *bare_model(self.base.model)), (relation_of,)))
        return Change(tuple(steps))

    def _quantization(self, artifact: NamedNode) -> tuple[Step, ...]:
        """The activity; it keeps the time of the first build."""
        activity = names.activity("quantize", self.model.digest)
        return (
            Step(
                (
                    *triples_of(activity, (_TYPE, TINYC.Quantization), (PROV.used, artifact)),
                    Triple(self.model.iri, PROV.wasGeneratedBy, activity),
                )
            ),
            _ended(activity, self.at, self.compiler),
        )

    def _bill(self, told: BillFact) -> Step:
        bill = names.bill(self.model.digest)
        lost = None
        if told.float_accuracy is not None and told.accuracy is not None:
            lost = told.float_accuracy - told.accuracy
        one = triples_of(
            bill,
            (_TYPE, TINYC.QuantizationBill),
            (TINYC.sqnrDb, decimal(told.sqnr_db)),
            (TINYC.samples, whole(told.samples)),
            (TINYC.floatAccuracy, decimal(told.float_accuracy)),
            (TINYC.accuracy, decimal(told.accuracy)),
            (TINYC.accuracyLost, decimal(lost)),
        )
        layers: list[Triple] = []
        for layer in told.layers:
            node = names.layer_bill(self.model.digest, layer.name)
            layers += [
                Triple(bill, TINYC.layerBill, node),
                *triples_of(
                    node,
                    (_TYPE, TINYC.LayerBill),
                    (SCHEMA.name, text(layer.name)),
                    (TINYC.kind, text(layer.kind)),
                    (TINYC.sqnrDb, decimal(layer.sqnr_db)),
                ),
            ]
        many = (_TYPE, TINYC.layerBill)
        link = Triple(self.model.iri, TINYC.bill, bill)
        return Step((*one, *layers, link), properties_of((*one, *layers), *many))


@dataclass(frozen=True, slots=True)
class EvaluationFact(Fact):
    """The top-1 accuracy of a model on a data set, a fraction of 1."""

    kind: ClassVar[str] = "evaluation"
    model: ModelRef
    accuracy: float
    dataset: FileFact

    @property
    def key(self) -> str:
        return f"evaluation {self.iri.value}"

    @property
    def iri(self) -> NamedNode:
        return names.evaluation(self.model.digest, "TopOneAccuracy", self.dataset.digest)

    def change(self, *, live: bool = True) -> Change:
        data = names.dataset(self.dataset.digest)
        about = triples_of(
            data,
            (_TYPE, DCAT.Dataset),
            (DCT.title, text(self.dataset.title)),
            (TINYC.digest, Literal(self.dataset.digest)),
        )
        result = triples_of(
            self.iri,
            (_TYPE, MLS.ModelEvaluation),
            (MLS.specifiedBy, TINYC.TopOneAccuracy),
            (MLS.hasValue, decimal(self.accuracy)),
            (TINYC.onDataset, data),
        )
        link = Triple(self.model.iri, TINYC.evaluation, self.iri)
        return Change((Step((*about, *result, link), properties_of((*about, *result), _TYPE)),))


@dataclass(frozen=True, slots=True)
class FirmwareFact(Fact):
    """A firmware: a build of a model for a board. Sizes are bytes, as the linker laid them out.

    `ram` is without the reserved `stack`. `free_flash` and `free_ram` are what is left of the board with
    all of it. With `own_model` the model is an image of its own, and the firmware may have others.
    """

    kind: ClassVar[str] = "firmware"
    identity: str
    model: ModelRef
    board: str
    at: datetime
    toolchain: str
    compiler: str
    optimize: str
    signed: bool
    security_counter: int
    flash: int
    ram: int
    arena: int
    weight_bytes: int
    stack: int
    free_flash: int
    free_ram: int
    own_model: bool = False

    def __post_init__(self) -> None:
        need(identity=self.identity, board=self.board)

    @property
    def key(self) -> str:
        return f"firmware {self.iri.value}"

    @property
    def iri(self) -> NamedNode:
        return names.firmware(self.identity)

    def change(self, *, live: bool = True) -> Change:
        firmware, budget = self.iri, names.budget(self.identity)
        activity = names.activity("compile", self.identity)
        one = triples_of(
            firmware,
            (_TYPE, TINYC.Firmware),
            (TINYC.identity, Literal(self.identity)),
            (TINYC.board, names.board(self.board)),
            (TINYC.toolchain, text(self.toolchain)),
            (TINYC.compilerVersion, text(self.compiler)),
            (TINYC.optimize, text(self.optimize)),
            (TINYC.securityCounter, whole(self.security_counter)),
            (TINYC.signed, truth(self.signed)),
            (TINYC.budget, budget),
            (TINYC.freeFlash, whole(self.free_flash)),
            (TINYC.freeRam, whole(self.free_ram)),
        )
        sizes = triples_of(
            budget,
            (_TYPE, TINYC.MemoryBudget),
            (TINYC.flash, whole(self.flash)),
            (TINYC.ram, whole(self.ram)),
            (TINYC.arena, whole(self.arena)),
            (TINYC.weightBytes, whole(self.weight_bytes)),
            (TINYC.stack, whole(self.stack)),
        )
        made = (
            *triples_of(activity, (_TYPE, TINYC.Compilation), (PROV.used, self.model.iri)),
            Triple(firmware, PROV.wasGeneratedBy, activity),
        )
        inside = triples_of(firmware, (TINYC.model, self.model.iri))
        born = triples_of(firmware, (PROV.generatedAtTime, moment(self.at)))
        return Change(
            (
                Step(
                    (*one, *sizes, *made, *bare_model(self.model)),
                    # An unknown firmware becomes a known one.
                    (*properties_of((*one, *sizes), _TYPE), (firmware, _TYPE)),
                ),
                # Of a firmware that takes models, the one of its first build; deployments name theirs.
                Step(inside, unless=(present(firmware, TINYC.model),))
                if self.own_model
                else Step(inside, properties_of(inside)),
                Step(born, unless=(present(firmware, PROV.generatedAtTime),)),
                _ended(activity, self.at, self.compiler),
            )
        )


def bare_model(model: ModelRef) -> tuple[Triple, ...]:
    """What is known of a model by its name alone."""
    return triples_of(
        model.iri,
        (_TYPE, TINYC.Model),
        (SCHEMA.name, text(model.name)),
        (SCHEMA.version, text(model.version)),
        (TINYC.digest, text(model.digest)),
    )


def _derived(result: NamedNode, source: NamedNode, relation: str) -> tuple[Triple, ...]:
    derivation = names.derivation(result, source)
    return (
        Triple(result, PROV.wasDerivedFrom, source),
        Triple(result, PROV.qualifiedDerivation, derivation),
        *triples_of(
            derivation,
            (_TYPE, PROV.Derivation),
            (PROV.entity, source),
            (TINYC.relation, TINYC[relation]),
        ),
    )


def _ended(activity: NamedNode, at: datetime, compiler: str) -> Step:
    """When an activity ended and by which compiler: kept as it was told first."""
    agent = names.compiler(compiler)
    return Step(
        (
            *triples_of(activity, (PROV.endedAtTime, moment(at)), (PROV.wasAssociatedWith, agent)),
            *triples_of(
                agent,
                (_TYPE, TINYC.Compiler),
                (SCHEMA.name, Literal(_COMPILER)),
                (SCHEMA.version, text(compiler)),
            ),
        ),
        unless=(present(activity, PROV.endedAtTime),),
    )
