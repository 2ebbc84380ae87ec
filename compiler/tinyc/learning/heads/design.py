"""What a head is: the layout of its state, its tables, its factory state, and the twin of its C.

A head takes the latent of a body, `latent` int8 values, and gives `capacity` float32 scores. Its state is
`struct learn_head` in the C; the bytes of a state are the bytes of that struct, little endian, and are what
flash, an exported file and the protocol carry.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from tinyc.errors import TinycError

Int8s: TypeAlias = npt.NDArray[np.int8]
Floats: TypeAlias = npt.NDArray[np.float32]
Values: TypeAlias = npt.NDArray[Any]

# Dtypes of fields and tables, and their C types.
C_TYPES = MappingProxyType(
    {
        "uint32": "uint32_t",
        "int32": "int32_t",
        "int16": "int16_t",
        "int8": "int8_t",
        "uint8": "uint8_t",
        "float32": "float",
    }
)
# Kind -> module and class of the twin.
TWINS = MappingProxyType(
    {
        "slda": ("tinyc.learning.heads.slda", "SldaHead"),
        "sgd": ("tinyc.learning.heads.sgd", "SgdHead"),
        "ncm": ("tinyc.learning.heads.ncm", "NcmHead"),
        "autoencoder": ("tinyc.learning.heads.linear", "LinearHead"),
        "regression": ("tinyc.learning.heads.linear", "LinearHead"),
        "sparse": ("tinyc.learning.sparse.head", "SparseHead"),
    }
)


@dataclass(frozen=True, slots=True)
class StateField:
    """One array of the state: a flat array member of `struct learn_head`. `dtype` is a key of C_TYPES."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.size * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, slots=True)
class HeadDesign:
    """A head as the compiler places it in a firmware.

    `fields` become `struct learn_head`, in this order and without padding: each field's size is a multiple
    of four bytes. `factory` holds a value for each of them. `options` become `#define LEARN_<NAME>` (a float
    as a float32 literal), `tables` become `const <C type> learn_<name>[]`, flat, aligned to eight bytes.
    `scratch_bytes` is static RAM of the head beside its states; it is not saved. `sources` are files under
    firmware_templates/learning.

    A classifier's first field is `counts`, uint32 (capacity,): the samples of each class, 0 for none.
    """

    kind: str
    latent: int
    capacity: int
    factory_classes: int
    options: Mapping[str, int | float]
    tables: Mapping[str, Values]
    fields: tuple[StateField, ...]
    factory: Mapping[str, Values]
    scratch_bytes: int
    sources: tuple[str, ...]
    # What the fit found out, for reports: never part of the firmware.
    notes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for entry in self.fields:
            if entry.bytes % 4:
                raise ValueError(f"the size of field {entry.name} is not a multiple of four bytes")
            value = self.factory[entry.name]
            if value.dtype != np.dtype(entry.dtype) or value.shape != entry.shape:
                raise ValueError(f"the factory value of {entry.name} is {value.dtype} {value.shape}")

    @property
    def is_regression(self) -> bool:
        """Whether the head learns values instead of labels."""
        return self.kind in ("autoencoder", "regression")

    @property
    def state_bytes(self) -> int:
        return sum(entry.bytes for entry in self.fields)

    @property
    def table_bytes(self) -> int:
        """Bytes of flash that the tables take."""
        return sum(value.nbytes for value in self.tables.values())

    def pack(self, values: Mapping[str, Values]) -> bytes:
        """The bytes of a state."""
        parts = []
        for entry in self.fields:
            array = np.ascontiguousarray(values[entry.name], np.dtype(entry.dtype).newbyteorder("<"))
            parts.append(array.tobytes())
        return b"".join(parts)

    def unpack(self, state: bytes) -> dict[str, Values]:
        """The arrays of a state, writable.

        Raises TinycError for a wrong length and for numbers that are not finite.
        """
        if len(state) != self.state_bytes:
            raise TinycError(
                f"the state of a head has {len(state)} bytes",
                allowed=f"{self.state_bytes} bytes for this {self.kind} head",
            )
        values: dict[str, Values] = {}
        at = 0
        for entry in self.fields:
            dtype = np.dtype(entry.dtype)
            raw = np.frombuffer(state, dtype.newbyteorder("<"), entry.size, at)
            values[entry.name] = raw.astype(dtype).reshape(entry.shape)
            at += entry.bytes
            if dtype.kind == "f" and not np.isfinite(values[entry.name]).all():
                raise TinycError(f"the state of the head has numbers in `{entry.name}` that are not finite")
        return values

    def head(self, state: bytes | None = None) -> Head:
        """The twin with the given state, by default with the factory state. Raises as `unpack` does."""
        module, name = TWINS[self.kind]
        twin: Head = getattr(importlib.import_module(module), name)(self)
        if state is not None:
            twin.load(state)
        return twin


class Head(Protocol):
    """The twin of a head: the same bits as the C in every function."""

    design: HeadDesign

    def scores(self, latent: Int8s) -> Floats:
        """float32 (capacity,); -FLT_MAX for a class without a sample. `latent` is int8 (latent,)."""
        ...

    def scores_many(self, latents: Int8s) -> Floats:
        """`scores` of each row of int8 (n, latent): float32 (n, capacity)."""
        ...

    def predict(self, latent: Int8s) -> int:
        """The class of the highest score, the lowest of several."""
        ...

    def update(self, latent: Int8s, target: int | Floats) -> None:
        """One labelled sample: its class, or for a regression its values, float32 (capacity,).

        A class without samples starts anew. A label that is not below the capacity changes nothing.
        """
        ...

    def surprise(self, latent: Int8s) -> np.float32:
        """How strange the latent is, without a label; on factory data about 1 on average."""
        ...

    def to_bytes(self) -> bytes:
        """The bytes of the state."""
        ...

    def load(self, state: bytes) -> None:
        """Take another state; what is not part of it (replay samples) stays. Raises as `unpack` does."""
        ...

    def copy(self) -> Head: ...
