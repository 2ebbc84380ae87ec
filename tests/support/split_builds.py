"""Split builds on the emulated nRF52840, and models that are other versions of one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from support.paths import ROOT
from support.text_models import text_graph, write_tokenizer
from tinyc import pipeline
from tinyc.boards import load_board
from tinyc.cli import target
from tinyc.emulator import Machine
from tinyc.emulator.flash import FlashImage
from tinyc.ir.graph import Graph
from tinyc.program import Firmware, Program
from tinyc.split import FirmwareManifest, Split
from tinyc.text.tokenizer import load
from tinyc.toolchain.split_images import flash_content

BOARD = load_board("nrf52840").split()
SLOTS = BOARD.model_map


@cache
def example(name: str) -> Program:
    """A model of `examples/`."""
    return target.compiled(ROOT / "examples" / name, "nrf52840", split=True)[2]


def text_program(folder: Path) -> Program:
    """A tiny sentence classifier with its tokenizer."""
    tokenizer = load(write_tokenizer(folder))
    return pipeline.compile_graph(text_graph(), BOARD, name="intents", tokenizer=tokenizer)


def again(
    program: Program, graph: Graph, within: FirmwareManifest | None = None, version: str = "2.0.0"
) -> Program:
    """`graph` compiled as the next version of `program`."""
    return pipeline.compile_graph(
        graph,
        BOARD,
        name=program.name,
        audio=program.audio,
        tokenizer=program.tokenizer,
        version=version,
        within=within,
    )


def retrained(graph: Graph, seed: int, *, rescaled: bool = False) -> Graph:
    """The same network with other weights and, `rescaled`, other scales between its layers."""
    rng = np.random.default_rng(seed)
    graph, tensors = graph.expanded(), []
    ends = (*graph.inputs, *graph.outputs)
    for name, tensor in sorted(graph.tensors.items()):
        if tensor.is_constant and tensor.constant.dtype == np.int8:
            moved = tensor.constant.astype(int) + rng.integers(-9, 10, tensor.shape)
            tensors.append(replace(tensor, data=np.clip(moved, -127, 127).astype(np.int8)))
        elif rescaled and tensor.quantization and not tensor.is_constant and name not in ends:
            factor = rng.uniform(0.6, 1.6)
            scale = tuple(float(factor * each) for each in tensor.quantization.scale)
            tensors.append(replace(tensor, quantization=replace(tensor.quantization, scale=scale)))
    return graph.rebuilt(tensors=tensors)


def without_last_block(graph: Graph) -> Graph:
    """The keyword network without its last depthwise and pointwise layers."""
    graph = graph.expanded()
    names = [op.name for op in graph.ops]
    first = names.index(next(name for name in names if name.startswith("depthwise_4")))
    before, after = graph.ops[first - 1].outputs[0], graph.ops[first + 1].outputs[0]
    ops = [
        replace(op, inputs=tuple(before if name == after else name for name in op.inputs))
        for index, op in enumerate(graph.ops)
        if index not in (first, first + 1)
    ]
    return graph.rebuilt(ops=ops)


def flash_of(firmware: Firmware, bodies: Mapping[int, bytes]) -> FlashImage:
    """The same flash, for a machine that is there."""
    return FlashImage(flash_content(firmware.elf, BOARD, Split(SLOTS), bodies))


def on_chip(firmware: Firmware, bodies: Mapping[int, bytes]) -> Machine:
    """The emulated chip with these bodies in its slots."""
    content = flash_content(firmware.elf, BOARD, Split(SLOTS), bodies)
    return Machine(content, BOARD, symbols=[firmware.elf], entry=BOARD.memory.application_origin)
