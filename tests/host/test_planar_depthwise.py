"""The planar depthwise kernel in its corners: reference == C, apart, in place and overlapped."""

from __future__ import annotations

import dataclasses
from functools import cache, partial

import numpy as np
import pytest

from strategies.common import random_inputs
from support.depthwise_layers import LAYERS, kernel_for, layer, overlapped
from support.programs import program_of
from tinyc import interpreter
from tinyc.program import Program
from tinyc.toolchain.host import HostBundle

pytestmark = pytest.mark.host


def _apart(index: int, *, shared: bool = False) -> Program:
    graph = layer(index)
    kernel = dataclasses.replace(kernel_for(graph, shared=shared), in_place=())
    return program_of(graph, [kernel], f"m{index}")


@cache
def _bundle(how: str) -> HostBundle:
    programs = []
    for index in range(len(LAYERS)):
        graph = layer(index)
        in_place = program_of(graph, [kernel_for(graph)], f"m{index}")
        choices = {
            "apart": _apart,
            "shared": partial(_apart, shared=True),
            "in place": lambda _, p=in_place: p,
        }
        programs.append(choices[how](index) if how in choices else overlapped(_apart(index)))
    return HostBundle(programs)


@pytest.mark.parametrize("how", ["apart", "shared", "in place", "overlapped"])
def test_the_reference_equals_the_c(how: str) -> None:
    rng = np.random.default_rng(7)
    records = [(index, tuple(random_inputs(rng, layer(index)))) for index in range(len(LAYERS))]
    for (index, inputs), actual in zip(records, _bundle(how).run_all(records), strict=True):
        (expected,) = interpreter.run(layer(index), inputs)
        assert expected.tobytes() == actual[0].tobytes(), f"{how}: {LAYERS[index]}"


def test_one_byte_closer_is_too_close() -> None:
    chosen = [n for n in range(len(LAYERS)) if LAYERS[n][0][3] > 4 and LAYERS[n][4].value == "SAME"]
    bundle = HostBundle([overlapped(_apart(index), closer=1) for index in chosen])
    rng = np.random.default_rng(8)
    records = [(n, tuple(random_inputs(rng, layer(index)))) for n, index in enumerate(chosen)]
    wrong = 0
    for (n, inputs), actual in zip(records, bundle.run_all(records), strict=True):
        (expected,) = interpreter.run(layer(chosen[n]), inputs)
        wrong += expected.tobytes() != actual[0].tobytes()
    assert wrong > len(chosen) / 2, f"{wrong} of {len(chosen)} layers overwrite what they still need"


def test_the_layers_meet_every_branch() -> None:
    from tinyc.kernels.cortex_m4_depthwise import planar_layer

    graphs = [layer(index) for index in range(len(LAYERS))]
    layers = [
        planar_layer(graph.ops[0], graph, strided=shared, fpu=True)
        for graph in graphs
        for shared in (False, True)
    ]
    routines = [found.routine for found in layers if found is not None]
    assert len(routines) == 2 * len(LAYERS)
    assert {(routine.rounding, routine.packed_scalars) for routine in routines} == {
        (1, True),
        (1, False),
        (2, False),
    }
    assert {bool(routine.resident) for routine in routines} == {True, False}
    assert {bool(routine.main.times) for routine in routines} == {True, False}
    assert {routine.far for routine in routines} == {True, False}
    assert {routine.single is None for routine in routines} == {True, False}
    assert {len(found.geometry.tiles) > 1 for found in layers if found} == {True, False}
    assert {found.geometry.swapped for found in layers if found} == {True, False}
