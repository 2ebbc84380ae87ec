"""Whole programs as compiled C on this machine: outputs and every layer equal the interpreter."""

from __future__ import annotations

import ctypes
import dataclasses
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from golden.test_model import BOARDS, tiny
from strategies.common import random_inputs
from support.networks import random_network
from tinyc import interpreter
from tinyc.boards import load_board
from tinyc.emit.model import render_model
from tinyc.errors import TinycError
from tinyc.pipeline import compile_graph
from tinyc.program import Program
from tinyc.toolchain import host_compiler
from tinyc.toolchain.host import HostBundle, HostModel, SanitizerError
from tinyc.toolchain.host_compiler import CompileError, compile_cached, find_compiler

pytestmark = pytest.mark.host


def network(seed: int, name: str = "kws", *, mixed: bool = False) -> Program:
    graph = random_network(np.random.default_rng(seed), mixed=mixed)
    return compile_graph(graph, load_board("host"), name=name)


@pytest.mark.parametrize("sanitize", [False, True], ids=["library", "sanitized"])
@pytest.mark.parametrize("seed", range(4))
def test_outputs_and_trace_equal_the_interpreter(seed: int, sanitize: bool) -> None:
    program = network(seed, mixed=seed > 0)
    rng = np.random.default_rng(seed)
    records = [random_inputs(rng, program.graph) for _ in range(8)]
    with HostModel(program, sanitize=sanitize) as model:
        for inputs, actual in zip(records, model.run_many(records), strict=True):
            expected = interpreter.run(program.graph, inputs)
            assert [a.tobytes() for a in actual] == [e.tobytes() for e in expected]
        values = interpreter.trace(program.graph, records[0])
        traced = model.trace(records[0])
        results = {name for op in program.graph.ops for name in op.outputs}
        assert set(traced) == results | set(program.graph.inputs)
        for name, value in traced.items():
            np.testing.assert_array_equal(value, values[name], err_msg=name)


@pytest.mark.parametrize("board", BOARDS)
def test_the_golden_model_computes_right(board: str) -> None:
    program = compile_graph(tiny(), load_board(board), name="tiny net")
    rng = np.random.default_rng(0)
    with HostModel(program, sanitize=True) as model:
        records = [random_inputs(rng, program.graph) for _ in range(50)]
        for inputs, (actual,) in zip(records, model.run_many(records), strict=True):
            np.testing.assert_array_equal(actual, interpreter.run(program.graph, inputs)[0])


def test_many_networks_that_work_in_place_equal_the_interpreter() -> None:
    graphs = [random_network(np.random.default_rng(seed), 12, mixed=True) for seed in range(40)]
    board = load_board("host")
    bundle = HostBundle([compile_graph(graph, board, name=f"net{i}") for i, graph in enumerate(graphs)])
    shared = sum(len(p.buffer.tensors) > 1 for program in bundle.programs for p in program.plan.placements)
    assert shared > 40
    records = [(i, random_inputs(np.random.default_rng(i), graph)) for i, graph in enumerate(graphs)]
    for (index, inputs), actual in zip(records, bundle.run_all(records), strict=True):
        for expected, answer in zip(interpreter.run(graphs[index], inputs), actual, strict=True):
            np.testing.assert_array_equal(answer, expected, err_msg=f"network {index}")


def test_wrong_inputs_are_refused() -> None:
    program = network(0)
    inputs = random_inputs(np.random.default_rng(0), program.graph)
    with HostModel(program) as model:
        with pytest.raises(TinycError, match="takes 2 inputs, got 1"):
            model.run(inputs[:1])
        with pytest.raises(TinycError, match=r"in_0: is float32.*needs int8"):
            model.run([inputs[0].astype(np.float32), inputs[1]])
        with pytest.raises(TinycError, match="needs int8"):
            model.run([inputs[0][:, :0], inputs[1]])


@pytest.mark.parametrize(
    "name",
    ["kws", "while", "3 kühne Modelle", "*/ int x; /*", "\n", "", "ひらがな", "int8", "a\\", "x" * 300],
)
def test_odd_names_still_give_c(name: str) -> None:
    program = network(1, name)
    ops = tuple(op.with_(name=f"*/{name}/*{op.name}\n??/") for op in program.graph.ops)
    steps = tuple(dataclasses.replace(s, op=op) for s, op in zip(program.steps, ops, strict=True))
    program = dataclasses.replace(program, graph=program.graph.rebuilt(ops=ops), steps=steps)
    inputs = random_inputs(np.random.default_rng(0), program.graph)
    with HostModel(program) as model:
        (first, *_) = model.run(inputs)
    assert first.tobytes() == interpreter.run(program.graph, inputs)[0].tobytes()


def test_the_sanitized_run_catches_a_layer_that_leaves_its_operands() -> None:
    program = network(2)
    step = program.steps[0]
    # One unit more than the output holds: the write lands on the neighbour in the arena.
    fields = {**step.lowered.fields, "rows": program.steps[0].lowered.fields["rows"] + 1}
    broken = dataclasses.replace(step, lowered=dataclasses.replace(step.lowered, fields=fields))
    program = dataclasses.replace(program, steps=(broken, *program.steps[1:]))
    inputs = random_inputs(np.random.default_rng(0), program.graph)
    if find_compiler().is_zig:
        pytest.skip("zig ships no AddressSanitizer")
    with HostModel(program, sanitize=True) as model, pytest.raises(SanitizerError, match="_layer_0"):
        model.run(inputs)


@pytest.mark.parametrize("compiler", ["cc", "gcc", "clang", "arm-none-eabi-gcc", "c++"])
def test_the_model_builds_as_a_drop_in(compiler: str, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    for name, text in render_model(network(3)).items():
        (tmp_path / name).write_text(text)
    source, flags = "model.c", ["-std=c99", "-Wpedantic", "-Wconversion"]
    if compiler == "c++":
        source, flags = "user.cpp", []
        (tmp_path / source).write_text('#include "model.h"\nvoid f() { kws_input()[0] = 1; kws_invoke(); }\n')
    command = [compiler, *flags, "-Wall", "-Wextra", "-Werror", "-c", source, "-o", "model.o"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_quantize_and_dequantize_helpers_round_to_nearest_and_saturate() -> None:
    program = network(4)
    path = compile_cached(find_compiler(), render_model(program), ("-O2", "-shared", "-fPIC"), "model.so")
    library = ctypes.CDLL(str(path))
    x = program.graph[program.graph.inputs[0]]
    rng = np.random.default_rng(0)
    scale = np.float32(x.scale)
    for _ in range(50):
        real = (rng.normal(0, 80, x.elements) * scale).astype(np.float32)
        real[0] = rng.choice(np.float32([np.nan, np.inf, -np.inf, 0.0, 1e30, -1e30]))
        real[-1] = (rng.integers(-99, 99) + np.float32(0.5)) * scale
        answer = np.zeros(x.elements, np.int8)
        library.kws_quantize_input(ctypes.c_void_p(real.ctypes.data), ctypes.c_void_p(answer.ctypes.data))
        scaled = np.clip(np.nan_to_num(real / scale, nan=-1e6), -1e6, 1e6).astype(np.float64)
        expected = np.sign(scaled) * np.floor(np.abs(scaled) + 0.5) + x.zero_point
        expected = np.clip(expected, -128, 127)
        np.testing.assert_array_equal(answer, expected.astype(np.int8))
    y = program.graph[program.graph.outputs[0]]
    quantized = rng.integers(-128, 128, y.elements).astype(np.int8)
    back = np.zeros(y.elements, np.float32)
    library.kws_dequantize_output(ctypes.c_void_p(quantized.ctypes.data), ctypes.c_void_p(back.ctypes.data))
    np.testing.assert_array_equal(back, np.float32(y.scale) * (quantized.astype(np.float32) - y.zero_point))


def test_a_missing_compiler_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(host_compiler.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TinycError, match="no C compiler"):
        find_compiler()


def test_zig_is_taken_where_no_compiler_is_on_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("ziglang")
    monkeypatch.setenv("PATH", "")
    assert find_compiler().is_zig
    program = network(5)
    inputs = random_inputs(np.random.default_rng(0), program.graph)
    for sanitize in (False, True):
        with HostModel(program, sanitize=sanitize, compiler=find_compiler()) as model:
            assert model.run(inputs)[0].tobytes() == interpreter.run(program.graph, inputs)[0].tobytes()


def test_a_refused_compile_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TINYC_CACHE_DIR", str(tmp_path))
    with pytest.raises(CompileError, match="unknown_type"):
        compile_cached(find_compiler(), {"a.c": "unknown_type x;\n"}, ("-c",), "a.o")
    assert list((tmp_path / "host").iterdir()) == []


def test_many_may_ask_for_the_same_thing_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TINYC_CACHE_DIR", str(tmp_path))
    compiler = find_compiler()

    def compile_one(_: int) -> Path:
        return compile_cached(compiler, {"a.c": "int x;\n"}, ("-c",), "a.o")

    with ThreadPoolExecutor(4) as pool:
        (path,) = set(pool.map(compile_one, range(8)))
    assert path.is_file() and [path.parent] == list((tmp_path / "host").iterdir())
    # A folder that lost its product is made again.
    path.unlink()
    assert compile_one(0) == path and path.is_file()


def test_a_cache_that_cannot_be_written_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TINYC_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(TinycError, match="cannot write the cache"):
        compile_cached(find_compiler(), {"a.c": "int x;\n"}, ("-c",), "a.o")
