"""The stack's bound of RISC-V code: frames and calls add up, and what has no bound is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tinyc.boards import load_board
from tinyc.errors import TinycError
from tinyc.toolchain.elf import read_elf
from tinyc.toolchain.stack import StackBound, stack_bound

pytestmark = pytest.mark.host

_SOURCE = """
#define APART __attribute__((noinline))
volatile int input;
APART int leaf(int x) { volatile char frame[100]; frame[x] = 1; return frame[0]; }
APART int middle(int x) { volatile char frame[40]; frame[x] = 2; return leaf(x) + frame[1]; }
APART int pointed(int x) { volatile char frame[3000]; frame[x] = 3; return frame[2]; }
int (*volatile pointer)(int) = pointed;
APART int again(int n) { volatile char frame[8]; frame[0] = 1; return n > 0 ? again(n - 1) + frame[0] : 0; }
APART int variable(int n) { volatile char frame[n]; frame[0] = 1; return frame[0]; }
void tinyc_start(void) { for (;;) input = CALL(input); }
"""


def bound(call: str, folder: Path, compiler: str) -> StackBound:
    told = load_board("qemu_riscv32").instruction_set
    command = [sys.executable, "-m", "ziglang", "cc", *told.zig]
    if compiler == "gcc":
        command = [f"{told.family.gcc_prefix}gcc", *told.gcc]
    (folder / "stack.c").write_text(_SOURCE)
    command += ["-O2", "-nostdlib", "-Wl,--entry,tinyc_start", f"-DCALL={call}", "stack.c", "-o", "stack.elf"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip(f"{command[0]} is not installed")
    return stack_bound(read_elf(folder / "stack.elf"), ["pointed"])


@pytest.mark.parametrize("compiler", ["zig", "gcc"])
def test_frames_add_up(compiler: str, tmp_path: Path) -> None:
    found = bound("middle", tmp_path, compiler)
    assert found.path == ("tinyc_start", "middle", "leaf")
    assert 140 <= found.bytes <= 140 + 3 * 32


@pytest.mark.parametrize("compiler", ["zig", "gcc"])
def test_calls_through_pointers(compiler: str, tmp_path: Path) -> None:
    found = bound("pointer", tmp_path, compiler)
    assert found.path == ("tinyc_start", "pointed")
    assert 3000 <= found.bytes <= 3000 + 2 * 32


@pytest.mark.parametrize("compiler", ["zig", "gcc"])
@pytest.mark.parametrize(("call", "why"), [("again", "calls itself"), ("variable", "moves the stack")])
def test_no_bound(call: str, why: str, compiler: str, tmp_path: Path) -> None:
    with pytest.raises(TinycError, match=why):
        bound(call, tmp_path, compiler)
