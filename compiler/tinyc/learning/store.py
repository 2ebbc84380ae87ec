"""Heads in flash: the format of a record, the ring of pages, and how long the flash lasts.

The twin of firmware_templates/learning/learn_store.c: the same bytes at the same places. Words are little
endian. A record:

    word  0  magic "TLRN"
          1  format, 1
       2, 3  body hash
          4  sequence, from 1 on: the highest one is active
          5  sequence of the last-good record, 0: the factory's head
          6  bytes of the payload
          7  CRC-32 of the payload
          8  CRC-32 of words 0 to 7
          9  COMMIT, written when all else reads back
         10  SETTLED, written behind COMMIT; either is enough
      11-16  facts: reason, samples learned from, right answers of the active head and of this one on the
             guard set, and on held-out samples
     17 ...  state of the head, names of the classes that are not the factory's

A tombstone ends with the facts: the factory's head is active.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from enum import IntEnum

from tinyc.errors import TinycError

MAGIC = 0x4E524C54
FORMAT = 1
COMMIT = 0x5AC33C96
SETTLED = 0x69C35AA4
BLANK = 0xFFFFFFFF
_HEADER = struct.Struct("<I I 8s I I I I")
_FACTS = struct.Struct("<6I")
_CRC_AT = _HEADER.size
_COMMIT_AT = _CRC_AT + 4
_SETTLED_AT = _COMMIT_AT + 4
_PAYLOAD_AT = _SETTLED_AT + 4
_STATE_AT = _PAYLOAD_AT + _FACTS.size
RECORD_OVERHEAD = _STATE_AT
"""Bytes of a record beside state and names."""
_NO_PLACE = 0xFFFF
_DAYS = 365.25


class Reason(IntEnum):
    """Why a record was written."""

    PROMOTION = 1
    REQUEST = 2
    IMPORT = 3
    REVERT = 4
    FACTORY = 5
    FORCED = 6


@dataclass(frozen=True, slots=True)
class Facts:
    """What was known when a record was written. Right answers, or the bits of float32 errors."""

    reason: Reason
    fresh: int = 0
    guard_active: int = 0
    guard_shadow: int = 0
    held_active: int = 0
    held_shadow: int = 0

    def to_bytes(self) -> bytes:
        return _FACTS.pack(*astuple(self))


@dataclass(frozen=True, slots=True)
class Region:
    """Where records lie: `pages` of `page` bytes from `origin` on."""

    origin: int
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class Layout:
    """How records of a head with `state_bytes` and `names_bytes` lie in `region`.

    A unit is what is erased at once: a page with one record or more, or the pages of one record.
    Raises TinycError where there is no room for two units.
    """

    region: Region
    state_bytes: int
    names_bytes: int

    def __post_init__(self) -> None:
        if self.units < 2:
            raise TinycError(
                f"a record of the head takes {self.record_bytes:,} bytes of flash",
                allowed=f"at most half of the {self.region.pages} pages of {self.region.page:,} bytes",
                hint="tap a narrower layer, or give the head a smaller capacity",
            )

    @property
    def record_bytes(self) -> int:
        return RECORD_OVERHEAD + self.state_bytes + self.names_bytes

    @property
    def pages_per_record(self) -> int:
        return -(-self.record_bytes // self.region.page)

    @property
    def records_per_page(self) -> int:
        """1 also where a record takes several pages."""
        return max(1, self.region.page // self.record_bytes)

    @property
    def units(self) -> int:
        return self.region.pages // self.pages_per_record

    @property
    def places(self) -> int:
        return self.units * self.records_per_page

    def offset(self, place: int) -> int:
        """Of a place in the region."""
        unit, index = divmod(place, self.records_per_page)
        return unit * self.pages_per_record * self.region.page + index * self.record_bytes

    def macros(self, body_hash: bytes) -> Mapping[str, str]:
        """The `#define`s of learn_config.h; `body_hash` has 8 bytes."""
        first, second = struct.unpack("<2I", body_hash)
        return {
            "LEARN_FLASH_ORIGIN": f"0x{self.region.origin:08x}u",
            "LEARN_FLASH_PAGE": f"{self.region.page}u",
            "LEARN_FLASH_PAGES": f"{self.region.pages}u",
            "LEARN_BODY_HASH_0": f"0x{first:08x}u",
            "LEARN_BODY_HASH_1": f"0x{second:08x}u",
        }


@dataclass(frozen=True, slots=True)
class Lifetime:
    """`years` that the flash lasts, `saves` that it takes in all, and `words` for a report."""

    years: float
    saves: int
    words: str


def lifetime(
    record_bytes: int, pages: int, erase_cycles: int, saves_per_day: float, page: int = 4096
) -> Lifetime:
    """How long `pages` of `page` bytes last for records of that size, each page erased `erase_cycles` times.

    A ring wears all pages alike: it takes as many saves as all its pages have erases, times the records that
    share a page. After a start the next record goes into a new page, so that many starts cost up to that
    factor. Raises ValueError where the record does not fit.
    """
    per_page, span = max(1, page // record_bytes), -(-record_bytes // page)
    units = pages // span
    if units < 2:
        raise ValueError(f"{pages} pages have no room for two records of {record_bytes} bytes")
    saves = units * per_page * erase_cycles
    years = saves / saves_per_day / _DAYS
    how = f"{per_page} to a page" if span == 1 else f"{span} pages each"
    words = (
        f"{pages} pages of {page:,} bytes, records of {record_bytes:,} bytes, {how}; {erase_cycles:,} erases "
        f"of a page: {saves:,} saves, {years:.1f} years at {saves_per_day:g} a day"
    )
    if per_page > 1:
        words += f" ({years / per_page:.1f} years if the device starts anew before each)"
    return Lifetime(years, saves, words)


class Store:
    """The twin of `struct learn_store`: records in `flash`, which holds the region alone.

    Without a layout the active head is kept in RAM. `erases` counts those of each page.
    """

    def __init__(
        self, layout: Layout | None, body_hash: bytes, factory: bytes, flash: bytearray | None = None
    ) -> None:
        region = Region(0, 0, 0) if layout is None else layout.region
        self.layout, self.body_hash, self.factory = layout, body_hash, factory
        self.flash = bytearray(b"\xff" * region.page * region.pages) if flash is None else flash
        self.erases = [0] * region.pages
        self.sequence = 0  # of the active record, 0: the factory's head
        self.good = 0  # of the last-good record, 0: the factory's head
        self.saves = 0
        self._highest = 0
        self._next, self._newest_at, self._good_at = 0, _NO_PLACE, _NO_PLACE
        self._kept = (b"", b"")

    def open(self) -> bytes:
        """Pick the heads, as at a start; the names of the active one, empty for the factory's."""
        self.sequence = self.good = self.saves = self._highest = self._next = 0
        self._newest_at = self._good_at = _NO_PLACE
        if self.layout is None:
            return b""
        valid: dict[int, tuple[int, int, int]] = {}  # by sequence: place, last-good, size
        highest_at = _NO_PLACE
        for place in range(self.layout.places):
            header = self._header(place)
            if header is None:
                continue
            sequence, good, size, _, _ = header
            if highest_at == _NO_PLACE or sequence > self._highest:
                highest_at, self._highest = place, sequence
            if self._is_valid(place, header):
                valid.setdefault(sequence, (place, good, size))
        if highest_at != _NO_PLACE:
            unit = highest_at // self.layout.records_per_page + 1
            self._next = unit % self.layout.units * self.layout.records_per_page
        if not valid:
            return b""
        newest = max(valid)
        self._newest_at, good, size = valid[newest]
        self._settle(self._newest_at)
        if size != self._state_size:
            return b""
        self.sequence = newest
        if good in valid and valid[good][2] == self._state_size:
            self._good_at, self.good = valid[good][0], good
        return self.names()

    def active(self) -> bytes:
        """The active state."""
        return self.factory if self.sequence == 0 else self._record(self._newest_at)[0]

    def good_state(self) -> bytes:
        """The last-good state."""
        return self.factory if self.good == 0 else self._record(self._good_at)[0]

    def names(self) -> bytes:
        """Of the active head's classes, empty for the factory's."""
        return b"" if self.sequence == 0 else self._record(self._newest_at)[1]

    def save(self, state: bytes, names: bytes, facts: Facts) -> bool:
        """Write a record, which is active from then on. A tombstone takes nothing but the facts."""
        is_tombstone = facts.reason is Reason.FACTORY
        if self.layout is None:
            self._highest += 1
            self.saves += 1
            self.sequence = 0 if is_tombstone else self._highest
            self._kept = (b"", b"") if is_tombstone else (state, names)
            return True
        is_return = facts.reason in (Reason.REVERT, Reason.FACTORY)
        good = 0 if is_return or self.layout.units < 3 else self.sequence
        payload = facts.to_bytes() + (b"" if is_tombstone else state + names)
        for _ in range(self.layout.places):
            place = self._take_place()
            if place is None:
                continue
            self._highest += 1
            self._write_record(place, good, payload)
            self.saves += 1
            self._good_at = _NO_PLACE if good == 0 else self._newest_at
            self.good, self._newest_at = good, place
            self.sequence = 0 if is_tombstone else self._highest
            return True
        return False

    # What is in flash.

    @property
    def _state_size(self) -> int:
        assert self.layout is not None
        return self.layout.record_bytes - _PAYLOAD_AT

    def _record(self, place: int) -> tuple[bytes, bytes]:
        """State and names."""
        if self.layout is None:
            return self._kept
        at = self.layout.offset(place) + _STATE_AT
        end = at + self.layout.state_bytes
        return bytes(self.flash[at:end]), bytes(self.flash[end : end + self.layout.names_bytes])

    def _word(self, at: int) -> int:
        return int.from_bytes(self.flash[at : at + 4], "little")

    def _header(self, place: int) -> tuple[int, int, int, int, bytes] | None:
        """Sequence, last-good, size, CRC of the payload and body hash."""
        assert self.layout is not None
        at = self.layout.offset(place)
        raw = bytes(self.flash[at : at + _CRC_AT])
        magic, form, body, sequence, good, size, crc = _HEADER.unpack(raw)
        if magic != MAGIC or form != FORMAT or self._word(at + _CRC_AT) != zlib.crc32(raw):
            return None
        return sequence, good, size, crc, body

    def _is_valid(self, place: int, header: tuple[int, int, int, int, bytes]) -> bool:
        assert self.layout is not None
        _, _, size, crc, body = header
        at = self.layout.offset(place)
        if body != self.body_hash or size not in (self._state_size, _FACTS.size):
            return False
        if self._word(at + _COMMIT_AT) != COMMIT and self._word(at + _SETTLED_AT) != SETTLED:
            return False
        return zlib.crc32(self.flash[at + _PAYLOAD_AT : at + _PAYLOAD_AT + size]) == crc

    # Writing.

    def _write(self, at: int, data: bytes) -> None:
        assert set(self.flash[at : at + len(data)]) <= {0xFF}, "a word is written twice"
        self.flash[at : at + len(data)] = data

    def _settle(self, place: int) -> None:
        assert self.layout is not None
        at = self.layout.offset(place) + _SETTLED_AT
        if self._word(at) == BLANK:
            self._write(at, struct.pack("<I", SETTLED))

    def _write_record(self, place: int, good: int, payload: bytes) -> None:
        assert self.layout is not None
        at, crc = self.layout.offset(place), zlib.crc32(payload)
        raw = _HEADER.pack(MAGIC, FORMAT, self.body_hash, self._highest, good, len(payload), crc)
        self._write(at, raw + struct.pack("<I", zlib.crc32(raw)))
        self._write(at + _PAYLOAD_AT, payload)
        self._write(at + _COMMIT_AT, struct.pack("<I", COMMIT))
        self._settle(place)

    def _take_place(self) -> int | None:
        """The next place, erased; None: it may not be."""
        assert self.layout is not None
        place, per_unit = self._next, self.layout.records_per_page
        if place % per_unit == 0:
            used = {at // per_unit for at in (self._newest_at, self._good_at) if at != _NO_PLACE}
            if place // per_unit in used:
                self._next = (place + per_unit) % self.layout.places
                return None
            page, count = self.layout.region.page, self.layout.pages_per_record
            first = self.layout.offset(place)
            self.flash[first : first + count * page] = b"\xff" * (count * page)
            for index in range(first // page, first // page + count):
                self.erases[index] += 1
        self._next = (place + 1) % self.layout.places
        return place
