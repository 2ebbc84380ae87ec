"""The layers behind the tap: what forward and backward pass need of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tinyc.ir.ops.convolution import Window
from tinyc.ir.ops.elementwise import SumScaling
from tinyc.ir.ops.norm import RowScale
from tinyc.ir.tensor import Tensor, TensorName

Ints: TypeAlias = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Plane:
    """[height, width, channels] of an activation, batch 1."""

    height: int
    width: int
    channels: int

    @property
    def pixels(self) -> int:
        return self.height * self.width

    @property
    def elements(self) -> int:
        return self.pixels * self.channels


@dataclass(frozen=True, slots=True)
class Residual:
    """What a layer over rows adds: round((x - zero) * multiplier / 2^16) steps of its output."""

    input: TensorName
    wide: bool
    zero: int
    multiplier: int


@dataclass(frozen=True, slots=True)
class Weighted:
    """A layer with weights: a convolution, a depthwise one, or a dense layer as a convolution of one pixel.

    `weights` is int8 [rows, row], one row per output channel: taps row by row, of each the input channels
    (a depthwise row has taps only). `scales` and the fixed-point factors have one entry per row.
    `is_logits` marks the last layer, whose accumulators are the answer: it is not requantized.

    A layer over rows (`linear`) reads int16; its accumulators lose `drop` bits, rounded, before the bias is
    added, and are requantized with one multiplication, to int16 if `wide`. `input_scale` is the real value of
    a step of what it reads, as it is stored. Nothing of a `frozen` layer can learn. A `residual` is added
    behind the multiplication.
    """

    name: str
    input: TensorName
    output: TensorName
    x: Plane
    y: Plane
    window: Window
    depthwise: bool
    weights: npt.NDArray[np.int8]
    biases: Ints
    scales: npt.NDArray[np.float32]
    input_scale: float
    multipliers: Ints
    shifts: Ints
    input_zero: int
    output_zero: int
    low: int
    high: int
    is_logits: bool = False
    frozen: bool = False
    linear: bool = False
    wide: bool = False
    drop: int = 0
    residual: Residual | None = None

    @property
    def sum_scale(self) -> float:
        """What a step of an accumulator is worth, beside the scale of its row."""
        return self.input_scale * 2.0**self.drop

    @property
    def rows(self) -> int:
        return int(self.weights.shape[0])

    @property
    def row(self) -> int:
        """Weights of one row."""
        return int(self.weights.shape[1])

    @property
    def macs(self) -> int:
        return self.y.elements * self.row


@dataclass(frozen=True, slots=True)
class PoolLayer:
    """The mean over all pixels. `multiplier` is 0 for AVERAGE_POOL_2D, which keeps the scale."""

    name: str
    input: TensorName
    output: TensorName
    x: Plane
    multiplier: int
    shift: int
    input_zero: int
    output_zero: int
    low: int
    high: int

    @property
    def y(self) -> Plane:
        return Plane(1, 1, self.x.channels)


@dataclass(frozen=True, slots=True)
class AddLayer:
    """The sum of two activations of one shape."""

    name: str
    input: TensorName
    other: TensorName
    output: TensorName
    x: Plane
    scaling: SumScaling
    input_zero: int
    other_zero: int
    output_zero: int
    low: int
    high: int

    @property
    def y(self) -> Plane:
        return self.x


@dataclass(frozen=True, slots=True)
class GainLayer:
    """A gain for each channel as a factor of its own, 1 in the factory: in front of a layer over rows that
    the compiler has folded the gain of a norm into, or that of a norm itself, beside the norm's own one.

    y = ((x - zero) * round(gain * base) + offset) >> shift, within [low, high], int8 or int16. `bases` and
    `offsets` are int32 (channels,), of a folded gain 2^13 and what rounds; y then has steps of 1/64 of an
    int8 step of x, or the steps of an int16 x (`wide`). `scale` is the real value of a step of x, `units`
    (channels,) of one of (x - zero) * base; `slope` times the whole gain is the derivative. The first `rows`
    channels can learn: behind them is what has another source.
    """

    name: str
    input: TensorName
    output: TensorName
    x: Plane
    wide: bool
    zeros: Ints
    scale: float
    rows: int
    bases: Ints
    offsets: Ints
    shift: int
    units: npt.NDArray[np.float32]
    slope: float
    low: int = -32768
    high: int = 32767
    wide_output: bool = True

    @property
    def y(self) -> Plane:
        return self.x

    @property
    def row(self) -> int:
        return 1


@dataclass(frozen=True, slots=True)
class CurveLayer:
    """An activation by a table of an int8 value: `table` int16 (256,), and the derivative `slopes` (256,)."""

    name: str
    input: TensorName
    output: TensorName
    x: Plane
    wide_output: bool
    table: npt.NDArray[np.int16]
    slopes: npt.NDArray[np.float32]

    @property
    def y(self) -> Plane:
        return self.x


@dataclass(frozen=True, slots=True)
class NormLayer:
    """A layer norm, or an RMS norm if not `centred`, over one row, without the gain; see `tinyc.ir.ops.norm`.

    `scale` is that of x; `mean_multiplier` is 0 if there is no mean.
    """

    name: str
    input: TensorName
    output: TensorName
    x: Plane
    wide: bool
    wide_output: bool
    scale: float
    mean_multiplier: int
    row_scale: RowScale
    low: int
    high: int

    @property
    def y(self) -> Plane:
        return self.x


Layer: TypeAlias = Weighted | PoolLayer | AddLayer | GainLayer | NormLayer | CurveLayer
Trainable: TypeAlias = Weighted | GainLayer


def trainable(layers: Sequence[Layer]) -> list[Trainable]:
    """The layers that can learn, in order."""
    return [
        layer
        for layer in layers
        if isinstance(layer, GainLayer) or (isinstance(layer, Weighted) and not layer.frozen)
    ]


def is_wide(layers: Sequence[Layer], name: TensorName) -> bool:
    """Whether the tensor `name` of the layers, the tap included, is int16."""
    for layer in layers:
        if layer.output == name:
            if isinstance(layer, NormLayer | GainLayer | CurveLayer):
                return layer.wide_output
            return isinstance(layer, Weighted) and layer.wide
    reader = next(layer for layer in layers if layer.input == name)
    return isinstance(reader, GainLayer | NormLayer) and reader.wide


def latent_bytes(layers: Sequence[Layer]) -> int:
    """Bytes of the latent: what the first layer reads."""
    return layers[0].x.elements * (2 if is_wide(layers, layers[0].input) else 1)


def plane_of(tensor: Tensor) -> Plane:
    """An activation of one image or one row. Raises ValueError for several."""
    if len(tensor.shape) == 4 and tensor.shape[0] == 1:
        return Plane(*tensor.shape[1:])
    if len(tensor.shape) in (2, 3) and tensor.elements == tensor.shape[-1]:
        return Plane(1, 1, tensor.shape[-1])
    raise ValueError(f"{tensor.name!r} has shape {list(tensor.shape)}: one image or one row is needed")
