"""A small debugger for the tests: memory and core through the emulated chip's debug port."""

from __future__ import annotations

import json
import socket
from typing import Any

from tinyc.emulator import Machine
from tinyc.emulator.core_debug import (
    C_DEBUGEN,
    C_HALT,
    C_STEP,
    DCRDR,
    DCRSR,
    DEBUG_KEY,
    DHCSR,
    WRITE_REGISTER,
)
from tinyc.emulator.debug_port import (
    ABORT,
    CONTROL_PORT,
    CSW,
    CTRL_STAT,
    DRW,
    MEMORY_PORT,
    SELECT,
    TAR,
    DebugPort,
)

POWER_UP = 0x50000000
WORD, HALF, BYTE = 2, 1, 0
INCREMENT, PACKED = 0x10, 0x20
AIRCR, SYSRESETREQ = 0xE000ED0C, 0x05FA0004

RAM, FREE = 0x20001000, 0xF0000  # a page of flash that no firmware lies in
CONFIG, ERASE_PAGE = 0x4001E504, 0x4001E508
RESETREAS, UICR_APPROTECT = 0x40000400, 0x10001208
ERASED = 0xFFFFFFFF


def answers(machine: Machine) -> bool:
    """Whether echo.c runs."""
    machine.transport.write(b"abc")
    return machine.transport.read(3, 1.0) == b"bcd"


def lock(machine: Machine) -> None:
    """From the next start on the debugger is kept out."""
    debugger = Debugger(machine.attach())
    debugger.halt()
    debugger.write(CONFIG, 1)
    debugger.write(UICR_APPROTECT, 0xFFFFFF00)
    machine.detach()


class Debugger:
    """Drives a `DebugPort` that is powered up."""

    def __init__(self, port: DebugPort) -> None:
        self.port = port
        port.write_dp(CTRL_STAT, POWER_UP)

    def select(self, port: int, offset: int) -> int:
        self.port.write_dp(SELECT, port << 24 | offset & 0xF0)
        return offset

    def register(self, offset: int, port: int = MEMORY_PORT) -> int:
        return self.port.read_ap(self.select(port, offset))

    def set_register(self, offset: int, value: int, port: int = MEMORY_PORT) -> None:
        self.port.write_ap(self.select(port, offset), value)

    def control(self, offset: int, value: int | None = None) -> int:
        if value is None:
            return self.register(offset, CONTROL_PORT)
        self.set_register(offset, value, CONTROL_PORT)
        return value

    def at(self, address: int, mode: int = WORD | INCREMENT) -> Debugger:
        self.set_register(CSW, mode)
        self.set_register(TAR, address)
        return self

    def read(self, address: int) -> int:
        return self.at(address).register(DRW)

    def write(self, address: int, value: int) -> None:
        self.at(address).set_register(DRW, value)

    def clear(self) -> None:
        self.port.write_dp(ABORT, 0x1E)

    def status(self) -> int:
        return self.read(DHCSR)

    def halt(self) -> None:
        self.write(DHCSR, DEBUG_KEY | C_DEBUGEN | C_HALT)

    def go(self) -> None:
        self.write(DHCSR, DEBUG_KEY | C_DEBUGEN)

    def step(self) -> None:
        self.write(DHCSR, DEBUG_KEY | C_DEBUGEN | C_STEP)

    def core(self, selector: int) -> int:
        self.write(DCRSR, selector)
        return self.read(DCRDR)

    def set_core(self, selector: int, value: int) -> None:
        self.write(DCRDR, value)
        self.write(DCRSR, WRITE_REGISTER | selector)

    def system_reset(self) -> None:
        self.write(AIRCR, SYSRESETREQ)


class ProbeClient:
    """The line protocol of a remote probe."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, timeout=20)
        self._lines = self._socket.makefile("rb")
        self._number = 0

    def send(self, line: bytes) -> dict[str, Any]:
        self._socket.sendall(line + b"\n")
        return self.reply()

    def reply(self) -> dict[str, Any]:
        reply = json.loads(self._lines.readline())
        assert isinstance(reply, dict)
        return reply

    def ask(self, request: str, *arguments: object) -> dict[str, Any]:
        self._number += 1
        asked = {"id": self._number, "request": request, "arguments": arguments}
        reply = self.send(json.dumps(asked).encode())
        assert reply["id"] == self._number
        return reply

    def ended(self) -> bool:
        return self._lines.readline() == b""

    def __enter__(self) -> ProbeClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()
