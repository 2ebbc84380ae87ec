"""`tinyc run`: one input, a batch, a recording or a text through the firmware."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from tinyc.cli import output
from tinyc.cli.inputs import Sample, require_files, samples
from tinyc.cli.options import BoardName, Json, Model, Optimize, Port, Toolchain
from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.artifact import Artifact
    from tinyc.cli.target import DeviceSession
    from tinyc.execution import DeviceEngine
    from tinyc.ir.tensor import Array
    from tinyc.program import Program

_SHOWN = 12


def command(
    model: Model = None,
    board: BoardName = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            "-i",
            metavar="FILE|TEXT",
            help=".npy, .npz (int8 or float32, one or a batch) or .wav; for a text model the text itself or "
            ".txt, one sentence a line; may be repeated",
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
        raise TinycError(
            "there is nothing to run on", hint="pass --input FILE (.npy, .npz, .wav, .txt) or a text"
        )
    if not target.takes_text(model):
        require_files(inputs)
    found = target.built(model, board, toolchain=toolchain, optimize=optimize)
    program = found.program
    asked = samples(program, inputs)
    if program.board.is_host:
        results, where, extra = _on_host(program, asked), "this machine", {}
    else:
        with target.device_engine(found, port) as session:
            invoke = _invoke(found)
            results = _on_device(session, asked, invoke)
            where, extra = session.name, _counts(session, len(results), program, invoke)
    stacked = [np.stack(column) for column in zip(*results, strict=True)]
    # A model's own batch of one gives way to the batch of inputs.
    stacked = [array[:, 0] if array.shape[1:2] == (1,) else array for array in stacked]
    if output_path is not None:
        _save(output_path, stacked)
    answer = _answer(program, stacked[0], asked, where) | extra
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
    from tinyc.cli import target

    if found.program.board.is_host:
        raise TinycError("the host board has no serial line", hint="pass --board nrf52840")
    with target.emulated(found) as machine:
        output.data(machine.serve_pty())
        sys.stdout.flush()
        output.talk("the emulated board answers there; Ctrl-C ends it")
        while machine.serving_failure is None:
            time.sleep(0.2)
        raise machine.serving_failure


def _on_host(program: Program, asked: list[Sample]) -> list[tuple[Array, ...]]:
    from tinyc.execution import audio_features, host_engine, text_ids

    def vector(sample: Sample) -> list[Array]:
        if sample.text is not None:
            return [text_ids(program, sample.text)]
        return sample.vector if sample.clip is None else [audio_features(program, sample.clip)]

    with host_engine(program) as engine:
        return [engine.run(vector(sample)) for sample in output.progress("running", asked)]


def _on_device(session: DeviceSession, asked: list[Sample], invoke: str) -> list[tuple[Array, ...]]:
    if session.machine is not None:
        session.machine.watch([invoke])
    return [run_sample(session.engine, sample) for sample in output.progress("running", asked)]


def run_sample(engine: DeviceEngine, sample: Sample) -> tuple[Array, ...]:
    """One inference on a device; front ends run there, too."""
    if sample.text is not None:
        return engine.run_text(sample.text)
    return engine.run(sample.vector) if sample.clip is None else engine.run_audio(sample.clip)


def _invoke(found: Artifact) -> str:
    """The function that runs all layers; a model that is an image of its own leaves it to the firmware."""
    from tinyc.emit import symbols

    return f"{symbols.prefix(found.program) if found.split is None else 'model'}_invoke"


def _counts(session: DeviceSession, runs: int, program: Program, invoke: str) -> dict[str, Any]:
    if session.machine is None:
        return {}
    counts = session.machine.profile().watched[invoke]
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


def _answer(program: Program, outputs: Array, asked: list[Sample], where: str) -> dict[str, Any]:
    from tinyc.execution import dequantize

    tensor = program.graph[program.graph.outputs[0]]
    rows = []
    for sample, value in zip(asked, dequantize(tensor, outputs), strict=True):
        flat = value.reshape(-1)
        best = int(np.argmax(flat))
        label = program.labels[best] if len(program.labels) == flat.size else str(best)
        if flat.size == 1:
            label = "value"
        rows.append({"input": sample.name, "index": best, "label": label, "score": float(flat[best])})
    return {"model": program.name, "ran_on": where, "count": len(rows), "results": rows}
