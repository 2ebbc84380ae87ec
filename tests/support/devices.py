"""A board's firmware on this machine: the emulated chip, or QEMU for chips that are not modelled."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tinyc.boards import Board, board_names, load_board
from tinyc.device.transport import Transport
from tinyc.emulator import Machine
from tinyc.emulator.chips import NAMES
from tinyc.emulator.qemu import QemuMachine, find_qemu

BOARDS = [name for name in board_names() if not load_board(name).is_host]
MODELLED = [name for name in BOARDS if load_board(name).soc in NAMES]


def need_qemu(board: Board) -> None:
    """Skip the test, by name, where QEMU for this board is not installed."""
    family = board.instruction_set.family
    if find_qemu(family) is None:
        pytest.skip(f"{family.qemu} is not installed")


def need_toolchain(board: Board, toolchain: str) -> None:
    """Skip the test, by name, where the compiler for this board is not installed."""
    compiler = f"{board.instruction_set.family.gcc_prefix}gcc"
    if toolchain == "gcc" and shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")


@contextmanager
def running(elf: Path, board: Board) -> Iterator[Transport]:
    """The serial line of the running firmware."""
    if board.soc in NAMES:
        with Machine(elf, board) as machine:
            yield machine.transport
        return
    need_qemu(board)
    with QemuMachine(elf, board) as qemu:
        yield qemu.transport
