"""What a bill of materials tells of a model: where it came from, how it was measured, by what it was made."""

from __future__ import annotations

from dataclasses import dataclass

from pyoxigraph import NamedNode

from tinyc.registry.formats.reader import Node, Reader
from tinyc.registry.vocabulary import DCT, MLS, NNET, PROV, RDF, SCHEMA, TINYC

# No chain of versions is that long; one that is goes round in circles.
_LONGEST_CHAIN = 1000


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measure of a model: its name, the value as written, and the data it was taken on."""

    measure: str
    value: str
    dataset: NamedNode | None


@dataclass(frozen=True, slots=True)
class Ancestor:
    """What a model was derived from, and how: `Quantized`, `FineTuned`, `Pruned`, `Revised` or nothing."""

    iri: NamedNode
    relation: str


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What the registry holds of one version of a model, read once."""

    iri: NamedNode
    node: Node
    ancestors: tuple[Ancestor, ...]
    measurements: tuple[Measurement, ...]
    bill: Node | None
    trained_on: tuple[NamedNode, ...]
    made_at: str
    compilers: tuple[Node, ...]

    @property
    def name(self) -> str:
        return self.node.text(SCHEMA.name)

    @property
    def version(self) -> str:
        return self.node.text(SCHEMA.version)

    @property
    def datasets(self) -> tuple[NamedNode, ...]:
        """Every data set that is named, each once."""
        measured = [each.dataset for each in self.measurements if each.dataset]
        return tuple(dict.fromkeys((*self.trained_on, *measured)))

    @property
    def license(self) -> str:
        """An SPDX expression or an IRI, as the registry has it."""
        value = next(iter(self.node.all(DCT.license)), None)
        return getattr(value, "value", "")

    @property
    def task(self) -> str:
        return "classification" if self.node.all(TINYC.label) else ""

    @property
    def limitations(self) -> tuple[str, ...]:
        """What quantization and its measurement say of the model, in sentences."""
        said = []
        precision = self.node.text(TINYC.precision)
        if precision:
            said.append(f"Weights and activations are {precision}.")
        bill = self.bill
        if bill is not None and bill.text(TINYC.sqnrDb):
            samples = bill.text(TINYC.samples)
            over = f", measured on {samples} samples" if samples else ""
            said.append(f"Signal to quantization noise at the output: {bill.text(TINYC.sqnrDb)} dB{over}.")
        if bill is not None and bill.text(TINYC.accuracyLost):
            said.append(
                f"Accuracy lost by quantization: {bill.text(TINYC.accuracyLost)} "
                f"(float {bill.text(TINYC.floatAccuracy)}, quantized {bill.text(TINYC.accuracy)})."
            )
        return tuple(said)


def read_model(reader: Reader, iri: NamedNode) -> ModelCard:
    """Everything of one model. The caller has checked that it is one."""
    node = reader.node(iri)
    bill = node.iri(TINYC.bill)
    activities = [reader.node(each) for each in node.iris(PROV.wasGeneratedBy)]
    tools = dict.fromkeys(tool for each in activities for tool in each.iris(PROV.wasAssociatedWith))
    used = [thing for each in activities if each.is_a(TINYC.Training) for thing in each.iris(PROV.used)]
    return ModelCard(
        iri=iri,
        node=node,
        ancestors=_ancestors(reader, iri, node),
        measurements=_measurements(reader, iri),
        bill=reader.node(bill) if bill else None,
        trained_on=tuple(dict.fromkeys((*node.iris(NNET.trainingDataset), *used))),
        made_at=max((each.text(PROV.endedAtTime) for each in activities), default=""),
        compilers=tuple(reader.shared(tool) for tool in tools),
    )


def chain(reader: Reader, iri: NamedNode) -> tuple[ModelCard, ...]:
    """The model and all models that it descends from, each once, the nearest first."""
    found: dict[NamedNode, ModelCard] = {}
    waiting = [iri]
    while waiting and len(found) < _LONGEST_CHAIN:
        at = waiting.pop(0)
        if at in found:
            continue
        card = read_model(reader, at)
        if card.node.is_a(TINYC.Model):
            found[at] = card
            waiting += [ancestor.iri for ancestor in card.ancestors]
    return tuple(found.values())


def _ancestors(reader: Reader, iri: NamedNode, node: Node) -> tuple[Ancestor, ...]:
    relations: dict[NamedNode, str] = {}
    for derivation in reader.nodes(iri, PROV.qualifiedDerivation):
        relation = derivation.iri(TINYC.relation)
        for entity in derivation.iris(PROV.entity):
            relations[entity] = relation.value.removeprefix(TINYC.iri) if relation else ""
    every = dict.fromkeys((*node.iris(PROV.wasDerivedFrom), *relations))
    return tuple(Ancestor(each, relations.get(each, "")) for each in every if each != iri)


def _measurements(reader: Reader, iri: NamedNode) -> tuple[Measurement, ...]:
    found = []
    for node in reader.nodes(iri, TINYC.evaluation):
        measure = node.iri(MLS.specifiedBy)
        value = node.text(MLS.hasValue)
        if value:
            name = measure.value.rpartition("#")[2].rpartition("/")[2] if measure else ""
            found.append(Measurement(name or "accuracy", value, node.iri(TINYC.onDataset)))
    return tuple(found)


def title_of(node: Node) -> str:
    """What people call a data set, a file or a model."""
    return node.text(DCT.title) or node.text(SCHEMA.name) or node.name


def kind_of(node: Node) -> str:
    """The class of a thing among those that are exported, or nothing."""
    for kind in ("Device", "Board", "Model", "SourceModel", "Firmware", "UnknownFirmware", "Deployment"):
        if TINYC[kind] in node.all(RDF.type):
            return kind
    return ""
