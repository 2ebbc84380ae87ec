"""Split builds without a compiler: kernel digests, manifests, and texts that depend on no model."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import cbor2
import numpy as np
import pytest

from support.networks import random_network
from tinyc import pipeline
from tinyc.boards import load_board
from tinyc.device.hello import ModelFault, Refusal
from tinyc.emit import hello, kernel_files, split_model
from tinyc.emit.kernel_set import (
    DIGEST_BYTES,
    MOST_KERNELS,
    kernel_of,
    kernel_set,
    layers_of,
    spare_layers,
)
from tinyc.emit.project import firmware_digest, render
from tinyc.errors import TinycError
from tinyc.ir.graph import Graph
from tinyc.pipeline import compile_graph
from tinyc.program import Program
from tinyc.resources import data_folder
from tinyc.split import (
    NO_FRONT_END,
    FirmwareManifest,
    KernelNeed,
    ModelManifest,
    Split,
    covers,
    read_firmware,
    read_model,
    require_covered,
    to_json,
)

pytestmark = pytest.mark.unit

BOARD = load_board("nrf52840").split()
SLOTS = BOARD.model_map
GRAPH = random_network(np.random.default_rng(3), 4, mixed=True)


def compiled(graph: Graph = GRAPH, name: str = "net", version: str = "1.0.0") -> Program:
    return compile_graph(graph, BOARD, name=name, version=version)


def firmware_of(program: Program, split: Split) -> dict[str, str]:
    files = render(program, split=split).files
    return {name: text for name, text in files.items() if not name.startswith(split_model.MODEL_FOLDER)}


def moved(graph: Graph, by: int) -> Graph:
    """The same network with other biases."""
    biases = [
        replace(tensor, data=tensor.constant + by)
        for tensor in graph.constants()
        if tensor.constant.dtype == np.int32
    ]
    assert biases
    return graph.rebuilt(tensors=biases)


def test_the_firmware_depends_on_no_model() -> None:
    program, split = compiled(), Split(SLOTS)
    firmware = firmware_of(program, split)
    renamed = replace(program, name="zephyrine", version="9.9.9")
    assert firmware_of(renamed, split) == firmware
    other = compiled(moved(GRAPH, 1))
    assert other.digest != program.digest
    assert firmware_of(other, replace(split, also=(program,))) == firmware_of(
        program, replace(split, also=(other,))
    )
    assert "zephyrine" not in "".join(firmware_of(renamed, split).values())


def test_the_model_is_no_part_of_the_firmware_digest() -> None:
    program, split = compiled(), Split(SLOTS)
    files = dict(render(program, split=split).files)
    digest = firmware_digest(files)
    assert firmware_digest({**files, "model/model_image.c": "other"}) == digest
    assert firmware_digest({**files, "src/hal.c": "other"}) != digest
    assert firmware_digest(dict(render(program, split=replace(split, arena=99_999)).files)) != digest


def test_kernel_digests_cover_every_word_of_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    program = compiled()
    before = {each.symbol: each.digest for each in kernel_set(layers_of(program))}
    assert len(set(before.values())) == len(before) >= 2
    real = kernel_files._read

    def changed_by(changed: str) -> set[str]:
        """Kernels with another digest when a file has one more word."""
        with monkeypatch.context() as patch:
            patch.setattr(kernel_files, "_read", lambda path: real(path) + "/**/" * (path == changed))
            after = {each.symbol: each.digest for each in kernel_set(layers_of(program))}
        assert after.keys() == before.keys()
        return {symbol for symbol, digest in before.items() if after[symbol] != digest}

    dense = {symbol for symbol in before if "fully_connected" in symbol}
    assert dense and dense != set(before)
    assert changed_by("include/tinyc_fixed_point.h") == set(before)
    assert changed_by("include/fully_connected.h") <= dense
    assert not changed_by("include/move.h")
    for step in program.steps:
        if not step.kernel.source.endswith(".j2"):
            assert changed_by(step.kernel.source) == {step.kernel.symbol}


def test_layers_of_one_kernel_have_one_digest() -> None:
    """Whichever layer stands for a kernel, name, arguments and text are the same."""
    for seed in range(6):
        program = compiled(random_network(np.random.default_rng(seed), 8, mixed=True))
        found: dict[str, tuple[str, tuple[str, ...]]] = {}
        for graph, step in layers_of(program):
            kernel = kernel_of(graph, step)
            told = kernel.digest, kernel.arguments
            assert found.setdefault(kernel.symbol, told) == told


def test_spare_kernels_take_every_layer() -> None:
    program = compiled()
    spare = list(spare_layers(program))
    plain = {step.op.name for _, step in spare if not step.kernel.is_specialized}
    assert plain == {op.name for op in program.graph.expanded().ops}
    whole = pipeline.render(program, Split(SLOTS, spare=True)).split
    assert whole is not None and whole.arena is not None and whole.arena >= program.plan.arena_size
    more = split_model.firmware_kernels(program, Split(SLOTS, spare=True))
    assert {each.digest for each in kernel_set(layers_of(program))} <= {each.digest for each in more}


def test_numbers_of_the_header() -> None:
    text = (data_folder("firmware_templates") / "model" / "split" / "model.h").read_text(encoding="utf-8")
    numbers = dict(re.findall(r"#define (TINYC_\w+) (\w+)u", text))
    assert int(numbers["TINYC_MODEL_FORMAT"]) == split_model.FORMAT
    assert int(numbers["TINYC_MODEL_KERNELS"]) == MOST_KERNELS
    assert int(numbers["TINYC_DIGEST_BYTES"]) == DIGEST_BYTES
    assert bytes.fromhex(numbers["TINYC_MODEL_MAGIC"][2:])[::-1] == b"TMDL"
    assert {name: int(value) for name, value in re.findall(r"MODEL_(\w+) = (\d)", text)} == {
        fault.name: fault.value for fault in ModelFault
    }


def test_what_hello_says_more_has_room() -> None:
    longest = [5, bytes(8), bytes(8)]
    more = {
        "capacity": 0xFFFFFFFF,
        "format": 0xFFFFFFFF,
        "front": bytes(8),
        "kernels": bytes(8),
        "refused": [longest, longest],
    }
    assert len(cbor2.dumps(more)) - 1 == hello._SPLIT_BYTES


def test_every_refusal_has_words() -> None:
    said = {str(Refusal(fault, b"\x10\x27\0\0", b"\x08\0\0\0")) for fault in ModelFault}
    assert len(said) == len(ModelFault)
    assert str(Refusal(5, b"\x10\x27\0\0", b"\x00\x08\0\0")) == (
        "the model needs an arena of 10000 bytes, the firmware has 2048"
    )
    assert "1234" in str(Refusal(4, b"\x12\x34", b"\xab")) and "ab" in str(Refusal(4, b"\x12\x34", b"\xab"))
    assert str(Refusal(99)) == "reason 99"


def test_only_a_split_board_has_a_map_with_models() -> None:
    assert SLOTS.model_pages == 71 and SLOTS.image_pages == 47
    assert SLOTS.model_bodies == (SLOTS.model(0) + 512, SLOTS.model(1) + 512)
    with pytest.raises(TinycError, match="no slots for models"):
        load_board("nrf52840").model_map  # noqa: B018
    with pytest.raises(TinycError, match="no slots for models"):
        load_board("nano33ble").split()


# --- manifests


FIRMWARE = FirmwareManifest(
    board="nrf52840",
    tinyc="0.1.0",
    toolchain="zig",
    digest="ab" * 32,
    format=1,
    kernel_set="cd" * 8,
    kernels=(KernelNeed("tinyc_a", "00" * 8), KernelNeed("tinyc_b", "11" * 8)),
    arena=10_000,
    front_end=NO_FRONT_END,
    slots=(0x1200, 0x9200),
    body_bytes=20_000,
)
MODEL = ModelManifest(
    board="nrf52840",
    tinyc="0.1.0",
    digest="ef" * 32,
    name="net",
    version="1.0.0",
    format=1,
    kernels=(KernelNeed("tinyc_b", "11" * 8, ("dense", "more")),),
    arena=10_000,
    front_end=NO_FRONT_END,
    slots=(0x1200, 0x9200),
    body_bytes=20_000,
)


@pytest.mark.parametrize(
    ("firmware", "model", "expected"),
    [
        ({}, {}, []),
        ({"arena": 12_000}, {"body_bytes": 5}, []),
        ({}, {"board": "microbit", "arena": 99_999}, ["board  the model is for `microbit`"]),
        ({}, {"format": 2}, ["format  the model has format 2"]),
        ({"slots": (0, 4)}, {}, ["slots  the model is linked for other places"]),
        ({}, {"body_bytes": 20_001}, ["slot  is 1 bytes too small for 20001"]),
        ({}, {"arena": 17_000}, ["arena  is 7000 bytes too small for 17000"]),
        ({}, {"front_end": "22" * 8}, ["front end  the model takes sound or text"]),
        ({"front_end": "22" * 8}, {}, ["front end  the model takes plain input"]),
        (
            {"front_end": "22" * 8},
            {"front_end": "33" * 8},
            ["front end  the model takes other sound or text"],
        ),
        (
            {"kernels": (KernelNeed("tinyc_b", "99" * 8),)},
            {},
            ["layer dense, more  needs another `tinyc_b` than the firmware has"],
        ),
        (
            {"kernels": ()},
            {"arena": 10_001},
            [
                "arena  is 1 bytes too small for 10001",
                "layer dense, more  needs kernel `tinyc_b`, which the firmware does not have",
            ],
        ),
    ],
)
def test_covers(firmware: dict[str, object], model: dict[str, object], expected: list[str]) -> None:
    there, wanted = replace(FIRMWARE, **firmware), replace(MODEL, **model)
    problems = covers(there, wanted)
    assert [f"{problem.where}  {problem.what}" for problem in problems] == expected
    if problems:
        with pytest.raises(TinycError, match="does not run model `net`") as caught:
            require_covered(there, wanted)
        assert list(caught.value.problems) == problems
    else:
        require_covered(there, wanted)


def test_covers_names_the_version_of_another_compiler() -> None:
    (problem,) = covers(replace(FIRMWARE, kernels=(), tinyc="0.0.9"), MODEL)
    assert problem.allowed == "the firmware is of tinyc 0.0.9"


def test_manifests_come_back(tmp_path: Path) -> None:
    (tmp_path / "firmware.json").write_bytes(to_json(FIRMWARE))
    (tmp_path / "model.json").write_bytes(to_json(MODEL))
    assert read_firmware(tmp_path / "firmware.json") == FIRMWARE
    assert read_model(tmp_path / "model.json") == MODEL
    for path, read in ((tmp_path / "model.json", read_firmware), (tmp_path / "firmware.json", read_model)):
        with pytest.raises(TinycError, match="is no manifest"):
            read(path)
    (tmp_path / "bad.json").write_text("{", encoding="utf-8")
    with pytest.raises(TinycError, match="is no manifest"):
        read_model(tmp_path / "bad.json")
    with pytest.raises(TinycError, match="cannot read the manifest"):
        read_model(tmp_path / "none.json")


def test_manifests_of_a_build() -> None:
    program, split = compiled(), Split(SLOTS, arena=50_000)
    firmware = split_model.firmware_manifest(program, split, "zig", "ab" * 32)
    model = split_model.model_manifest(program, SLOTS, 1234)
    assert not covers(firmware, model)
    assert firmware.arena == 50_000 and model.arena == program.plan.arena_size
    assert sorted(name for kernel in model.kernels for name in kernel.layers) == sorted(
        step.op.name for step in program.steps
    )


def test_models_that_cannot_share(monkeypatch: pytest.MonkeyPatch) -> None:
    program = compiled()
    elsewhere = compile_graph(GRAPH, load_board("nano33ble"), name="elsewhere")
    with pytest.raises(TinycError, match="cannot share") as caught:
        render(program, split=Split(SLOTS, also=(elsewhere,)))
    assert "is compiled for `nano33ble`" in str(caught.value)
    monkeypatch.setattr(split_model, "MOST_KERNELS", 1)
    monkeypatch.setattr(split_model, "LARGEST_SET", 1)
    with pytest.raises(TinycError, match="cannot share") as caught:
        render(program, split=Split(SLOTS))
    assert len(caught.value.problems) == 2
