"""Reading images that nobody vouches for: tampered, cut, foreign, forged and random ones."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st
from imgtool.main import imgtool

from support.bootloader_crypto import small_order_points
from support.ed25519 import L
from support.images import BOARD, OURS, ROOM, SLOT_MAP, content, forged, signing_key
from tinyc.errors import TinycError
from tinyc.signing.image import make_image
from tinyc.signing.keys import PublicKey, load_key, new_key
from tinyc.signing.read import SignedImage, check_image, check_target, read_image

pytestmark = pytest.mark.unit

KEY, OTHER = signing_key(), signing_key(1)
IMAGE = make_image(content(), KEY)
UNSIGNED = make_image(content(), None)


def check(data: bytes, public: PublicKey | None, where: str = "") -> SignedImage:
    image = read_image(data, where)
    check_image(image, data, public, where)
    return image


def refusal(data: bytes, public: PublicKey | None = None) -> TinycError:
    with pytest.raises(TinycError) as caught:
        check(data, public, "image.bin")
    error = caught.value
    assert error.where == "image.bin" and error.what and error.allowed and error.hint
    return error


def test_our_images_are_accepted() -> None:
    check(IMAGE, KEY.public)
    check(UNSIGNED, None)
    # A bootloader without a key looks at the hash alone.
    check(IMAGE, None)


@pytest.mark.parametrize(("data", "public"), [(IMAGE, KEY.public), (UNSIGNED, None)], ids=["signed", "not"])
def test_every_flip_is_refused(data: bytes, public: PublicKey | None) -> None:
    damaged = bytearray(data)
    for at, byte in enumerate(data):
        for flip in (1, 2, 4, 8, 16, 32, 64, 128, 255):
            damaged[at] = byte ^ flip
            with pytest.raises(TinycError):
                check(bytes(damaged), public)
        damaged[at] = byte
    check(bytes(damaged), public)


@pytest.mark.parametrize("data", [IMAGE, UNSIGNED], ids=["signed", "unsigned"])
def test_every_cut_is_refused(data: bytes) -> None:
    for size in range(len(data)):
        with pytest.raises(TinycError) as caught:
            read_image(data[:size])
        if size >= 32:
            assert f"is cut off: it has {size:,} of at least" in caught.value.what


def test_every_lost_or_doubled_byte_is_refused() -> None:
    for at in range(len(IMAGE)):
        for data in (IMAGE[:at] + IMAGE[at + 1 :], IMAGE[:at] + IMAGE[at : at + 1] + IMAGE[at:]):
            with pytest.raises(TinycError):
                check(data, KEY.public)


def test_what_follows_an_image() -> None:
    assert "has 3 B after its end" in refusal(IMAGE + b"\xff" * 3).what
    slot = IMAGE.ljust(4096, b"\xff")
    image = read_image(slot, padded=True)
    assert image == read_image(IMAGE)
    check_image(image, slot, KEY.public)


def test_unsigned_images_and_other_keys() -> None:
    error = refusal(UNSIGNED, KEY.public)
    assert error.what == "is not signed" and KEY.public.fingerprint in error.allowed
    assert "[signing]" in error.hint
    error = refusal(make_image(content(), OTHER), KEY.public)
    assert error.what == f"is signed by another key, {OTHER.public.fingerprint}"
    assert KEY.public.fingerprint in error.allowed


def resigned(signature: bytes, key_hash: bytes) -> bytes:
    """The image with other entries for its key and its signature."""
    image = read_image(IMAGE)
    plain = [(0x10, image.hash), (0x01, key_hash), (0x24, signature)]
    protected = [
        (0x50, struct.pack("<I", 7)),
        (0xA0, BOARD.encode()),
        (0xA1, struct.pack("<I", SLOT_MAP)),
        *((0xA2, content().firmware_digest), (0xA3, content().model_digest)),
        *((0xA4, content().model_name.encode()), (0xA5, content().model_version.encode())),
    ]
    data = forged(protected=protected, plain=plain, body=content().binary)
    assert data[: image.hashed] == IMAGE[: image.hashed]
    return data


def test_a_signature_has_to_be_by_the_key_that_is_named() -> None:
    image, ours = read_image(IMAGE), KEY.public.hash
    assert image.signature is not None
    assert resigned(image.signature, ours) == IMAGE
    s = int.from_bytes(image.signature[32:], "little")
    wrong = [
        OTHER.sign(image.hash),
        KEY.sign(IMAGE[: image.hashed]),
        KEY.sign(b""),
        image.signature[:32] + (s + L).to_bytes(32, "little"),
        image.signature[32:] + image.signature[:32],
        bytes(64),
        *(point.encode() + bytes(32) for point in small_order_points()),
    ]
    for signature in wrong:
        assert refusal(resigned(signature, ours), KEY.public).what == (
            "has a signature that is not by the key it names"
        )
    # Under the right name of another key.
    assert "signed by another key" in refusal(resigned(wrong[0], OTHER.public.hash), KEY.public).what


@pytest.fixture
def sign(tmp_path: Path) -> Callable[..., bytes]:
    """`imgtool sign` with options."""

    def run(*options: object, key: str = "key.pem") -> bytes:
        source, target = tmp_path / "in.bin", tmp_path / "out.bin"
        source.write_bytes(content().binary)
        words = ["sign", "-k", tmp_path / key, "--align", 4, "-H", 0x200, "--pad-header", "-S", 0x10000]
        words += ["-v", "1.2.3+4", *options, source, target]
        done = CliRunner().invoke(imgtool, [str(word) for word in words])
        assert done.exit_code == 0, done.output
        return target.read_bytes()

    new_key(tmp_path / "key.pem")
    return run


OPTIONS = (
    "-s",
    7,
    "--custom-tlv",
    "0xa0",
    BOARD,
    "--custom-tlv",
    "0xa1",
    f"0x{SLOT_MAP.to_bytes(4, 'little').hex()}",
)


def test_an_image_by_the_tool_itself(sign: Callable[..., bytes], tmp_path: Path) -> None:
    data = sign(*OPTIONS)
    image = check(data, load_key(tmp_path / "key.pem").public)
    assert (image.version, image.counter, image.board, image.slot_map) == ("1.2.3+4", 7, BOARD, SLOT_MAP)
    assert (image.firmware_digest, image.model_digest, image.model_name, image.model_version) == (None,) * 4
    check_target(image, board=BOARD, slot_map=SLOT_MAP, room=ROOM, counter=7)


def test_an_image_of_another_project(sign: Callable[..., bytes]) -> None:
    image = check(sign(), None)
    assert (image.counter, image.board, image.slot_map) == (0, None, None)
    with pytest.raises(TinycError, match="does not say for which board it is"):
        check_target(image, board=BOARD, slot_map=SLOT_MAP, room=ROOM)
    image = check(sign(*OPTIONS[:5]), None)
    with pytest.raises(TinycError, match="was linked for no slot map"):
        check_target(image, board=BOARD, slot_map=SLOT_MAP, room=ROOM)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pure"], "is signed in the pure mode of Ed25519"),
        (["--sha", "512"], "has the entry 0x0012: another hash, signature or encryption"),
        (["--pad"], "B after its end"),
        (["--load-addr", "0x20000000"], "has the flags 0x20, of a kind that is not supported"),
        (["--public-key-format", "full"], "has the entry 0x0002"),
        (["-H", "0x400"], "has a header of 1024 B"),
    ],
)
def test_kinds_of_images_that_are_refused(sign: Callable[..., bytes], options: Any, message: str) -> None:
    assert message in refusal(sign(*OPTIONS, *options)).what


def test_other_signatures_and_encryption(sign: Callable[..., bytes], tmp_path: Path) -> None:
    for kind in ("rsa-2048", "ecdsa-p256", "x25519"):
        done = CliRunner().invoke(imgtool, ["keygen", "-k", str(tmp_path / f"{kind}.pem"), "-t", kind])
        assert done.exit_code == 0, done.output
    assert "has the entry 0x0020" in refusal(sign(*OPTIONS, key="rsa-2048.pem")).what
    assert "has the entry 0x0022" in refusal(sign(*OPTIONS, key="ecdsa-p256.pem")).what
    assert refusal(sign(*OPTIONS, "-E", tmp_path / "x25519.pem")).what == "is encrypted"


def target(**changes: Any) -> dict[str, Any]:
    return {"board": BOARD, "slot_map": SLOT_MAP, "room": ROOM, "counter": 0} | changes


@pytest.mark.parametrize(
    ("changes", "what", "allowed"),
    [
        ({"board": "xiao"}, "is for the board `nrf52840`", "an image for `xiao`"),
        ({"slot_map": 1}, "was linked for the slot map 12345678", "the slot map 00000001"),
        ({"room": len(IMAGE) - 1}, f"takes {len(IMAGE):,} B", f"at most {len(IMAGE) - 1:,} B"),
        ({"counter": 8}, "has the security counter 7", "a counter of at least 8"),
    ],
)
def test_images_for_other_devices(changes: dict[str, Any], what: str, allowed: str) -> None:
    image = read_image(IMAGE)
    check_target(image, **target())
    check_target(image, **target(room=len(IMAGE), counter=7))
    with pytest.raises(TinycError) as caught:
        check_target(image, **target(**changes), where="image.bin")
    error = caught.value
    assert what in error.what and allowed in error.allowed and error.hint and error.where == "image.bin"


ZERO_HASH = (0x10, bytes(32))


def test_forged_images_are_read_as_they_are_meant() -> None:
    image = check(forged(), None)
    assert (image.version, image.counter, image.board, image.slot_map) == ("1.2.3+4", 7, BOARD, SLOT_MAP)
    image = check(forged(protected=()), None)
    assert (image.counter, image.board, image.hashed) == (0, None, 0x204)
    # Entries that the hash covers and nobody asks for.
    check(forged(protected=[*OURS, (0x40, bytes(12)), (0x60, b"x"), (0x1234, b"")]), None)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"header": {"magic": 0x96F3B83C}}, "it does not begin like one"),
        ({"header": {"header": 0}}, "has a header of 0 B"),
        ({"header": {"header": 0x208}}, "has a header of 520 B"),
        ({"header": {"body": 0}, "body": b""}, "is empty"),
        ({"header": {"body": 3}}, "its content does not end where it says"),
        ({"header": {"body": 0xFFFFFFFF}}, "is cut off"),
        ({"header": {"protected": 0}}, "its content does not end where it says"),
        ({"header": {"protected": 3}}, "contradict each other"),
        ({"header": {"protected": 0xFFFF}}, "contradict each other"),
        ({"header": {"flags": 0x1}}, "has the flags 0x1"),
        ({"header": {"flags": 0x4}}, "is encrypted"),
        ({"header": {"flags": 0x8}}, "is encrypted"),
        ({"header": {"flags": 0x200}}, "has the flags 0x200"),
        ({"header": {"flags": 0x80000000}}, "has the flags 0x80000000"),
        ({"protected_total": 0}, "its list of entries has a wrong length"),
        ({"protected_total": 3}, "its list of entries has a wrong length"),
        ({"protected_total": 0xFFFF}, "is cut off"),
        ({"plain_total": 0}, "its list of entries has a wrong length"),
        ({"plain_total": 4}, "has 36 B after its end"),
        ({"plain_total": 5}, "its list of entries has a wrong length"),
        ({"plain_total": 8}, "its list of entries has a wrong length"),
        ({"plain_total": 0xFFFF}, "is cut off"),
        ({"plain": []}, "has no SHA-256"),
        ({"plain": [(0x10, bytes(31))]}, "its entry 0x0010 has 31 B instead of 32 B"),
        ({"plain": [(0x10, bytes(33))]}, "its entry 0x0010 has 33 B instead of 32 B"),
        ({"plain": [ZERO_HASH, ZERO_HASH]}, "it has the entry 0x0010 twice"),
        ({"plain": [ZERO_HASH, (0x50, bytes(4))]}, "has the entry 0x0050"),
        ({"plain": [ZERO_HASH, (0xA0, b"nrf")]}, "has the entry 0x00a0"),
        ({"plain": [ZERO_HASH, (0x01, bytes(32))]}, "a signature and the name of its key come together"),
        ({"plain": [ZERO_HASH, (0x24, bytes(64))]}, "a signature and the name of its key come together"),
        ({"plain": [ZERO_HASH, (0x01, bytes(32)), (0x24, bytes(63))]}, "has 63 B instead of 64 B"),
        ({"plain": [ZERO_HASH, (0x01, bytes(31)), (0x24, bytes(64))]}, "has 31 B instead of 32 B"),
        ({"plain": [(0x25, b"\1"), (0x24, bytes(64))]}, "pure mode"),
        ({"plain": [ZERO_HASH]}, "its content has another hash than it says"),
        ({"protected": [(0x50, bytes(3))]}, "its entry 0x0050 has 3 B instead of 4 B"),
        ({"protected": [(0xA1, bytes(5))]}, "its entry 0x00a1 has 5 B instead of 4 B"),
        ({"protected": [(0xA2, bytes(31))]}, "its entry 0x00a2"),
        ({"protected": [(0xA3, b"")]}, "its entry 0x00a3 has 0 B instead of 32 B"),
        ({"protected": [(0xA0, b"")]}, "its entry 0x00a0 is no text"),
        ({"protected": [(0xA0, b"\xff")]}, "its entry 0x00a0 is no text"),
        ({"protected": [(0xA0, b"nrf\0")]}, "its entry 0x00a0 is no text"),
        ({"protected": [(0xA4, b"\x1b[2J")]}, "its entry 0x00a4 is no text"),
        ({"protected": [(0xA5, b"1" * 129)]}, "its entry 0x00a5 is no text"),
        ({"protected": [(0xA0, b"a"), (0xA0, b"b")]}, "it has the entry 0x00a0 twice"),
    ],
)
def test_forged_images_are_refused(parts: dict[str, Any], message: str) -> None:
    assert message in refusal(forged(**parts)).what


def test_bytes_that_are_no_image() -> None:
    for data in (b"", b"\x3d\xb8\xf3\x96", bytes(31)):
        assert "it is too short" in refusal(data).what
    for data in (bytes(1000), b"\xff" * 1000, b"\x7fELF" + bytes(1000)):
        assert "it does not begin like one" in refusal(data).what
    assert str(refusal(b"")).startswith("image.bin: is no image")
    with pytest.raises(TinycError, match=r"^image: is no image"):
        read_image(b"")


def never_fails(data: bytes) -> None:
    """An answer or a TinycError; an answer stays inside of the bytes."""
    for padded in (False, True):
        try:
            image = read_image(data, padded=padded)
        except TinycError:
            continue
        assert 0x200 < image.hashed < image.size <= len(data)
        for public in (None, KEY.public):
            try:
                check_image(image, data, public)
            except TinycError:
                continue
            assert hashlib.sha256(data[: image.hashed]).digest() == image.hash


@settings(max_examples=500)
@given(st.binary(max_size=64), st.binary(max_size=600))
@example(b"", b"")
def test_random_bytes(head: bytes, tail: bytes) -> None:
    never_fails(head + tail)
    never_fails(IMAGE[:4] + head + tail)
    never_fails(IMAGE[:0x200] + head + tail)


@settings(max_examples=1000)
@given(
    st.sampled_from([IMAGE, UNSIGNED]),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 8), st.binary(max_size=8)), max_size=4),
)
def test_spliced_images(data: bytes, splices: list[tuple[int, int, bytes]]) -> None:
    # Nearly all of an image is body and padding: aim at what is read.
    spots = [*range(32), *range(0x200 + len(content().binary), len(data) + 1)]
    for where, lost, put in splices:
        at = spots[where % len(spots)]
        data = data[:at] + put + data[at + lost :]
    never_fails(data)


entries = st.lists(
    st.tuples(
        st.sampled_from([0x01, 0x10, 0x24, 0x25, 0x50, *range(0xA0, 0xA7)]) | st.integers(0, 0xFFFF),
        st.sampled_from([bytes(4), bytes(32), bytes(64), b"text"]) | st.binary(max_size=70),
    ),
    max_size=8,
)
total = st.none() | st.integers(0, 0xFFFF) | st.integers(0, 80)
field = st.integers(0, 0xFFFF) | st.integers(0, 300)


@settings(max_examples=1000)
@given(
    protected=entries,
    plain=st.none() | entries,
    body=st.binary(max_size=20),
    header=st.dictionaries(
        st.sampled_from(["load_address", "protected", "body", "flags"]), field, max_size=2
    ),
    protected_total=total,
    plain_total=total,
    right=st.booleans(),
)
def test_forged_fields(protected: Any, plain: Any, right: bool, **parts: Any) -> None:
    if right:
        parts |= {"protected_total": None, "plain_total": None, "header": {}}
    never_fails(forged(protected=protected, plain=plain, **parts))
