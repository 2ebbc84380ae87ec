"""Builds `tests/fuzz/smp_frame.c` and runs it: any bytes for the firmware's SMP server."""

from __future__ import annotations

import sys
from pathlib import Path

import cbor2

from support import fuzzing, smp_device
from support.smp_device import READ, WRITE, frame, message
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached


def compiled(clang: HostCompiler) -> Path:
    """The fuzzer as a program."""
    texts = smp_device.texts(2048)
    for name in ("smp_frame.c", "smp_line.h"):
        texts[f"fuzz_{name}" if name in texts else name] = (fuzzing.FOLDER / name).read_text(encoding="utf-8")
    return compile_cached(clang, texts, (*WARNINGS, *fuzzing.FLAGS), "smp_fuzzer")


def seeds() -> list[bytes]:
    """One request of every command, as a message and as a frame."""
    nested = {"z": [1, {"a": [cbor2.CBORTag(9, 1.5)]}], "off": 0, "data": b"data"}
    requests = [
        message(WRITE, 0, 0, {"d": "text"}),
        message(WRITE, 0, 5, {"force": 1}),
        message(READ, 0, 6, version=0),
        message(READ, 2, 0, {"name": "tinyc"}),
        message(READ, 2, 1),
        message(READ, 64, 0),
        message(WRITE, 64, 1, nested),
        message(WRITE, 64, 1, b"\xbf\x63off\x01\x64data\x43abc\xff"),
        message(WRITE, 64, 2, version=0),
        message(READ, 64, 3, {"off": 1, "len": 66}),
        message(WRITE, 64, 4, {"first": 3, "count": 64}),
        message(READ, 64, 5),
        message(READ, 64, 6, {"off": 10, "len": 300}),
        message(WRITE, 64, 6, {"off": 4000, "data": b"\0" * 90}),
        message(WRITE, 64, 7, {"reset": True, "data": b"\1\2\3\4"}),
        message(WRITE, 64, 8, {"text": "some text"}),
    ]
    return [*(b"\0" + data for data in requests), *(b"\1" + frame(data, 40) for data in requests)]


def run(clang: HostCompiler, *options: str) -> int:
    """Run the fuzzer on the seeds. Returns how many executions it made; raises RuntimeError for a finding."""
    return fuzzing.run(compiled(clang), seeds(), 2100, *options)


if __name__ == "__main__":
    sys.exit(fuzzing.long_form("the SMP server", __doc__, run))
