"""The firmware's Image group compiled for this machine, on a simulated flash whose power can be cut."""

from __future__ import annotations

import asyncio
import mmap
import os
import select
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smpclient import SMPClient

from support.smp_device import HOST, frame, message, parse_message
from tinyc.device.framing import FrameDecoder
from tinyc.device.smp_line import LineTransport
from tinyc.resources import data_folder
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached

PAGE, IMAGE_PAGES = 512, 8
PRIMARY, SECONDARY = 0x400, 0x400 + PAGE * (IMAGE_PAGES + 1)
UPLOADS = SECONDARY + PAGE
CAPACITY = IMAGE_PAGES * PAGE
TRAILER = UPLOADS + CAPACITY
FLASH = TRAILER + PAGE
PRIMARY_END = PRIMARY + CAPACITY + PAGE
MAP = 0x0BADCAFE
BUFFER = 512
MODES = BEFORE, AFTER, TORN, FIRST_HALF, SECOND_HALF = range(5)
NEVER = 0xFFFFFFFF
_WORDS = FLASH // 4
_STATE = struct.Struct("<8I")
_REPORT = _STATE.size
_FLASH = _REPORT + 64
_TORN = _FLASH + FLASH
_WRITES = _TORN + FLASH
_SIZE = _WRITES + _WORDS

_SLOTS = f"""
#include <stdint.h>
#define FLASH_BYTES {FLASH}u
#define SLOT_PAGE_BYTES {PAGE}u
#define SLOT_HEADER_BYTES 512u
#define SLOT_PRIMARY {PRIMARY}u
#define SLOT_SECONDARY {SECONDARY}u
#define SLOT_IMAGE_PAGES {IMAGE_PAGES}u
#define SLOT_MODEL_PAGES 0u
#define SLOT_MODEL_0 0u
#define SLOT_MODEL_1 0u
#define SLOT_MAP {MAP}u
#define SLOT_BOARD "simulated"
uint32_t *simulated_report(void);
#define SLOT_RETAINED simulated_report()
"""
# The same flash with slots for models, the second at its end.
MODEL_PAGES, MODELS = 6, (0x1200, 0x1E00)
_SPLIT = {
    f"SLOT_SECONDARY {SECONDARY}u": "SLOT_SECONDARY 0xA00u",
    f"SLOT_IMAGE_PAGES {IMAGE_PAGES}u": "SLOT_IMAGE_PAGES 2u",
    "SLOT_MODEL_PAGES 0u": f"SLOT_MODEL_PAGES {MODEL_PAGES}u",
    "SLOT_MODEL_0 0u": f"SLOT_MODEL_0 {MODELS[0]}u",
    "SLOT_MODEL_1 0u": f"SLOT_MODEL_1 {MODELS[1]}u",
}
_BOOTLOADER = ("boot_report.h", "flash.h")
_BOTH = ("crc32", "image", "request", "retained", "sha256", "trailer")
_DEVICE = ("cbor", "smp", "smp_frame", "upload")


class PowerCut(Exception):  # noqa: N818
    """The power went; the device starts anew."""


def texts() -> dict[str, str]:
    """The C files of the server, with slots of a few small pages."""
    templates = data_folder("firmware_templates")
    found = {name: f"bootloader/{name}" for name in _BOOTLOADER}
    found |= {f"{name}.{kind}": f"bootloader/{name}.{kind}" for name in _BOTH for kind in "ch"}
    found |= {f"{name}.{kind}": f"device/{name}.{kind}" for name in _DEVICE for kind in "ch"}
    found["image_group.c"] = "device/image_group.c"
    found["model_use.h"] = "device/model_use.h"
    files = {name: (templates / path).read_text(encoding="utf-8") for name, path in found.items()}
    files["hal.h"] = (templates / "hal" / "include" / "hal.h").read_text(encoding="utf-8")
    files["slots.h"] = _SLOTS
    files["board.h"] = f"#define BOARD_HAS_SLOTS 1\n#define BOARD_SMP_BUFFER_BYTES {BUFFER}u\n"
    return files


def compiled(compiler: HostCompiler, *, bootloader: bool = False, models: bool = False) -> Path:
    """The server of an application, with slots for `models`, or of a bootloader that recovers."""
    files = texts()
    for old, new in _SPLIT.items() if models else ():
        assert old in files["slots.h"]
        files["slots.h"] = files["slots.h"].replace(old, new)
    files["image_group_main.c"] = (HOST / "image_group_main.c").read_text(encoding="utf-8")
    flags = (*WARNINGS, "-Wshadow", "-Wconversion", "-O1", "-g", "-DFLASH_SIMULATED")
    flags += (f"-DTINYC_BOOTLOADER={int(bootloader)}", *compiler.sanitizer_flags())
    return compile_cached(compiler, files, flags, "image_server")


class Server:
    """A running device and its flash. A transport for tinyc's and other clients."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.models = 0
        """What the firmware says of its models: slot in use, 4 on trial, 8 it refuses them all."""
        self._file = folder / "flash"
        self._file.write_bytes(bytes(_SIZE))
        with self._file.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _SIZE)
        self.set_flash(b"")
        self._process = subprocess.Popen(
            [program, str(self._file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._pending = b""
        self._busy = 0
        self._cut = False
        self._sequence = 0
        self.resets = 0

    # Flash.

    def set_flash(self, content: bytes) -> None:
        """Hold `content`, the rest is erased."""
        self._shared[_FLASH:_TORN] = content.ljust(FLASH, b"\xff")
        self._shared[_TORN:_WRITES] = bytes(FLASH)
        written = (
            int(self.flash[at : at + 4] != b"\xff\xff\xff\xff" and len(content) > at)
            for at in range(0, FLASH, 4)
        )
        self._shared[_WRITES:] = bytes(written)
        self.plan()

    def put(self, address: int, data: bytes) -> None:
        """Write as a programmer does."""
        flash = bytearray(self.flash)
        flash[address : address + len(data)] = data
        self.set_flash(bytes(flash))

    def snapshot(self) -> bytes:
        """All of the flash, for `load`."""
        return bytes(self._shared[_FLASH:])

    def load(self, snapshot: bytes) -> None:
        """Hold what there was, with no cut planned."""
        self._shared[_FLASH:] = snapshot
        self.plan()

    @property
    def flash(self) -> bytes:
        return bytes(self._shared[_FLASH:_TORN])

    @property
    def operations(self) -> int:
        return int(_STATE.unpack(self._shared[: _STATE.size])[4])

    @property
    def report(self) -> bytes:
        return bytes(self._shared[_REPORT:_FLASH])

    def plan(
        self, cut: int = NEVER, mode: int = BEFORE, seed: int = 0, unstable: bool = False, broken: int = NEVER
    ) -> None:
        """Count operations from 0 and cut the power at one of them; `broken` is a word that fails."""
        boots = _STATE.unpack(self._shared[: _STATE.size])[5]
        self._shared[: _STATE.size] = _STATE.pack(cut, mode, seed, unstable, 0, boots, broken, self.models)

    # The serial port.

    def write(self, data: bytes) -> None:
        """Send a request, when the device is ready for one."""
        self.settle()
        assert self._process.stdin is not None
        self._busy += 1
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def read(self, size: int, timeout: float) -> bytes:
        """What came, without the harness's own lines. Raises PowerCut."""
        if not self._pending and not self._cut:
            self._more(timeout)
        if not self._pending:
            self._check_power()
        data, self._pending = self._pending[:size], self._pending[size:]
        return data

    def settle(self) -> None:
        """Wait until the device has nothing to do. Raises PowerCut."""
        while self._busy:
            self._more(10.0)
        self._check_power()

    def _check_power(self) -> None:
        if self._cut:
            self._cut, self._pending = False, b""
            self.plan()
            raise PowerCut

    def restart(self) -> None:
        """Reset the device."""
        self.ask(2, 0, 5)
        self.settle()

    def _more(self, timeout: float) -> None:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        if not select.select([descriptor], [], [], timeout)[0]:
            assert timeout < 10.0, "the device is silent"
            return
        data = os.read(descriptor, 1 << 16)
        if not data:
            assert self._process.stderr is not None
            raise AssertionError(self._process.stderr.read().decode(errors="replace")[-4000:])
        while data and not data.endswith(b"\n"):
            data += os.read(descriptor, 1 << 16)
        kept = []
        for line in data.splitlines(keepends=True):
            if line in (b"!done\n", b"!reset\n", b"!cut\n"):
                self._busy = 0
                self.resets += line == b"!reset\n"
                self._cut = line == b"!cut\n"
            else:
                kept.append(line)
        self._pending += b"".join(kept)

    def close(self) -> None:
        """End the device."""
        assert self._process.stdin is not None and self._process.stdout is not None
        assert self._process.stderr is not None
        self._process.stdin.close()
        status = self._process.wait(10)
        errors = self._process.stderr.read().decode(errors="replace")
        self._process.stdout.close()
        self._process.stderr.close()
        self._shared.close()
        assert status == 0, errors[-4000:]

    # Clients.

    def ask(
        self, operation: int, group: int, command: int, body: object = None, *, version: int = 1
    ) -> Mapping[str, Any]:
        """The body of the answer to one request. Raises PowerCut."""
        self._sequence = (self._sequence + 1) % 256
        request = message(operation, group, command, body, version=version, sequence=self._sequence)
        self.write(frame(request))
        decoder = FrameDecoder()
        answers: list[bytes] = []
        while not answers:
            data = self.read(1 << 16, 10.0)
            assert data, "no answer"
            answers = decoder.feed(data)
        answer = parse_message(answers[0])
        assert (answer.sequence, answer.version) == (self._sequence, version)
        return answer.body

    def upload(self, data: bytes, *, use_sha: bool = True, number: int = 0) -> list[int]:
        """Upload by smpclient; the offsets that the device told."""

        async def run() -> list[int]:
            async with SMPClient(LineTransport(self), "", timeout_s=20.0) as client:
                return [offset async for offset in client.upload(data, number, use_sha=use_sha)]

        return asyncio.run(run())
