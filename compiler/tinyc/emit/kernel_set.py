"""The kernels of a split build: what a model in an image of its own asks of its firmware.

A kernel is told by a digest of 8 bytes over its name, its arguments and the whole text of its C, structs
and inlined parts included: equal digests mean that one compiler's model runs on another's firmware.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from tinyc.emit.kernel_files import KernelFile, files_of, shared_symbol
from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.conv_depthwise_2d import ConvDepthwise2D
from tinyc.ir.ops.patch_stage import PatchStage
from tinyc.ir.tensor import Tensor
from tinyc.kernels import catalogue
from tinyc.kernels.kernel import Kernel
from tinyc.program import Program, Step

DIGEST_BYTES = 8
MOST_KERNELS = 64
"""Kernels that one model may have: TINYC_MODEL_KERNELS."""
LARGEST_SET = 255

# A retrained layer's output may have another scale: by how much, for kernels that are made for one.
_OTHER_SCALES = (0.25, 0.5, 2.0, 4.0)


@dataclass(frozen=True, slots=True)
class SetKernel:
    """A kernel of the set. `arguments` are the C types of its places in the arena."""

    symbol: str
    digest: str
    arguments: tuple[str, ...]
    graph: Graph
    step: Step
    """A layer that calls it; any other gives the same text."""


def kernel_of(graph: Graph, step: Step) -> SetKernel:
    """The kernel that a layer calls."""
    symbol, arguments = shared_symbol(graph, step), _arguments(graph, step)
    texts = [file.text for file in files_of([(graph, step)])]
    digest = short_digest([symbol, step.lowered.struct, *arguments, *texts])
    return SetKernel(symbol, digest, arguments, graph, step)


def kernel_set(layers: Iterable[tuple[Graph, Step]]) -> tuple[SetKernel, ...]:
    """Every kernel that these layers call, sorted by symbol."""
    found: dict[str, SetKernel] = {}
    for graph, step in layers:
        symbol = shared_symbol(graph, step)
        if symbol not in found:
            found[symbol] = kernel_of(graph, step)
    return tuple(found[symbol] for symbol in sorted(found))


def layers_of(program: Program) -> Iterator[tuple[Graph, Step]]:
    """The layers of a program, each with the graph that it belongs to."""
    return ((program.graph, step) for step in program.steps)


def spare_layers(program: Program) -> Iterator[tuple[Graph, Step]]:
    """Layers like those of the program that a retrained model may have, with their kernels.

    For each layer the best kernel that takes any numbers, and its own kernel for outputs of other scales.
    """
    graph, steps = plain_steps(program)
    yield from ((graph, step) for step in steps)
    for step in program.steps:
        if step.kernel.is_specialized:
            yield from _rescaled(program.graph, step)


def plain_steps(program: Program) -> tuple[Graph, tuple[Step, ...]]:
    """The program without fused convolutions and patches, with kernels that take any numbers.

    Each layer has the best of these, or the best one of all where there are none.
    """
    graph, steps = _unfused(program.graph), []
    for index, op in enumerate(graph.ops):
        found = catalogue.candidates(op, graph, program.board.features)
        plain = [kernel for kernel in found if not kernel.is_specialized] or found
        steps.append(Step.of(index, op, min(plain, key=partial(_cycles, op=op, graph=graph)), graph))
    return graph, tuple(steps)


def _unfused(graph: Graph) -> Graph:
    ops: list[Op] = []
    between: list[Tensor] = []
    for op in graph.ops:
        if isinstance(op, ConvDepthwise2D):
            ops += op.parts
            between.append(op.intermediate)
        elif isinstance(op, PatchStage):
            ops += op.parts
            between += op.between
        else:
            ops.append(op)
    return graph.rebuilt(ops=ops, tensors=between)


def inside(digests: Collection[str]) -> Callable[[Op, Graph], Iterable[Kernel]]:
    """The kernels of a layer that are in a firmware's set, for `selection.choose`."""

    def candidates(op: Op, graph: Graph) -> Iterator[Kernel]:
        for kernel in catalogue.candidates(op, graph):
            try:
                step = Step.of(0, op, kernel, graph)
            except ValueError:
                continue
            if kernel_of(graph, step).digest in digests:
                yield kernel

    return candidates


def set_files(kernels: Iterable[SetKernel]) -> tuple[KernelFile, ...]:
    """Their C, each file once, in an order that depends on nothing but the set."""
    return files_of((kernel.graph, kernel.step) for kernel in kernels)


def set_digest(kernels: Iterable[SetKernel]) -> str:
    """The digest of the whole set."""
    return short_digest(kernel.digest for kernel in kernels)


def short_digest(texts: Iterable[str]) -> str:
    """16 hexadecimal digits that tell these texts."""
    digest = hashlib.sha256()
    for text in texts:
        encoded = text.encode("utf-8")
        digest.update(len(encoded).to_bytes(4, "little") + encoded)
    return digest.hexdigest()[: 2 * DIGEST_BYTES]


def _arguments(graph: Graph, step: Step) -> tuple[str, ...]:
    inputs = [f"const {tensor.dtype.c_type} *" for tensor in graph.activations(step.op)]
    outputs = [f"{tensor.dtype.c_type} *" for tensor in graph.results(step.op)]
    return (*inputs, *outputs, *(("void *",) if step.scratch > 0 else ()))


def _cycles(kernel: Kernel, op: Op, graph: Graph) -> float:
    return kernel.work(op, graph).cycles if kernel.work else float("inf")


def _rescaled(graph: Graph, step: Step) -> Iterator[tuple[Graph, Step]]:
    """The layer with other scales of its output, where its kernel takes them."""
    for factor in _OTHER_SCALES:
        results = [_scaled(tensor, factor) for tensor in graph.results(step.op)]
        other = graph.rebuilt(tensors=results)
        if step.kernel.accepts(step.op, other):
            yield other, Step.of(step.index, step.op, step.kernel, other)


def _scaled(tensor: Tensor, factor: float) -> Tensor:
    quantization = tensor.quantization
    if quantization is None:
        return tensor
    scale = tuple(factor * each for each in quantization.scale)
    return replace(tensor, quantization=replace(quantization, scale=scale))
