"""SMP's Image group of the firmware, the very C files, on a simulated flash."""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from smpclient.exceptions import SMPUploadError

from support.image_server import (
    CAPACITY,
    MAP,
    PAGE,
    PRIMARY,
    PRIMARY_END,
    SECONDARY,
    TRAILER,
    UPLOADS,
    PowerCut,
    Server,
    compiled,
)
from support.smp_device import OS, READ, WRITE
from support.unsigned_images import NON_BOOTABLE, TRAILER_MAGIC, image, image_hash
from support.unsigned_images import program as program_of
from tinyc.toolchain.host_compiler import compiler_called, find_compiler

pytestmark = pytest.mark.host

IMAGE, STATE, UPLOAD, ERASE = 1, 0, 1, 5
UNKNOWN_HASH, NO_FREE_SLOT, WRITE_FAILED, SLOT, OFFSET, LENGTH = 8, 9, 12, 14, 20, 21
HEADER, HEADER_MAGIC, HASH, PLACE, PENDING, TOO_LARGE, OVERRUN, CONFIRM, ACTIVE = (
    22,
    23,
    24,
    25,
    28,
    30,
    31,
    32,
    33,
)
V1 = {
    NO_FREE_SLOT: 6,
    PENDING: 6,
    **dict.fromkeys((SLOT, OFFSET, LENGTH, HEADER, HASH, PLACE), 3),
}
CHUNK = 300


def refusal(rc: int) -> dict[str, Any]:
    return {"err": {"group": IMAGE, "rc": rc}}


def made(seed: int, size: int = 2000, **more: Any) -> bytes:
    """An image with a body of `size` bytes."""
    return image(program_of(PRIMARY, size, seed), **{"board": "simulated", "slot_map": MAP} | more)


def sized(total: int) -> bytes:
    """An image of `total` bytes in all."""
    return made(total, total - LEAST + 8)


LEAST = len(made(0, 8))
NEW, OTHER = made(1), made(2, 1501, version=(9, 8, 65535, 4_000_000_000))


def first(data: bytes, size: int = CHUNK, **more: Any) -> dict[str, Any]:
    """The request that begins an upload."""
    sha = hashlib.sha256(data).digest()
    return {"off": 0, "len": len(data), "sha": sha, "image": 0, "data": data[:size]} | more


@pytest.fixture(scope="module", params=["default", "clang"])
def program(request: pytest.FixtureRequest) -> Path:
    compiler = find_compiler() if request.param == "default" else compiler_called("clang")
    if compiler is None:
        pytest.skip("clang is not installed")
    return compiled(compiler)


@pytest.fixture
def server(program: Path, tmp_path: Path) -> Iterator[Server]:
    server = Server(program, tmp_path)
    yield server
    server.close()


def told(server: Server) -> list[dict[str, Any]]:
    return [dict(each) for each in server.ask(READ, IMAGE, STATE)["images"]]


def listed(slot: int, data: bytes, **flags: bool) -> dict[str, Any]:
    """What the list says of an image."""
    major, minor, revision, build = struct.unpack_from("<BBHI", data, 20)
    version = f"{major}.{minor}.{revision}" + (f".{build}" if build else "")
    usual = {"bootable": True, "pending": False, "confirmed": False, "active": False, "permanent": False}
    return {"slot": slot, "version": version, "hash": image_hash(data)} | usual | flags


def run_from(server: Server, data: bytes, *, unconfirmed: bool = False) -> None:
    """An image in the primary slot."""
    server.put(PRIMARY, data)
    if unconfirmed:
        server.put(PRIMARY_END - 16, TRAILER_MAGIC)


def send(server: Server, data: bytes, start: int, end: int) -> None:
    """Chunks that are answered as they should be."""
    for at in range(start, end, CHUNK):
        until = min(at + CHUNK, end)
        assert server.ask(WRITE, IMAGE, UPLOAD, {"off": at, "data": data[at:until]}) == {"off": until}


def test_what_a_swap_left_in_front_of_the_slot_goes_with_a_new_upload(server: Server) -> None:
    """The head of an old image there is what another bootloader looks for."""
    server.put(SECONDARY, OTHER[:PAGE])
    assert server.ask(WRITE, IMAGE, UPLOAD, first(NEW)) == {"off": CHUNK}
    server.settle()
    assert server.flash[SECONDARY:UPLOADS] == b"\xff" * PAGE
    operations = server.operations
    send(server, NEW, CHUNK, len(NEW) - 1)
    server.restart()
    assert server.ask(WRITE, IMAGE, UPLOAD, first(NEW))["off"] > 0
    server.settle()
    assert operations > 0 and server.flash[SECONDARY:UPLOADS] == b"\xff" * PAGE


SIZES = [
    *(LEAST + more for more in (0, 1, 2, 3, 5)),
    *(PAGE * pages + more for pages in (2, 5) for more in (-1, 0, 1, 2, 3, 4)),
    CAPACITY - 1,
    CAPACITY,
]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("use_sha", [True, False])
def test_upload_by_another_client(server: Server, size: int, use_sha: bool) -> None:
    server.set_flash(random.Random(size).randbytes(TRAILER + PAGE))
    server.put(PRIMARY_END - PAGE, b"\xff" * PAGE)
    server.put(TRAILER, b"\xff" * PAGE)
    before, data = server.flash, sized(size)
    offsets = server.upload(data, use_sha=use_sha)
    assert offsets[-1] == size and offsets == sorted(set(offsets))
    after = server.flash
    assert after[UPLOADS : UPLOADS + size] == data
    filled = -size % 4
    assert after[UPLOADS + size : UPLOADS + size + filled] == b"\xff" * filled
    pages = -(-size // PAGE) * PAGE
    assert (
        after[:SECONDARY] == before[:SECONDARY]
        and after[SECONDARY:UPLOADS] == b"\xff" * PAGE
        and after[UPLOADS + pages : TRAILER] == before[UPLOADS + pages : TRAILER]
    )
    assert told(server)[-1] == listed(1, data)


@pytest.mark.parametrize("chunks", [[32, 1, 1, 1, 2, 3, 4, 5, 63, 64, 65], [33, 7], [34, 300, 1], [300]])
def test_chunks_of_any_size(server: Server, chunks: list[int]) -> None:
    """Words and pages end anywhere in a chunk; keys in front move the data."""
    at = 0
    for number in range(10_000):
        size = chunks[number % len(chunks)] if at else max(32, chunks[0])
        body = first(NEW, size) if at == 0 else {"off": at, "data": NEW[at : at + size]}
        answer = server.ask(WRITE, IMAGE, UPLOAD, {"x" * (number % 5): 0, **body})
        at = min(at + size, len(NEW))
        if at == len(NEW):
            break
        assert answer == {"off": at}
    assert answer == {"off": len(NEW), "match": True}
    assert server.flash[UPLOADS : UPLOADS + len(NEW)] == NEW


def test_a_chunk_is_answered_before_it_is_written_but_the_last(server: Server) -> None:
    server.ask(WRITE, IMAGE, UPLOAD, first(NEW))
    server.settle()
    server.plan(cut=0)
    send(server, NEW, CHUNK, 2 * CHUNK)
    with pytest.raises(PowerCut):
        server.settle()
    server.ask(WRITE, IMAGE, UPLOAD, first(NEW))
    send(server, NEW, CHUNK, len(NEW) - 10)
    server.settle()
    server.plan(cut=2)
    with pytest.raises(PowerCut):
        server.ask(WRITE, IMAGE, UPLOAD, {"off": len(NEW) - 10, "data": NEW[-10:]})


def test_the_same_file_goes_on_where_it_was(server: Server) -> None:
    """At the byte in one session, at the page after a reset."""
    server.ask(WRITE, IMAGE, UPLOAD, first(NEW))
    send(server, NEW, CHUNK, 1111)
    assert server.ask(WRITE, IMAGE, UPLOAD, first(NEW)) == {"off": 1111}
    assert server.ask(WRITE, IMAGE, UPLOAD, {"off": 5, "data": b"wrong"}) == {"off": 1111}
    assert server.ask(WRITE, IMAGE, UPLOAD, {"off": 9999, "data": b"wrong"}) == {"off": 1111}
    server.restart()
    server.plan()
    assert told(server) == [] and server.operations == 0  # who only asks changes nothing
    assert server.ask(WRITE, IMAGE, UPLOAD, {"off": 1111, "data": NEW[1111:1200]}) == {"off": 2 * PAGE}
    server.restart()
    assert server.upload(NEW)[0] == 2 * PAGE
    assert told(server) == [listed(1, NEW)]
    server.plan()
    server.restart()
    assert server.upload(NEW) == [len(NEW)] and server.operations == 0
    assert server.ask(WRITE, IMAGE, UPLOAD, first(NEW)) == {"off": len(NEW), "match": True}


def test_another_file_begins_anew(server: Server) -> None:
    for reset in (False, True):
        for data in (NEW, OTHER):
            server.ask(WRITE, IMAGE, UPLOAD, first(data))
            send(server, data, CHUNK, 900)
            if reset:
                server.restart()
    assert server.upload(NEW)[0] < PAGE
    without = first(NEW)
    del without["sha"]
    assert server.ask(WRITE, IMAGE, UPLOAD, without) == {"off": CHUNK}
    assert server.ask(WRITE, IMAGE, UPLOAD, without) == {"off": CHUNK}
    shorter = first(NEW, len=len(NEW) - 1)
    assert server.ask(WRITE, IMAGE, UPLOAD, shorter) == {"off": CHUNK}
    assert server.upload(NEW)[0] < PAGE


def test_without_a_beginning(server: Server) -> None:
    assert server.ask(WRITE, IMAGE, UPLOAD, {"off": 300, "data": NEW[300:600]}) == {"off": 0}
    assert server.operations == 0


def test_damaged_on_the_way(server: Server) -> None:
    """The file is there to the last byte, but it is not the one that was announced."""
    damaged = bytearray(NEW)
    damaged[1000] ^= 1
    for _ in range(2):
        sha = hashlib.sha256(NEW).digest()
        assert server.ask(WRITE, IMAGE, UPLOAD, first(bytes(damaged), sha=sha)) == {"off": CHUNK}
        for at in range(CHUNK, len(NEW), CHUNK):
            answer = server.ask(WRITE, IMAGE, UPLOAD, {"off": at, "data": bytes(damaged[at : at + CHUNK])})
        assert answer == {"off": len(NEW), "match": False}
        # Its answer may have been lost.
        assert server.ask(WRITE, IMAGE, UPLOAD, {"off": at, "data": bytes(damaged[at:])}) == answer
    damaged_hash = {"hash": image_hash(NEW)}
    assert server.ask(WRITE, IMAGE, STATE, damaged_hash) == refusal(HASH)
    server.restart()
    assert server.upload(NEW)[0] < PAGE
    assert server.ask(WRITE, IMAGE, STATE, damaged_hash)["images"] == [listed(1, NEW, pending=True)]


def test_a_mismatch_is_an_error_of_smpclient(server: Server) -> None:
    server.ask(WRITE, IMAGE, UPLOAD, first(NEW))
    body = bytearray(NEW[CHUNK : 2 * CHUNK])
    body[7] ^= 0x80
    server.ask(WRITE, IMAGE, UPLOAD, {"off": CHUNK, "data": bytes(body)})
    with pytest.raises(SMPUploadError, match="mismatched"):
        server.upload(NEW)
    server.upload(NEW)
    assert told(server) == [listed(1, NEW)]


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(
    ("body", "error"),
    [
        (first(NEW, 31), HEADER),
        (first(b"x" * 600), HEADER_MAGIC),
        ({key: value for key, value in first(NEW).items() if key != "len"}, LENGTH),
        (first(NEW, len=CAPACITY + 1), TOO_LARGE),
        (first(NEW, len=0xFFFFFFFE), TOO_LARGE),
        (first(NEW, len=CHUNK - 1), OVERRUN),
        (first(NEW, sha=b"short"), HASH),
        (first(NEW, image=1), SLOT),
        ({"data": NEW[:CHUNK], "len": len(NEW)}, OFFSET),
        ({"off": 0, "len": len(NEW)}, None),
        (first(NEW, off="0"), None),
        (first(NEW, off=-1), None),
        ({**first(NEW), "data": "text"}, None),
        (first(NEW, len="9"), None),
        (first(NEW, sha="text"), None),
        (first(NEW, image=b"0"), None),
    ],
)
def test_refused_uploads(server: Server, version: int, body: dict[str, Any], error: int | None) -> None:
    answer = server.ask(WRITE, IMAGE, UPLOAD, body, version=version)
    if error is None:
        assert answer == {"rc": 3}
    else:
        assert answer == (refusal(error) if version else {"rc": V1.get(error, 1)})
    assert server.operations == 0


def test_more_than_was_announced(server: Server) -> None:
    server.ask(WRITE, IMAGE, UPLOAD, first(NEW, len=400, sha=bytes(32)))
    assert server.ask(WRITE, IMAGE, UPLOAD, {"off": CHUNK, "data": bytes(101)}) == refusal(OVERRUN)
    assert server.ask(WRITE, IMAGE, UPLOAD, {"off": CHUNK, "data": bytes(100)}) == {
        "off": 400,
        "match": False,
    }
    assert server.ask(WRITE, IMAGE, UPLOAD, {"off": 400, "data": b"more"}) == {"off": 400, "match": False}


def test_a_word_that_fails_is_told_with_the_next_chunk(server: Server) -> None:
    server.ask(WRITE, IMAGE, UPLOAD, first(NEW))
    server.settle()
    server.plan(broken=UPLOADS + 600)
    assert server.ask(WRITE, IMAGE, UPLOAD, {"off": 300, "data": NEW[300:700]}) == {"off": 700}
    failed = {"off": 700, "data": NEW[700:800]}
    assert server.ask(WRITE, IMAGE, UPLOAD, failed) == refusal(WRITE_FAILED)
    server.plan()
    assert server.ask(WRITE, IMAGE, UPLOAD, failed) == {"off": PAGE}
    assert server.upload(NEW)[0] == PAGE
    server.plan(broken=UPLOADS + len(OTHER) // 4 * 4)
    with pytest.raises(SMPUploadError):
        server.upload(OTHER)
    server.plan()
    server.upload(OTHER)
    assert told(server) == [listed(1, OTHER)]


def test_the_list(server: Server) -> None:
    assert told(server) == []
    run_from(server, OTHER)
    running = listed(0, OTHER, active=True, confirmed=True)
    assert told(server) == [running]
    server.upload(NEW)
    assert told(server) == [running, listed(1, NEW)]
    other = made(5, flags=NON_BOOTABLE)
    run_from(server, other, unconfirmed=True)
    assert told(server) == [listed(0, other, active=True, bootable=False), listed(1, NEW)]


def test_a_trial(server: Server) -> None:
    run_from(server, OTHER)
    server.upload(NEW)
    running = listed(0, OTHER, active=True, confirmed=True)
    server.plan()
    for _ in range(2):
        answer = server.ask(WRITE, IMAGE, STATE, {"hash": image_hash(NEW), "confirm": False})
        assert answer == {"images": [running, listed(1, NEW, pending=True)]}
    assert server.operations == 5
    assert server.flash[-16:] == TRAILER_MAGIC and server.flash[-40:-24] == b"\2" + b"\xff" * 15
    server.restart()
    assert told(server)[1]["pending"]
    # The slot is taken now.
    assert server.ask(WRITE, IMAGE, UPLOAD, first(NEW)) == refusal(NO_FREE_SLOT)
    assert server.ask(WRITE, IMAGE, UPLOAD, first(OTHER), version=0) == {"rc": 6}
    assert server.ask(WRITE, IMAGE, ERASE) == refusal(NO_FREE_SLOT)
    server.ask(WRITE, IMAGE, STATE, {"hash": image_hash(NEW), "confirm": True})
    assert server.flash[UPLOADS : UPLOADS + len(NEW)] == NEW


def test_for_good(server: Server) -> None:
    server.upload(NEW)
    answer = server.ask(WRITE, IMAGE, STATE, {"hash": image_hash(NEW), "confirm": True})
    assert answer == {"images": [listed(1, NEW, pending=True, permanent=True)]}
    assert server.flash[-40] == 3 and server.flash[-24] == 1


@pytest.mark.parametrize("version", [0, 1])
def test_refused_states(server: Server, version: int) -> None:
    run_from(server, OTHER)
    server.upload(NEW)
    server.plan()
    errors = [
        ({}, HASH),
        ({"confirm": False}, HASH),
        ({"hash": b"x"}, HASH),
        ({"hash": bytes(32)}, UNKNOWN_HASH),
        ({"hash": image_hash(OTHER)}, ACTIVE),
        ({"hash": "text"}, None),
        ({"hash": image_hash(NEW), "confirm": 1}, None),
    ]
    for body, error in errors:
        answer = server.ask(WRITE, IMAGE, STATE, body, version=version)
        if error is None:
            assert answer == {"rc": 3}
        else:
            assert answer == (refusal(error) if version else {"rc": V1.get(error, 1)})
    server.put(UPLOADS + 600, b"?")
    server.plan()
    assert server.ask(WRITE, IMAGE, STATE, {"hash": image_hash(NEW)}) == refusal(HASH)
    assert server.operations == 0


@pytest.mark.parametrize(
    "wrong", [{"board": "another"}, {"slot_map": 1}, {"flags": NON_BOOTABLE}], ids=["board", "map", "flags"]
)
def test_an_image_of_another_place_is_not_requested(server: Server, wrong: dict[str, Any]) -> None:
    """It may be uploaded, but the bootloader would refuse it."""
    data = made(7, **wrong)
    server.upload(data)
    server.plan()
    for version, expected in ((1, refusal(PLACE)), (0, {"rc": 3})):
        body = {"hash": image_hash(data)}
        assert server.ask(WRITE, IMAGE, STATE, body, version=version) == expected
    assert server.operations == 0


def test_confirmation(server: Server) -> None:
    run_from(server, OTHER)
    server.upload(NEW)
    server.plan()
    assert server.ask(WRITE, IMAGE, STATE, {"confirm": True})["images"][0]["confirmed"]
    assert server.operations == 0
    run_from(server, OTHER, unconfirmed=True)
    for command, body in ((UPLOAD, first(NEW)), (ERASE, {}), (STATE, {"hash": image_hash(NEW)})):
        assert server.ask(WRITE, IMAGE, command, body) == refusal(NO_FREE_SLOT)
    assert not told(server)[0]["confirmed"]
    for body in ({"hash": image_hash(OTHER), "confirm": True}, {"confirm": True, "hash": None}):
        assert server.ask(WRITE, IMAGE, STATE, body)["images"][0]["confirmed"]
    assert server.flash[PRIMARY_END - 24 : PRIMARY_END - 20] == b"\1\xff\xff\xff"
    server.put(PRIMARY_END - 24, b"\3\xff\xff\xff")
    assert server.ask(WRITE, IMAGE, STATE, {"confirm": True}) == refusal(CONFIRM)


def test_a_torn_request_is_no_request(server: Server) -> None:
    server.upload(NEW)
    server.put(TRAILER + PAGE - 12, b"\0")
    server.restart()
    assert not told(server)[0]["pending"]
    assert server.ask(WRITE, IMAGE, STATE, {"hash": image_hash(NEW)})["images"][0]["pending"]
    assert server.flash[-16:] == TRAILER_MAGIC
    # What was uploaded is known as before.
    server.put(TRAILER + PAGE - 16, b"\xff" * 16)
    server.restart()
    assert server.upload(NEW) == [len(NEW)]


def test_erase(server: Server) -> None:
    server.upload(NEW)
    assert server.ask(WRITE, IMAGE, ERASE, {"slot": 0}) == refusal(SLOT)
    assert server.ask(WRITE, IMAGE, ERASE, {"slot": 2}) == refusal(SLOT)
    assert server.ask(WRITE, IMAGE, ERASE, {"slot": "1"}) == {"rc": 3}
    assert server.ask(WRITE, IMAGE, ERASE, {"slot": 1}) == {}
    assert server.flash[UPLOADS:] == b"\xff" * (CAPACITY + PAGE)
    assert told(server) == []
    assert server.upload(NEW)[-1] == len(NEW)
    assert server.ask(WRITE, IMAGE, ERASE) == {}
    assert server.flash[UPLOADS:] == b"\xff" * (CAPACITY + PAGE)


def test_other_commands(server: Server) -> None:
    for operation, command in ((READ, UPLOAD), (READ, ERASE), (READ, 6), (WRITE, 2), (READ, 99)):
        assert server.ask(operation, IMAGE, command, first(NEW)) == {"rc": 8}


def test_the_bootloader_is_told(server: Server) -> None:
    assert server.ask(READ, OS, 8) == {"bootloader": "MCUboot"}
    assert server.ask(READ, OS, 8, {"query": "mode"}) == {"mode": 9}
    assert server.ask(READ, OS, 8, {"query": "key"}) == {"err": {"group": 0, "rc": 3}}
    assert server.ask(READ, OS, 8, {"query": "key"}, version=0) == {"rc": 8}
    assert server.ask(WRITE, OS, 8) == {"rc": 8}


def test_reset_into_recovery(server: Server) -> None:
    for body, word in (({}, 0), ({"boot_mode": 0}, 0), ({"boot_mode": 1, "force": 1}, 0x5EC07E12)):
        assert server.ask(WRITE, OS, 5, body) == {}
        server.settle()
        assert struct.unpack_from("<I", server.report, 4) == (word,)
    assert server.resets == 3


def test_in_recovery(tmp_path: Path) -> None:
    """The bootloader takes an upload whatever the primary slot says, and cannot confirm."""
    server = Server(compiled(find_compiler(), bootloader=True), tmp_path)
    run_from(server, OTHER, unconfirmed=True)
    server.upload(NEW)
    assert told(server) == [listed(0, OTHER), listed(1, NEW)]
    assert server.ask(WRITE, IMAGE, STATE, {"confirm": True}) == refusal(CONFIRM)
    server.ask(WRITE, IMAGE, STATE, {"hash": image_hash(NEW), "confirm": True})
    assert told(server)[1]["permanent"]
    server.close()
