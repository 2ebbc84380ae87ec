"""Images as they are written: imgtool, an independent Ed25519 and our reader agree about them."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from imgtool.main import imgtool

from support import ed25519
from support.ed25519_vectors import VECTORS
from support.images import ROOM, content, signing_key
from tinyc.errors import EXIT_DOES_NOT_FIT, DoesNotFit, TinycError
from tinyc.signing.image import make_image
from tinyc.signing.keys import new_key
from tinyc.signing.layout import Version
from tinyc.signing.read import check_image, read_image

pytestmark = pytest.mark.unit

KEY = signing_key()
IMAGE = make_image(content(), KEY)
UNSIGNED = make_image(content(), None)


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(imgtool, [str(argument) for argument in arguments])
    return done.exit_code, done.output


@pytest.fixture
def image_file(tmp_path: Path) -> Path:
    path = tmp_path / "image.bin"
    path.write_bytes(IMAGE)
    return path


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "public.pem"
    path.write_text(KEY.public.pem, encoding="ascii")
    return path


def test_the_bytes_are_where_the_format_has_them() -> None:
    binary = content().binary
    assert struct.unpack_from("<IIHHIIBBHII", IMAGE) == (
        *(0x96F3B83D, 0, 0x200, read_image(IMAGE).hashed - 0x200 - len(binary), len(binary), 0),
        *(1, 2, 3, 4, 0),
    )
    assert set(IMAGE[32:0x200]) == {0xFF}
    assert IMAGE[0x200 : 0x200 + len(binary)] == binary
    # The TLVs begin right behind the binary, whatever its size.
    assert IMAGE[0x200 + len(binary) :][:2] == b"\x08\x69"
    assert len(IMAGE) == read_image(IMAGE).size


def test_the_same_input_gives_the_same_bytes() -> None:
    assert make_image(content(), signing_key()) == IMAGE
    assert make_image(content(), None) == UNSIGNED
    assert make_image(content(binary=b"x"), KEY) != make_image(content(binary=b"y"), KEY)


def test_imgtool_accepts_our_images(image_file: Path, key_file: Path) -> None:
    code, said = run("verify", "--key", key_file, image_file)
    assert code == 0 and "correctly validated" in said and "1.2.3+4" in said
    assert read_image(IMAGE).hash.hex() in said
    image_file.write_bytes(UNSIGNED)
    assert run("verify", image_file)[0] == 0
    assert run("verify", "--key", key_file, image_file)[0] != 0


def test_imgtool_refuses_what_we_refuse(image_file: Path, key_file: Path, tmp_path: Path) -> None:
    """A flip of every bit of what is signed, and of the hash and the signature."""
    image = read_image(IMAGE)
    assert image.signature is not None
    spots = [*range(0, 28, 3), *range(40, image.hashed, 11)]
    spots += [IMAGE.index(part) + 5 for part in (image.hash, image.signature)]
    for spot in spots:
        damaged = bytearray(IMAGE)
        damaged[spot] ^= 1 << spot % 8
        image_file.write_bytes(damaged)
        assert run("verify", "--key", key_file, image_file)[0] != 0, spot
        with pytest.raises(TinycError):
            check_image(read_image(damaged), damaged, KEY.public)
    image_file.write_bytes(IMAGE)
    new_key(tmp_path / "other.pem")
    assert run("verify", "--key", tmp_path / "other.pem", image_file)[0] != 0


def dump(path: Path) -> dict[str, Any]:
    out = path.with_suffix(".yaml")
    assert run("dumpinfo", "--outfile", out, path)[0] == 0
    loaded: dict[str, Any] = yaml.safe_load(out.read_text(encoding="utf-8"))
    return loaded


@pytest.mark.parametrize("key", [KEY, None], ids=["signed", "unsigned"])
@pytest.mark.parametrize("address", [None, 0x67000], ids=["firmware", "data"])
def test_imgtool_reads_what_we_read(tmp_path: Path, key: Any, address: int | None) -> None:
    wanted = content(bootable=address is None, load_address=address)
    path = tmp_path / "image.bin"
    path.write_bytes(make_image(wanted, key))
    ours, theirs = read_image(path.read_bytes()), dump(path)
    header, entries = theirs["header"], theirs["tlv_area"]
    protected = {entry["type"]: entry["data"] for entry in entries["tlvs_prot"]}
    plain = {entry["type"]: entry["data"] for entry in entries["tlvs"]}
    assert header["version"] == ours.version == wanted.version
    assert header["flags"] == ours.flags == (0 if address is None else 0x110)
    assert header["load_addr"] == ours.load_address == (address or 0)
    assert header["img_size"] == ours.body_bytes == len(wanted.binary)
    assert ours.hashed == 0x200 + header["img_size"] + header["protected_tlv_size"]
    assert ours.size == ours.hashed + entries["tlv_hdr"]["tlv_tot"] == path.stat().st_size
    assert ours.bootable == (address is None) and theirs["trailer"] == {}
    assert set(protected) == {0x50, *range(0xA0, 0xA6)}
    assert int.from_bytes(protected[0x50], "little") == ours.counter == wanted.counter
    assert protected[0xA0].decode() == ours.board == wanted.board
    assert int.from_bytes(protected[0xA1], "little") == ours.slot_map == wanted.slot_map
    assert protected[0xA2] == ours.firmware_digest == wanted.firmware_digest
    assert protected[0xA3] == ours.model_digest == wanted.model_digest
    assert protected[0xA4].decode() == ours.model_name == wanted.model_name
    assert protected[0xA5].decode() == ours.model_version == wanted.model_version
    assert set(plain) == ({0x10, 0x01, 0x24} if key else {0x10})
    assert (plain[0x10], plain.get(0x01), plain.get(0x24)) == (ours.hash, ours.key_hash, ours.signature)


def test_hash_and_signature_by_independent_means() -> None:
    image, vector = read_image(IMAGE), VECTORS[0]
    digest = hashlib.sha256(IMAGE[: image.hashed]).digest()
    assert image.hash == digest
    assert image.signature == ed25519.sign(vector.secret, digest)
    assert ed25519.verify(image.signature, vector.key, digest)
    assert image.key_hash == hashlib.sha256(bytes.fromhex("302a300506032b6570032100") + vector.key).digest()


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    make_image(content(), KEY)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": "1"}, "'1' is no version of an image"),
        ({"version": "1.2"}, "is no version"),
        ({"version": "1.2.3.4"}, "is no version"),
        ({"version": "1.2.3+"}, "is no version"),
        ({"version": "1.2.3+4\n"}, "is no version"),
        ({"version": "01.2.3"}, "is no version"),
        ({"version": "v1.2.3"}, "is no version"),
        ({"version": "1.2.-3"}, "is no version"),
        ({"version": "١.2.3"}, "is no version"),
        ({"version": "256.0.0"}, "at most 255.255.65535"),
        ({"version": "0.256.0"}, "at most 255.255.65535"),
        ({"version": "0.0.65536"}, "at most 255.255.65535"),
        ({"version": "0.0.0+4294967296"}, "at most 255.255.65535"),
        ({"version": "0.0.0+" + "9" * 5000}, "is no version"),
        ({"counter": -1}, "the security counter is -1"),
        ({"counter": 2**32}, "a number from 0 to 4294967295"),
        ({"board": ""}, "the name of the board is ''"),
        ({"board": "b" * 129}, "1 to 128 bytes"),
        ({"model_name": "a\nb"}, "the name of the model is"),
        ({"model_name": "ö" * 65}, "1 to 128 bytes"),
        ({"model_version": ""}, "the version of the model is ''"),
        ({"binary": b""}, "the image would be empty"),
    ],
)
def test_what_the_format_has_no_room_for(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TinycError) as caught:
        make_image(content(**changes), KEY)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"version": "0.0.0"}, {"version": "0.0.0"}),
        ({"version": "1.2.3+0"}, {"version": "1.2.3"}),
        ({"version": "255.255.65535+4294967295"}, {"version": "255.255.65535+4294967295"}),
        ({"counter": 0}, {"counter": 0}),
        ({"counter": 2**32 - 1}, {"counter": 2**32 - 1}),
        ({"slot_map": 0}, {"slot_map": 0}),
        ({"slot_map": 2**32 - 1}, {"slot_map": 2**32 - 1}),
        ({"model_name": "ö" * 64}, {"model_name": "ö" * 64}),
        ({"binary": b"\0"}, {"body_bytes": 1}),
        ({"bootable": False}, {"bootable": False, "flags": 0x10}),
        ({"load_address": 2**32 - 512}, {"bootable": True, "flags": 0x100, "load_address": 2**32 - 512}),
    ],
)
@pytest.mark.parametrize("key", [KEY, None], ids=["signed", "unsigned"])
def test_the_ends_of_the_ranges(changes: dict[str, Any], expected: dict[str, Any], key: Any) -> None:
    data = make_image(content(**changes), key)
    image = read_image(data)
    check_image(image, data, key.public if key else None)
    assert {name: getattr(image, name) for name in expected} == expected


def test_wrong_digests_and_addresses_are_bugs() -> None:
    for changes in ({"firmware_digest": b"x"}, {"model_digest": b""}, {"load_address": 0}):
        with pytest.raises(ValueError):
            make_image(content(**changes), None)


@pytest.mark.parametrize("key", [KEY, None], ids=["signed", "unsigned"])
def test_an_image_fits_or_does_not(key: Any) -> None:
    room = len(make_image(content(), key))
    assert len(make_image(content(slot_bytes=room), key)) == room
    with pytest.raises(DoesNotFit) as caught:
        make_image(content(slot_bytes=room - 1), key)
    assert caught.value.exit_code == EXIT_DOES_NOT_FIT
    assert f"takes {room:,} B, the slot has {room - 1:,} B: 1 B too many" in caught.value.what


def test_a_full_slot() -> None:
    around = len(IMAGE) - len(content().binary)
    data = make_image(content(binary=bytes(ROOM - around)), KEY)
    assert len(data) == ROOM
    check_image(read_image(data), data, KEY.public)


def test_versions_are_ordered() -> None:
    texts = ["0.0.0", "0.0.1", "0.1.0", "1.0.0", "1.0.0+1", "1.0.0+10", "1.2.3", "10.0.0"]
    versions = [Version.parse(text) for text in texts]
    assert versions == sorted(versions) and [str(version) for version in versions] == texts
    assert json.dumps(str(Version(1, 2, 3))) == '"1.2.3"'
