"""Writing SUIT manifests (draft-ietf-suit-manifest-37): what a device has to do to install an image, signed.

The envelope is CBOR in its canonical form, so the same image and key give the same bytes. The signature is a
COSE_Sign1 with Ed25519; its payload, the digest of the manifest, stands beside it and not in it.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from tinyc.errors import TinycError
from tinyc.signing.keys import SigningKey

ENVELOPE_TAG = 107
SIGN1_TAG = 18
SHA256 = -16
# EdDSA in general, and Ed25519 by its own number (RFC 9864), which readers take as well.
EDDSA, ED25519 = -8, -19
ALGORITHM_HEADER = 1
MANIFEST_VERSION = 1
VENDOR_DOMAIN = "tinyc"
"""What the id of the vendor is made of for users without a domain of their own."""

REPORT_ALL = 15
"""Reporting policy of a condition: tell of success and failure, with what is known of the system."""
REPORT_FAILURE = 2


class Member(IntEnum):
    """Keys of the envelope and the manifest."""

    AUTHENTICATION = 2
    MANIFEST = 3
    VERSION = 1
    SEQUENCE = 2
    COMMON = 3
    REFERENCE = 4
    VALIDATE = 7
    LOAD = 8
    INVOKE = 9
    FETCH = 16
    INSTALL = 20
    TEXT = 23


COMPONENTS, SHARED = 2, 4


class Command(IntEnum):
    """Conditions and directives."""

    VENDOR = 1
    CLASS = 2
    IMAGE_MATCH = 3
    SLOT = 5
    CHECK_CONTENT = 6
    SET_COMPONENT = 12
    ABORT = 14
    TRY_EACH = 15
    WRITE = 18
    OVERRIDE = 20
    FETCH = 21
    COPY = 22
    INVOKE = 23
    DEVICE = 24
    SWAP = 31
    RUN = 32


class Parameter(IntEnum):
    VENDOR = 1
    CLASS = 2
    DIGEST = 3
    SLOT = 5
    SIZE = 14
    CONTENT = 18
    URI = 21
    SOURCE = 22
    INVOKE_ARGUMENTS = 23


class Text(IntEnum):
    """Keys of the texts for people; the second three describe a component."""

    DESCRIPTION = 1
    UPDATE = 2
    VENDOR_NAME = 1
    MODEL_NAME = 2
    COMPONENT_VERSION = 6


@dataclass(frozen=True, slots=True)
class Update:
    """What a manifest is about.

    `component` names the place of the image on the device, `sequence` is the security counter: a device takes
    no manifest with a lower one. `size` is in bytes. `uri` is where the device fetches the image; one without
    a scheme is relative to where the manifest came from. `name` and `version` are words for people.
    """

    component: tuple[bytes, ...]
    vendor: uuid.UUID
    kind: uuid.UUID
    digest: bytes
    size: int
    sequence: int
    uri: str
    bootable: bool = True
    name: str = ""
    version: str = ""


def vendor_id(domain: str) -> uuid.UUID:
    """The id of a vendor by its domain, as the draft makes it."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, domain)


def class_id(vendor: uuid.UUID, board: str, slot_map: int) -> uuid.UUID:
    """The id of devices that can run an image: those of a board with one memory map."""
    return uuid.uuid5(vendor, f"{board} {slot_map:08x}")


def envelope(update: Update, key: SigningKey) -> bytes:
    """The signed envelope. Raises TinycError for numbers that a manifest has no room for."""
    manifest = encode(manifest_of(update))
    digest = encode([SHA256, hashlib.sha256(encode(manifest)).digest()])
    return _tagged({Member.AUTHENTICATION: encode([digest, sign(digest, key)]), Member.MANIFEST: manifest})


def manifest_of(update: Update) -> dict[int, object]:
    """The manifest in the terms of CBOR: common part, and what to do at install, boot and start."""
    if not 0 <= update.sequence < 1 << 64 or not 0 < update.size < 1 << 64:
        raise TinycError(
            f"the image has {update.size} bytes and the security counter {update.sequence}",
            allowed="positive numbers of 64 bits",
        )
    common = {
        COMPONENTS: [list(update.component)],
        SHARED: encode(
            [
                Command.OVERRIDE,
                {
                    Parameter.VENDOR: update.vendor.bytes,
                    Parameter.CLASS: update.kind.bytes,
                    Parameter.DIGEST: encode([SHA256, update.digest]),
                    Parameter.SIZE: update.size,
                },
                *(Command.VENDOR, REPORT_ALL),
                *(Command.CLASS, REPORT_ALL),
            ]
        ),
    }
    match = [Command.IMAGE_MATCH, REPORT_ALL]
    install = [Command.OVERRIDE, {Parameter.URI: update.uri}, Command.FETCH, REPORT_FAILURE, *match]
    manifest: dict[int, object] = {
        Member.VERSION: MANIFEST_VERSION,
        Member.SEQUENCE: update.sequence,
        Member.COMMON: encode(common),
        Member.VALIDATE: encode(match),
        # The bootloader looks again before it starts what lies in flash: code runs where it is.
        Member.LOAD: encode(match),
        Member.INSTALL: encode(install),
    }
    if update.bootable:
        manifest[Member.INVOKE] = encode([Command.INVOKE, REPORT_FAILURE])
    text = _text(update)
    return manifest | ({Member.TEXT: encode(text)} if text else {})


def sign(digest: bytes, key: SigningKey) -> bytes:
    """The COSE_Sign1 over the digest of a manifest, which is its detached payload."""
    protected = encode({ALGORITHM_HEADER: EDDSA})
    signature = key.sign(to_be_signed(protected, digest))
    return _tag(SIGN1_TAG, [protected, {}, None, signature])


def to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """What a COSE_Sign1 signs (RFC 9052, 4.4), without data from outside."""
    return encode(["Signature1", protected, b"", payload])


def _text(update: Update) -> dict[str, object]:
    said: dict[int, str] = {}
    if update.name:
        said[Text.MODEL_NAME] = update.name
    if update.version:
        said[Text.COMPONENT_VERSION] = update.version
    if not said:
        return {}
    return {"en": {Text.DESCRIPTION: "An image built by tinyc.", update.component: said}}


def encode(value: object) -> bytes:
    """`value` as canonical CBOR. A tuple is an array too: as a key of a map it can be nothing else."""
    import cbor2

    return cbor2.dumps(_plain(value), canonical=True)


def _tagged(envelope: Mapping[int, bytes]) -> bytes:
    return _tag(ENVELOPE_TAG, dict(envelope))


def _tag(number: int, value: object) -> bytes:
    import cbor2

    return cbor2.dumps(cbor2.CBORTag(number, _plain(value)), canonical=True)


def _plain(value: object) -> object:
    """Enumerations become numbers, which is all that the encoder knows."""
    if isinstance(value, IntEnum):
        return int(value)
    if isinstance(value, Mapping):
        return {_plain(key): _plain(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return tuple(_plain(each) for each in value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(each) for each in value]
    return value
