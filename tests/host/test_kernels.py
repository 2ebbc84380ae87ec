"""Every kernel of the catalogue on random layers: NumPy reference == C under sanitizers.

The table that drives this is the catalogue itself: a kernel is tested by being listed.
"""

from __future__ import annotations

import dataclasses
import re
import subprocess
from functools import cache
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from strategies import FLOAT_STRATEGIES, STRATEGIES
from strategies.common import random_inputs
from support.kernel_cases import DRAWS, GRAPHS, KERNELS, assert_equal, cases, records
from support.programs import program_of
from tinyc import interpreter
from tinyc.boards import load_board
from tinyc.emit.model import render_bundle
from tinyc.ir.graph import Graph
from tinyc.ir.ops import OPS
from tinyc.ir.ops.base import Op
from tinyc.kernels import portable_rows
from tinyc.kernels.catalogue import CATALOGUE
from tinyc.kernels.kernel import Kernel
from tinyc.program import Program
from tinyc.token_blocks import ROW_OPS, with_blocks
from tinyc.toolchain.host import HostBundle
from tinyc.toolchain.host_compiler import WARNINGS, compiler_called

pytestmark = pytest.mark.host

RECORDS = 4
COMPARED = 8

every_kernel = pytest.mark.parametrize("key", KERNELS)


@cache
def bundle(key: str) -> HostBundle:
    """One executable with all cases. A kernel that may work in place does so in every other one."""
    apart = dataclasses.replace(KERNELS[key], in_place=())
    pairs = enumerate(cases(key))
    return HostBundle([program_of(graph, [(KERNELS[key], apart)[i % 2]], f"m{i}") for i, graph in pairs])


@every_kernel
def test_the_reference_equals_the_c_under_sanitizers(key: str) -> None:
    assert len(cases(key)) >= 5, f"{key} accepts {len(cases(key))} of {DRAWS} random layers"
    answers = iter(bundle(key).run_all(records(key, GRAPHS, RECORDS)))
    # The records of a layer with state are a sequence.
    for case, group in groupby(records(key, GRAPHS, RECORDS), key=lambda record: record[0]):
        for expected in interpreter.run_sequence(cases(key)[case], [inputs for _, inputs in group]):
            assert_equal(key, case, expected, next(answers))


def portable(op: Op, graph: Graph) -> Kernel | None:
    return next(
        (k for k in CATALOGUE if k.isa == "portable" and type(op) is k.op and k.accepts(op, graph)), None
    )


@pytest.mark.parametrize("key", [name for name, kernel in KERNELS.items() if kernel.isa != "portable"])
def test_a_special_kernel_equals_the_portable_one(key: str) -> None:
    programs = []
    # All of them equal the reference; a few are compiled with the portable kernels, too.
    for index, fused in enumerate(cases(key)[:COMPARED]):
        graph = with_blocks(fused.expanded())
        others = [kernel for op in graph.ops if (kernel := portable(op, graph)) is not None]
        assert len(others) == len(graph.ops), f"no portable kernels take case {index} of {key}: {graph.ops}"
        programs.append(program_of(graph, others, f"m{index}"))
    compared = records(key, COMPARED, RECORDS)
    special, plain = bundle(key).run_all(compared), HostBundle(programs).run_all(compared)
    for (case, _), expected, actual in zip(compared, plain, special, strict=True):
        assert_equal(key, case, expected, actual)


def test_clang_finds_nothing_unused_in_any_kernel(tmp_path: Path) -> None:
    clang = compiler_called("clang")
    if clang is None:
        pytest.skip("clang is not installed")
    for key in KERNELS:
        programs = [program_of(g, [KERNELS[key]], f"m{i}") for i, g in enumerate(cases(key)[:3])]
        for name, text in render_bundle(programs).items():
            (tmp_path / name).write_text(text)
        command = [*clang.command, *WARNINGS, "-fsyntax-only", "bundle.c"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{key}\n{done.stderr}"


@cache
def one_of_each() -> tuple[Program, ...]:
    return tuple(program_of(cases(key)[0], [KERNELS[key]], f"m{i}") for i, key in enumerate(KERNELS))


def test_all_kernels_live_in_one_translation_unit() -> None:
    everything = HostBundle(one_of_each())
    rng = np.random.default_rng(0)
    for index, program in enumerate(one_of_each()):
        inputs = random_inputs(rng, program.graph)
        (actual,) = everything.run(index, [inputs])
        assert_equal(list(KERNELS)[index], 0, interpreter.run(program.graph, inputs), actual)


_CORTEX_M4 = load_board("nrf52840").instruction_set.gcc
_CORTEX_M0 = load_board("microbit").instruction_set.gcc


# Firmware is built with -O2 and -Os; GCC looks deepest with -O3, Clang's front end finds all that it finds.
@pytest.mark.parametrize(
    ("compiler", "target", "optimize", "each_time"),
    [
        ("gcc", (), "-O3", False),
        ("clang", (), "-fsyntax-only", True),
        ("clang", (), "-O3", False),
        ("arm-none-eabi-gcc", _CORTEX_M4, "-O2", True),
        ("arm-none-eabi-gcc", _CORTEX_M4, "-Os", False),
        ("arm-none-eabi-gcc", _CORTEX_M0, "-O2", False),
        ("arm-none-eabi-gcc", _CORTEX_M0, "-Os", True),
    ],
    ids=["gcc", "clang", "clang-O3", "cortex-m4-O2", "cortex-m4-Os", "cortex-m0-O2", "cortex-m0-Os"],
)
def test_optimizing_compilers_warn_about_nothing(
    compiler: str, target: tuple[str, ...], optimize: str, each_time: bool, long: bool, tmp_path: Path
) -> None:
    if not each_time and not long:
        pytest.skip("only with --long")
    found = compiler_called(compiler)
    if found is None:
        pytest.skip(f"{compiler} is not installed")
    for name, text in render_bundle(one_of_each()).items():
        (tmp_path / name).write_text(text)
    command = [*found.command, *target, *WARNINGS, optimize, "-c", "bundle.c", "-o", "bundle.o"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", OPS)
def test_every_op_has_a_strategy_and_a_portable_kernel(kind: str) -> None:
    if OPS[kind] in ROW_OPS:
        # A part of a TOKEN_BLOCK: test_token_kernels.py.
        assert any(kernel.op is OPS[kind] for kernel in portable_rows.KERNELS)
        return
    assert OPS[kind] in {**STRATEGIES, **FLOAT_STRATEGIES}
    assert any(kernel.op is OPS[kind] and kernel.isa == "portable" for kernel in CATALOGUE)


def test_kernels_are_named_by_the_law() -> None:
    assert len({(kernel.op, kernel.symbol) for kernel in CATALOGUE}) == len(CATALOGUE)
    by_symbol: dict[str, Kernel] = {}
    for kernel in CATALOGUE:
        assert re.fullmatch(
            r"tinyc_[a-z0-9_]+?_(s4|s8|s16|s32|f32|x8|x16|x32|bool)[a-z0-9_]*?__[a-z0-9_]+", kernel.symbol
        )
        assert kernel.isa == "portable" or kernel.requires, f"{kernel.symbol} names an ISA and requires none"
        other = by_symbol.setdefault(kernel.symbol, kernel)
        assert (other.source, other.headers) == (kernel.source, kernel.headers)
