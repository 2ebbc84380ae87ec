"""Versions of real builds: a classifier and the sine example, changed as the rules are about."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.classifiers import small_classifier
from support.command_line import Said, tinyc
from support.networks import random_network
from support.paths import ROOT
from tinyc import artifact, pipeline
from tinyc.artifact import Artifact
from tinyc.boards import load_board
from tinyc.ir.graph import Graph, verify
from tinyc.ir.tensor import Array, Quantization
from tinyc.preparation import Prepared
from tinyc.versioning import Level, Manifest, compare, digests, manifest
from tinyc.versioning.building import MANIFEST, manifest_of, write_manifest
from tinyc.versioning.sources import load_manifest, read_folder

pytestmark = pytest.mark.host

LABELS = ("silence", "yes", "no", "up", "down")
GRAPH = small_classifier(np.random.default_rng(5), "words")


def build(graph: Graph, folder: Path, labels: tuple[str, ...] = LABELS, version: str = "1.0.0") -> Artifact:
    """As `tinyc build` does it from a quantized graph."""
    program = pipeline.compile_graph(graph, load_board("host"), name="words", labels=labels, version=version)
    return artifact.save(folder, program, Prepared(graph), pipeline.build(program, folder))


def with_data(graph: Graph, name: str, change: Callable[[Array], Array]) -> Graph:
    tensor = graph[name]
    data = change(tensor.constant.copy())
    return verify(graph.rebuilt(tensors=[replace(tensor, data=data)]))


def nudged(data: Array) -> Array:
    """One weight by one step."""
    data.flat[0] += 1 if data.flat[0] < 100 else -1
    return data


def with_class(graph: Graph) -> Graph:
    """One more unit in the head; the others stay as they are."""
    tensors = []
    for name in ("dense_w", "dense_w_bias"):
        tensor = graph[name]
        quantization = tensor.quantization
        assert quantization is not None
        data = np.concatenate([tensor.constant, tensor.constant[:1] // 2])
        grown = Quantization(
            (*quantization.scale, quantization.scale[0]), (*quantization.zero_point, 0), quantization.axis
        )
        tensors.append(replace(tensor, shape=data.shape, data=data, quantization=grown))
    tensors += [replace(graph[name], shape=(1, 6)) for name in ("dense_y", "output")]
    return verify(graph.rebuilt(tensors=tensors))


def renamed(graph: Graph) -> Graph:
    """Every layer and tensor under another name, as another training run gives them."""
    tensors = [replace(tensor, name=f"{tensor.name}_1") for tensor in graph.tensors.values()]
    ops = [
        op.with_(
            name=f"{op.name}_1",
            inputs=tuple(f"{name}_1" for name in op.inputs),
            outputs=tuple(f"{name}_1" for name in op.outputs),
        )
        for op in graph.ops
    ]
    ports = [tuple(f"{name}_1" for name in names) for names in (graph.inputs, graph.outputs)]
    return verify(Graph(graph.name, {tensor.name: tensor for tensor in tensors}, tuple(ops), *ports))


def scaled(graph: Graph) -> Graph:
    """As calibrated on louder samples: another scale of the input."""
    tensor = graph["input"]
    quantization = Quantization((0.1,), (-3,))
    bias = graph["conv_w_bias"]
    assert bias.quantization is not None
    doubled = Quantization(
        tuple(2 * scale for scale in bias.quantization.scale), bias.quantization.zero_point, 0
    )
    return verify(
        graph.rebuilt(
            tensors=[replace(tensor, quantization=quantization), replace(bias, quantization=doubled)]
        )
    )


CHANGED: dict[str, tuple[Graph, tuple[str, ...], Level, set[str]]] = {
    "nothing": (GRAPH, LABELS, Level.NONE, set()),
    "head": (with_data(GRAPH, "dense_w", nudged), LABELS, Level.MINOR, {"head"}),
    "label": (with_class(GRAPH), (*LABELS, "left"), Level.MINOR, {"head", "label-appended"}),
    "unlabelled": (with_class(GRAPH), (), Level.MAJOR, {"label-removed", "output-shape"}),
    "order": (GRAPH, ("yes", "silence", *LABELS[2:]), Level.MAJOR, {"label-moved"}),
    "body": (with_data(GRAPH, "depthwise_w", nudged), LABELS, Level.MAJOR, {"body"}),
    "bias": (with_data(GRAPH, "pointwise_w_bias", nudged), LABELS, Level.MAJOR, {"body"}),
    "calibration": (scaled(GRAPH), LABELS, Level.MAJOR, {"input-scale", "body"}),
    "names": (renamed(GRAPH), LABELS, Level.PATCH, {"names", "code"}),
}


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    folder = tmp_path_factory.mktemp("builds")
    return {name: build(graph, folder / name, labels) for name, (graph, labels, _, _) in CHANGED.items()}


@pytest.mark.parametrize("name", sorted(CHANGED))
def test_what_a_build_changes(builds: dict[str, Artifact], name: str) -> None:
    _, _, level, rules = CHANGED[name]
    old, new = manifest_of(builds["nothing"]), manifest_of(builds[name])
    verdict = compare(old, new)
    assert verdict.level is level, verdict.reasons
    assert rules <= {reason.rule for reason in verdict.reasons}
    assert old.golden == new.golden or level > Level.PATCH
    # The same bytes of the model have the same manifest wherever they were built.
    again = artifact.open_artifact(builds[name].folder)
    assert manifest_of(again) == new


def test_the_parts_of_a_classifier(builds: dict[str, Artifact]) -> None:
    found = manifest_of(builds["nothing"])
    assert found.head.layers == ("dense", "softmax")
    assert found.body.layers == ("conv", "depthwise", "pointwise", "pool")
    assert found.output.meaning == "SOFTMAX"
    assert found.golden != found.embedding
    assert (found.precision, found.state, found.base) == ("int8", None, None)
    target = found.targets["host"]
    assert target.arena == builds["nothing"].program.plan.arena_size
    assert target.flash > target.weights > 0


def test_models_of_another_form_are_all_body() -> None:
    graph = random_network(np.random.default_rng(2), 4)
    assert len(graph.outputs) > 1
    layers = digests.layers_of(graph)
    body, head = digests.parts_of(graph, layers)
    assert (len(body.layers), head.layers) == (len(layers), ())
    outputs, embedding = digests.golden(graph)
    assert outputs == embedding


def test_golden_inputs_never_change() -> None:
    (first, *_), *_ = digests.golden_inputs(GRAPH)
    assert first.dtype == np.int8
    # Written down once: a manifest of years ago is compared with what these give.
    assert first.reshape(-1)[:8].tolist() == [66, 113, -46, -95, -123, 102, 127, -93]


def test_manifests_are_json_and_come_from_folders_and_files(
    builds: dict[str, Artifact], tmp_path: Path
) -> None:
    folder = tmp_path / "build"
    shutil.copytree(builds["head"].folder, folder)
    found = manifest_of(builds["head"])
    assert Manifest.from_json(json.loads(json.dumps(manifest(builds["head"])))) == found
    assert read_folder(folder) == found
    # What a build wrote is kept, as long as it is of this build.
    write_manifest(folder, replace(found, tinyc="0.0.9"))
    assert read_folder(folder).tinyc == "0.0.9"
    write_manifest(folder, replace(found, digest="0" * 64))
    assert read_folder(folder) == found
    write_manifest(folder, found)
    assert load_manifest("build/manifest.json", tmp_path) == found
    shutil.rmtree(folder / ".tinyc")
    assert read_folder(folder) == found


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sine example with a version, without a registry."""
    for name in ("sine.keras", "calibration.npz"):
        shutil.copy(ROOT / "examples/sine" / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TINYC_REGISTRY", raising=False)
    configure(tmp_path)
    return tmp_path


def configure(folder: Path, version: str = "1.0.0", more: str = "", rest: str = "") -> None:
    (folder / "tinyc.toml").write_text(
        f'[model]\npath = "sine.keras"\nname = "sine"\nversion = "{version}"\n{more}\n'
        f'[quantize]\ncalibration = "calibration.npz"\nmethod = "min-max"\n{rest}\n',
        encoding="utf-8",
    )


def ok(*arguments: object) -> Said:
    said = tinyc(*arguments)
    assert said.code == 0, said.stderr
    return said


def louder(folder: Path) -> None:
    with np.load(folder / "calibration.npz") as stored:
        inputs = stored["inputs"]
    np.savez(folder / "calibration.npz", inputs=inputs * np.float32(1.5))


def test_a_build_is_refused_for_a_low_version(project: Path) -> None:
    ok("build", "--board", "host", "--out", "first")
    shutil.copy("first/manifest.json", "released.json")
    more = 'base = "released.json"\nrelation = "revised"'
    configure(project, "1.0.1", more)
    # The same again with another number: nothing changed but where it comes from.
    ok("build", "--board", "host", "--out", "second")
    louder(project)
    for number, code in (("1.1.0", 1), ("2.0.0-rc.1", 0), ("2.0.0", 0), ("0.9.0", 1)):
        configure(project, number, more)
        said = tinyc("build", "--board", "host", "--out", "third")
        assert said.code == code, said.stderr
        if code:
            assert f"version {number} of `sine` is too low" in said.stderr
            assert "MAJOR  input 0 has scale" in said.stderr
            assert "--any-version" in said.stderr
    ok("build", "--board", "host", "--out", "third", "--any-version")
    told = json.loads((project / "third" / MANIFEST).read_text(encoding="utf-8"))
    first = json.loads((project / "released.json").read_text(encoding="utf-8"))
    assert told["base"] == {"name": "sine", "version": "1.0.0", "digest": first["digest"]}
    assert told["relation"] == "revised"


def test_the_verb_says_level_reasons_and_the_next_number(project: Path) -> None:
    ok("build", "--board", "host", "--out", "old")
    louder(project)
    ok("build", "--board", "host", "--out", "new")
    told = ok("version", "old", "new/manifest.json", "--json").json
    assert (told["level"], told["next"]) == ("major", "2.0.0")
    assert told["release"] == f"2.0.0+int8.host.{told['new']['digest'][:8]}"
    assert {"input-scale", "body"} <= {reason["rule"] for reason in told["reasons"]}
    shown = ok("version", "old", "new", "--check", "2.0.0").stdout
    assert "MAJOR, 2.0.0 or higher" in shown
    said = tinyc("version", "old", "new", "--check", "1.3.0")
    assert said.code == 1
    assert "version 1.3.0 of `sine` is too low" in said.stderr
    assert ok("version", "old", "old").stdout == "nothing changed: sine stays 1.0.0\n"
    assert "1.0.0+int8.host." in ok("version", "old").stdout
    assert ok("version", "old", "--json").json == json.loads(
        Path("old/manifest.json").read_text(encoding="utf-8")
    )
    for wrong, text in (
        (("old", "nowhere/at/all"), "is neither a file nor a folder"),
        (("old", "sine@1.0.0"), "no registry is known"),
        (("old", "new", "--check", "1.3"), "is no version"),
        (("old", "--check", "1.3.0"), "nothing to compare with"),
        (("calibration.npz", "new"), "is not the manifest"),
        ((".", "new"), "is not a build folder"),
    ):
        said = tinyc("version", *wrong)
        assert said.code == 1, (wrong, said)
        assert text in said.stderr


def test_origin_is_recorded_in_a_build(project: Path) -> None:
    ok("build", "--board", "host", "--out", "old")
    louder(project)
    configure(project, "2.0.0")
    ok("build", "--board", "host", "--out", "new")
    ok("version", "old", "new", "--base", "old", "--relation", "fine-tuned")
    told = manifest(artifact.open_artifact(Path("new")))
    assert told["base"]["version"] == "1.0.0"
    assert told["relation"] == "fine-tuned"
    assert json.loads(Path("new/manifest.json").read_text(encoding="utf-8")) == json.loads(json.dumps(told))
    for wrong, text in (
        (("--base", "old"), "are given together"),
        (("--relation", "pruned"), "are given together"),
        (("--base", "old", "--relation", "cloned"), "is no relation"),
        (("--base", "new", "--relation", "pruned"), "is not derived from itself"),
    ):
        said = tinyc("version", "old", "new", *wrong)
        assert said.code == 1
        assert text in said.stderr


def test_what_tinyc_toml_says_of_a_release(project: Path) -> None:
    rest = '[input]\nunits = "rad"\nsensor = "encoder"\n[envelope.host]\nflash = 100000\nram = 100000\n'
    configure(project, rest=rest)
    ok("build", "--board", "host", "--out", "old")
    found = read_folder(Path("old"))
    assert (found.input.units, found.input.sensor) == ("rad", "encoder")
    assert found.envelope["host"].flash == 100_000
    configure(project, rest=rest.replace("rad", "deg"))
    ok("build", "--board", "host", "--out", "new")
    verdict = compare(found, read_folder(Path("new")))
    assert [reason.text for reason in verdict.reasons] == ["the units of the input are deg, was rad"]


def test_evaluation_data_tell_classes_apart(
    builds: dict[str, Artifact], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    inputs = rng.normal(0, 4, (40, 12, 10, 1)).astype(np.float32)
    np.savez("evaluation.npz", inputs=inputs, labels=rng.integers(0, 5, 40))
    old, new = builds["nothing"].folder, builds["head"].folder
    told = ok("version", old, new, "--evaluation", "evaluation.npz", "--json").json
    assert told["level"] in ("minor", "major")
    assert "head" in {reason["rule"] for reason in told["reasons"]}
    np.savez("unlabelled.npz", inputs=inputs)
    said = tinyc("version", old, new, "--evaluation", "unlabelled.npz")
    assert said.code == 1
    assert "holds no `labels`" in said.stderr
