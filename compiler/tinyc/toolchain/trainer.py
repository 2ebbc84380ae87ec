"""Builds firmware that trains a network and has no model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinyc.boards import Board
from tinyc.emit import trainer as texts
from tinyc.emit.trainer import TrainerSettings
from tinyc.errors import DoesNotFit
from tinyc.program import Firmware
from tinyc.toolchain import standalone


@dataclass(frozen=True, slots=True)
class TrainerFirmware:
    """A linked firmware; its `digest` is that of the network."""

    board: Board
    settings: TrainerSettings
    firmware: Firmware


def build(
    board: Board, settings: TrainerSettings, folder: Path | None = None, toolchain: str = "zig"
) -> TrainerFirmware:
    """The firmware for `board`, in `folder` or in the cache; what lies there already is not built again.

    Raises DoesNotFit when parameters and stack exceed the board's RAM, TinycError when the build fails.
    """
    _require_ram(board, settings)
    files = texts.render(board, settings, toolchain)
    identity = texts.identity(files)
    firmware = standalone.build(board, files, folder, toolchain, settings.digest, identity, cache="trainers")
    return TrainerFirmware(board, settings, firmware)


def _require_ram(board: Board, settings: TrainerSettings) -> None:
    if board.is_host:
        return  # render says why
    room = board.memory.application_ram - board.memory.stack
    if settings.ram_bytes > room:
        half = settings.keeps_start and settings.ram_bytes - 4 * settings.parameters <= room
        raise DoesNotFit(
            f"training {settings.title} takes {settings.ram_bytes:,} B of RAM, "
            f"board `{board.name}` has {room:,} B",
            hint="without the start on the device (--no-keep-start) it fits"
            if half
            else "train a smaller network",
        )
