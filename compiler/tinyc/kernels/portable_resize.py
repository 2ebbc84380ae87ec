"""Portable kernels of RESIZE_BILINEAR, CAST, SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.cast import Cast
from tinyc.ir.ops.resize_bilinear import ONE, ResizeBilinear, float_step, step
from tinyc.ir.ops.space_to_batch_nd import BatchToSpaceNd, Blocks, SpaceToBatchNd
from tinyc.ir.tensor import DType
from tinyc.kernels import loop_features
from tinyc.kernels.features import Features
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.kernels.movement_features import blocks, cast, resized
from tinyc.kernels.portable_movement import accepts_moved
from tinyc.kernels.work import FittedWork

_SUFFIX = {
    DType.BOOL: "b8",
    DType.INT8: "s8",
    DType.UINT8: "u8",
    DType.INT16: "s16",
    DType.INT32: "s32",
}


def _accepts_resize(dtype: DType) -> Callable[[Op, Graph], bool]:
    return lambda op, graph: graph.operands(op)[0].dtype is dtype and accepts_moved(op, graph)


def _resized_types(op: Op, graph: Graph) -> Mapping[str, object]:
    """Sums of int16 have 36 bits."""
    dtype = graph.operands(op)[0].dtype
    sums = "int64_t" if dtype is DType.INT16 else "int32_t"
    return {"variant": dtype.value[0], "type": dtype.c_type, "sum": sums}


def _lower_resize(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, ResizeBilinear)
    batch, height, width, channels = graph.operands(op)[0].shape
    steps = [step(e, size, op.align_corners) for e, size in zip((height, width), op.size, strict=True)]
    first = [each // 2 - ONE // 2 if op.half_pixel_centers else 0 for each in steps]
    return Lowered(
        "tinyc_resize_bilinear",
        {
            "batch": batch,
            "extents": (height, width),
            "size": op.size,
            "first": tuple(first),
            "step": tuple(steps),
            "channels": channels,
        },
    )


def _lower_float_resize(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, ResizeBilinear)
    batch, height, width, channels = graph.operands(op)[0].shape
    scales = [float_step(e, size, op.align_corners) for e, size in zip((height, width), op.size, strict=True)]
    return Lowered(
        "tinyc_resize_bilinear_f32",
        {
            "batch": batch,
            "extents": (height, width),
            "size": op.size,
            "scale_height": float(scales[0]),
            "scale_width": float(scales[1]),
            "shift": 0.5 if op.half_pixel_centers else 0.0,
            "channels": channels,
        },
    )


def _accepts_cast(op: Op, graph: Graph) -> bool:
    (x,), (result,) = graph.operands(op), graph.results(op)
    return not x.is_constant and {x.dtype, result.dtype} <= set(_SUFFIX)


def _lower_cast(op: Op, graph: Graph) -> Lowered:
    return Lowered("tinyc_cast", {"count": graph.results(op)[0].elements})


def _cast_types(op: Op, graph: Graph) -> Mapping[str, object]:
    source, target = graph.operands(op)[0].dtype, graph.results(op)[0].dtype
    return {
        "source": source.c_type,
        "target": target.c_type,
        "is_bool": target is DType.BOOL,
        "variant": f"{_SUFFIX[source]}_{_SUFFIX[target]}",
    }


def _accepts_float_cast(op: Op, graph: Graph) -> bool:
    """From float32 or to it; a negative number has no form in uint8."""
    (x,), (result,) = graph.operands(op), graph.results(op)
    others = {x.dtype, result.dtype} - {DType.FLOAT32}
    return (
        not x.is_constant and len(others) == 1 and others <= set(_SUFFIX) and result.dtype is not DType.UINT8
    )


def _float_cast_types(op: Op, graph: Graph) -> Mapping[str, object]:
    source, target = graph.operands(op)[0].dtype, graph.results(op)[0].dtype
    limited = target not in (DType.BOOL, DType.FLOAT32)
    names = {**_SUFFIX, DType.FLOAT32: "f32"}
    return {
        "source": source.c_type,
        "target": target.c_type,
        "is_bool": target is DType.BOOL,
        "limits": f"INT{8 * target.size}_MIN, INT{8 * target.size}_MAX" if limited else "",
        "variant": f"{names[source]}_{names[target]}",
    }


def _accepts_space_to_batch(op: Op, graph: Graph) -> bool:
    (result,) = graph.results(op)
    is_filled_by_bytes = result.dtype.size == 1 or result.quantization is None or result.zero_point == 0
    return is_filled_by_bytes and accepts_moved(op, graph)


def _lower_blocks(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, Blocks)
    whole, parts = graph.operands(op)[0], graph.results(op)[0]
    if isinstance(op, BatchToSpaceNd):
        whole, parts = parts, whole
    unused = (1,) * (2 - len(op.block))
    fill = 0 if whole.quantization is None else whole.zero_point
    return Lowered(
        "tinyc_space_batch",
        {
            "images": whole.shape[0],
            "whole": (*whole.shape[1:-1], *unused),
            "part": (*parts.shape[1:-1], *unused),
            "block": (*op.block, *unused),
            "margins": (*(before for before, _ in op.margins), *(0 for _ in unused)),
            "run": whole.shape[-1] * whole.dtype.size,
            "part_bytes": parts.bytes,
            "fill": fill,
        },
    )


def _block_features(op: Op, graph: Graph) -> Features:
    whole, parts = graph.operands(op)[0], graph.results(op)[0]
    filled = parts.bytes if isinstance(op, SpaceToBatchNd) else 0
    if isinstance(op, BatchToSpaceNd):
        whole = parts
    images, height, *rest = whole.shape
    width = rest[0] if len(rest) > 1 else 1
    return blocks(images, height, width, rest[-1] * whole.dtype.size, filled)


KERNELS = (
    *(
        Kernel(
            symbol=f"tinyc_resize_bilinear_{name}__portable",
            op=ResizeBilinear,
            source="portable/resize_bilinear.c.j2",
            headers=("include/resize_bilinear.h",),
            accepts=_accepts_resize(dtype),
            lower=_lower_resize,
            work=FittedWork(f"tinyc_resize_bilinear_{name}__portable", resized),
            specialize=_resized_types,
        )
        for name, dtype in (("s8", DType.INT8), ("s16", DType.INT16))
    ),
    Kernel(
        symbol="tinyc_resize_bilinear_f32__portable",
        op=ResizeBilinear,
        source="portable/resize_bilinear_f32.c",
        headers=("include/resize_bilinear_f32.h",),
        accepts=_accepts_resize(DType.FLOAT32),
        lower=_lower_float_resize,
        work=FittedWork("tinyc_resize_bilinear_f32__portable", resized),
    ),
    Kernel(
        symbol="tinyc_cast_x8__portable",
        op=Cast,
        source="portable/cast_x8.c.j2",
        headers=("include/cast.h",),
        accepts=_accepts_cast,
        lower=_lower_cast,
        work=FittedWork("tinyc_cast_x8__portable", cast),
        specialize=_cast_types,
    ),
    Kernel(
        symbol="tinyc_cast_f32__portable",
        op=Cast,
        source="portable/cast_f32.c.j2",
        headers=("include/cast_f32.h",),
        accepts=_accepts_float_cast,
        lower=_lower_cast,
        work=FittedWork("tinyc_cast_f32__portable", loop_features.float_cast),
        specialize=_float_cast_types,
    ),
    Kernel(
        symbol="tinyc_space_to_batch_nd_x8__portable",
        op=SpaceToBatchNd,
        source="portable/space_to_batch_nd_x8.c",
        headers=("include/space_batch.h",),
        accepts=_accepts_space_to_batch,
        lower=_lower_blocks,
        work=FittedWork("tinyc_space_to_batch_nd_x8__portable", _block_features),
    ),
    Kernel(
        symbol="tinyc_batch_to_space_nd_x8__portable",
        op=BatchToSpaceNd,
        source="portable/batch_to_space_nd_x8.c",
        headers=("include/space_batch.h",),
        accepts=accepts_moved,
        lower=_lower_blocks,
        work=FittedWork("tinyc_batch_to_space_nd_x8__portable", _block_features),
    ),
)
