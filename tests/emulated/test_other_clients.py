"""Clients of other people update the emulated board over a pseudo-terminal: firmware and bootloader."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from smpclient import SMPClient
from smpclient.generics import success
from smpclient.requests.image_management import ImageStatesRead, ImageStatesWrite
from smpclient.requests.os_management import EchoWrite, ResetWrite
from smpclient.transport.serial import SMPSerialTransport

from support.update_device import App, booted, slots
from tinyc import programs
from tinyc.device.client import DeviceClient
from tinyc.device.transport import SerialTransport
from tinyc.emulator import Machine
from tinyc.signing.read import read_image

pytestmark = pytest.mark.emulated

CLIENT = Path(__file__).parent.parent / "support" / "mcumgr_client.py"
SMPMGR = os.environ.get("TINYC_SMPMGR") or programs.find("smpmgr")


@pytest.fixture(params=["firmware", "recovery"])
def machine(request: pytest.FixtureRequest, old: App) -> Iterator[Machine]:
    """Served on a pseudo-terminal; in recovery nothing is in the slots."""
    flash = old.factory()
    if request.param == "recovery":
        at = slots().primary
        flash = flash[:at] + b"\xff" * slots().image_bytes + flash[at + slots().image_bytes :]
    with booted(flash) as found:
        found.serve_pty()
        yield found
        assert found.serving_failure is None


def running(machine: Machine) -> str:
    with SerialTransport(machine.serve_pty()) as line:
        return DeviceClient(line).wait_back(20).firmware


def hash_of(app: App) -> bytes:
    return read_image(app.image).hash


def test_smpclient(machine: Machine, new: App) -> None:
    """With a serial transport of its own."""

    async def update() -> None:
        async with SMPClient(SMPSerialTransport(), machine.serve_pty(), timeout_s=20) as client:
            answer = await client.request(EchoWrite(d="hello"))
            assert success(answer) and answer.r == "hello"
            async for _ in client.upload(new.image, first_timeout_s=60, subsequent_timeout_s=20):
                pass
            assert success(await client.request(ImageStatesWrite(hash=hash_of(new))))
            states = await client.request(ImageStatesRead())
            assert success(states) and states.images[-1].pending
            assert success(await client.request(ResetWrite()))

    asyncio.run(update())
    assert running(machine) == new.identity


def test_mcumgr_toolkit(machine: Machine, new: App) -> None:
    """A client in Rust, request by request."""
    by_toolkit(machine, new, "requests")


@pytest.mark.parametrize("machine", ["firmware"], indirect=True)
def test_the_update_of_mcumgr_toolkit(machine: Machine, new: App) -> None:
    """Its own sequence, which replaces only what runs."""
    by_toolkit(machine, new, "update")


def by_toolkit(machine: Machine, new: App, what: str) -> None:
    pytest.importorskip("mcumgr_toolkit")
    image = str(new.package.firmware.outputs["image"])
    words = [sys.executable, str(CLIENT), what, machine.serve_pty(), image, hash_of(new).hex()]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert running(machine) == new.identity


@pytest.mark.skipif(SMPMGR is None, reason="smpmgr is not installed (or TINYC_SMPMGR does not name it)")
def test_smpmgr(machine: Machine, new: App) -> None:
    """A program, with small chunks by default."""

    def smpmgr(*words: str) -> None:
        command = [str(SMPMGR), "--port", machine.serve_pty(), "--timeout", "20", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    smpmgr("image", "upload", str(new.package.firmware.outputs["image"]))
    smpmgr("image", "state-write", hash_of(new).hex())
    smpmgr("os", "reset")
    assert running(machine) == new.identity
