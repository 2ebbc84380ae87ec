"""Whether fixed point can hold the scales of a quantized graph."""

from __future__ import annotations

import numpy as np

from tinyc.errors import Problem, TinycError
from tinyc.ir.graph import Graph
from tinyc.quantize.fixed_point import Rounding


def check_arithmetic(graph: Graph) -> None:
    """Tries every layer out on zeros. Raises TinycError that names layers whose scales cannot be held."""
    problems = []
    for index, op in enumerate(graph.ops):
        operands = graph.operands(op)
        values = [
            tensor.constant if tensor.is_constant else np.zeros(tensor.shape, tensor.dtype.numpy)
            for tensor in operands
        ]
        try:
            op.reference(values, operands, graph.results(op), Rounding.DOUBLE)
        except ValueError as error:
            problems.append(Problem(f"#{index} {op.kind} {op.name}", str(error)))
    if problems:
        raise TinycError(
            f"{len(problems)} of {len(graph.ops)} layers cannot be computed in fixed point",
            where=f"model {graph.name}",
            problems=problems,
            hint="check the size of the weights and of the calibration inputs",
        )
