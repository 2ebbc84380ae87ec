"""Images and update requests of tinyc under MCUboot as its authors publish it.

`TINYC_MCUBOOT` names a folder with MCUboot's files; docs/concepts/mcuboot.md tells how to get one.
"""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from support import images
from support import update_requests as slots
from support.images import signing_key
from support.stock_mcuboot import MODES, VARIABLE, Action, Device, checkout, compiled
from support.update_requests import PAGE, PRIMARY, PRIMARY_END, SECONDARY, SECONDARY_END, UPLOAD
from tinyc.signing.image import ImageContent, make_image
from tinyc.signing.layout import HEADER, UNPROTECTED_MAGIC, Tag
from tinyc.signing.read import read_image
from tinyc.slots import HEADER_BYTES
from tinyc.toolchain.host_compiler import find_compiler

pytestmark = pytest.mark.host

# The pages that an image can have at most: moving the old image up needs one in the primary slot.
PAGES = {"offset": slots.IMAGE_PAGES, "move": slots.IMAGE_PAGES - 1, "scratch": slots.IMAGE_PAGES}
OLD, NEW, NEXT = 1, 2, 3


KEY, OTHER_KEY = signing_key(0), signing_key(1)


@pytest.fixture(scope="module", params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def program(mode: str) -> Path:
    return built(mode)


def built(mode: str) -> Path:
    folder = checkout()
    if folder is None:
        pytest.skip(f"{VARIABLE} names no checkout of MCUboot")
    return compiled(find_compiler(), folder, mode)


@pytest.fixture
def device(program: Path) -> Device:
    """A device that was given version 1 by a debug probe."""
    return device_with(program, image(OLD))


@pytest.fixture
def swapping_by_offset() -> Device:
    return device_with(built("offset"), image(OLD))


def device_with(program: Path, first: bytes) -> Device:
    device = Device(program, KEY.public)
    slots.flash_directly(device.flash, first)
    return device


def content(version: int, size: int = 9001, counter: int = 0) -> ImageContent:
    """A content whose binary is random, but begins with a vector table for the primary slot."""
    vectors = struct.pack("<II", 0x20040000, PRIMARY + HEADER_BYTES + 0x101)
    rest = np.random.default_rng(version).integers(0, 256, size - len(vectors), np.uint8).tobytes()
    return images.content(binary=vectors + rest, version=f"{version}.0.0+{version}", counter=counter)


def image(version: int, size: int = 9001, counter: int = 0) -> bytes:
    return make_image(content(version, size, counter), KEY)


def runs(device: Device) -> int:
    """The version that the device runs after a start, 0 when it runs nothing."""
    answer = device.boot()
    if not answer.done:
        return 0
    assert answer.image == PRIMARY
    assert answer.vectors == PRIMARY + 0x200
    major = HEADER.unpack_from(device.flash, PRIMARY)[6]
    assert isinstance(major, int)
    return major


def holds(device: Device, address: int, data: bytes) -> bool:
    return device.flash[address : address + len(data)] == data


def overhead() -> int:
    """Bytes of an image that are not its body."""
    return len(image(OLD)) - 9001


# Where the parts of an image are.
PARTS: dict[str, Callable[[bytes], int]] = {
    "version": lambda data: 24,
    "filling of the header": lambda data: HEADER_BYTES - 1,
    "body": lambda data: HEADER_BYTES + 4444,
    "last byte of the body": lambda data: HEADER_BYTES + 9000,
    "protected TLVs": lambda data: data.index(b"keyword spotting"),
    "hash": lambda data: data.index(read_image(data).hash),
    "name of the key": lambda data: data.index(KEY.public.hash),
    "signature": lambda data: len(data) - 1,
}


def tampered(data: bytes, part: str) -> bytes:
    at = PARTS[part](data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


# An image in the primary slot.


def test_an_image_that_a_debug_probe_wrote_boots(device: Device) -> None:
    answer = device.boot()
    assert answer.done, answer.log
    assert answer.image == PRIMARY
    assert answer.header_bytes == HEADER_BYTES == 0x200
    assert holds(device, answer.vectors, content(OLD).binary)
    stack, reset = struct.unpack_from("<II", device.flash, answer.vectors)
    assert (stack, reset) == (0x20040000, PRIMARY + 0x301)
    assert answer.erased == answer.written == 0
    assert slots.confirmed(device.flash)


def test_the_same_image_by_the_tool_on_the_command_line(tmp_path: Path) -> None:
    pem, source, target = tmp_path / "key.pem", tmp_path / "app.bin", tmp_path / "out.bin"
    pem.write_bytes(KEY.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    wanted = content(OLD, counter=7)
    source.write_bytes(wanted.binary)
    custom = {
        Tag.BOARD: wanted.board.encode().hex(),
        Tag.SLOT_MAP: wanted.slot_map.to_bytes(4, "little").hex(),
        Tag.FIRMWARE: wanted.firmware_digest.hex(),
        Tag.MODEL: wanted.model_digest.hex(),
        Tag.MODEL_NAME: wanted.model_name.encode().hex(),
        Tag.MODEL_VERSION: wanted.model_version.encode().hex(),
    }
    options = [part for tag, value in custom.items() for part in ("--custom-tlv", hex(tag), "0x" + value)]
    command = [sys.executable, "-m", "imgtool.main", "sign", "-k", str(pem), "--align", "4"]
    command += ["-H", "0x200", "--pad-header", "-S", hex(slots.IMAGE_BYTES + PAGE)]
    command += ["-v", wanted.version, "-s", str(wanted.counter), *options, str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert target.read_bytes() == make_image(wanted, KEY)


def test_board_and_slot_map_mean_nothing_to_mcuboot(program: Path) -> None:
    other = replace(content(OLD), board="another", slot_map=1)
    assert runs(device_with(program, make_image(other, KEY))) == OLD


@pytest.mark.parametrize("part", PARTS)
def test_a_damaged_image_in_the_primary_slot_does_not_boot(program: Path, part: str) -> None:
    assert runs(device_with(program, tampered(image(OLD), part))) == 0


# Requests.


@pytest.mark.parametrize("permanent", [False, True])
def test_requests_are_those_of_mcuboots_own_functions(device: Device, permanent: bool) -> None:
    slots.upload(device.flash, image(NEW))
    theirs = Device(device.program, device.key, flash=bytearray(device.flash))
    assert theirs.call(Action.PERMANENT if permanent else Action.TEST).done
    slots.request(device.flash, permanent)
    assert device.flash == theirs.flash


def test_confirmations_are_those_of_mcuboots_own_function(device: Device) -> None:
    slots.upload(device.flash, image(NEW))
    slots.request(device.flash)
    assert runs(device) == NEW
    theirs = Device(device.program, device.key, flash=bytearray(device.flash))
    assert theirs.call(Action.CONFIRM).done
    slots.confirm(device.flash)
    assert device.flash == theirs.flash


@pytest.mark.parametrize("sizes", [(9001, 20001), (20001, 9001), (8, 8)], ids=str)
def test_an_image_on_trial_runs_once(program: Path, sizes: tuple[int, int]) -> None:
    old, new = image(OLD, sizes[0]), image(NEW, sizes[1])
    device = device_with(program, old)
    slots.upload(device.flash, new)
    assert runs(device) == OLD, "nobody asked for the new one"
    slots.request(device.flash)
    assert runs(device) == NEW
    assert holds(device, PRIMARY, new)
    assert not slots.confirmed(device.flash)
    assert not slots.requested(device.flash)
    assert slots.word(device.flash, PRIMARY_END - slots.COPY_DONE_AT) == slots.SET
    for _ in range(3):
        assert runs(device) == OLD
        assert holds(device, PRIMARY, old)
        assert slots.confirmed(device.flash)
        assert not slots.requested(device.flash)
    # The new image is where it was, and can be tried again.
    assert holds(device, UPLOAD, new)
    slots.request(device.flash)
    assert runs(device) == NEW


def test_a_confirmed_image_stays(device: Device) -> None:
    slots.upload(device.flash, image(NEW))
    slots.request(device.flash)
    assert runs(device) == NEW
    slots.confirm(device.flash)
    for _ in range(3):
        assert runs(device) == NEW
        assert slots.confirmed(device.flash)


def test_a_permanent_image_stays(device: Device) -> None:
    slots.upload(device.flash, image(NEW))
    slots.request(device.flash, permanent=True)
    for _ in range(3):
        assert runs(device) == NEW
        assert slots.confirmed(device.flash)


def test_one_update_after_another(device: Device) -> None:
    for version, permanent in ((NEW, False), (NEXT, True), (OLD, False), (NEW, True)):
        slots.upload(device.flash, image(version))
        slots.request(device.flash, permanent)
        assert runs(device) == version
        if not permanent:
            slots.confirm(device.flash)
        assert runs(device) == version


def test_notes_in_front_of_the_request_do_no_harm(device: Device) -> None:
    """An upload keeps its progress in the front of the trailer's page."""
    slots.upload(device.flash, image(NEW))
    notes = np.random.default_rng(1).integers(0, 256, 2048, np.uint8).tobytes()
    slots.program(device.flash, SECONDARY_END - PAGE, notes)
    slots.request(device.flash)
    assert runs(device) == NEW
    assert runs(device) == OLD


def test_the_largest_image(program: Path, mode: str) -> None:
    room = PAGES[mode] * PAGE
    old, new = image(OLD, room - overhead()), image(NEW, room - overhead())
    assert len(old) == len(new) == room
    device = device_with(program, old)
    slots.upload(device.flash, new)
    slots.request(device.flash)
    assert runs(device) == NEW
    assert holds(device, PRIMARY, new)
    assert runs(device) == OLD
    assert holds(device, PRIMARY, old)
    slots.request(device.flash, permanent=True)
    assert runs(device) == NEW


@pytest.mark.parametrize("mode", ["offset", "move"], scope="module")
def test_a_larger_image_is_refused(device: Device, mode: str) -> None:
    room = PAGES[mode] * PAGE
    larger = make_image(replace(content(NEW, room - overhead() + 1), slot_bytes=room + PAGE), KEY)
    assert len(larger) == room + 1
    # Without its last bytes where they are in the way of the request.
    end = SECONDARY_END - 64
    slots.erase(device.flash, SECONDARY, 124)
    slots.program(device.flash, UPLOAD, larger[: end - UPLOAD])
    slots.request(device.flash)
    assert runs(device) == OLD


# What is refused.


def without_counter() -> bytes:
    """An image whose counter's TLV has another number, with hash and signature over that."""
    data = bytearray(image(NEW))
    parsed = read_image(bytes(data))
    start = HEADER_BYTES + parsed.body_bytes + 4
    assert struct.unpack_from("<H", data, start) == (Tag.COUNTER,)
    struct.pack_into("<H", data, start, 0xAF)
    return signed_again(data, parsed.hashed)


def signed_again(data: bytearray, hashed: int) -> bytes:
    digest = hashlib.sha256(data[:hashed]).digest()
    plain = ((Tag.SHA256, digest), (Tag.KEY_HASH, KEY.public.hash), (Tag.ED25519, KEY.sign(digest)))
    return bytes(data[:hashed]) + images.area(UNPROTECTED_MAGIC, plain)


REFUSED: dict[str, Callable[[], bytes]] = {
    **{part: partial(tampered, image(NEW), part) for part in PARTS},
    "another key": lambda: make_image(content(NEW), OTHER_KEY),
    "unsigned": lambda: make_image(content(NEW), None),
    "not bootable": lambda: make_image(replace(content(NEW), bootable=False), KEY),
    "no counter": without_counter,
    "cut off": lambda: image(NEW)[:-64],
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("permanent", [False, True])
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_leaves_the_old_image(device: Device, case: str, permanent: bool) -> None:
    slots.upload(device.flash, REFUSED[case]())
    slots.request(device.flash, permanent)
    for _ in range(2):
        assert runs(device) == OLD
        assert holds(device, PRIMARY, image(OLD))
        assert not slots.requested(device.flash)
        assert slots.confirmed(device.flash)
    slots.upload(device.flash, image(NEW))
    slots.request(device.flash)
    assert runs(device) == NEW


def test_an_image_signed_again_is_taken(device: Device) -> None:
    """What `without_counter` does is no reason to refuse, but the missing counter is."""
    data = bytearray(image(NEW))
    slots.upload(device.flash, signed_again(data, read_image(bytes(data)).hashed))
    slots.request(device.flash)
    assert runs(device) == NEW


UNPROTECTED = [tag for tag in Tag if tag not in (Tag.KEY_HASH, Tag.SHA256, Tag.ED25519)]


@pytest.mark.parametrize("tag", UNPROTECTED, ids=lambda tag: tag.name.lower())
def test_tlvs_that_have_to_be_protected(device: Device, tag: Tag) -> None:
    """Outside of the hash MCUboot takes hashes, keys and signatures alone."""
    data = bytearray(image(NEW))
    at = read_image(bytes(data)).hashed + 2
    value = bytes(4)
    (total,) = struct.unpack_from("<H", data, at)
    struct.pack_into("<H", data, at, total + 4 + len(value))
    slots.upload(device.flash, bytes(data) + struct.pack("<HH", tag, len(value)) + value)
    slots.request(device.flash)
    assert runs(device) == OLD
    assert not slots.requested(device.flash)


# The security counter.


def test_the_counter_rises_with_the_confirmation(program: Path) -> None:
    device = device_with(program, image(OLD, counter=3))
    assert runs(device) == OLD
    assert device.counter == 3
    slots.upload(device.flash, image(NEW, counter=5))
    slots.request(device.flash)
    assert runs(device) == NEW
    assert device.counter == 3
    slots.confirm(device.flash)
    assert runs(device) == NEW
    assert device.counter == 5
    slots.upload(device.flash, image(NEXT, counter=4))
    slots.request(device.flash)
    assert runs(device) == NEW
    slots.upload(device.flash, image(NEXT, counter=5))
    slots.request(device.flash)
    assert runs(device) == NEXT


# What offers itself to misunderstandings.


def test_an_old_header_in_the_free_page_stops_the_next_update(swapping_by_offset: Device) -> None:
    """A swap leaves the old image at the secondary slot's first page: who uploads erases that too."""
    device = swapping_by_offset
    slots.upload(device.flash, image(NEW))
    slots.request(device.flash, permanent=True)
    assert runs(device) == NEW
    assert holds(device, SECONDARY, image(OLD))
    slots.erase(device.flash, UPLOAD, slots.IMAGE_PAGES)
    slots.program(device.flash, UPLOAD, image(NEXT))
    slots.request(device.flash)
    assert runs(device) == NEW
    slots.upload(device.flash, image(NEXT))
    slots.request(device.flash)
    assert runs(device) == NEXT


def test_an_empty_primary_slot(program: Path, mode: str) -> None:
    """Without serial recovery a debug probe writes the first image: only one mode installs another."""
    device = Device(program, KEY.public)
    slots.upload(device.flash, image(NEW))
    assert runs(device) == 0
    slots.request(device.flash, permanent=True)
    assert runs(device) == (NEW if mode == "scratch" else 0)


@pytest.mark.parametrize("sizes", [(9001, 20001), (20001, 9001)], ids=str)
@pytest.mark.parametrize("confirmed", [False, True])
def test_a_swap_by_tincys_bootloader_goes_on(
    swapping_by_offset: Device, sizes: tuple[int, int], confirmed: bool
) -> None:
    """Both bootloaders leave a swap in the same form: images, and the trailer of the primary slot."""
    old, new = image(OLD, sizes[0]), image(NEW, sizes[1])
    device, flash = swapping_by_offset, swapping_by_offset.flash
    pages = -(-max(len(old), len(new)) // PAGE)
    slots.flash_directly(flash, new)
    slots.upload(flash, new)
    slots.erase(flash, SECONDARY, pages)
    slots.program(flash, SECONDARY, old)
    slots.program(flash, PRIMARY_END - slots.COPY_DONE_AT, slots.SET.to_bytes(4, "little"))
    slots.program(flash, PRIMARY_END - slots.MAGIC_AT, slots.MAGIC)
    if confirmed:
        slots.confirm(flash)
    assert runs(device) == (NEW if confirmed else OLD)
    assert holds(device, PRIMARY, new if confirmed else old)
    assert runs(device) == (NEW if confirmed else OLD)
