"""Images on a device: what its slots hold, uploads, and which image starts next. SMP's group 1."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from smpclient.requests.image_management import (
    ImageErase,
    ImageStatesRead,
    ImageStatesWrite,
    ImageUploadWrite,
)

from tinyc.device import limits
from tinyc.device.client import DeviceClient
from tinyc.device.errors import ProtocolError

# A page of flash takes 85 ms to erase; a slot has about a hundred.
_ERASE_SECONDS = 40.0
_UPLOAD_SECONDS = 5.0
# The head of a byte string of up to 64 kB has this many bytes more than that of an empty one.
_LONGER_HEAD = 2


def _quiet(done: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class SlotState:
    """What lies in a slot. `hash` is the one that the image carries, in hexadecimal.

    `number` is 0 for firmware and 1 for models. `pending`: starts next; `active`: runs; `confirmed`: is
    not taken back; `permanent`: starts next and is not taken back.
    """

    number: int
    slot: int
    version: str
    hash: str
    pending: bool
    confirmed: bool
    active: bool
    permanent: bool


class ImageClient:
    """The images of one device. Raises ProtocolError as `DeviceClient` does."""

    def __init__(self, client: DeviceClient) -> None:
        self._client = client

    def states(self) -> tuple[SlotState, ...]:
        """Every slot that holds an image, by image number and slot."""
        found = self._client.request(ImageStatesRead()).images
        states = [
            SlotState(
                number=state.image or 0,
                slot=state.slot,
                version=state.version,
                hash=(state.hash or b"").hex(),
                pending=bool(state.pending),
                confirmed=bool(state.confirmed),
                active=bool(state.active),
                permanent=bool(state.permanent),
            )
            for state in found
        ]
        return tuple(sorted(states, key=lambda state: (state.number, state.slot)))

    def upload(
        self, image: bytes, number: int = 0, progress: Callable[[int], None] = lambda done: None
    ) -> None:
        """Send an image to the slot that is free. Goes on where an upload of the same bytes was cut off.

        `progress` is told how many bytes the device has.
        """
        name = hashlib.sha256(image).digest()
        off, stuck = 0, 0
        while off < len(image):
            answer = self._client.request(self._chunk(image, name, number, off), self._patience(off))
            found = answer.off
            if found is None or found > len(image):
                raise ProtocolError(f"the device goes on at byte {found} of {len(image)}")
            # The device may go back after it was reset, but not for ever.
            stuck = stuck + 1 if found <= off else 0
            if stuck > 8:
                raise ProtocolError(f"the upload does not get beyond byte {off}")
            if found == len(image) and answer.match is False:
                raise ProtocolError("the image arrived damaged", hint="try again")
            off = found
            progress(off)

    def erase(self, slot: int | None = None) -> None:
        """Empty a slot for uploads; the next upload is faster then. Slots 2 and 3 are those of models."""
        self._client.request(ImageErase(slot=slot), _ERASE_SECONDS)

    def test(self, image_hash: str, *, permanent: bool = False) -> None:
        """Have the uploaded image with this hash start next, once, or `permanent`ly."""
        request = ImageStatesWrite(hash=bytes.fromhex(image_hash), confirm=permanent)
        self._client.request(request, _UPLOAD_SECONDS)

    def confirm(self, image_hash: str | None = None) -> None:
        """Keep the firmware that runs, or the model with this hash: it is not taken back any more."""
        name = None if image_hash is None else bytes.fromhex(image_hash)
        self._client.request(ImageStatesWrite(hash=name, confirm=True), _UPLOAD_SECONDS)

    def _chunk(self, image: bytes, name: bytes, number: int, off: int) -> ImageUploadWrite:
        """As much from byte `off` on as one message carries."""

        def request(data: bytes) -> ImageUploadWrite:
            if off > 0:
                return ImageUploadWrite(off=off, data=data)
            return ImageUploadWrite(off=0, data=data, len=len(image), sha=name, image=number)

        room = limits.largest_message(self._client.buffer_bytes()) - len(request(b"").BYTES) - _LONGER_HEAD
        rest = len(image) - off
        # Whole words: what is left of a word would have to wait for the next chunk.
        return request(image[off : off + (rest if rest <= room else room & ~3)])

    @staticmethod
    def _patience(off: int) -> float:
        return _ERASE_SECONDS if off == 0 else _UPLOAD_SECONDS
