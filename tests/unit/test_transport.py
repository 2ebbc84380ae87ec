"""Serial ports: one owner each, and errors that say what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.command_line import tinyc
from tinyc.device.errors import LineLost
from tinyc.device.port_owner import port_owner
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


@contextmanager
def terminal() -> Iterator[str]:
    master, slave = os.openpty()
    try:
        yield os.ttyname(slave)
    finally:
        os.close(master)
        os.close(slave)


@contextmanager
def another_process(code: str) -> Iterator[subprocess.Popen[str]]:
    """Python that prints a line when it is ready, and ends when its input does."""
    command = [sys.executable, "-c", f"{code}\nprint(flush=True)\ninput()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "\n"
        try:
            yield process
        finally:
            process.communicate("end\n")


def owned_by_another(port: str) -> str:
    return f"from tinyc.device.transport import SerialTransport\nline = SerialTransport({port!r})"


on_linux = pytest.mark.skipif(not Path("/proc/locks").exists(), reason="/proc does not tell")


@on_linux
def test_the_other_owner_is_named() -> None:
    with terminal() as port:
        with another_process(owned_by_another(port)) as process:
            with pytest.raises(TinycError) as caught:
                SerialTransport(port)
            assert (caught.value.where, caught.value.__cause__ is not None) == (port, True)
            said = caught.value.what
            assert said.startswith(f"another program has the port open: process {process.pid} (python")
            for verb in ("devices", "monitor"):
                told = tinyc(verb, "--port", port)
                assert f"process {process.pid} " in told.stdout + told.stderr
        SerialTransport(port).close()


@on_linux
def test_the_owner_of_a_port_that_is_open_but_not_locked() -> None:
    with terminal() as port:
        assert port_owner(port) is None
        with another_process(f"import os\nos.open({port!r}, os.O_RDWR | os.O_NOCTTY)") as process:
            assert (port_owner(port) or "").startswith(f"process {process.pid} (")


def test_where_the_system_does_not_tell(tmp_path: Path) -> None:
    with terminal() as port:
        assert port_owner(port, tmp_path) is None
    assert port_owner("COM3") is None


def test_a_port_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    link = tmp_path / "port"
    with terminal() as first:
        link.symlink_to(first)
        line = SerialTransport(str(link))
    with pytest.raises(LineLost, match="the serial port failed"):
        line.read(1, 1.0)
    with pytest.raises(LineLost):
        line.write(b"abc")
    link.unlink()
    with pytest.raises(TinycError, match="cannot open the serial port"):
        line.reopen()
    with terminal() as second:
        link.symlink_to(second)
        line.reopen()
        line.write(b"abc")
        line.close()
