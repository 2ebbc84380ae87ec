"""`tinyc run`: one input, a batch, a recording or a text through the firmware."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from tinyc.cli import output
from tinyc.cli.inputs import Sample, require_files, samples
from tinyc.cli.learn.heads import HeadOption
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
    Streaming,
    Toolchain,
)
from tinyc.errors import TinycError
from tinyc.objective import Limits

if TYPE_CHECKING:
    from tinyc.artifact import Artifact
    from tinyc.cli.target import DeviceSession
    from tinyc.execution import DeviceEngine
    from tinyc.ir.tensor import Array
    from tinyc.learning.answers import Answer, HeadAnswer, HeadAnswers
    from tinyc.program import Program

_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Ran:
    """One inference: all outputs, and what the active head says where the device learns."""

    outputs: tuple[Array, ...]
    head: HeadAnswer | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """What is shown of it."""

    name: str
    network: Answer
    head: HeadAnswer | None

    @property
    def answer(self) -> Answer:
        """The active head's; where nothing learns the network's."""
        return self.network if self.head is None else self.head.answer


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
    head: HeadOption = None,
    reset: Reset = False,
    toolchain: Toolchain = "zig",
    optimize: Optimize = None,
    streaming: Streaming = None,
    allow_float: AllowFloat = None,
    max_arena: MaxArena = None,
    max_flash: MaxFlash = None,
    json: Json = False,
) -> None:
    """Run the firmware on the emulated chip or a board and print what it answers.

    Where the device learns, that is what its active head says, and what the network says without it.
    """
    from tinyc.cli import target
    from tinyc.cli.learn.heads import require_no_port

    def _built() -> Artifact:
        return target.built(
            model,
            board,
            toolchain=toolchain,
            optimize=optimize,
            limits=Limits(max_arena, max_flash),
            allow_float=allow_float,
            streaming=streaming,
        )

    require_no_port(head, port)
    if pty:
        _serve(_built(), head)
        return
    if not inputs:
        raise TinycError(
            "there is nothing to run on", hint="pass --input FILE (.npy, .npz, .wav, .txt) or a text"
        )
    if not target.takes_text(model):
        require_files(inputs)
    found = _built()
    program = found.program
    asked = samples(program, inputs)
    if program.board.is_host:
        _require_learning(found, head)
        results, where, extra = _on_host(program, asked, reset), "this machine", {}
    else:
        with target.device_engine(found, port) as session:
            invoke = _invoke(found)
            answers = _answers(session, found, head)
            results = _on_device(session, asked, invoke, answers, reset)
            extra = {} if answers is None else _active(answers)
            where = session.name
            extra |= _counts(session, len(results), program, invoke)
    stacked = [np.stack(column) for column in zip(*(ran.outputs for ran in results), strict=True)]
    # A model's own batch of one gives way to the batch of inputs.
    stacked = [array[:, 0] if array.shape[1:2] == (1,) else array for array in stacked]
    if output_path is not None:
        _save(output_path, stacked)
    rows = [_row(program, sample, ran) for sample, ran in zip(asked, results, strict=True)]
    told = {"model": program.name, "ran_on": where, "count": len(rows)}
    answer = told | {"results": [_entry(row) for row in rows]} | extra
    if json:
        output.as_json(answer)
    else:
        _show(program, answer, rows)


def _show(program: Program, answer: dict[str, Any], rows: list[Row]) -> None:
    head = answer.get("head")
    answered = "" if head is None else f"; {head['name']} answers"
    output.talk(f"ran {len(rows)} input{'s' if len(rows) > 1 else ''} on {answer['ran_on']}{answered}")
    columns = _columns(rows[:_SHOWN])
    cells = [[cell(row) for cell in columns.values()] for row in rows[:_SHOWN]]
    hidden = len(rows) - len(cells)
    output.table("", tuple(columns), cells, f"and {hidden} more" if hidden else "")
    if "instructions" in answer:
        output.talk(
            f"{answer['instructions']:,} instructions, {answer['cycles_estimated']:,} cycles (estimate), "
            f"{answer['milliseconds_estimated']:.4g} ms at {program.board.clock_hz / 1e6:g} MHz per inference"
        )


def _columns(rows: list[Row]) -> dict[str, Callable[[Row], str]]:
    """The columns of the table, and what is in them; shadow and drift only where they say something."""
    from tinyc.cli.answers import scored
    from tinyc.device.learned import Drift

    heads = [row.head for row in rows if row.head is not None]
    columns: dict[str, Callable[[Row], str]] = {
        "input": lambda row: row.name,
        "answer": lambda row: row.answer.words,
        "score>": lambda row: f"{row.answer.score:.4g}",
    }
    if heads:
        columns["network"] = lambda row: scored(row.network)
    if any(head.shadow is not None for head in heads):
        columns["shadow"] = lambda row: (row.head.shadow if row.head else None) or ""
    if any(head.drift is not Drift.STABLE for head in heads):
        columns["drift"] = lambda row: row.head.drift.name.lower() if row.head else ""
    return columns


def _serve(found: Artifact, head: Path | None) -> None:
    """The emulated board on a pseudo-terminal: its path on stdout, then the chip runs."""
    from tinyc.cli import target
    from tinyc.cli.learn.heads import bring
    from tinyc.device.client import DeviceClient

    if found.program.board.is_host:
        raise TinycError("the host board has no serial line", hint="pass --board nrf52840")
    _require_learning(found, head)
    with target.emulated(found) as machine:
        if head is not None:
            bring(DeviceClient(machine.transport), head)
        output.data(machine.serve_pty())
        sys.stdout.flush()
        output.talk("the emulated board answers there; Ctrl-C ends it")
        while machine.serving_failure is None:
            time.sleep(0.2)
        raise machine.serving_failure


def _on_host(program: Program, asked: list[Sample], reset: bool) -> list[Ran]:
    from tinyc.execution import audio_features, host_engine, text_ids

    def vector(sample: Sample) -> list[Array]:
        if sample.text is not None:
            return [text_ids(program, sample.text)]
        return sample.vector if sample.clip is None else [audio_features(program, sample.clip)]

    results = []
    with host_engine(program) as engine:
        for sample in output.progress("running", asked):
            if reset:
                engine.reset()
            results.append(Ran(engine.run(vector(sample))))
    return results


def _require_learning(found: Artifact, head: Path | None) -> None:
    """Raise TinycError for a head that there is nothing in the build for."""
    if head is not None and found.program.learning is None:
        raise TinycError(
            "the build does not learn", where=str(found.folder), hint="build it with `tinyc build --learn`"
        )


def _answers(session: DeviceSession, found: Artifact, head: Path | None) -> HeadAnswers | None:
    """What asks the device's head, which is that of the file if there is one. None where nothing learns."""
    from tinyc.cli.learn.heads import bring
    from tinyc.learning.answers import HeadAnswers

    _require_learning(found, head)
    if found.program.learning is None:
        return None
    client = session.engine.client
    if head is not None:
        bring(client, head)
    return HeadAnswers(client.learner, found.program) if client.hello().learns else None


def _active(answers: HeadAnswers) -> dict[str, Any]:
    from tinyc.cli.answers import active_head

    told = answers.told
    return {"head": {"kind": told.kind, "sequence": told.kept.sequence, "name": active_head(told)}}


def _on_device(
    session: DeviceSession, asked: list[Sample], invoke: str, answers: HeadAnswers | None, reset: bool
) -> list[Ran]:
    if session.machine is not None:
        session.machine.watch([invoke])
    results = []
    for sample in output.progress("running", asked):
        if reset:
            session.engine.reset()
        outputs = run_sample(session.engine, sample)
        results.append(Ran(outputs, None if answers is None else answers.answer(outputs)))
    return results


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


def _row(program: Program, sample: Sample, ran: Ran) -> Row:
    from tinyc.learning.answers import network_answer

    return Row(sample.name, network_answer(program, ran.outputs), ran.head)


def _entry(row: Row) -> dict[str, Any]:
    from tinyc.cli.answers import answer_entry, head_entry

    answer = row.answer
    told = {"input": row.name, "index": answer.index, "label": answer.label, "score": answer.score}
    if row.head is not None:
        told |= {"head": head_entry(row.head), "network": answer_entry(row.network)}
    return told
