"""MCUboot as its authors publish it, compiled for this machine over a device's flash."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from support.update_requests import BLANK, FLASH_BYTES
from tinyc.signing.keys import PublicKey
from tinyc.toolchain.host_compiler import HostCompiler, compile_cached

# A folder with the files of github.com/mcu-tools/mcuboot; submodules are not needed.
VARIABLE = "TINYC_MCUBOOT"
MODES = ("offset", "move", "scratch")

_OURS = Path(__file__).parent
_INCLUDES = (
    "boot/bootutil/include",
    "boot/bootutil/src",
    "ext/fiat/src",
    "ext/tinycrypt/lib/include",
    "ext/tinycrypt-sha512/lib/include",
    "ext/mbedtls-asn1/include",
)
# Releases before 2.3 have some of these in one.
_BOOTUTIL = (
    "bootutil_area",
    "bootutil_find_key",
    "bootutil_img_hash",
    "bootutil_img_security_cnt",
    "bootutil_loader",
    "bootutil_misc",
    "bootutil_public",
    "caps",
    "fault_injection_hardening",
    "image_ed25519",
    "image_validate",
    "loader",
    "swap_misc",
    "swap_move",
    "swap_offset",
    "swap_scratch",
    "tlv",
)
_SOURCES = (
    *(f"boot/bootutil/src/{name}.c" for name in _BOOTUTIL),
    "ext/fiat/src/curve25519.c",
    "ext/tinycrypt/lib/source/sha256.c",
    "ext/tinycrypt/lib/source/utils.c",
    "ext/tinycrypt-sha512/lib/source/sha512.c",
    "ext/mbedtls-asn1/src/asn1parse.c",
    "ext/mbedtls-asn1/src/platform_util.c",
)


class Action(IntEnum):
    BOOT = 0
    TEST = 1
    PERMANENT = 2
    CONFIRM = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """`done`: there is an image to jump to, or the call succeeded. Of a start the rest says where the image
    and its vector table are. Counts of erased pages and written words; `log` is what MCUboot said."""

    done: bool
    image: int
    header_bytes: int
    erased: int
    written: int
    log: str

    @property
    def vectors(self) -> int:
        return self.image + self.header_bytes


@dataclass(slots=True)
class Device:
    """A device with MCUboot: what it keeps from one start to the next."""

    program: Path
    key: PublicKey
    counter: int = 0
    flash: bytearray = field(default_factory=lambda: bytearray([BLANK]) * FLASH_BYTES)

    def boot(self) -> Answer:
        return self.call(Action.BOOT)

    def call(self, action: Action) -> Answer:
        given = struct.pack("<II", action, self.counter) + self.key.der + self.flash
        done = subprocess.run([self.program], input=given, capture_output=True, check=False, timeout=120)
        log = done.stderr.decode(errors="replace")
        assert done.returncode == 0, log
        head = struct.Struct("<6I")
        assert len(done.stdout) == head.size + FLASH_BYTES
        success, image, header_bytes, self.counter, erased, written = head.unpack_from(done.stdout)
        self.flash[:] = done.stdout[head.size :]
        return Answer(bool(success), image, header_bytes, erased, written, log)


def checkout() -> Path | None:
    """The folder that the environment names."""
    name = os.environ.get(VARIABLE)
    return Path(name).expanduser().resolve() if name else None


def compiled(compiler: HostCompiler, folder: Path, mode: str) -> Path:
    """The program of main.c with the bootutil of `folder`, which updates in one of MODES."""
    flags = (
        "-std=gnu11",
        "-O1",
        f"-DMCUBOOT_SWAP_USING_{mode.upper()}",
        '-DMBEDTLS_CONFIG_FILE="asn1_alone.h"',
        *compiler.sanitizer_flags(),
        f"-I{_OURS / 'include'}",
        *(f"-I{folder / name}" for name in _INCLUDES),
        *(str(folder / name) for name in _SOURCES if (folder / name).exists()),
    )
    texts = {
        "main.c": (_OURS / "main.c").read_text(encoding="utf-8"),
        # Never compiled: it names what else goes in.
        "sources.txt": _digest([*(folder / name for name in _INCLUDES), *_folders(folder)]),
    }
    return compile_cached(compiler, texts, flags, f"stock_mcuboot_{mode}")


def _folders(folder: Path) -> list[Path]:
    return [_OURS / "include", *sorted({(folder / name).parent for name in _SOURCES})]


def _digest(folders: list[Path]) -> str:
    """A hash of all C in these folders."""
    state = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*.[ch]")):
            state.update(f"{path}\0".encode() + path.read_bytes())
    return state.hexdigest()
