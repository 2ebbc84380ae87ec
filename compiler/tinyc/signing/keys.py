"""Ed25519 keys: the private one signs images, the public one is compiled into a bootloader."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from tinyc.emit.environment import render
from tinyc.errors import TinycError
from tinyc.files import PART

DEFAULT_NAME = "tinyc-key.pem"
RAW_BYTES = 32
SIGNATURE_BYTES = 64
# A key file has a few hundred bytes; nothing longer is looked at.
MOST_BYTES = 1 << 16
# What a file system says that has no hard links.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key that a bootloader accepts. Raises TinycError for bytes that are none."""

    raw: bytes

    def __post_init__(self) -> None:
        problem = _problem(self.raw)
        if problem:
            raise TinycError(f"the public key {problem}", hint="make another with `tinyc keys new`")

    @property
    def public(self) -> PublicKey:
        return self

    @property
    def der(self) -> bytes:
        """SubjectPublicKeyInfo, 44 bytes."""
        return self._key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def pem(self) -> str:
        return self._key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")

    @property
    def hash(self) -> bytes:
        """SHA-256 of `der`: an image names its key by it."""
        return hashlib.sha256(self.der).digest()

    @property
    def fingerprint(self) -> str:
        return self.hash.hex()

    def verify(self, signature: bytes, message: bytes) -> bool:
        try:
            self._key().verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def _key(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.raw)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with its public one. `exposed`: users other than the owner can read the file."""

    private: Ed25519PrivateKey = field(repr=False, compare=False)
    public: PublicKey
    exposed: bool = False

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


def new_key(path: Path) -> SigningKey:
    """Make a key pair and write it to `path`, which only its owner can read.

    The file is complete or not there. Raises TinycError when it is there already or cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        _write_secret(path, pem)
    except FileExistsError as error:
        raise TinycError(
            "exists already; a key is never overwritten",
            where=str(path),
            hint="name another file: devices with the old key accept nothing else",
        ) from error
    except OSError as error:
        raise TinycError(f"cannot be written: {error.strerror}", where=str(path)) from error
    return SigningKey(key, PublicKey(key.public_key().public_bytes_raw()))


def load_key(path: Path) -> SigningKey | PublicKey:
    """The key of a PEM file: a private one, or a public one alone.

    Raises TinycError for a file without a key, and for keys that are encrypted or no Ed25519 keys.
    """
    where = str(path)
    try:
        with path.open("rb") as stream:
            pem = stream.read(MOST_BYTES)
            exposed = os.name == "posix" and bool(os.fstat(stream.fileno()).st_mode & 0o077)
    except FileNotFoundError as error:
        raise TinycError("no such key", where=where, hint="`tinyc keys new` makes one") from error
    except OSError as error:
        raise TinycError(f"cannot be read: {error.strerror}", where=where) from error
    try:
        secret = b"PRIVATE KEY-----" in pem
        key: object = load_pem_private_key(pem, None) if secret else load_pem_public_key(pem)
    except TypeError as error:  # A password was needed.
        raise TinycError(
            "is encrypted",
            where=where,
            allowed="a PEM file without a passphrase",
            hint="`openssl pkey -in KEY -out PLAIN` removes it; keep the file where only you can read it",
        ) from error
    except UnsupportedAlgorithm as error:
        raise _wrong_kind("a key of an unknown kind", where) from error
    except ValueError as error:
        raise TinycError(
            "has no key that can be read", where=where, allowed="a PEM file with an Ed25519 key"
        ) from error
    try:
        if isinstance(key, Ed25519PrivateKey):
            return SigningKey(key, PublicKey(key.public_key().public_bytes_raw()), exposed)
        if isinstance(key, Ed25519PublicKey):
            return PublicKey(key.public_bytes_raw())
    except TinycError as error:
        raise TinycError(error.what, where=where, hint=error.hint) from error
    name = type(key).__name__.removeprefix("_").removesuffix("PrivateKey").removesuffix("PublicKey")
    raise _wrong_kind(f"a key for {name}", where)


def load_signing_key(path: Path) -> SigningKey:
    """As `load_key`, for those who have to sign: a public key alone is an error."""
    key = load_key(path)
    if isinstance(key, PublicKey):
        raise TinycError(
            "is a public key, which cannot sign", where=str(path), allowed="the file of the private key"
        )
    return key


def warning(key: SigningKey | PublicKey, path: Path) -> str:
    """What to say to the user about the key's file, or nothing."""
    if isinstance(key, SigningKey) and key.exposed:
        return f"warning: other users of this machine can read the key: chmod 600 {path}"
    return ""


def render_boot_key(public: PublicKey | None) -> str:
    """The text of `boot_key.h`. Without a key both arrays are zeros."""
    zeros = bytes(RAW_BYTES)
    arrays = (
        ("The key.", "boot_public_key", public.raw if public else zeros),
        (
            "SHA-256 of its DER form; images name their key by it.",
            "boot_key_hash",
            public.hash if public else zeros,
        ),
    )
    return render("bootloader/boot_key.h.j2", present=public is not None, arrays=arrays)


def _wrong_kind(what: str, where: str) -> TinycError:
    return TinycError(f"is {what}", where=where, allowed="an Ed25519 key", hint="`tinyc keys new` makes one")


def _write_secret(path: Path, content: bytes) -> None:
    """Create the file with mode 0600 in one step. Raises FileExistsError, OSError."""
    # mkstemp's files have mode 0600 from the start, and names that nobody can guess.
    handle, name = tempfile.mkstemp(PART, f"{path.name}.", path.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            # Unlike a rename, a new link never replaces a file.
            os.link(part, path)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # An empty file takes the name first, so that the rename replaces nobody's key.
            path.open("xb").close()
            try:
                part.replace(path)
            except OSError:
                path.unlink()
                raise
    finally:
        part.unlink(missing_ok=True)


def _problem(raw: bytes) -> str:
    """Why a bootloader would refuse this public key, or nothing. RFC 8032, 5.1.3."""
    if len(raw) != RAW_BYTES:
        return f"has {len(raw)} bytes instead of {RAW_BYTES}"
    number = int.from_bytes(raw, "little")
    y, sign = number & (1 << 255) - 1, number >> 255
    if y >= _P:
        return "is not encoded as it has to be"
    square = _square_of_x(y)
    if pow(square, (_P - 1) // 2, _P) == _P - 1:
        return "is no point of the curve"
    if square == 0 and sign:
        return "is not encoded as it has to be"
    for _ in range(3):
        # y of the doubled point; the denominator is never zero on this curve.
        y = (square + y * y) * pow(1 - _D * square * y * y, -1, _P) % _P
        square = _square_of_x(y)
    # Only the neutral point has y = 1.
    return "is of small order: anybody could sign for it" if y == 1 else ""


def _square_of_x(y: int) -> int:
    return (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
