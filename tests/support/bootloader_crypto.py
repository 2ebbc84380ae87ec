"""The bootloader's cryptography compiled for this machine, and hostile input for it."""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from support import ed25519
from support.ed25519 import NEUTRAL, SIGN, L, P, Point
from tinyc.resources import data_folder
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached

HOST = Path(__file__).parent.parent / "host"
FILES = ("ed25519.c", "ed25519.h", "sha256.c", "sha256.h", "sha512.c", "sha512.h")
_STRICT = (*WARNINGS, "-Wshadow", "-Wconversion")


@dataclass(frozen=True, slots=True)
class Case:
    """What is to be verified, and what it is."""

    name: str
    signature: bytes
    key: bytes
    message: bytes


def text(name: str) -> str:
    return (data_folder("firmware_templates") / "bootloader" / name).read_text(encoding="utf-8")


def compiled(compiler: HostCompiler) -> Path:
    """The interface as a program, with sanitizers."""
    files = {name: text(name) for name in FILES}
    files["main.c"] = (HOST / "bootloader_crypto_main.c").read_text(encoding="utf-8")
    flags = (*_STRICT, "-O1", "-g", *compiler.sanitizer_flags())
    return compile_cached(compiler, files, flags, "bootloader_crypto")


def compiled_parts(compiler: HostCompiler) -> Path:
    """The parts of Ed25519 as a program, with sanitizers."""
    files = {name: text(name) for name in FILES if name not in ("ed25519.c", "sha256.c", "sha256.h")}
    files["ed25519_parts.h"] = text("ed25519.c")
    files["main.c"] = (HOST / "bootloader_parts_main.c").read_text(encoding="utf-8")
    flags = (*_STRICT, "-O1", "-g", *compiler.sanitizer_flags())
    return compile_cached(compiler, files, flags, "bootloader_parts")


def run(program: Path, data: bytes) -> bytes:
    done = subprocess.run([program], input=data, capture_output=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def verdicts(program: Path, cases: Iterable[Case]) -> list[bool]:
    """What the C says of each."""
    request, count = bytearray(), 0
    for case in cases:
        assert len(case.signature) == 64 and len(case.key) == 32
        request += b"v" + case.signature + case.key + struct.pack("<I", len(case.message)) + case.message
        count += 1
    answer = run(program, bytes(request))
    assert len(answer) == count and set(answer) <= {0, 1}
    return [byte == 1 for byte in answer]


def digests(program: Path, kind: str, messages: Sequence[Sequence[bytes]]) -> list[bytes]:
    """The digests of messages in pieces, `kind` is sha256 or sha512."""
    request = bytearray()
    for pieces in messages:
        request += kind[3:4].encode() + struct.pack("<I", len(pieces))
        for piece in pieces:
            request += struct.pack("<I", len(piece)) + piece
    answer = run(program, bytes(request))
    size = int(kind[3:]) // 8
    assert len(answer) == size * len(messages)
    return [answer[at : at + size] for at in range(0, len(answer), size)]


def table_of(name: str, after: str) -> list[int]:
    """The numbers of the array that `after` begins in a C file."""
    body = text(name).split(after, 1)[1].split("};", 1)[0]
    return [int(number, 16) for number in re.findall(r"0x([0-9a-f]+)u", body)]


# Hostile input, by rule.


def small_order_points() -> list[Point]:
    """The eight points whose order divides 8."""
    y = 2
    while True:
        x = ed25519.x_of(y, 0)
        if x is not None:
            first = L * ed25519.point(x, y)
            if not (4 * first).is_same(NEUTRAL):
                return [times * first for times in range(8)]
        y += 1


def encodings(of: Point) -> list[bytes]:
    """Every 32 bytes that a lenient reader takes for this point, the canonical ones first."""
    x, y = of.affine
    found = [of.encode()]
    signs = (0, 1) if x == 0 else (x & 1,)
    for number in (y, y + P):
        for sign in signs:
            if number < SIGN:
                found.append((number | sign * SIGN).to_bytes(32, "little"))
    return list(dict.fromkeys(found))


def forged(scalar: int, nonce: int, r: bytes, key: bytes, message: bytes) -> bytes:
    """R as given, and the S that fits: what the owner of the secret can make."""
    s = (nonce + ed25519.challenge(r, key, message) * scalar) % L
    return r + s.to_bytes(32, "little")


def fitting_message(r: bytes, key: bytes, order: int, rest: int) -> bytes:
    """A message whose challenge is `rest` modulo the order of a small point."""
    number = 0
    while ed25519.challenge(r, key, number.to_bytes(4, "little")) % order != rest % order:
        number += 1
    return number.to_bytes(4, "little")
