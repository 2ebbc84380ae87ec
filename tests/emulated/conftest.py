"""Firmware that several files use, built once: small ones, and applications for tinyc's bootloader."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from support.debugger import Debugger
from support.small_firmware import NRF, Firmware, build
from support.update_device import App, Apps
from tinyc.emulator import Machine


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    """`firmware(name, *defines)` is the path of the ELF; each is built once."""
    folder = tmp_path_factory.mktemp("firmware")
    return cache(lambda name, *defines: build(name, NRF, folder, *defines))


@pytest.fixture(scope="session")
def echo(firmware: Firmware) -> Path:
    """A firmware that answers each byte with the next."""
    return firmware("echo", "NRF_UART")


@pytest.fixture
def machine(echo: Path) -> Machine:
    """A chip with that firmware, as long as a file has none of its own."""
    return Machine(echo, NRF)


@pytest.fixture
def debugger(machine: Machine) -> Debugger:
    return Debugger(machine.attach())


@pytest.fixture(scope="session")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Apps:
    return Apps(tmp_path_factory.mktemp("apps"))


@pytest.fixture(scope="session")
def old(apps: Apps) -> App:
    return apps.get(1, "1.0.0")


@pytest.fixture(scope="session")
def new(apps: Apps) -> App:
    return apps.get(2, "2.0.0")
