"""The kernel sources of a program, each once, in an order that C accepts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tinyc.emit import symbols
from tinyc.emit.environment import render
from tinyc.ir.graph import Graph
from tinyc.kernels.kernel import Inner, Kernel
from tinyc.program import Program, Step
from tinyc.resources import data_folder

_FIXED_POINT = "include/tinyc_fixed_point.h"
_QUOTED = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"[ \t]*\n', re.MULTILINE)
_SYSTEM = re.compile(r"^[ \t]*#[ \t]*include[ \t]+<(?:stdint|string|stddef)\.h>[ \t]*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class KernelFile:
    """A file under `firmware_templates/kernels`, ready to be pasted."""

    path: str
    text: str


@cache
def _read(path: str) -> str:
    return (data_folder("firmware_templates") / "kernels" / path).read_text(encoding="utf-8")


class _Collector:
    """Files and rendered templates, each once; what a file includes comes before it."""

    def __init__(self) -> None:
        self._headers: dict[str, str] = {}
        self._sources: dict[str, str] = {}
        self._add(_FIXED_POINT, self._headers)

    def _add(self, path: str, table: dict[str, str]) -> None:
        if path in self._headers or path in self._sources:
            return
        text = _read(path)
        for name in _QUOTED.findall(text):
            self._add(name if "/" in name else f"include/{name}", self._headers)
        pasted = _SYSTEM.sub("", _QUOTED.sub("", text))
        table[path] = re.sub(r"\n{3,}", "\n\n", pasted).strip("\n")

    def step(self, graph: Graph, step: Step | Inner, symbol: str | None) -> None:
        """All that the kernel of a layer needs; its template for layers of a variant under `symbol`."""
        for inner in step.kernel.inner(step.op, graph):
            self.step(inner.graph, inner, inner.symbol)
        for path in step.kernel.headers:
            self._add(path, self._headers)
        view = _view(graph, step)
        for path in view.get("files", ()):
            self._add(path, self._headers if path.endswith(".h") else self._sources)
        if not step.kernel.source.endswith(".j2"):
            self._add(step.kernel.source, self._sources)
            return
        name = symbol if step.kernel.is_specialized else step.kernel.symbol
        if name is not None and name not in self._sources:
            self._sources[name] = _rendered(step.kernel, view, name)

    def files(self) -> tuple[KernelFile, ...]:
        both = (*self._headers.items(), *self._sources.items())
        return tuple(KernelFile(path, text) for path, text in both)


def kernel_files(programs: Iterable[Program]) -> tuple[KernelFile, ...]:
    """Headers and plain sources of all kernels in use, in order of first use, headers first.

    Files that a file includes by `#include "..."` (looked up in `include/`) come before it; the
    include lines themselves go away. `tinyc_fixed_point.h` is always the first. A template that
    layers share is there once per variant, under its symbol.
    """
    found = _Collector()
    for program in programs:
        for step in program.steps:
            # A template of one layer is printed beside it.
            is_shared = "variant" in _view(program.graph, step)
            found.step(program.graph, step, kernel_symbol(program, step) if is_shared else None)
    return found.files()


def files_of(steps: Iterable[tuple[Graph, Step]]) -> tuple[KernelFile, ...]:
    """The same for layers of any graphs, with every template under its `shared_symbol`."""
    found = _Collector()
    for graph, step in steps:
        found.step(graph, step, shared_symbol(graph, step))
    return found.files()


def shared_symbol(graph: Graph, step: Step) -> str:
    """The C function that a layer calls where functions are named by what they do, not by the model."""
    if not step.kernel.is_specialized:
        return step.kernel.symbol
    view = _view(graph, step)
    if "variant" in view:
        return f"{step.kernel.symbol}_{view['variant']}"
    text = _rendered(step.kernel, view, step.kernel.symbol)
    return f"{step.kernel.symbol}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _view(graph: Graph, step: Step | Inner) -> Mapping[str, Any]:
    """What a kernel gives its template for this layer."""
    if step.kernel.specialize is None:
        return step.kernel.view
    return step.kernel.specialize(step.op, graph)


def _suffix(program: Program, step: Step, view: Mapping[str, object]) -> str:
    if not step.kernel.is_specialized:
        return ""
    return f"_{view['variant']}" if "variant" in view else f"_{symbols.layer(program, step)}"


def kernel_symbol(program: Program, step: Step) -> str:
    """The C function that a layer calls; a specialised kernel has one per variant or per layer."""
    return step.kernel.symbol + _suffix(program, step, _view(program.graph, step))


def _rendered(kernel: Kernel, view: Mapping[str, object], symbol: str) -> str:
    return render(f"kernels/{kernel.source}", **{**view, "symbol": symbol}).strip("\n")


def specialized_source(program: Program, step: Step) -> str:
    """The rendered source of a template kernel that belongs to this layer alone, else ""."""
    view = _view(program.graph, step)
    if not step.kernel.is_specialized or "variant" in view:
        return ""
    return _rendered(step.kernel, view, step.kernel.symbol + _suffix(program, step, view))
