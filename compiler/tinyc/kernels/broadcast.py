"""The loop nest of an element-wise kernel: broadcasting as strides over at most four axes."""

from __future__ import annotations

from dataclasses import dataclass

from tinyc.ir.ops.elementwise import broadcast_shape
from tinyc.ir.tensor import Shape

AXES = 4


@dataclass(frozen=True, slots=True)
class Walk:
    """Extents of the loops, outermost first, and the step of each operand; 0 repeats it."""

    extents: tuple[int, ...]
    left_strides: tuple[int, ...]
    right_strides: tuple[int, ...]


def walk(left: Shape, right: Shape) -> Walk | None:
    """The shortest loop nest, filled up with extents of 1, or None when it needs more than four loops.

    Neighbouring axes along which both operands behave alike become one loop, so equal shapes
    need a single one.
    """
    shape = broadcast_shape(left, right)
    left, right = ((1,) * (len(shape) - len(s)) + s for s in (left, right))
    loops: list[tuple[int, bool, bool]] = []
    for extent, a, b in zip(shape, left, right, strict=True):
        if extent == 1:
            continue
        kind = (a == 1, b == 1)
        if loops and loops[-1][1:] == kind:
            loops[-1] = (loops[-1][0] * extent, *kind)
        else:
            loops.append((extent, *kind))
    if len(loops) > AXES:
        return None
    loops = [(1, False, False)] * (AXES - len(loops)) + loops
    extents = tuple(extent for extent, _, _ in loops)
    return Walk(extents, _strides(loops, 1), _strides(loops, 2))


def _strides(loops: list[tuple[int, bool, bool]], operand: int) -> tuple[int, ...]:
    strides: list[int] = []
    step = 1
    for loop in reversed(loops):
        strides.append(0 if loop[operand] else step)
        if not loop[operand]:
            step *= loop[0]
    return tuple(reversed(strides))
