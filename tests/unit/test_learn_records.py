"""Records of heads: their layout, the twin of the ring, how long flash lasts, and what a learner takes."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest

from support import learners
from tinyc.errors import TinycError
from tinyc.learning.safety import Safety, Stats
from tinyc.learning.store import RECORD_OVERHEAD, Facts, Layout, Reason, Region, Store, lifetime

pytestmark = pytest.mark.unit

REGION = Region(0x10000, 4096, 8)
HASH = bytes(range(8))


def test_the_ring_of_a_large_and_of_a_small_head() -> None:
    large = Layout(REGION, 3216, 48)
    assert (large.record_bytes, large.records_per_page, large.units) == (RECORD_OVERHEAD + 3264, 1, 8)
    small = Layout(REGION, 500, 12)
    assert (small.records_per_page, small.places, small.offset(8)) == (7, 56, 4096 + small.record_bytes)
    huge = Layout(REGION, 9000, 0)
    assert (huge.pages_per_record, huge.units, huge.offset(1)) == (3, 2, 3 * 4096)
    with pytest.raises(TinycError, match="takes 17,068 bytes"):
        Layout(REGION, 17_000, 0)


def test_a_record_word_by_word() -> None:
    store = Store(Layout(REGION, 8, 4), HASH, b"factory!")
    assert store.open() == b"" and store.active() == b"factory!"
    assert store.save(b"learned!", b"name", Facts(Reason.PROMOTION, 7, 36, 35, 5, 6))
    payload = struct.pack("<6I", 1, 7, 36, 35, 5, 6) + b"learned!name"
    head = struct.pack("<2I8s4I", 0x4E524C54, 1, HASH, 1, 0, len(payload), zlib.crc32(payload))
    words = head + struct.pack("<3I", zlib.crc32(head), 0x5AC33C96, 0x69C35AA4)
    assert bytes(store.flash[: len(words) + len(payload)]) == words + payload
    assert set(store.flash[len(words) + len(payload) :]) == {0xFF}


def test_only_records_of_the_same_body_count() -> None:
    layout = Layout(REGION, 8, 4)
    store = Store(layout, HASH, b"factory!")
    store.open()
    store.save(b"learned!", b"name", Facts(Reason.PROMOTION))
    other = Store(layout, HASH[::-1], b"FACTORY!", store.flash)
    assert other.open() == b"" and other.active() == b"FACTORY!"
    assert other.save(b"another!", b"NAME", Facts(Reason.PROMOTION)) and other.sequence == 2
    # The first firmware comes back and finds its own.
    assert store.open() == b"name" and (store.active(), store.sequence) == (b"learned!", 1)


def test_the_ways_back() -> None:
    store = Store(Layout(REGION, 8, 4), HASH, b"factory!")
    store.open()
    for state in (b"the 1st.", b"the 2nd.", b"the 3rd."):
        assert store.save(state, b"name", Facts(Reason.PROMOTION))
    assert (store.active(), store.good_state()) == (b"the 3rd.", b"the 2nd.")
    assert store.save(store.good_state(), b"name", Facts(Reason.REVERT))
    assert (store.active(), store.good_state(), store.good) == (b"the 2nd.", b"factory!", 0)
    store.open()
    assert (store.active(), store.good_state(), store.sequence) == (b"the 2nd.", b"factory!", 4)
    assert store.save(b"", b"", Facts(Reason.FACTORY))
    assert (store.open(), store.active(), store.sequence) == (b"", b"factory!", 0)


def test_the_lifetime_of_the_flash() -> None:
    """A head of 3 kB in 8 pages of 10,000 erases, saved each hour: 9.1 years."""
    found = lifetime(3300, 8, 10_000, 24)
    assert (found.saves, round(found.years, 1)) == (80_000, 9.1)
    assert "80,000 saves, 9.1 years at 24 a day" in found.words
    small = lifetime(1000, 8, 10_000, 24)
    assert small.saves == 4 * 80_000 and "9.1 years if the device starts anew" in small.words
    assert lifetime(5000, 8, 10_000, 24).saves == 40_000
    with pytest.raises(ValueError, match="no room"):
        lifetime(20_000, 8, 10_000, 24)


def test_the_erases_of_the_twin_are_what_the_lifetime_says() -> None:
    for size in (500, 3000, 5000):
        layout = Layout(REGION, size, 0)
        store = Store(layout, HASH, bytes(size))
        store.open()
        for _ in range(20 * layout.places):
            store.save(bytes(size), b"", Facts(Reason.PROMOTION))
        saves = lifetime(layout.record_bytes, REGION.pages, 20, 1).saves
        assert saves == 20 * layout.places and set(store.erases) == {20}


def test_statistics_as_a_device_sends_them() -> None:
    stats = Stats(observations=3, drift_high=np.float32(1.5), classes=9)
    assert Stats.from_bytes(stats.to_bytes()) == stats
    assert len(stats.to_bytes()) == 4 * 32
    with pytest.raises(ValueError, match="statistics"):
        Stats.from_bytes(b"\0" * 4)


def test_the_learner_takes_less_than_800_bytes() -> None:
    """Without states of heads: 64 values, 8 held-out samples, nine classes and three new ones."""
    case = learners.case("slda", latent=64, factory=9, capacity=12, distance=20.0)
    assert case.safety.held_out == 8 and case.safety.ram_bytes(case.design) <= 800
    assert case.design.state_bytes + case.safety.ram_bytes(case.design) <= 4096


@pytest.mark.parametrize(
    "wrong",
    [{"held_out": 0}, {"name_bytes": 10}, {"body_hash": b"1"}, {"held_out_minimum": 9}, {"patience": 0}],
)
def test_impossible_settings(wrong: dict[str, object]) -> None:
    safety = learners.case("ncm").safety
    assert isinstance(safety, Safety)
    with pytest.raises(ValueError, match=r"held_out|name_bytes|patience"):
        replace(safety, **wrong)  # type: ignore[arg-type]
