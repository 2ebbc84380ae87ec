"""Why the bootloader refuses an image, in words. The numbers are those of `bootloader/image.h`."""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class Fault(IntEnum):
    OK = 0
    NO_HEADER = 1
    BAD_HEADER = 2
    TOO_LARGE = 3
    BAD_TLVS = 4
    NO_HASH = 5
    WRONG_HASH = 6
    WRONG_BOARD = 7
    WRONG_MAP = 8
    BAD_VECTORS = 9
    UNSIGNED = 10
    FOREIGN_KEY = 11
    WRONG_SIGNATURE = 12
    TOO_OLD = 13
    UNCONFIRMED = 14


_WORDS = {
    Fault.OK: "nothing is wrong with it",
    Fault.NO_HEADER: "there is no image",
    Fault.BAD_HEADER: "its header is not one for this place",
    Fault.TOO_LARGE: "it is larger than its slot",
    Fault.BAD_TLVS: "what it says of itself is damaged",
    Fault.NO_HASH: "it has no hash",
    Fault.WRONG_HASH: "it is damaged: its hash is another one",
    Fault.WRONG_BOARD: "it is for another board",
    Fault.WRONG_MAP: "it was linked for another flash map",
    Fault.BAD_VECTORS: "it would not start inside itself",
    Fault.UNSIGNED: "it is not signed",
    Fault.FOREIGN_KEY: "it is signed by another key",
    Fault.WRONG_SIGNATURE: "its signature is wrong",
    Fault.TOO_OLD: "its security counter is lower than one that was confirmed",
    Fault.UNCONFIRMED: "it ran and was not confirmed",
}


def words_of(reason: int) -> str:
    """What a number means; newer bootloaders may have more of them."""
    try:
        return _WORDS[Fault(reason)]
    except ValueError:
        return f"reason {reason}"
