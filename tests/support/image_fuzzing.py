"""Builds `tests/fuzz/image_group.c` and runs it: any requests for the Image group."""

from __future__ import annotations

import hashlib
import re
import struct
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import cbor2

from support import boot_images, fuzzing, image_server
from support.boot_images import NON_BOOTABLE, ROM_FIXED, Map
from support.smp_device import READ, WRITE, frame, message
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached

SPLIT = Map(256, 5, 0x100, 0x700, 0, 6, (0xE00, 0x1400), "simulated", 0x0BADCAFE, 0x1A00)
PLAIN = replace(SPLIT, model_pages=0)
LONGEST = 600
# The static memory of each file, which a start of the chip clears.
_STATE = {"smp": ("counters",), "smp_frame": ("receiver", "sender"), "upload": ("upload",)}
# Inputs are put together from steps, so that what is compared need not be guessed.
_FASTER = "-fno-sanitize-coverage=trace-cmp"
_MODEL = NON_BOOTABLE | ROM_FIXED


_ENTRIES = [
    *boot_images.described(SPLIT, 1),
    (boot_images.FIRMWARE, bytes(32)),
    (boot_images.MODEL, bytes(32)),
]
_ENTRIES += [(boot_images.MODEL_NAME, b"name"), (boot_images.MODEL_VERSION, b"1.0")]


def files() -> list[bytes]:
    """What is uploaded: programs, also with blank pages and for other slots, none, a large one, models."""
    small, large = (boot_images.program(SPLIT, size, size) for size in (60, 500))
    blank = small + b"\xff" * 540
    return [
        boot_images.image(SPLIT, small),
        boot_images.image(SPLIT, large, version=(9, 8, 65535, 4_000_000_000)),
        boot_images.image(SPLIT, blank),
        boot_images.image(replace(SPLIT, number=1), small),
        boot_images.image(SPLIT, small)[:600] + bytes(range(111)),
        boot_images.image(SPLIT, large + bytes(range(250))),
        boot_images.image(SPLIT, small, secret=bytes(32), entries=_ENTRIES),
        *(boot_images.image(SPLIT, bytes(300), flags=_MODEL, load=at) for at in SPLIT.models),
    ]


def planted() -> str:
    """The files as a header for the C, with the SHA-256 of each, its hash, and how much of it that covers."""
    lines = ["#include <stdint.h>", "struct planted { const uint8_t *data; uint32_t size, covered; "]
    lines += ["const uint8_t *sha, *hash; };"]
    rows = []
    for number, data in enumerate(files()):
        for name, value in (("file", data), ("sha", hashlib.sha256(data).digest())):
            lines.append(f"static const uint8_t {name}_{number}[] = {{{', '.join(map(str, value))}}};")
        covered, body = struct.unpack_from("<HI", data, 10)
        hashed = boot_images.HEADER + body + covered
        rows.append(f"{{file_{number}, {len(data)}u, {hashed}u, sha_{number}, file_{number} + {hashed + 8}}}")
    lines.append(f"static const struct planted planted[] = {{{', '.join(rows)}}};")
    lines += [f"#define PLANTED {len(rows)}u", f"#define PLANTED_MODEL_0 {len(rows) - 2}u"]
    return "\n".join([*lines, f"#define PLANTED_MODEL_1 {len(rows) - 1}u", ""])


def texts(map_: Map) -> dict[str, str]:
    """The C files of the server with a hook that clears the static memory of each, and the fuzzer."""
    found = image_server.texts()
    for name, variables in _STATE.items():
        text = found[f"{name}.c"]
        assert tuple(re.findall(r"^(?:static struct \{|\} (\w+);$)", text, re.MULTILINE)[1::2]) == variables
        clears = "".join(f" memset(&{variable}, 0, sizeof {variable});" for variable in variables)
        hook = f"void restart_{name}(void);\nvoid restart_{name}(void) {{{clears} }}\n"
        found[f"{name}.c"] = f"#include <string.h>\n{text}\n{hook}"
    slots = map_.header().replace("0x2003ffc0u", "simulated_report()")
    found["slots.h"] = f"#include <stdint.h>\nuint32_t *simulated_report(void);\n{slots}"
    found["slots.h"] += f"#define FLASH_BYTES {map_.flash}u\n"
    found["board.h"] = "#define BOARD_HAS_SLOTS 1\n#define BOARD_SMP_BUFFER_BYTES 1024u\n"
    found["planted.h"] = planted()
    found["smp_line.h"] = (fuzzing.FOLDER / "smp_line.h").read_text(encoding="utf-8")
    found["main.c"] = (fuzzing.FOLDER / "image_group.c").read_text(encoding="utf-8")
    return found


def compiled(clang: HostCompiler, map_: Map, changed: Mapping[str, tuple[str, str]] | None = None) -> Path:
    """The fuzzer as a program; `changed` has for a file a text to be replaced, and by what."""
    found = texts(map_)
    for name, (old, new) in (changed or {}).items():
        assert found[name].count(old) == 1, f"{name} has not one {old!r}"
        found[name] = found[name].replace(old, new)
    strict = (*WARNINGS, "-Wshadow", "-Wconversion", "-DFLASH_SIMULATED", "-DTINYC_BOOTLOADER=0")
    return compile_cached(clang, found, (*strict, *fuzzing.FLAGS, _FASTER), "image_group_fuzzer")


# The steps of an input.
_SHA, _WRONG, _IMAGE, _MODELS, _AT, _NO_LENGTH, _SHORT, _ALWAYS = (1 << bit for bit in range(8))


def chunk(file: int, how: int, size: int, at: int = 0) -> bytes:
    return bytes([4, file, how, size // 2]) + (struct.pack("<H", at) if how & _AT else b"")


def upload(file: int, how: int = _SHA, size: int = 400) -> bytes:
    return chunk(file, how, size) * -(-len(files()[file]) // size)


def reset(models: int = 0) -> bytes:
    return bytes([2, models])


def found(address: int, data: bytes, *, crc: bool = False) -> bytes:
    return bytes([11 if crc else 3, address // SPLIT.page, address % SPLIT.page, len(data)]) + data


def found_file(address: int, file: int) -> bytes:
    return bytes([19, address // SPLIT.page, file])


def set_state(file: int, *, confirm: bool = False, hashed: bool = True) -> bytes:
    return bytes([5, file | 64 * confirm | 128 * (not hashed)])


def raw(data: bytes) -> bytes:
    return b"\0" + struct.pack("<H", len(data)) + data


def line(data: bytes) -> bytes:
    return b"\1" + struct.pack("<H", len(data)) + data


_ERASE, _READ = b"\6", b"\7"


def erase(slot: int) -> bytes:
    return bytes([14, slot])


def seeds() -> list[bytes]:
    """Whole stories: uploads that are broken off and go on, requests, confirmations, refusals."""
    data = files()[0]
    sha = hashlib.sha256(data).digest()
    start = {"off": 0, "len": len(data), "sha": sha, "image": 0, "data": data[:64]}
    bodies: list[object] = [
        start,
        {"off": 0, "len": len(data), "data": data[:32]},
        {"off": 64, "data": data[64:128]},
        {"off": 2**32, "data": b""},
        {"off": 0, "len": 2**31, "data": data[:64], "image": 1},
        {"off": 0, "len": len(data), "data": data[:64], "image": 2},
        {"off": 0, "len": "no", "data": 3, "sha": [cbor2.CBORTag(9, 1.5)]},
    ]
    messages = [message(WRITE, 1, 1, body) for body in bodies]
    messages += [message(READ, 1, 0, version=0), message(WRITE, 1, 0, {"hash": sha, "confirm": True})]
    messages += [message(WRITE, 1, 0, {"hash": None, "confirm": True}), message(WRITE, 1, 5, {"slot": 1})]
    messages += [message(WRITE, 1, 5), message(WRITE, 0, 5, {"boot_mode": 1}), message(READ, 0, 8)]
    messages += [message(WRITE, 1, 0, {"hash": 5}), message(WRITE, 1, 0, {"hash": sha[:31], "confirm": 1})]
    messages += [message(READ, 0, 6), message(READ, 2, 1), message(READ, 1, 1), message(WRITE, 1, 7)]
    messages += [message(READ, 0, 8, {"query": "mode"}), message(READ, 2, 0, {"name": "tinyc"})]
    uploads = SPLIT.secondary + SPLIT.page
    trailer = SPLIT.secondary + SPLIT.page * (SPLIT.pages + 1)
    block = struct.pack("<III32s", 0x4C505554, len(data), 1, sha)
    records = b"".join(struct.pack("<I", v | (v ^ 0xFFFF) << 16) for v in (0xA000, 0xA001, 0x5001))
    torn = found(trailer + SPLIT.page - 16, b"\x77\xc2\x95\xf3")
    model, first_model = _SHA | _IMAGE | _MODELS, len(files()) - 2
    stories = [
        [_READ],
        [upload(0), set_state(0), _READ, reset(), _READ],
        [upload(1, size=100), set_state(1, confirm=True), upload(0), erase(1)],
        [upload(2), _READ, _ERASE, upload(2), reset(), upload(2), set_state(2)],
        [upload(3), set_state(3), erase(1), upload(4), set_state(4)],
        [chunk(0, _SHA, 400), reset(), chunk(0, _SHA, 400), chunk(0, 0, 400)],
        [chunk(0, 0, 300), chunk(0, _AT, 100, 20), chunk(0, _AT, 100, 300), chunk(0, 0, 400)],
        [upload(0, _SHA | _WRONG), upload(0), upload(1), set_state(0), set_state(1)],
        [upload(0, _NO_LENGTH), upload(0, _SHA | _SHORT), upload(0, _SHA | _ALWAYS)],
        [upload(0), torn, set_state(0), _READ],
        [upload(0), found(trailer + SPLIT.page - 40, b"\2"), set_state(0, confirm=True), _READ],
        [found_file(uploads, 0), torn, set_state(0), _READ],
        [found_file(SPLIT.secondary, 1), upload(6), set_state(6, confirm=True), _READ],
        [found_file(SPLIT.primary, 1), set_state(1), set_state(1, confirm=True), upload(1)],
        [upload(5), chunk(0, 0, 400), chunk(1, 0, 400), chunk(1, 0, 400)],
        [chunk(0, _SHA, 300), torn, chunk(0, _SHA, 100), set_state(0)],
        [
            found(trailer, block, crc=True),
            found(trailer + 64, records),
            _READ,
            chunk(0, _SHA, 100),
            upload(0),
        ],
        [chunk(1, _SHA, 100), reset(), *([chunk(1, _SHA, 64), reset()] * 12)],
        [set_state(0, confirm=True), set_state(0, hashed=False, confirm=True), _READ],
        [upload(first_model, model), set_state(first_model), reset(4), _READ],
        [upload(first_model + 1, model), set_state(first_model + 1), _READ, reset(5), _READ],
        [upload(first_model + 1, model), set_state(first_model + 1, confirm=True), erase(2), erase(3)],
        [chunk(first_model + 1, model, 200), chunk(0, _SHA, 200), chunk(first_model + 1, model, 200)],
        *([raw(data)] for data in messages),
        *([line(frame(data, 40))] for data in messages),
    ]
    # Nothing but blank flash; an image that runs; also models; one on trial; all confirmed; a broken word.
    chips = (b"\0\2", b"\1\0", b"\x19\0", b"\x3b\1", b"\x1f\5", b"\x41\0\x20\2")
    made = [chip + b"".join(story) for story in stories for chip in chips]
    return [seed for seed in made if len(seed) <= LONGEST]


def run(
    clang: HostCompiler,
    *options: str,
    map_: Map = SPLIT,
    changed: Mapping[str, tuple[str, str]] | None = None,
) -> int:
    """Run the fuzzer on the seeds. Returns how many executions it made; raises RuntimeError for a finding."""
    return fuzzing.run(compiled(clang, map_, changed), seeds(), LONGEST, *options)


if __name__ == "__main__":
    sys.exit(
        fuzzing.long_form("the Image group with models", __doc__, run)
        or fuzzing.long_form("the Image group without models", __doc__, partial(run, map_=PLAIN))
    )
