"""The nRF52840 DK with slots for images: where they lie, and what it takes to run from one."""

from __future__ import annotations

from support.unsigned_images import HEADER, image
from tinyc.emulator import Machine
from tinyc.emulator.flash import FlashImage
from upload import slot_board

__all__ = ["slot_board"]

PAGE = 4096
PRIMARY, SECONDARY, IMAGE_PAGES = 0x6000, 0x7D000, 118
UPLOADS = SECONDARY + PAGE
CAPACITY = IMAGE_PAGES * PAGE
TRAILER = UPLOADS + CAPACITY
RETAINED = 0x2003FFC0


def install(machine: Machine, size: int) -> bytes:
    """Make the running application of `size` bytes an image in the primary slot; the image."""
    content = bytearray(machine.flash())
    start = PRIMARY + HEADER
    data = image(bytes(content[start : start + size]))
    content[PRIMARY : PRIMARY + len(data)] = data
    machine.flash_array.load(FlashImage(bytes(content)))
    return data
