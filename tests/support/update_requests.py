"""The slots of the nRF52840, and what applications write into them to have an image run, word by word."""

from __future__ import annotations

PAGE = 4096
FLASH_BYTES = 256 * PAGE
BLANK = 0xFF

PRIMARY = 0x06000
PRIMARY_END = PRIMARY + 119 * PAGE
SECONDARY = 0x7D000
SECONDARY_END = SECONDARY + 120 * PAGE
# Where an upload goes: the page in front is free room for the swap.
UPLOAD = SECONDARY + PAGE
IMAGE_PAGES = 118
IMAGE_BYTES = IMAGE_PAGES * PAGE

MAGIC = bytes.fromhex("77c295f360d2ef7f3552500f2cb67980")
# Fields of a trailer, by their distance from the end of the slot.
MAGIC_AT = 16
IMAGE_OK_AT = 24
COPY_DONE_AT = 32
SWAP_INFO_AT = 40
SET = 0xFFFFFF01
TEST = 0xFFFFFF02
PERMANENT = 0xFFFFFF03


def program(flash: bytearray, address: int, data: bytes) -> None:
    """Write whole words of blank flash; the last one is filled up."""
    data = data.ljust(-(-len(data) // 4) * 4, bytes([BLANK]))
    end = address + len(data)
    assert address % 4 == 0 and end <= len(flash)
    assert flash[address:end] == bytes([BLANK]) * len(data), "written without an erase"
    flash[address:end] = data


def erase(flash: bytearray, address: int, pages: int = 1) -> None:
    assert address % PAGE == 0
    flash[address : address + pages * PAGE] = bytes([BLANK]) * (pages * PAGE)


def word(flash: bytearray, address: int) -> int:
    return int.from_bytes(flash[address : address + 4], "little")


def flash_directly(flash: bytearray, image: bytes) -> None:
    """As a debug probe writes the primary slot: image and nothing else."""
    erase(flash, PRIMARY, 119)
    program(flash, PRIMARY, image)


def upload(flash: bytearray, image: bytes) -> None:
    """As the application does. The page in front goes too: the header of a swapped image may lie there."""
    erase(flash, SECONDARY, 120)
    program(flash, UPLOAD, image)


def request(flash: bytearray, permanent: bool = False) -> None:
    """Have the uploaded image run at the next start. The magic comes last, it makes the rest valid."""
    _field(flash, SECONDARY_END - SWAP_INFO_AT, PERMANENT if permanent else TEST)
    if permanent:
        _field(flash, SECONDARY_END - IMAGE_OK_AT, SET)
    program(flash, SECONDARY_END - MAGIC_AT, MAGIC)


def confirm(flash: bytearray) -> None:
    """Keep the image that runs."""
    _field(flash, PRIMARY_END - IMAGE_OK_AT, SET)


def confirmed(flash: bytearray) -> bool:
    """Whether the image that runs stays."""
    blank = bytes([BLANK]) * len(MAGIC)
    magic = flash[PRIMARY_END - MAGIC_AT : PRIMARY_END]
    return magic == blank or word(flash, PRIMARY_END - IMAGE_OK_AT) == SET


def requested(flash: bytearray) -> bool:
    return flash[SECONDARY_END - MAGIC_AT : SECONDARY_END] == MAGIC


def _field(flash: bytearray, address: int, value: int) -> None:
    program(flash, address, value.to_bytes(4, "little"))
