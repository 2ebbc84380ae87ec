"""Deltas as bytes: what is chosen, how near it comes back, and that no bytes can harm the server."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyc.errors import TinycError
from tinyc.learning.federation import codec
from tinyc.learning.federation.client import NetworkShape, Vector

pytestmark = pytest.mark.unit

SHAPE = NetworkShape((3, 5, 2))  # 20 + 12 parameters
ALL = codec.shared_segments(SHAPE, False)
BODY = codec.shared_segments(SHAPE, True)


def deltas(seed: int, size: int = SHAPE.parameters) -> Vector:
    return np.random.default_rng(seed).normal(0, 0.1, size).astype(np.float32)


def test_dense_is_exact_and_leaves_a_local_head_out() -> None:
    delta = deltas(0)
    np.testing.assert_array_equal(codec.decode(codec.encode_dense(delta, ALL), SHAPE, ALL), delta)
    body = codec.decode(codec.encode_dense(delta, BODY), SHAPE, BODY)
    np.testing.assert_array_equal(body[:20], delta[:20])
    assert not body[20:].any()
    assert len(codec.encode_dense(delta, BODY)) == 1 + 4 * 20


@given(seed=st.integers(0, 2**32 - 1), keep=st.integers(1, 32), scale=st.sampled_from([1e-30, 1e-3, 1, 1e30]))
@settings(deadline=None, max_examples=60)
def test_the_largest_come_back_within_half_a_step(seed: int, keep: int, scale: float) -> None:
    delta = deltas(seed) * np.float32(scale)
    decoded = codec.decode(codec.encode_sparse(delta, ALL, keep), SHAPE, ALL)
    largest = np.sort(np.abs(delta))[-keep]
    chosen = np.abs(delta) >= largest
    assert not decoded[~chosen].any()
    for part in ALL:
        step = np.abs(delta[part])[chosen[part]].max(initial=0.0) / 127
        error = np.abs(decoded[part].astype(np.float64) - delta[part])[chosen[part]]
        assert (error <= 0.5001 * step).all()


def test_bytes_by_hand() -> None:
    shape = NetworkShape((1, 1, 1))  # W0, b0, W1, b1
    parts = codec.shared_segments(shape, False)
    delta = np.array([127.0, -0.5, 0.25, -2.0], np.float32)
    data = codec.encode_sparse(delta, parts, 3)
    # Layer 0: scale 1, both entries; −0.5 rounds away from zero. Layer 1: scale 2/127, the second entry.
    layer1 = np.asarray(np.float32(2.0) / np.float32(127.0), "<f4").tobytes()
    expected = bytes([1]) + b"\x00\x00\x80\x3f" + bytes([0b11, 127, 0xFF]) + layer1 + bytes([0b10, 0x81])
    assert data == expected
    decoded = codec.decode(data, shape, parts)
    np.testing.assert_allclose(decoded, [127.0, -1.0, 0.0, -2.0], rtol=1e-6)


def test_ties_go_to_the_lowest_index_and_zeros_are_not_sent() -> None:
    ones = np.ones(SHAPE.parameters, np.float32)
    decoded = codec.decode(codec.encode_sparse(ones, ALL, 7), SHAPE, ALL)
    np.testing.assert_array_equal(decoded != 0, np.arange(32) < 7)
    nothing = codec.encode_sparse(np.zeros(32, np.float32), ALL, 7)
    assert len(nothing) == 1 + 4 + 3 + 4 + 2
    assert not codec.decode(nothing, SHAPE, ALL).any()


def test_scales_that_are_no_normal_number_send_nothing() -> None:
    tiny = np.full(32, 1e-40, np.float32)
    assert not codec.decode(codec.encode_sparse(tiny, ALL, 7), SHAPE, ALL).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_have_no_place_in_int8(bad: float) -> None:
    delta = deltas(1)
    delta[4] = bad
    with pytest.raises(TinycError, match="NaN or infinite"):
        codec.encode_sparse(delta, ALL, 4)


def test_kept_entries_round_up() -> None:
    assert codec.kept_entries(0.5, ALL) == 16
    assert codec.kept_entries(0.01, ALL) == 1
    assert codec.kept_entries(1.0, BODY) == 20


def test_size_is_that_of_bitmap_values_and_scales() -> None:
    shape = NetworkShape((196, 64, 32, 5))
    parts = codec.shared_segments(shape, False)
    delta = deltas(2, shape.parameters)
    half = codec.encode_sparse(delta, parts, codec.kept_entries(0.5, parts))
    bitmaps = sum((int(part.stop - part.start) + 7) // 8 for part in parts)
    assert len(half) == 1 + 3 * 4 + bitmaps + (shape.parameters + 1) // 2
    assert len(half) < 4 * shape.parameters / 6


BROKEN = {
    "is empty": b"",
    "unknown kind 7": b"\x07",
    "has 5 bytes": b"\x00abcd",
    "ends too early": b"\x01\x00\x00",
    "has scale nan": b"\x01" + b"\x00\x00\xc0\x7f" + bytes(3) + bytes(6),
    "has scale -1.0": b"\x01" + b"\x00\x00\x80\xbf" + bytes(3) + bytes(6),
    "marks entries behind the last": b"\x01" + bytes(4) + b"\x00\x00\xf0" + bytes(4) + bytes(6),
    "1 bytes too many": b"\x01" + bytes(7) + bytes(6) + b"x",
    "value of -128": b"\x01" + b"\x00\x00\x80\x3f" + b"\x01\x00\x00" + b"\x80" + bytes(6),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_deltas_are_refused(what: str) -> None:
    with pytest.raises(TinycError, match=what):
        codec.decode(BROKEN[what], SHAPE, ALL)


@given(
    seed=st.integers(0, 2**16),
    cut=st.integers(0, 60),
    flips=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4),
    tail=st.binary(max_size=8),
)
@settings(deadline=None, max_examples=200)
def test_any_bytes_give_a_vector_or_an_error(
    seed: int, cut: int, flips: list[tuple[int, int]], tail: bytes
) -> None:
    data = bytearray(codec.encode_sparse(deltas(seed), ALL, 16))
    for place, value in flips:
        data[place % len(data)] = value
    data = data[: max(0, len(data) - cut)] + tail
    try:
        decoded = codec.decode(bytes(data), SHAPE, ALL)
    except TinycError:
        return
    assert decoded.shape == (32,)
    assert decoded.dtype == np.float32
    assert not np.isnan(decoded).any() or data[0] == codec.DENSE
