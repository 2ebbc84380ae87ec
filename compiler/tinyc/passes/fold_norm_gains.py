"""Moves the gain and the beta of a normalization into the layers that read it.

What stays gives rows of one root mean square, for which one scale fits all tokens and all data.
Float32 only; equal up to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops import Attention, DepthwiseConv1D, Linear, Op, Pooling, Reshape, StridedSlice, TokenPool
from tinyc.ir.ops.norm import Norm
from tinyc.ir.tensor import Array, DType, Tensor, TensorName
from tinyc.passes.rewrite import fresh_name, uses


@dataclass(frozen=True, slots=True)
class _Affine:
    """y = gain * z + beta for each channel."""

    gain: Array
    beta: Array


class _Fold:
    """Copies of the ops with one gain moved. `possible` turns False at a reader that cannot take it."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.reads = uses(graph)
        self.tensors = dict(graph.tensors)
        self.ops = {op.name: op for op in graph.ops}
        self.possible = True

    def readers(self, name: TensorName) -> list[Op]:
        return [op for op in self.ops.values() if name in op.inputs]

    def constant(self, name: TensorName) -> Array | None:
        return self.tensors[name].data

    def changed(self, old: TensorName, data: Array) -> TensorName:
        """A constant instead of another; a new one where other ops read the old one."""
        name = old if self.reads[old] == 1 else fresh_name(self.tensors, old)
        self.tensors[name] = Tensor(name, data.shape, DType.FLOAT32, None, data.astype(np.float32))
        return name

    def push(self, name: TensorName, affine: _Affine) -> None:
        """Makes every reader of `name` read z instead of gain * z + beta."""
        if name in self.graph.outputs:
            self.possible = False
        for op in self.readers(name):
            if self.possible:
                self._reader(self.ops[op.name], name, affine)

    def _reader(self, op: Op, name: TensorName, affine: _Affine) -> None:
        if isinstance(op, Linear):
            self._linear(op, name, affine)
        elif isinstance(op, Attention):
            self._attention(op, name, affine)
        elif isinstance(op, DepthwiseConv1D):
            self._convolution(op, affine)
        elif isinstance(op, StridedSlice | Reshape | TokenPool) and self._keeps_channels(op):
            self.push(op.outputs[0], affine)
        else:
            self.possible = False

    def _keeps_channels(self, op: StridedSlice | Reshape | TokenPool) -> bool:
        """True when gain and beta are the same behind the op."""
        (x,), (y,) = self.graph.operands(op), self.graph.results(op)
        if isinstance(op, TokenPool):
            return op.pooling is Pooling.MEAN
        return x.shape[-1:] == y.shape[-1:] and (isinstance(op, Reshape) or op.strides[-1] == 1)

    def _linear(self, op: Linear, name: TensorName, affine: _Affine) -> None:
        """W (gain z + beta) + b: columns of W times the gain, W beta into the bias."""
        count = 2 * op.sources
        if op.residual and op.inputs[-1] == name:
            self.possible = False
            return
        inputs = list(op.inputs)
        total = np.zeros(self.tensors[op.inputs[1]].shape[0])
        for at in range(0, count, 2):
            weights = self.constant(inputs[at + 1])
            if weights is None:
                self.possible = False
                return
            if inputs[at] == name:
                total = total + weights @ affine.beta
                inputs[at + 1] = self.changed(inputs[at + 1], weights * affine.gain)
        bias = self.constant(inputs[count]) if op.bias else np.zeros(len(total))
        if bias is None:
            self.possible = False
            return
        if total.any():
            offsets = bias.reshape(-1) + total
            inputs[count : count + op.bias] = [self.changed(_bias_name(op), offsets)]
        self.ops[op.name] = op.with_(inputs=tuple(inputs), bias=op.bias or bool(total.any()))

    def _convolution(self, op: DepthwiseConv1D, affine: _Affine) -> None:
        """Taps times the gain. The zeros before the first row have no beta."""
        taps = self.constant(op.inputs[1])
        if taps is None or affine.beta.any():
            self.possible = False
            return
        inputs = (op.inputs[0], self.changed(op.inputs[1], taps * affine.gain), op.inputs[2])
        self.ops[op.name] = op.with_(inputs=inputs)

    def _attention(self, op: Attention, name: TensorName, affine: _Affine) -> None:
        """q and k meet in products: the gain of one goes to the other. A context has the gain of v.

        q times the beta of k is the same for all keys, which the softmax takes out.
        """
        q, k, v = op.inputs
        if name == q and (name == k or affine.beta.any()):
            self.possible = False
            return
        if name == q:
            self._rows_scaled(k, op, affine.gain)
        if name == k:
            self._rows_scaled(q, op, affine.gain)
        if name == v and self.possible:
            self.push(op.outputs[0], affine)

    def _rows_scaled(self, name: TensorName, reader: Op, gain: Array) -> None:
        """Scales the output of a linear layer that only `reader` reads."""
        op = next((op for op in self.ops.values() if name in op.outputs), None)
        plain = isinstance(op, Linear) and not op.residual and op.activation.value == "NONE"
        if not isinstance(op, Linear) or not plain or self.reads[name] != 1 or name in self.graph.outputs:
            self.possible = False
            return
        inputs = list(op.inputs)
        for at in (*range(1, 2 * op.sources, 2), *([2 * op.sources] if op.bias else [])):
            data = self.constant(inputs[at])
            if data is None:
                self.possible = False
                return
            scaled = data * (gain[:, None] if data.ndim == 2 else gain)
            inputs[at] = self.changed(inputs[at], scaled)
        self.ops[op.name] = op.with_(inputs=tuple(inputs))


def _bias_name(op: Linear) -> TensorName:
    return op.inputs[2 * op.sources] if op.bias else f"{op.name}/bias"


def fold_norm_gains(graph: Graph) -> Graph:
    """Norms without gain and beta where all of their readers can take them."""
    for op in graph.ops:
        if not isinstance(op, Norm) or not op.gain:
            continue
        x, *constants = graph.operands(op)
        if x.dtype is not DType.FLOAT32 or not all(tensor.is_constant for tensor in constants):
            continue
        gain, *rest = (tensor.constant.astype(np.float64).reshape(-1) for tensor in constants)
        fold, beta = _Fold(graph), rest[0] if rest else np.zeros(len(gain))
        if beta.any() or np.any(gain != 1.0):
            fold.push(op.outputs[0], _Affine(gain, beta))
        if fold.possible:
            fold.ops[op.name] = op.with_(inputs=(x.name,), gain=False, beta=False)
            graph = graph.rebuilt(ops=fold.ops.values(), tensors=fold.tensors)
    return graph
