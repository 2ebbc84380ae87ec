"""Builds firmware of a 6LoWPAN node without a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinyc.boards import Board
from tinyc.emit import lowpan as texts
from tinyc.emit.lowpan import Application
from tinyc.program import Firmware
from tinyc.sixlowpan.settings import LowpanSettings
from tinyc.toolchain import standalone


@dataclass(frozen=True, slots=True)
class NodeFirmware:
    """A linked firmware; its `digest` is that of the application."""

    board: Board
    settings: LowpanSettings
    application: Application
    firmware: Firmware


def build(
    board: Board,
    settings: LowpanSettings,
    application: Application,
    folder: Path,
    toolchain: str = "zig",
) -> NodeFirmware:
    """The firmware for `board` in `folder`; what lies there already is not built again.

    Never in the cache: there may be keys in it. Raises TinycError for a board without a radio and when the
    build fails, DoesNotFit when it does not fit.
    """
    files = texts.render(board, settings, application, toolchain)
    identity = texts.identity(files)
    firmware = standalone.build(board, files, folder, toolchain, application.digest, identity, cache="lowpan")
    return NodeFirmware(board, settings, application, firmware)
