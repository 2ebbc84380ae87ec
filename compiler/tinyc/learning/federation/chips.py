"""Emulated chips as clients of a run: the very firmware a board would get, over its serial line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyc.boards import load_board
from tinyc.emit.trainer import TrainerSettings
from tinyc.learning.federation.board import BoardClient
from tinyc.learning.federation.client import NetworkShape, Task
from tinyc.toolchain import trainer

if TYPE_CHECKING:
    from tinyc.emulator.machine import Machine
    from tinyc.toolchain.trainer import TrainerFirmware

BOARD = "nrf52840"
"""The board that is emulated unless another one is named."""


class ChipClient(BoardClient):
    """An emulated chip of its own that runs `firmware`; time is the chip's, so every run is the same."""

    def __init__(self, name: str, firmware: TrainerFirmware, task: Task) -> None:
        """Raises TinycError for a board without an emulated chip, ClientError as BoardClient does."""
        from tinyc.emulator.machine import Machine

        self.machine: Machine = Machine(firmware.firmware.elf, firmware.board)
        super().__init__(name, self.machine.transport, task)

    def close(self) -> None:
        super().close()
        self.machine.close()


def firmware_for(
    shape: NetworkShape, board: str = BOARD, *, keeps_start: bool = True, toolchain: str = "zig"
) -> TrainerFirmware:
    """The trainer's firmware for a network, from the cache where it was built before.

    Raises TinycError for an unknown board, and as `toolchain.trainer.build` does.
    """
    return trainer.build(load_board(board), settings_for(shape, keeps_start=keeps_start), toolchain=toolchain)


def settings_for(shape: NetworkShape, *, keeps_start: bool = True) -> TrainerSettings:
    """What the firmware is generated from."""
    return TrainerSettings(shape.layers, shape.hidden, shape.loss, keeps_start)


def emulated_client(
    name: str, shape: NetworkShape, task: Task, board: str = BOARD, *, keeps_start: bool = True
) -> ChipClient:
    """An emulated chip with the firmware for `shape`, which is built once for all of them."""
    return ChipClient(name, firmware_for(shape, board, keeps_start=keeps_start), task)
