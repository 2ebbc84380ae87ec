"""`report.json`: everything about one build that a script, the registry or a later verb wants to know."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from tinyc import __version__
from tinyc.ir.ops.block import Block
from tinyc.ir.tensor import Tensor
from tinyc.learning.report import learning_entry
from tinyc.patches import patches_of
from tinyc.program import Firmware, Program, Step
from tinyc.sixlowpan.plan import lowpan_entry
from tinyc.split import Split, read_firmware
from tinyc.variants import predicted


def tensor_entry(program: Program, tensor: Tensor) -> dict[str, Any]:
    """Name, shape, dtype, quantization and arena place of a model input or output."""
    quantization = tensor.quantization
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype.value[0],
        "bytes": tensor.bytes,
        "arena_offset": program.plan.offset(tensor.name),
        "scale": quantization.scale[0] if quantization else None,
        "zero_point": quantization.zero_point[0] if quantization else None,
    }


def layer_entries(program: Program) -> list[dict[str, Any]]:
    """One entry per layer: what it is, the kernel chosen and what it weighs."""
    return [
        {
            "layer": step.index,
            "name": step.op.name,
            "op": step.op.kind,
            "kernel": step.kernel.symbol,
            "macs": step.op.macs(program.graph.operands(step.op), program.graph.results(step.op)),
            "weights": step.lowered.constant_bytes(),
            "saved_by_int4": _saved_by_int4(program, step),
            "scratch": step.scratch,
            **_predicted(program, step),
            **_parts(program, step),
        }
        for step in program.steps
    ]


def _saved_by_int4(program: Program, step: Step) -> int:
    """Bytes of flash by which the layer's weights are fewer than one in a byte each."""
    if step.kernel.weight_bits == 8:
        return 0
    stored = step.lowered.fields["weights"]
    assert isinstance(stored, np.ndarray)
    weights = program.graph.operands(step.op)[1]
    return weights.elements - (stored.nbytes - step.lowered.channel_bytes)


def _parts(program: Program, step: Step) -> dict[str, Any]:
    """The layers of a block, each with its own kernel; nothing for another layer."""
    found = part_entries(program, step)
    return {"parts": found} if found else {}


def part_entries(program: Program, step: Step) -> list[dict[str, Any]]:
    """An entry for each layer of a block that one kernel computes; none for another layer."""
    op = step.op
    if not isinstance(op, Block) or step.kernel.specialize is None:
        return []
    graph = program.graph.expanded()
    calls = step.kernel.specialize(op, program.graph)["parts"]
    assert isinstance(calls, tuple)
    return [
        {
            "name": part.name,
            "op": part.kind,
            "kernel": call.symbol,
            "macs": part.macs(graph.operands(part), graph.results(part)),
        }
        for part, call in zip(op.parts, calls, strict=True)
    ]


def _predicted(program: Program, step: Step) -> dict[str, int | None]:
    """The work that the kernel predicts for the layer, null when it does not."""
    work = predicted(step.op, program.graph, step.kernel)
    return {
        "instructions_predicted": work.instructions if work else None,
        "cycles_predicted": work.cycles if work else None,
    }


def make_report(program: Program, firmware: Firmware, split: Split | None = None) -> dict[str, Any]:
    """The report of a build. Paths are relative to the build folder, sizes are bytes.

    Only a split build has `split`: there `flash` is the firmware without its model.
    """
    from tinyc.toolchain.size_table import size_table

    sizes, graph, board = firmware.sizes, program.graph, program.board
    return {
        "tinyc": __version__,
        "model": program.name,
        "version": program.version,
        "digest": program.digest,
        "firmware": firmware.identity,
        "board": board.name,
        "toolchain": firmware.toolchain,
        "optimize": program.optimize.value,
        "flash": sizes.flash,
        "ram": sizes.ram,
        "stack": board.memory.stack,
        "stack_bound": sizes.stack_bound,
        "sections": {key: getattr(sizes, key) for key in ("text", "rodata", "data", "bss")},
        "arena": program.plan.arena_size,
        "arena_lower_bound": program.plan.lower_bound,
        "state": graph.state_bytes(),
        "weights": program.weight_bytes,
        "saved_by_int4": sum(_saved_by_int4(program, step) for step in program.steps),
        "macs": graph.macs(),
        "elf": firmware.elf.relative_to(firmware.folder).as_posix(),
        "files": {
            kind: path.relative_to(firmware.folder).as_posix()
            for kind, path in sorted(firmware.outputs.items())
        },
        "inputs": [tensor_entry(program, graph[name]) for name in graph.inputs],
        "outputs": [tensor_entry(program, graph[name]) for name in graph.outputs],
        "labels": list(program.labels),
        "layers": layer_entries(program),
        "patches": [patches.to_json() for patches in patches_of(graph)],
        "symbols": [asdict(symbol) for symbol in size_table(firmware.elf)],
        "learning": learning_entry(program.learning) if program.learning is not None else None,
        "sixlowpan": lowpan_entry(program.lowpan) if program.lowpan is not None else None,
        **({} if split is None else {"split": _split_entry(split, firmware)}),
    }


def _split_entry(split: Split, firmware: Firmware) -> dict[str, Any]:
    """The model's image, and what the firmware offers to it and to others."""
    told = read_firmware(firmware.outputs["firmware_manifest"])
    return {
        "firmware": told.digest,
        "image": firmware.sizes.image,
        "slot": split.slots.model_body_bytes,
        "bodies": list(split.slots.model_bodies),
        "arena_capacity": told.arena,
        "kernel_set": told.kernel_set,
        "kernels": [kernel.symbol for kernel in told.kernels],
        "front_end": told.front_end,
    }
