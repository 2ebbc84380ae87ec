"""How the native counter is built: once, by any compiler that is there, also by several processes at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tinyc.boards import load_board
from tinyc.emulator import Machine, native_library
from tinyc.emulator.counter import PythonCounter, make_counter
from tinyc.emulator.counting import CounterRegisters

pytestmark = pytest.mark.emulated

_LOAD = "from tinyc.emulator import native_library; assert native_library.load() is not None"


def test_the_compiler_of_the_package_index_is_enough(tmp_path: Path) -> None:
    target = tmp_path / "counter.so"
    for compiler in native_library.compilers()[-1:]:
        assert native_library.build(target, [compiler])
        assert compiler[1:] == ["-m", "ziglang", "cc"]
    assert target.read_bytes()[:4] == b"\x7fELF"


def test_failed_compilers_leave_nothing(tmp_path: Path) -> None:
    broken = [["false"], [str(tmp_path / "missing")]]
    assert not native_library.build(tmp_path / "cache" / "counter.so", broken)
    assert list((tmp_path / "cache").iterdir()) == []


def test_parallel_builders_share_one_cache(tmp_path: Path) -> None:
    environment = os.environ | {"TINYC_CACHE_DIR": str(tmp_path)}
    workers = [subprocess.Popen([sys.executable, "-c", _LOAD], env=environment) for _ in range(3)]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0, 0]
    assert len(list((tmp_path / "emulator").iterdir())) == 1


def test_python_counts_where_nothing_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    from unicorn import UC_ARCH_ARM, UC_MODE_MCLASS, UC_MODE_THUMB, Uc

    monkeypatch.setattr(native_library, "load", lambda: None)
    engine = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
    made = make_counter(engine, lambda _address, _size: None, CounterRegisters(1, 2))
    assert isinstance(made, PythonCounter)


def test_many_machines_come_and_go(tmp_path: Path) -> None:
    """Native memory belongs to the engine and goes with it."""
    from support.small_firmware import build

    board = load_board("nrf52840")
    elf = build("loops", board, tmp_path)
    seen = set()
    for _ in range(20):
        machine = Machine(elf, board)
        machine.run()
        seen.add(machine.instructions)
        del machine
    assert len(seen) == 1
