"""Several layers as one op, without the tensors between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array, Shape, Tensor, TensorName
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Block(Op):
    """inputs: what `parts` read from outside, each tensor once; outputs: what others read.

    No model file holds it: it is made for the kernels. It stands for `parts`, in order, in the text and the
    digest of a graph as well. The tensors `between` them never exist as a whole.
    """

    parts: tuple[Op, ...]
    between: tuple[Tensor, ...]

    @staticmethod
    def fields_of(
        parts: Sequence[Op], tensors: Mapping[TensorName, Tensor], kept: Iterable[TensorName]
    ) -> dict[str, Any]:
        """The fields of a block of `parts`; `kept` are the results that others read.

        Its name is that of the first and the last part.
        """
        made = [name for op in parts for name in op.outputs]
        wanted = set(kept)
        inputs = [name for op in parts for name in op.inputs if name not in made]
        return {
            "name": " .. ".join(dict.fromkeys((parts[0].name, parts[-1].name))),
            "inputs": tuple(dict.fromkeys(inputs)),
            "outputs": tuple(name for name in made if name in wanted),
            "source": parts[0].source,
            "parts": tuple(parts),
            "between": tuple(tensors[name] for name in made if name not in wanted),
        }

    def _tensors(self, operands: Sequence[Tensor]) -> dict[TensorName, Tensor]:
        """Every tensor that the parts name, with the shapes that follow from those of `operands`."""
        found = dict(zip(self.inputs, operands, strict=True))
        between = {tensor.name: tensor for tensor in self.between}
        for op in self.parts:
            shapes = op.output_shapes([found[name] for name in op.inputs])
            for name, shape in zip(op.outputs, shapes, strict=True):
                found[name] = between.get(name, operands[0]).with_(name=name, shape=shape, data=None)
        return found

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        tensors = self._tensors(operands)
        return tuple(tensors[name].shape for name in self.outputs)

    def macs(self, operands: Sequence[Tensor], results: Sequence[Tensor]) -> int:
        tensors = self._tensors(operands)
        return sum(
            op.macs([tensors[name] for name in op.inputs], [tensors[name] for name in op.outputs])
            for op in self.parts
        )

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        tensors = self._tensors(operands) | {tensor.name: tensor for tensor in results}
        found = dict(zip(self.inputs, values, strict=True))
        for op in self.parts:
            arrays = op.reference(
                [found[name] for name in op.inputs],
                [tensors[name] for name in op.inputs],
                [tensors[name] for name in op.outputs],
                rounding,
            )
            found.update(zip(op.outputs, arrays, strict=True))
        return tuple(found[name] for name in self.outputs)
