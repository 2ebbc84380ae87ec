"""Renders a program as `model.c` and `model.h`: self-contained C that drops into any project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

import tinyc
from tinyc.emit import symbols
from tinyc.emit.arrays import c_type, initializer, literal
from tinyc.emit.environment import render, signed
from tinyc.emit.kernel_files import kernel_files, kernel_symbol, specialized_source
from tinyc.errors import TinycError
from tinyc.ir.state import State
from tinyc.ir.stream import Stream
from tinyc.ir.tensor import DType, Tensor
from tinyc.kernels.kernel import FieldValue
from tinyc.program import Program, Step

_RANGES = {DType.INT8: (-128, 127), DType.UINT8: (0, 255), DType.INT16: (-32768, 32767)}


@dataclass(frozen=True, slots=True)
class PortView:
    """A model input or output: bytes, arena offset, and the numbers of its float helpers."""

    index: int
    size: int
    offset: int
    c_type: str
    elements: int
    describe: str
    helpers: tuple[str, ...]
    scale: str
    zero_point: int
    low: int
    high: int
    low_float: str
    high_float: str


@dataclass(frozen=True, slots=True)
class ConstantView:
    symbol: str
    c_type: str
    count: int
    values: str


@dataclass(frozen=True, slots=True)
class FieldView:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class PlaceView:
    """An operand's place in the arena, for the comment."""

    role: str
    name: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class StateView:
    """A state: its place in the arena, and its initial value.

    Where all bytes are alike that is `fill`, or else the `count` numbers `values`, again and again.
    """

    symbol: str
    offset: int
    size: int
    c_type: str
    count: int
    fill: int
    values: str


@dataclass(frozen=True, slots=True)
class LayerView:
    index: int
    kind: str
    name: str
    shapes: str
    macs: int
    weight_bytes: int
    kernel: str
    places: tuple[PlaceView, ...]
    specialized: str
    constants: tuple[ConstantView, ...]
    struct: str
    params_symbol: str
    fields: tuple[FieldView, ...]
    symbol: str
    call: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelView:
    title: str
    prefix: str
    macro: str
    version: str
    board: str
    digest: str
    digest_bytes: str
    arena_size: int
    arena_symbol: str
    inputs: tuple[PortView, ...]
    outputs: tuple[PortView, ...]
    states: tuple[StateView, ...]
    stream: Stream | None
    layers: tuple[LayerView, ...]


def render_model(program: Program, stem: str = "model") -> dict[str, str]:
    """`model.c` and `model.h` as texts; the same program always gives the same bytes.

    `stem` is another name for both files.

    Raises TinycError for a program without layers or with a constant output.
    """
    model = model_view(program)
    return {
        f"{stem}.c": render("model/model.c.j2", model=model, stem=stem, files=kernel_files([program])),
        f"{stem}.h": render("model/model.h.j2", model=model),
    }


def render_bundle(programs: Sequence[Program]) -> dict[str, str]:
    """Several models in one translation unit, `bundle.c`, with one header `<prefix>.h` each.

    Kernels are pasted once. Raises ValueError when two programs share a prefix.
    """
    models = [model_view(program) for program in programs]
    if len({model.prefix for model in models}) != len(models):
        raise ValueError("programs of a bundle need names that differ as C identifiers")
    texts = {f"{model.prefix}.h": render("model/model.h.j2", model=model) for model in models}
    texts["bundle.c"] = render("model/bundle.c.j2", models=models, files=kernel_files(programs))
    return texts


def model_view(program: Program) -> ModelView:
    """Everything that the templates print."""
    graph = program.graph
    if not program.steps:
        raise TinycError("the model has no layer that computes anything", where=program.name)
    for name in graph.outputs:
        if graph[name].is_constant:
            raise TinycError(f"output `{name}` is a constant", where=program.name)
    prefix = symbols.prefix(program)
    digest, repeated = program.digest, program.repeated_constants
    return ModelView(
        title=program.name,
        prefix=prefix,
        macro=prefix.upper(),
        version=tinyc.__version__,
        board=program.board.name,
        digest=digest,
        digest_bytes=_digest_bytes(digest),
        arena_size=symbols.arena_bytes(program),
        arena_symbol=symbols.arena(program),
        inputs=_ports(program, graph.inputs, f"{prefix}_quantize_input"),
        outputs=_ports(program, graph.outputs, f"{prefix}_dequantize_output"),
        states=tuple(_state(program, index, state) for index, state in enumerate(graph.states)),
        stream=graph.stream,
        layers=tuple(_layer(program, step, repeated) for step in program.steps),
    )


def _state(program: Program, index: int, state: State) -> StateView:
    tensor, alike = program.graph[state.name], set(state.initial.tobytes())
    first = state.initial.reshape(-1)[:1]
    values = first if first.tobytes() * tensor.elements == state.initial.tobytes() else state.initial
    return StateView(
        symbol=f"{symbols.prefix(program)}_state_{index}",
        offset=program.plan.offset(state.name),
        size=tensor.bytes,
        c_type=c_type(state.initial),
        count=values.size,
        fill=min(alike),
        values=initializer(values) if len(alike) > 1 else "",
    )


def _digest_bytes(digest: str) -> str:
    words = [f"0x{byte:02x}" for byte in bytes.fromhex(digest)]
    return "\n".join("    " + ", ".join(words[at : at + 8]) + "," for at in range(0, 32, 8))


def _describe(tensor: Tensor) -> str:
    text = f"{tensor.dtype.value[0]}{list(tensor.shape)}"
    if tensor.quantization is not None and not tensor.quantization.per_channel:
        text += f", real = {literal(tensor.scale)[:-1]} * (quantized {signed(-tensor.zero_point)})"
    return text


def _ports(program: Program, names: Sequence[str], helper: str) -> tuple[PortView, ...]:
    ports = []
    for index, name in enumerate(names):
        tensor = program.graph[name]
        low, high = _RANGES.get(tensor.dtype, (0, 0))
        quantized = tensor.dtype in _RANGES and tensor.quantization is not None
        quantized = quantized and not (tensor.quantization and tensor.quantization.per_channel)
        zero_point = tensor.zero_point if quantized else 0
        helpers: tuple[str, ...] = ()
        if quantized:
            helpers = (helper,) * (index == 0) + (f"{helper}_{index}",) * (len(names) > 1)
        ports.append(
            PortView(
                index=index,
                size=tensor.bytes,
                offset=program.plan.offset(name),
                c_type=tensor.dtype.c_type,
                elements=tensor.elements,
                describe=_describe(tensor),
                helpers=helpers,
                scale=literal(float(np.float32(tensor.scale))) if quantized else "1.0f",
                zero_point=zero_point,
                low=low,
                high=high,
                low_float=literal(float(low - zero_point)),
                high_float=literal(float(high - zero_point)),
            )
        )
    return tuple(ports)


_Places: TypeAlias = "Mapping[tuple[int, str], tuple[int, str]]"


def _field(program: Program, step: Step, name: str, value: FieldValue, repeated: _Places) -> FieldView:
    if isinstance(value, np.ndarray):
        index, field = repeated.get((step.index, name), (step.index, name))
        owner = symbols.constant(program, program.steps[index], field)
        return FieldView(name, owner if value.size else "0")
    if isinstance(value, tuple):
        return FieldView(name, "{" + ", ".join(literal(item) for item in value or (0,)) + "}")
    return FieldView(name, literal(value))


def _layer(program: Program, step: Step, repeated: _Places) -> LayerView:
    graph = program.graph
    activations, results = graph.activations(step.op), graph.results(step.op)
    places, arguments = [], []
    for role, tensors in (("input", activations), ("output", results)):
        qualifier = "const " if role == "input" else ""
        for tensor in tensors:
            offset = program.plan.offset(tensor.name)
            places.append(PlaceView(role, tensor.name, offset, tensor.bytes))
            arguments.append(f"({qualifier}{tensor.dtype.c_type} *)(arena + {offset})")
    if step.scratch > 0:
        offset = program.plan.buffer_offset(f"scratch:{step.index}")
        places.append(PlaceView("scratch", "scratch", offset, step.scratch))
        arguments.append(f"(void *)(arena + {offset})")
    arrays = tuple(step.lowered.arrays())
    return LayerView(
        index=step.index,
        kind=step.op.kind,
        name=step.op.name,
        shapes=" ".join(map(_short, graph.operands(step.op))) + " -> " + " ".join(map(_short, results)),
        macs=step.op.macs(graph.operands(step.op), results),
        weight_bytes=sum(array.nbytes for _, array in arrays),
        kernel=step.kernel.symbol,
        places=tuple(places),
        specialized=specialized_source(program, step),
        constants=tuple(
            ConstantView(
                symbols.constant(program, step, field), c_type(array), array.size, initializer(array)
            )
            for field, array in arrays
            if (step.index, field) not in repeated
        ),
        struct=step.lowered.struct,
        params_symbol=symbols.params(program, step),
        fields=tuple(
            _field(program, step, name, value, repeated) for name, value in step.lowered.fields.items()
        ),
        symbol=symbols.layer(program, step),
        call=kernel_symbol(program, step),
        arguments=tuple(arguments),
    )


def _short(tensor: Tensor) -> str:
    return f"{tensor.dtype.value[0]}{list(tensor.shape)}"
