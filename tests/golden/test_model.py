"""Rendered `model.c` and `model.h` of one tiny model per board, and that they never change by chance."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from strategies.common import constant
from tinyc.boards import load_board
from tinyc.emit.model import render_model
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Activation, FullyConnected
from tinyc.ir.tensor import DType, Quantization, Tensor
from tinyc.pipeline import compile_graph

pytestmark = pytest.mark.golden

BOARDS = ("host", "nrf52840")


def tiny() -> Graph:
    """Two fully connected layers, 4 -> 3 -> 2, with every number fixed."""
    tensors = {
        "x": Tensor("x", (1, 4), DType.INT8, Quantization((0.5,), (-3,))),
        "hidden": Tensor("hidden", (1, 3), DType.INT8, Quantization((0.25,), (-128,))),
        "y": Tensor("y", (1, 2), DType.INT8, Quantization((0.125,), (7,))),
    }
    for name, rows, columns in (("w1", 3, 4), ("w2", 2, 3)):
        data = (np.arange(rows * columns) * 37 % 255 - 127).astype(np.int8).reshape(rows, columns)
        scales = tuple(0.01 * (row + 1) for row in range(rows)) if name == "w1" else (0.02,)
        quantization = Quantization(scales, (0,) * len(scales), 0 if name == "w1" else None)
        tensors[name] = constant(name, data, quantization)
    tensors["b1"] = constant("b1", np.array([-20_000, 5, 20_000], np.int32))
    ops = (
        FullyConnected(
            name="dense */ one", inputs=("x", "w1", "b1"), outputs=("hidden",), activation=Activation.RELU
        ),
        FullyConnected(name="dense/two", inputs=("hidden", "w2"), outputs=("y",)),
    )
    return verify(Graph("tiny", tensors, ops, ("x",), ("y",)))


def render(board: str) -> dict[str, str]:
    return render_model(compile_graph(tiny(), load_board(board), name="tiny net"))


def without_kernels(text: str) -> str:
    """The kernel files are committed as they are pasted, so the golden text only names them."""
    return re.sub(r"(/\* ---- \S+\.[ch] ---- \*/\n).*?(?=/\* ---- )", r"\1\n", text, flags=re.DOTALL)


@pytest.mark.parametrize("board", BOARDS)
def test_rendered_c(board: str, golden: Callable[[str, str], None]) -> None:
    for name, text in render(board).items():
        golden(f"model/{board}/{name}", without_kernels(text))


def fingerprint() -> str:
    texts = [text for board in BOARDS for text in render(board).values()]
    return hashlib.sha256("".join(texts).encode()).hexdigest()


@pytest.mark.parametrize("seed", ["0", "1", "12345"])
def test_rendering_does_not_depend_on_the_hash_seed(seed: str) -> None:
    code = "from golden.test_model import fingerprint; print(fingerprint())"
    folders = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "compiler")]
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(folders)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == fingerprint()


def test_no_trailing_spaces_tabs_or_runs_of_empty_lines() -> None:
    for text in render("nrf52840").values():
        assert "\t" not in text and "\r" not in text and "\n\n\n" not in text
        assert all(line == line.rstrip() for line in text.splitlines())
