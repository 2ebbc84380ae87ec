"""Names, numbers and arrays as C text, and the interpreter's checks."""

from __future__ import annotations

import re

import jinja2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.common import random_inputs
from support.networks import random_network
from tinyc import interpreter
from tinyc.boards import load_board
from tinyc.emit.arrays import c_type, initializer, literal
from tinyc.emit.environment import environment
from tinyc.emit.kernel_files import kernel_files
from tinyc.emit.model import render_bundle, render_model
from tinyc.emit.names import RESERVED, c_identifier, comment_text, string_literal, unique_identifiers
from tinyc.emit.symbols import emitted
from tinyc.errors import TinycError
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Logistic
from tinyc.ir.tensor import DType, Quantization, Tensor
from tinyc.pipeline import compile_graph
from tinyc.quantize.fixed_point import Rounding

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kws", "kws"),
        ("KWS ref-model.v2", "kws_ref_model_v2"),
        ("3dnet", "model_3dnet"),
        ("while", "while_model"),
        ("int", "int_model"),
        ("Möbius", "mobius"),
        ("モデル", "model"),
        ("", "model"),
        ("___", "model"),
        ("../../etc/passwd", "etc_passwd"),
    ],
)
def test_identifiers(name: str, expected: str) -> None:
    assert c_identifier(name) == expected


@given(st.text())
def test_identifiers_are_always_valid(name: str) -> None:
    identifier = c_identifier(name)
    assert re.fullmatch(r"[a-z][a-z0-9_]*", identifier)
    assert identifier not in RESERVED and len(identifier) <= 60


@given(st.lists(st.sampled_from(["a", "A", "a_2", "ä", "", "1"]), max_size=8))
def test_clashing_names_become_different(names: list[str]) -> None:
    found = unique_identifiers(names)
    assert len(set(found)) == len(names)


@given(st.text(alphabet=st.characters() | st.sampled_from("*/?\\\n")))
def test_comment_texts_cannot_end_or_nest_a_comment(text: str) -> None:
    safe = comment_text(text)
    assert safe.isascii() and safe.isprintable()
    assert "*/" not in safe and "/*" not in safe and "??" not in safe


@given(st.text())
def test_string_literals_hold_the_utf8_bytes(text: str) -> None:
    inner = string_literal(text)[1:-1]
    back = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), inner)
    assert back.encode("latin-1") == text.encode("utf-8") and "??" not in inner


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-128, "-128"),
        (2**31 - 1, "2147483647"),
        (-(2**31), "INT32_MIN"),
        (2**32 - 1, "4294967295u"),
        (2**40, "INT64_C(1099511627776)"),
        (-(2**63), "INT64_MIN"),
        (1.0, "1.0f"),
        (-0.5, "-0.5f"),
        (1e-20, "1e-20f"),
        (np.int32(7), "7"),
        (np.float32(0.1), "0.100000001f"),
    ],
)
def test_literals(value: float, text: str) -> None:
    assert literal(value) == text


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_numbers_without_a_literal_are_refused(value: float) -> None:
    with pytest.raises(ValueError):
        literal(value)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float_literals_are_exact(value: float) -> None:
    assert np.float32(literal(value)[:-1]) == np.float32(value)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32"])
def test_arrays_keep_every_value_and_stay_narrow(dtype: str) -> None:
    info = np.iinfo(dtype)
    values = np.random.default_rng(0).integers(info.min, info.max + 1, 300).astype(dtype)
    values[:2] = info.min, info.max
    text = initializer(values)
    assert max(map(len, text.splitlines())) <= 100
    words = text.replace("\n", " ").replace("INT32_MIN", str(-(2**31))).replace("u", "").split(",")
    assert [int(word) for word in words if word.strip()] == values.tolist()
    assert c_type(values) == f"{dtype}_t"


def test_truth_values_are_bytes() -> None:
    values = np.array([True, False])
    assert (c_type(values), initializer(values).split()) == ("uint8_t", ["1,", "0,"])


def test_types_without_a_c_name_are_refused() -> None:
    with pytest.raises(ValueError, match="no C type for dtype float64"):
        c_type(np.zeros(1))


def test_a_misspelt_field_in_a_template_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="indx"):
        environment().from_string("{{ step.indx }}").render(step=object())


def test_only_the_kernels_in_use_are_pasted_and_each_once() -> None:
    program = compile_graph(random_network(np.random.default_rng(0)), load_board("host"), name="kws")
    files = kernel_files([program, program])
    paths = [file.path for file in files]
    assert len(set(paths)) == len(paths)
    assert paths[0] == "include/tinyc_fixed_point.h"
    kernels = [step.kernel for step in program.steps]
    used = {kernel.symbol if kernel.source.endswith(".j2") else kernel.source for kernel in kernels}
    assert {path for path in paths if not path.endswith(".h")} == used
    assert not any('#include "' in file.text for file in files)


def test_a_table_that_two_layers_need_is_there_once() -> None:
    inputs = [Tensor(name, (1, 9), DType.INT8, Quantization((0.1,), (3,))) for name in "ab"]
    outputs = [Tensor(name, (1, 9), DType.INT8, Quantization((1 / 256,), (-128,))) for name in "cd"]
    ops = tuple(Logistic(name=f"to_{y}", inputs=(x,), outputs=(y,)) for x, y in ("ac", "bd"))
    tensors = {tensor.name: tensor for tensor in (*inputs, *outputs)}
    graph = verify(Graph("twice", tensors, ops, ("a", "b"), ("c", "d")))
    program = compile_graph(graph, load_board("host"), name="twice")
    text = render_model(program)["model.c"]
    assert text.count("static const uint8_t twice_layer_0_table[256]") == 1
    assert "twice_layer_1_table" not in text and text.count(".table = twice_layer_0_table") == 2
    assert program.weight_bytes == emitted(program).weight_bytes == 256


def test_programs_that_cannot_be_rendered_are_refused() -> None:
    graph = random_network(np.random.default_rng(0))
    board = load_board("host")
    empty = Graph("empty", graph.tensors, (), ("in_0", "in_1"), ("in_0",))
    with pytest.raises(TinycError, match="no layer"):
        render_model(compile_graph(empty, board, name="empty"))
    constant = Graph("constant", graph.tensors, graph.ops, graph.inputs, ("w0",))
    with pytest.raises(TinycError, match="`w0` is a constant"):
        render_model(compile_graph(constant, board, name="constant"))
    twice = [compile_graph(graph, board, name=name) for name in ("a b", "a-b")]
    with pytest.raises(ValueError, match="differ"):
        render_bundle(twice)


def test_the_interpreter_traces_every_tensor_and_passes_the_rounding_on() -> None:
    graph = random_network(np.random.default_rng(7), layers=6)
    rng = np.random.default_rng(0)
    inputs = [rng.integers(-128, 128, graph[name].shape).astype(np.int8) for name in graph.inputs]
    values = interpreter.trace(graph, inputs)
    assert set(values) == set(graph.tensors)
    for name, value in zip(graph.outputs, interpreter.run(graph, inputs), strict=True):
        np.testing.assert_array_equal(value, values[name])
    differing = 0
    for seed in range(9):
        graph = random_network(np.random.default_rng(seed))
        inputs = random_inputs(np.random.default_rng(seed), graph)
        single = interpreter.trace(graph, inputs, Rounding.SINGLE)
        double = interpreter.trace(graph, inputs, Rounding.DOUBLE)
        differing += any((single[name] != double[name]).any() for name in single)
    assert differing > 0


def test_the_interpreter_lists_every_input_that_does_not_fit() -> None:
    graph = random_network(np.random.default_rng(0))
    with pytest.raises(TinycError) as error:
        interpreter.run(graph, [np.zeros(3, np.int8), np.zeros((1, 1), np.float32)])
    assert len(error.value.problems) == 2 and "input in_1" in str(error.value)
