"""What the page shows, as frozen values: they become the JSON that its scripts read.

Sizes and offsets are bytes. A step is the index of a layer; -1 is the time before the first one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class CostSource(StrEnum):
    """Where instructions and cycles come from."""

    COUNTED = "counted"
    """One inference on the emulated chip: instructions are exact, cycles are estimated."""
    PREDICTED = "predicted"
    """What the kernels say that they execute."""


class BufferKind(StrEnum):
    INPUT = "input"
    OUTPUT = "output"
    ACTIVATION = "activation"
    SCRATCH = "scratch"
    FRONT_END = "front_end"


class SymbolGroup(StrEnum):
    """What a part of the firmware is for."""

    CONSTANTS = "constants"
    """Weights, biases, tables and structs of the model's layers."""
    KERNELS = "kernels"
    """Code of kernels, and of the layers that call them."""
    ARENA = "arena"
    FIRMWARE = "firmware"
    """Everything else."""


@dataclass(frozen=True, slots=True)
class TensorView:
    """A tensor that is no constant. `offset` is its place in the arena, None inside a fused layer."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    offset: int | None
    scale: float | None
    zero_point: int | None


@dataclass(frozen=True, slots=True)
class PartView:
    """A layer of the model inside a fused one; `inputs` are without constants."""

    name: str
    op: str
    kernel: str
    macs: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class OtherKernel:
    """A kernel that takes the layer as well: its costs, predicted, and why it was not chosen."""

    kernel: str
    instructions: int | None
    cycles: int | None
    scratch: int | None
    constants: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class LayerView:
    """A step of the program. `inputs` are without constants, `weights` with all constants of the layer."""

    index: int
    name: str
    op: str
    kernel: str
    macs: int
    instructions: int | None
    cycles: int | None
    weights: int
    scratch: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: Mapping[str, str]
    parts: tuple[PartView, ...]
    others: tuple[OtherKernel, ...]


@dataclass(frozen=True, slots=True)
class BufferView:
    """A rectangle of the arena: `offset` to `offset + size`, in the steps from `first` to `last`.

    `layers` are those that write or read it.
    """

    name: str
    kind: BufferKind
    offset: int
    size: int
    first: int
    last: int
    tensors: tuple[str, ...]
    layers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SymbolView:
    """A function or object of the firmware; `kind` as in `report.json`, `layer` where it is of one only."""

    name: str
    kind: str
    bytes: int
    group: SymbolGroup
    layer: int | None


@dataclass(frozen=True, slots=True)
class BoardView:
    """`flash` and `ram` are what the board leaves to the application."""

    name: str
    title: str
    soc: str
    core: str
    clock_hz: int
    flash: int
    ram: int


@dataclass(frozen=True, slots=True)
class BuildView:
    """One build. `live` is the arena in use in the steps -1, 0, 1, …; `bill` the bill as its JSON has it.

    `instructions` and `cycles` are those of one inference, None where a layer has none. The cycles are those
    of the core `cycles_of`; where it is none like the board's they are no time, and not `timed`. `image`
    is the model's image of its own, None where the model is a part of the firmware. `tradeoff` are the
    choices of kernels as `report.json` has them, `extras` what else the firmware has, in words.
    """

    tinyc: str
    model: str
    version: str
    digest: str
    firmware: str
    board: BoardView
    toolchain: str
    optimize: str
    flash: int
    ram: int
    stack: int
    stack_bound: int | None
    image: int | None
    arena: int
    arena_lower_bound: int
    weights: int
    macs: int
    costs: CostSource
    instructions: int | None
    cycles: int | None
    cycles_of: str
    timed: bool
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    labels: tuple[str, ...]
    tensors: tuple[TensorView, ...]
    layers: tuple[LayerView, ...]
    buffers: tuple[BufferView, ...]
    live: tuple[int, ...]
    symbols: tuple[SymbolView, ...]
    bill: Mapping[str, Any] | None
    tradeoff: tuple[Mapping[str, Any], ...]
    extras: Mapping[str, str]


class Change(StrEnum):
    """What became of a layer, or of a symbol, from the other build to this one."""

    SAME = "same"
    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class TotalChange:
    """A figure of both builds, None where one has none. `better` is the sign of a change for the better."""

    name: str
    unit: str
    before: float | None
    after: float | None
    better: int


@dataclass(frozen=True, slots=True)
class LayerChange:
    """Layers of one name: their indices in the two builds, None where there is none."""

    name: str
    change: Change
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class SymbolChange:
    """A symbol whose bytes differ; 0 where it is missing."""

    name: str
    kind: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Another build and how this one differs from it."""

    other: BuildView
    totals: tuple[TotalChange, ...]
    layers: tuple[LayerChange, ...]
    symbols: tuple[SymbolChange, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """All that one page says."""

    build: BuildView
    comparison: Comparison | None = None
