"""Compilers keep every constant array and the arena with the sizes that the budget predicts."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from support.networks import random_network
from tinyc.boards import load_board
from tinyc.emit.model import render_model
from tinyc.emit.symbols import emitted
from tinyc.memory.budget import budget
from tinyc.pipeline import compile_graph
from tinyc.program import Program
from tinyc.resources import data_folder

pytestmark = pytest.mark.host

_ARM = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
# The freestanding target has no C library: the firmware brings its own string.h.
_ZIG = (
    *(sys.executable, "-m", "ziglang", "cc", "-target", "thumb-freestanding-eabihf"),
    *("-mcpu=cortex_m4+vfp4d16sp", f"-I{data_folder('firmware_templates') / 'runtime' / 'include'}"),
)
COMPILERS = {
    "cc": ("cc",),
    "clang": ("clang",),
    "arm-none-eabi-gcc": ("arm-none-eabi-gcc", *_ARM),
    "zig": _ZIG,
}


def twins() -> Program:
    """A net whose last two layers have identical constants; the portable kernel takes any."""
    graph = random_network(np.random.default_rng(11), layers=4)
    first = compile_graph(graph, load_board("host"), name="kws")
    twin = dataclasses.replace(first.steps[3], lowered=first.steps[2].lowered)
    return dataclasses.replace(first, steps=(*first.steps[:3], twin))


def lonely() -> Program:
    """One layer: the only caller of its kernel, which invites the compiler to fold its constants."""
    graph = random_network(np.random.default_rng(3), layers=1)
    return compile_graph(graph, load_board("nrf52840"), name="kws")


@pytest.mark.parametrize("model", [twins(), lonely()], ids=["twins", "lonely"])
@pytest.mark.parametrize("optimize", ["-Os", "-O2", "-O3"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_sizes_in_the_object_file(compiler: str, optimize: str, model: Program, tmp_path: Path) -> None:
    command = COMPILERS[compiler]
    if compiler == "zig":
        pytest.importorskip("ziglang")
    elif shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    for name, text in render_model(model).items():
        (tmp_path / name).write_text(text)
    flags = ["-std=c99", optimize, "-ffunction-sections", "-fdata-sections", "-Wall", "-Wextra", "-Werror"]
    done = subprocess.run(
        [*command, *flags, "-c", "model.c", "-o", "model.o"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with (tmp_path / "model.o").open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        sizes = {symbol.name: symbol["st_size"] for symbol in table.iter_symbols()}
        places = {s.name: (s["st_shndx"], s["st_value"]) for s in table.iter_symbols() if s.name}
    expected = emitted(model)
    assert sizes[expected.arena] == expected.arena_bytes
    assert {name: sizes.get(name) for name in expected.weights} == dict(expected.weights)
    assert len({places[name] for name in expected.weights}) == len(expected.weights)
    assert set(expected.params) <= set(sizes) and set(expected.layers) <= set(sizes)
    # Kernels are there under their own name, not as clones for one layer.
    assert {step.kernel.symbol for step in model.steps} <= set(sizes)


def test_params_are_predicted_exactly_and_code_nearly(tmp_path: Path) -> None:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    model = twins()
    result = budget(model)
    for name, text in render_model(model).items():
        (tmp_path / name).write_text(text)
    command = [*COMPILERS["arm-none-eabi-gcc"], "-std=c99", "-O2", "-c", "model.c", "-o", "model.o"]
    subprocess.run(command, cwd=tmp_path, check=True)
    with (tmp_path / "model.o").open("rb") as file:
        symbols = list(ELFFile(file).get_section_by_name(".symtab").iter_symbols())
    params = {s.name: s["st_size"] for s in symbols if s.name in emitted(model).params}
    assert sum(params.values()) == result.params
    functions = sum(s["st_size"] for s in symbols if s["st_info"]["type"] == "STT_FUNC")
    runtime = budget(dataclasses.replace(model, steps=())).code
    # Kernels are counted as Clang makes them; this is another compiler.
    assert 0.3 < (result.code - runtime) / functions < 3
