"""SUIT manifests: the draft's own examples, other programs' verification, and bytes that mean harm."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hypothesis import example, given, settings
from hypothesis import strategies as st

from support.command_line import tinyc
from support.paths import ROOT
from tinyc.errors import TinycError
from tinyc.registry.formats import strict_cbor, suit
from tinyc.registry.formats.suit_build import manifest
from tinyc.registry.formats.suit_read import check_payload, read_envelope, verify
from tinyc.signing.image import ImageContent, make_image
from tinyc.signing.keys import SigningKey, load_signing_key, new_key

pytestmark = pytest.mark.unit

EXAMPLES = json.loads((ROOT / "tests" / "data" / "suit_examples.json").read_text("utf-8"))
ENVELOPES = {name: bytes.fromhex(text) for name, text in EXAMPLES["envelopes"].items()}
IMAGE = bytes(range(256)) * 3


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return new_key(tmp_path_factory.mktemp("keys") / "key.pem")


def update(**changes: Any) -> suit.Update:
    vendor = suit.vendor_id("example.org")
    made = suit.Update(
        component=(b"firmware",),
        vendor=vendor,
        kind=suit.class_id(vendor, "nrf52840", 0x1234),
        digest=hashlib.sha256(IMAGE).digest(),
        size=len(IMAGE),
        sequence=7,
        uri="https://example.org/firmware.bin",
        name="keyword_spotting",
        version="1.2.3",
    )
    return dataclasses.replace(made, **changes)


@pytest.mark.parametrize("name", ENVELOPES)
def test_the_examples_of_the_draft_are_read_and_their_signatures_hold(name: str) -> None:
    """The signature is over what we think it is over: the draft's own key says so."""
    manifest = read_envelope(ENVELOPES[name])
    assert manifest.sequence == int(name.split()[1])
    assert manifest.vendor == uuid.UUID("fa6b4a53-d5ad-5fdf-be9d-e663e4d41ffe") == suit.vendor_id("arm.com")
    assert manifest.kind == uuid.UUID("1492af14-2569-5e48-bf42-9b2d51f2ab45")
    (signature,) = manifest.signatures
    public = load_pem_public_key(EXAMPLES["public_key"].encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    r, s = (int.from_bytes(signature.signature[at : at + 32], "big") for at in (0, 32))
    public.verify(utils.encode_dss_signature(r, s), signature.message, ec.ECDSA(hashes.SHA256()))


def test_a_manifest_of_the_draft_is_written_byte_for_byte() -> None:
    """Example 1 is download, installation and check, as ours are, without our steps at boot."""
    vendor = suit.vendor_id("arm.com")
    ours = update(
        component=(b"\x00",),
        vendor=vendor,
        kind=uuid.UUID("1492af14-2569-5e48-bf42-9b2d51f2ab45"),
        digest=bytes.fromhex("00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210"),
        size=34768,
        sequence=1,
        uri="http://example.com/file.bin",
        name="",
        version="",
        bootable=False,
    )
    made = suit.manifest_of(ours)
    del made[suit.Member.LOAD]
    theirs = cbor2.loads(ENVELOPES["example 1"]).value[3]
    assert suit.encode(made) == theirs


def test_an_envelope_is_verified_by_another_program(key: SigningKey) -> None:
    """Structure by cbor2 alone, the signature by pycose."""
    headers = pytest.importorskip("pycose.headers")
    from pycose.keys import OKPKey
    from pycose.keys.curves import Ed25519
    from pycose.messages import Sign1Message

    envelope = cbor2.loads(suit.envelope(update(), key))
    assert envelope.tag == 107 and set(envelope.value) == {2, 3}
    digest, block = cbor2.loads(envelope.value[2])
    algorithm, found = cbor2.loads(digest)
    assert algorithm == -16
    wrapped = cbor2.dumps(envelope.value[3])
    assert found == hashlib.sha256(wrapped).digest()
    parts = list(cbor2.loads(block).value)
    parts[1] = dict(parts[1])
    message = Sign1Message.from_cose_obj(parts, allow_unknown_attributes=True)
    assert message.phdr[headers.Algorithm].identifier == -8 and message.payload is None
    message.payload = digest
    message.key = OKPKey(crv=Ed25519, x=key.public.raw)
    assert message.verify_signature()
    message.payload = digest[:-1] + b"\x00"
    assert not message.verify_signature()


def test_the_structure_is_that_of_the_draft(key: SigningKey) -> None:
    """By the draft's CDDL, with a decoder that knows nothing of ours."""
    manifest = cbor2.loads(cbor2.loads(suit.envelope(update(), key)).value[3])
    assert set(manifest) == {1, 2, 3, 7, 8, 9, 20, 23}
    assert (manifest[1], manifest[2]) == (1, 7)
    common = cbor2.loads(manifest[3])
    assert common[2] == [[b"firmware"]]
    shared = cbor2.loads(common[4])
    assert shared[0] == 20 and shared[2:] == [1, 15, 2, 15]
    parameters = shared[1]
    assert set(parameters) == {1, 2, 3, 14}
    assert len(parameters[1]) == len(parameters[2]) == 16 and parameters[14] == len(IMAGE)
    assert cbor2.loads(parameters[3]) == [-16, hashlib.sha256(IMAGE).digest()]
    assert cbor2.loads(manifest[7]) == cbor2.loads(manifest[8]) == [3, 15]
    assert cbor2.loads(manifest[9]) == [23, 2]
    assert cbor2.loads(manifest[20]) == [20, {21: "https://example.org/firmware.bin"}, 21, 2, 3, 15]
    text = cbor2.loads(manifest[23])
    assert text["en"][(b"firmware",)] == {2: "keyword_spotting", 6: "1.2.3"}
    vendor = uuid.uuid5(uuid.NAMESPACE_DNS, "example.org")
    assert parameters[1] == vendor.bytes
    assert parameters[2] == uuid.uuid5(vendor, "nrf52840 00001234").bytes


def test_what_is_written_is_read_back(key: SigningKey) -> None:
    data = suit.envelope(update(), key)
    assert data == suit.envelope(update(), key)
    manifest = verify(data, key.public)
    check_payload(manifest, IMAGE)
    assert (manifest.sequence, manifest.image_size, manifest.components) == (7, len(IMAGE), ((b"firmware",),))
    with pytest.raises(TinycError, match="another image"):
        check_payload(manifest, IMAGE + b"\x00")
    with pytest.raises(TinycError, match="64 bits"):
        suit.envelope(update(sequence=-1), key)


def test_other_keys_and_no_signature(key: SigningKey, tmp_path: Path) -> None:
    other = new_key(tmp_path / "other.pem")
    with pytest.raises(TinycError, match="no signature by the key"):
        verify(suit.envelope(update(), other), key.public)
    envelope = cbor2.loads(suit.envelope(update(), key))
    bare = {2: cbor2.dumps(cbor2.loads(envelope.value[2])[:1]), 3: envelope.value[3]}
    data = cbor2.dumps(cbor2.CBORTag(107, bare), canonical=True)
    assert read_envelope(data).signatures == ()
    with pytest.raises(TinycError, match="not signed"):
        verify(data, key.public)


def test_every_flipped_bit_is_found_out(key: SigningKey) -> None:
    data = suit.envelope(update(), key)
    for at in range(len(data)):
        for bit in (0, 3, 7):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            with pytest.raises(TinycError):
                verify(bytes(changed), key.public)


def test_every_shortened_envelope_is_found_out(key: SigningKey) -> None:
    data = suit.envelope(update(), key)
    for end in range(len(data)):
        with pytest.raises(TinycError):
            read_envelope(data[:end])
    with pytest.raises(TinycError):
        read_envelope(data + b"\x00")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
@example(b"\x9b" + b"\xff" * 8)
@example(b"\xbb" + b"\xff" * 8)
@example(b"\xd8\x6b" * 1000 + b"\x00")
@example(b"\x81" * 60000)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for wrapped in (data, cbor2.dumps(cbor2.CBORTag(107, {2: data, 3: data}), canonical=True)):
        with pytest.raises(TinycError):
            read_envelope(wrapped)


# Keys of one kind: the encoder orders a short text and a long number in the way of an earlier RFC.
values = st.recursive(
    st.integers(-(1 << 64), (1 << 64) - 1)
    | st.binary(max_size=8)
    | st.text(max_size=8)
    | st.booleans()
    | st.none(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(0, 40), inner, max_size=4)
        | st.dictionaries(st.binary(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(values)
def test_the_strict_reader_agrees_with_another_one(value: Any) -> None:
    def plain(found: Any) -> Any:
        if isinstance(found, tuple):
            return [plain(each) for each in found]
        return {key: plain(each) for key, each in found.items()} if isinstance(found, dict) else found

    assert plain(strict_cbor.decode(suit.encode(value))) == value


@settings(max_examples=300, deadline=None)
@given(values, st.data())
def test_manifests_of_any_shape_are_read_or_refused(value: Any, data: st.DataObject) -> None:
    """A right digest around anything at all."""
    place = data.draw(st.sampled_from(["manifest", "common", "shared", "install", "digest"]))
    body = suit.manifest_of(update())
    common = cbor2.loads(body[suit.Member.COMMON])  # type: ignore[arg-type]
    shared = cbor2.loads(common[suit.SHARED])
    if place == "shared":
        shared = value
    elif place == "digest":
        shared[1] = {**shared[1], 3: value, 1: value}
    common[suit.SHARED] = suit.encode(shared)
    body[suit.Member.COMMON] = suit.encode(value if place == "common" else common)
    if place == "install":
        body[suit.Member.INSTALL] = suit.encode(value)
    manifest = suit.encode(value if place == "manifest" else body)
    digest = suit.encode([suit.SHA256, hashlib.sha256(suit.encode(manifest)).digest()])
    made = cbor2.dumps(cbor2.CBORTag(107, {2: suit.encode([digest]), 3: manifest}), canonical=True)
    with pytest.raises(TinycError):
        read_envelope(made)


# --- By the command -------------------------------------------------------------------------------


def image_file(folder: Path, key: SigningKey | None, **changes: Any) -> bytes:
    content = ImageContent(
        binary=b"\x00\x20\x00\x20" * 200,
        version="1.2.3",
        counter=5,
        board="nrf52840",
        slot_map=0xABCD,
        firmware_digest=b"\x01" * 32,
        model_digest=b"\x02" * 32,
        model_name="sine",
        model_version="1.2.3",
        slot_bytes=1 << 20,
    )
    data = make_image(dataclasses.replace(content, **changes), key)
    folder.mkdir()
    (folder / "firmware.signed.bin").write_bytes(data)
    return data


def test_the_manifest_of_a_build_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tinyc("keys", "new", "key.pem")
    key = load_signing_key(Path("key.pem"))
    data = image_file(tmp_path / "build", key)
    said = tinyc(
        "registry", "export", "build", "--format", "suit", "--key", "key.pem", "--out", "update.suit"
    )
    assert (said.code, said.stdout) == (0, "")
    manifest = verify(Path("update.suit").read_bytes(), key.public)
    check_payload(manifest, data)
    assert manifest.sequence == 5
    install = dict(manifest.sequences[suit.Member.INSTALL])
    assert install[suit.Command.OVERRIDE] == {suit.Parameter.URI: "firmware.signed.bin"}
    assert manifest.vendor == suit.vendor_id("tinyc")
    Path("m.tflite").write_bytes(b"")
    Path("tinyc.toml").write_text('[model]\npath = "m.tflite"\n[signing]\nkey = "key.pem"\n')
    options = ("--vendor", "example.org", "--uri", "coap://up.example.org/1")
    said = tinyc("registry", "export", "build", "--format", "suit", "--out", "other.suit", *options)
    assert said.code == 0, said.stderr
    other = verify(Path("other.suit").read_bytes(), key.public)
    assert other.vendor == suit.vendor_id("example.org")


def test_the_manifest_of_a_model_alone(tmp_path: Path, key: SigningKey) -> None:
    """The image of a split build's model is data: it has a place of its own and is not started."""
    data = image_file(tmp_path / "build", key, bootable=False, load_address=0x80000, firmware_digest=None)
    made = manifest(tmp_path / "build" / "firmware.signed.bin", key)
    found = verify(made, key.public)
    check_payload(found, data)
    assert found.components == ((b"model", b"\x00\x08\x00\x00"),)
    assert suit.Member.INVOKE not in found.sequences and suit.Member.INSTALL in found.sequences


def test_what_no_manifest_is_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tinyc("keys", "new", "key.pem")
    tinyc("keys", "new", "other.pem")
    image_file(tmp_path / "unsigned", None)
    image_file(tmp_path / "signed", load_signing_key(Path("key.pem")))
    suit_of = ("registry", "export", "--format", "suit", "--out", "x.suit")
    for arguments, words in (
        (("--key", "key.pem", "unsigned"), "not signed"),
        (("--key", "other.pem", "signed"), "another key"),
        (("--key", "key.pem", "nowhere"), "cannot be read"),
        (("--key", "none.pem", "signed"), "no such key"),
        (("signed",), "no key to sign with"),
        (("--key", "key.pem"), "build folder"),
    ):
        said = tinyc(*suit_of, *arguments)
        assert (said.code, said.stdout) == (1, "")
        assert words in said.stderr, said.stderr
    assert not Path("x.suit").exists()
