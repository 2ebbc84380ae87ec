"""Build folder → view: layers with their costs, the arena, the symbols of the firmware, the bill."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from tinyc import profiling
from tinyc.artifact import Artifact
from tinyc.boards import Board
from tinyc.build_page.view import (
    BoardView,
    BufferKind,
    BufferView,
    BuildView,
    CostSource,
    LayerView,
    OtherKernel,
    PartView,
    SymbolGroup,
    SymbolView,
    TensorView,
)
from tinyc.cores import timed_as
from tinyc.emit import symbols as names
from tinyc.emit.split_model import ARENA
from tinyc.emulator.chips import NAMES
from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.block import Block
from tinyc.ir.ops.conv_depthwise_2d import ConvDepthwise2D
from tinyc.ir.printer import own_fields
from tinyc.ir.tensor import Tensor
from tinyc.kernels.kernel import Work
from tinyc.kernels.work import FITTED_CORE, FITTED_FEATURE
from tinyc.memory.plan import Placement
from tinyc.program import Program, Step
from tinyc.report import layer_entries
from tinyc.toolchain.size_table import SymbolSize, size_table
from tinyc.variants import Candidate, candidates, predicted, total

_Cost: TypeAlias = tuple[int | None, int | None]


def can_count(found: Artifact) -> bool:
    """Whether an emulated chip can count what each layer executes: not for a model in an image of its own."""
    return found.split is None and found.program.board.soc in NAMES


def collect(found: Artifact, costs: CostSource) -> BuildView:
    """The view of a build; with `CostSource.COUNTED` the emulated chip runs one inference.

    Raises TinycError where files of the build are gone or damaged.
    """
    program, firmware = found.program, found.firmware
    sizes, plan = firmware.sizes, program.plan
    steps, (instructions, cycles) = _costs(program, found.elf, costs)
    return BuildView(
        tinyc=str(found.report["tinyc"]),
        model=program.name,
        version=program.version,
        digest=program.digest,
        firmware=firmware.identity,
        board=_board(program.board),
        toolchain=firmware.toolchain,
        optimize=program.optimize.value,
        flash=sizes.flash,
        ram=sizes.ram,
        stack=program.board.memory.stack,
        stack_bound=sizes.stack_bound,
        image=sizes.image or None,
        arena=plan.arena_size,
        arena_lower_bound=plan.lower_bound,
        weights=program.weight_bytes,
        macs=program.graph.macs(),
        costs=costs,
        instructions=instructions,
        cycles=cycles,
        cycles_of=_cycles_of(program.board, costs),
        timed=costs is CostSource.COUNTED or FITTED_FEATURE in program.board.features,
        inputs=program.graph.inputs,
        outputs=program.graph.outputs,
        labels=program.labels,
        tensors=_tensors(program),
        layers=_layers(program, steps),
        buffers=tuple(_buffer(program, placement) for placement in plan.placements),
        live=tuple(plan.live_bytes(step) for step in range(-1, len(program.steps) + 1)),
        symbols=_symbols(
            program, size_table(found.elf), names.arena(program) if found.split is None else ARENA
        ),
        bill=found.bill,
        tradeoff=tuple(found.report.get("tradeoff") or ()),
        extras=_extras(program),
    )


def _extras(program: Program) -> dict[str, str]:
    """What the firmware has besides the model."""
    told = {}
    if (audio := program.audio) is not None:
        seconds = audio.clip_samples / audio.sample_rate
        told["Sound"] = f"clips of {seconds:g} s at {audio.sample_rate:,} Hz"
    if (tokenizer := program.tokenizer) is not None:
        told["Text"] = f"a vocabulary of {tokenizer.size:,} tokens"
    if (learning := program.learning) is not None:
        told["Learns"] = (
            f"{learning.head.kind} head with {learning.head.capacity} outputs behind {learning.tap.layer}, "
            f"RAM {learning.ram:,} B, flash {learning.tables:,} B"
        )
    if program.lowpan is not None:
        told["Serves"] = "the model over 6LoWPAN"
    return told


def _costs(program: Program, elf: Path, costs: CostSource) -> tuple[list[_Cost], _Cost]:
    """(instructions, cycles) of every layer, and of all together."""
    if costs is CostSource.COUNTED:
        *steps, inference = profiling.counts(program, elf)
        return list(steps), inference
    works = [predicted(step.op, program.graph, step.kernel) for step in program.steps]
    return [_cost(work) for work in works], _cost(total(program))


def _cycles_of(board: Board, costs: CostSource) -> str:
    return timed_as(board.core) if costs is CostSource.COUNTED else FITTED_CORE


def _cost(work: Work | None) -> _Cost:
    return (None, None) if work is None else (work.instructions, work.cycles)


def _board(board: Board) -> BoardView:
    memory = board.memory
    return BoardView(
        board.name,
        board.title,
        board.soc,
        board.core,
        board.clock_hz,
        memory.application_flash,
        memory.application_ram,
    )


def _layers(program: Program, costs: list[_Cost]) -> tuple[LayerView, ...]:
    expanded = program.graph.expanded()
    rows = zip(program.steps, layer_entries(program), candidates(program), costs, strict=True)
    return tuple(_layer(expanded, *row) for row in rows)


def _layer(
    expanded: Graph, step: Step, entry: Mapping[str, Any], found: tuple[Candidate, ...], cost: _Cost
) -> LayerView:
    op, (instructions, cycles) = step.op, cost
    parts = _parts(expanded, step, entry)
    return LayerView(
        index=step.index,
        name=op.name,
        op=op.kind,
        kernel=step.kernel.symbol,
        macs=entry["macs"],
        instructions=instructions,
        cycles=cycles,
        weights=entry["weights"],
        scratch=step.scratch,
        inputs=_activations(expanded, op),
        outputs=op.outputs,
        options={} if parts else own_fields(op),
        parts=parts,
        others=_others(found),
    )


def _others(found: tuple[Candidate, ...]) -> tuple[OtherKernel, ...]:
    return tuple(
        OtherKernel(
            kernel=one.kernel.symbol,
            instructions=one.work.instructions if one.work else None,
            cycles=one.work.cycles if one.work else None,
            scratch=one.scratch,
            constants=one.constants,
            reason=one.reason,
        )
        for one in found
        if one.accepted and not one.chosen
    )


def _activations(graph: Graph, op: Op) -> tuple[str, ...]:
    return tuple(tensor.name for tensor in graph.activations(op))


def _parts(expanded: Graph, step: Step, entry: Mapping[str, Any]) -> tuple[PartView, ...]:
    """The layers that a fused one stands for; those of a block have kernels of their own."""
    if not isinstance(step.op, ConvDepthwise2D | Block):
        return ()
    kernels = [part["kernel"] for part in entry.get("parts", ())] or [step.kernel.symbol] * len(step.op.parts)
    return tuple(
        PartView(
            name=part.name,
            op=part.kind,
            kernel=kernel,
            macs=part.macs(expanded.operands(part), expanded.results(part)),
            inputs=_activations(expanded, part),
            outputs=part.outputs,
            options=own_fields(part),
        )
        for part, kernel in zip(step.op.parts, kernels, strict=True)
    )


def _tensors(program: Program) -> tuple[TensorView, ...]:
    """The activations, those inside fused layers too."""
    placed = {name for placement in program.plan.placements for name in placement.buffer.tensors}
    return tuple(
        _tensor(tensor, program.plan.offset(tensor.name) if tensor.name in placed else None)
        for tensor in program.graph.expanded().tensors.values()
        if not tensor.is_constant
    )


def _tensor(tensor: Tensor, offset: int | None) -> TensorView:
    quantization = tensor.quantization
    return TensorView(
        name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype.value[0],
        bytes=tensor.bytes,
        offset=offset,
        scale=float(quantization.scale[0]) if quantization else None,
        zero_point=int(quantization.zero_point[0]) if quantization else None,
    )


def _buffer(program: Program, placement: Placement) -> BufferView:
    buffer, graph = placement.buffer, program.graph
    if not buffer.tensors:
        # Scratch is alive in the one step that it is for, the state of a front end before them all.
        scratch = buffer.lifetime.first >= 0
        kind = BufferKind.SCRATCH if scratch else BufferKind.FRONT_END
        layers: tuple[int, ...] = (buffer.lifetime.first,) if scratch else ()
    else:
        kind = BufferKind.ACTIVATION
        if not set(graph.outputs).isdisjoint(buffer.tensors):
            kind = BufferKind.OUTPUT
        if not set(graph.inputs).isdisjoint(buffer.tensors):
            kind = BufferKind.INPUT
        layers = tuple(
            step.index
            for step in program.steps
            if not set(buffer.tensors).isdisjoint((*step.op.inputs, *step.op.outputs))
        )
    return BufferView(
        name=buffer.name,
        kind=kind,
        offset=placement.offset,
        size=buffer.size,
        first=buffer.lifetime.first,
        last=buffer.lifetime.last,
        tensors=buffer.tensors,
        layers=layers,
    )


def _symbols(program: Program, sizes: tuple[SymbolSize, ...], arena: str) -> tuple[SymbolView, ...]:
    constants = {
        names.constant(program, step, field): step.index
        for step in program.steps
        for field, _ in step.lowered.arrays()
    }
    constants |= {names.params(program, step): step.index for step in program.steps}
    functions = {names.layer(program, step): step.index for step in program.steps}

    def group(name: str) -> SymbolGroup:
        if name == arena:
            return SymbolGroup.ARENA
        if name in constants:
            return SymbolGroup.CONSTANTS
        # A kernel is called tinyc_<op>_<dtype>__<isa>, with the name of a variant or a loop behind it.
        kernel = name.startswith("tinyc_") and "__" in name
        return SymbolGroup.KERNELS if kernel or name in functions else SymbolGroup.FIRMWARE

    return tuple(
        SymbolView(
            name=symbol.name,
            kind=symbol.kind,
            bytes=symbol.bytes,
            group=group(symbol.name),
            layer=(constants | functions).get(symbol.name),
        )
        for symbol in sizes
    )
