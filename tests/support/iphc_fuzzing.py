"""Builds `tests/fuzz/iphc_any.c` and runs it: any bytes for the firmware's compressed headers."""

from __future__ import annotations

import sys
from pathlib import Path

from support import fuzzing
from support.iphc_cases import SOURCES, Datagrams
from tinyc.resources import data_folder
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached


def compiled(clang: HostCompiler) -> Path:
    """The fuzzer as a program."""
    folder = data_folder("firmware_templates") / "sixlowpan"
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in SOURCES}
    texts["iphc_any.c"] = (fuzzing.FOLDER / "iphc_any.c").read_text(encoding="utf-8")
    return compile_cached(clang, texts, (*WARNINGS, *fuzzing.FLAGS), "iphc_fuzzer")


def seeds() -> list[bytes]:
    """Compressed headers of all kinds, and plain ones."""
    made = Datagrams(11)
    found = []
    for number in range(200):
        link = made.link()
        data = made.compressed(link) if number % 4 else made.datagram(link)[:250]
        found.append(bytes([number % 256, 0, 255, 0]) + data)
    return found


def run(clang: HostCompiler, *options: str) -> int:
    """Run the fuzzer on the seeds. Returns how many executions it made; raises RuntimeError for a finding."""
    return fuzzing.run(compiled(clang), seeds(), 260, *options)


if __name__ == "__main__":
    sys.exit(fuzzing.long_form("compressed headers", __doc__, run))
