"""Models in SMP's Image group, image number 1: the very C files on a simulated flash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from support.image_server import MAP, MODEL_PAGES, MODELS, PAGE, PRIMARY, Server, compiled
from support.smp_device import READ, WRITE
from support.unsigned_images import NON_BOOTABLE, ROM_FIXED, TRAILER_MAGIC, image, image_hash
from support.unsigned_images import program as program_of
from tinyc.toolchain.host_compiler import find_compiler

pytestmark = pytest.mark.host

IMAGE, STATE, UPLOAD, ERASE = 1, 0, 1, 5
NO_FREE_SLOT, SLOT, PLACE, PENDING, TOO_LARGE, CONFIRM, ACTIVE = 9, 14, 25, 28, 30, 32, 33
ON_TRIAL, REFUSES = 4, 8
CONFIRMED = bytes.fromhex("01ffffff")
SECONDARY = 0xA00


def model(slot: int, seed: int = 1, size: int = 900, **more: Any) -> bytes:
    """An image of a model for a slot."""
    usual = {
        "board": "simulated",
        "slot_map": MAP,
        "flags": NON_BOOTABLE | ROM_FIXED,
        "load_address": MODELS[slot],
    }
    return image(bytes([seed]) * size, **{**usual, **more})


def firmware() -> bytes:
    return image(program_of(PRIMARY, 200, 5), board="simulated", slot_map=MAP)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(compiled(find_compiler(), models=True), tmp_path)
    server.put(MODELS[0], model(0))
    yield server
    server.close()


def refusal(rc: int) -> dict[str, Any]:
    return {"err": {"group": IMAGE, "rc": rc}}


def says(server: Server, told: int) -> None:
    server.models = told
    server.plan()


def ask(server: Server, data: bytes, *, confirm: bool = False) -> Mapping[str, Any]:
    return server.ask(WRITE, IMAGE, STATE, {"hash": image_hash(data), "confirm": confirm})


def flags(server: Server) -> dict[tuple[int, int], set[str]]:
    """(image, slot) → what is true of it."""
    names = ("bootable", "pending", "confirmed", "active", "permanent")
    return {
        (each.get("image", 0), each["slot"]): {name for name in names if each[name]}
        for each in server.ask(READ, IMAGE, STATE)["images"]
    }


def trailer(slot: int) -> int:
    """The end of a slot of models."""
    return MODELS[slot] + MODEL_PAGES * PAGE


def test_a_model_goes_to_the_slot_that_is_free(server: Server) -> None:
    assert flags(server) == {(1, 0): {"confirmed", "active"}}
    new = model(1, 2)
    server.upload(new, number=1)
    assert server.flash[MODELS[1] :][: len(new)] == new
    assert flags(server) == {(1, 0): {"confirmed", "active"}, (1, 1): set()}
    ask(server, new)
    assert flags(server)[1, 1] == {"pending"}
    assert server.flash[-16:] == TRAILER_MAGIC
    # What waits is not written over.
    assert server.ask(WRITE, IMAGE, ERASE, {"slot": 3}) == refusal(NO_FREE_SLOT)
    assert server.ask(WRITE, IMAGE, UPLOAD, first(model(1, 3))) == refusal(NO_FREE_SLOT)


def first(data: bytes, number: int | None = 1) -> dict[str, Any]:
    body = {"off": 0, "len": len(data), "sha": hashlib.sha256(data).digest(), "data": data[:300]}
    return body if number is None else body | {"image": number}


def test_no_slot_is_free_during_a_trial(server: Server) -> None:
    server.put(MODELS[1], model(1, 2))
    server.put(trailer(1) - 16, TRAILER_MAGIC)
    says(server, 1 | ON_TRIAL)
    assert flags(server) == {(1, 0): {"confirmed"}, (1, 1): {"active"}}
    assert server.ask(WRITE, IMAGE, UPLOAD, first(model(0, 3))) == refusal(NO_FREE_SLOT)
    for slot in (2, 3):
        assert server.ask(WRITE, IMAGE, ERASE, {"slot": slot}) == refusal(NO_FREE_SLOT)
    assert ask(server, model(0)) == refusal(NO_FREE_SLOT)
    assert ask(server, model(1, 2)) == refusal(ACTIVE)
    # Firmware is another matter.
    assert server.ask(WRITE, IMAGE, UPLOAD, first(firmware(), 0)) == {"off": 300}
    ask(server, model(1, 2), confirm=True)
    assert server.flash[trailer(1) - 24 :][:4] == CONFIRMED
    assert flags(server) == {(1, 0): set(), (1, 1): {"confirmed", "active"}}
    assert server.ask(WRITE, IMAGE, UPLOAD, first(model(0, 3))) == {"off": 300}


def test_a_model_that_the_firmware_refuses_is_not_kept(server: Server) -> None:
    new = model(1, 2)
    server.put(MODELS[1], new)
    says(server, REFUSES)
    assert flags(server)[1, 0] == {"confirmed"}
    assert ask(server, new, confirm=True) == refusal(CONFIRM)
    assert server.flash[-64:] == b"\xff" * 64
    server.put(trailer(1) - 16, TRAILER_MAGIC)
    says(server, 1 | ON_TRIAL | REFUSES)
    assert ask(server, new, confirm=True) == refusal(NO_FREE_SLOT)
    assert server.flash[trailer(1) - 24 :][:4] == b"\xff" * 4


def test_for_good(server: Server) -> None:
    new = model(1, 2)
    server.upload(new, number=1)
    ask(server, new, confirm=True)
    assert flags(server)[1, 1] == {"pending", "permanent"}
    assert ask(server, new, confirm=True)["images"]
    assert ask(server, new) == refusal(PENDING)


@pytest.mark.parametrize("wrong", ["slot", "board", "map", "firmware"])
def test_what_is_no_model_for_the_slot(server: Server, wrong: str) -> None:
    data = {
        "slot": model(0, 2),
        "board": model(1, 2, board="another"),
        "map": model(1, 2, slot_map=1),
        "firmware": firmware(),
    }[wrong]
    server.upload(data, number=1)
    assert ask(server, data) == refusal(PLACE)
    assert server.flash[-64:] == b"\xff" * 64


def test_numbers_and_sizes(server: Server) -> None:
    assert server.ask(WRITE, IMAGE, UPLOAD, first(model(1), 2)) == refusal(SLOT)
    assert server.ask(WRITE, IMAGE, ERASE, {"slot": 4}) == refusal(SLOT)
    assert server.ask(WRITE, IMAGE, ERASE, {"slot": 2}) == refusal(NO_FREE_SLOT)
    large = first(model(1)) | {"len": (MODEL_PAGES - 1) * PAGE + 1}
    assert server.ask(WRITE, IMAGE, UPLOAD, large) == refusal(TOO_LARGE)
    server.put(MODELS[1], model(1))
    assert server.ask(WRITE, IMAGE, ERASE, {"slot": 3}) == {}
    assert server.flash[MODELS[1] :] == b"\xff" * (MODEL_PAGES * PAGE)


def test_uploads_to_two_places_take_turns(server: Server) -> None:
    """Each goes on at the page that was not finished."""
    new, program = model(1, 2, 1500), firmware()
    assert server.ask(WRITE, IMAGE, UPLOAD, first(new)) == {"off": 300}
    for at in (300, 600, 900):
        assert server.ask(WRITE, IMAGE, UPLOAD, {"off": at, "data": new[at : at + 300]}) == {"off": at + 300}
    server.upload(program)
    assert server.flash[SECONDARY + PAGE :][: len(program)] == program
    assert (1, 1) not in flags(server)
    assert server.ask(WRITE, IMAGE, UPLOAD, first(new)) == {"off": 1024}
    server.upload(new, number=1)
    assert server.flash[MODELS[1] :][: len(new)] == new
    assert set(flags(server)) == {(0, 1), (1, 0), (1, 1)}
