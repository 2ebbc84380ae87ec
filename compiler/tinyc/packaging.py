"""What a board with tinyc's bootloader is given beside the firmware: a signed image, the bootloader,
and one file with both for a chip that has neither. In a split build the model has images of its own,
one for each slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tinyc.boards import Board
from tinyc.emit.hello import model_name
from tinyc.errors import TinycError
from tinyc.files import write_together
from tinyc.program import NO_VERSION, Firmware, Program
from tinyc.slots import Slots
from tinyc.split import Split

if TYPE_CHECKING:
    from tinyc.signing.image import ImageContent
    from tinyc.signing.keys import SigningKey

IMAGE = "firmware.signed.bin"
BOOTLOADER = "bootloader.hex"
FACTORY = "factory.hex"
MODELS = ("model_0.signed.bin", "model_1.signed.bin")
"""The model's image for slot 0 and 1."""


@dataclass(frozen=True, slots=True)
class Signing:
    """How images are signed: the file of the private key, None for not at all, and the security counter."""

    key: Path | None = None
    counter: int = 0


@dataclass(frozen=True, slots=True)
class Package:
    """`firmware` with `image`, `bootloader` and `factory` among its outputs, and what is in them.

    Sizes are bytes. `key` is the fingerprint of the key that signed, None for an unsigned image. A split
    build has `model_image_0` and `model_image_1` as well, and a size of the larger one.
    """

    firmware: Firmware
    image_bytes: int
    slot_bytes: int
    bootloader_bytes: int
    security_counter: int
    key: str | None
    model_bytes: int | None = None


def package(
    firmware: Firmware, program: Program, signing: Signing, split: Split | None = None
) -> Package | None:
    """Write the image, the bootloader and both together beside the firmware; None on other boards.

    Raises TinycError for a key that is missing or none, DoesNotFit for an image larger than its slot.
    """
    board, slots = program.board, program.board.slots
    if slots is None:
        return None
    content = _content(firmware, program, slots, signing.counter)
    models = () if split is None else _models(firmware, program, slots, signing.counter)
    return _package(firmware, board, slots, signing, content, models)


def package_without_model(firmware: Firmware, board: Board, name: str, signing: Signing) -> Package | None:
    """The same for firmware that has no model; its image is named after what it has instead.

    Raises as `package` does.
    """
    from tinyc.signing.image import ImageContent

    slots = board.slots
    if slots is None:
        return None
    content = ImageContent(
        binary=firmware.outputs["bin"].read_bytes(),
        version=NO_VERSION,
        counter=signing.counter,
        board=board.name,
        slot_map=slots.number,
        firmware_digest=bytes.fromhex(firmware.identity),
        model_digest=bytes.fromhex(firmware.digest),
        model_name=name,
        model_version=NO_VERSION,
        slot_bytes=slots.image_bytes,
    )
    return _package(firmware, board, slots, signing, content, ())


def _package(
    firmware: Firmware,
    board: Board,
    slots: Slots,
    signing: Signing,
    content: ImageContent,
    models: Sequence[ImageContent],
) -> Package:
    # Cryptography takes a while to load.
    from tinyc.signing.image import make_image
    from tinyc.signing.keys import render_boot_key
    from tinyc.toolchain import bootloader, images

    folder = firmware.folder
    for name in (IMAGE, BOOTLOADER, FACTORY, *MODELS):
        (folder / name).unlink(missing_ok=True)
    key = _key(signing.key)
    boot = bootloader.build(board, render_boot_key(key.public if key else None), firmware.toolchain)
    image = make_image(content, key)
    images_of_model = [make_image(each, key) for each in models]
    contents = {
        **{folder / name: data for name, data in zip(MODELS, images_of_model, strict=False)},
        folder / IMAGE: image,
        folder / BOOTLOADER: images.hex_of({slots.flash_origin: boot.content}).encode("ascii"),
        folder / FACTORY: images.hex_of(factory(board, boot.content, image, *images_of_model[:1])).encode(
            "ascii"
        ),
    }
    # What is made of a firmware with keys is as secret as it is.
    secret = not firmware.elf.stat().st_mode & 0o077
    write_together(contents, (folder / IMAGE, folder / FACTORY) if secret else ())
    more = {"image": folder / IMAGE, "bootloader": folder / BOOTLOADER, "factory": folder / FACTORY}
    more |= {f"model_image_{slot}": folder / MODELS[slot] for slot in range(len(images_of_model))}
    return Package(
        firmware=replace(firmware, outputs={**firmware.outputs, **more}),
        image_bytes=len(image),
        slot_bytes=slots.image_bytes,
        bootloader_bytes=len(boot.content),
        security_counter=signing.counter,
        key=key.public.fingerprint if key else None,
        model_bytes=max(map(len, images_of_model), default=None),
    )


def factory(board: Board, boot: bytes, image: bytes, model: bytes | None = None) -> dict[int, bytes]:
    """Address → bytes of a chip that starts `image` as its first and confirmed one, with `model` in slot 0.

    What an earlier life left in trailers and journal goes: those pages are blank.
    """
    slots = board.slots
    if slots is None:
        raise ValueError(f"board {board.name} has no slots")
    blank = b"\xff" * slots.page
    trailers: tuple[int, ...] = (
        slots.secondary - slots.page,
        slots.secondary + (slots.image_pages + 1) * slots.page,
    )
    if slots.model_pages:
        trailers += tuple(slots.model(slot) + slots.model_bytes for slot in (0, 1))
    pages = dict.fromkeys((*trailers, slots.journal, slots.journal + slots.page), blank)
    if model is not None:
        pages[slots.model(0)] = model
    return {slots.flash_origin: boot, slots.primary: image, **pages}


def _key(path: Path | None) -> SigningKey | None:
    if path is None:
        return None
    if not path.exists():
        raise TinycError(
            "the key for signing is not there", where=str(path), hint=f"make one: `tinyc keys new {path}`"
        )
    from tinyc.signing.keys import load_signing_key

    return load_signing_key(path)


def _content(firmware: Firmware, program: Program, slots: Slots, counter: int) -> ImageContent:
    from tinyc.signing.image import ImageContent

    # An image has three numbers: a pre-release has those of its release, and tells its name in full.
    return ImageContent(
        binary=firmware.outputs["bin"].read_bytes(),
        version=program.version.partition("-")[0],
        counter=counter,
        board=program.board.name,
        slot_map=slots.number,
        firmware_digest=bytes.fromhex(firmware.identity),
        model_digest=bytes.fromhex(program.digest),
        model_name=model_name(program),
        model_version=program.version,
        slot_bytes=slots.image_bytes,
    )


def _models(firmware: Firmware, program: Program, slots: Slots, counter: int) -> list[ImageContent]:
    """The model for each of its slots."""
    whole = _content(firmware, program, slots, counter)
    return [
        replace(
            whole,
            binary=firmware.outputs[f"model_{slot}"].read_bytes(),
            firmware_digest=None,
            slot_bytes=slots.model_bytes,
            bootable=False,
            load_address=slots.model(slot),
        )
        for slot in (0, 1)
    ]
