"""From the words on the command line to a program or a finished build."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyc import artifact, pipeline
from tinyc import tradeoff as tradeoffs
from tinyc.artifact import Artifact
from tinyc.boards import Board, load_board
from tinyc.cli import lineage, output
from tinyc.cli.learn_build import LearnRequest, say_learning
from tinyc.cli.parts import PartsRequest, say_lowpan, say_store
from tinyc.cli.streaming import say_streaming
from tinyc.emit.split_base import read_base
from tinyc.emit.split_model import model_manifest
from tinyc.errors import TinycError
from tinyc.objective import Limits, Objective
from tinyc.origin import write_origin
from tinyc.packaging import Signing
from tinyc.preparation import Prepared
from tinyc.program import Program
from tinyc.quantize.options import Weights
from tinyc.source import Source, resolve
from tinyc.split import Base, FirmwareManifest, Split, require_covered

if TYPE_CHECKING:
    from tinyc.emulator import Machine
    from tinyc.execution import DeviceEngine

_NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class DeviceSession:
    """A device engine, its name for people and, when emulated, the machine that counts."""

    engine: DeviceEngine
    name: str
    machine: Machine | None


@dataclass(frozen=True, slots=True)
class SplitRequest:
    """What a user says of a split build: more models that its firmware is to run, bytes of its arena."""

    also: tuple[Path, ...] = ()
    arena: int | None = None
    spare: bool = False
    firmware: Path | None = None
    """The build folder of a firmware that the model is for."""


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
    limits: Limits = _NO_LIMITS,
    toolchain: str = "zig",
    max_drop: float | None = None,
    embedding_bits: int | None = None,
    within: FirmwareManifest | None = None,
    split: bool = False,
    learn: LearnRequest | None = None,
    parts: PartsRequest | None = None,
    streaming: bool | None = None,
    allow_float: bool | None = None,
    weights: Weights | None = None,
) -> tuple[Source, Prepared, Program]:
    """Compile the source that the argument names, without building it.

    Counts of `toolchain` replace predictions when the model is to be compiled as tuned. With `split` it is
    for the board with slots for models. `learn` is what the command line says about learning, `parts` what it
    adds and leaves out.
    """
    source = resolve(
        model,
        calibration=calibration,
        max_drop=max_drop,
        embedding_bits=embedding_bits,
        weights=weights,
        streaming=streaming,
        allow_float=allow_float,
    )
    chosen = board_of(board, source)
    if split:
        chosen = chosen.split()
    with output.stages("preparing") as progress:
        prepared = pipeline.prepare(source, progress=progress)
    objective, plain = optimize or source.optimize, prepared.graph
    settings = (learn or LearnRequest()).settings(source, chosen)
    learning = None
    if settings is not None:
        if split:
            raise TinycError("a model in an image of its own has no head that learns", hint="add --no-learn")
        with output.stages("learning") as progress:
            prepared, learning = pipeline.learn(prepared, chosen, settings, source.labels, progress)
    lowpan = (parts or PartsRequest()).lowpan(source, chosen)
    if lowpan is not None and split:
        raise TinycError(
            "a model in an image of its own is not served over 6LoWPAN", hint="add --without sixlowpan"
        )
    if lowpan is not None:
        say_store(chosen, lowpan, learns=learning is not None)
    measured = None
    if objective is Objective.TUNED:
        from tinyc import tuning

        # A tap changes no layer, so what was counted holds with a head too.
        measured = tuning.load(plain, chosen, toolchain)
    program = pipeline.compile_graph(
        prepared.graph,
        chosen,
        name=source.name,
        labels=source.labels,
        audio=source.audio,
        tokenizer=source.tokenizer,
        optimize=objective,
        limits=limits.otherwise(source.limits),
        measured=measured,
        version=source.version,
        within=within,
        learning=learning,
        lowpan=lowpan,
    )
    return source, prepared, program


def built(
    model: Path | None,
    board: str | None,
    out: Path | None = None,
    toolchain: str = "zig",
    calibration: Path | None = None,
    optimize: Objective | None = None,
    limits: Limits = _NO_LIMITS,
    max_drop: float | None = None,
    embedding_bits: int | None = None,
    split: SplitRequest | None = None,
    any_version: bool = True,
    learn: LearnRequest | None = None,
    parts: PartsRequest | None = None,
    tradeoff: bool = False,
    streaming: bool | None = None,
    allow_float: bool | None = None,
    weights: Weights | None = None,
) -> Artifact:
    """The build that the argument names: a build folder as it is, anything else built first.

    Unless `any_version`, a build whose version is too low for what changed raises TinycError at the end.
    `tradeoff`: the report says what other choices of kernels cost.
    """
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
        streams = found.program.graph.stream is not None
        if streaming not in (None, streams):
            raise TinycError(
                f"this folder is a build that {'streams' if streams else 'does not stream'}",
                where=str(model),
                hint="name the model instead, or leave --streaming and --no-streaming out",
            )
        asked = learn not in (None, LearnRequest()) or parts not in (None, PartsRequest())
        if split is not None or asked or tradeoff or allow_float or weights or limits != _NO_LIMITS:
            raise TinycError("is a build already", where=str(model), hint="name the model")
        return found
    base = read_base(split.firmware) if split is not None and split.firmware is not None else None
    within = base.manifest if base is not None else None
    source, prepared, program = compiled(
        model,
        board,
        calibration,
        optimize,
        limits,
        toolchain,
        max_drop,
        embedding_bits,
        within,
        split is not None,
        learn,
        parts,
        streaming,
        allow_float,
        weights,
    )
    images = _split(split, base, program, optimize, toolchain, allow_float) if split is not None else None
    origin = lineage.origin_of(source)
    folder = out or source.build_folder / program.board.name
    with output.busy(f"building for {program.board.name}"):
        firmware = pipeline.build(program, folder, toolchain, images)
        package = pipeline.package(
            firmware, program, Signing(source.signing_key, source.security_counter), images
        )
    write_origin(folder, source)
    release = lineage.release_of(source, origin)
    points = tradeoffs.tradeoff(program) if tradeoff else None
    found = artifact.save(folder, program, prepared, firmware, package, images, release, points)
    lineage.finish(found, source, origin, any_version=any_version)
    return found


def _split(
    request: SplitRequest,
    base: Base | None,
    program: Program,
    optimize: Objective | None,
    toolchain: str,
    allow_float: bool | None,
) -> Split:
    """The split build that a user asks for, its other models compiled for the same board."""
    slots = program.board.model_map
    also = [
        compiled(
            model,
            program.board.name,
            optimize=optimize,
            toolchain=toolchain,
            split=True,
            allow_float=allow_float,
        )[2]
        for model in request.also
    ]
    if base is not None:
        require_covered(base.manifest, model_manifest(program, slots, 0))
    return Split(slots, tuple(also), request.arena, request.spare, base)


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
    from tinyc.emulator.chips import NAMES
    from tinyc.emulator.qemu import MACHINES, QemuMachine

    board = found.program.board
    if board.soc not in NAMES and board.name in MACHINES:
        with QemuMachine(found.elf, board) as qemu:
            engine = DeviceEngine(DeviceClient(qemu.transport), found.program, found.elf)
            yield DeviceSession(engine, f"QEMU's {MACHINES[board.name]}", None)
        return
    machine = emulated(found)
    try:
        engine = DeviceEngine(DeviceClient(machine.transport), found.program, found.elf)
        yield DeviceSession(engine, f"emulated {board.soc}", machine)
    finally:
        machine.transport.close()


def emulated(found: Artifact) -> Machine:
    """The emulated chip with the firmware of a build, and its model in slot 0 where it is apart."""
    from tinyc.emulator import Machine

    board = found.program.board
    if found.split is None:
        return Machine(found.elf, board)
    from tinyc.toolchain import split_images

    bodies = {0: found.file("model_0").read_bytes()}
    content = split_images.flash_content(found.elf, board, found.split, bodies)
    return Machine(content, board, symbols=[found.elf], entry=board.memory.application_origin)


def _saved(report: dict[str, Any]) -> str:
    saved = report.get("saved_by_int4")
    return f", {saved:,} B less by int4" if saved else ""


def say_built(found: Artifact) -> None:
    report = found.report
    if found.split is not None:
        told = report["split"]
        output.talk(
            f"{report['model']} for {report['board']}: firmware {report['flash']:,} B of flash, "
            f"model image {told['image']:,} B of {told['slot']:,} B, "
            f"RAM {report['ram']:,} B (arena {told['arena_capacity']:,} B, in use {report['arena']:,} B)"
        )
    else:
        output.talk(
            f"{report['model']} for {report['board']}: flash {report['flash']:,} B "
            f"(weights {report['weights']:,} B{_saved(report)}), "
            f"RAM {report['ram']:,} B (arena {report['arena']:,} B)"
        )
    if report.get("streaming"):
        say_streaming(report["streaming"])
    if report.get("learning"):
        say_learning(report["learning"])
    if report.get("sixlowpan"):
        say_lowpan(report["sixlowpan"])
    update = report["update"]
    if update is None:
        return
    output.talk(
        f"image {update['image']:,} B of {update['slot']:,} B, bootloader {update['bootloader']:,} B, "
        + (f"signed by {update['key'][:16]}" if update["key"] else "NOT SIGNED")
    )
    if update["key"] is None:
        output.talk(
            "warning: images are unsigned, the bootloader runs whatever anybody sends: "
            "`tinyc keys new` makes a key"
        )
