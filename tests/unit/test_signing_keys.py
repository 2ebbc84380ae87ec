"""Key files: what is written, who may read it, and which keys are refused."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from imgtool import keys as imgtool_keys

from support import ed25519
from support.bootloader_crypto import encodings, small_order_points
from support.ed25519_vectors import VECTORS
from support.images import signing_key
from tinyc.errors import TinycError
from tinyc.signing.keys import (
    PublicKey,
    SigningKey,
    load_key,
    load_signing_key,
    new_key,
    render_boot_key,
    warning,
)

pytestmark = pytest.mark.unit

# SubjectPublicKeyInfo of RFC 8410: everything in front of the 32 bytes.
DER_HEAD = bytes.fromhex("302a300506032b6570032100")


def test_a_new_key_loads(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    made = new_key(path)
    loaded = load_key(path)
    assert isinstance(loaded, SigningKey)
    assert loaded.public == made.public and not loaded.exposed and warning(loaded, path) == ""
    assert load_signing_key(path).sign(b"x") == made.sign(b"x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["key.pem"]
    assert path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert new_key(tmp_path / "other.pem").public != made.public


def test_other_tools_read_our_keys(tmp_path: Path) -> None:
    made = new_key(tmp_path / "key.pem")
    (tmp_path / "public.pem").write_text(made.public.pem, encoding="ascii")
    for name in ("key.pem", "public.pem"):
        assert imgtool_keys.load(tmp_path / name).get_public_bytes() == made.public.der
    assert load_key(tmp_path / "public.pem") == made.public


def test_the_public_key_is_that_of_the_rfc() -> None:
    for number, vector in enumerate(VECTORS):
        key = signing_key(number)
        raw = key.private.public_key().public_bytes_raw()
        assert raw == key.public.raw == vector.key
        assert key.sign(vector.message) == vector.signature == ed25519.sign(vector.secret, vector.message)
        assert key.public.verify(vector.signature, vector.message)
        assert not key.public.verify(vector.signature, vector.message + b"x")
        assert not key.public.verify(vector.signature[:-1], vector.message)


def test_the_forms_of_a_public_key() -> None:
    public = signing_key().public
    assert public.der == DER_HEAD + public.raw and len(public.der) == 44
    assert public.fingerprint == public.hash.hex() and len(public.fingerprint) == 64
    assert public.public is public


def test_a_secret_is_not_printed() -> None:
    key = signing_key()
    assert VECTORS[0].secret.hex() not in repr(key) and "private" not in repr(key)


@pytest.mark.skipif(os.name != "posix", reason="file modes are those of POSIX")
def test_only_the_owner_may_read_a_new_key(tmp_path: Path) -> None:
    seen = []
    fsync = os.fsync

    def look(handle: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(handle).st_mode))
        fsync(handle)

    before = os.umask(0)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", look)
            new_key(tmp_path / "key.pem")
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / "key.pem").stat().st_mode)] == seen == [0o600]


@pytest.mark.skipif(os.name != "posix", reason="file modes are those of POSIX")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o610])
def test_a_key_that_others_can_read_is_warned_about(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key.pem"
    new_key(path)
    path.chmod(mode)
    key = load_signing_key(path)
    assert key.exposed
    assert warning(key, path).endswith(f"chmod 600 {path}")
    path.write_text(key.public.pem, encoding="ascii")
    assert warning(load_key(path), path) == ""


@pytest.mark.parametrize("links", [True, False])
def test_a_key_is_never_overwritten(tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not links:
        refuse_links(monkeypatch)
    path = tmp_path / "key.pem"
    new_key(path)
    before = path.read_bytes()
    with pytest.raises(TinycError, match="exists already; a key is never overwritten"):
        new_key(path)
    assert path.read_bytes() == before
    (tmp_path / "dangling.pem").symlink_to(tmp_path / "absent.pem")
    with pytest.raises(TinycError, match="exists already"):
        new_key(tmp_path / "dangling.pem")
    with pytest.raises(TinycError, match="exists already"):
        new_key(tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["dangling.pem", "key.pem"]


def refuse_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_links(monkeypatch)
    path = tmp_path / "key.pem"
    made = new_key(path)
    assert load_signing_key(path).public == made.public
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["key.pem"]


@pytest.mark.parametrize(
    ("links", "step"), [(True, "fsync"), (True, "link"), (False, "fsync"), (False, "replace")]
)
def test_a_key_is_never_half_written(
    tmp_path: Path, links: bool, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if not links:
        refuse_links(monkeypatch)
    monkeypatch.setattr(Path if step == "replace" else os, step, fails)
    with pytest.raises(TinycError, match="cannot be written: No space left on device"):
        new_key(tmp_path / "key.pem")
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(TinycError, match="cannot be written: No such file"):
        new_key(tmp_path / "absent" / "key.pem")


@pytest.mark.parametrize("links", [True, False])
def test_of_many_at_once_one_makes_the_key(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        refuse_links(monkeypatch)
    path, made, refused = tmp_path / "key.pem", [], []
    start = threading.Barrier(8)

    def make() -> None:
        start.wait()
        try:
            made.append(new_key(path).public)
        except TinycError as error:
            refused.append(error.what)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and len(refused) == 7
    assert load_key(path).public == made[0]
    assert [entry.name for entry in tmp_path.iterdir()] == ["key.pem"]


def private_pem(key: Any, encryption: Any = None) -> bytes:
    text: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    return text


def public_pem(key: Any) -> bytes:
    text: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text


@pytest.mark.parametrize("form", [private_pem, public_pem])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("RSA", lambda: rsa.generate_private_key(65537, 2048)),
        ("EC", lambda: ec.generate_private_key(ec.SECP256R1())),
        ("DSA", lambda: dsa.generate_private_key(1024)),
        ("X25519", x25519.X25519PrivateKey.generate),
        ("Ed448", ed448.Ed448PrivateKey.generate),
    ],
)
def test_other_kinds_of_keys(tmp_path: Path, name: str, make: Any, form: Any) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(form(make()))
    with pytest.raises(TinycError, match=f"is a key for {name}\n") as caught:
        load_key(path)
    assert caught.value.where == str(path) and caught.value.allowed == "an Ed25519 key"


def test_an_encrypted_key(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    for key in (Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)):
        path.write_bytes(private_pem(key, BestAvailableEncryption(b"secret")))
        with pytest.raises(TinycError, match="is encrypted") as caught:
            load_key(path)
        assert "without a passphrase" in caught.value.allowed


PEM = private_pem(signing_key().private)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"not a key",
        PEM[:60],
        PEM[:-5],
        PEM.replace(b"M", b"!", 1),
        b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
        b"\0" * 200_000,
        signing_key().public.der,
    ],
)
def test_files_without_a_key(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(text)
    with pytest.raises(TinycError, match="has no key that can be read"):
        load_key(path)


def test_every_cut_of_a_key_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    # The last character is the end of the line.
    for size in range(len(PEM) - 1):
        path.write_bytes(PEM[:size])
        with pytest.raises(TinycError):
            load_key(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TinycError, match="no such key") as caught:
        load_key(tmp_path / "absent.pem")
    assert "tinyc keys new" in caught.value.hint
    with pytest.raises(TinycError, match="cannot be read"):
        load_key(tmp_path)


def test_a_public_key_cannot_sign(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(public_pem(signing_key().private))
    with pytest.raises(TinycError, match="is a public key, which cannot sign"):
        load_signing_key(path)


def test_keys_of_small_order(tmp_path: Path) -> None:
    points = small_order_points()
    refused = {raw for point in points for raw in encodings(point)}
    assert len(points) == 8 and len(refused) > 8
    for raw in sorted(refused):
        with pytest.raises(TinycError, match=r"is of small order|is not encoded as it has to be"):
            PublicKey(raw)
    path = tmp_path / "key.pem"
    for point in points:
        path.write_bytes(pem_of(point.encode()))
        with pytest.raises(TinycError, match="is of small order") as caught:
            load_key(path)
        assert caught.value.where == str(path)


def pem_of(raw: bytes) -> bytes:
    key = Ed25519PublicKey.from_public_bytes(raw)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_which_public_keys_are_taken() -> None:
    """As the reference decodes them; about half of all numbers are no y of a point."""
    accepted = 0
    for y in range(2, 200):
        for sign in (0, ed25519.SIGN):
            raw = (y | sign).to_bytes(32, "little")
            fits = ed25519.decode(raw) is not None
            try:
                assert PublicKey(raw).raw == raw and fits
                accepted += 1
            except TinycError as error:
                assert not fits and "is no point of the curve" in error.what
    assert 100 < accepted < 300
    # y and y + p stand for the same point; the larger number is not its encoding.
    for y in range(19):
        with pytest.raises(TinycError, match="is not encoded as it has to be"):
            PublicKey((y + ed25519.P).to_bytes(32, "little"))
    for size in (0, 31, 33):
        with pytest.raises(TinycError, match=f"has {size} bytes instead of 32"):
            PublicKey(bytes(size))


def test_a_key_with_a_part_of_small_order_is_a_key() -> None:
    """As for the bootloader: only points of small order alone let anybody sign."""
    public = ed25519.decode(signing_key().public.raw)
    assert public is not None
    for point in small_order_points():
        PublicKey((public + point).encode())


def test_the_header_without_a_key_has_none() -> None:
    text = render_boot_key(None)
    assert "#define BOOT_KEY_PRESENT 0\n" in text and text.count("0x00") == 64
    text = render_boot_key(signing_key().public)
    assert "#define BOOT_KEY_PRESENT 1\n" in text
