"""`tinyc monitor`: a device as it lives, on the screen or as lines of JSON."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinyc.cli import output
from tinyc.cli.options import Json
from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.device.client import DeviceClient
    from tinyc.device.hello import Hello
    from tinyc.device.learned import Learned
    from tinyc.learning.answers import HeadAnswers
    from tinyc.monitoring import Job, Result, Update
    from tinyc.program import Program

# Without an answer for so long, three times, a device counts as lost.
_ANSWER_SECONDS = 1.0


def command(
    port: Annotated[str, typer.Option("--port", help="Serial port of the board.", show_default=False)],
    model: Annotated[
        Path | None,
        typer.Argument(
            help="The build folder or model that the device runs, for its labels. Without it outputs are "
            "shown as numbers.",
            show_default=False,
        ),
    ] = None,
    interval: Annotated[float, typer.Option("--interval", min=0.05, help="Seconds between updates.")] = 1.0,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            "-i",
            metavar="FILE|TEXT",
            help="Run the model on this again and again: what `tinyc run` takes, or without a model .npy or "
            ".npz with the bytes of its inputs; may be repeated.",
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="One update, each input once, then end.")] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.0, help="Seconds to wait for a device that is gone.")
    ] = 30.0,
    json: Json = False,
) -> None:
    """Watch a device: who it is, its counters, its log, and inferences on it.

    Off a terminal, and with --json, each update is one line of JSON. Ctrl-C ends it.
    """
    from tinyc.device.client import DeviceClient
    from tinyc.device.transport import SerialTransport
    from tinyc.learning.answers import HeadAnswers
    from tinyc.monitoring import watch

    with contextlib.suppress(KeyboardInterrupt), SerialTransport(port) as line:
        client = DeviceClient(line, timeout=_ANSWER_SECONDS)
        hello = client.hello()
        program = None if model is None else _program(model, hello)
        answers = HeadAnswers(client.learner, program) if inputs and hello.learns else None
        jobs = _jobs(client, hello, program, inputs, answers) if inputs else []
        updates = watch(
            client, interval=interval, jobs=jobs, once=once, timeout=timeout, where=port, answers=answers
        )
        if json or not sys.stdout.isatty():
            for update in updates:
                output.json_line(entry(update))
            return
        from tinyc.cli.monitor_view import View

        with View(port, sorted(job.name for job in jobs)) as view:
            for update in updates:
                view.show(update)


def _program(model: Path, hello: Hello) -> Program | None:
    """The program that the argument names, when the device runs it."""
    from tinyc import artifact
    from tinyc.cli import target

    if artifact.is_artifact(model):
        program = artifact.open_artifact(model).program
    else:
        program = target.compiled(model, hello.board)[2]
    if program.digest == hello.digest:
        return program
    output.talk(
        f"the device runs another model than {model}: `{hello.model}`, digest {hello.digest[:16]}, not "
        f"{program.digest[:16]}; its outputs are shown as numbers"
    )
    return None


def _jobs(
    client: DeviceClient,
    hello: Hello,
    program: Program | None,
    inputs: list[str],
    answers: HeadAnswers | None,
) -> list[Job]:
    from tinyc.cli.inputs import Sample, samples
    from tinyc.cli.run import run_sample
    from tinyc.execution import DeviceEngine
    from tinyc.monitoring import Job, Result, ranking, raw_job, timed

    if program is None:
        return [raw_job(client, hello, name, data, answers) for name, data in _raw_inputs(hello, inputs)]
    engine = DeviceEngine(client, program)

    def job(sample: Sample) -> Job:
        def run() -> Result:
            outputs = run_sample(engine, sample)
            head = None if answers is None else answers.answer(outputs)
            return Result(sample.name, ranking(program, outputs), (), *timed(hello, engine.cycles), head)

        return Job(sample.name, run)

    return [job(sample) for sample in samples(program, inputs)]


def _raw_inputs(hello: Hello, inputs: list[str]) -> list[tuple[str, bytes]]:
    """The bytes of all model inputs, and a name for them, of each sample in the files."""
    from tinyc.cli.inputs import require_files
    from tinyc.source import load_arrays

    unknown = [name for name in inputs if Path(name).suffix.lower() not in (".npy", ".npz")]
    if unknown:
        raise TinycError(
            "without the model only bytes of its inputs can be sent",
            where=unknown[0],
            allowed=".npy or .npz of integers",
            hint="name the build folder: tinyc monitor FOLDER --port ...",
        )
    require_files(inputs)
    found = []
    for name in inputs:
        arrays = list(load_arrays(Path(name)).values())
        data = b"".join(array.tobytes() for array in arrays)
        rows, rest = divmod(len(data), hello.input_bytes) if hello.input_bytes else (0, 1)
        if rest or not rows or (len(arrays) > 1 and rows > 1) or any(a.dtype.kind == "f" for a in arrays):
            raise TinycError(
                f"{len(data)} bytes of {', '.join(str(array.dtype) for array in arrays)} are no inputs of "
                "the device's model",
                where=name,
                allowed=f"{hello.input_bytes} bytes of integers, or several times as many in one array",
                hint="name the build folder for values in real units",
            )
        size = hello.input_bytes
        found += [(f"{Path(name).name}[{n}]", data[n * size : (n + 1) * size]) for n in range(rows)]
    return found


def entry(update: Update) -> dict[str, object]:
    """An update as JSON."""
    from dataclasses import asdict

    from tinyc.cli.devices import device_entry

    return {
        "seconds": round(update.seconds, 3),
        "state": "connected" if update.waiting is None else "waiting",
        "waiting": None if update.waiting is None else round(update.waiting, 3),
        "problem": update.problem,
        "device": device_entry(update.hello),
        "counters": None if update.counters is None else asdict(update.counters),
        "rates": None
        if update.rates is None
        else {name: round(rate, 3) for name, rate in asdict(update.rates).items()},
        "restarted": update.restarted,
        "log": list(update.log),
        "runs": update.runs,
        "results": [_result(result) for result in update.results],
        "learning": None if update.learned is None else _learning(update.learned),
    }


def _result(result: Result) -> dict[str, object]:
    from tinyc.cli.answers import head_entry

    best: tuple[str | None, float | None] = result.ranking[0] if result.ranking else (None, None)
    if result.head is not None:
        best = result.head.answer.label, result.head.answer.score
    return {
        "input": result.name,
        "label": best[0],
        "score": best[1],
        "ranking": [list(pair) for pair in result.ranking],
        "outputs": list(result.numbers),
        "cycles": result.cycles,
        "milliseconds": result.milliseconds,
        "head": None if result.head is None else head_entry(result.head),
    }


def _learning(told: Learned) -> dict[str, object]:
    return {
        "kind": told.kind,
        "sequence": told.kept.sequence,
        "classes": told.classes,
        "labels": told.counts.labels,
        "fresh": told.counts.fresh,
        "held_out": told.counts.held_out,
        "promotions": told.counts.promotions,
        "drift": told.drift.name.lower(),
        "alarms": told.alarms,
        "wants_labels": told.wants_labels,
    }
