"""A CONV_2D and the DEPTHWISE_CONV_2D that alone reads its output, as one op without that tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tinyc.ir.ops.base import Op
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.ir.tensor import Array, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvDepthwise2D(Op):
    """inputs: those of the convolution, then the constants of the depthwise layer.

    No model file holds it and no pass makes it: kernels are chosen for it (`tinyc.fusion`). It stands for
    `parts`, in the text and the digest of a graph as well.
    """

    kind: ClassVar[str] = "CONV_2D+DEPTHWISE_CONV_2D"

    first: Conv2D
    second: DepthwiseConv2D
    intermediate: Tensor

    @classmethod
    def of(cls, first: Conv2D, second: DepthwiseConv2D, intermediate: Tensor) -> ConvDepthwise2D:
        """`second` reads `intermediate`, the result of `first`."""
        return cls(
            name=f"{first.name} + {second.name}",
            inputs=(*first.inputs, *second.inputs[1:]),
            outputs=second.outputs,
            source=first.source,
            first=first,
            second=second,
            intermediate=intermediate,
        )

    @property
    def parts(self) -> tuple[Conv2D, DepthwiseConv2D]:
        """The two ops, between the tensors that this one names."""
        count = len(self.first.inputs)
        between = self.intermediate.name
        return (
            self.first.with_(inputs=self.inputs[:count], outputs=(between,)),
            self.second.with_(inputs=(between, *self.inputs[count:]), outputs=self.outputs),
        )

    def _split(self, operands: Sequence[Tensor]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        count = len(self.first.inputs)
        return tuple(operands[:count]), (self.intermediate, *operands[count:])

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        before, after = self._split(operands)
        (between,) = self.first.output_shapes(before)
        if between != self.intermediate.shape:
            raise ValueError(
                f"the intermediate has shape {self.intermediate.shape}, its rule gives {between}"
            )
        return self.second.output_shapes(after)

    def macs(self, operands: Sequence[Tensor], results: Sequence[Tensor]) -> int:
        before, after = self._split(operands)
        return self.first.macs(before, (self.intermediate,)) + self.second.macs(after, results)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        before, after = self._split(operands)
        count = len(before)
        (between,) = self.first.reference(values[:count], before, (self.intermediate,), rounding)
        return self.second.reference((between, *values[count:]), after, results, rounding)
