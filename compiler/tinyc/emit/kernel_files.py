"""The kernel sources of a program, each once, in an order that C accepts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from tinyc.emit import symbols
from tinyc.emit.environment import render
from tinyc.kernels.kernel import Kernel
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


def is_template(kernel: Kernel) -> bool:
    """True when the source is rendered once per layer instead of pasted once."""
    return kernel.source.endswith(".j2")


def kernel_files(programs: Iterable[Program]) -> tuple[KernelFile, ...]:
    """Headers and plain sources of all kernels in use, in order of first use, headers first.

    Files that a file includes by `#include "..."` (looked up in `include/`) come before it; the
    include lines themselves go away. `tinyc_fixed_point.h` is always the first. A template that
    layers share is there once per variant, under its symbol.
    """
    headers: dict[str, str] = {}
    sources: dict[str, str] = {}

    def add(path: str, table: dict[str, str]) -> None:
        if path in headers or path in sources:
            return
        text = _read(path)
        for name in _QUOTED.findall(text):
            add(name if "/" in name else f"include/{name}", headers)
        pasted = _SYSTEM.sub("", _QUOTED.sub("", text))
        table[path] = re.sub(r"\n{3,}", "\n\n", pasted).strip("\n")

    add(_FIXED_POINT, headers)
    for program in programs:
        for step in program.steps:
            for path in step.kernel.headers:
                add(path, headers)
            view = _view(program, step)
            for path in view.get("files", ()):
                add(path, headers if path.endswith(".h") else sources)
            if not is_template(step.kernel):
                add(step.kernel.source, sources)
            elif "variant" in view:
                symbol = step.kernel.symbol + _suffix(program, step, view)
                if symbol not in sources:
                    sources[symbol] = _specialized(program, step, view)
    return tuple(KernelFile(path, text) for path, text in (*headers.items(), *sources.items()))


def _view(program: Program, step: Step) -> Mapping[str, Any]:
    """What a template kernel gives its template for this layer."""
    if not is_template(step.kernel) or step.kernel.specialize is None:
        return MappingProxyType({})
    return step.kernel.specialize(step.op, program.graph)


def _suffix(program: Program, step: Step, view: Mapping[str, object]) -> str:
    if not is_template(step.kernel):
        return ""
    return f"_{view['variant']}" if "variant" in view else f"_{symbols.layer(program, step)}"


def kernel_symbol(program: Program, step: Step) -> str:
    """The C function that a layer calls; a specialised kernel has one per variant or per layer."""
    return step.kernel.symbol + _suffix(program, step, _view(program, step))


def _specialized(program: Program, step: Step, view: Mapping[str, object]) -> str:
    symbol = step.kernel.symbol + _suffix(program, step, view)
    return render(f"kernels/{step.kernel.source}", **{**view, "symbol": symbol}).strip("\n")


def specialized_source(program: Program, step: Step) -> str:
    """The rendered source of a template kernel that belongs to this layer alone, else ""."""
    view = _view(program, step)
    if not is_template(step.kernel) or "variant" in view:
        return ""
    return _specialized(program, step, view)
