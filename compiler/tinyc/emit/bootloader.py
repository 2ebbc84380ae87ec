"""Renders tinyc's bootloader for a board as a plain PlatformIO project."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tinyc.boards import Board
from tinyc.emit import board_files
from tinyc.emit.project import IniView, platformio_ini
from tinyc.errors import TinycError
from tinyc.resources import data_folder

STACK_BYTES = 3072
"""Reserved for the bootloader's stack; the verification of a signature needs half of it."""

# Path in the project → file under firmware_templates, copied as it is.
_SHARED = {
    "include/hal.h": "hal/include/hal.h",
    "include/{family}.h": "hal/include/{family}.h",
    "include/registers.h": "hal/include/registers.h",
    "include/soc.h": "hal/{soc}/soc.h",
    "include/string.h": "runtime/include/string.h",
    "src/memory.c": "runtime/memory.c",
    "src/hal.c": "hal/{hal}/hal.c",
    "src/boot_hal.c": "hal/{hal}/boot_hal.c",
    "src/startup.c": "hal/{family}/startup.c",
    "platforms/tinyc/platform.json": "platformio/platform.json",
    "platforms/tinyc/platform.py": "platformio/platform.py",
    "platforms/tinyc/builder/main.py": "platformio/builder/main.py",
}
# The rest is flat: headers go to include/, sources to src/.
_FOLDERS = ("bootloader", "device")


def render(board: Board, boot_key: str, toolchain: str = "zig") -> Mapping[str, str]:
    """The project as relative path → text. `boot_key` is the text of `boot_key.h`, with the public key.

    Raises TinycError for a board without slots.
    """
    if board.slots is None:
        raise TinycError(f"board `{board.name}` has no bootloader of tinyc's")
    templates = data_folder("firmware_templates")
    places = {"soc": board.soc, "hal": board.hal, "family": board.instruction_set.family.folder}
    files = {
        path.format(**places): (templates / source.format(**places)).read_text(encoding="utf-8")
        for path, source in _SHARED.items()
    }
    for folder in _FOLDERS:
        for path in sorted((templates / folder).glob("*.[ch]")):
            where = "include" if path.suffix == ".h" else "src"
            files[f"{where}/{path.name}"] = path.read_text(encoding="utf-8")
    files["include/board.h"] = board_files.board_header(board, bootloader=True)
    files["include/slots.h"] = board_files.slots_header(board, board.slots)
    files["include/boot_key.h"] = boot_key
    files["board.ld"] = board_files.bootloader_script(board, board.slots, STACK_BYTES)
    files[f"platforms/tinyc/boards/{board.name}.json"] = board_files.platformio_board(board)
    files["platformio.ini"] = platformio_ini(IniView.of(board, "bootloader", toolchain))
    return MappingProxyType(dict(sorted(files.items())))
