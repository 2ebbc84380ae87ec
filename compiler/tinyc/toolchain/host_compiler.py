"""The C compiler of this machine, and a cache of what it made."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyc.errors import TinycError
from tinyc.resources import cache_folder

# No compiler may fuse a product and a sum: floating point gives the same bits everywhere.
WARNINGS = ("-std=c99", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror")
# Entries kept in the cache; those that lie unused for longest go first, but none that another process may
# be about to run.
_ENTRIES = 400
_IN_USE_SECONDS = 3600


class CompileError(RuntimeError):
    """Generated C that a compiler refuses: a bug in tinyc. Holds the compiler's messages."""


@dataclass(frozen=True, slots=True)
class HostCompiler:
    """How to call the compiler, and a text that changes when the compiler does."""

    command: tuple[str, ...]
    identity: str

    @property
    def is_zig(self) -> bool:
        return "ziglang" in self.command

    def sanitizer_flags(self) -> tuple[str, ...]:
        """Flags for a build that stops at the first finding. Zig ships no AddressSanitizer."""
        kinds = "undefined" if self.is_zig else "address,undefined"
        return (f"-fsanitize={kinds}", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")


def find_compiler() -> HostCompiler:
    """`cc`, `gcc` or `clang` on PATH, else the compiler of the Python package `ziglang`.

    Raises TinycError when there is none.
    """
    for name in ("cc", "gcc", "clang"):
        found = compiler_called(name)
        if found is not None:
            return found
    spec = importlib.util.find_spec("ziglang")
    if spec is not None and spec.origin is not None:
        status = Path(spec.origin).stat()
        return HostCompiler(
            (sys.executable, "-m", "ziglang", "cc"), f"{spec.origin} {status.st_size} {status.st_mtime_ns}"
        )
    raise TinycError(
        "there is no C compiler for this machine",
        allowed="`cc`, `gcc` or `clang` on PATH, or the Python package `ziglang`",
        hint="install gcc, or run `pip install ziglang`",
    )


def compiler_called(name: str) -> HostCompiler | None:
    """The compiler `name` on PATH, or None."""
    path = shutil.which(name)
    if path is None:
        return None
    real = Path(path).resolve()
    status = real.stat()
    return HostCompiler((path,), f"{real} {status.st_size} {status.st_mtime_ns}")


def compile_cached(
    compiler: HostCompiler,
    texts: Mapping[str, str],
    flags: Sequence[str],
    product: str,
) -> Path:
    """Compile and link the `.c` files of `texts` into `product`; the path of the product.

    The folder in the cache is named after a hash of everything that goes in, and appears at once
    with all its files, so that several processes may ask for the same thing.
    Raises CompileError with the compiler's messages, TinycError when the cache cannot be written.
    """
    state = hashlib.sha256(repr((compiler.command, compiler.identity, tuple(flags), product)).encode())
    for name in sorted(texts):
        state.update(f"\0{name}\0{texts[name]}".encode())
    cache = cache_folder() / "host"
    final = cache / state.hexdigest()[:32]
    if (final / product).exists():
        with contextlib.suppress(OSError):
            os.utime(final)
        return final / product
    try:
        cache.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".building-", dir=cache))
    except OSError as error:
        raise _unwritable(cache, error) from error
    try:
        try:
            for name, text in texts.items():
                (folder / name).write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise _unwritable(cache, error) from error
        sources = sorted(name for name in texts if name.endswith(".c"))
        _call([*compiler.command, *flags, *sources, "-o", product], folder)
        try:
            folder.rename(final)
        except OSError:
            # Another process was faster and its folder holds the same, or somebody cleaned it.
            if not (final / product).exists():
                shutil.rmtree(final, ignore_errors=True)
                folder.rename(final)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _prune(cache)
    return final / product


def _unwritable(cache: Path, error: OSError) -> TinycError:
    return TinycError(
        f"cannot write the cache: {error.strerror}",
        where=str(cache),
        hint="set TINYC_CACHE_DIR to a folder that can be written",
    )


def _call(command: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except OSError as error:
        raise TinycError(f"cannot run the C compiler: {error}", where=command[0]) from error
    if done.returncode != 0:
        raise CompileError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def _prune(cache: Path) -> None:
    """Remove entries that nobody asked for lately. Another process may do so too: nothing here may fail."""
    with contextlib.suppress(OSError):
        entries = [entry for entry in os.scandir(cache) if not entry.name.startswith(".")]
        if len(entries) > _ENTRIES:
            used = sorted((entry.stat().st_mtime, entry.path) for entry in entries)
            for at, path in used[: len(used) - _ENTRIES * 3 // 4]:
                if time.time() - at > _IN_USE_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)
