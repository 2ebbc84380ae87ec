"""A bootloader that shows a folder as its drive and takes a file in UF2 format from it."""

from __future__ import annotations

import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

from support.flash_board import FlashBoard

BLOCK, PAYLOAD, PAGE = 512, 256, 4096
INFO = "UF2 Bootloader 0.6.2\r\nModel: {title}\r\nBoard-ID: {board}\r\nDate: Nov 30 2021\r\n"
_MAGIC = (0x0A324655, 0x9E5D5157)
_END, _FAMILY_PRESENT = 0x0AB16F30, 0x2000


@dataclass
class Uf2Drive:
    """The bootloader. It removes its drive when it has every block, as a real one restarts then.

    `ignore` takes no file; `vanish` never starts the application; `instead` is the UF2 that is in flash
    in the end, when it is not the one that was copied.
    """

    folder: Path
    board_id: str
    touch_first: bool = False
    ignore: bool = False
    vanish: bool = False
    instead: bytes | None = None
    blocks: int = 0

    def plug(self) -> None:
        self.folder.mkdir(parents=True)
        text = INFO.format(title="A board", board=self.board_id)
        (self.folder / "INFO_UF2.TXT").write_text(text, encoding="ascii", newline="")

    def __call__(self, board: FlashBoard) -> bool:
        if self.touch_first:
            board.line.wait_for_touch()
            board.halt()
            self.plug()
        data = self._file(board)
        if self.instead is not None:
            data = self.instead
        for at in range(0, len(data), BLOCK):
            self._take(board, data[at : at + BLOCK])
        shutil.rmtree(self.folder)
        return not self.vanish

    def _file(self, board: FlashBoard) -> bytes:
        """The file, when all of it is there."""
        while True:
            for path in self.folder.glob("*.[uU][fF]2"):
                data = path.read_bytes()
                whole = len(data) % BLOCK == 0 and len(data) >= BLOCK
                if whole and len(data) == struct.unpack_from("<I", data, 24)[0] * BLOCK and not self.ignore:
                    return data
            if board.line.down.wait(0.005):
                raise EOFError

    def _take(self, board: FlashBoard, block: bytes) -> None:
        *magic, flags, address, size, _number, _count, family = struct.unpack_from("<8I", block)
        assert tuple(magic) == _MAGIC and struct.unpack_from("<I", block, 508)[0] == _END
        assert flags == _FAMILY_PRESENT and size == PAYLOAD and family == board.board.uf2_family
        memory = board.board.memory
        assert memory.image_origin <= address < memory.image_origin + memory.application_flash
        if address % PAGE == 0:
            board.erase(address, PAGE)
        board.write(address, block[32 : 32 + size])
        self.blocks += 1
