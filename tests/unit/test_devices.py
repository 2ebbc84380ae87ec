"""`tinyc devices`: ports with a device, without one, taken, gone."""

from __future__ import annotations

import os
from unittest import mock

import pytest

from support.command_line import tinyc
from support.smp_peer import FakeDevice, PeerLine, serial_port
from tinyc.device import discovery
from tinyc.device.discovery import Port
from tinyc.device.transport import SerialTransport

pytestmark = pytest.mark.unit


def test_what_answers_is_told() -> None:
    with serial_port(PeerLine(FakeDevice())) as port:
        (entry,) = tinyc("devices", "--port", port, "--json").json
        said = tinyc("devices", "--port", port)
    device = entry["device"]
    hello = FakeDevice()._hello()
    assert (entry["port"], entry["problem"]) == (port, None)
    assert (device["board"], device["model"], device["version"]) == (
        *(hello["board"], hello["name"], hello["version"]),
    )
    assert device["digest"] == hello["model"].hex() and device["firmware"] == hello["firmware"].hex()
    assert said.code == 0 and hello["board"] in said.stdout


def test_ports_without_a_device_say_why() -> None:
    master, slave = os.openpty()
    try:
        silent = os.ttyname(slave)
        with serial_port(PeerLine(FakeDevice())) as port, SerialTransport(silent):
            found = tinyc("devices", "--port", silent, "--port", "/dev/no-such", "--port", port, "--json")
        busy, gone, good = found.json
        assert "another program" in busy["problem"] and busy["device"] is None
        assert "cannot open" in gone["problem"]
        assert good["device"] is not None
        assert discovery.ask(Port(silent), 0.05).problem.startswith("no answer to HELLO")
    finally:
        os.close(master)
        os.close(slave)


def test_all_ports_of_the_machine_are_asked() -> None:
    class Info:
        device, description, vid, pid = "/dev/no-such", "a board", 0x239A, 0x8029

    class Plain:
        device, description, vid, pid = "/dev/neither", "n/a", None, None

    with mock.patch("serial.tools.list_ports.comports", return_value=[Info, Plain]):
        first, second = tinyc("devices", "--json").json
        table = tinyc("devices").stdout
    assert (first["port"], first["usb"]) == ("/dev/neither", None)
    assert (second["port"], second["usb"], second["description"]) == ("/dev/no-such", "239a:8029", "a board")
    assert "239a:8029" in table


def test_a_machine_without_ports() -> None:
    with mock.patch("serial.tools.list_ports.comports", return_value=[]):
        said = tinyc("devices")
        assert tinyc("devices", "--json").json == []
    assert said.code == 0 and "no serial port" in said.stderr
