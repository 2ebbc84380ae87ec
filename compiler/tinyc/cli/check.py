"""`tinyc check`: does it compile, and does it fit? Needs no toolchain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from tinyc.cli import output
from tinyc.cli.learn_build import HeadName, LearnData, LearnFlag, LearnRequest, TapName, say_learning
from tinyc.cli.options import (
    AllowFloat,
    BoardName,
    Calibration,
    Json,
    MaxArena,
    MaxFlash,
    Model,
    Optimize,
    Streaming,
)
from tinyc.cli.parts import PartsRequest, With, Without, say_lowpan
from tinyc.cli.streaming import say_streaming
from tinyc.cli.tradeoff import Tradeoff, print_tradeoff
from tinyc.objective import Limits

if TYPE_CHECKING:
    from tinyc.memory.budget import Budget
    from tinyc.program import Program
    from tinyc.variants import Prediction

_Rows = list[tuple[str, str, str]]


def command(
    model: Model = None,
    board: BoardName = None,
    optimize: Optimize = None,
    max_arena: MaxArena = None,
    max_flash: MaxFlash = None,
    calibration: Calibration = None,
    allow_float: AllowFloat = None,
    learn: LearnFlag = None,
    head: HeadName = None,
    tap: TapName = None,
    learn_data: LearnData = None,
    with_parts: With = None,
    without: Without = None,
    tradeoff: Tradeoff = False,
    streaming: Streaming = None,
    json: Json = False,
) -> None:
    """Say what a model takes of a board's flash and RAM, by layer, before anything is built."""
    from tinyc import tradeoff as tradeoffs
    from tinyc import variants
    from tinyc.cli import target
    from tinyc.learning.report import learning_entry
    from tinyc.memory.budget import budget
    from tinyc.sixlowpan.plan import lowpan_entry
    from tinyc.streaming import streaming_entry

    request = LearnRequest(learn, head, tap, learn_data)
    parts = PartsRequest.of(with_parts, without)
    _, prepared, program = target.compiled(
        model,
        board,
        calibration,
        optimize,
        Limits(max_arena, max_flash),
        learn=request,
        parts=parts,
        allow_float=allow_float,
        streaming=streaming,
    )
    stream = streaming_entry(program, prepared.batch) if prepared.batch is not None else None
    found = budget(program)
    prediction = variants.prediction(program)
    work = prediction.work
    points = tradeoffs.tradeoff(program) if tradeoff else ()
    if json:
        sums = {"flash": found.flash, "ram": found.ram, "macs": found.macs, "digest": program.digest}
        sums |= {
            "optimize": program.optimize.value,
            "instructions_predicted": work.instructions if work else None,
            "cycles_predicted": work.cycles if work else None,
            "fitted_to_this_core": not prediction.of_another_core if work else None,
            "no_prediction": prediction.reason or None,
        }
        told = learning_entry(program.learning) if program.learning is not None else None
        node = lowpan_entry(program.lowpan) if program.lowpan is not None else None
        more: dict[str, object] = {"fits": not found.problems(), "learning": told, "sixlowpan": node}
        more["streaming"] = stream
        if tradeoff:
            more["tradeoff"] = [point.to_json() for point in points]
        output.as_json({**sums, **asdict(found), **more})
    elif tradeoff:
        print_tradeoff(f"{found.model} on {found.board}", points)
    else:
        output.table(
            f"{found.model} on {found.board}",
            ("#>", "layer", "op", "kernel", "MACs>", "weights>", "alive in arena>", "scratch>"),
            _layer_rows(found, program),
        )
        tables = ("tokenizer tables in flash", f"{found.tokenizer:,}", "exact")
        tokenizer = [tables] if found.tokenizer else []
        constants, ram, pages = _learning_rows(found)
        output.table(
            "",
            ("memory", "bytes>", "how known"),
            (
                ("weights in flash", f"{found.weights:,}", "exact"),
                *tokenizer,
                *constants,
                ("layer parameters in flash", f"{found.params:,}", "estimate"),
                ("code in flash", f"{found.code:,}", "estimate"),
                ("flash", f"{found.flash:,}", f"of {found.flash_available:,}"),
                ("arena", f"{found.arena:,}", f"exact; lower bound {found.lower_bound:,}"),
                *(
                    [("of it state", f"{found.state:,}", "exact; outlives an inference")]
                    if found.state
                    else []
                ),
                ("stack", f"{found.stack:,}", "reserved by the board"),
                ("other RAM", f"{found.runtime_ram:,}", "estimate"),
                *ram,
                *_lowpan_rows(found),
                ("RAM", f"{found.ram:,}", f"of {found.ram_available:,}"),
                *pages,
            ),
        )
        if stream is not None:
            say_streaming(stream)
        if program.lowpan is not None:
            say_lowpan(lowpan_entry(program.lowpan))
        if program.learning is not None:
            say_learning(learning_entry(program.learning))
        if not program.board.is_host:
            output.talk(_predicted(prediction, program.board.clock_hz))
    found.require_fit()


def _predicted(prediction: Prediction, clock: int) -> str:
    """A line on the work of one inference, or on why none is known."""
    from tinyc.kernels.work import FITTED_CORE

    if (work := prediction.work) is None:
        return f"no instructions and cycles are predicted: {prediction.reason}"
    about, fitted = ("~", f" (fitted to a {FITTED_CORE})") if prediction.of_another_core else ("", "")
    return (
        f"predicted: {work.instructions:,} instructions, {about}{work.cycles:,} cycles, "
        f"{about}{work.cycles / clock * 1000:.4g} ms at {clock / 1e6:g} MHz per inference{fitted}"
    )


def _layer_rows(found: Budget, program: Program) -> Iterator[tuple[object, ...]]:
    """A row per layer, and below a block one for each of its layers."""
    from tinyc.report import part_entries

    for layer, step in zip(found.layers, program.steps, strict=True):
        sizes = tuple(f"{size:,} B" for size in (layer.weights, layer.live, layer.scratch))
        yield layer.index, layer.name, layer.op, layer.kernel, f"{layer.macs:,}", *sizes
        for part in part_entries(program, step):
            yield "", f"  {part['name']}", part["op"], part["kernel"], f"{part['macs']:,}", "", "", ""


def _lowpan_rows(found: Budget) -> _Rows:
    """What a 6LoWPAN node keeps in RAM, by part."""
    around = ("node", "radio")
    return [
        (f"6LoWPAN {name} in RAM", f"{size:,}", "estimate" if name in around else "exact")
        for name, size in found.lowpan.items()
    ]


def _learning_rows(found: Budget) -> tuple[_Rows, _Rows, _Rows]:
    """What learning takes of flash, of RAM, and of the pages of flash that are its own."""
    if not found.learning_ram:
        return [], [], []
    constants = ("learning in flash", f"{found.learning_tables:,}", "exact: tables, factory head, guard set")
    ram = ("learning in RAM", f"{found.learning_ram:,}", "exact: shadow head, learner, names")
    size = found.learning_pages * found.learning_page
    pages = ("learned heads in flash", f"{size:,}", f"{found.learning_pages} pages of their own")
    return [constants], [ram], [pages] if size else []
