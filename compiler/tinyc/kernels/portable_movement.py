"""Portable kernels of PAD, PADV2, RESHAPE, TRANSPOSE, CONCATENATION, STRIDED_SLICE and SPLIT.

They move bytes, whatever the element type; all tensors of a layer have one quantization.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.assign_variable import AssignVariable
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import quantization_mismatch
from tinyc.ir.ops.concatenation import Concatenation
from tinyc.ir.ops.pad import Pad
from tinyc.ir.ops.pad_v2 import PadV2
from tinyc.ir.ops.reshape import Reshape
from tinyc.ir.ops.split import Split
from tinyc.ir.ops.strided_slice import StridedSlice
from tinyc.ir.ops.transpose import Transpose
from tinyc.ir.tensor import DType, Shape, Tensor
from tinyc.kernels import features
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.kernels.work import FittedWork

MOVE_AXES = 6
# PAD fills around runs of so many bytes one by one, around shorter ones all at once: see pad_x8.c.
_LONG_RUN = 16
# One axis of a move: extent, stride in the input, stride in the output.
Axis = tuple[int, int, int]


def row_major(shape: Shape, size: int) -> list[int]:
    """The distance in bytes between neighbours along each axis, for elements of `size` bytes."""
    return [size * math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


def merged(axes: list[Axis], size: int) -> tuple[list[Axis], int]:
    """The fewest axes that walk the same bytes in the same order, and the bytes of a contiguous run."""
    result: list[Axis] = []
    for extent, source, target in [*axes, (size, 1, 1)]:
        if extent == 1:
            continue
        if result and result[-1][1:] == (extent * source, extent * target):
            extent *= result.pop()[0]
        result.append((extent, source, target))
    run = 1
    if result and result[-1][1:] == (1, 1):
        run = result.pop()[0]
    return result, run


def _axes(op: Op, graph: Graph) -> tuple[list[Axis], int, int]:
    """(axes, first input byte, first output byte) of a layer, in output order."""
    (x,), (result,) = graph.operands(op), graph.results(op)
    source, target = row_major(x.shape, x.dtype.size), row_major(result.shape, x.dtype.size)
    if isinstance(op, Transpose):
        moved = [source[axis] for axis in op.permutation]
        return list(zip(result.shape, moved, target, strict=True)), 0, 0
    if isinstance(op, Pad):
        first = sum(before * stride for (before, _), stride in zip(op.paddings, target, strict=True))
        return list(zip(x.shape, source, target, strict=True)), 0, first
    assert isinstance(op, StridedSlice)
    first = sum(begin * stride for begin, stride in zip(op.begin, source, strict=True))
    moved = [stride * step for stride, step in zip(source, op.strides, strict=True)]
    return list(zip(op.size, moved, row_major(op.size, x.dtype.size), strict=True)), first, 0


def accepts_moved(op: Op, graph: Graph) -> bool:
    """Whether nothing is a constant and all tensors have one quantization."""
    operands, results = graph.operands(op), graph.results(op)
    return not any(t.is_constant for t in operands) and not quantization_mismatch(operands, results)


def _accepts_joined(op: Op, graph: Graph) -> bool:
    """A whole without quantization holds its parts as they are."""
    operands, results = graph.operands(op), graph.results(op)
    (whole,) = results if isinstance(op, Concatenation) else operands
    if any(t.is_constant for t in operands):
        return False
    is_free = whole.quantization is None and whole.dtype.size == 1
    return is_free or not quantization_mismatch(operands, results)


def _accepts_move(op: Op, graph: Graph) -> bool:
    (x,) = graph.operands(op)
    return accepts_moved(op, graph) and len(merged(_axes(op, graph)[0], x.dtype.size)[0]) <= MOVE_AXES


def _accepts_pad(op: Op, graph: Graph) -> bool:
    """Whether the border is made of equal bytes."""
    assert isinstance(op, Pad)
    (result,) = graph.results(op)
    return (result.dtype.size == 1 or _border_bits(op, result) == 0) and _accepts_move(op, graph)


def _border_bits(op: Pad, result: Tensor) -> int:
    """What the border holds, with the bits of a float32 as an int32."""
    border = op.border(result)
    return np.float32(border).view(np.int32).item() if result.dtype is DType.FLOAT32 else int(border)


def _accepts_wide_pad(op: Op, graph: Graph) -> bool:
    wide = (DType.INT16, DType.INT32, DType.FLOAT32)
    return graph.results(op)[0].dtype in wide and _accepts_move(op, graph)


def _border_type(op: Op, graph: Graph) -> Mapping[str, object]:
    dtype = graph.results(op)[0].dtype
    return {"type": dtype.c_type, "variant": dtype.value[0]}


def _walk(op: Op, graph: Graph) -> tuple[list[Axis], int]:
    """The loops of a layer, and the bytes of a run."""
    walk, run = merged(_axes(op, graph)[0], graph.operands(op)[0].dtype.size)
    if not isinstance(op, Pad):
        walk.sort()  # any order moves the same bytes: the longest loop is the innermost
    return walk, run


def _lower_move(op: Op, graph: Graph) -> Lowered:
    (result,) = graph.results(op)
    fill = _border_bits(op, result) if isinstance(op, Pad) else 0
    return move_layer(*_walk(op, graph), *_axes(op, graph)[1:], result, fill)


def move_layer(
    walk: list[Axis], run: int, input_first: int, output_first: int, result: Tensor, fill: int = 0
) -> Lowered:
    """The parameters of `tinyc_move`: runs of `run` bytes over the axes `walk`, from the bytes given."""
    walk = [(1, 0, 0)] * (MOVE_AXES - len(walk)) + walk
    extents, source, target = (tuple(column) for column in zip(*walk, strict=True))
    return Lowered(
        "tinyc_move",
        {
            "extents": extents,
            "input_strides": source,
            "output_strides": target,
            "input_first": input_first,
            "output_first": output_first,
            "run": run,
            "output_bytes": result.bytes,
            "fill": fill,
        },
    )


def _part_bytes(op: Op, graph: Graph) -> list[int]:
    """Bytes of one row of each part of a CONCATENATION or SPLIT."""
    assert isinstance(op, Concatenation | Split)
    parts = graph.operands(op) if isinstance(op, Concatenation) else graph.results(op)
    return [part.dtype.size * math.prod(part.shape[op.axis :]) for part in parts]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a CONCATENATION: bytes of a row, number of the input, where in the constants it begins."""

    bytes: int
    is_activation: bool
    index: int
    first: int


def _parts(op: Op, graph: Graph) -> Mapping[str, object]:
    parts, first = [], 0
    for index, (tensor, size) in enumerate(zip(graph.operands(op), _part_bytes(op, graph), strict=True)):
        parts.append(Part(size, not tensor.is_constant, index, first))
        first += tensor.bytes if tensor.is_constant else 0
    return {"parts": parts}


def _accepts_constants(op: Op, graph: Graph) -> bool:
    operands = graph.operands(op)
    return any(t.is_constant for t in operands) and not quantization_mismatch(operands, graph.results(op))


def _lower_constants(op: Op, graph: Graph) -> Lowered:
    rows = _lower_rows(op, graph)
    constants = [t.constant.reshape(-1) for t in graph.operands(op) if t.is_constant]
    return Lowered("tinyc_rows_constant", {**rows.fields, "constants": np.concatenate(constants)})


def _lower_rows(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, Concatenation | Split)
    whole = graph.results(op)[0] if isinstance(op, Concatenation) else graph.operands(op)[0]
    rows = math.prod(whole.shape[: op.axis])
    return Lowered("tinyc_rows", {"rows": rows, "stride": whole.bytes // rows})


def _specialize(op: Op, graph: Graph) -> Mapping[str, object]:
    return {"parts": _part_bytes(op, graph)}


def _lower_reshape(op: Op, graph: Graph) -> Lowered:
    return Lowered("tinyc_rows", {"rows": 1, "stride": graph.results(op)[0].bytes})


def _padded(extents: tuple[int, ...], run: int, border: int) -> features.Features:
    """Long runs over `extents`, each after the part of `border` bytes that lies before it."""
    runs = math.prod(extents)
    return {
        "calls": 1,
        "padded_runs": runs,
        "padded_carries": sum(math.prod(extents[:axis]) for axis in range(len(extents))),
        **{name: runs * count for name, count in features.copied(run).items()},
        "border": border,
    }


def _move_features(op: Op, graph: Graph) -> features.Features:
    (x,), (result,) = graph.operands(op), graph.results(op)
    walk, run = _walk(op, graph)
    extents = tuple(extent for extent, _, _ in walk) or (1,)
    if isinstance(op, Pad) and run >= _LONG_RUN:
        return _padded(extents, run, result.bytes - x.bytes)
    return features.moved(extents, run, result.bytes if isinstance(op, Pad) else 0)


def _wide_pad_features(op: Op, graph: Graph) -> features.Features:
    """The border is written element by element, everywhere."""
    walk, run = _walk(op, graph)
    counts = features.moved(tuple(extent for extent, _, _ in walk) or (1,), run, 0)
    return {**counts, "elements": graph.results(op)[0].elements}


def _row_features(op: Op, graph: Graph) -> features.Features:
    assert isinstance(op, Concatenation | Split)
    whole = graph.results(op)[0] if isinstance(op, Concatenation) else graph.operands(op)[0]
    return features.joined(_part_bytes(op, graph), math.prod(whole.shape[: op.axis]))


_MOVES = tuple(
    Kernel(
        symbol=f"tinyc_{name}_x8__portable",
        op=op,
        source=f"portable/{name}_x8.c",
        headers=("include/move.h",),
        accepts=_accepts_pad if name == "pad" else _accepts_move,
        lower=_lower_move,
        work=FittedWork(f"tinyc_{name}_x8__portable", _move_features),
    )
    for name, op in (("pad", Pad), ("pad", PadV2), ("strided_slice", StridedSlice), ("transpose", Transpose))
)

KERNELS = (
    *_MOVES,
    Kernel(
        symbol="tinyc_pad_x8_wide__portable",
        op=PadV2,
        source="portable/pad_x8_wide.c.j2",
        headers=("include/move.h",),
        accepts=_accepts_wide_pad,
        lower=_lower_move,
        work=FittedWork("tinyc_pad_x8_wide__portable", _wide_pad_features),
        specialize=_border_type,
    ),
    *(
        Kernel(
            symbol="tinyc_reshape_x8__portable",
            op=op,
            source="portable/reshape_x8.c",
            headers=("include/rows.h",),
            accepts=accepts_moved,
            lower=_lower_reshape,
            work=FittedWork("tinyc_reshape_x8__portable", features.reshape),
            in_place=in_place,
        )
        for op, in_place in ((Reshape, (0,)), (AssignVariable, ()))
    ),
    Kernel(
        symbol="tinyc_concatenation_constant_x8__portable",
        op=Concatenation,
        source="portable/concatenation_constant_x8.c.j2",
        headers=("include/rows.h",),
        accepts=_accepts_constants,
        lower=_lower_constants,
        work=FittedWork("tinyc_concatenation_constant_x8__portable", _row_features),
        specialize=_parts,
    ),
    *(
        Kernel(
            symbol=f"tinyc_{name}_x8__portable",
            op=op,
            source=f"portable/{name}_x8.c.j2",
            headers=("include/rows.h",),
            accepts=_accepts_joined,
            lower=_lower_rows,
            work=FittedWork(f"tinyc_{name}_x8__portable", _row_features),
            specialize=_specialize,
        )
        for name, op in (("concatenation", Concatenation), ("split", Split))
    ),
)
