"""The delta of a device as bytes: the largest entries as int8 beside a bitmap, or all as float32.

Top-P selective communication (TinyMetaFed, arXiv 2307.06822). Little endian:

    byte 0      kind: 0 = float32, 1 = sparse int8
    kind 0      all shared entries as float32
    kind 1      for each shared layer: float32 scale, bitmap of ceil(n / 8) bytes (entry i is bit i % 8 of
                byte i / 8, bits behind the last entry are 0), one int8 for each bit set, in order

Both sides know the shape, so no lengths are sent and a decoder cannot be made to read beyond them.
The choice is over all shared layers together: the `keep` largest |delta|, on ties the lowest index;
entries that are zero are never sent. Within a layer scale = max |delta| of the chosen entries / 127
(one float32 division), value = trunc(delta / scale + 0.5 with the sign of delta), clamped to ±127;
a layer without a chosen entry has scale 0, and so has one whose scale is no normal float32 number
(its entries are not chosen then, so its bitmap is empty).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tinyc.errors import TinycError
from tinyc.learning.federation.client import NetworkShape, Vector

DENSE = 0
SPARSE_INT8 = 1
_MOST = 127
_SMALLEST = np.finfo(np.float32).tiny


def shared_segments(shape: NetworkShape, head_is_local: bool) -> tuple[slice, ...]:
    """The layers whose deltas are sent: all, or all but the head."""
    segments = shape.segments()
    return segments[:-1] if head_is_local else segments


def kept_entries(top: float, segments: Sequence[slice]) -> int:
    """How many entries `top` (0 < top ≤ 1) of the shared ones are: rounded up, at least 1."""
    return max(1, math.ceil(top * sum(int(part.stop - part.start) for part in segments)))


def encode_dense(delta: Vector, segments: Sequence[slice]) -> bytes:
    """All entries of `segments` as float32."""
    shared = np.concatenate([delta[part] for part in segments]).astype("<f4")
    return bytes([DENSE]) + shared.tobytes()


def encode_sparse(delta: Vector, segments: Sequence[slice], keep: int) -> bytes:
    """The `keep` largest entries of `segments` as int8.

    Raises TinycError for NaN and infinity: they have no place in int8.
    """
    shared = np.concatenate([delta[part] for part in segments]).astype(np.float32)
    if not np.isfinite(shared).all():
        raise TinycError("the delta has entries that are NaN or infinite", where="delta")
    chosen = np.zeros(shared.size, np.bool_)
    # A stable sort keeps the lowest index first among equals.
    chosen[np.argsort(-np.abs(shared), kind="stable")[:keep]] = True
    chosen &= shared != 0
    encoded, start = [bytes([SPARSE_INT8])], 0
    for part in segments:
        stop = start + part.stop - part.start
        encoded.append(_encode_layer(shared[start:stop], chosen[start:stop]))
        start = stop
    return b"".join(encoded)


def _encode_layer(values: Vector, chosen: NDArray[np.bool_]) -> bytes:
    largest = np.abs(values[chosen]).max(initial=np.float32(0.0))
    scale = np.float32(largest) / np.float32(_MOST)
    if scale < _SMALLEST:
        chosen = np.zeros_like(chosen)
        scale = np.float32(0.0)
    picked = values[chosen]
    half = np.copysign(np.float32(0.5), picked)
    steps = np.trunc(picked / scale + half) if picked.size else picked
    quantized = np.clip(steps, -_MOST, _MOST).astype(np.int8)
    bitmap = np.packbits(chosen, bitorder="little")
    return np.asarray(scale, "<f4").tobytes() + bitmap.tobytes() + quantized.tobytes()


def decode(data: bytes, shape: NetworkShape, segments: Sequence[slice]) -> Vector:
    """The delta (parameters,) float32 of either kind; entries not sent are zero.

    Raises TinycError for an unknown kind, a wrong length, bits behind the last entry, a value of −128
    and a scale that is negative, NaN or infinite. Dense values are taken as they are; the server
    checks them (`robust.screen`).
    """
    delta = np.zeros(shape.parameters, np.float32)
    if not data:
        raise _broken("is empty")
    if data[0] == DENSE:
        return _decode_dense(data, delta, segments)
    if data[0] != SPARSE_INT8:
        raise _broken(f"is of unknown kind {data[0]}")
    at = 1
    for part in segments:
        at = _decode_layer(data, at, delta[part])
    if at != len(data):
        raise _broken(f"has {len(data) - at} bytes too many")
    return delta


def _decode_dense(data: bytes, delta: Vector, segments: Sequence[slice]) -> Vector:
    count = sum(part.stop - part.start for part in segments)
    if len(data) != 1 + 4 * count:
        raise _broken(f"has {len(data)} bytes", f"{1 + 4 * count} bytes")
    values, start = np.frombuffer(data, "<f4", offset=1), 0
    for part in segments:
        delta[part] = values[start : start + part.stop - part.start]
        start += part.stop - part.start
    return delta


def _decode_layer(data: bytes, at: int, layer: Vector) -> int:
    """Fill `layer` from `data` at byte `at`; returns where the next one starts."""
    bitmap_at = at + 4
    values_at = bitmap_at + (layer.size + 7) // 8
    if values_at > len(data):
        raise _broken("ends too early")
    scale = np.frombuffer(data[at:bitmap_at], "<f4")[0]
    if not np.isfinite(scale) or scale < 0:
        raise _broken(f"has scale {scale}")
    bits = np.unpackbits(np.frombuffer(data[bitmap_at:values_at], np.uint8), bitorder="little")
    if bits[layer.size :].any():
        raise _broken("marks entries behind the last")
    chosen = bits[: layer.size].astype(np.bool_)
    end = values_at + int(np.count_nonzero(chosen))
    if end > len(data):
        raise _broken("ends too early")
    values = np.frombuffer(data[values_at:end], np.int8)
    if (values == -128).any():
        raise _broken("has a value of -128")
    # A scale near the largest float32 overflows to infinity, which the server's screen refuses.
    with np.errstate(over="ignore"):
        layer[chosen] = values.astype(np.float32) * scale
    return end


def _broken(what: str, allowed: str = "") -> TinycError:
    return TinycError(what, where="delta", allowed=allowed)
