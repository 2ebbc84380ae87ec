"""From a build folder to the manifest of its model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyc.device.limits import PROTOCOL
from tinyc.errors import TinycError
from tinyc.ir.tensor import DType
from tinyc.program import NO_VERSION
from tinyc.versioning import digests
from tinyc.versioning.model import (
    Abi,
    BaseModel,
    Envelope,
    Input,
    Manifest,
    Metrics,
    Output,
    Port,
    Target,
)

if TYPE_CHECKING:
    from tinyc.artifact import Artifact
    from tinyc.ir.tensor import Tensor
    from tinyc.program import Program

MANIFEST = "manifest.json"
"""The manifest's file in a build folder."""


def manifest_of(artifact: Artifact) -> Manifest:
    """The manifest of a build. Runs the golden vectors through the reference: a moment for small models.

    Raises TinycError when the firmware is gone or the folder is damaged.
    """
    from tinyc.emit.split_model import FORMAT as IMAGE_FORMAT

    program, report = artifact.program, artifact.report
    # A tap is no part of what the model promises.
    graph = program.own_graph
    layers = digests.layers_of(graph)
    body, head = digests.parts_of(graph, layers)
    golden, embedding = digests.golden(graph)
    told = _release(report, str(artifact.folder))
    return Manifest(
        name=program.name,
        version=program.version,
        digest=program.digest,
        tinyc=str(report["tinyc"]),
        precision=_precision(program),
        input=_input(program, told),
        output=Output(
            tuple(_port(graph[name]) for name in graph.outputs), program.labels, digests.meaning_of(graph)
        ),
        body=body,
        head=head,
        layers=layers,
        golden=golden,
        embedding=embedding,
        abi=Abi(PROTOCOL, IMAGE_FORMAT),
        targets={program.board.name: _target(artifact)},
        envelope={
            board: Envelope(limits.get("flash"), limits.get("ram"))
            for board, limits in (told.get("envelope") or {}).items()
        },
        metrics=_metrics(report),
        base=BaseModel(**told["base"]) if told.get("base") else None,
        relation=told.get("relation"),
    )


def write_manifest(folder: Path, found: Manifest) -> None:
    """Write `manifest.json` of a build folder, if it changes."""
    from tinyc.files import write_if_changed

    write_if_changed(folder / MANIFEST, to_bytes(found))


def to_bytes(found: Manifest) -> bytes:
    """A manifest as the bytes of its file."""
    return (json.dumps(found.to_json(), indent=2) + "\n").encode()


def _release(report: dict[str, Any], where: str) -> dict[str, Any]:
    told = report.get("release") or {}
    if not isinstance(told, dict):
        raise TinycError("the build folder is damaged", where=where, hint="run `tinyc build` again")
    return told


def _precision(program: Program) -> str:
    """The types of the activations, as in `int8` or `int8+int16`; ids and other plain integers apart."""
    graph = program.graph.expanded()
    kinds = {
        tensor.dtype.value[0]
        for op in graph.ops
        for tensor in graph.results(op)
        if tensor.quantization is not None or tensor.dtype is DType.FLOAT32
    }
    return "+".join(sorted(kinds, key=lambda kind: (len(kind), kind))) or "int8"


def _input(program: Program, told: dict[str, Any]) -> Input:
    graph = program.graph
    tensors = tuple(_port(graph[name]) for name in graph.inputs)
    kind, digest = "raw", None
    settings: dict[str, int | str] = {}
    if program.audio is not None:
        kind, settings = "audio", program.audio.to_json()
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    elif program.tokenizer is not None:
        kind, settings = "text", {"tokens": program.tokenizer.size}
        digest = hashlib.sha256(program.tokenizer.file).hexdigest()
    sensor = told.get("sensor") or ("microphone" if kind == "audio" else None)
    return Input(kind, tensors, digest, settings, told.get("units"), sensor)


def _port(tensor: Tensor) -> Port:
    quantization = tensor.quantization
    scale = None if quantization is None else float(quantization.scale[0])
    point = None if quantization is None else int(quantization.zero_point[0])
    return Port(tensor.shape, tensor.dtype.value[0], scale, point)


def _target(artifact: Artifact) -> Target:
    program, sizes = artifact.program, artifact.firmware.sizes
    memory = program.board.memory
    return Target(
        core=program.board.core,
        flash=sizes.flash + sizes.image,
        ram=sizes.ram,
        arena=sizes.arena,
        weights=sizes.weights,
        stack=memory.stack,
        available_flash=memory.application_flash,
        available_ram=memory.application_ram,
        toolchain=str(artifact.report["toolchain"]),
        optimize=program.optimize.value,
        code=_code(artifact),
        kernels=tuple(step.kernel.symbol for step in program.steps),
    )


def _code(artifact: Artifact) -> str:
    """Digest of every generated file; the version of the model and the keys of a node do not count."""
    program = replace(artifact.program, version=NO_VERSION)
    if program.lowpan is not None:
        program = replace(program, lowpan=program.lowpan.public())
    if program.board.is_host:
        from tinyc.toolchain.host import host_texts

        files: Mapping[str, str] = host_texts(program)
    else:
        from tinyc import pipeline

        files = pipeline.render(program, artifact.split).files
    state = hashlib.sha256()
    for path in sorted(files):
        state.update(f"{path}\0{len(files[path])}\0{files[path]}".encode())
    return state.hexdigest()


def _metrics(report: dict[str, Any]) -> Metrics | None:
    """The accuracy on the labelled calibration samples, where there are any."""
    accuracy = (report.get("quantization") or {}).get("accuracy")
    if not accuracy:
        return None
    return Metrics(float(accuracy["int8_top1"]), int(accuracy["samples"]))
