"""Writing the images that a bootloader takes, with MCUboot's own tool as a library."""

from __future__ import annotations

import contextlib
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tinyc.errors import DoesNotFit, TinycError
from tinyc.signing.keys import SigningKey
from tinyc.signing.layout import (
    DIGEST_BYTES,
    LONGEST_TEXT,
    MOST_COUNTER,
    Tag,
    Version,
)
from tinyc.signing.read import check_image, read_image
from tinyc.slots import HEADER_BYTES

# Flash is written in words.
_ALIGN = 4


@dataclass(frozen=True, slots=True)
class ImageContent:
    """What goes into an image.

    `slot_map` names the memory map that `binary` was linked for, `slot_bytes` is the room for the whole
    image: header, binary and TLVs. The digests have 32 bytes.
    An image of data that is used where it lies is not `bootable` and has a `load_address`; a model for any
    firmware has no `firmware_digest`.
    """

    binary: bytes
    version: str
    counter: int
    board: str
    slot_map: int
    firmware_digest: bytes | None
    model_digest: bytes
    model_name: str
    model_version: str
    slot_bytes: int
    bootable: bool = True
    load_address: int | None = None


def make_image(content: ImageContent, key: SigningKey | None) -> bytes:
    """The image as a bootloader takes it, signed when there is a key. The same input gives the same bytes.

    Raises TinycError for a version, a counter or a text that the format has no room for, and
    DoesNotFit for an image that is larger than the slot.
    """
    version = Version.parse(content.version)
    _check(content)
    data = _written(content, version, key)
    if len(data) > content.slot_bytes:
        raise DoesNotFit(
            f"the image takes {len(data):,} B, the slot has {content.slot_bytes:,} B: "
            f"{len(data) - content.slot_bytes:,} B too many",
            hint="`tinyc build --optimize flash` chooses smaller kernels" if content.bootable else "",
        )
    # A release of the tool that writes something else must not reach a device.
    found = read_image(data)
    check_image(found, data, key.public if key else None)
    if (found.version, found.counter, found.slot_map) != (str(version), content.counter, content.slot_map):
        raise RuntimeError("imgtool wrote another image than it was asked for")
    return data


def _check(content: ImageContent) -> None:
    if not content.binary:
        raise TinycError("the image would be empty")
    if not 0 <= content.counter <= MOST_COUNTER:
        raise TinycError(
            f"the security counter is {content.counter}", allowed=f"a number from 0 to {MOST_COUNTER}"
        )
    texts = {
        "name of the board": content.board,
        "name of the model": content.model_name,
        "version of the model": content.model_version,
    }
    for name, text in texts.items():
        if not text or not text.isprintable() or len(text.encode("utf-8")) > LONGEST_TEXT:
            raise TinycError(
                f"the {name} is {text!r}", allowed=f"1 to {LONGEST_TEXT} bytes of printable characters"
            )
    for digest in (content.firmware_digest, content.model_digest):
        if digest is not None and len(digest) != DIGEST_BYTES:
            raise ValueError(f"a digest has {len(digest)} bytes")
    if content.load_address is not None and not 0 < content.load_address <= 0xFFFFFFFF:
        raise ValueError(f"no load address: {content.load_address}")


def _written(content: ImageContent, version: Version, key: SigningKey | None) -> bytes:
    # Here, because few uses of tinyc write images and the import takes a while.
    from imgtool.image import Image
    from imgtool.keys import Ed25519
    from imgtool.version import SemiSemVersion

    image = Image(
        version=SemiSemVersion(version.major, version.minor, version.revision, version.build),
        header_size=HEADER_BYTES,
        pad_header=True,
        align=_ALIGN,
        security_counter=content.counter,
        rom_fixed=content.load_address,
        non_bootable=not content.bootable,
    )
    custom_tlvs = {
        Tag.BOARD: content.board.encode("utf-8"),
        Tag.SLOT_MAP: content.slot_map.to_bytes(4, "little"),
        **({} if content.firmware_digest is None else {Tag.FIRMWARE: content.firmware_digest}),
        Tag.MODEL: content.model_digest,
        Tag.MODEL_NAME: content.model_name.encode("utf-8"),
        Tag.MODEL_VERSION: content.model_version.encode("utf-8"),
    }
    # The tool knows files only, and says on stdout what it does; stdout is data here.
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        source, target = Path(folder) / "in.bin", Path(folder) / "out.bin"
        source.write_bytes(content.binary)
        image.load(str(source))
        image.create(
            Ed25519(key.private) if key else None,
            "hash",
            None,
            custom_tlvs={int(tag): value for tag, value in custom_tlvs.items()},
        )
        image.save(str(target))
        return target.read_bytes()
