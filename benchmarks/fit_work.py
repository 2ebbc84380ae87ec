"""Fits the costs in `compiler/tinyc/kernels/work.toml` to counts on the emulated nRF52840.

    python benchmarks/fit_work.py [KERNEL ...] [--layers 60] [--seed 0]

Each kernel is compiled into programs of random layers and profiled. A least-squares fit without
negative costs says what one of each of its features (`kernels/features.py`) takes. Kernels that are
not named keep their costs. Printed beside each: the layers and the largest errors in per cent.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from row_layers import row_features, row_kernels, row_layers
from tinyc import pipeline, profiling
from tinyc.boards import load_board
from tinyc.cli import output
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array
from tinyc.kernels import work
from tinyc.kernels.catalogue import CATALOGUE
from tinyc.kernels.features import Features
from tinyc.kernels.kernel import Kernel
from tinyc.kernels.row_kernel import RowKernel
from tinyc.kernels.token_block import BlockKernel
from tinyc.kernels.work import FittedWork
from tinyc.memory import planner
from tinyc.program import Program, Step
from work_layers import layers_of, side_by_side

# Layers that share a program: their inputs are alive together in 256 KB.
_PROGRAM_BYTES = 100_000
_PROGRAM_LAYERS = 24
# Errors below this many instructions are not worth the fit's attention.
_SMALL = 1000


def fitted_kernels(names: Sequence[str]) -> dict[str, list[Kernel]]:
    """Table of costs → the kernels whose work is fitted in it: those of one symbol, or of the same code."""
    found: dict[str, list[Kernel]] = {}
    for kernel in CATALOGUE:
        work_of = kernel.work
        if "dual_issue" in kernel.requires:  # ranks by the costs of the kernel that it replaces
            continue
        if isinstance(work_of, FittedWork) and (not names or {kernel.symbol, work_of.symbol} & set(names)):
            found.setdefault(work_of.symbol, []).append(kernel)
    return found


def measured(layers: Sequence[tuple[Kernel, Graph]]) -> Iterator[tuple[Kernel, Graph, int, int]]:
    """(kernel, layer, instructions, cycles) as counted, in order; each layer is a graph of one op."""
    board = load_board("nrf52840_bare")
    for part in _programs(layers):
        graph = side_by_side([single for _, single in part])
        # Without a prediction: it may not be there yet.
        kernels = [replace(kernel, work=None) for kernel, _ in part]
        steps = tuple(
            Step.of(index, op, kernel, graph)
            for index, (op, kernel) in enumerate(zip(graph.ops, kernels, strict=True))
        )
        program = Program("layers", graph, steps, planner.plan(graph, steps), board)
        with tempfile.TemporaryDirectory() as folder:
            firmware = pipeline.build(program, Path(folder))
            *found, _ = profiling.counts(program, firmware.elf)
        for (kernel, single), count in zip(part, found, strict=True):
            yield kernel, single, *count


def _programs(layers: Sequence[tuple[Kernel, Graph]]) -> Iterator[list[tuple[Kernel, Graph]]]:
    part: list[tuple[Kernel, Graph]] = []
    size = 0
    for kernel, graph in layers:
        inputs = sum(graph[name].bytes for name in graph.inputs)
        if part and (size + inputs > _PROGRAM_BYTES or len(part) == _PROGRAM_LAYERS):
            yield part
            part, size = [], 0
        part.append((kernel, graph))
        size += inputs
    if part:
        yield part


def non_negative(a: Array, b: Array) -> Array:
    """x >= 0 with the least |a x - b| (Lawson and Hanson, "Solving Least Squares Problems", 1974)."""
    x = np.zeros(a.shape[1])
    free = np.zeros(a.shape[1], bool)
    for _ in range(10 * a.shape[1]):
        gradient = a.T @ (b - a @ x)
        gradient[free] = -np.inf
        best = int(gradient.argmax())
        if free.all() or gradient[best] <= 1e-9 * np.abs(a.T @ b).max():
            break
        free[best] = True
        while True:
            trial = np.zeros_like(x)
            trial[free] = np.linalg.lstsq(a[:, free], b, rcond=None)[0]
            if trial[free].min(initial=0) >= 0:
                x = trial
                break
            bad = free & (trial < 0)
            step = (x[bad] / (x[bad] - trial[bad])).min()
            x = x + step * (trial - x)
            free &= x > 1e-12
            x[~free] = 0
    return x


def fit(kernels: Sequence[Kernel], count: int, seed: int) -> tuple[dict[str, tuple[float, float]], Array]:
    """(cost per feature, errors of the predicted instructions in parts of the counted ones)."""
    rows = []
    for kernel in kernels:
        assert isinstance(kernel.work, FittedWork)
        layers = [(kernel, graph) for graph in layers_of(kernel, math.ceil(count / len(kernels)), seed)]
        for _, graph, instructions, cycles in measured(layers):
            op, exact = graph.ops[0], kernel.work.exact(graph.ops[0], graph)
            fitted = (instructions - exact.instructions, cycles - exact.cycles)
            rows.append((kernel.work.features(op, graph), *fitted, instructions))
    return _costs(rows)


def fit_row_kernel(
    row: RowKernel, block: BlockKernel, count: int, seed: int
) -> tuple[dict[str, tuple[float, float]], Array]:
    """The same for a row kernel, from blocks of one layer."""
    layers = row_layers(row, block, count, seed)
    return _costs(
        [
            (row_features(block, graph), instructions, cycles, instructions)
            for _, graph, instructions, cycles in measured(layers)
        ]
    )


def _costs(
    rows: Sequence[tuple[Features, int, int, int]],
) -> tuple[dict[str, tuple[float, float]], Array]:
    """From (features, instructions and cycles to explain, instructions counted) of layers."""
    names = sorted({name for features, *_ in rows for name in features})
    table = np.array([[features.get(name, 0) for name in names] for features, *_ in rows], np.float64)
    counts = np.array([row[1:3] for row in rows], np.float64)
    whole = np.array([row[3] for row in rows], np.float64)
    weight = 1 / (whole[:, None] + _SMALL)
    scale = np.maximum((table * weight).max(0), 1e-12)
    costs = np.stack(
        [non_negative(table * weight / scale, (counts * weight)[:, which]) / scale for which in (0, 1)], 1
    )
    result = {
        name: (float(f"{cost[0]:.4g}"), float(f"{cost[1]:.4g}"))
        for name, cost in zip(names, costs, strict=True)
        if cost.any()
    }
    predicted = np.array([work.predict(features, result).instructions for features, *_ in rows])
    return result, (predicted - counts[:, 0]) / np.maximum(whole, _SMALL)


def as_toml(tables: dict[str, dict[str, tuple[float, float]]]) -> str:
    lines = ["# Made by benchmarks/fit_work.py; do not edit. feature = [instructions, cycles] of one of it."]
    for symbol, costs in sorted(tables.items()):
        lines += ["", f"[{symbol}]"]
        lines += [f"{name} = [{cost[0]}, {cost[1]}]" for name, cost in sorted(costs.items())]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kernels", nargs="*", help="symbols or tables; default: all")
    parser.add_argument("--layers", type=int, default=60, help="random layers per kernel")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    kernels = fitted_kernels(options.kernels)
    known = {*fitted_kernels(()), *row_kernels()}
    tables = {name: dict(costs) for name, costs in work.table().items() if name in known}
    jobs = {symbol: partial(fit, users) for symbol, users in kernels.items()}
    for symbol, (row, block) in row_kernels().items():
        if not options.kernels or symbol in options.kernels:
            jobs[symbol] = partial(fit_row_kernel, row, block)
    rows = []
    for symbol, job in output.progress("fitting", list(jobs.items())):
        tables[symbol], errors = job(options.layers, options.seed)
        error = 100 * np.abs(errors)
        rows.append((symbol, len(errors), f"{np.median(error):.2f}", f"{error.max():.2f}"))
        output.talk(f"{symbol}: {len(errors)} layers, largest error {error.max():.2f} %")
    work.TABLE.write_text(as_toml(tables), encoding="utf-8")
    output.table("", ("kernel", "layers>", "median error %>", "largest error %>"), rows)


if __name__ == "__main__":
    main()
