"""`tinyc verify`: NumPy reference, host C and device, byte by byte."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinyc.cli import output
from tinyc.cli.inputs import shown
from tinyc.cli.options import (
    AllowFloat,
    BoardName,
    Json,
    MaxArena,
    MaxFlash,
    Model,
    Optimize,
    Port,
    Reset,
    Seed,
    Streaming,
    Toolchain,
)
from tinyc.errors import Disagreement, Problem
from tinyc.objective import Limits

if TYPE_CHECKING:
    from tinyc.artifact import Artifact
    from tinyc.ir.tensor import Array
    from tinyc.program import Program
    from tinyc.verification import Difference, TextDifference, Verification

_RANDOM_TEXTS = 8


def command(
    model: Model = None,
    board: BoardName = None,
    input_path: Annotated[
        Path | None, typer.Option("--input", "-i", help="Vectors (.npz or .npy); labels give the accuracy")
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Random vectors to add")] = 20,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="At most so many of the given vectors, evenly spread")
    ] = None,
    seed: Seed = 0,
    layers: Annotated[bool, typer.Option("--layers", help="Compare every layer, not only outputs")] = False,
    reset: Reset = False,
    port: Port = None,
    toolchain: Toolchain = "zig",
    optimize: Optimize = None,
    streaming: Streaming = None,
    allow_float: AllowFloat = None,
    max_arena: MaxArena = None,
    max_flash: MaxFlash = None,
    json: Json = False,
) -> None:
    """Stream the same vectors through reference, host C and device and compare every byte."""
    from tinyc import verification
    from tinyc.cli import target
    from tinyc.cli.registry.recording import record_evaluation
    from tinyc.execution import Engine, host_engine, quantize_vector

    limits = Limits(max_arena, max_flash)
    found = target.built(
        model,
        board,
        toolchain=toolchain,
        optimize=optimize,
        limits=limits,
        allow_float=allow_float,
        streaming=streaming,
    )
    program = found.program
    data = input_path or (None if program.graph.stream else _evaluation(model))
    given, labels = _vectors(found, data, limit)
    vectors = [quantize_vector(program, vector) for vector in given]
    vectors += verification.random_vectors(program.graph, count, seed)
    texts = _texts(program, seed)
    wrong_text = None
    with ExitStack() as stack:
        engines: dict[str, Engine] = {"host C": stack.enter_context(host_engine(program))}
        if not program.board.is_host:
            session = stack.enter_context(target.device_engine(found, port))
            engines[session.name] = session.engine
            if texts:
                wrong_text = verification.verify_texts(program, texts, session.engine)
        watched = output.progress("verifying", vectors)
        result = verification.verify(program, watched, engines, layers=layers, reset=reset)
    accuracy = _accuracy(found, result.outputs[: len(given)], given, labels)
    if data is not None and limit is None and result.agrees and "int8" in accuracy:
        record_evaluation(found, data, accuracy["int8"], output.talk)
    if json:
        output.as_json(_json(found, result, accuracy, texts, wrong_text))
    else:
        _show(result, accuracy)
        if texts and wrong_text is None:
            output.data(f"device = Python twin: the token ids of {len(texts)} texts agree")
    problems = [_problem(difference) for difference in result.first]
    if wrong_text is not None:
        problems.append(_text_problem(wrong_text))
    if not result.agrees:
        raise Disagreement(
            "the executions differ from the NumPy reference",
            problems=problems,
            hint="this is a fault of a kernel or a toolchain, not of the model",
        )
    if wrong_text is not None:
        raise Disagreement(
            "the device's tokenizer differs from its Python twin",
            problems=problems,
            hint="this is a fault of the tokenizer or a toolchain, not of the model",
        )


def _texts(program: Program, seed: int) -> list[bytes]:
    """Texts for the device's tokenizer, none for a model or a board without one."""
    if program.tokenizer is None or program.board.is_host:
        return []
    from tinyc.device import limits
    from tinyc.text.samples import sample_texts

    longest = limits.largest_text(limits.buffer_bytes(program.board.memory.ram))
    return sample_texts(program.tokenizer, _RANDOM_TEXTS, longest, seed)


def _text_problem(wrong: TextDifference) -> Problem:
    """The first number that differs: the count of the ids, or one of them."""
    at = next(n for n, pair in enumerate(zip(wrong.expected, wrong.got, strict=True)) if pair[0] != pair[1])
    what = f"id {at - 1}" if at else "the number of ids"
    return Problem(repr(shown(wrong.text)), f"{what}: expected {wrong.expected[at]}, got {wrong.got[at]}")


def _evaluation(model: Path | None) -> Path | None:
    """The evaluation data that tinyc.toml names, when the argument leads to one."""
    from tinyc import artifact
    from tinyc.source import resolve

    if model is not None and artifact.is_artifact(model):
        return None
    return resolve(model).evaluation


def _vectors(found: Artifact, path: Path | None, limit: int | None) -> tuple[list[list[Array]], Array | None]:
    from tinyc.cli.inputs import load_vectors
    from tinyc.source import LABELS, check_labels, load_arrays

    if path is None:
        return [], None
    vectors = load_vectors(found.program, path)
    labels = load_arrays(path).get(LABELS)
    if labels is not None:
        check_labels(labels, len(vectors), path)
    if limit is not None and limit < len(vectors):
        chosen = [index * len(vectors) // limit for index in range(limit)]
        vectors = [vectors[index] for index in chosen]
        labels = None if labels is None else labels[chosen]
    return vectors, labels


def _accuracy(
    found: Artifact, outputs: Sequence[tuple[Array, ...]], vectors: list[list[Array]], labels: Array | None
) -> dict[str, float]:
    from tinyc import interpreter, verification
    from tinyc.execution import real_vector
    from tinyc.quantize.fixed_point import Rounding

    if labels is None or not vectors:
        return {}
    accuracy = {"int8": verification.top1(outputs, labels)}
    if found.float_graph is not None:
        answers = [
            interpreter.run(found.float_graph, real_vector(found.program, v), Rounding.ANY) for v in vectors
        ]
        accuracy = {"float": verification.top1(answers, labels)} | accuracy
    return accuracy


def _problem(difference: Difference) -> Problem:
    return Problem(
        difference.engine,
        f"vector {difference.vector}, layer #{difference.layer} {difference.op} `{difference.name}` "
        f"({difference.kernel}), element {list(difference.element)}: "
        f"expected {difference.expected:g}, got {difference.got:g}",
    )


def _json(
    found: Artifact,
    result: Verification,
    accuracy: dict[str, float],
    texts: list[bytes],
    wrong: TextDifference | None,
) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "model": found.program.name,
        "digest": found.program.digest,
        "board": found.program.board.name,
        "vectors": result.vectors,
        "bytes_compared": result.compared,
        "differing_bytes": dict(result.differing),
        "agrees": result.agrees and wrong is None,
        "first_differences": [asdict(difference) for difference in result.first],
        "accuracy": accuracy,
        "texts": len(texts),
        "first_text_difference": None
        if wrong is None
        else {"text": wrong.text.hex(), "expected": wrong.expected, "got": wrong.got},
    }


def _show(result: Verification, accuracy: dict[str, float]) -> None:
    rows = [
        (name, f"{result.compared:,}", f"{wrong:,}", "differs" if wrong else "= reference")
        for name, wrong in result.differing.items()
    ]
    output.table(
        f"{result.vectors} vectors against the NumPy reference",
        ("execution", "output bytes>", "differing>", "verdict"),
        rows,
    )
    if result.agrees:
        names = " = ".join(
            ["device" if "host" not in name else name for name in reversed(list(result.differing))]
        )
        output.data(f"{names} = reference: 0 of {result.compared:,} bytes differ")
    if accuracy:
        # Bit-identical executions share one accuracy.
        same = "device = host = int8 reference" if result.agrees else "int8 reference"
        output.table(
            "",
            ("top-1 accuracy", "value>"),
            [(("float" if key == "float" else same), f"{value:.2%}") for key, value in accuracy.items()],
        )
