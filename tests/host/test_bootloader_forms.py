"""tinyc's bootloader takes requests in MCUboot's form, and leaves a swap in it.

The forms are written by hand in support/update_requests.py, after MCUboot's.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import images
from support import update_requests as slots
from support.boot_device import Action, Device
from support.boot_images import DK
from support.boot_sweeps import compiled
from support.ed25519_vectors import VECTORS
from support.images import signing_key
from support.update_requests import PAGE, PRIMARY, PRIMARY_END, SECONDARY, UPLOAD
from tinyc.signing.image import make_image
from tinyc.signing.layout import HEADER
from tinyc.slots import HEADER_BYTES
from tinyc.toolchain.host_compiler import find_compiler

pytestmark = pytest.mark.host

KEY, OTHER_KEY = signing_key(0), signing_key(1)
OLD, NEW, NEXT = 1, 2, 3
# The new image is larger than the old one, or the other way round.
SIZES = [(9001, 20001), (20001, 9001)]
ASKS = ["trial", "confirmed trial", "for good"]


@lru_cache(maxsize=1)
def program() -> Path:
    return compiled(find_compiler(), "boot_decide_main.c", DK, VECTORS[0].secret, sanitized=True)


def image(version: int, size: int = 9001, **changes: Any) -> bytes:
    vectors = struct.pack("<II", 0x20010000, PRIMARY + HEADER_BYTES + 0x101)
    binary = vectors + np.random.default_rng(version).integers(0, 256, size - 8, np.uint8).tobytes()
    usual = {"binary": binary, "version": f"{version}.0.0", "counter": 0}
    return make_image(images.content(**usual, **changes), KEY)


def device_with(first: bytes) -> Device:
    device = Device(program())
    slots.flash_directly(device.flash, first)
    return device


def runs(device: Device) -> int:
    """The version that the device runs after a start, 0 when it runs nothing."""
    answer = device.boot()
    if not answer.done:
        return 0
    assert answer.vectors == PRIMARY + 0x200
    major = HEADER.unpack_from(device.flash, PRIMARY)[6]
    assert isinstance(major, int)
    return major


def swapped_by_hand(old: bytes, new: bytes) -> bytearray:
    """Flash as a swap by offset leaves it, new image on trial; what is behind the images is left out."""
    flash = bytearray([slots.BLANK]) * slots.FLASH_BYTES
    slots.program(flash, PRIMARY, new)
    slots.program(flash, SECONDARY, old)
    slots.program(flash, PRIMARY_END - slots.COPY_DONE_AT, slots.SET.to_bytes(4, "little"))
    slots.program(flash, PRIMARY_END - slots.MAGIC_AT, slots.MAGIC)
    return flash


@pytest.mark.parametrize("action", [Action.TEST, Action.PERMANENT])
def test_requests_of_the_application(action: Action) -> None:
    device = device_with(image(OLD))
    slots.upload(device.flash, image(NEW))
    by_hand = bytearray(device.flash)
    slots.request(by_hand, action == Action.PERMANENT)
    assert device.call(action).done
    assert device.flash == by_hand


def test_confirmations_of_the_application() -> None:
    device = Device(program(), swapped_by_hand(image(OLD), image(NEW)))
    by_hand = bytearray(device.flash)
    slots.confirm(by_hand)
    assert device.call(Action.CONFIRM).done
    assert device.flash == by_hand
    # What is confirmed is not written twice.
    assert device.call(Action.CONFIRM).written == 0


def tampered(at: int) -> bytes:
    changed = bytearray(image(NEW))
    changed[at] ^= 0x10
    return bytes(changed)


GOOD: dict[str, Callable[[], bytes]] = {
    "small": lambda: image(NEW),
    "large": lambda: image(NEW, 200_001),
}
REFUSED: dict[str, Callable[[], bytes]] = {
    "header": lambda: tampered(21),
    "body": lambda: tampered(5000),
    "protected TLVs": lambda: tampered(image(NEW).index(b"keyword")),
    "signature": lambda: tampered(-1),
    "another key": lambda: make_image(images.content(version="2.0.0"), OTHER_KEY),
    "unsigned": lambda: make_image(images.content(version="2.0.0"), None),
    "not bootable": lambda: image(NEW, bootable=False),
    "cut off": lambda: image(NEW)[:-64],
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("case", GOOD)
def test_a_good_image_is_tried_and_kept_or_taken_back(case: str, ask: str) -> None:
    old, new = image(OLD, 20001), GOOD[case]()
    device = device_with(old)
    slots.upload(device.flash, new)
    slots.request(device.flash, permanent=ask == "for good")
    assert runs(device) == NEW
    assert not slots.requested(device.flash)
    assert slots.confirmed(device.flash) == (ask == "for good")
    if ask == "confirmed trial":
        slots.confirm(device.flash)
    kept, data = (OLD, old) if ask == "trial" else (NEW, new)
    for _ in range(2):
        assert runs(device) == kept
        assert device.flash[PRIMARY : PRIMARY + len(data)] == data
        assert slots.confirmed(device.flash)
        assert not slots.requested(device.flash)


@pytest.mark.parametrize("permanent", [False, True])
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_leaves_the_old_image(case: str, permanent: bool) -> None:
    device = device_with(image(OLD, 20001))
    before = device.flash[PRIMARY:PRIMARY_END]
    slots.upload(device.flash, REFUSED[case]())
    slots.request(device.flash, permanent)
    for _ in range(2):
        assert runs(device) == OLD
        assert device.flash[PRIMARY:PRIMARY_END] == before
        assert not slots.requested(device.flash)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_a_swap_leaves_what_mcuboot_goes_on_from(sizes: tuple[int, int]) -> None:
    old, new = image(OLD, sizes[0]), image(NEW, sizes[1])
    device = device_with(old)
    slots.upload(device.flash, new)
    slots.request(device.flash)
    assert runs(device) == NEW
    by_hand = swapped_by_hand(old, new)
    parts = ((PRIMARY, len(new)), (PRIMARY_END - PAGE, PAGE), (SECONDARY, len(old)))
    for start, size in parts:
        assert device.flash[start : start + size] == by_hand[start : start + size]
    assert not slots.requested(device.flash)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_a_confirmed_swap_of_another_bootloader_goes_on(sizes: tuple[int, int]) -> None:
    flash = swapped_by_hand(image(OLD, sizes[0]), image(NEW, sizes[1]))
    slots.confirm(flash)
    device = Device(program(), flash)
    for _ in range(2):
        assert runs(device) == NEW
    slots.upload(device.flash, image(NEXT))
    assert device.flash[UPLOAD : UPLOAD + 4] == image(NEXT)[:4]
    slots.request(device.flash)
    assert runs(device) == NEXT
    assert runs(device) == NEW
