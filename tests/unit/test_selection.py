"""The choice of kernels: what each objective picks, on kernels with made-up costs."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pytest

from strategies.common import activation, constant
from support.networks import random_network
from tinyc.boards import Board, load_board
from tinyc.errors import TinycError
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import FullyConnected
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Quantization
from tinyc.kernels.catalogue import CATALOGUE
from tinyc.kernels.kernel import Kernel, Lowered, Overlap, Work
from tinyc.memory.budget import code_pieces, runtime_ram
from tinyc.objective import Objective
from tinyc.pipeline import compile_graph
from tinyc.selection import MEMORY_WEIGHT, choose, fixed
from tinyc.variants import candidates as candidates_of

pytestmark = pytest.mark.unit

BOARD = load_board("nrf52840_bare")


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a made-up kernel takes. No cycles: it does not state its work."""

    cycles: int | None
    constants: int = 100
    scratch: int = 0
    instructions: int = 0
    requires: frozenset[str] = frozenset()
    in_place: tuple[int, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    broken: bool = False


def kernel(name: str, costs: Mapping[str, Cost]) -> Kernel:
    """A kernel whose cost depends on the layer's name; it does not take layers without one."""

    def lower(op: Op, graph: Graph) -> Lowered:
        if costs[op.name].broken:
            raise ValueError("a scale that fixed point cannot hold")
        return Lowered("tinyc_fully_connected", {"weights": np.zeros(costs[op.name].constants, np.int8)})

    def work(op: Op, graph: Graph) -> Work:
        cost = costs[op.name]
        assert cost.cycles is not None
        return Work(cost.instructions or cost.cycles, cost.cycles)

    some = next(iter(costs.values()))
    return Kernel(
        symbol=f"tinyc_{name}__test",
        op=FullyConnected,
        source="portable/reshape_x8.c",
        lower=lower,
        requires=some.requires,
        in_place=some.in_place,
        overlaps=lambda op, graph: some.overlaps,
        accepts=lambda op, graph: op.name in costs,
        scratch=lambda op, graph: costs[op.name].scratch,
        work=None if some.cycles is None else work,
    )


def chain(*widths: int) -> Graph:
    """Fully connected layers l0, l1, ... between vectors of these widths."""
    rng = np.random.default_rng(0)
    tensors = {"v0": activation(rng, "v0", (1, widths[0]))}
    ops = []
    for index, width in enumerate(widths[1:]):
        weights = constant(f"w{index}", np.ones((width, widths[index]), np.int8), Quantization((0.1,), (0,)))
        y = activation(rng, f"v{index + 1}", (1, width))
        tensors |= {weights.name: weights, y.name: y}
        op = FullyConnected(name=f"l{index}", inputs=(f"v{index}", weights.name), outputs=(y.name,))
        ops.append(op)
    return verify(Graph("chain", tensors, tuple(ops), ("v0",), (f"v{len(ops)}",)))


def choice(
    graph: Graph,
    table: Mapping[str, Cost | Mapping[str, Cost]],
    objective: Objective,
    board: Board = BOARD,
    **options: object,
) -> list[str]:
    """Names of the chosen kernels; `table` gives each kernel one cost, or one per layer."""
    kernels = [
        kernel(name, {op.name: cost for op in graph.ops} if isinstance(cost, Cost) else cost)
        for name, cost in table.items()
    ]
    steps, _ = choose(graph, board, objective, candidates=among(kernels), **options)  # type: ignore[arg-type]
    return [step.kernel.symbol.removeprefix("tinyc_").removesuffix("__test") for step in steps]


def among(kernels: Iterable[Kernel]) -> Callable[[Op, Graph], tuple[Kernel, ...]]:
    return lambda op, graph: tuple(kernel for kernel in kernels if kernel.accepts(op, graph))


def small_board(flash: int = 10**6, arena: int = 10**6) -> Board:
    """The nRF52840 DK with so much flash, and so much RAM for the arena."""
    ram = 1 << 24
    used = arena + BOARD.memory.stack + runtime_ram(ram)
    memory = dataclasses.replace(BOARD.memory, flash=flash, ram=ram, ram_reserved=ram - used)
    return dataclasses.replace(BOARD, memory=memory)


ONE = chain(16, 16)


def test_time_takes_the_fewest_cycles_then_instructions_then_the_first() -> None:
    slow, fast = Cost(2000, constants=10), Cost(1000, constants=50_000, scratch=5000)
    assert choice(ONE, {"slow": slow, "fast": fast}, Objective.TIME) == ["fast"]
    fewer = dataclasses.replace(slow, cycles=1000, instructions=900)
    assert choice(ONE, {"fast": fast, "fewer": fewer}, Objective.TIME) == ["fewer"]
    assert choice(ONE, {"a": fast, "b": fast}, Objective.TIME) == ["a"]


@pytest.mark.parametrize("objective", [Objective.TIME, Objective.BALANCED])
def test_kernels_that_do_not_state_their_work_come_last_in_catalogue_order(objective: Objective) -> None:
    silent = Cost(None)
    assert choice(ONE, {"x": silent, "known": Cost(10**7)}, objective) == ["known"]
    assert choice(ONE, {"x": silent, "y": silent}, objective) == ["x"]
    assert choice(ONE, {"y": silent, "x": silent}, objective) == ["y"]


def test_ram_pays_only_where_the_peak_is() -> None:
    graph = chain(8, 400, 400, 8)
    table = {"fast": Cost(1000, scratch=300), "small": Cost(3000, scratch=0)}
    # 800 bytes are alive in the middle layer, 408 and 300 of scratch in the others.
    assert choice(graph, table, Objective.TIME) == ["fast"] * 3
    assert choice(graph, table, Objective.RAM) == ["fast", "small", "fast"]


def test_ram_counts_what_is_shared() -> None:
    graph = chain(400, 400)
    table = {"apart": Cost(1000), "in_place": Cost(2000, in_place=(0,))}
    assert choice(graph, table, Objective.RAM) == ["in_place"]
    behind = Cost(2000, overlaps=(Overlap(0, "output", 40),))
    assert choice(graph, {"apart": Cost(1000), "over": behind}, Objective.RAM) == ["over"]
    # Output and scratch together save no more than the 400 bytes that are read.
    both = Cost(2000, scratch=300, overlaps=(Overlap(0, "output", 0), Overlap(0, "scratch", 0)))
    one = Cost(1000, scratch=300, overlaps=(Overlap(0, "output", 0),))
    assert choice(graph, {"one": one, "both": both}, Objective.RAM) == ["one"]
    # An activation that lives on cannot be written over: l0's input is an output too.
    kept = graph.rebuilt(outputs=("v0", "v1"))
    assert choice(kept, table, Objective.RAM) == ["apart"]


def test_flash_takes_the_least_constants_and_code() -> None:
    table = {"fast": Cost(1000, constants=501), "small": Cost(9000, constants=500)}
    assert choice(chain(8, 8, 8), table, Objective.FLASH) == ["small"] * 2
    equal = {"slow": Cost(2000), "fast": Cost(1000)}
    assert choice(chain(8, 8, 8), equal, Objective.FLASH) == ["fast"] * 2


def test_balanced_takes_shared_code_for_the_layers_that_it_hardly_slows_down() -> None:
    """One layer alone would pay more for the shared code than it saves; the last one is too slow with it."""
    graph = chain(8, 8, 8, 8, 8)
    cycles = {"l0": 10_050, "l1": 10_050, "l2": 10_050, "l3": 30_000}
    shared = kernel("shared", {op.name: Cost(cycles[op.name], constants=10) for op in graph.ops})
    shared = dataclasses.replace(shared, source="portable/softmax_s8.c")
    (step, *_), _ = choose(graph, BOARD, candidates=among([shared]))
    extra = int(0.9 * sum(code_pieces(graph, step).values()))
    single = kernel("single", {op.name: Cost(10_000, constants=10 + extra) for op in graph.ops})
    steps, _ = choose(graph, BOARD, Objective.BALANCED, candidates=among([single, shared]))
    assert [step.kernel.symbol for step in steps] == [shared.symbol] * 3 + [single.symbol]


def test_flash_counts_shared_code_once() -> None:
    """Two kernels where one would do cost more code than their constants save."""
    graph = chain(8, 8, 8)
    both = kernel("both", {"l0": Cost(1000, constants=120), "l1": Cost(1000, constants=100)})
    other = dataclasses.replace(
        kernel("other", {"l0": Cost(1000, constants=110)}), source="portable/softmax_s8.c"
    )
    steps, _ = choose(graph, BOARD, Objective.FLASH, candidates=among([other, both]))
    assert [step.kernel.symbol for step in steps] == [both.symbol] * 2


@pytest.mark.parametrize(("speed", "chosen"), [(0.98, "small"), (0.8, "large")])
def test_balanced_pays_memory_only_for_speed(speed: float, chosen: str) -> None:
    """Twice the flash is worth 2^0.18, 13 % of the cycles."""
    table = {"small": Cost(100_000, constants=60_000), "large": Cost(int(100_000 * speed), constants=120_000)}
    assert choice(ONE, table, Objective.BALANCED) == [chosen]
    ram = {"small": Cost(100_000), "large": Cost(int(100_000 * speed), scratch=60_000)}
    assert choice(ONE, ram, Objective.BALANCED) == ["small"]
    assert MEMORY_WEIGHT == 0.18


@pytest.mark.parametrize("objective", [Objective.TIME, Objective.BALANCED, Objective.RAM, Objective.FLASH])
def test_a_board_that_is_too_small_for_the_fastest(objective: Objective) -> None:
    graph = chain(8, 8, 8)
    table = {"fast": Cost(1000, constants=90_000, scratch=9000), "small": Cost(50_000, constants=50)}
    if objective in (Objective.TIME, Objective.BALANCED):
        loose = {"fast": Cost(1000), "small": Cost(50_000)}
        assert choice(graph, loose, objective) == ["fast"] * 2
    # Room for one of the fast ones, or for none.
    found = choice(graph, table, objective, small_board(flash=120_000))
    # Balanced may find that half of the time is not worth the memory.
    wanted = {Objective.TIME: (1,), Objective.BALANCED: (0, 1)}.get(objective, (0,))
    assert found.count("fast") in wanted
    assert choice(graph, table, objective, small_board(flash=60_000)) == ["small"] * 2
    assert choice(graph, table, objective, small_board(arena=2000)) == ["small"] * 2


def test_nothing_fits_still_gives_the_smallest() -> None:
    table = {"fast": Cost(1000, constants=90_000), "small": Cost(5000, constants=50_000)}
    assert choice(ONE, table, Objective.TIME, small_board(flash=20_000)) == ["small"]


def test_kernels_that_cannot_be_lowered_are_passed_over() -> None:
    broken = Cost(10, broken=True)
    assert choice(ONE, {"broken": broken, "sound": Cost(500)}, Objective.BALANCED) == ["sound"]
    with pytest.raises(TinycError, match="1 of 1 layers cannot be computed") as caught:
        choice(ONE, {"broken": broken}, Objective.TIME)
    assert "fixed point" in caught.value.problems[0].what


def test_kernels_that_the_board_lacks_features_for() -> None:
    dsp = Cost(10, requires=frozenset({"dsp"}))
    table = {"dsp": dsp, "plain": Cost(500)}
    assert choice(ONE, table, Objective.TIME) == ["dsp"]
    assert choice(ONE, table, Objective.TIME, load_board("host")) == ["plain"]
    with pytest.raises(TinycError, match="1 of 1 layers have no kernel for board `host`"):
        choice(ONE, {"dsp": dsp}, Objective.TIME, load_board("host"))


def test_measurements_replace_predictions() -> None:
    table = {"a": Cost(1000), "b": Cost(2000)}
    measured = {(0, "tinyc_a__test"): Work(3000, 3000)}
    assert choice(ONE, table, Objective.TUNED, measured=measured) == ["b"]
    with pytest.raises(ValueError, match="measurements"):
        choice(ONE, table, Objective.TUNED)


@pytest.mark.parametrize("seed", range(8))
def test_time_ram_and_flash_equal_exhaustive_search(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = chain(*(int(width) for width in rng.integers(4, 600, 5)))
    names = ("a", "b", "c")
    table = {
        name: {
            op.name: Cost(
                int(rng.integers(1000, 9000)), int(rng.integers(10, 9000)), 8 * int(rng.integers(60))
            )
            for op in graph.ops
        }
        for name in names
    }
    alive = [graph[op.inputs[0]].bytes + graph[op.outputs[0]].bytes for op in graph.ops]

    def key(picked: Iterable[str], objective: Objective) -> tuple[int, ...]:
        costs = [table[name][op.name] for name, op in zip(picked, graph.ops, strict=True)]
        cycles = sum(cost.cycles or 0 for cost in costs)
        arena = max(bytes_ + cost.scratch for bytes_, cost in zip(alive, costs, strict=True))
        if objective is Objective.RAM:
            return arena, cycles
        return (sum(cost.constants for cost in costs), cycles) if objective is Objective.FLASH else (cycles,)

    for objective in (Objective.TIME, Objective.RAM, Objective.FLASH):
        best = min(key(picked, objective) for picked in itertools.product(names, repeat=len(graph.ops)))
        assert key(choice(graph, table, objective), objective) == best


def test_the_same_choice_every_time_and_by_name() -> None:
    graph = random_network(np.random.default_rng(3), 6, mixed=True)
    for objective in (Objective.BALANCED, Objective.TIME, Objective.RAM, Objective.FLASH):
        first, plan = choose(graph, BOARD, objective)
        again, _ = choose(graph, BOARD, objective)
        symbols = [step.kernel.symbol for step in first]
        assert symbols == [step.kernel.symbol for step in again]
        named, same = fixed(graph, BOARD, symbols)
        assert [step.kernel for step in named] == [step.kernel for step in first]
        assert same.arena_size == plan.arena_size
    with pytest.raises(TinycError, match="no kernel"):
        fixed(graph, BOARD, ["tinyc_gone__portable"] * len(graph.ops))


def test_every_kernel_of_the_operator_is_told_with_a_reason() -> None:
    graph = random_network(np.random.default_rng(1), 4)
    for board in (BOARD, load_board("host")):
        program = compile_graph(graph, board, name="net")
        for step, found in zip(program.steps, candidates_of(program), strict=True):
            every = {kernel.symbol for kernel in CATALOGUE if kernel.op is type(step.op)}
            assert {candidate.kernel.symbol for candidate in found} == every
            assert [candidate.kernel for candidate in found if candidate.chosen] == [step.kernel]
            assert all(bool(candidate.reason) != candidate.chosen for candidate in found)
            for candidate in found:
                row = candidate.to_json()
                assert (row["scratch"] is None) == (not candidate.accepted)
                if "cortex_m4" in row["kernel"] and board.is_host:
                    assert row["reason"].startswith("the board lacks dsp")
