"""The probe server of the emulated chip, and pyOCD as a program against it."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from intelhex import IntelHex

from support.debugger import (
    POWER_UP,
    RAM,
    RESETREAS,
    Debugger,
    ProbeClient,
    answers,
    lock,
)
from support.small_firmware import NRF
from tinyc.emulator import Machine
from tinyc.emulator.chip import FlashRules
from tinyc.emulator.core_debug import S_HALT
from tinyc.emulator.debug_port import CSW, CTRL_STAT, DRW, TAR
from tinyc.emulator.image import flash_content, read_image
from tinyc.emulator.probe_server import GENERAL_ERROR, PROBE_ERROR, TRANSFER_FAULT, ProbeServer
from tinyc.errors import TinycError

pytestmark = pytest.mark.emulated


# The server.


@pytest.fixture
def server(machine: Machine) -> Iterator[ProbeServer]:
    with machine.serve_probe() as server:
        yield server
    assert server.failure is None


def start(client: ProbeClient) -> None:
    assert client.ask("hello", 1)["status"] == 0
    for request in (("open",), ("connect", "DEFAULT"), ("write_dp", CTRL_STAT, POWER_UP)):
        assert client.ask(*request)["status"] == 0


def test_server_is_local(server: ProbeServer) -> None:
    host, port = server.address
    assert host == "127.0.0.1"
    assert server.uid == f"remote:localhost:{port}"


def test_requests(server: ProbeServer) -> None:
    with ProbeClient(server.address) as client:
        assert client.ask("readprop", "wire_protocol") == {"id": 1, "status": 0}
        start(client)
        assert client.ask("readprop", "wire_protocol")["result"] == "SWD"
        assert client.ask("readprop", "product_name")["result"] == "emulated nrf52840"
        assert client.ask("read_dp", 0)["result"] == 0x2BA01477
        assert client.ask("write_dp", 8, 0xF0)["status"] == 0
        assert client.ask("read_ap", 0xFC)["result"] == 0x24770011
        assert client.ask("write_dp", 8, 0)["status"] == 0
        for offset, value in ((CSW, 0x12), (TAR, RAM)):
            assert client.ask("write_ap", offset, value)["status"] == 0
        assert client.ask("write_ap_multiple", DRW, [1, 2, 3])["status"] == 0
        assert client.ask("write_ap", TAR, RAM)["status"] == 0
        assert client.ask("read_ap_multiple", DRW, 3)["result"] == [1, 2, 3]
        assert client.ask("write_ap", TAR, 0x30000000)["status"] == 0
        assert client.ask("read_ap", DRW)["status"] == TRANSFER_FAULT
        assert client.ask("assert_reset", True)["status"] == 0
        assert client.ask("is_reset_asserted")["result"] is True
        assert client.ask("close")["status"] == 0


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"", GENERAL_ERROR),
        (b"GET / HTTP/1.1", GENERAL_ERROR),
        (b"\xff\xfe\x00", GENERAL_ERROR),
        (b"[" * 5000, GENERAL_ERROR),
        (b"1" * 5000, GENERAL_ERROR),
        (b'{"id": "x", "request": "open"}', GENERAL_ERROR),
        (b'{"id": 1, "request": ["open"]}', GENERAL_ERROR),
        (b'{"id": 1, "request": "shutdown"}', GENERAL_ERROR),
        (b'{"id": 1, "request": "open", "arguments": [1]}', GENERAL_ERROR),
        (b'{"id": 1, "request": "hello", "arguments": [2]}', GENERAL_ERROR),
        (b'{"id": 1, "request": "readprop", "arguments": [[]]}', GENERAL_ERROR),
        (b'{"id": 1, "request": "write_dp", "arguments": [0, -1]}', GENERAL_ERROR),
        (b'{"id": 1, "request": "write_dp", "arguments": [0, 1.5]}', GENERAL_ERROR),
        (b'{"id": 1, "request": "read_ap_multiple", "arguments": [0, 99999999]}', GENERAL_ERROR),
        (b'{"id": 1, "request": "write_ap_multiple", "arguments": [0, ["x"]]}', GENERAL_ERROR),
        (b'{"id": 1, "request": "read_dp", "arguments": [0]}', PROBE_ERROR),
        (b'{"id": 1, "request": "connect", "arguments": ["JTAG"]}', PROBE_ERROR),
    ],
)
def test_refused_requests(server: ProbeServer, line: bytes, status: int) -> None:
    with ProbeClient(server.address) as client:
        reply = client.send(line)
        assert reply["status"] == status
        assert reply["error"]
        start(client)


def test_garbage_is_survived(server: ProbeServer, machine: Machine) -> None:
    chance = random.Random(1)
    for _ in range(5):
        with socket.create_connection(server.address) as client:
            client.sendall(chance.randbytes(5000))
    with ProbeClient(server.address) as client:
        assert client.send(b"x" * (1 << 21))["error"] == "the line is too long"
    with ProbeClient(server.address) as client:
        start(client)
        client.ask("close")
    assert answers(machine)


def test_client_that_goes_away_lets_the_chip_run(server: ProbeServer, machine: Machine) -> None:
    with ProbeClient(server.address) as client:
        start(client)
        halt = (("write_ap", CSW, 2), ("write_ap", TAR, 0xE000EDF0), ("write_ap", DRW, 0xA05F0003))
        assert all(client.ask(*request)["status"] == 0 for request in halt)
        assert client.ask("read_ap", DRW)["result"] & S_HALT
    with ProbeClient(server.address) as client:  # its turn comes when the first has been dealt with
        assert client.ask("hello", 1)["status"] == 0
        assert answers(machine)


def test_close_sends_the_client_away(machine: Machine) -> None:
    server = machine.serve_probe()
    with ProbeClient(server.address) as client:
        start(client)
        server.close()
        server.close()
        assert client.ended()
    assert answers(machine)


def test_port_in_use(server: ProbeServer, machine: Machine) -> None:
    with pytest.raises(TinycError, match="cannot open port"):
        machine.serve_probe(server.address[1])


# pyOCD itself.

PROGRAM_SECONDS = 20  # wall time that it may take for 64 kB


def pyocd(
    server: ProbeServer, command: str, *arguments: str, folder: Path
) -> subprocess.CompletedProcess[str]:
    if importlib.util.find_spec("pyocd") is None:
        pytest.skip("pyocd is not installed")
    line = [sys.executable, "-m", "pyocd", command, "--target", "nrf52840", "--uid", server.uid, *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=120, cwd=folder)


def done(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def hex_file(path: Path, content: bytes) -> Path:
    image = IntelHex()
    image.puts(0, content)
    image.write_hex_file(str(path))
    return path


@pytest.fixture
def echo_64k(echo: Path, tmp_path: Path) -> tuple[Path, bytes]:
    """The echo firmware with a ballast, as a hex file and as bytes."""
    content = flash_content([read_image(echo)], NRF.memory)[:4096] + random.Random(2).randbytes(60 * 1024)
    return hex_file(tmp_path / "echo.hex", content), content


def test_pyocd_flashes_reads_erases(echo_64k: tuple[Path, bytes], echo: Path, tmp_path: Path) -> None:
    path, content = echo_64k
    machine = Machine(b"", NRF, symbols=[echo], flash_rules=FlashRules(strict=True, timed=True))
    with machine.serve_probe() as server:
        started = time.monotonic()
        output = done(pyocd(server, "flash", str(path), folder=tmp_path))
        assert time.monotonic() - started < PROGRAM_SECONDS
        assert "programmed 65536 bytes" in output
        assert machine.flash() == content.ljust(NRF.memory.flash, b"\xff")
        assert answers(machine)

        saved = tmp_path / "saved.bin"
        commands = ("-c", f"savemem 0 {len(content)} {saved}", "-c", "read32 0x40000400")
        output = done(pyocd(server, "cmd", *commands, folder=tmp_path))
        assert saved.read_bytes() == content
        assert "00000004" in output  # RESETREAS: pyOCD reset the chip by SYSRESETREQ
        assert answers(machine)

        content = b"".join(content[at : at + 4096] for at in range(4096, 65536, 4096))
        path = hex_file(tmp_path / "other.hex", content)
        done(pyocd(server, "flash", "--erase", "chip", str(path), folder=tmp_path))
        assert machine.flash() == content.ljust(NRF.memory.flash, b"\xff")
        done(pyocd(server, "erase", "--sector", "0x1000", folder=tmp_path))
        assert machine.flash()[: 3 * 4096] == content[:4096] + b"\xff" * 4096 + content[8192 : 3 * 4096]
        done(pyocd(server, "erase", "--chip", folder=tmp_path))
        assert machine.flash() == b"\xff" * NRF.memory.flash
        assert server.failure is None


def test_pyocd_resets(machine: Machine, echo: Path, tmp_path: Path) -> None:
    assert answers(machine)
    with machine.serve_probe() as server:
        done(pyocd(server, "reset", folder=tmp_path))
        assert Debugger(machine.attach()).read(RESETREAS) == 4
        machine.detach()
        done(pyocd(server, "reset", "--method", "hw", folder=tmp_path))
    assert Debugger(machine.attach()).read(RESETREAS) == 5
    machine.detach()
    assert answers(machine)


def test_pyocd_unlocks_only_when_it_may(machine: Machine, echo: Path, tmp_path: Path) -> None:
    lock(machine)
    before = machine.flash()
    with machine.serve_probe() as server:
        refused = pyocd(server, "flash", "-O", "auto_unlock=false", str(echo), folder=tmp_path)
        assert refused.returncode != 0
        assert "APPROTECT enabled" in refused.stderr
        assert machine.flash() == before
        done(pyocd(server, "erase", "--mass", folder=tmp_path))
        assert machine.flash() == b"\xff" * NRF.memory.flash
        done(pyocd(server, "flash", str(echo), folder=tmp_path))
    assert answers(machine)


def talk(terminal: int, data: bytes, size: int) -> bytes:
    """Write to a pseudo-terminal; what comes back in ten seconds."""
    os.write(terminal, data)
    received, deadline = b"", time.monotonic() + 10
    while len(received) < size and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            received += os.read(terminal, 64)
    return received


def test_probe_and_terminal_side_by_side(echo: Path, tmp_path: Path) -> None:
    """A blank board on a desk: both cables are in, pyOCD brings the firmware, and it answers."""
    with Machine(b"", NRF) as machine, machine.serve_probe() as server:
        terminal = os.open(machine.serve_pty(), os.O_RDWR | os.O_NOCTTY)
        try:
            done(pyocd(server, "flash", str(echo), folder=tmp_path))
            assert talk(terminal, b"abc", 3) == b"bcd"
            done(pyocd(server, "cmd", "-c", "read32 0", folder=tmp_path))
            assert talk(terminal, b"1", 1) == b"2"
            assert machine.serving_failure is None
        finally:
            os.close(terminal)


def test_reply_lines_are_json(server: ProbeServer) -> None:
    with socket.create_connection(server.address) as client:
        client.sendall(b'{"id": 3, "request": "hello", "arguments": [1]}\n{"id": 4, "request": "has_swo"}\n')
        data = b""
        while data.count(b"\n") < 2:
            data += client.recv(4096)
    assert [json.loads(line) for line in data.splitlines()] == [
        {"id": 3, "status": 0},
        {"id": 4, "status": 0, "result": False},
    ]
