"""Random single-op graphs, one strategy per operator: the table that drives the kernel tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from strategies import fully_connected
from tinyc.ir.graph import Graph
from tinyc.ir.ops import FullyConnected
from tinyc.ir.ops.base import Op

Strategy = Callable[[np.random.Generator], Graph]

STRATEGIES: dict[type[Op], Strategy] = {
    FullyConnected: fully_connected.random_graph,
}
