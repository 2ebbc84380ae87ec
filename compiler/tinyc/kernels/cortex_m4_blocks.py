"""CONV_2D for ARMv7E-M in blocks of two channels by four pixels, in assembly.

With an FPU its registers hold weights, without one the stack does. On a core that issues two instructions
at a time weights wait on the stack too, and loads alternate with multiplications.

Four windows at a time are gathered and widened into a panel of int16, which all pairs of channels then
read. Weights take the room of int8: a halfword holds two channels, see `conv_2d_s8_2x4.c.j2`. Outputs
need one multiply and one saturating shift where `requantization.one_step` proves it, else the double
rounding itself.

Weights that fit four bits may lie in flash two in a byte. A call unpacks them once into the scratch, for all
pixels, and goes on as the others do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.tensor import Array
from tinyc.kernels import portable_convolution
from tinyc.kernels.blocks_gather import SHARED_PART, Gather, first_pixels, slots_of
from tinyc.kernels.blocks_work import block_features, unpacked_features
from tinyc.kernels.features import Features
from tinyc.kernels.int4 import fits
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered, Overlap
from tinyc.kernels.layer_constants import round_up, weight_rows
from tinyc.kernels.requantization import Accumulators, OneStep, TwoSteps, one_step, two_steps
from tinyc.kernels.work import FittedWork

_CORE, _FPU = frozenset({"dsp"}), frozenset({"dsp", "fpu"})
# The last of four pixels is stored with an immediate offset of 12 bits.
_MOST_CHANNELS = 4094 // 3
_HIGH = 256


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Channels of a layer as the records want them, low ones first, and how they are requantized."""

    sums: Accumulators
    rows: Array
    rounding: OneStep | TwoSteps


def _pairs(op: Op, graph: Graph) -> _Pairs | None:
    """None where halfwords or accumulators are too small or no rounding is proved."""
    low, high = slots_of(graph.results(op)[0].shape[3])
    slots = np.concatenate([low, high])
    sums = Accumulators.of(op, graph).select(slots)
    rows = weight_rows(op, graph)[slots].astype(np.int64)
    half = len(low)
    packed = _HIGH * rows[half:] + rows[:half]
    if packed.min() < -(2**15) or packed.max() >= 2**15:
        return None
    factors = np.where(np.arange(2 * half) < half, 1, _HIGH)
    rounding: OneStep | TwoSteps | None = one_step(sums, factors, in_pairs=True)
    if rounding is None:
        largest = np.maximum(np.abs(sums.lowest), np.abs(sums.highest))
        live = ~sums.is_constant
        if (largest[half:][live[half:]] >= 2**23).any():
            return None
        rounding = two_steps(sums)
    return None if rounding is None else _Pairs(sums, rows, rounding)


def _accepts(op: Op, graph: Graph) -> bool:
    """One group, four pixels at least."""
    assert isinstance(op, Conv2D)
    x, filters = graph.operands(op)[:2]
    (result,) = graph.results(op)
    channels = result.shape[3]
    window = op.window(graph.operands(op))
    counts = (*x.shape, *result.shape, *window.stride, filters.elements // channels)
    return (
        portable_convolution.accepts(op, graph)
        and max(counts) < 2**16
        and max(window.pads) < 2**15
        and filters.shape[3] == x.shape[3]
        and result.elements // channels >= 4
        and channels <= _MOST_CHANNELS
        and _pairs(op, graph) is not None
    )


def _accepts_windows(op: Op, graph: Graph, *, driver: str) -> bool:
    return _accepts(op, graph) and Gather.of(op, graph).driver == driver


def _records(op: Conv2D, graph: Graph, gather: Gather) -> Array:
    """int32 [pairs, words of a record], as tinyc_blocks.h describes them."""
    pairs = _pairs(op, graph)
    assert pairs is not None
    half = len(pairs.rows) // 2
    products = np.concatenate([pairs.rows, np.zeros((2 * half, 1), np.int64)], axis=1)[:, gather.order]
    packed = (_HIGH * products[half:] + products[:half]).astype(np.int16)
    weights = np.ascontiguousarray(packed).view(np.int32)
    rounding = pairs.rounding
    low, high = rounding.bias[:half], rounding.bias[half:]
    fields, starts = [rounding.multiplier, rounding.constant], [low]
    if isinstance(rounding, TwoSteps):
        fields.append(rounding.right)
        starts.append(_wrapped(_HIGH * high + low))
    constants = [field[side] for side in (slice(0, half), slice(half, None)) for field in fields]
    columns = [*starts, *weights.T, *constants]
    return np.stack(columns, axis=1).astype(np.int32)


def _wrapped(values: Array) -> Array:
    """Modulo 2^32, as the sums that they start."""
    wrapped: Array = (values + 2**31) % 2**32 - 2**31
    return wrapped


def _packed(records: Array, gather: Gather, head: int) -> Array:
    """The records with one word for each two words of weights, as tinyc_blocks_s4.h describes them."""
    weights = np.ascontiguousarray(records[:, head : head + gather.words])
    bytes_ = (weights.view(np.int16).astype(np.int64) + 0x0808).astype(np.uint16).view(np.uint32)
    bytes_ = np.concatenate([bytes_, np.zeros((len(records), gather.words % 2), np.uint32)], axis=1)
    nibbles = (bytes_[:, 0::2] | bytes_[:, 1::2] << 4).view(np.int32)
    return np.concatenate([records[:, :head], nibbles, records[:, head + gather.words :]], axis=1)


def _lower(op: Op, graph: Graph, *, tile: _Tile) -> Lowered:
    assert isinstance(op, Conv2D)
    gather = Gather.of(op, graph, shared=tile.any_depth)
    records = _records(op, graph, gather)
    stored = _packed(records, gather, 1 if _shift(op, graph) >= 0 else 2) if tile.nibbles else records
    geometry = portable_convolution.geometry(op, graph)
    kept = (
        *("batches", "input_height", "input_width", "output_height", "output_width", "output_channels"),
        *("stride_height", "stride_width", "pad_top", "pad_left"),
    )
    fields: dict[str, FieldValue] = {
        **{name: geometry[name] for name in kept},
        "padding": graph.operands(op)[0].zero_point,
        "depth": graph.operands(op)[0].shape[3],
        "words": gather.words,
        "record": records.shape[1],
        "weights": stored.reshape(-1),
    }
    return Lowered("tinyc_conv_2d_blocks", fields, 4 * len(records) * (records.shape[1] - gather.words))


def _shift(op: Op, graph: Graph) -> int:
    """The shift of `one_step`, -1 for the double rounding."""
    pairs = _pairs(op, graph)
    assert pairs is not None
    return pairs.rounding.shift if isinstance(pairs.rounding, OneStep) else -1


def _specialize(op: Op, graph: Graph, *, tile: _Tile) -> Mapping[str, object]:
    """One function for all layers of the same shape, or with the same rounding where the code is shared."""
    gather = Gather.of(op, graph, shared=tile.any_depth)
    channels, shift = graph.results(op)[0].shape[3], _shift(op, graph)
    rounding = f"s{shift}" if shift >= 0 else "double"
    if tile.any_depth:
        return {
            "variant": rounding,
            "words": 0,
            "part": SHARED_PART,
            "chunks": 0,
            "shift": shift,
            "driver": tile.driver,
            "fpu": tile.fpu,
        }
    parts = [f"{gather.rows}x{gather.runs * gather.pixels}x{gather.channels}_c{channels}"]
    parts += [f"d{gather.row_step}x{gather.pixel_step}"] * (gather.row_step * gather.pixel_step > 1)
    parts += [f"p{gather.pitch}" if gather.driver == "rows" else "p"] * gather.is_padded
    return {
        "variant": "_".join([*parts, rounding]),
        "words": gather.words,
        "part": gather.part,
        "chunks": gather.chunks,
        "channels": channels,
        "shift": shift,
        "driver": tile.driver,
        "fpu": tile.fpu,
        "dual": tile.dual,
        "window": gather,
        "pitch": gather.pitch,
        "nibbles": tile.nibbles,
        "unpacked_at": round_up(gather.scratch, 8),
    }


def _scratch(op: Op, graph: Graph, *, tile: _Tile) -> int:
    gather = Gather.of(op, graph, shared=tile.any_depth)
    if not tile.nibbles:
        return gather.scratch
    records = len(slots_of(graph.results(op)[0].shape[3])[0])
    record = gather.words + (1 + 4 if _shift(op, graph) >= 0 else 2 + 6)
    return round_up(gather.scratch, 8) + 4 * records * record


def _overlaps(op: Op, graph: Graph) -> tuple[Overlap, ...]:
    """The output may follow the input closely: a block is gathered before its outputs are written."""
    assert isinstance(op, Conv2D)
    x, channels = graph.operands(op)[0], graph.results(op)[0].shape[3]
    by_rows = Gather.of(op, graph).driver == "rows"
    later = portable_convolution.first_inputs(op, graph, by_rows=by_rows)
    starts = first_pixels(op, graph)
    lead = max(
        ((before + 4) * channels - int(later[start]) for before, start in pairwise(starts)),
        default=-x.bytes,
    )
    return (Overlap(0, "output", lead),)


def _features(op: Op, graph: Graph, *, tile: _Tile) -> Features:
    return block_features(
        op, graph, one_step=_shift(op, graph) >= 0, driver=tile.driver, shared=tile.any_depth
    )


def _unpacked(op: Op, graph: Graph) -> Features:
    return unpacked_features(op, graph, one_step=_shift(op, graph) >= 0)


def _code(op: Op, graph: Graph, *, tile: _Tile) -> int:
    """Code bytes of one variant: its assembly, and what is its own of the driver."""
    part = SHARED_PART if tile.any_depth else Gather.of(op, graph).part
    ending = 160 if _shift(op, graph) >= 0 else 240
    return (
        (56 if tile.dual else 44 if tile.fpu else 47) * part
        + 60
        + ending
        + 60 * tile.any_depth
        + tile.driver_code
        + 50 * tile.nibbles
    )


@dataclass(frozen=True, slots=True)
class _Tile:
    """How blocks are walked: `driver`, the header it is in, and the code bytes that each variant has of it.

    `any_depth`: the assembly serves any depth, else it is unrolled for that of the layer. `fpu`: its
    registers hold weights, else the stack does. `dual`: for cores that issue two instructions at a time. What
    those take is not known: the kernel ranks like the one that it replaces. `nibbles`: four bits a weight.
    """

    name: str
    driver: str
    header: str
    driver_code: int
    any_depth: bool = False
    fpu: bool = True
    dual: bool = False
    nibbles: bool = False

    def accepts(self, op: Op, graph: Graph) -> bool:
        return (not self.nibbles or fits(op, graph)) and self._walks(op, graph)

    def _walks(self, op: Op, graph: Graph) -> bool:
        if self.driver in ("rows", "windows"):
            return _accepts_windows(op, graph, driver=self.driver)
        # Shared code steps from the low to the high channel of a pair.
        is_pair = not self.any_depth or graph.results(op)[0].shape[3] > 1
        return is_pair and portable_convolution.is_pointwise(op, graph) and _accepts(op, graph)

    @property
    def superseded(self) -> frozenset[str]:
        """Any depth enters the code in the middle, which loads that run ahead do not allow."""
        if self.dual:
            return frozenset()
        better = frozenset() if self.any_depth else frozenset({"dual_issue"})
        return better if self.fpu else better | {"fpu"}

    @property
    def work(self) -> FittedWork:
        """Weights of four bits take their unpacking more."""
        tile = self.name.removesuffix("_dual")
        blocks = FittedWork(f"tinyc_conv_2d_s8_{tile}__cortex_m4", partial(_features, tile=self))
        return FittedWork("tinyc_unpack_records", _unpacked, exact=blocks) if self.nibbles else blocks

    def kernel(self) -> Kernel:
        symbol = f"tinyc_conv_2d_{'s4' if self.nibbles else 's8'}_{self.name}__cortex_m4"
        packed = ("include/tinyc_blocks_s4.h",) if self.nibbles else ()
        return Kernel(
            symbol=symbol,
            op=Conv2D,
            source="cortex_m4/conv_2d_s8_2x4.c.j2",
            headers=(f"include/tinyc_blocks_{self.header}.h", *packed),
            requires=_CORE | {"dual_issue"} if self.dual else _FPU if self.fpu else _CORE,
            superseded=self.superseded,
            accepts=self.accepts,
            lower=partial(_lower, tile=self),
            scratch=partial(_scratch, tile=self),
            specialize=partial(_specialize, tile=self),
            overlaps=_overlaps,
            work=self.work,
            code=partial(_code, tile=self),
            weight_bits=4 if self.nibbles else 8,
        )


# For windows of any size.
ANY_WINDOW = (
    _Tile("2x4", "windows", "windows", 40).kernel(),
    _Tile("2x4_rows", "rows", "rows", 430).kernel(),
)

KERNELS = (
    _Tile("1x1_2x4", "pointwise", "pointwise", 240).kernel(),
    _Tile("1x1_2x4_unrolled", "pixels", "pixels", 20).kernel(),
    _Tile("1x1_2x4_shared", "pixels", "pixels", 20, any_depth=True).kernel(),
    *ANY_WINDOW,
    _Tile("1x1_2x4", "pointwise", "pointwise", 240, nibbles=True).kernel(),
    _Tile("2x4", "windows", "windows", 40, nibbles=True).kernel(),
    _Tile("2x4_rows", "rows", "rows", 430, nibbles=True).kernel(),
    _Tile("1x1_2x4_core", "pointwise", "pointwise", 240, fpu=False).kernel(),
    _Tile("1x1_2x4_shared_core", "pixels", "pixels", 20, any_depth=True, fpu=False).kernel(),
    _Tile("2x4_core", "windows", "windows", 40, fpu=False).kernel(),
    _Tile("2x4_rows_core", "rows", "rows", 430, fpu=False).kernel(),
    _Tile("1x1_2x4_dual", "pointwise", "pointwise", 240, fpu=False, dual=True).kernel(),
    _Tile("2x4_dual", "windows", "windows", 40, fpu=False, dual=True).kernel(),
    _Tile("2x4_rows_dual", "rows", "rows", 430, fpu=False, dual=True).kernel(),
)
