"""Booleans and plain integers from end to end: compiled, run on the emulated chip, written to a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support import tflite_writer
from support.command_line import tinyc
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Add, Greater, LogicalAnd, LogicalNot, LogicalOr, SelectV2
from tinyc.ir.tensor import DType, Quantization, Tensor

pytestmark = pytest.mark.emulated

SHAPE = (1, 16)


def choices() -> Graph:
    """Where x is greater than 0.35 and the mask holds: x, elsewhere 0.35; beside it, counters."""
    scale = Quantization((0.05,), (3,))
    tensors = [
        Tensor("x", SHAPE, DType.INT8, scale),
        Tensor("limit", (1,), DType.INT8, scale, np.array([10], np.int8)),
        Tensor("third", SHAPE, DType.BOOL, None, (np.arange(16) % 3 == 0).reshape(SHAPE)),
        Tensor("steps", SHAPE, DType.INT32, None, np.arange(16, dtype=np.int32).reshape(SHAPE)),
        *(Tensor(name, SHAPE, DType.BOOL) for name in ("mask", "greater", "both", "neither", "some")),
        Tensor("chosen", SHAPE, DType.INT8, scale),
        *(Tensor(name, SHAPE, DType.INT32) for name in ("count", "sum")),
    ]
    ops = (
        Greater(name="greater", inputs=("x", "limit"), outputs=("greater",)),
        LogicalAnd(name="both", inputs=("greater", "mask"), outputs=("both",)),
        LogicalNot(name="neither", inputs=("both",), outputs=("neither",)),
        LogicalOr(name="some", inputs=("neither", "third"), outputs=("some",)),
        SelectV2(name="choose", inputs=("both", "x", "limit"), outputs=("chosen",)),
        Add(name="count", inputs=("count", "steps"), outputs=("sum",)),
    )
    table = {tensor.name: tensor for tensor in tensors}
    return verify(Graph("choices", table, ops, ("x", "mask", "count"), ("chosen", "some", "sum")))


def test_booleans_go_in_and_out(tmp_path: Path) -> None:
    model, given, found = (tmp_path / name for name in ("choices.tflite", "in.npz", "out.npz"))
    model.write_bytes(tflite_writer.write(choices()))
    x = np.arange(4, 20, dtype=np.int8).reshape(SHAPE)
    mask = (np.arange(16) % 2 == 0).reshape(SHAPE)
    np.savez(given, x=x, mask=mask, count=np.full(SHAPE, -3, np.int32))
    said = tinyc("run", model, "--board", "nrf52840", "--input", given, "--output", found)
    assert said.code == 0, said.stderr
    both = (x > 10) & mask
    with np.load(found) as outputs:
        chosen, some, total = (outputs[name] for name in outputs.files)
    assert some.dtype == np.bool_
    np.testing.assert_array_equal(chosen, np.where(both, x, 10))
    np.testing.assert_array_equal(some, ~both | (np.arange(16) % 3 == 0))
    np.testing.assert_array_equal(total, np.arange(-3, 13).reshape(SHAPE))
