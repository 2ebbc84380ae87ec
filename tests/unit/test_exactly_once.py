"""INVOKE and reset happen exactly once, whatever is lost, and a restart in between does not go unseen."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.smp_peer import FakeDevice, PeerLine
from tinyc.device.client import DeviceClient
from tinyc.device.errors import LineLost, NoAnswer, ProtocolError, Restarted
from tinyc.errors import TinycError

pytestmark = pytest.mark.unit

CYCLES = sum(1000 + layer for layer in range(70))
REQUEST, ANSWER = "request", "answer"


class LossyLine(PeerLine):
    """Loses the frames that `lost` names, counted from `armed` on: what is lost, and its number."""

    lost: frozenset[tuple[str, int]] = frozenset()
    restarts: frozenset[int] = frozenset()
    """The device restarts before it gets these requests."""
    total = 0
    """INVOKEs since the beginning, over all restarts."""

    def arm(self, lost: Any, restarts: Any = ()) -> None:
        self.lost, self.restarts = frozenset(lost), frozenset(restarts)
        self.sent.clear()
        self.answers = 0
        self.damage_request = self._request
        self.damage_answer = self._answer
        self.starts = 0

    def _request(self, number: int, data: bytes) -> bytes:
        if number in self.restarts:
            self.total += self.device.counters["invocations"]
            self.device.restart()
            self.starts += 1
        return b"" if (REQUEST, number) in self.lost else data

    def _answer(self, number: int, data: bytes) -> bytes:
        return b"" if (ANSWER, len(self.sent) - 1) in self.lost else data

    @property
    def ran(self) -> int:
        return self.total + self.device.counters["invocations"]


def prepared(asked: int = 6) -> tuple[LossyLine, DeviceClient]:
    line = LossyLine(FakeDevice(buffer=2048))
    peer = DeviceClient(line, 0.003, 0.003)
    for _ in range(asked):
        peer.counters()
    return line, peer


FRAMES = list(itertools.product((REQUEST, ANSWER), range(5)))


def subsets(most: int) -> list[frozenset[tuple[str, int]]]:
    return [frozenset(c) for size in range(most + 1) for c in itertools.combinations(FRAMES, size)]


@pytest.mark.parametrize("most", [3])
def test_an_invoke_never_runs_twice(most: int) -> None:
    """Every choice of up to three lost frames: it ran once, or there is an error and it ran at most once."""
    errors = 0
    for lost in subsets(most):
        line, peer = prepared()
        line.arm(lost)
        try:
            cycles = peer.invoke()
        except ProtocolError:
            errors += 1
            assert line.ran <= 1, lost
        else:
            assert line.ran == 1 and cycles in (CYCLES, 0), lost
            assert cycles == CYCLES or any(what == ANSWER for what, _ in lost), lost
            # The client goes on, and still knows.
            line.arm([(REQUEST, 0)])
            assert peer.invoke() == CYCLES and line.ran == 2
    assert errors < len(subsets(most)) // 10


@pytest.mark.parametrize(("asked", "most"), [(0, 1), (1, 1), (6, 2)])
def test_a_restart_around_an_invoke_is_seen(asked: int, most: int) -> None:
    """A restart before any of the requests, and up to two lost frames: never a wrong claim."""
    for at, lost in itertools.product(range(8), subsets(most)):
        line, peer = prepared(asked)
        line.arm(lost, [at])
        try:
            peer.invoke()
        except ProtocolError:
            assert line.ran <= 1, (at, lost)
        else:
            assert line.ran == 1, (at, lost)


@pytest.mark.parametrize("lost", [(), ((REQUEST, 1),), ((ANSWER, 2),), ((REQUEST, 3), (ANSWER, 3))])
def test_a_run_is_right_or_the_restart_is_told(lost: tuple[tuple[str, int], ...]) -> None:
    inputs = random.Random(1).randbytes(1000)
    expected = bytes((value + sum(range(70))) & 0xFF for value in inputs[:904])
    told = 0
    for at in range(12):
        line, peer = prepared(1)
        assert peer.run(inputs) == expected
        line.arm(lost, [at])
        try:
            assert peer.run(inputs) == expected, at
        except ProtocolError:
            assert line.starts == 1
            told += 1
        line.arm([])
        assert peer.run(inputs) == expected
    assert told >= 3


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32))
def test_late_answers_and_damage(seed: int) -> None:
    """Answers held back, lost and torn at random over several INVOKEs: the counts agree at the end."""
    rng = random.Random(seed)
    line, peer = prepared()

    def damage(_: int, data: bytes) -> bytes:
        return data if rng.random() < 0.75 else data[: rng.randrange(len(data))]

    line.late = frozenset(rng.sample(range(line.answers, line.answers + 30), 8))
    line.damage_request = line.damage_answer = damage
    least = 0
    for most in range(1, 7):
        try:
            assert peer.invoke() in (0, CYCLES)
            least += 1
        except ProtocolError:
            pass
        assert least <= line.ran <= most


def test_the_inference_goes_on_while_the_line_is_noisy() -> None:
    """Noise that looks like an answer ends the wait early; the real answer is taken when it comes."""
    line, peer = prepared()
    line.arm([])
    line.late = frozenset({0})
    line.damage_answer = lambda number, data: data
    line.change_answer = lambda number, message: message
    line.damage_request = lambda number, data: data
    original = line.read
    noise = [b"\x06\x09AAAA"]
    line.read = lambda size, timeout: noise.pop() if noise else original(size, timeout)  # type: ignore[method-assign]
    assert peer.invoke() == CYCLES and line.ran == 1


# --- reset


@pytest.mark.parametrize("lost", subsets(2))
def test_a_reset_happens_once(lost: frozenset[tuple[str, int]]) -> None:
    line, peer = prepared()
    line.arm(lost)
    try:
        peer.reset()
    except ProtocolError:
        assert line.device.resets <= 1
    else:
        assert line.device.resets == 1


def test_a_reset_of_a_device_without_counters() -> None:
    """Nothing tells whether it restarted, so it is not asked again."""
    line = PeerLine(FakeDevice())
    handlers = line.device._handlers
    line.device._handlers = lambda: {k: v for k, v in handlers().items() if k[0] == 0}  # type: ignore[method-assign]
    peer = DeviceClient(line, 0.003)
    peer.reset()
    assert line.device.resets == 1
    line.damage_answer = lambda _, data: b"" if line.device.resets == 2 else data
    with pytest.raises(NoAnswer):
        peer.reset()
    assert line.device.resets == 2


class Booting(PeerLine):
    """Loses what comes while the device starts: the first `deaf` requests after a reset."""

    deaf = 3

    def write(self, data: bytes) -> None:
        if self.device.resets and self.deaf and data != b"\n":
            self.deaf -= 1
            return
        super().write(data)


def test_waiting_for_the_device() -> None:
    line = Booting(FakeDevice())
    peer = DeviceClient(line, 0.01)
    peer.reset()
    assert peer.wait_back(30.0).board == "fake" and line.deaf == 0
    line.deaf = 10**6
    with pytest.raises(NoAnswer, match=r"the device is not back within 0\.3 s"):
        peer.wait_back(0.3)


class Usb(PeerLine):
    """A port behind the chip's own USB: it is gone while the chip starts."""

    gone, opened = 0, 0

    def write(self, data: bytes) -> None:
        if self.gone:
            raise LineLost("the serial port failed")
        super().write(data)
        if self.device.resets > self.opened:
            self.gone = 3

    def reopen(self) -> None:
        self.gone -= 1
        if self.gone:
            raise TinycError("cannot open the serial port")
        self.opened += 1


def test_a_port_that_goes_and_comes_with_the_device() -> None:
    line = Usb(FakeDevice())
    peer = DeviceClient(line, 0.01)
    peer.reset()
    assert line.device.resets == 1
    assert peer.wait_back(30.0).board == "fake" and line.opened == 1


def test_a_line_that_cannot_be_opened_again() -> None:
    class Cut(PeerLine):
        def write(self, data: bytes) -> None:
            raise LineLost("the serial port failed")

    with pytest.raises(TinycError, match="cannot be opened again"):
        DeviceClient(Cut()).wait_back(5.0)


@pytest.mark.parametrize("call", [lambda peer: peer.counters(), lambda peer: peer.echo("x")])
def test_unbroken(call: Callable[[DeviceClient], object]) -> None:
    line, peer = prepared()
    with peer.unbroken():
        call(peer)
    with pytest.raises(Restarted, match="the device restarted meanwhile"), peer.unbroken():
        call(peer)
        line.device.restart()
        call(peer)
    with peer.unbroken():
        call(peer)


# --- text


def test_log_lines() -> None:
    noise = b"temp 21\r\n\x1b[32mgreen\x1b[0m \xff\tand\x07\n"
    line = PeerLine(damage_answer=lambda _, data: noise + data + b"half a line")
    peer = DeviceClient(line, 0.5)
    peer.hello()
    assert peer.log_lines() == ["temp 21", "green \ufffd and\ufffd"]
    peer.hello()
    # The other half never came: the next text stands behind it.
    assert peer.log_lines() == ["half a linetemp 21", "green \ufffd and\ufffd"]
    assert peer.log_lines() == [] and len(line.requests) == 2


def test_what_a_device_says_by_itself() -> None:
    line = PeerLine()
    peer = DeviceClient(line, 0.5)
    line._pending = b"".join(b"line %d\n" % number for number in range(1000))
    peer.listen(0.3)
    assert peer.log_lines() == [f"line {number}" for number in range(744, 1000)]
    assert peer.hello().board == "fake"


def test_the_rest_of_an_answer_that_nobody_waits_for_is_no_text() -> None:
    line = PeerLine()
    peer = DeviceClient(line, 0.01)
    line.damage_answer = lambda _, data: data[:40] if len(line.sent) <= 3 else data
    with pytest.raises(NoAnswer):
        peer.echo("x" * 60)
    line._pending = b"QUJDQUJD\ntext\n"
    assert peer.echo("y") == "y"
    assert peer.log_lines() == ["text"]
