"""Runs the generated C on this machine: as a shared library, or under sanitizers as a program."""

from __future__ import annotations

import ctypes
import struct
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Self

import numpy as np

from tinyc.emit import symbols
from tinyc.emit.environment import render
from tinyc.emit.model import render_bundle, render_model
from tinyc.interpreter import check_inputs
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array, Tensor, TensorName
from tinyc.program import Program, Step
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached, find_compiler

# Sanitizers make GCC warn about code that they put there themselves at higher levels. A bundle of
# small models takes longer to compile than to run.
_SANITIZED = "-O1"
_SANITIZED_BUNDLE = "-O0"


class SanitizerError(RuntimeError):
    """AddressSanitizer or UndefinedBehaviorSanitizer stopped the generated C: a bug in tinyc."""


@dataclass(frozen=True, slots=True)
class _Region:
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class _LayerView:
    regions: tuple[_Region, ...]
    results: int


@dataclass(frozen=True, slots=True)
class _HostView:
    header: str
    prefix: str
    arena_size: int
    has_state: bool
    stale: tuple[_Region, ...]
    """What does not outlive an inference."""
    layers: tuple[_LayerView, ...]
    inputs: tuple[_Region, ...]
    outputs: tuple[_Region, ...]


class HostModel:
    """A program compiled for this machine. Use it as a context manager.

    The arena belongs to the loaded library: two objects of the same program in one process share
    it, so they must not run at the same time. With `sanitize` the C runs in a process of its own
    under AddressSanitizer and UndefinedBehaviorSanitizer, where a layer may touch nothing of the
    arena but its own operands.
    Raises TinycError when this machine has no C compiler.
    """

    def __init__(
        self, program: Program, *, sanitize: bool = False, compiler: HostCompiler | None = None
    ) -> None:
        self.program = program
        self._bundle = None
        self._records: list[Sequence[Array]] = []
        self._library: ctypes.CDLL | None = None
        if sanitize:
            self._bundle = HostBundle([program], compiler=compiler, single=True)
            return
        compiler = compiler or find_compiler()
        flags = (*WARNINGS, "-O2", "-shared", "-fPIC")
        path = compile_cached(compiler, render_model(program), flags, "model.so")
        prefix = symbols.prefix(program)
        self._library = ctypes.CDLL(str(path))
        arena = self._library[f"{prefix}_arena"]
        arena.restype, arena.argtypes = ctypes.c_void_p, []
        self._arena = int(arena())
        self._invoke = self._library[f"{prefix}_invoke"]
        self._invoke.restype, self._invoke.argtypes = None, []
        self._run_layer = self._library[f"{prefix}_run_layer"]
        self._run_layer.restype, self._run_layer.argtypes = None, [ctypes.c_uint32]
        self.reset()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Unload the library; the object is of no use afterwards."""
        library, self._library = self._library, None
        if library is not None:
            unload = ctypes.CDLL(None).dlclose
            unload.argtypes = [ctypes.c_void_p]
            unload(library._handle)

    def reset(self) -> None:
        """Restore the initial states of the model."""
        self._records = []
        if self._library is not None and self.program.graph.states:
            self._library[f"{symbols.prefix(self.program)}_reset"]()

    def _since_reset(self, inputs: Sequence[Array]) -> list[Sequence[Array]]:
        """What a process of its own has to compute to reach this inference: with states, all before it."""
        if self.program.graph.states:
            self._records.append(inputs)
            return self._records
        return [inputs]

    def run(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        """Outputs for one set of inputs. Raises TinycError when the inputs do not fit."""
        if self._bundle is not None:
            return self._bundle.run(0, self._since_reset(inputs))[-1]
        check_inputs(self.program.graph, inputs)
        self._write(inputs)
        self._invoke()
        return tuple(self._read(self.program.graph[name]) for name in self.program.graph.outputs)

    def run_many(self, records: Sequence[Sequence[Array]]) -> tuple[tuple[Array, ...], ...]:
        """Outputs for many sets of inputs, one after the other from a reset on."""
        self.reset()
        if self._bundle is not None:
            self._records = list(records)
            return self._bundle.run(0, records)
        return tuple(self.run(inputs) for inputs in records)

    def trace(self, inputs: Sequence[Array]) -> Mapping[TensorName, Array]:
        """Inputs and the results of every layer, each read right after the layer has run."""
        if self._bundle is not None:
            return self._bundle.trace(0, *self._since_reset(inputs))
        graph = self.program.graph
        check_inputs(graph, inputs)
        self._write(inputs)
        values = dict(zip(graph.inputs, inputs, strict=True))
        for step in self.program.steps:
            self._run_layer(step.index)
            values.update((tensor.name, self._read(tensor)) for tensor in graph.results(step.op))
        return MappingProxyType(values)

    def _write(self, inputs: Sequence[Array]) -> None:
        if self._library is None:
            raise ValueError("the model is closed")
        for name, value in zip(self.program.graph.inputs, inputs, strict=True):
            data = np.ascontiguousarray(value)
            ctypes.memmove(self._arena + self.program.plan.offset(name), data.ctypes.data, data.nbytes)

    def _read(self, tensor: Tensor) -> Array:
        raw = ctypes.string_at(self._arena + self.program.plan.offset(tensor.name), tensor.bytes)
        return np.frombuffer(raw, tensor.dtype.numpy).reshape(tensor.shape)


class HostBundle:
    """Several programs in one executable under sanitizers; records go in and out by pipes.

    `single` builds the `model.c` of the only program instead of one file for all.
    Raises CompileError for C that the compiler warns about, TinycError without a compiler.
    """

    def __init__(
        self, programs: Sequence[Program], *, compiler: HostCompiler | None = None, single: bool = False
    ) -> None:
        self.programs = tuple(programs)
        compiler = compiler or find_compiler()
        if single:
            texts = host_texts(self.programs[0])
        else:
            texts = render_bundle(self.programs)
            views = [_view(program, "") for program in self.programs]
            texts["host_main.c"] = render("runtime/host_main.c.j2", models=views)
        level = _SANITIZED if single else _SANITIZED_BUNDLE
        flags = (*WARNINGS, level, *compiler.sanitizer_flags())
        self._path = compile_cached(compiler, texts, flags, "host_main")

    def run(self, index: int, records: Sequence[Sequence[Array]]) -> tuple[tuple[Array, ...], ...]:
        """Outputs of program `index` for each set of inputs, from a reset on. Raises SanitizerError."""
        return self.run_all([(index, inputs) for inputs in records])

    def run_all(self, records: Sequence[tuple[int, Sequence[Array]]]) -> tuple[tuple[Array, ...], ...]:
        """Outputs for many (program number, inputs), all in one process. Raises SanitizerError."""
        graphs = [self.programs[index].graph for index, _ in records]
        rows = [[graph[name] for name in graph.outputs] for graph in graphs]
        return _split(self._call("outputs", records), rows)

    def trace(self, index: int, *records: Sequence[Array]) -> Mapping[TensorName, Array]:
        """Inputs and the results of every layer of program `index` in the last of `records`, which follow
        a reset. Raises SanitizerError."""
        program = self.programs[index]
        tensors = [tensor for step in program.steps for tensor in program.graph.results(step.op)]
        answer = self._call("results", [(index, inputs) for inputs in records])
        values = _split(answer, [tensors] * len(records))[-1]
        named = dict(zip(program.graph.inputs, records[-1], strict=True))
        named.update((tensor.name, value) for tensor, value in zip(tensors, values, strict=True))
        return MappingProxyType(named)

    def _call(self, what: str, records: Sequence[tuple[int, Sequence[Array]]]) -> bytes:
        parts = []
        for index, inputs in records:
            check_inputs(self.programs[index].graph, inputs)
            parts.append(struct.pack("<I", index))
            parts += [np.ascontiguousarray(value).tobytes() for value in inputs]
        done = subprocess.run(
            [str(self._path), what],
            input=b"".join(parts),
            capture_output=True,
            check=False,
            # Leak checking needs rights that containers often withhold, and nothing allocates.
            env={"ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"},
        )
        if done.returncode != 0:
            messages = done.stderr.decode(errors="replace")
            raise SanitizerError(f"the host program ends with code {done.returncode}\n{messages}")
        return done.stdout


def host_texts(program: Program) -> dict[str, str]:
    """`model.c`, `model.h` and `host_main.c`, a program that answers records from stdin on stdout."""
    texts = render_model(program)
    texts["host_main.c"] = render("runtime/host_main.c.j2", models=[_view(program, "model.h")])
    return texts


def _split(data: bytes, rows: Sequence[Sequence[Tensor]]) -> tuple[tuple[Array, ...], ...]:
    """The arrays of `rows`, which follow one another in `data`."""
    expected = sum(tensor.bytes for row in rows for tensor in row)
    if len(data) != expected:
        raise RuntimeError(f"the host program answered {len(data)} bytes, expected {expected}")
    found, at = [], 0
    for row in rows:
        arrays = []
        for tensor in row:
            raw = data[at : at + tensor.bytes]
            arrays.append(np.frombuffer(raw, tensor.dtype.numpy).reshape(tensor.shape))
            at += tensor.bytes
        found.append(tuple(arrays))
    return tuple(found)


def _view(program: Program, header: str) -> _HostView:
    graph, prefix = program.graph, symbols.prefix(program)
    return _HostView(
        header=header or f"{prefix}.h",
        prefix=prefix,
        arena_size=symbols.arena_bytes(program),
        has_state=bool(graph.states),
        stale=_stale(program),
        layers=tuple(_layer(program, graph, step) for step in program.steps),
        inputs=tuple(_region(program, graph[name]) for name in graph.inputs),
        outputs=tuple(_region(program, graph[name]) for name in graph.outputs),
    )


def _stale(program: Program) -> tuple[_Region, ...]:
    """The arena without the states."""
    found, first = [], 0
    for region in sorted(
        (_region(program, program.graph[state.name]) for state in program.graph.states),
        key=lambda region: region.offset,
    ):
        found.append(_Region(first, region.offset - first))
        first = region.offset + region.size
    return (*found, _Region(first, symbols.arena_bytes(program) - first))


def _layer(program: Program, graph: Graph, step: Step) -> _LayerView:
    results = graph.results(step.op)
    regions = [_region(program, tensor) for tensor in (*results, *graph.activations(step.op))]
    if step.scratch > 0:
        regions.append(_Region(program.plan.buffer_offset(f"scratch:{step.index}"), step.scratch))
    return _LayerView(tuple(regions), len(results))


def _region(program: Program, tensor: Tensor) -> _Region:
    return _Region(program.plan.offset(tensor.name), tensor.bytes)
