"""The SUIT manifest of a build folder's signed image."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tinyc.errors import TinycError
from tinyc.registry.formats import suit
from tinyc.registry.formats.suit_read import verify
from tinyc.signing.keys import SigningKey
from tinyc.signing.read import SignedImage, check_image, read_image

FIRMWARE = (b"firmware",)
"""The component that an image of a whole firmware is for."""
_MOST_IMAGE = 64 << 20


def manifest(image: Path, key: SigningKey, *, vendor: str = suit.VENDOR_DOMAIN, uri: str = "") -> bytes:
    """The envelope that tells a device to install `image`, a file of `tinyc build`, signed with `key`.

    `vendor` is the domain of whoever makes the devices, `uri` where they fetch the image; without one it lies
    beside the manifest. Raises TinycError for a file that is no image, and for one that `key` did not sign.
    """
    where = str(image)
    try:
        if image.stat().st_size > _MOST_IMAGE:
            raise TinycError("is no image: it is too large", where=where)
        data = image.read_bytes()
    except OSError as error:
        raise TinycError(
            f"cannot be read: {error.strerror}",
            where=where,
            hint="`tinyc build` for a board with slots makes it",
        ) from error
    found = read_image(data, where)
    # A device takes what this key signed, so a manifest for another image would lead nowhere.
    check_image(found, data, key.public, where)
    vendor_id = suit.vendor_id(vendor)
    made = suit.envelope(
        suit.Update(
            component=_component(found),
            vendor=vendor_id,
            kind=suit.class_id(vendor_id, _need(found.board, "board", where), found.slot_map or 0),
            digest=hashlib.sha256(data).digest(),
            size=len(data),
            sequence=found.counter,
            uri=uri or image.name,
            bootable=found.bootable,
            name=found.model_name or "",
            version=found.version,
        ),
        key,
    )
    verify(made, key.public)
    return made


def _component(image: SignedImage) -> tuple[bytes, ...]:
    """A model of a split build has a place of its own, and lies at a fixed address there."""
    if image.bootable:
        return FIRMWARE
    return (b"model", image.load_address.to_bytes(4, "big"))


def _need(text: str | None, name: str, where: str) -> str:
    if not text:
        raise TinycError(f"does not say its {name}", where=where, hint="build it again")
    return text
