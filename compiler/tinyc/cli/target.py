"""From the words on the command line to a program or a finished build."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tinyc import artifact, pipeline
from tinyc.artifact import Artifact
from tinyc.boards import Board, load_board
from tinyc.cli import output
from tinyc.errors import TinycError
from tinyc.objective import Objective
from tinyc.preparation import Prepared
from tinyc.program import Program
from tinyc.source import Source, resolve

if TYPE_CHECKING:
    from tinyc.emulator import Machine
    from tinyc.execution import DeviceEngine


@dataclass(frozen=True, slots=True)
class DeviceSession:
    """A device engine, its name for people and, when emulated, the machine that counts."""

    engine: DeviceEngine
    name: str
    machine: Machine | None


def board_of(name: str | None, source: Source) -> Board:
    """The board asked for, or the default one of tinyc.toml. Raises TinycError when neither is set."""
    chosen = name or source.default_board
    if chosen is None:
        raise TinycError("no board is named", hint="pass --board NAME; `tinyc boards` lists them")
    return load_board(chosen)


def compiled(
    model: Path | None,
    board: str | None,
    calibration: Path | None = None,
    optimize: Objective | None = None,
    toolchain: str = "zig",
    max_drop: float | None = None,
    embedding_bits: int | None = None,
) -> tuple[Source, Prepared, Program]:
    """Compile the source that the argument names, without building it.

    Counts of `toolchain` replace predictions when the model is to be compiled as tuned.
    """
    source = resolve(model, calibration=calibration, max_drop=max_drop, embedding_bits=embedding_bits)
    chosen = board_of(board, source)
    with output.stages("preparing") as progress:
        prepared = pipeline.prepare(source, progress=progress)
    objective = optimize or source.optimize
    measured = None
    if objective is Objective.TUNED:
        from tinyc import tuning

        measured = tuning.load(prepared.graph, chosen, toolchain)
    program = pipeline.compile_graph(
        prepared.graph,
        chosen,
        name=source.name,
        labels=source.labels,
        audio=source.audio,
        tokenizer=source.tokenizer,
        optimize=objective,
        measured=measured,
        version=source.version,
    )
    return source, prepared, program


def built(
    model: Path | None,
    board: str | None,
    out: Path | None = None,
    toolchain: str = "zig",
    calibration: Path | None = None,
    optimize: Objective | None = None,
    max_drop: float | None = None,
    embedding_bits: int | None = None,
) -> Artifact:
    """The build that the argument names: a build folder as it is, anything else built first."""
    if model is not None and artifact.is_artifact(model) and out is None:
        found = artifact.open_artifact(model)
        if board is not None and board != found.program.board.name:
            raise TinycError(
                f"this folder is a build for `{found.program.board.name}`, not for `{board}`",
                where=str(model),
                hint="name the model instead, or leave --board out",
            )
        if optimize not in (None, found.program.optimize):
            raise TinycError(
                f"this folder is a build optimized for `{found.program.optimize.value}`",
                where=str(model),
                hint="name the model instead, or leave --optimize out",
            )
        return found
    source, prepared, program = compiled(
        model, board, calibration, optimize, toolchain, max_drop, embedding_bits
    )
    folder = out or source.build_folder / program.board.name
    with output.busy(f"building for {program.board.name}"):
        firmware = pipeline.build(program, folder, toolchain)
    return artifact.save(folder, program, prepared, firmware)


def takes_text(model: Path | None) -> bool:
    """Whether the model that the argument names has a tokenizer."""
    if model is not None and artifact.is_artifact(model):
        return artifact.takes_text(model)
    return resolve(model).tokenizer is not None


@contextmanager
def device_engine(found: Artifact, port: str | None) -> Iterator[DeviceSession]:
    """The device of a build: a board on `port`, the emulated chip, or QEMU where there is none."""
    from tinyc.device.client import DeviceClient
    from tinyc.execution import DeviceEngine

    if port is not None:
        from tinyc.device.transport import SerialTransport

        transport = SerialTransport(port)
        try:
            yield DeviceSession(
                DeviceEngine(DeviceClient(transport), found.program), f"board on {port}", None
            )
        finally:
            transport.close()
        return
    from tinyc.emulator import Machine
    from tinyc.emulator.chips import NAMES
    from tinyc.emulator.qemu import MACHINES, QemuMachine

    board = found.program.board
    if board.soc not in NAMES and board.name in MACHINES:
        with QemuMachine(found.elf, board) as qemu:
            engine = DeviceEngine(DeviceClient(qemu.transport), found.program)
            yield DeviceSession(engine, f"QEMU's {MACHINES[board.name]}", None)
        return
    machine = Machine(found.elf, board)
    try:
        engine = DeviceEngine(DeviceClient(machine.transport), found.program)
        yield DeviceSession(engine, f"emulated {board.soc}", machine)
    finally:
        machine.transport.close()


def say_built(found: Artifact) -> None:
    report = found.report
    output.talk(
        f"{report['model']} for {report['board']}: flash {report['flash']:,} B "
        f"(weights {report['weights']:,} B), RAM {report['ram']:,} B (arena {report['arena']:,} B)"
    )
