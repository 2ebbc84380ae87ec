"""What a kernel of C loops is predicted to execute: counts from the layer's shapes times fitted costs.

The costs lie in `work.toml`, one table per kernel: feature = [instructions, cycles] of one of it, as
Clang (toolchain `zig`) compiles the kernel for a Cortex-M4. `benchmarks/fit_work.py` makes the file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.kernels.features import Features
from tinyc.kernels.kernel import Work

TABLE = Path(__file__).with_name("work.toml")
# The core that the costs are fitted to; they hold for others with its instructions, the DSP extension's.
FITTED_CORE = "cortex-m4"
FITTED_FEATURE = "dsp"

Costs = Mapping[str, tuple[float, float]]


@cache
def table() -> Mapping[str, Costs]:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


def _nothing(op: Op, graph: Graph) -> Work:
    return Work(0, 0)


@dataclass(frozen=True, slots=True)
class FittedWork:
    """The `Kernel.work` of a kernel: `features` of the layer times the costs under `symbol`.

    `exact` is added: what need not be fitted. Features without a cost there cost nothing. Raises LookupError
    for a kernel that was never fitted.
    """

    symbol: str
    features: Callable[[Op, Graph], Features]
    exact: Callable[[Op, Graph], Work] = _nothing

    @property
    def is_fitted(self) -> bool:
        return self.symbol in table()

    def __call__(self, op: Op, graph: Graph) -> Work:
        if not self.is_fitted:
            raise LookupError(f"{self.symbol} has no costs in {TABLE.name}: run benchmarks/fit_work.py")
        return predict(self.features(op, graph), table()[self.symbol]) + self.exact(op, graph)


def predict(counts: Features, costs: Costs) -> Work:
    """The sum of count times cost, rounded."""
    pairs = [(count, costs[name]) for name, count in counts.items() if name in costs]
    instructions = sum(count * cost[0] for count, cost in pairs)
    cycles = sum(count * cost[1] for count, cost in pairs)
    return Work(round(instructions), round(cycles))
