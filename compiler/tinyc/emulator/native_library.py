"""Compiles and loads the native block counter, once per machine and source."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tinyc.resources import cache_folder

_SOURCE = Path(__file__).resolve().parent / "native" / "counter.c"
_FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")


def compilers() -> list[list[str]]:
    """Command lines of the C compilers to try, in this order."""
    found = [[path] for name in ("cc", "gcc", "clang") if (path := shutil.which(name))]
    return [*found[:1], [sys.executable, "-m", "ziglang", "cc"]]


def build(target: Path, candidates: Sequence[Sequence[str]]) -> bool:
    """Compile into `target` by the first compiler that can; False when none can.

    The rename is atomic, so that parallel builders do not disturb each other.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, suffix=target.suffix)
    os.close(handle)
    unfinished = Path(name)
    try:
        for compiler in candidates:
            command = [*compiler, *_FLAGS, str(_SOURCE), "-o", str(unfinished)]
            try:
                done = subprocess.run(command, capture_output=True, check=False, timeout=120)
            except (OSError, subprocess.TimeoutExpired):
                continue
            if done.returncode == 0:
                unfinished.replace(target)
                return True
        return False
    finally:
        unfinished.unlink(missing_ok=True)


@functools.cache
def load() -> ctypes.CDLL | None:
    """The native counter, or None where nothing can compile it."""
    key = hashlib.sha256(_SOURCE.read_bytes() + repr((_FLAGS, sys.platform, os.uname().machine)).encode())
    target = cache_folder() / "emulator" / f"counter-{key.hexdigest()[:24]}.so"
    try:
        if not target.is_file() and not build(target, compilers()):
            return None
        return ctypes.CDLL(str(target))
    except OSError:
        return None
