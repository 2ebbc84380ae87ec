"""Kernels on planes that slide, with the output over the input: as close as they say, and closer."""

from __future__ import annotations

import numpy as np
import pytest

from strategies.common import random_inputs
from support.depthwise_layers import overlapped
from support.kernel_cases import KERNELS, cases
from support.programs import program_of
from tinyc import interpreter
from tinyc.kernels import cortex_m4_conv_depthwise, cortex_m4_sliding
from tinyc.program import Program
from tinyc.toolchain.host import HostBundle

pytestmark = pytest.mark.host

GRAPHS = 16
KEYS = [
    key
    for key, kernel in KERNELS.items()
    if kernel in (*cortex_m4_conv_depthwise.KERNELS, *cortex_m4_sliding.KERNELS)
]


def programs(key: str) -> list[Program]:
    return [program_of(graph, [KERNELS[key]], f"m{index}") for index, graph in enumerate(cases(key)[:GRAPHS])]


def wrong_answers(found: list[Program]) -> int:
    """Of those programs, which do not compute what the reference does."""
    rng = np.random.default_rng(5)
    records = [(index, tuple(random_inputs(rng, program.graph))) for index, program in enumerate(found)]
    answers = HostBundle(found).run_all(records)
    expected = [interpreter.run(found[index].graph, inputs) for index, inputs in records]
    return sum(one[0].tobytes() != other[0].tobytes() for one, other in zip(expected, answers, strict=True))


@pytest.mark.parametrize("key", KEYS)
def test_the_output_may_lie_as_close_as_the_kernel_says(key: str) -> None:
    assert wrong_answers([overlapped(program) for program in programs(key)]) == 0


def test_one_row_closer_is_too_close() -> None:
    """The leads are not larger than they have to be, where later tiles read at all."""
    (key,) = [key for key in KEYS if "_s8_least_" in key]
    several = []
    for program in programs(key):
        (step,) = program.steps
        (overlap,) = step.kernel.overlaps(step.op, program.graph)
        x, y = program.graph[step.op.inputs[0]], program.graph[step.op.outputs[0]]
        row = x.shape[2] * x.shape[3]
        if -x.bytes < overlap.lead - row < 0 < y.bytes:
            several.append(overlapped(program, closer=row))
    assert len(several) > 3 and wrong_answers(several) > len(several) / 2


def test_the_layers_meet_every_branch() -> None:
    met = set()
    for key in KEYS:
        for program in programs(key):
            fields = program.steps[0].lowered.fields
            tiles = -(-fields["sliding.outputs"] // fields["sliding.tile"])  # type: ignore[operator]
            slides = fields["sliding.room"] // (  # type: ignore[operator]
                fields["sliding.tile"] * fields["sliding.stride"] * fields["sliding.pitch"]  # type: ignore[operator]
            )
            shared = fields["sliding.reach"] > fields["sliding.stride"]  # type: ignore[operator]
            met |= {("moves", shared)} if tiles > slides + 1 else {("stays", tiles > 1)}
            met |= {("batches", fields["sliding.batches"] > 1), ("odd", fields["sliding.channels"] % 2)}  # type: ignore[operator]
            met |= {("row", fields["sliding.width"] % 4 == 0), ("top", fields["sliding.top"] > 0)}  # type: ignore[operator]
    assert {("moves", True), ("moves", False), ("stays", True), ("stays", False)} <= met
    assert {(name, value) for name in ("batches", "odd", "row", "top") for value in (False, True)} <= met
