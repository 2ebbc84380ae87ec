"""The loop nest of an element-wise kernel: broadcasting as strides over a few axes."""

from __future__ import annotations

from dataclasses import dataclass

from tinyc.ir.ops.elementwise import broadcast_shape
from tinyc.ir.tensor import Shape

AXES = 4


@dataclass(frozen=True, slots=True)
class Walk:
    """Extents of the loops, outermost first, and the steps of each operand; 0 repeats it."""

    extents: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]

    @property
    def left_strides(self) -> tuple[int, ...]:
        return self.strides[0]

    @property
    def right_strides(self) -> tuple[int, ...]:
        return self.strides[1]


def walk(*shapes: Shape, axes: int = AXES) -> Walk | None:
    """The shortest loop nest, filled up with extents of 1, or None when it needs more than `axes` loops.

    Neighbouring axes along which every operand behaves alike become one loop, so equal shapes
    need a single one.
    """
    shape = broadcast_shape(*shapes)
    padded = [(1,) * (len(shape) - len(each)) + each for each in shapes]
    # Extent, and whether each operand is repeated.
    loops: list[tuple[int, tuple[bool, ...]]] = []
    for extent, own in zip(shape, zip(*padded, strict=True), strict=True):
        if extent == 1:
            continue
        repeated = tuple(each == 1 for each in own)
        if loops and loops[-1][1] == repeated:
            loops[-1] = (loops[-1][0] * extent, repeated)
        else:
            loops.append((extent, repeated))
    if len(loops) > axes:
        return None
    loops = [(1, (False,) * len(shapes))] * (axes - len(loops)) + loops
    strides = tuple(_strides(loops, operand) for operand in range(len(shapes)))
    return Walk(tuple(extent for extent, _ in loops), strides)


def _strides(loops: list[tuple[int, tuple[bool, ...]]], operand: int) -> tuple[int, ...]:
    strides: list[int] = []
    step = 1
    for extent, repeated in reversed(loops):
        strides.append(0 if repeated[operand] else step)
        if not repeated[operand]:
            step *= extent
    return tuple(reversed(strides))
