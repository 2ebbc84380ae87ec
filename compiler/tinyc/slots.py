"""The flash of a board with tinyc's bootloader: where the bootloader, images, models and journal lie.

    bootloader | primary | secondary | model 0 | model 1 | learn | spare | journal

The image that runs lies in the primary slot, uploads go to the secondary one. Each slot ends with a
page for its trailer, and the secondary begins with one more, which the swap needs as room to move. The
learn pages hold what the device learned; they are kept free whether or not the firmware learns.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

HEADER_BYTES = 512
"""Before the body of an image: MCUboot's header, padded so that a vector table may follow."""
TLV_BYTES = 1024
"""Kept free behind the body of an image, for its hash, its signature and what it says of itself."""
RETAINED_BYTES = 64
"""At the end of RAM: what the bootloader and the application tell each other across a reset."""
_JOURNAL_PAGES = 2


@dataclass(frozen=True, slots=True)
class Slots:
    """Sizes in pages of `page` bytes, addresses in bytes. `model_pages` is 0 without model slots.

    `split_image_pages` and `split_model_pages` are the sizes when models have slots of their own.
    """

    flash_origin: int
    flash: int
    page: int
    bootloader_pages: int
    image_pages: int
    model_pages: int = 0
    split_image_pages: int = 0
    split_model_pages: int = 0
    learn_pages: int = 0

    @property
    def bootloader_bytes(self) -> int:
        return self.bootloader_pages * self.page

    @property
    def primary(self) -> int:
        return self.flash_origin + self.bootloader_bytes

    @property
    def secondary(self) -> int:
        return self.primary + (self.image_pages + 1) * self.page

    @property
    def upload(self) -> int:
        """Where an image lies in the secondary slot."""
        return self.secondary + self.page

    def model(self, index: int) -> int:
        """Address of model slot 0 or 1."""
        return self.secondary + (self.image_pages + 2 + index * self.model_pages) * self.page

    @property
    def learn(self) -> int:
        """Address of the pages for learned heads."""
        return self._slots_end

    @property
    def journal(self) -> int:
        return self.flash_origin + self.flash - _JOURNAL_PAGES * self.page

    @property
    def image_bytes(self) -> int:
        """The most that header, body and TLVs of an image may have."""
        return self.image_pages * self.page

    @property
    def model_bytes(self) -> int:
        """The same for a model image; its slot ends with a trailer too."""
        return max(0, self.model_pages - 1) * self.page

    @property
    def model_bodies(self) -> tuple[int, int]:
        """Where the bodies of the models begin."""
        return self.model(0) + HEADER_BYTES, self.model(1) + HEADER_BYTES

    @property
    def model_body_bytes(self) -> int:
        """The most that the body of a model image may have."""
        return max(0, self.model_bytes - HEADER_BYTES - TLV_BYTES)

    @property
    def application_origin(self) -> int:
        """Address of the application's vector table."""
        return self.primary + HEADER_BYTES

    @property
    def application_bytes(self) -> int:
        """The most that the body of an image may have."""
        return self.image_bytes - HEADER_BYTES - TLV_BYTES

    @property
    def number(self) -> int:
        """Names this map: an image runs only where the map is the one it was linked for."""
        places = (self.flash_origin, self.primary, self.secondary, self.model(0), self.journal)
        fields = (*places, self.page, self.image_pages, self.model_pages, self.learn, self.learn_pages)
        return zlib.crc32(",".join(map(str, fields)).encode("ascii"))

    @property
    def _slots_end(self) -> int:
        return self.model(2) if self.model_pages else self.secondary + (self.image_pages + 2) * self.page

    @property
    def end(self) -> int:
        """The first byte behind all slots and the learn pages."""
        return self.learn + self.learn_pages * self.page

    def split(self) -> Slots:
        """The map with model slots. Raises ValueError when the board has none."""
        if not self.split_model_pages:
            raise ValueError("no model slots")
        return replace(self, image_pages=self.split_image_pages, model_pages=self.split_model_pages)

    def problem(self) -> str | None:
        """What is impossible about this map, if anything."""
        if self.page <= 0 or self.page % HEADER_BYTES:
            return f"page is {self.page}, needs a multiple of {HEADER_BYTES}"
        if self.flash % self.page or self.flash_origin % self.page:
            return f"flash is not made of pages of {self.page} bytes"
        if self.learn_pages < 0 or self.learn_pages == 1:
            return f"learn is {self.learn_pages} pages, needs 2 or more, or none"
        if min(self.bootloader_pages, self.image_pages) < 1:
            return "bootloader and image need at least one page each"
        if self.end > self.journal:
            return f"the slots end at 0x{self.end:x}, behind the journal at 0x{self.journal:x}"
        if self.model_pages == 0 and self.split_model_pages:
            split = self.split()
            if self.learn_pages and split.learn != self.learn:
                # What a device learned outlives a change from one map to the other.
                return f"learn lies at 0x{self.learn:x}, with model slots at 0x{split.learn:x}: make it one"
            return split.problem()
        return None
