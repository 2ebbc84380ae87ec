"""float32 kernels compiled with flags that let compilers fuse: no operation in them is fused."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from support.kernel_cases import KERNELS, cases
from support.programs import program_of
from tinyc.boards import load_board
from tinyc.emit.model import render_bundle
from tinyc.toolchain.host_compiler import compiler_called

pytestmark = pytest.mark.host

FLAGS = ("-std=gnu99", "-O3", "-ffp-contract=fast", "-I.", "-S")
TARGETS = {
    "gcc": ("-mfma",),
    "clang": ("-mfma",),
    "arm-none-eabi-gcc": load_board("nrf52840").instruction_set.gcc,
    "riscv64-unknown-elf-gcc": ("-march=rv32imfc", "-mabi=ilp32f", "-ffreestanding"),
}
FUSED = re.compile(r"^\s+v?fn?m(?:add|sub|a|s)\w*\.?\w*\s.*$", re.MULTILINE)
# Not every compiler comes with a C library.
STRING = """#include <stddef.h>
void *memcpy(void *, const void *, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
"""
CONTROL = "float fused(float a, float b, float c) { return a * b + c; }\n"


def fused_operations(compiler: str, folder: Path, source: str) -> list[str]:
    """The fused operations in the assembly of a file."""
    found = compiler_called(compiler)
    if found is None:
        pytest.skip(f"{compiler} is not installed")
    command = [*found.command, *TARGETS[compiler], *FLAGS, source, "-o", "out.s"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return FUSED.findall((folder / "out.s").read_text())


@pytest.mark.parametrize("compiler", TARGETS)
def test_nothing_is_fused_whatever_the_flags(compiler: str, tmp_path: Path) -> None:
    (tmp_path / "string.h").write_text(STRING)
    (tmp_path / "control.c").write_text(CONTROL)
    assert fused_operations(compiler, tmp_path, "control.c")
    keys = [key for key, kernel in KERNELS.items() if "f32" in kernel.symbol]
    programs = [program_of(cases(key)[0], [KERNELS[key]], f"m{i}") for i, key in enumerate(keys)]
    for name, text in render_bundle(programs).items():
        (tmp_path / name).write_text(text)
    assert not fused_operations(compiler, tmp_path, "bundle.c")
