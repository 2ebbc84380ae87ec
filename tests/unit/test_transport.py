"""Serial ports: one owner each, and errors that say what is wrong."""

from __future__ import annotations

import os

import pytest

from tinyc.device.transport import SerialTransport
from tinyc.errors import TinycError

pytestmark = pytest.mark.unit


def test_a_port_has_one_owner() -> None:
    master, slave = os.openpty()
    try:
        port = os.ttyname(slave)
        with SerialTransport(port) as first:
            with pytest.raises(TinycError, match="another program has the port open") as caught:
                SerialTransport(port)
            assert caught.value.where == port and "close it" in caught.value.hint
            os.write(master, b"abc")
            assert first.read(3, 1.0) == b"abc"
        SerialTransport(port).close()
    finally:
        os.close(master)
        os.close(slave)


def test_a_port_that_is_not_there() -> None:
    with pytest.raises(TinycError, match="cannot open the serial port"):
        SerialTransport("/dev/no-such-port")


def test_a_url_is_not_locked() -> None:
    with SerialTransport("loop://") as line:
        line.write(b"abc")
        assert line.read(3, 0.2) == b"abc"
