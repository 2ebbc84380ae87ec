"""SPDX 3.0.1 with its profiles for AI and data sets, as JSON-LD: a model and what it descends from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pyoxigraph import NamedNode

import tinyc
from tinyc.errors import TinycError
from tinyc.registry.formats.lineage import ModelCard, chain, title_of
from tinyc.registry.formats.reader import Reader
from tinyc.registry.names import hashed
from tinyc.registry.vocabulary import DCT, SCHEMA, TINYC

CONTEXT = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
_SPEC = "3.0.1"
# What the profile wants to be told and the registry does not know.
_UNKNOWN_PLACE = "https://spdx.org/rdf/3.0.1/terms/Core/NoAssertion"
_INFO = "_:creation"
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Kinds of input as `tinyc.toml` has them, and as SPDX does.
_DATA_TYPES = {"audio": "audio", "text": "text", "image": "image"}


def ai_document(reader: Reader, model: NamedNode, created: datetime) -> dict[str, Any]:
    """The SPDX document of a model, written at `created`. Raises TinycError when it is no model."""
    cards = chain(reader, model)
    if not cards:
        raise TinycError("an SPDX document is made of a model", where=model.value)
    stamp = _stamp(created)
    return {"@context": CONTEXT, "@graph": _Document(reader, cards, stamp).graph()}


class _Document:
    def __init__(self, reader: Reader, cards: tuple[ModelCard, ...], created: str) -> None:
        self.reader = reader
        self.cards = cards
        self.created = created
        self.elements: dict[str, dict[str, Any]] = {}
        self.relations: set[tuple[str, str, str]] = set()

    def graph(self) -> list[dict[str, Any]]:
        for card in self.cards:
            self._model(card)
        # Relationships last, so that whatever they name is known to be there.
        for source, kind, target in sorted(self.relations):
            if target in self.elements:
                name = f"urn:tinyc:spdx:{hashed(source, kind, target)}"
                self._add(name, "Relationship", {"from": source, "relationshipType": kind, "to": [target]})
        names = sorted(self.elements)
        root = self.cards[0].iri.value
        document = {
            "type": "SpdxDocument",
            "spdxId": f"urn:tinyc:spdx:{hashed('document', root)}",
            "creationInfo": _INFO,
            "name": f"{self.cards[0].name} {self.cards[0].version}",
            "profileConformance": ["core", "software", "ai", "dataset"],
            "rootElement": [root],
            "element": [*names, _author()],
        }
        info = {
            "type": "CreationInfo",
            "@id": _INFO,
            "specVersion": _SPEC,
            "created": self.created,
            "createdBy": [_author()],
        }
        author = {
            "type": "SoftwareAgent",
            "spdxId": _author(),
            "creationInfo": _INFO,
            "name": f"tinyc {tinyc.__version__}",
        }
        return [info, author, *(self.elements[name] for name in names), document]

    def _add(self, name: str, kind: str, more: Mapping[str, Any]) -> None:
        self.elements[name] = {"type": kind, "spdxId": name, "creationInfo": _INFO, **more}

    def _model(self, card: ModelCard) -> None:
        node, iri = card.node, card.iri.value
        metrics = [_entry(each.measure, each.value) for each in card.measurements]
        facts = {
            name: node.text(TINYC[name])
            for name in ("parameters", "macs", "weightBytes", "inputShape", "outputShape", "precision")
        }
        kinds = sorted(node.texts(TINYC.inputType))
        self._add(
            iri,
            "ai_AIPackage",
            {
                "name": card.name,
                "software_packageVersion": card.version or "unknown",
                "software_primaryPurpose": "model",
                "software_downloadLocation": _UNKNOWN_PLACE,
                "suppliedBy": self._supplier(node.text(SCHEMA.creator)),
                **self._time("releaseTime", card.made_at),
                **({"ai_metric": metrics} if metrics else {}),
                "ai_hyperparameter": [_entry(name, value) for name, value in facts.items() if value],
                **({"ai_typeOfModel": [card.task]} if card.task else {}),
                **({"ai_domain": kinds} if kinds else {}),
                **({"ai_limitation": " ".join(card.limitations)} if card.limitations else {}),
                **_verified(node.text(TINYC.digest)),
            },
        )
        for ancestor in card.ancestors:
            at = self.reader.shared(ancestor.iri)
            if at.is_a(TINYC.Model):
                self.relations.add((iri, "descendantOf", ancestor.iri.value))
                self.relations.add((ancestor.iri.value, "ancestorOf", iri))
            elif at.known:
                self._file(ancestor.iri)
                self.relations.add((iri, "hasDataFile", ancestor.iri.value))
        for dataset in card.datasets:
            self._dataset(dataset, kinds)
        self.relations |= {(iri, "trainedOn", each.value) for each in card.trained_on}
        self.relations |= {
            (iri, "testedOn", each.dataset.value) for each in card.measurements if each.dataset
        }
        for tool in card.compilers:
            version = tool.text(SCHEMA.version)
            self._add(tool.name, "Tool", {"name": f"{tool.text(SCHEMA.name)} {version}".strip()})
            self.relations.add((iri, "usesTool", tool.name))
        self._license(card)

    def _license(self, card: ModelCard) -> None:
        text = card.license.partition("spdx.org/licenses/")[2].removesuffix(".html") or card.license
        if text:
            name = f"urn:tinyc:spdx:{hashed('license', text)}"
            more = {"simplelicensing_licenseExpression": text}
            self._add(name, "simplelicensing_LicenseExpression", more)
            self.relations.add((card.iri.value, "hasDeclaredLicense", name))

    def _time(self, name: str, told: str) -> dict[str, str]:
        """A time that the profile demands; where the registry has none the document says so."""
        known = _seconds(told)
        if known:
            return {name: known}
        return {name: self.created, "comment": "Times that are that of this document are not known."}

    def _supplier(self, name: str) -> str:
        agent = f"urn:tinyc:spdx:{hashed('agent', name)}"
        self._add(agent, "Agent", {"name": name or "not told to the registry"})
        return agent

    def _file(self, iri: NamedNode) -> None:
        node = self.reader.shared(iri)
        more = {
            "name": title_of(node),
            "software_primaryPurpose": "model",
            **_verified(node.text(TINYC.digest)),
        }
        self._add(iri.value, "software_File", more)

    def _dataset(self, iri: NamedNode, kinds: list[str]) -> None:
        node = self.reader.shared(iri)
        types = sorted({_DATA_TYPES[kind] for kind in kinds if kind in _DATA_TYPES})
        self._add(
            iri.value,
            "dataset_DatasetPackage",
            {
                "name": title_of(node),
                "software_primaryPurpose": "data",
                "software_downloadLocation": _UNKNOWN_PLACE,
                "dataset_datasetType": types or ["noAssertion"],
                "originatedBy": [self._supplier(node.text(SCHEMA.creator))],
                **self._time("builtTime", node.text(DCT.created)),
                **self._time("releaseTime", node.text(DCT.issued)),
                **_verified(node.text(TINYC.digest)),
            },
        )


def _author() -> str:
    return f"urn:tinyc:spdx:{hashed('tinyc', tinyc.__version__)}"


def _entry(key: str, value: str) -> dict[str, str]:
    return {"type": "DictionaryEntry", "key": key, "value": value}


def _verified(digest: str) -> dict[str, Any]:
    if not _SHA256.fullmatch(digest):
        return {}
    return {"verifiedUsing": [{"type": "Hash", "algorithm": "sha256", "hashValue": digest}]}


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(text: str) -> str:
    """A time of the registry as SPDX wants it, or nothing when it is none."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return ""
    return _stamp(time if time.tzinfo else time.replace(tzinfo=UTC))
