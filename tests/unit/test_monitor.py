"""`tinyc monitor`: updates, rates, text, devices that go and come, the live view, the end."""

from __future__ import annotations

import itertools
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from support.command_line import tinyc
from support.smp_peer import FakeDevice, PeerLine, serial_port
from tinyc.device.client import DeviceClient
from tinyc.device.errors import LineLost, NoAnswer
from tinyc.errors import TinycError
from tinyc.monitoring import raw_job, watch

pytestmark = pytest.mark.unit

COMMAND = [sys.executable, "-c", "from tinyc.cli import main; main()", "monitor"]
EXPECTED = (7 + sum(range(70))) & 0xFF


def client(line: PeerLine) -> DeviceClient:
    return DeviceClient(line, 0.02, 0.02)


# --- updates


def test_counters_and_rates() -> None:
    line = PeerLine()
    peer = client(line)
    first, second = itertools.islice(watch(peer, interval=0.1), 2)
    assert first.hello.board == "fake" and first.rates is None and first.waiting is None
    assert first.counters is not None and second.counters is not None and second.rates is not None
    assert second.counters.packets == first.counters.packets + 1
    assert 1 < second.rates.packets < 11 and second.rates.invocations == 0
    assert not second.restarted and second.problem is None and second.seconds >= 0.1


def test_inferences() -> None:
    line = PeerLine()
    peer = client(line)
    hello = peer.hello()
    jobs = [raw_job(peer, hello, name, bytes([value]) * 1000) for name, value in (("a", 7), ("b", 8))]
    first, second = itertools.islice(watch(peer, interval=0.05, jobs=jobs), 2)
    assert [result.name for result in first.results] == ["a", "b"] and first.runs == 2
    cycles = sum(1000 + layer for layer in range(70))
    assert first.results[0].cycles == cycles and first.results[0].milliseconds == pytest.approx(
        cycles / 64_000
    )
    assert set(np.array(first.results[0].numbers, np.uint8)) == {EXPECTED}
    assert second.runs >= 2 and second.counters is not None
    assert second.counters.invocations == first.runs + second.runs


def test_text_of_the_device() -> None:
    line = PeerLine(damage_answer=lambda _, data: b"warm\x1b[0m\n" + data)
    (update,) = watch(client(line), once=True)
    assert update.log == ("warm", "warm")


def test_a_restart_is_told() -> None:
    line = PeerLine()
    updates = watch(client(line), interval=0.01)
    assert not next(updates).restarted and not next(updates).restarted
    line.device.restart()
    line.device.lies = {"name": "another"}
    third = next(updates)
    assert third.restarted and third.hello.model == "another" and third.rates is None
    assert not next(updates).restarted


def test_a_refusal_is_told_and_the_watching_goes_on() -> None:
    line = PeerLine()
    peer = client(line)
    failing = iter([True, False])
    original = line.device._invoke
    line.device._invoke = lambda fields: {} if next(failing) else original(fields)  # type: ignore[method-assign]
    jobs = [raw_job(peer, peer.hello(), "x", bytes(1000))]
    first, second = itertools.islice(watch(peer, interval=0.0, jobs=jobs), 2)
    assert first.problem is not None and "makes no sense" in first.problem and first.waiting is None
    assert second.problem is None and second.runs == 1


class Loose(PeerLine):
    """A plug that is out for the next `out` tries to open it."""

    out = 0

    def write(self, data: bytes) -> None:
        if self.out:
            raise LineLost("the serial port failed")
        super().write(data)

    def reopen(self) -> None:
        self.out -= 1
        if self.out:
            raise TinycError("cannot open the serial port")


def test_a_device_that_goes_and_comes() -> None:
    line = Loose()
    updates = watch(client(line), interval=0.01, timeout=60.0)
    next(updates)
    line.out = 15
    lost = next(updates)
    assert lost.waiting is not None and lost.counters is None
    assert lost.problem == "the serial port failed"
    seen = [lost, *itertools.takewhile(lambda update: update.waiting is not None, updates)]
    assert len(seen) >= 2
    assert next(updates).counters is not None and line.out == 0


def test_a_device_that_stays_away() -> None:
    line = Loose()
    updates = watch(client(line), interval=0.01, timeout=0.3, where="the port")
    next(updates)
    line.out = 10**6
    with pytest.raises(TinycError, match=r"the device did not come back within 0\.3 s") as caught:
        list(updates)
    assert caught.value.where == "the port"


def test_another_model_ends_the_inferences() -> None:
    line = Loose()
    peer = client(line)
    updates = watch(peer, interval=0.01, jobs=[raw_job(peer, peer.hello(), "x", bytes(1000))])
    next(updates)
    line.out = 1
    assert next(updates).waiting is not None
    line.device.lies = {"model": b"M" * 32}
    with pytest.raises(TinycError, match="runs another model now"):
        list(updates)


def test_nobody_there_is_an_error_at_once() -> None:
    line = PeerLine(damage_answer=lambda _, data: b"")
    with pytest.raises(NoAnswer):
        list(watch(client(line)))


# --- the command


def test_once_as_json(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.full((2, 1000), 7, np.int8))
    with serial_port(PeerLine(FakeDevice(buffer=2048))) as port:
        said = tinyc("monitor", "--port", port, "--once", "--input", tmp_path / "x.npy")
        plain = tinyc("monitor", "--port", port, "--once", "--json")
    assert said.code == 0, said.stderr
    (line,) = said.stdout.splitlines()
    update = json.loads(line)
    assert (update["state"], update["runs"], update["rates"]) == ("connected", 2, None)
    assert update["device"]["model"] == "adder" and update["counters"]["invocations"] == 2
    assert [result["input"] for result in update["results"]] == ["x.npy[0]", "x.npy[1]"]
    assert set(np.array(update["results"][0]["outputs"], np.int8).view(np.uint8)) == {EXPECTED}
    assert update["results"][0]["label"] is None
    assert json.loads(plain.stdout)["results"] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [("x.wav", "without the model only bytes"), ("gone.npy", "no such file"), ("short.npy", "are no inputs")],
)
def test_inputs_that_cannot_be(tmp_path: Path, name: str, text: str) -> None:
    np.save(tmp_path / "short.npy", np.zeros(999, np.int8))
    with serial_port(PeerLine()) as port:
        said = tinyc("monitor", "--port", port, "--once", "--input", tmp_path / name)
    assert said.code == 1 and text in said.stderr and not said.stdout


def test_a_port_that_is_not_there() -> None:
    said = tinyc("monitor", "--port", "/dev/no-such-port")
    assert said.code == 1 and "cannot open the serial port" in said.stderr


def test_unplugged_and_plugged_in_again(tmp_path: Path) -> None:
    """Another process watches a port that vanishes and comes back; Ctrl-C ends it with 0."""
    link = tmp_path / "port"
    with serial_port(PeerLine()) as first:
        link.symlink_to(first)
        command = [*COMMAND, "--port", str(link), "--interval", "0.1"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["state"] == "connected"
        # The second owner is told who has the port.
        busy = tinyc("monitor", "--port", str(link))
        assert busy.code == 1 and "another program has the port open" in busy.stderr
        assert str(link) in busy.stderr
    link.unlink()
    states = []
    while not states or states[-1] != "waiting":
        states.append(json.loads(process.stdout.readline())["state"])
    with serial_port(PeerLine()) as second:
        link.symlink_to(second)
        while states[-1] != "connected":
            states.append(json.loads(process.stdout.readline())["state"])
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=30)
    assert (process.returncode, complaint) == (0, "")


def test_a_device_that_does_not_come_back_ends_with_an_error(tmp_path: Path) -> None:
    with serial_port(PeerLine()) as port:
        command = [*COMMAND, "--port", port, "--interval", "0.05", "--timeout", "0.2"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None and process.stdout.readline()
    _, complaint = process.communicate(timeout=30)
    assert process.returncode == 1 and "did not come back within 0.2 s" in complaint


def on_a_terminal(arguments: list[str], environment: dict[str, str], until: bytes) -> tuple[int, bytes]:
    """What the command draws until it has drawn `until`, and after Ctrl-C."""
    master, slave = os.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40", **environment}
    with subprocess.Popen(
        [*COMMAND, *arguments], stdin=slave, stdout=slave, stderr=slave, env=env
    ) as process:
        os.close(slave)
        drawn, end = b"", time.monotonic() + 30
        while until not in drawn and time.monotonic() < end:
            if select.select([master], [], [], 0.1)[0]:
                drawn += os.read(master, 65536)
        process.send_signal(signal.SIGINT)
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:
                break
            drawn += data
        code = process.wait(30)
    os.close(master)
    return code, drawn


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}])
def test_the_live_view(tmp_path: Path, environment: dict[str, str]) -> None:
    np.save(tmp_path / "x.npy", np.full(1000, 7, np.int8))
    device = FakeDevice(buffer=2048, lies={"name": "net [red]\x1b[31m", "slots": [["primary", 499_712]]})
    line = PeerLine(device, damage_answer=lambda _, data: b"hot [bold]\n" + data)
    with serial_port(line) as port:
        arguments = ["--port", port, "--interval", "0.1", "--input", str(tmp_path / "x.npy")]
        code, drawn = on_a_terminal(arguments, environment, b"connected, 1 s")
    assert code == 0
    text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", drawn).decode()
    for word in ("fake at", "0102030405060708", "1.2.3", "499,712 B", "72,415", "1.131", "x.npy[0]"):
        assert word in text, word
    assert "hot [bold]" in text and "net [red]\ufffd[31m" in text
    assert "invocations" in text and "per second" in text
    assert drawn.count(b"\x1b[?25l") == drawn.count(b"\x1b[?25h") == 1 and b"Traceback" not in drawn
    colours = re.search(rb"\x1b\[[0-9;]*3[0-7]m", drawn)
    assert (colours is None) == bool(environment)
