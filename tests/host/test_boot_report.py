"""The bootloader's report and its CRC-32, the very C files."""

from __future__ import annotations

import subprocess
import zlib
from pathlib import Path

import pytest

from tinyc.resources import data_folder
from tinyc.toolchain.host_compiler import WARNINGS, compile_cached, find_compiler

pytestmark = pytest.mark.host


def test_crc_and_report() -> None:
    boot = data_folder("firmware_templates") / "bootloader"
    files = {
        name: (boot / name).read_text(encoding="utf-8") for name in ("crc32.c", "crc32.h", "boot_report.h")
    }
    files["main.c"] = (Path(__file__).parent / "boot_report_main.c").read_text(encoding="utf-8")
    compiler = find_compiler()
    program = compile_cached(compiler, files, (*WARNINGS, *compiler.sanitizer_flags()), "boot_report")
    for data in (b"", b"123456789", bytes(range(256)) * 3):
        done = subprocess.run([program], input=data, capture_output=True, check=True)
        crc, *unprotected = map(int, done.stdout.split())
        assert crc == zlib.crc32(data)
        # Only the application's own word may change.
        assert sorted(set(unprotected)) == [4, 5, 6, 7] and len(unprotected) == 32
