"""The firmware's SMP server compiled for this machine, with a stand-in for the model behind it."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cbor2
from smp import packet

from tinyc.emit.environment import render
from tinyc.emit.project import GroupView
from tinyc.resources import data_folder
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached

HOST = Path(__file__).parent.parent / "host"
PLAIN = ("cbor.c", "cbor.h", "smp.c", "smp.h", "smp_frame.c", "smp_frame.h")
FIRMWARE, MODEL = bytes(range(32)), b"\xd1\x6e\x57" + bytes(29)
ARENA, LAYERS = 4096, 70
INPUTS, OUTPUTS = ((16, 100), (300, 3)), ((400, 60), (4089, 7))
TEXT_LENGTH = 50
VIEW = GroupView(
    title="stand-in",
    protocol=2,
    prefix="fake",
    macro="FAKE",
    board='"a_board"',
    name='"st\\303\\244nd-in"',
    model_version='"1.2.3"',
    tinyc_version='"9.9.9"',
    inputs=2,
    outputs=2,
    input_bytes=103,
    output_bytes=67,
    audio=True,
    text=True,
    split=False,
    slots=False,
)

READ, WRITE = 0, 2
OS, STAT, TINYC = 0, 2, 64
HELLO, INPUT, INVOKE, OUTPUT, PROFILE, COUNTERS, ARENA_PART, AUDIO, TEXT = range(9)


def texts(buffer: int, view: GroupView = VIEW) -> dict[str, str]:
    """The C files, without one that has the serial port and `main`."""
    templates = data_folder("firmware_templates")
    found = {name: (templates / "device" / name).read_text(encoding="utf-8") for name in PLAIN}
    found["hal.h"] = (templates / "hal" / "include" / "hal.h").read_text(encoding="utf-8")
    found["tinyc_group.c"] = render("device/tinyc_group.c.j2", view=view)
    found["identity.h"] = render("device/identity.h.j2", digest=FIRMWARE)
    numbers = {"CLOCK_HZ": 64_000_000, "HAS_SLOTS": 0, "SMP_BUFFER_BYTES": buffer}
    found["board.h"] = "".join(f"#define BOARD_{name} {value}u\n" for name, value in numbers.items())
    for path in sorted((HOST / "smp_stand_in").iterdir()):
        found[path.name] = path.read_text(encoding="utf-8")
    return found


def compiled(compiler: HostCompiler, buffer: int) -> Path:
    """The server as a program between standard input and output."""
    files = texts(buffer)
    files["smp_main.c"] = (HOST / "smp_main.c").read_text(encoding="utf-8")
    files["main.c"] = render("runtime/main.c.j2", view=VIEW)
    flags = (*WARNINGS, "-Wshadow", "-Wconversion", "-O1", "-g", *compiler.sanitizer_flags())
    return compile_cached(compiler, files, flags, "smp_server")


def message(
    operation: int,
    group: int,
    command: int,
    body: object = None,
    *,
    version: int = 1,
    sequence: int = 7,
    length: int | None = None,
) -> bytes:
    """A message; `body` is a mapping, or bytes to take as they are."""
    data = body if isinstance(body, bytes) else cbor2.dumps({} if body is None else body)
    size = len(data) if length is None else length
    return struct.pack(">BBHHBB", version << 3 | operation, 0, size, group, sequence, command) + data


def frame(data: bytes, line: int = 128) -> bytes:
    """The frame of a message, by another implementation of the protocol."""
    return b"".join(packet.encode(data, line))


@dataclass(frozen=True, slots=True)
class Answer:
    """A message that came back."""

    raw: bytes
    operation: int
    version: int
    group: int
    sequence: int
    command: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Heard:
    """All that came back: answers, what was done to the model, and the bytes."""

    answers: tuple[Answer, ...]
    log: tuple[str, ...]
    raw: bytes


def parse(raw: bytes) -> Heard:
    """Take apart what a device sent; every frame must be right to the last byte."""
    answers, log = [], []
    lines = raw.split(b"\n")
    assert lines.pop() == b"", raw[-200:]
    open_packet = None
    for line in lines:
        if open_packet is None and line.startswith(b"!"):
            log.append(line[1:].decode())
            continue
        assert len(line) < 127, line
        if open_packet is None:
            open_packet = packet.decode()
            next(open_packet)
        try:
            open_packet.send(line + b"\n")
        except StopIteration as end:
            answers.append(parse_message(bytes(end.value)))
            open_packet = None
    assert open_packet is None
    framed = b"".join(frame(answer.raw) for answer in answers)
    assert framed == b"".join(line + b"\n" for line in lines if not line.startswith(b"!"))
    return Heard(tuple(answers), tuple(log), raw)


def parse_message(raw: bytes) -> Answer:
    first, flags, size, group, sequence, command = struct.unpack(">BBHHBB", raw[:8])
    assert flags == 0 and size == len(raw) - 8 and first >> 5 == 0
    body = cbor2.loads(raw[8:])
    assert shortest(body) == raw[8:], "not the shortest form"
    return Answer(raw, first & 7, first >> 3, group, sequence, command, body)


def shortest(value: object) -> bytes:
    """CBOR of a value in the order of its keys; a float has four bytes."""
    if isinstance(value, float):
        return struct.pack(">Bf", 0xFA, value)
    if isinstance(value, list):
        return cbor2.dumps([0] * len(value))[: -len(value) or None] + b"".join(map(shortest, value))
    if isinstance(value, dict):
        count = len(value)
        head = cbor2.dumps(dict.fromkeys(range(count), 0))[: 1 if count < 24 else 2]
        return head + b"".join(shortest(key) + shortest(item) for key, item in value.items())
    return cbor2.dumps(value)


def exchange(program: Path, stream: bytes | Iterable[bytes]) -> Heard:
    """Send bytes to a fresh device and hear it out."""
    data = stream if isinstance(stream, bytes) else b"".join(stream)
    done = subprocess.run([program], input=data, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-4000:]
    return parse(done.stdout)
