"""Reading and checking SUIT envelopes. The bytes are not trusted: whatever they are, the answer is a
`Manifest` or a TinycError, in memory and time that are bounded by their length."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tinyc.errors import TinycError
from tinyc.registry.formats import strict_cbor
from tinyc.registry.formats.suit import (
    ALGORITHM_HEADER,
    COMPONENTS,
    ED25519,
    EDDSA,
    ENVELOPE_TAG,
    MANIFEST_VERSION,
    SHA256,
    SHARED,
    SIGN1_TAG,
    Command,
    Member,
    Parameter,
    encode,
    to_be_signed,
)
from tinyc.signing.keys import PublicKey

MOST_BYTES = 1 << 16
"""An envelope without a payload has a few hundred bytes; nothing longer is looked at."""
_MOST_DEPTH = 8
_MOST_SIGNATURES = 8


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature: its algorithm as COSE numbers it, and what was signed."""

    algorithm: int
    message: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an envelope says. `parameters` are those that hold for every step, `sequences` the commands as
    pairs of command and argument, by member of the manifest. `digest` is that of the manifest."""

    sequence: int
    components: tuple[tuple[bytes, ...], ...]
    parameters: dict[int, Any]
    sequences: dict[int, tuple[tuple[int, Any], ...]]
    digest: bytes
    signatures: tuple[Signature, ...]

    @property
    def image_digest(self) -> bytes | None:
        """SHA-256 of the image, None where the manifest has none."""
        found = self.parameters.get(Parameter.DIGEST)
        return found if isinstance(found, bytes) else None

    @property
    def image_size(self) -> int | None:
        return self.parameters.get(Parameter.SIZE)

    @property
    def vendor(self) -> uuid.UUID | None:
        return self._uuid(Parameter.VENDOR)

    @property
    def kind(self) -> uuid.UUID | None:
        return self._uuid(Parameter.CLASS)

    def _uuid(self, key: int) -> uuid.UUID | None:
        raw = self.parameters.get(key)
        return uuid.UUID(bytes=raw) if isinstance(raw, bytes) else None


def read_envelope(data: bytes, where: str = "") -> Manifest:
    """The manifest in an envelope, whose digest is checked and whose signatures are not: see `verify`.

    Raises TinycError for bytes that are no envelope of a form that tinyc knows.
    """
    if len(data) > MOST_BYTES:
        raise _refused(f"has {len(data):,} B", where, f"at most {MOST_BYTES:,} B")
    envelope = _untagged(_decode(data, where), ENVELOPE_TAG, where)
    envelope = _map(envelope, where)
    manifest = _bytes(envelope.get(Member.MANIFEST), "manifest", where)
    authentication = _list(_inner(envelope.get(Member.AUTHENTICATION), "authentication", where), where)
    if not authentication or len(authentication) > 1 + _MOST_SIGNATURES:
        raise _refused("is not authenticated, or by too many", where)
    payload = _bytes(authentication[0], "digest of the manifest", where)
    digest = _digest(payload, where)
    # The digest is over the manifest with the head of its byte string.
    if digest != hashlib.sha256(encode(manifest)).digest():
        raise _refused("is damaged: its manifest has another digest than it says", where)
    body = _map(_decode(manifest, where), where)
    if body.get(Member.VERSION) != MANIFEST_VERSION:
        raise _refused(f"has the version {body.get(Member.VERSION)!r}", where, "version 1 of the manifest")
    common = _map(_inner(body.get(Member.COMMON), "common part", where), where)
    shared = _commands(_inner(common.get(SHARED), "shared sequence", where), where)
    members = (Member.VALIDATE, Member.LOAD, Member.INVOKE, Member.FETCH, Member.INSTALL)
    return Manifest(
        sequence=_number(body.get(Member.SEQUENCE), "sequence number", where),
        components=_components(common.get(COMPONENTS), where),
        parameters=_parameters(shared, where),
        sequences={
            int(key): _commands(_inner(body[key], key.name.lower(), where), where)
            for key in members
            if isinstance(body.get(key), bytes)
        },
        digest=digest,
        signatures=tuple(_signature(each, payload, where) for each in authentication[1:]),
    )


def verify(data: bytes, public: PublicKey, where: str = "") -> Manifest:
    """As `read_envelope`, for an envelope that has a signature by `public`. Raises TinycError otherwise."""
    manifest = read_envelope(data, where)
    for each in manifest.signatures:
        if each.algorithm in (EDDSA, ED25519) and public.verify(each.signature, each.message):
            return manifest
    said = "has no signature by the key" if manifest.signatures else "is not signed"
    raise _refused(said, where, f"an envelope signed by the key {public.fingerprint}")


def check_payload(manifest: Manifest, image: bytes, where: str = "") -> None:
    """Raise TinycError unless `image` is the one that the manifest is about."""
    if manifest.image_size != len(image) or manifest.image_digest != hashlib.sha256(image).digest():
        raise _refused("is about another image", where, "the image that the manifest was made for")


def _refused(
    what: str, where: str, allowed: str = "a SUIT envelope as `tinyc registry export` writes it"
) -> TinycError:
    return TinycError(what, where=where or "SUIT envelope", allowed=allowed)


def _decode(data: bytes, where: str) -> Any:
    """One item of CBOR in its canonical form and nothing after it."""
    try:
        return strict_cbor.decode(data)
    except ValueError as error:
        raise _refused(f"is no CBOR of the form that is allowed: it {error}", where) from error


def _untagged(value: Any, number: int, where: str) -> Any:
    if not isinstance(value, strict_cbor.Tagged) or value.tag != number:
        raise _refused(f"has no tag {number}", where)
    return value.value


def _inner(value: Any, name: str, where: str) -> Any:
    return _decode(_bytes(value, name, where), where)


def _bytes(value: Any, name: str, where: str) -> bytes:
    if not isinstance(value, bytes):
        raise _refused(f"has no {name}", where)
    return value


def _map(value: Any, where: str) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise _refused("has something else where a map belongs", where)
    return value


def _list(value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, tuple):
        raise _refused("has something else where a list belongs", where)
    return value


def _number(value: Any, name: str, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 64:
        raise _refused(f"has no {name}", where)
    return value


def _digest(data: bytes, where: str) -> bytes:
    value = _list(_decode(data, where), where)
    if len(value) != 2 or value[0] != SHA256 or not isinstance(value[1], bytes) or len(value[1]) != 32:
        raise _refused("has a digest of a kind that is not known", where, "SHA-256")
    return value[1]


def _components(value: Any, where: str) -> tuple[tuple[bytes, ...], ...]:
    found = _list(value, where)
    for component in found:
        if not all(isinstance(part, bytes) for part in _list(component, where)):
            raise _refused("names a component by something else than byte strings", where)
    if not found:
        raise _refused("is about no component", where)
    return tuple(tuple(component) for component in found)


def _commands(value: Any, where: str, depth: int = 0) -> tuple[tuple[int, Any], ...]:
    """(command, argument) of a sequence, whose commands are all known to the draft."""
    items = _list(value, where)
    if not items or len(items) % 2 or depth > _MOST_DEPTH:
        raise _refused("has a sequence that is no list of commands and arguments", where)
    pairs = tuple(zip(items[::2], items[1::2], strict=True))
    for command, argument in pairs:
        if isinstance(command, bool) or not isinstance(command, int):
            raise _refused(f"has the command {command!r}", where)
        if command not in Command.__members__.values():
            raise _refused(f"has the command {command}, which is not known", where)
        if command == Command.OVERRIDE:
            _map(argument, where)
        elif command == Command.RUN:
            _commands(_inner(argument, "sequence to run", where), where, depth + 1)
        elif command == Command.TRY_EACH:
            for each in _list(argument, where):
                if each is not None:
                    _commands(_inner(each, "sequence to try", where), where, depth + 1)
    return pairs


def _parameters(commands: tuple[tuple[int, Any], ...], where: str) -> dict[int, Any]:
    """What the shared sequence sets for the first component, digests in their plain form."""
    found: dict[int, Any] = {}
    index = 0
    for command, argument in commands:
        if command == Command.SET_COMPONENT:
            index = argument if isinstance(argument, int) else 0
        elif command == Command.OVERRIDE and index == 0:
            found |= argument
    for key in (Parameter.VENDOR, Parameter.CLASS):
        if key in found and len(_bytes(found[key], "id of 16 bytes", where)) != 16:
            raise _refused("has an id that is no UUID", where)
    if Parameter.DIGEST in found:
        found[Parameter.DIGEST] = _digest(_bytes(found[Parameter.DIGEST], "image digest", where), where)
    if Parameter.SIZE in found:
        _number(found[Parameter.SIZE], "image size", where)
    return {int(key): value for key, value in found.items() if isinstance(key, int)}


def _signature(block: Any, payload: bytes, where: str) -> Signature:
    parts = _list(_untagged(_inner(block, "signature", where), SIGN1_TAG, where), where)
    if len(parts) != 4 or parts[2] is not None or not isinstance(parts[1], Mapping):
        raise _refused("has a signature of another kind", where, "COSE_Sign1 with its payload outside")
    protected = _bytes(parts[0], "protected header", where)
    algorithm = _map(_decode(protected, where), where).get(ALGORITHM_HEADER)
    if not isinstance(algorithm, int) or isinstance(algorithm, bool):
        raise _refused("has a signature without an algorithm", where)
    return Signature(algorithm, to_be_signed(protected, payload), _bytes(parts[3], "signature", where))
