"""Bills of materials, SPDX documents and model cards made from the registry."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pyoxigraph import Literal, NamedNode, Quad

from support.registry_sample import BOARD, DEVICE, FIRMWARE, MODEL, TUNED, UNKNOWN, sample_store
from tinyc.errors import TinycError
from tinyc.registry import names
from tinyc.registry.formats.ml_bom import bill_of_materials
from tinyc.registry.formats.model_card import model_card
from tinyc.registry.formats.reader import Reader
from tinyc.registry.formats.spdx import ai_document
from tinyc.registry.vocabulary import DCT, NNET, PROV, RDF, SCHEMA, TINYC

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
EVIL = '</script>"\n---\n`rm`: [x]{y} | # \u2028 \x85 \x00é\U0001f600'


def cyclonedx_errors(bom: dict[str, Any]) -> Any:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bom))


def part(bom: dict[str, Any], iri: NamedNode) -> dict[str, Any]:
    every = [bom["metadata"]["component"], *bom["components"]]
    return next(each for each in every if each["bom-ref"] == iri.value)


@pytest.mark.parametrize(
    "iri", [MODEL, TUNED, FIRMWARE, DEVICE, UNKNOWN, BOARD], ids=lambda iri: iri.value[:24]
)
def test_bills_are_valid_by_the_official_schema(iri: NamedNode) -> None:
    pytest.importorskip("cyclonedx.validation.json")
    bom = bill_of_materials(Reader(sample_store()), iri)
    assert cyclonedx_errors(bom) is None
    assert cyclonedx_errors({**bom, "components": [{"type": "model", "name": "x"}]}) is not None
    assert bom["metadata"]["component"]["bom-ref"] == iri.value


def test_bills_are_valid_by_the_published_file(shared: Path) -> None:
    from jsonschema import Draft7Validator
    from referencing import Registry, Resource

    folder = shared / "data" / "schemas"
    if not (folder / "cyclonedx-bom-1.6.schema.json").is_file():
        pytest.skip("no schema of CycloneDX")
    load = {
        name: json.loads((folder / name).read_text("utf-8"))
        for name in ("jsf-0.82.schema.json", "spdx.schema.json")
    }
    base = "http://cyclonedx.org/schema/"
    registry = Registry().with_resources(
        (base + name, Resource.from_contents(each)) for name, each in load.items()
    )
    schema = json.loads((folder / "cyclonedx-bom-1.6.schema.json").read_text("utf-8"))
    validator = Draft7Validator(schema, registry=registry)
    for iri in (MODEL, DEVICE):
        bom = bill_of_materials(Reader(sample_store()), iri)
        assert [error.message for error in validator.iter_errors(bom)] == []


def test_what_the_bill_of_a_device_tells() -> None:
    bom = bill_of_materials(Reader(sample_store()), DEVICE)
    kinds = defaultdict(set)
    for each in bom["components"]:
        kinds[each["type"]].add(each["name"])
    assert kinds["firmware"] == {"keyword_spotting firmware"}
    assert kinds["machine-learning-model"] == {"keyword_spotting", "keyword_spotting.tflite"}
    assert kinds["data"] == {"evaluation.npz"} and kinds["application"] == {"tinyc"}
    model = part(bom, MODEL)
    assert model["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    card = model["modelCard"]
    assert card["quantitativeAnalysis"]["performanceMetrics"] == [
        {"type": "TopOneAccuracy", "value": "0.912", "slice": "evaluation.npz"}
    ]
    assert any(
        "Accuracy lost by quantization: 0.003" in each
        for each in card["considerations"]["technicalLimitations"]
    )
    assert model["pedigree"]["ancestors"][0]["name"] == "keyword_spotting.tflite"
    needs = {each["ref"]: each.get("dependsOn", []) for each in bom["dependencies"]}
    assert FIRMWARE.value in needs[DEVICE.value] and MODEL.value in needs[FIRMWARE.value]


def test_lineage_that_goes_round_in_circles_ends() -> None:
    derived = names.hashed("circle")
    node = NamedNode(f"urn:tinyc:derivation:{derived}")
    store = sample_store(
        Quad(MODEL, PROV.wasDerivedFrom, TUNED),
        Quad(MODEL, PROV.qualifiedDerivation, node),
        Quad(node, PROV.entity, TUNED),
        Quad(node, TINYC.relation, TINYC.Revised),
    )
    bom = bill_of_materials(Reader(store), MODEL)
    assert {each["name"] for each in part(bom, MODEL)["pedigree"]["ancestors"]} == {
        "keyword_spotting",
        "keyword_spotting.tflite",
    }
    document = ai_document(Reader(store), MODEL, NOW)
    assert sum(each["type"] == "ai_AIPackage" for each in document["@graph"]) == 2


def test_the_same_content_is_the_same_bill() -> None:
    first, second = (bill_of_materials(Reader(sample_store()), MODEL) for _ in range(2))
    assert first == second
    changed = sample_store(Quad(MODEL, TINYC.label, Literal("up")))
    assert bill_of_materials(Reader(changed), MODEL)["serialNumber"] != first["serialNumber"]


@pytest.mark.parametrize(
    ("license", "said"),
    [
        (Literal("Apache-2.0"), {"expression": "Apache-2.0"}),
        (NamedNode("https://spdx.org/licenses/MIT.html"), {"expression": "MIT"}),
        (
            NamedNode("https://example.org/l"),
            {"license": {"name": "https://example.org/l", "url": "https://example.org/l"}},
        ),
        (Literal("ask us first"), {"license": {"name": "ask us first"}}),
    ],
)
def test_licenses(license: Any, said: dict[str, Any]) -> None:
    bom = bill_of_materials(Reader(sample_store(Quad(MODEL, DCT.license, license))), MODEL)
    assert part(bom, MODEL)["licenses"] == [said]
    pytest.importorskip("cyclonedx.validation.json")
    assert cyclonedx_errors(bom) is None


def evil_store() -> Any:
    model = names.model(EVIL, "1.0.0", "9" * 64)
    dataset = NamedNode("urn:x:evil-data")
    return model, sample_store(
        Quad(model, RDF.type, TINYC.Model),
        Quad(model, SCHEMA.name, Literal(EVIL)),
        Quad(model, SCHEMA.version, Literal("1.0.0")),
        Quad(model, TINYC.digest, Literal('nonsense"')),
        Quad(model, TINYC.label, Literal(EVIL)),
        Quad(model, TINYC.precision, Literal(EVIL)),
        Quad(model, DCT.license, Literal(EVIL)),
        Quad(model, NNET.trainingDataset, dataset),
        Quad(dataset, DCT.title, Literal(EVIL)),
    )


def test_texts_that_mean_to_break_out() -> None:
    pytest.importorskip("cyclonedx.validation.json")
    model, store = evil_store()
    bom = bill_of_materials(Reader(store), model)
    assert cyclonedx_errors(bom) is None
    assert part(bom, model)["name"] == EVIL and "hashes" not in part(bom, model)
    text = model_card(Reader(store), model)
    _, head, body = text.split("---\n", 2)
    assert yaml.safe_load(head)["datasets"] == [EVIL]
    # Nothing of the name starts a line, a table cell, a tag or a heading of its own.
    lines = body.splitlines()
    assert [line for line in lines if line.startswith("#")] == [lines[1], "## Limitations"]
    assert all(line.replace("\\|", "").count("|") == 3 for line in lines if line.startswith("|"))
    assert "</script" not in body.replace("\\<", "")


# --- SPDX -----------------------------------------------------------------------------------------


def read_spdx(document: dict[str, Any]) -> Any:
    spdx = pytest.importorskip("spdx_python_model").v3_0_1
    objects = spdx.SHACLObjectSet()
    spdx.JSONLDDeserializer().read(io.BytesIO(json.dumps(document).encode()), objects)
    objects.link()
    # Writing checks the counts of every property.
    spdx.JSONLDSerializer().write(objects, io.BytesIO())
    return spdx, objects


def test_the_spdx_document_is_valid_by_the_model() -> None:
    spdx, objects = read_spdx(ai_document(Reader(sample_store()), TUNED, NOW))
    assert objects.missing_ids == set()
    packages = {each._id: each for each in objects.foreach_type(spdx.ai_AIPackage)}
    assert set(packages) == {MODEL.value, TUNED.value}
    for package in packages.values():
        # What the AI profile demands of a package beyond the core.
        for name in ("software_downloadLocation", "software_packageVersion", "software_primaryPurpose"):
            assert getattr(package, name), name
        assert package.suppliedBy and package.releaseTime
    assert packages[MODEL.value].ai_metric[0].value == "0.912"
    relations = {
        (each.from_._id, each.relationshipType.rpartition("/")[2], each.to[0]._id)
        for each in objects.foreach_type(spdx.Relationship)
    }
    assert (TUNED.value, "descendantOf", MODEL.value) in relations
    assert (MODEL.value, "ancestorOf", TUNED.value) in relations
    assert (MODEL.value, "testedOn", names.dataset("2" * 64).value) in relations
    assert (MODEL.value, "hasDataFile", names.artifact("1" * 64).value) in relations


def test_training_data_and_license_in_spdx() -> None:
    data = NamedNode("https://example.org/speech.tar.gz")
    store = sample_store(
        Quad(MODEL, NNET.trainingDataset, data),
        Quad(data, DCT.title, Literal("speech")),
        Quad(MODEL, DCT.license, NamedNode("https://spdx.org/licenses/MIT")),
    )
    spdx, objects = read_spdx(ai_document(Reader(store), MODEL, NOW))
    kinds = {each.relationshipType.rpartition("/")[2] for each in objects.foreach_type(spdx.Relationship)}
    assert {"trainedOn", "testedOn", "hasDeclaredLicense", "usesTool"} <= kinds
    found = {each._id: each for each in objects.foreach_type(spdx.dataset_DatasetPackage)}
    assert found[data.value].name == "speech"
    # Times that nobody told are marked.
    assert "not known" in found[data.value].comment and found[data.value].builtTime == NOW


def test_a_document_that_lacks_something_is_found_out() -> None:
    document = ai_document(Reader(sample_store()), MODEL, NOW)
    for each in document["@graph"]:
        if each["type"] == "Relationship":
            del each["relationshipType"]
    with pytest.raises(ValueError, match="relationshipType"):
        read_spdx(document)


# --- Model cards ----------------------------------------------------------------------------------


def front(text: str) -> Any:
    start, head, _body = text.split("---\n", 2)
    assert start == ""
    return yaml.safe_load(head)


def test_the_front_matter() -> None:
    store = sample_store(Quad(MODEL, DCT.license, NamedNode("https://spdx.org/licenses/Apache-2.0")))
    found = front(model_card(Reader(store), MODEL))
    assert found["license"] == "apache-2.0"
    assert (found["base_model"], found["base_model_relation"]) == (["keyword_spotting.tflite"], "quantized")
    assert (found["datasets"], found["metrics"]) == (["evaluation.npz"], ["accuracy"])
    (index,) = found["model-index"]
    (result,) = index["results"]
    assert (index["name"], result["task"]) == ("keyword_spotting 1.0.0", {"type": "audio-classification"})
    assert result["metrics"] == [{"type": "accuracy", "value": 0.912}]
    tuned = front(model_card(Reader(store), TUNED))
    assert (tuned["base_model"], tuned["base_model_relation"]) == (["keyword_spotting"], "finetune")


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40).filter(lambda text: "\x00" not in text))
def test_any_text_is_read_back_from_the_front_matter(text: str) -> None:
    from tinyc.registry.formats.model_card import _yaml

    value = {"a": text, "b": [text, {"c": text, "d": [1.5, text]}], "e": {"f": text}}
    assert yaml.safe_load(_yaml(value)) == value


def test_other_things_have_no_bill_and_no_card() -> None:
    reader = Reader(sample_store())
    with pytest.raises(TinycError, match="no bill of materials"):
        bill_of_materials(reader, names.site("hall-3"))
    with pytest.raises(TinycError, match="made of a model"):
        model_card(reader, DEVICE)
    with pytest.raises(TinycError, match="made of a model"):
        ai_document(reader, DEVICE, NOW)
