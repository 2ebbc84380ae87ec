"""`tinyc run`: one input, a batch or a recording through the firmware."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from tinyc.cli import output
from tinyc.cli.options import BoardName, Json, Model, Optimize, Port, Toolchain
from tinyc.errors import Problem, TinycError

if TYPE_CHECKING:
    from tinyc.artifact import Artifact
    from tinyc.cli.target import DeviceSession
    from tinyc.ir.tensor import Array
    from tinyc.program import Program

_SHOWN = 12


def command(
    model: Model = None,
    board: BoardName = None,
    inputs: Annotated[
        list[Path] | None,
        typer.Option(
            "--input", "-i", help=".npy, .npz (int8 or float32, one or a batch) or .wav; may be repeated"
        ),
    ] = None,
    output_path: Annotated[
        Path | None, typer.Option("--output", help="Write the raw outputs (.npy, .npz when several)")
    ] = None,
    port: Port = None,
    pty: Annotated[
        bool, typer.Option("--pty", help="Open the emulated serial line as a pseudo-terminal until Ctrl-C")
    ] = False,
    toolchain: Toolchain = "zig",
    optimize: Optimize = None,
    json: Json = False,
) -> None:
    """Run the firmware on the emulated chip or a board and print what it answers."""
    from tinyc.cli import target

    if pty:
        _serve(target.built(model, board, toolchain=toolchain, optimize=optimize))
        return
    if not inputs:
        raise TinycError("there is nothing to run on", hint="pass --input FILE (.npy, .npz or .wav)")
    missing = [Problem(str(path), "no such file") for path in inputs if not path.is_file()]
    if missing:
        raise TinycError("inputs are missing", problems=missing)
    found = target.built(model, board, toolchain=toolchain, optimize=optimize)
    program = found.program
    samples = [sample for path in inputs for sample in _samples(program, path)]
    if program.board.is_host:
        results, where, extra = _on_host(program, samples), "this machine", {}
    else:
        with target.device_engine(found, port) as session:
            results = _on_device(program, session, samples)
            where, extra = session.name, _counts(session, len(results), program)
    stacked = [np.stack(column) for column in zip(*results, strict=True)]
    # A model's own batch of one gives way to the batch of inputs.
    stacked = [array[:, 0] if array.shape[1:2] == (1,) else array for array in stacked]
    if output_path is not None:
        _save(output_path, stacked)
    answer = _answer(program, stacked[0], samples, where) | extra
    if json:
        output.as_json(answer)
    else:
        _show(program, answer)


def _show(program: Program, answer: dict[str, Any]) -> None:
    results = answer["results"]
    output.talk(f"ran {len(results)} input{'s' if len(results) > 1 else ''} on {answer['ran_on']}")
    rows = [(row["input"], row["label"], f"{row['score']:.4g}") for row in results[:_SHOWN]]
    hidden = len(results) - len(rows)
    output.table("", ("input", "answer", "score>"), rows, f"and {hidden} more" if hidden else "")
    if "instructions" in answer:
        output.talk(
            f"{answer['instructions']:,} instructions, {answer['cycles_estimated']:,} cycles (estimate), "
            f"{answer['milliseconds_estimated']:.4g} ms at {program.board.clock_hz / 1e6:g} MHz per inference"
        )


def _serve(found: Artifact) -> None:
    """The emulated board on a pseudo-terminal: its path on stdout, then the chip runs."""
    from tinyc.emulator import Machine

    if found.program.board.is_host:
        raise TinycError("the host board has no serial line", hint="pass --board nrf52840")
    with Machine(found.elf, found.program.board) as machine:
        output.data(machine.serve_pty())
        sys.stdout.flush()
        output.talk("the emulated board answers there; Ctrl-C ends it")
        while machine.serving_failure is None:
            time.sleep(0.2)
        raise machine.serving_failure


def load_vectors(program: Program, path: Path) -> list[list[Array]]:
    """The vectors of an .npy or .npz file as given, each a list with one array per model input."""
    from tinyc.execution import check_ids, split_batch
    from tinyc.source import input_arrays, load_arrays

    graph = program.graph
    columns = input_arrays(load_arrays(path), graph.inputs, str(path))
    for name, column in zip(graph.inputs, columns, strict=True):
        check_ids(graph, name, column, str(path))
    parts = [
        split_batch(graph[name], column, str(path))
        for name, column in zip(graph.inputs, columns, strict=True)
    ]
    if len({len(part) for part in parts}) != 1:
        raise TinycError("the inputs hold different numbers of samples", where=str(path))
    return [list(vector) for vector in zip(*parts, strict=True)]


@dataclass(frozen=True, slots=True)
class _Sample:
    """One inference: a vector of model inputs, or a clip of int16 samples for the audio front end."""

    name: str
    vector: list[Array]
    clip: Array | None = None


def _samples(program: Program, path: Path) -> list[_Sample]:
    from tinyc.execution import quantize_vector

    if path.suffix.lower() == ".wav":
        return [_Sample(path.name, [], _clip(program, path))]
    vectors = [quantize_vector(program, vector) for vector in load_vectors(program, path)]
    return [_Sample(f"{path.name}[{index}]", vector) for index, vector in enumerate(vectors)]


def _clip(program: Program, path: Path) -> Array:
    from tinyc.audio.wav import read_wav

    if program.audio is None:
        raise TinycError(
            "the model has no audio front end",
            where=str(path),
            allowed="an .npy or .npz of model inputs",
            hint='set type = "audio" under [input] in tinyc.toml',
        )
    return read_wav(path, program.audio.sample_rate, program.audio.clip_samples)


def _on_host(program: Program, samples: list[_Sample]) -> list[tuple[Array, ...]]:
    from tinyc.execution import audio_features, host_engine

    with host_engine(program) as engine:
        return [
            engine.run(sample.vector if sample.clip is None else [audio_features(program, sample.clip)])
            for sample in output.progress("running", samples)
        ]


def _on_device(program: Program, session: DeviceSession, samples: list[_Sample]) -> list[tuple[Array, ...]]:
    if session.machine is not None:
        session.machine.watch([_invoke(program)])
    engine = session.engine
    return [
        engine.run(sample.vector) if sample.clip is None else engine.run_audio(sample.clip)
        for sample in output.progress("running", samples)
    ]


def _invoke(program: Program) -> str:
    from tinyc.emit import symbols

    return f"{symbols.prefix(program)}_invoke"


def _counts(session: DeviceSession, runs: int, program: Program) -> dict[str, Any]:
    if session.machine is None:
        return {}
    counts = session.machine.profile().watched[_invoke(program)]
    cycles = counts.cycles_estimated // runs
    return {
        "instructions": counts.instructions // runs,
        "cycles_estimated": cycles,
        "milliseconds_estimated": cycles / program.board.clock_hz * 1000,
    }


def _save(path: Path, outputs: list[Array]) -> None:
    """Write all outputs or nothing."""
    import io

    from tinyc.files import write_if_changed

    stream = io.BytesIO()
    if len(outputs) == 1:
        np.save(stream, outputs[0], allow_pickle=False)
    else:
        np.savez(stream, allow_pickle=False, **{f"output_{i}": array for i, array in enumerate(outputs)})
    try:
        write_if_changed(path, stream.getvalue())
    except OSError as error:
        raise TinycError(f"cannot write: {error.strerror}", where=str(path)) from error


def _answer(program: Program, outputs: Array, samples: list[_Sample], where: str) -> dict[str, Any]:
    from tinyc.execution import dequantize

    tensor = program.graph[program.graph.outputs[0]]
    rows = []
    for sample, value in zip(samples, dequantize(tensor, outputs), strict=True):
        flat = value.reshape(-1)
        best = int(np.argmax(flat))
        label = program.labels[best] if len(program.labels) == flat.size else str(best)
        if flat.size == 1:
            label = "value"
        rows.append({"input": sample.name, "index": best, "label": label, "score": float(flat[best])})
    return {"model": program.name, "ran_on": where, "count": len(rows), "results": rows}
