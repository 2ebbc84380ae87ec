"""Small int8 networks for the sparse head, and its C on this machine."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import (
    Add,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool2D,
    Mean,
    Op,
    Reshape,
    Softmax,
)
from tinyc.ir.ops.base import Activation, Padding
from tinyc.ir.tensor import DType, Quantization, Tensor
from tinyc.learning import emit
from tinyc.learning.sparse.design import SparseDesign
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached, find_compiler

MAIN = Path(__file__).resolve().parent.parent / "host" / "sparse_main.c"


class Network:
    """Builds an int8 graph layer by layer, with random weights and scales that use the range."""

    def __init__(self, seed: int, height: int, width: int, channels: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.tensors: dict[str, Tensor] = {}
        self.ops: list[Op] = []
        self.last = self._tensor("x", (1, height, width, channels), 0.05, -128)

    def _tensor(self, name: str, shape: Sequence[int], scale: float, zero_point: int) -> str:
        quantization = Quantization((float(np.float32(scale)),), (zero_point,))
        self.tensors[name] = Tensor(name, tuple(shape), DType.INT8, quantization)
        return name

    def _constants(
        self, name: str, shape: tuple[int, ...], rows: int, axis: int | None, size: float = 1.0
    ) -> tuple[str, str]:
        count = 1 if axis is None else rows
        scales = tuple(float(np.float32(s)) for s in size * self.rng.uniform(0.004, 0.012, count))
        weights = self.rng.integers(-127, 128, shape).astype(np.int8)
        quantization = Quantization(scales, (0,) * count, axis)
        self.tensors[f"{name}/weights"] = Tensor(f"{name}/weights", shape, DType.INT8, quantization, weights)
        biases = self.rng.integers(-800, 800, rows).astype(np.int32)
        self.tensors[f"{name}/bias"] = Tensor(f"{name}/bias", (rows,), DType.INT32, None, biases)
        return f"{name}/weights", f"{name}/bias"

    def _append(self, op: Op, scale: float, zero_point: int) -> None:
        operands = [self.tensors[name] for name in op.inputs]
        self.last = self._tensor(op.outputs[0], op.output_shapes(operands)[0], scale, zero_point)
        self.ops.append(op)

    def conv(self, rows: int, kernel: int = 1, stride: int = 1, *, relu: bool = True) -> Network:
        name = f"conv_{len(self.ops)}"
        depth = self.tensors[self.last].shape[3]
        constants = self._constants(name, (rows, kernel, kernel, depth), rows, 0)
        op = Conv2D(
            name=name,
            inputs=(self.last, *constants),
            outputs=(name,),
            stride=(stride, stride),
            padding=Padding.SAME,
            activation=Activation.RELU if relu else Activation.NONE,
        )
        self._append(op, 0.02 * (kernel * kernel * depth) ** 0.5, -128 if relu else 3)
        return self

    def depthwise(self, kernel: int = 3, stride: int = 1, *, relu: bool = True) -> Network:
        name = f"depthwise_{len(self.ops)}"
        depth = self.tensors[self.last].shape[3]
        constants = self._constants(name, (1, kernel, kernel, depth), depth, 3)
        op = DepthwiseConv2D(
            name=name,
            inputs=(self.last, *constants),
            outputs=(name,),
            stride=(stride, stride),
            padding=Padding.SAME,
            activation=Activation.RELU6 if relu else Activation.NONE,
        )
        self._append(op, 0.02 * kernel, -128 if relu else -5)
        return self

    def residual(self, other: str) -> Network:
        name = f"add_{len(self.ops)}"
        self._append(Add(name=name, inputs=(self.last, other), outputs=(name,)), 0.11, -4)
        return self

    def pool(self, *, mean: bool = False) -> Network:
        name = f"pool_{len(self.ops)}"
        x = self.tensors[self.last]
        if mean:
            op: Op = Mean(name=name, inputs=(self.last,), outputs=(name,), axes=(1, 2))
            self._append(op, x.scale * 0.5, x.zero_point)
            return self
        op = AveragePool2D(
            name=name,
            inputs=(self.last,),
            outputs=(name,),
            filter_height=x.shape[1],
            filter_width=x.shape[2],
        )
        self._append(op, x.scale, x.zero_point)
        return self.flatten()

    def max_pool(self) -> Network:
        name = f"pool_{len(self.ops)}"
        x = self.tensors[self.last]
        op = MaxPool2D(name=name, inputs=(self.last,), outputs=(name,), filter_height=2, filter_width=2)
        self._append(op, x.scale, x.zero_point)
        return self

    def flatten(self) -> Network:
        name = f"flatten_{len(self.ops)}"
        x = self.tensors[self.last]
        op = Reshape(name=name, inputs=(self.last,), outputs=(name,), shape=(1, x.elements))
        self._append(op, x.scale, x.zero_point)
        return self

    def dense(self, rows: int, *, relu: bool = False, size: float = 1.0) -> Network:
        name = f"dense_{len(self.ops)}"
        depth = self.tensors[self.last].elements
        constants = self._constants(name, (rows, depth), rows, None, size)
        op = FullyConnected(
            name=name,
            inputs=(self.last, *constants),
            outputs=(name,),
            activation=Activation.RELU if relu else Activation.NONE,
        )
        self._append(op, (0.08 if relu else 0.02) * depth**0.5, -128 if relu else 0)
        return self

    def graph(self, *, softmax: bool = True) -> Graph:
        if softmax:
            self._append(Softmax(name="softmax", inputs=(self.last,), outputs=("softmax",)), 1 / 256, -128)
        return verify(Graph("net", self.tensors, tuple(self.ops), ("x",), (self.last,)))


class SparseProgram:
    """The C of a sparse head in a process of its own, under sanitizers."""

    def __init__(self, design: SparseDesign, compiler: HostCompiler | None = None) -> None:
        compiler = compiler or find_compiler()
        self.design = design
        texts = {**emit.head_texts(design), **emit.head_sources(design)}
        texts["sparse_main.c"] = MAIN.read_text(encoding="utf-8")
        flags = (*WARNINGS, "-O1", "-ffp-contract=off", *compiler.sanitizer_flags())
        self.path = compile_cached(compiler, texts, flags, "sparse_main")

    def call(self, records: Sequence[bytes], answers: Sequence[int]) -> list[bytes]:
        """The answers to records, of the given lengths."""
        done = subprocess.run(
            [str(self.path)],
            input=b"".join(records),
            capture_output=True,
            check=False,
            env={"ASAN_OPTIONS": "detect_leaks=0"},
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        assert len(done.stdout) == sum(answers)
        found, at = [], 0
        for length in answers:
            found.append(done.stdout[at : at + length])
            at += length
        return found

    def score_bytes(self) -> int:
        return 8 + 4 * self.design.capacity

    def stream(self, samples: Sequence[tuple[np.ndarray, int]]) -> list[tuple[bytes, bytes]]:
        """(scores, state after the update) of each labelled latent, one after the other."""
        records, answers = [], []
        for latent, label in samples:
            records += [b"s" + latent.tobytes(), b"u" + latent.tobytes() + struct.pack("<I", label)]
            answers += [self.score_bytes(), self.design.state_bytes]
        found = self.call(records, answers)
        return list(zip(found[::2], found[1::2], strict=True))
