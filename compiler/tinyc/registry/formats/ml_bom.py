"""CycloneDX 1.6: a bill of materials with model cards, for a model, a firmware or a device."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from pyoxigraph import NamedNode

import tinyc
from tinyc.errors import TinycError
from tinyc.registry.formats.lineage import ModelCard, kind_of, read_model, title_of
from tinyc.registry.formats.reader import Node, Reader
from tinyc.registry.vocabulary import DCT, PROV, SCHEMA, TINYC

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SPDX_ID = re.compile(r"[A-Za-z0-9.+-]+")
# The same content has the same serial number.
_NAMESPACE = uuid.UUID("c7a3b2e0-1a6f-5c54-9a53-5f6f4e1d2c11")
_RELATIONS = {"Quantized": "quantized", "FineTuned": "fine-tuned", "Pruned": "pruned", "Revised": "revised"}


def bill_of_materials(reader: Reader, iri: NamedNode) -> dict[str, Any]:
    """The BOM of what `iri` is. Raises TinycError for things that have none."""
    parts = _Parts(reader)
    main = parts.add(iri)
    components = [part for part in parts.components.values() if part["bom-ref"] != main["bom-ref"]]
    dependencies = [
        {"ref": ref, "dependsOn": sorted(needs)} if needs else {"ref": ref}
        for ref, needs in sorted(parts.needs.items())
    ]
    body: dict[str, Any] = {
        "metadata": {
            **({"timestamp": parts.made_at} if parts.made_at else {}),
            "tools": {"components": [{"type": "application", "name": "tinyc", "version": tinyc.__version__}]},
            "component": main,
        },
        "components": sorted(components, key=lambda part: str(part["bom-ref"])),
        "dependencies": dependencies,
    }
    serial = uuid.uuid5(_NAMESPACE, json.dumps(body, sort_keys=True))
    head = {"bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": serial.urn, "version": 1}
    return head | body


class _Parts:
    """Collects the components that lead from one, each once."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.components: dict[str, dict[str, Any]] = {}
        self.needs: dict[str, set[str]] = {}
        self.made_at = ""

    def add(self, iri: NamedNode) -> dict[str, Any]:
        """The component of `iri`, with all that it depends on. Raises TinycError when it cannot be one."""
        if iri.value in self.components:
            return self.components[iri.value]
        node = self.reader.node(iri)
        makers: dict[str, Callable[[NamedNode, Node], dict[str, Any]]] = {
            "Device": self._device,
            "Board": self._board,
            "Model": self._model,
            "SourceModel": self._source,
            "Firmware": self._firmware,
            "UnknownFirmware": self._firmware,
        }
        make = makers.get(kind_of(node))
        if make is None:
            raise TinycError(
                "no bill of materials is made of this",
                where=iri.value,
                allowed="a model, a firmware, a device or a board",
            )
        # Entered before its parts: lineage that goes round in circles ends here.
        part: dict[str, Any] = {"type": "data", "bom-ref": iri.value}
        self.components[iri.value] = part
        self.needs[iri.value] = set()
        part |= make(iri, node)
        return part

    def _need(self, iri: NamedNode, others: Iterable[NamedNode | None]) -> None:
        for other in others:
            if other is not None and kind_of(self.reader.shared(other)):
                self.add(other)
                self.needs[iri.value].add(other.value)

    def _device(self, iri: NamedNode, node: Node) -> dict[str, Any]:
        runs = (node.iri(TINYC.runsFirmware), node.iri(TINYC.runsModel), node.iri(TINYC.board))
        self._need(iri, runs)
        board = node.iri(TINYC.board)
        name = self.reader.shared(board).text(SCHEMA.name) if board else ""
        return {"type": "device", "name": f"{name} {node.text(TINYC.chip)}".strip()}

    def _board(self, iri: NamedNode, node: Node) -> dict[str, Any]:
        facts = {key: node.text(TINYC[key]) for key in ("soc", "core", "clockHz", "flash", "ram")}
        return {
            "type": "device",
            "name": node.text(SCHEMA.name) or iri.value,
            **_told("description", node.text(SCHEMA.description)),
            **_properties(facts),
        }

    def _firmware(self, iri: NamedNode, node: Node) -> dict[str, Any]:
        model = node.iri(TINYC.model)
        self._need(iri, (model, node.iri(TINYC.board)))
        self.made_at = max(self.made_at, node.text(PROV.generatedAtTime))
        names = [self.reader.shared(each).text(SCHEMA.name) for each in (model,) if each]
        budget = next(iter(self.reader.nodes(iri, TINYC.budget)), Node("", {}))
        facts = {key: budget.text(TINYC[key]) for key in ("flash", "ram", "arena", "weightBytes", "stack")}
        keys = ("toolchain", "compilerVersion", "optimize", "securityCounter", "signed")
        facts |= {key: node.text(TINYC[key]) for key in keys}
        identity = node.text(TINYC.identity)
        return {
            "type": "firmware",
            "name": f"{names[0]} firmware" if names else f"firmware {identity[:16]}",
            "version": identity,
            "description": "Its version is tinyc's identity: SHA-256 over the sources it was compiled from.",
            **_properties(facts),
        }

    def _source(self, iri: NamedNode, node: Node) -> dict[str, Any]:
        return {
            "type": "machine-learning-model",
            "name": title_of(node),
            "description": "The file that a model was made of.",
            **_hashes(node.text(TINYC.digest)),
        }

    def _model(self, iri: NamedNode, node: Node) -> dict[str, Any]:
        card = read_model(self.reader, iri)
        self.made_at = max(self.made_at, card.made_at)
        self._need(iri, (ancestor.iri for ancestor in card.ancestors))
        for dataset in card.datasets:
            self._dataset(dataset)
            self.needs[iri.value].add(dataset.value)
        for tool in card.compilers:
            self._tool(tool)
        digest = node.text(TINYC.digest)
        return {
            "type": "machine-learning-model",
            "name": card.name or iri.value,
            **_told("version", card.version),
            **_licenses(card.license),
            **_hashes(digest),
            **_pedigree(self.reader, card),
            "modelCard": _model_card(self.reader, card),
            **_properties(
                {
                    "hashOf": "the graph in its canonical text, with its constants" if digest else "",
                    "parameters": node.text(TINYC.parameters),
                    "macs": node.text(TINYC.macs),
                    "weightBytes": node.text(TINYC.weightBytes),
                    "recalled": node.text(TINYC.recalled),
                }
            ),
        }

    def _dataset(self, iri: NamedNode) -> None:
        node = self.reader.shared(iri)
        name = title_of(node)
        self.needs.setdefault(iri.value, set())
        self.components[iri.value] = {
            "type": "data",
            "bom-ref": iri.value,
            "name": name,
            **_hashes(node.text(TINYC.digest)),
            **_licenses(getattr(next(iter(node.all(DCT.license)), None), "value", "")),
            "data": [{"type": "dataset", "name": name}],
        }

    def _tool(self, node: Node) -> None:
        self.needs.setdefault(node.name, set())
        self.components[node.name] = {
            "type": "application",
            "bom-ref": node.name,
            "name": node.text(SCHEMA.name) or "compiler",
            **_told("version", node.text(SCHEMA.version)),
            "description": "The compiler.",
        }


def _model_card(reader: Reader, card: ModelCard) -> dict[str, Any]:
    node = card.node
    shapes = {"inputs": node.text(TINYC.inputShape), "outputs": node.text(TINYC.outputShape)}
    precision = node.text(TINYC.precision)
    kinds = ", ".join(sorted(node.texts(TINYC.inputType)))
    parameters: dict[str, Any] = {
        **_told("task", card.task),
        **({"datasets": [{"ref": each.value} for each in card.datasets]} if card.datasets else {}),
    }
    for key, shape in shapes.items():
        if shape:
            said = f"{precision or 'values'}, shape {shape}"
            parameters[key] = [{"format": f"{said} ({kinds})" if key == "inputs" and kinds else said}]
    metrics = [
        {
            "type": each.measure,
            "value": each.value,
            **({"slice": title_of(reader.shared(each.dataset))} if each.dataset else {}),
        }
        for each in card.measurements
    ]
    labels = sorted(node.texts(TINYC.label))
    return {
        **({"modelParameters": parameters} if parameters else {}),
        **({"quantitativeAnalysis": {"performanceMetrics": metrics}} if metrics else {}),
        **({"considerations": {"technicalLimitations": list(card.limitations)}} if card.limitations else {}),
        **({"properties": [{"name": "tinyc:label", "value": each} for each in labels]} if labels else {}),
    }


def _pedigree(reader: Reader, card: ModelCard) -> dict[str, Any]:
    if not card.ancestors:
        return {}
    ancestors = []
    for each in card.ancestors:
        node = reader.shared(each.iri)
        ancestors.append(
            {
                "type": "machine-learning-model",
                "name": title_of(node),
                **_told("version", node.text(SCHEMA.version)),
                **_hashes(node.text(TINYC.digest)),
                **_properties({"iri": each.iri.value, "relation": _RELATIONS.get(each.relation, "")}),
            }
        )
    return {"pedigree": {"ancestors": ancestors}}


def _told(key: str, text: str) -> dict[str, str]:
    return {key: text} if text else {}


def _hashes(digest: str) -> dict[str, Any]:
    return {"hashes": [{"alg": "SHA-256", "content": digest}]} if _SHA256.fullmatch(digest) else {}


def _properties(facts: dict[str, str]) -> dict[str, Any]:
    entries = [{"name": f"tinyc:{name}", "value": value} for name, value in facts.items() if value]
    return {"properties": entries} if entries else {}


def _licenses(text: str) -> dict[str, Any]:
    """An IRI of the SPDX list or one elsewhere, or a name."""
    if not text:
        return {}
    prefix = "spdx.org/licenses/"
    if prefix in text:
        text = text.partition(prefix)[2].removesuffix(".html")
    if "://" in text or text.startswith("urn:"):
        return {"licenses": [{"license": {"name": text, "url": text}}]}
    # `id` takes names of the SPDX list alone; an expression takes any of them and is not checked against it.
    if _SPDX_ID.fullmatch(text):
        return {"licenses": [{"expression": text}]}
    return {"licenses": [{"license": {"name": text}}]}
