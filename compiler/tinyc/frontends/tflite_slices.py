"""STRIDED_SLICE as files store it, with its five bit masks, brought to begin, size and strides."""

from __future__ import annotations

from dataclasses import dataclass

from tinyc.ir.tensor import Shape


@dataclass(frozen=True, slots=True)
class ResolvedSlice:
    """One entry per input axis; `shape` has the shrunk axes removed and the new ones added."""

    begin: tuple[int, ...]
    size: tuple[int, ...]
    strides: tuple[int, ...]
    shape: Shape


def resolve_slice(
    shape: Shape,
    begin: tuple[int, ...],
    end: tuple[int, ...],
    strides: tuple[int, ...],
    *,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
) -> ResolvedSlice:
    """Resolve negative indices, ranges beyond the edge and the masks.

    Bit i of a mask belongs to entry i: its begin or end is left open, it stands for all axes that
    are not named, it inserts an axis, or it takes one element and drops the axis.
    Raises ValueError for a slice that is empty or does not fit `shape`.
    """
    entries = len(begin)
    if not entries == len(end) == len(strides):
        raise ValueError("begin, end and strides have different lengths")
    marked = [i for i in range(entries) if ellipsis_mask >> i & 1]
    if len(marked) > 1:
        raise ValueError("there is more than one ellipsis")
    new_axes = sum(1 for i in range(entries) if new_axis_mask >> i & 1 and i not in marked)
    hidden = len(shape) - (entries - new_axes - len(marked))
    if hidden < 0:
        raise ValueError(f"{entries} entries for an input of rank {len(shape)}")
    resolved: list[tuple[int, int, int]] = []
    result: list[int] = []

    def whole(count: int) -> None:
        for extent in shape[len(resolved) : len(resolved) + count]:
            resolved.append((0, extent, 1))
            result.append(extent)

    for i in range(entries):
        if i in marked:
            whole(hidden)
        elif new_axis_mask >> i & 1:
            result.append(1)
        else:
            axis = len(resolved)
            shrink = bool(shrink_axis_mask >> i & 1)
            first, count, step = _range(
                shape[axis],
                None if begin_mask >> i & 1 else begin[i],
                None if end_mask >> i & 1 else end[i],
                strides[i],
                shrink,
            )
            if count < 1:
                raise ValueError(f"axis {axis} keeps no element")
            resolved.append((first, count, step))
            if not shrink:
                result.append(count)
    if not marked:
        whole(hidden)
    firsts, counts, steps = (
        (tuple(column) for column in zip(*resolved, strict=True)) if resolved else ((),) * 3
    )
    return ResolvedSlice(firsts, counts, steps, tuple(result))


def _range(
    extent: int, begin: int | None, end: int | None, stride: int, shrink: bool
) -> tuple[int, int, int]:
    """(first, count, step) along one axis."""
    if shrink:
        position = 0 if begin is None else begin
        position = position + extent if position < 0 else position
        if not 0 <= position < extent:
            raise ValueError(f"element {begin} of an axis of extent {extent} does not exist")
        return position, 1, 1
    if stride == 0:
        raise ValueError("a stride is 0")
    # Python's own slices follow the same rules.
    first, last, step = slice(begin, end, stride).indices(extent)
    count = len(range(first, last, step))
    return first, count, step if count > 1 else 1
