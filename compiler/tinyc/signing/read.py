"""Reading images from anywhere: what they say of themselves, and whether a device would take them.

The bytes are not trusted: whatever they are, the answer is a `SignedImage` or a TinycError.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from tinyc.errors import TinycError
from tinyc.signing.keys import SIGNATURE_BYTES, PublicKey
from tinyc.signing.layout import (
    DIGEST_BYTES,
    ENCRYPTED,
    HEADER,
    LONGEST_TEXT,
    MAGIC,
    NON_BOOTABLE,
    PROTECTED_MAGIC,
    ROM_FIXED,
    TLV,
    UNPROTECTED_MAGIC,
    Tag,
    Version,
)
from tinyc.slots import HEADER_BYTES

_BUILD_AGAIN = "build it again"
_OURS = "an image of `tinyc build`"
_UNSIGNED = {Tag.KEY_HASH, Tag.SHA256, Tag.ED25519}


@dataclass(frozen=True, slots=True)
class SignedImage:
    """What an image says of itself. None stands for what it does not say.

    `load_address` is where an image that is not bootable has to lie. `hashed` counts the bytes in front
    that `hash` is over, `size` all bytes.
    """

    version: str
    counter: int
    board: str | None
    slot_map: int | None
    firmware_digest: bytes | None
    model_digest: bytes | None
    model_name: str | None
    model_version: str | None
    hash: bytes
    key_hash: bytes | None
    signature: bytes | None
    flags: int
    load_address: int
    body_bytes: int
    hashed: int
    size: int

    @property
    def bootable(self) -> bool:
        return not self.flags & NON_BOOTABLE


def read_image(data: bytes, where: str = "", *, padded: bool = False) -> SignedImage:
    """The image in `data`; `padded` allows other bytes after it, as in the content of a slot.

    Checks the form alone, `check_image` checks the rest. Raises TinycError for bytes that are no image,
    or one of a kind that tinyc's bootloader does not take.
    """
    if len(data) < HEADER.size:
        raise _refused("is no image for a bootloader: it is too short", where)
    magic, load_address, header_bytes, protected_bytes, body_bytes, flags, *version, _ = HEADER.unpack_from(
        data
    )
    if magic != MAGIC:
        raise _refused("is no image for a bootloader: it does not begin like one", where)
    if header_bytes != HEADER_BYTES:
        raise _refused(f"has a header of {header_bytes} B", where, f"one of {HEADER_BYTES} B")
    if flags & ENCRYPTED:
        raise _refused("is encrypted", where)
    if flags & ~(NON_BOOTABLE | ROM_FIXED):
        raise _refused(f"has the flags {flags:#x}, of a kind that is not supported", where)
    if not body_bytes:
        raise _refused("is empty", where)
    start = HEADER_BYTES + body_bytes
    hashed = start + protected_bytes
    protected: dict[int, bytes] = {}
    if protected_bytes:
        protected, end = _area(data, start, PROTECTED_MAGIC, where)
        if end != hashed:
            raise _refused("is damaged: the sizes in it contradict each other", where)
    plain, size = _area(data, hashed, UNPROTECTED_MAGIC, where)
    _check_plain(plain, where)
    if len(data) > size and not padded:
        raise _refused(
            f"has {len(data) - size:,} B after its end", where, "an image without padding or trailer"
        )
    counter = _fixed(protected, Tag.COUNTER, 4, where)
    slot_map = _fixed(protected, Tag.SLOT_MAP, 4, where)
    found = _fixed(plain, Tag.SHA256, DIGEST_BYTES, where)
    if found is None:
        raise _refused("has no SHA-256 of its content", where)
    key_hash = _fixed(plain, Tag.KEY_HASH, DIGEST_BYTES, where)
    signature = _fixed(plain, Tag.ED25519, SIGNATURE_BYTES, where)
    if (key_hash is None) != (signature is None):
        raise _refused("is damaged: a signature and the name of its key come together", where)
    return SignedImage(
        version=str(Version(*version)),
        counter=int.from_bytes(counter or b"", "little"),
        board=_text(protected, Tag.BOARD, where),
        slot_map=None if slot_map is None else int.from_bytes(slot_map, "little"),
        firmware_digest=_fixed(protected, Tag.FIRMWARE, DIGEST_BYTES, where),
        model_digest=_fixed(protected, Tag.MODEL, DIGEST_BYTES, where),
        model_name=_text(protected, Tag.MODEL_NAME, where),
        model_version=_text(protected, Tag.MODEL_VERSION, where),
        hash=found,
        key_hash=key_hash,
        signature=signature,
        flags=flags,
        load_address=load_address,
        body_bytes=body_bytes,
        hashed=hashed,
        size=size,
    )


def check_image(image: SignedImage, data: bytes, public: PublicKey | None, where: str = "") -> None:
    """Raise TinycError unless the hash of `image`, read from `data`, is right and `public` signed it.

    Without a key the hash alone counts, as for a bootloader without one.
    """
    digest = hashlib.sha256(memoryview(data)[: image.hashed]).digest()
    if digest != image.hash:
        raise _refused(
            "is damaged: its content has another hash than it says", where, "an image as it was built"
        )
    if public is None:
        return
    allowed = f"an image signed by the key {public.fingerprint}"
    if image.signature is None or image.key_hash is None:
        raise _refused(
            "is not signed", where, allowed, "set `key` under [signing] in tinyc.toml and build it again"
        )
    if image.key_hash != public.hash:
        raise _refused(
            f"is signed by another key, {image.key_hash.hex()}",
            where,
            allowed,
            "sign with the key that the device's bootloader was built with",
        )
    if not public.verify(image.signature, image.hash):
        raise _refused("has a signature that is not by the key it names", where, allowed)


def check_target(
    image: SignedImage, *, board: str, slot_map: int, room: int, counter: int = 0, where: str = ""
) -> None:
    """Raise TinycError unless the image is for this board and slot map, has room and is not too old.

    `room` is what a slot has for an image, `counter` the least security counter that the device takes.
    """
    if image.board != board:
        said = f"is for the board `{image.board}`" if image.board else "does not say for which board it is"
        raise _refused(said, where, f"an image for `{board}`", f"`tinyc build --board {board}`")
    if image.slot_map != slot_map:
        said = "no slot map" if image.slot_map is None else f"the slot map {image.slot_map:08x}"
        raise _refused(
            f"was linked for {said}",
            where,
            f"an image for the slot map {slot_map:08x} of the device's bootloader",
            "build image and bootloader with the same options",
        )
    if image.size > room:
        raise _refused(f"takes {image.size:,} B", where, f"at most {room:,} B, the room of a slot")
    if image.counter < counter:
        raise _refused(
            f"has the security counter {image.counter}: the device has run a later one",
            where,
            f"a counter of at least {counter}",
            "raise `security_counter` under [signing] in tinyc.toml",
        )


def _refused(what: str, where: str, allowed: str = _OURS, hint: str = _BUILD_AGAIN) -> TinycError:
    return TinycError(what, where=where or "image", allowed=allowed, hint=hint)


def _area(data: bytes, start: int, magic: int, where: str) -> tuple[dict[int, bytes], int]:
    """(values by type, end) of the TLVs that begin at `start`."""
    if start + TLV.size > len(data):
        raise _truncated(data, start + TLV.size, where)
    found, total = TLV.unpack_from(data, start)
    end = start + total
    if found != magic:
        raise _refused("is damaged: its content does not end where it says", where)
    if end > len(data):
        raise _truncated(data, end, where)
    values: dict[int, bytes] = {}
    at = start + TLV.size
    while at + TLV.size <= end:
        tag, length = TLV.unpack_from(data, at)
        at += TLV.size
        if tag in values:
            raise _refused(f"is damaged: it has the entry {tag:#06x} twice", where)
        values[tag] = bytes(data[at : at + length])
        at += length
    if at != end:
        raise _refused("is damaged: its list of entries has a wrong length", where)
    return values, end


def _truncated(data: bytes, least: int, where: str) -> TinycError:
    return _refused(f"is cut off: it has {len(data):,} of at least {least:,} B", where, "a whole image")


def _check_plain(values: Mapping[int, bytes], where: str) -> None:
    """Raise TinycError for entries outside of the hash that are of no use to tinyc's bootloader."""
    if Tag.PURE in values:
        raise _refused("is signed in the pure mode of Ed25519", where, "a signature of the hash")
    for tag in values:
        if tag not in _UNSIGNED:
            raise _refused(
                f"has the entry {tag:#06x}: another hash, signature or encryption", where, "SHA-256, Ed25519"
            )


def _fixed(values: Mapping[int, bytes], tag: Tag, size: int, where: str) -> bytes | None:
    value = values.get(tag)
    if value is not None and len(value) != size:
        raise _refused(f"is damaged: its entry {tag:#06x} has {len(value)} B instead of {size} B", where)
    return value


def _text(values: Mapping[int, bytes], tag: Tag, where: str) -> str | None:
    value = values.get(tag)
    if value is None:
        return None
    try:
        text = value.decode("utf-8") if len(value) <= LONGEST_TEXT else ""
    except UnicodeDecodeError:
        text = ""
    # What is printed must not steer the terminal.
    if not text or not text.isprintable():
        raise _refused(f"is damaged: its entry {tag:#06x} is no text", where)
    return text
