"""The firmware's own memory functions against Python, under sanitizers where the compiler has them."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyc.resources import data_folder
from tinyc.toolchain.host_compiler import find_compiler

pytestmark = pytest.mark.host

NAMES = ("memcpy", "memmove", "memset", "memcmp")


@pytest.fixture(scope="module", params=["", "-D__ARM_FEATURE_UNALIGNED"], ids=["aligned", "unaligned"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The functions under other names, so that the process keeps its own."""
    runtime = data_folder("firmware_templates") / "runtime"
    target: Path = tmp_path_factory.mktemp("memory") / "memory.so"
    command = [*find_compiler().command, "-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    command += [
        "-ffreestanding",
        "-fno-builtin",
        "-fsanitize=undefined",
        "-fsanitize-undefined-trap-on-error",
    ]
    command += [f"-D{name}=own_{name}" for name in NAMES] + ([request.param] if request.param else [])
    command += ["-I", str(runtime / "include"), "-o", str(target), str(runtime / "memory.c")]
    subprocess.run(command, check=True)
    loaded = ctypes.CDLL(str(target))
    for name in NAMES:
        getattr(loaded, f"own_{name}").argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
        getattr(loaded, f"own_{name}").restype = ctypes.c_int if name == "memcmp" else ctypes.c_void_p
    loaded.own_memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    return loaded


places = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 80))


@given(places)
def test_memmove_and_memcpy(library: ctypes.CDLL, place: tuple[int, int, int]) -> None:
    to, source, size = place
    content = bytes((index * 37 + 11) & 0xFF for index in range(160))
    for name in ("memmove", "memcpy"):
        if name == "memcpy" and not (to + size <= source or source + size <= to):
            continue
        buffer = ctypes.create_string_buffer(content, len(content))
        base = ctypes.addressof(buffer)
        assert getattr(library, f"own_{name}")(base + to, base + source, size) == base + to
        expected = bytearray(content)
        expected[to : to + size] = content[source : source + size]
        assert buffer.raw == bytes(expected)


@given(st.integers(0, 20), st.integers(0, 100), st.integers(-300, 300))
def test_memset(library: ctypes.CDLL, to: int, size: int, value: int) -> None:
    buffer = ctypes.create_string_buffer(b"\x55" * 128, 128)
    base = ctypes.addressof(buffer)
    assert library.own_memset(base + to, value, size) == base + to
    assert buffer.raw == b"\x55" * to + bytes([value & 0xFF]) * size + b"\x55" * (128 - to - size)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_memcmp(library: ctypes.CDLL, left: bytes, right: bytes) -> None:
    size = min(len(left), len(right))
    found = library.own_memcmp(left, right, size)
    a, b = left[:size], right[:size]
    assert (found > 0) - (found < 0) == (a > b) - (a < b)
