"""The bootloader's reader and judge of images, the very C files, against right and hostile images."""

from __future__ import annotations

import hashlib
import re
import struct
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import pytest

from support import boot_fuzzing, boot_images
from support.boot_fuzzing import Verdict
from support.boot_images import (
    BOARD_NAME,
    COUNTER,
    DER,
    ED25519,
    HEADER,
    KEY_HASH,
    MAP,
    NON_BOOTABLE,
    PROTECTED,
    ROM_FIXED,
    SHA256,
    SIGNATURE_PURE,
    SMALL,
    UNPROTECTED,
    Tlv,
    described,
    finish,
    header,
    image,
    program,
    tlvs,
)
from tinyc.resources import data_folder
from tinyc.toolchain.host_compiler import compiler_called, find_compiler

pytestmark = pytest.mark.host

SECRET, OTHER = bytes(range(32)), bytes(range(1, 33))
LIMIT = SMALL.pages * SMALL.page
BODY = program(SMALL, 300, 1)
GOOD = image(SMALL, BODY, 3, SECRET, (1, 2, 3, 4))


@lru_cache(maxsize=1)
def faults() -> dict[str, int]:
    """The numbers of image.h."""
    text = (data_folder("firmware_templates") / "bootloader" / "image.h").read_text(encoding="utf-8")
    return {name: int(number) for name, number in re.findall(r"IMAGE_(\w+) = (\d+),", text)}


def judged(
    images: Sequence[bytes], secret: bytes | None = SECRET, at: int = SMALL.primary, counter: int = 0
) -> list[Verdict]:
    judge = boot_fuzzing.batch(find_compiler(), SMALL, secret)
    return boot_fuzzing.verdicts(judge, [(data, at, LIMIT, counter) for data in images])


def check(cases: dict[str, tuple[bytes, str]], secret: bytes | None = SECRET) -> None:
    """Each image has the fault of that name."""
    for (name, (_, wanted)), got in zip(
        cases.items(), judged([c[0] for c in cases.values()], secret), strict=True
    ):
        assert got.fault == faults()[wanted], name


def made(entries: Sequence[Tlv], body: bytes = BODY, **fields: int) -> bytes:
    """A signed image with these protected TLVs."""
    return image(SMALL, body, secret=SECRET, entries=entries, **fields)


def unprotected(entries: Sequence[Tlv]) -> bytes:
    """The good image with other TLVs behind what is hashed."""
    covered = tlvs(PROTECTED, described(SMALL, 3))
    return header(len(BODY), len(covered), (1, 2, 3, 4), 0, 0) + BODY + covered + tlvs(UNPROTECTED, entries)


def behind() -> list[Tlv]:
    """The unprotected TLVs of the good image."""
    digest = hashlib.sha256(GOOD[: HEADER + len(BODY) + len(tlvs(PROTECTED, described(SMALL, 3)))]).digest()
    signature = boot_images.ed25519.sign(SECRET, digest)
    return [(SHA256, digest), (KEY_HASH, boot_images.key_hash(SECRET)), (ED25519, signature)]


def test_the_numbers_stay() -> None:
    names = (
        "OK NO_HEADER BAD_HEADER TOO_LARGE BAD_TLVS NO_HASH WRONG_HASH WRONG_BOARD WRONG_MAP BAD_VECTORS "
        "UNSIGNED FOREIGN_KEY WRONG_SIGNATURE TOO_OLD UNCONFIRMED"
    )
    assert faults() == {name: number for number, name in enumerate(names.split())}
    text = (Path(__file__).parents[2] / "docs" / "concepts" / "updates.md").read_text(encoding="utf-8")
    documented = {
        name: int(number) for number, name in re.findall(r"^\| (\d+) \| `IMAGE_(\w+)` \|", text, re.M)
    }
    assert documented == faults()


def test_a_good_image_in_both_slots() -> None:
    for at in (SMALL.primary, SMALL.secondary + SMALL.page):
        assert judged([GOOD], at=at) == [Verdict(0, len(GOOD), len(BODY), 3, (1, 2, 3, 4), 0)]
    assert unprotected(behind()) == GOOD
    assert judged([image(SMALL, BODY)], secret=None)[0].fault == 0
    assert judged([GOOD], secret=None)[0].fault == 0
    fixed = made(described(SMALL, 3), flags=ROM_FIXED, load=SMALL.primary)
    assert judged([fixed])[0].fault == 0


def test_every_bit() -> None:
    """No bit of what is hashed, of the hash or of the signature can change."""
    unhashed = len(GOOD) - len(tlvs(UNPROTECTED, behind()))
    cases = [
        GOOD[:at] + bytes([GOOD[at] ^ 1 << bit]) + GOOD[at + 1 :]
        for at in range(len(GOOD))
        for bit in (range(8) if at < 32 or at >= HEADER + len(BODY) else [at % 8])
    ]
    for data, got in zip(cases, judged(cases), strict=True):
        assert got.fault != 0, next(at for at in range(len(GOOD)) if data[at] != GOOD[at])
    assert unhashed < len(GOOD)


def test_truncated() -> None:
    judge = boot_fuzzing.batch(find_compiler(), SMALL, SECRET)
    cases = [(GOOD, SMALL.primary, size, 0) for size in range(len(GOOD))]
    cases += [(GOOD[:size], SMALL.primary, LIMIT, 0) for size in range(len(GOOD))]
    found = boot_fuzzing.verdicts(judge, cases)
    # The last bytes of a signature may be those of blank flash.
    assert [v.fault for v in found if v.fault == 0] == []
    limits = [v.fault for v in found[: len(GOOD)]]
    assert set(limits[:HEADER]) == {faults()["NO_HEADER"]}
    assert set(limits[HEADER:]) == {faults()["TOO_LARGE"], faults()["BAD_TLVS"]}


def test_headers() -> None:
    entries = described(SMALL, 3)

    def changed(at: int, form: str, value: int) -> bytes:
        return GOOD[:at] + struct.pack(form, value) + GOOD[at + struct.calcsize(form) :]

    check(
        {
            "blank": (b"", "NO_HEADER"),
            "zeros": (bytes(LIMIT), "NO_HEADER"),
            "no magic": (changed(0, "<I", 0x96F3B83C), "NO_HEADER"),
            "32 bytes of header": (changed(8, "<H", 32), "BAD_HEADER"),
            "1024 bytes of header": (changed(8, "<H", 1024), "BAD_HEADER"),
            "not bootable": (made(entries, flags=NON_BOOTABLE), "BAD_HEADER"),
            "encrypted": (made(entries, flags=0x04), "BAD_HEADER"),
            "loaded to RAM": (made(entries, flags=0x20), "BAD_HEADER"),
            "for another place": (made(entries, flags=ROM_FIXED, load=SMALL.secondary), "BAD_HEADER"),
            **{
                f"body of {size:#x}": (changed(12, "<I", size), "TOO_LARGE")
                for size in (
                    LIMIT - HEADER + 1,
                    0x7FFFFFFF,
                    0xFFFFFFFF,
                    2**32 - HEADER,
                    2**32 - HEADER - SMALL.primary,
                )
            },
            "body to the end": (changed(12, "<I", LIMIT - HEADER), "TOO_LARGE"),
            "protected size": (changed(10, "<H", 0xFFFF), "TOO_LARGE"),
            "protected size too small": (changed(10, "<H", 4), "BAD_TLVS"),
            "no protected TLVs, but some": (changed(10, "<H", 0), "BAD_TLVS"),
        }
    )


def test_vectors() -> None:
    start = SMALL.primary + HEADER
    right = {"first": start + 9, "lowest": start + 1, "last": start + len(BODY) - 2 | 1}
    wrong = {
        "even": start + 8,
        "behind": start + len(BODY) + 1,
        "before": start - 1,
        "in the other slot": SMALL.secondary + SMALL.page + HEADER + 9,
        "nowhere": 1,
        "blank": 0xFFFFFFFF,
        "in RAM": 0x20000101,
    }
    for cases, fault in ((right, "OK"), (wrong, "BAD_VECTORS")):
        check(
            {
                name: (made(described(SMALL, 3), struct.pack("<II", 0x20010000, reset) + BODY[8:]), fault)
                for name, reset in cases.items()
            }
        )
    check({f"body of {n}": (made(described(SMALL, 3), BODY[:n]), "BAD_VECTORS") for n in (0, 4, 7)})


def test_boards_maps_and_counters() -> None:
    counter, board, slots = described(SMALL, 3)
    check(
        {
            "no board": (made([counter, slots]), "WRONG_BOARD"),
            "another board": (made([counter, (BOARD_NAME, b"nrf52833"), slots]), "WRONG_BOARD"),
            "a longer name": (made([counter, (BOARD_NAME, b"nrf52840dk"), slots]), "WRONG_BOARD"),
            "a shorter name": (made([counter, (BOARD_NAME, b"nrf528"), slots]), "WRONG_BOARD"),
            "no name": (made([counter, (BOARD_NAME, b""), slots]), "WRONG_BOARD"),
            "no map": (made([counter, board]), "WRONG_MAP"),
            "another map": (made([counter, board, (MAP, b"1234")]), "WRONG_MAP"),
            "a map of 3 bytes": (made([counter, board, (MAP, b"123")]), "BAD_TLVS"),
            "none of these": (finish(header(len(BODY), 0, (1, 0, 0, 0), 0, 0) + BODY, SECRET), "WRONG_BOARD"),
            "no counter": (made([board, slots]), "OK"),
            "a counter of 2 bytes": (made([(COUNTER, b"12"), board, slots]), "BAD_TLVS"),
            "two counters": (made([counter, counter, board, slots]), "BAD_TLVS"),
            "two boards": (made([counter, board, board, slots]), "BAD_TLVS"),
            "others": (made([(0x1234, b"x" * 99), counter, board, (0x40, bytes(12)), slots]), "OK"),
        }
    )
    older = image(SMALL, BODY, 2, SECRET)
    for minimum, wanted in ((0, "OK"), (2, "OK"), (3, "TOO_OLD"), (0xFFFFFFFF, "TOO_OLD")):
        assert judged([older], counter=minimum)[0].fault == faults()[wanted]
    # Counted only where the hash covers it.
    lifted = unprotected([*behind(), (COUNTER, struct.pack("<I", 9))])
    assert [v.counter for v in judged([lifted])] == [3]
    assert judged([lifted], counter=4)[0].fault == faults()["TOO_OLD"]
    moved = finish(header(len(BODY), 0, (1, 0, 0, 0), 0, 0) + BODY, SECRET, [board, slots])
    check({"board and map where nothing covers them": (moved, "WRONG_BOARD")})


def test_signatures() -> None:
    digest, key, signature = behind()
    foreign = (ED25519, boot_images.ed25519.sign(OTHER, digest[1]))
    hashed = unprotected([])[: -len(tlvs(UNPROTECTED, []))]
    pure = (SIGNATURE_PURE, boot_images.ed25519.sign(SECRET, hashed))
    check(
        {
            "unsigned": (image(SMALL, BODY, 3), "UNSIGNED"),
            "key alone": (unprotected([digest, key]), "UNSIGNED"),
            "signature alone": (unprotected([digest, signature]), "UNSIGNED"),
            "of the whole image": (unprotected([digest, key, pure]), "UNSIGNED"),
            "foreign": (image(SMALL, BODY, 3, OTHER), "FOREIGN_KEY"),
            "foreign under our name": (unprotected([digest, key, foreign]), "WRONG_SIGNATURE"),
            "zeros": (unprotected([digest, key, (ED25519, bytes(64))]), "WRONG_SIGNATURE"),
            "63 bytes": (unprotected([digest, key, (ED25519, signature[1][:63])]), "BAD_TLVS"),
            "65 bytes": (unprotected([digest, key, (ED25519, signature[1] + b"\0")]), "BAD_TLVS"),
            "two keys": (unprotected([digest, key, key, signature]), "BAD_TLVS"),
            "two signatures": (unprotected([digest, key, foreign, signature]), "BAD_TLVS"),
            "two hashes": (unprotected([digest, digest, key, signature]), "BAD_TLVS"),
            "no hash": (unprotected([key, signature]), "NO_HASH"),
            "a hash of 31 bytes": (unprotected([(SHA256, bytes(31)), key, signature]), "BAD_TLVS"),
            "another hash": (unprotected([(SHA256, bytes(32)), key, signature]), "WRONG_HASH"),
            "a signature that is hashed": (
                image(SMALL, BODY, entries=[*described(SMALL, 3), key, signature]),
                "UNSIGNED",
            ),
        }
    )
    assert (
        boot_images.key_hash(SECRET) == hashlib.sha256(DER + boot_images.ed25519.public_key(SECRET)).digest()
    )


def test_areas_that_lie() -> None:
    covered = tlvs(PROTECTED, described(SMALL, 3))
    end = len(GOOD) - len(tlvs(UNPROTECTED, behind()))

    def at_end(area: bytes) -> bytes:
        return GOOD[:end] + area

    last = tlvs(UNPROTECTED, behind())
    cases = {
        "no area": at_end(b""),
        "another magic": at_end(struct.pack("<HH", 0x6909, len(last)) + last[4:]),
        "the protected one twice": at_end(covered),
        "area of nothing": at_end(struct.pack("<HH", UNPROTECTED, 0) + last[4:]),
        "area of 3 bytes": at_end(struct.pack("<HH", UNPROTECTED, 3) + last[4:]),
        "too long for the slot": at_end(struct.pack("<HH", UNPROTECTED, 0xFFFF) + last[4:]),
        "too short": at_end(struct.pack("<HH", UNPROTECTED, len(last) - 1) + last[4:]),
        "half a header": at_end(struct.pack("<HH", UNPROTECTED, len(last) + 3) + last[4:] + b"abc"),
        "a TLV beyond the area": at_end(last[:-68] + struct.pack("<HH", ED25519, 65) + last[-64:]),
        "a TLV of 64 kB": at_end(last[:-68] + struct.pack("<HH", 0x1234, 0xFFFF) + last[-64:]),
    }
    check({name: (data, "BAD_TLVS") for name, data in cases.items()})


def test_models() -> None:
    flags = NON_BOOTABLE | ROM_FIXED
    judge = boot_fuzzing.batch(find_compiler(), SMALL, SECRET)
    room = (SMALL.model_pages - 1) * SMALL.page
    cases = []
    for at in SMALL.models:
        for load in (*SMALL.models, SMALL.primary):
            for flag in (flags, NON_BOOTABLE, ROM_FIXED, 0):
                data = image(SMALL, b"weights", 1, SECRET, flags=flag, load=load)
                cases.append(((data, at, room, 0), "OK" if flag == flags and load == at else "BAD_HEADER"))
        unsigned = image(SMALL, b"weights", 1, flags=flags, load=at)
        cases.append(((unsigned, at, room, 0), "UNSIGNED"))
    found = boot_fuzzing.verdicts(judge, [case for case, _ in cases])
    assert [v.fault for v in found] == [faults()[wanted] for _, wanted in cases]


def test_images_by_imgtool(tmp_path: Path) -> None:
    """What imgtool signs is right, and is what the tests' own images are."""
    pytest.importorskip("imgtool", reason="the package `imgtool` is not installed")
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    keys = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    key = keys.Ed25519PrivateKey.from_private_bytes(SECRET).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "app.bin").write_bytes(BODY)
    base = [sys.executable, "-m", "imgtool.main", "sign", "--align", "4", "-H", "0x200", "--pad-header"]
    base += ["-S", "0x4000", "-v", "1.2.3+4", "-s", "3"]
    base += [
        "--custom-tlv",
        "0x00a0",
        SMALL.name,
        "--custom-tlv",
        "0x00a1",
        f"0x{struct.pack('<I', SMALL.number).hex()}",
    ]
    found = []
    for name, more in (
        ("signed", ["-k", "key.pem"]),
        ("unsigned", []),
        ("pure", ["-k", "key.pem", "--pure"]),
    ):
        command = [*base, *more, "app.bin", name]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        found.append((tmp_path / name).read_bytes())
    got = judged(found)
    # The third has a SHA-512 of the key.
    assert [v.fault for v in got] == [faults()[name] for name in ("OK", "UNSIGNED", "BAD_TLVS")]
    assert got[0] == Verdict(0, len(found[0]), len(BODY), 3, (1, 2, 3, 4), 0)
    assert judged([found[1]], secret=None)[0].fault == 0


def test_any_bytes() -> None:
    clang = compiler_called("clang")
    if clang is None:
        pytest.skip("clang is not installed")
    assert boot_fuzzing.run(clang, "-max_total_time=4") > 5000


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("if (size > total - offset) {", "if (size > 0xFFFFu) {"),
        ("if (total < INFO_BYTES || total > room) {", "if (total < INFO_BYTES) {"),
    ],
    ids=["a TLV's size", "an area's size"],
)
def test_a_missing_bound_is_found(old: str, new: str) -> None:
    clang = compiler_called("clang")
    if clang is None:
        pytest.skip("clang is not installed")
    with pytest.raises(RuntimeError, match="ERROR"):
        boot_fuzzing.run(clang, "-max_total_time=20", changed={"image.c": (old, new)})
