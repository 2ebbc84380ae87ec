"""Tensors of the graph: name, shape, element type, quantization and, for constants, data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

TensorName: TypeAlias = str
Shape: TypeAlias = tuple[int, ...]
Array: TypeAlias = npt.NDArray[Any]


class DType(Enum):
    """Element types. The value is (NumPy name, C type, bytes)."""

    INT8 = ("int8", "int8_t", 1)
    UINT8 = ("uint8", "uint8_t", 1)
    BOOL = ("bool", "uint8_t", 1)
    INT16 = ("int16", "int16_t", 2)
    INT32 = ("int32", "int32_t", 4)
    INT64 = ("int64", "int64_t", 8)
    FLOAT32 = ("float32", "float", 4)

    @property
    def numpy(self) -> np.dtype[Any]:
        return np.dtype(self.value[0])

    @property
    def c_type(self) -> str:
        return self.value[1]

    @property
    def size(self) -> int:
        """Bytes of one element."""
        return self.value[2]

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest value of an integer type; of BOOL 0 and 1. Raises ValueError for FLOAT32."""
        if self is DType.BOOL:
            return 0, 1
        info = np.iinfo(self.numpy)
        return int(info.min), int(info.max)

    @classmethod
    def of(cls, dtype: npt.DTypeLike) -> DType:
        """The member for a NumPy dtype. Raises KeyError for types the compiler does not know."""
        name = np.dtype(dtype).name
        for member in cls:
            if member.value[0] == name:
                return member
        raise KeyError(name)


def bits(values: Array) -> Array:
    """The bytes of each element, uint8 [..., bytes]; all NaNs have those of one.

    IEEE 754 leaves open which of its NaNs an operation gives, and processors differ.
    """
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.array(np.nan, values.dtype), values)
    return np.ascontiguousarray(values)[..., None].view(np.uint8)


@dataclass(frozen=True, slots=True)
class Quantization:
    """Affine quantization: real = scale * (quantized - zero_point).

    One entry per tensor, or one per slice along `axis` (per_channel).
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None

    def __post_init__(self) -> None:
        if not self.scale or len(self.scale) != len(self.zero_point):
            raise ValueError("scale and zero_point need the same, non-zero length")
        if self.axis is None and len(self.scale) != 1:
            raise ValueError("per-tensor quantization has one scale")

    @property
    def per_channel(self) -> bool:
        return self.axis is not None


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value in the graph. `data` is set for constants only and is read-only.

    Raises ValueError when `data` does not match `shape` and `dtype`.
    """

    name: TensorName
    shape: Shape
    dtype: DType
    quantization: Quantization | None = None
    data: Array | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.data is not None:
            if tuple(self.data.shape) != self.shape or self.data.dtype != self.dtype.numpy:
                raise ValueError(
                    f"data of {self.name!r} is {self.data.dtype}{self.data.shape}, "
                    f"declared {self.dtype.numpy}{self.shape}"
                )
            frozen = np.ascontiguousarray(self.data).reshape(self.shape)
            if frozen.flags.writeable:
                frozen = frozen.copy()
                frozen.flags.writeable = False
            object.__setattr__(self, "data", frozen)

    @property
    def elements(self) -> int:
        count = 1
        for extent in self.shape:
            count *= extent
        return count

    @property
    def bytes(self) -> int:
        return self.elements * self.dtype.size

    @property
    def is_constant(self) -> bool:
        return self.data is not None

    @property
    def constant(self) -> Array:
        """The data of a constant. Raises ValueError for an activation."""
        if self.data is None:
            raise ValueError(f"{self.name!r} is not a constant")
        return self.data

    @property
    def scale(self) -> float:
        """The per-tensor scale. Raises ValueError when absent or per channel."""
        if self.quantization is None or len(self.quantization.scale) != 1:
            raise ValueError(f"{self.name!r} has no per-tensor quantization")
        return self.quantization.scale[0]

    @property
    def zero_point(self) -> int:
        """The per-tensor zero point. Raises ValueError when absent or per channel."""
        if self.quantization is None or len(self.quantization.zero_point) != 1:
            raise ValueError(f"{self.name!r} has no per-tensor quantization")
        return self.quantization.zero_point[0]

    def with_(self, **changes: Any) -> Tensor:
        """A copy with some fields replaced."""
        return replace(self, **changes)
