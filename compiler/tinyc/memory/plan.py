"""The memory plan: where every activation and scratch buffer lies in the one arena of a model."""

from __future__ import annotations

from dataclasses import dataclass

from tinyc.ir.tensor import TensorName


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Steps during which a buffer holds a live value, both ends included.

    Step -1 is the time before the first layer (the input is being filled, the audio front end
    runs); a model output lives to the step count.
    """

    first: int
    last: int

    def overlaps(self, other: Lifetime) -> bool:
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class Buffer:
    """A request for arena bytes. Tensors that share memory (in place) form one buffer."""

    name: str
    size: int
    lifetime: Lifetime
    tensors: tuple[TensorName, ...] = ()


@dataclass(frozen=True, slots=True)
class Overlay:
    """Two buffers, by name, that are alive together in one step only and may overlap in it.

    The step reads `read` for the last time while it writes `written`, which may start anywhere from
    `lead` bytes before `read` downwards. Without an overlay buffers that are alive together lie apart.
    """

    written: str
    read: str
    lead: int


@dataclass(frozen=True, slots=True)
class Placement:
    buffer: Buffer
    offset: int

    @property
    def end(self) -> int:
        return self.offset + self.buffer.size


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Offsets in bytes. No plan can be smaller than `lower_bound`: what the fullest step needs, or more
    where buffers overlap and more could be proved."""

    arena_size: int
    lower_bound: int
    placements: tuple[Placement, ...]

    def offset(self, tensor: TensorName) -> int:
        """Arena offset of a tensor. Raises KeyError for one that has no place (a constant)."""
        for placement in self.placements:
            if tensor in placement.buffer.tensors:
                return placement.offset
        raise KeyError(tensor)

    def buffer_offset(self, name: str) -> int:
        """Arena offset of the buffer called `name`, e.g. `scratch:3`. Raises KeyError."""
        for placement in self.placements:
            if placement.buffer.name == name:
                return placement.offset
        raise KeyError(name)

    def live_bytes(self, step: int) -> int:
        """Arena bytes that hold something while a step runs; those of two buffers count once."""
        covered = reached = 0
        for placement in sorted(self.placements, key=lambda placement: placement.offset):
            if placement.buffer.lifetime.first <= step <= placement.buffer.lifetime.last:
                covered += max(0, placement.end - max(reached, placement.offset))
                reached = max(reached, placement.end)
        return covered
