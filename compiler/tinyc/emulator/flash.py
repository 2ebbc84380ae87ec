"""Flash memory: its words, what is done to them, and the loss of power in the middle of it.

The emulated chip and the replay of a recorded history share this model, so that a power-cut sweep
needs the emulator only to boot what each cut leaves behind.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

WORD = 0xFFFFFFFF
_ERASED = b"\xff"
_CHUNK = 4096


class Kind(Enum):
    """What an operation does."""

    WRITE = "write"
    ERASE = "erase"
    SETTLE = "settle"  # nothing was done, but torn cells read differently from here on


class Mode(Enum):
    """Where in an operation the power is cut. The halves are for erases; a cut write has no halves."""

    BEFORE = "before"
    AFTER = "after"
    TORN = "torn"  # only some of the bits have changed
    FIRST_HALF = "first half"  # of the area is erased, the rest is as it was
    SECOND_HALF = "second half"

    def applies_to(self, kind: Kind) -> bool:
        """Whether an operation of that kind can be cut like this."""
        halves = self in (Mode.FIRST_HALF, Mode.SECOND_HALF)
        return kind is Kind.ERASE or (kind is Kind.WRITE and not halves)


@dataclass(frozen=True, slots=True)
class Operation:
    """One write of a word or one erase. `number` counts from 0 at the creation of the machine.

    `value` is what the program stored, not what the word then holds; `size` is in bytes. Where torn
    cells settle, `value` is the number of the boot.
    """

    number: int
    kind: Kind
    address: int
    value: int
    size: int

    def __str__(self) -> str:
        if self.kind is Kind.WRITE:
            return f"operation {self.number}, write of 0x{self.value:08x} at 0x{self.address:08x}"
        if self.kind is Kind.ERASE:
            return f"operation {self.number}, erase of {self.size} bytes at 0x{self.address:08x}"
        return f"operation {self.number}, boot {self.value}"


@dataclass(frozen=True, slots=True)
class Cut:
    """The power goes at operation `number`. `seed` chooses among the ways to tear it.

    With `unstable` the torn bits read differently after every reset, as half-programmed cells do,
    until they are programmed or erased again.
    """

    number: int
    mode: Mode
    seed: int = 0
    unstable: bool = False


@dataclass(frozen=True, slots=True)
class FlashImage:
    """What a flash holds without power, from its origin on; beyond `content` it is erased.

    `writes` counts, for each word, the writes since its last erase where they are known. `unstable`
    names (address, bits) of cells that were torn.
    """

    content: bytes
    writes: bytes = b""
    unstable: tuple[tuple[int, int], ...] = ()


class FlashArray:
    """The cells of a flash at `origin`, kept in `cells`. Alignment and bounds are the caller's to check.

    `cut` is what is going to happen; from then on the array is `dead` and nothing changes it.
    """

    def __init__(self, origin: int, cells: memoryview, image: FlashImage) -> None:
        self.origin, self._cells = origin, cells
        self.count = 0
        self.log: list[Operation] | None = None
        self.cut: Cut | None = None
        self.dead = False
        self.on_change: Callable[[int, int], None] = lambda address, size: None
        self.on_power_loss: Callable[[], None] = lambda: None
        self._writes, self._unstable = bytearray(), dict[int, int]()
        self.load(image)

    def load(self, image: FlashImage) -> None:
        """Hold `image` from now on, as if nothing had happened yet. Pages that are equal are left alone."""
        size = len(self._cells)
        content = image.content.ljust(size, _ERASED)
        for at in range(0, size, _CHUNK):
            page = content[at : at + _CHUNK]
            if bytes(self._cells[at : at + _CHUNK]) != page:
                self._put(self.origin + at, page)
        self._writes = bytearray(image.writes.ljust(size // 4, b"\0"))
        self._unstable = dict(image.unstable)
        self.count, self.log = 0, None

    # Reading.

    def word(self, address: int) -> int:
        """The word at `address`."""
        at = address - self.origin
        return int.from_bytes(self._cells[at : at + 4], "little")

    def writes(self, address: int) -> int:
        """How often the word at `address` was written since its last erase, as far as is known."""
        known = self._writes[(address - self.origin) // 4]
        return known or int(self.word(address) != WORD)

    def image(self) -> FlashImage:
        """What stays when the power goes now."""
        return FlashImage(bytes(self._cells), bytes(self._writes), tuple(sorted(self._unstable.items())))

    # Operations.

    def write(self, address: int, value: int) -> None:
        """Program the word at `address`: bits that are 0 in `value` become 0."""
        if self.log is None and self.cut is None and not self.dead:  # nobody asks for the operation
            self.count += 1
            self._program(address, value)
        else:
            self.perform(Operation(self.count, Kind.WRITE, address, value, 4))

    def erase(self, address: int, size: int) -> None:
        """Set every bit of the area."""
        self.perform(Operation(self.count, Kind.ERASE, address, WORD, size))

    def perform(self, operation: Operation) -> None:
        """Do it, unless the power is off or goes in the middle of it."""
        if self.dead:
            return
        if self.cut is not None and self.cut.number == operation.number:
            self._lose_power(operation, self.cut)
            return
        self.count += 1
        self._apply(operation)
        if self.log is not None:
            self.log.append(operation)

    def _apply(self, operation: Operation) -> None:
        if operation.kind is Kind.WRITE:
            self._program(operation.address, operation.value)
        elif operation.kind is Kind.ERASE:
            self._clear(operation.address, operation.size)
        else:
            self._settle(operation.value)

    def _program(self, address: int, value: int) -> None:
        before, index = self.word(address), (address - self.origin) // 4
        writes = self._writes[index] or int(before != WORD)
        self._writes[index] = min(writes + 1, 255)
        self._put(address, (before & value).to_bytes(4, "little"))
        if address in self._unstable:  # only the cells that were programmed again are certain now
            self._set_unstable(address, self._unstable[address] & value)

    def _clear(self, address: int, size: int) -> None:
        index = (address - self.origin) // 4
        self._writes[index : index + size // 4] = bytes(size // 4)
        self._put(address, _ERASED * size)
        for torn in [torn for torn in self._unstable if address <= torn < address + size]:
            del self._unstable[torn]

    def _put(self, address: int, data: bytes) -> None:
        at = address - self.origin
        self._cells[at : at + len(data)] = data
        self.on_change(address, len(data))

    def _set_unstable(self, address: int, bits: int) -> None:
        if bits:
            self._unstable[address] = bits
        else:
            self._unstable.pop(address, None)

    # Power.

    def power_up(self) -> None:
        """The power is back: what was cut stays as it is."""
        self.dead, self.cut = False, None

    def settle(self, boot: int) -> None:
        """Choose what the torn cells read during boot number `boot`."""
        if self._unstable:
            self.perform(Operation(self.count, Kind.SETTLE, self.origin, boot, 0))

    def _settle(self, boot: int) -> None:
        chance = random.Random(f"boot {boot}")
        for address, bits in sorted(self._unstable.items()):
            value = self.word(address) & ~bits | chance.getrandbits(32) & bits
            self._put(address, value.to_bytes(4, "little"))

    def _lose_power(self, operation: Operation, cut: Cut) -> None:
        if cut.mode is Mode.AFTER:
            self.count += 1
            self._apply(operation)
        elif cut.mode is Mode.TORN:
            self._tear(operation, cut)
        elif cut.mode is not Mode.BEFORE:
            half = operation.size // 2
            self._clear(operation.address + (half if cut.mode is Mode.SECOND_HALF else 0), half)
        self.dead = True
        self.on_power_loss()

    def _tear(self, operation: Operation, cut: Cut) -> None:
        """Change a part of the bits that the operation changes; all and none are other modes.

        With unstable cells, one bit in eight of them is uncertain, and the seeds take turns in how far
        the others came: half of them, all, none.
        """
        chance = random.Random(f"{cut.seed} {operation.number} {operation.address}")
        at, size = operation.address - self.origin, operation.size
        bits = 8 * size
        old = int.from_bytes(self._cells[at : at + size], "little")
        writes = operation.kind is Kind.WRITE
        changing = old & ~operation.value if writes else ((1 << bits) - 1) & ~old
        changed = changing & chance.getrandbits(bits)
        if changing.bit_count() > 1 and changed in (0, changing):
            changed ^= changing & -changing
        uncertain = 0
        if cut.unstable:
            uncertain = (
                changing & chance.getrandbits(bits) & chance.getrandbits(bits) & chance.getrandbits(bits)
            )
            uncertain = uncertain or changing & -changing
            changed = (changed, changing, 0)[cut.seed % 3] & ~uncertain
        if writes:
            self._writes[at // 4] = min(self.writes(operation.address) + 1, 255)
        self._put(operation.address, (old ^ changed).to_bytes(size, "little"))
        for offset, (word,) in enumerate(struct.iter_unpack("<I", uncertain.to_bytes(size, "little"))):
            address = operation.address + 4 * offset
            self._set_unstable(address, word | self._unstable.get(address, 0))
