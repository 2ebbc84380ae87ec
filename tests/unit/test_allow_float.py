"""`--allow-float` and `allow_float` of tinyc.toml: what they let through, and what is said without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from strategies import FLOAT_STRATEGIES, STRATEGIES
from support import tflite_writer
from support.command_line import tinyc
from support.float_models import float_dense
from tinyc import frontends, passes
from tinyc.errors import TinycError
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import (
    Dequantize,
    Floor,
    FullyConnected,
    Op,
    PadV2,
    Quantize,
    Svdf,
    UnidirectionalSequenceLstm,
)
from tinyc.ir.tensor import DType, Quantization, Tensor
from tinyc.pipeline import prepare
from tinyc.source import resolve

pytestmark = pytest.mark.unit


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "dense.tflite"
    path.write_bytes(tflite_writer.write(float_dense(np.random.default_rng(1))))
    return path


def float_island() -> Graph:
    """int16 → float32 → int16: too many values for a table."""
    scale = Quantization((0.1,), (0,))
    tensors = [
        Tensor("x", (4,), DType.INT16, scale),
        Tensor("real", (4,), DType.FLOAT32),
        Tensor("whole", (4,), DType.FLOAT32),
        Tensor("y", (4,), DType.INT16, scale),
    ]
    ops = (
        Dequantize(name="in", inputs=("x",), outputs=("real",)),
        Floor(name="middle", inputs=("real",), outputs=("whole",)),
        Quantize(name="out", inputs=("whole",), outputs=("y",)),
    )
    return verify(Graph("island", {t.name: t for t in tensors}, ops, ("x",), ("y",)))


def padded(fill: float) -> Graph:
    tensors = {"x": Tensor("x", (1, 3), DType.FLOAT32), "y": Tensor("y", (1, 5), DType.FLOAT32)}
    op = PadV2(name="layer", inputs=("x",), outputs=("y",), paddings=((0, 0), (1, 1)), fill=fill)
    return verify(Graph("padded", tensors, (op,), ("x",), ("y",)))


def test_a_float_model_is_refused_with_both_ways_out(model: Path) -> None:
    said = tinyc("check", model, "--board", "nrf52840")
    assert said.code == 1
    assert "--calibration FILE" in said.stderr and "--allow-float" in said.stderr


def test_a_float_layer_in_an_int8_model_is_refused_by_name() -> None:
    with pytest.raises(TinycError) as caught:
        passes.legalize(float_island())
    (problem,) = caught.value.problems
    assert "FLOOR middle" in problem.where and "--allow-float" in problem.allowed
    assert "tinyc quantize" in caught.value.hint and "--allow-float" in caught.value.hint
    assert passes.legalize(float_island(), allow_float=True).ops == float_island().ops


@pytest.mark.parametrize("op", [Svdf, UnidirectionalSequenceLstm], ids=lambda op: op.kind)
def test_a_float_layer_with_state_is_refused_by_name(op: type[Op]) -> None:
    graph = FLOAT_STRATEGIES[op](np.random.default_rng(1))
    with pytest.raises(TinycError) as caught:
        passes.legalize(graph)
    (problem,) = caught.value.problems
    assert f"{op.kind} layer" in problem.where and "--allow-float" in problem.allowed
    assert passes.legalize(graph, allow_float=True) is graph


@pytest.mark.parametrize("fill", [-3e38, -0.0, 0.1])
def test_a_border_holds_the_number_of_the_file(fill: float, tmp_path: Path) -> None:
    path = tmp_path / "padded.tflite"
    path.write_bytes(tflite_writer.write(padded(fill)))
    (op,) = frontends.load(path).ops
    assert isinstance(op, PadV2) and np.float32(op.fill).tobytes() == np.float32(fill).tobytes()


def test_a_float_model_is_compiled_as_it_is(model: Path) -> None:
    prepared = prepare(resolve(model, allow_float=True))
    assert [op.kind for op in prepared.graph.ops] == ["FULLY_CONNECTED", "FULLY_CONNECTED", "MAXIMUM"]
    assert all(tensor.dtype is DType.FLOAT32 for tensor in prepared.graph.tensors.values())
    assert prepared.bill is None


def test_an_int8_model_does_not_change(tmp_path: Path) -> None:
    path = tmp_path / "int8.tflite"
    path.write_bytes(tflite_writer.write(STRATEGIES[FullyConnected](np.random.default_rng(7))))
    graphs = [prepare(resolve(path, allow_float=allow)).graph for allow in (False, True)]
    assert graphs[0].digest() == graphs[1].digest()


def test_the_file_may_allow_it_and_the_command_line_may_not(model: Path) -> None:
    config = model.with_name("tinyc.toml")
    config.write_text(f'[model]\npath = "{model.name}"\n[quantize]\nallow_float = true\n')
    assert resolve(config).allow_float
    assert not resolve(config, allow_float=False).allow_float
    assert not resolve(config, calibration=model).allow_float
    with pytest.raises(TinycError, match="--calibration quantizes"):
        resolve(config, calibration=model, allow_float=True)


@pytest.mark.parametrize(
    ("line", "what"),
    [('allow_float = "yes"', "is 'yes'"), ("allow_float = true", "is true beside calibration data")],
)
def test_the_file_says_what_is_wrong_with_it(model: Path, line: str, what: str) -> None:
    config = model.with_name("tinyc.toml")
    calibration = f'calibration = "{model.name}"\n' if line.endswith("true") else ""
    config.write_text(f'[model]\npath = "{model.name}"\n[quantize]\n{calibration}{line}\n')
    with pytest.raises(TinycError) as caught:
        resolve(config)
    (problem,) = caught.value.problems
    assert (problem.where, problem.what) == ("quantize.allow_float", what)
