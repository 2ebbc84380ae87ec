"""The budget adds up, agrees with what is emitted, and says by how much a model is too large."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from support.networks import random_network
from tinyc.boards import load_board
from tinyc.emit.model import render_model
from tinyc.emit.symbols import emitted
from tinyc.errors import EXIT_DOES_NOT_FIT, DoesNotFit
from tinyc.memory.budget import budget
from tinyc.pipeline import compile_graph
from tinyc.program import Program

pytestmark = pytest.mark.unit

_SIZES = {"int8_t": 1, "int16_t": 2, "int32_t": 4}


def network(seed: int = 0) -> Program:
    return compile_graph(random_network(np.random.default_rng(seed)), load_board("nrf52840_bare"), name="kws")


@pytest.mark.parametrize("seed", range(5))
def test_weights_and_arena_are_the_sums_over_emitted_symbols(seed: int) -> None:
    program = network(seed)
    result, symbols = budget(program), emitted(program)
    assert result.weights == symbols.weight_bytes <= sum(layer.weights for layer in result.layers)
    assert result.arena == symbols.arena_bytes
    arrays = re.findall(r"static const (\w+) (kws_layer_\w+)\[(\d+)\]", render_model(program)["model.c"])
    assert {name: int(count) * _SIZES[kind] for kind, name, count in arrays} == dict(symbols.weights)


def test_live_bytes_peak_at_the_lower_bound() -> None:
    # The portable kernels of this machine overlap nothing; where kernels do, the bound may be higher.
    program = compile_graph(random_network(np.random.default_rng(3)), load_board("host"), name="kws")
    result = budget(program)
    before = sum(
        placement.buffer.size
        for placement in program.plan.placements
        if placement.buffer.lifetime.first == -1
    )
    last = sum(program.graph[name].bytes for name in program.graph.outputs)
    assert max([before, last, *(layer.live for layer in result.layers)]) == result.lower_bound
    assert result.macs == program.graph.macs()
    assert result.problems() == ()
    result.require_fit()


def test_a_model_that_does_not_fit_says_by_how_much_and_which_layers() -> None:
    program = network()
    need = budget(program)
    memory = program.board.memory
    memory = dataclasses.replace(memory, flash=need.flash - 10, ram_reserved=memory.ram - need.ram + 1)
    small = dataclasses.replace(program, board=dataclasses.replace(program.board, memory=memory))
    with pytest.raises(DoesNotFit) as error:
        budget(small).require_fit()
    assert error.value.exit_code == EXIT_DOES_NOT_FIT
    text = str(error.value)
    assert f"flash: needs about {need.flash} bytes, 10 more than there are" in text
    assert f"RAM: needs about {need.ram} bytes, 1 more than there are" in text
    heaviest = max(need.layers, key=lambda layer: layer.weights)
    assert f"#{heaviest.index} FULLY_CONNECTED {heaviest.name}: {heaviest.weights} bytes of constants" in text
    assert "alive in the arena" in text


def test_a_kernel_may_say_how_much_code_it_is() -> None:
    """Once for all layers that share it, beside functions that were measured."""
    program = network()
    dense = [step for step in program.steps if step.op.kind == "FULLY_CONNECTED"]
    kernel = dense[0].kernel
    shared = [step.index for step in dense if step.kernel is kernel]
    assert len(shared) > 1

    def code(size: int, symbol: str = kernel.symbol) -> int:
        told = dataclasses.replace(kernel, symbol=symbol, code=lambda op, graph: size)
        steps = tuple(
            dataclasses.replace(step, kernel=told) if step.index in shared else step for step in program.steps
        )
        return budget(dataclasses.replace(program, steps=steps)).code

    assert code(5000) - code(1000) == 4000
    assert kernel.functions and code(0) == budget(program).code
    assert code(0) - code(0, "unmeasured") == sum(kernel.functions.values())


def test_kernels_that_were_not_measured_are_estimated() -> None:
    program = network()

    def code(count: int) -> int:
        """With the kernels of so many layers unknown."""
        steps = tuple(
            dataclasses.replace(
                step, kernel=dataclasses.replace(step.kernel, symbol=f"unmeasured_{step.index}")
            )
            if step.index < count
            else step
            for step in program.steps
        )
        return budget(dataclasses.replace(program, steps=steps)).code

    assert code(len(program.steps)) > 0.5 * code(0)
