"""Uploads to the emulated board over a line that damages them, with resets, dead hosts and bad images."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from itertools import pairwise

import pytest

from support.faulty_line import Clock, Line, own_time
from support.update_device import App, booted, slots
from tinyc.device.client import DeviceClient
from tinyc.device.errors import ProtocolError
from tinyc.device.framing import CONTINUE, START
from tinyc.device.images import ImageClient
from tinyc.emulator import Machine
from tinyc.signing.read import read_image

pytestmark = pytest.mark.emulated

PAGE = 4096
SEEDS = 3


class HostDies(Exception):  # noqa: N818
    """The host is killed."""


class Bench:
    """The board, its line and its client."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.line = Line(machine, Clock())

    def images(self) -> ImageClient:
        return ImageClient(DeviceClient(self.line, timeout=5.0))

    def upload(self, image: bytes, until: int | None = None) -> list[int]:
        """Upload, or only so far. The offsets that the device told."""
        offsets: list[int] = []

        def progress(done: int) -> None:
            offsets.append(done)
            if until is not None and done >= until:
                raise HostDies

        with contextlib.suppress(HostDies):
            self.images().upload(image, progress=progress)
        return offsets

    def insist(self, image: bytes, tries: int = 20) -> list[int]:
        """Upload again and again, as a user does, until it succeeds. The first offset of each try."""
        starts = []
        for _ in range(tries):
            told: list[int] = []
            try:
                self.images().upload(image, progress=told.append)
                return [*starts, *told[:1]]
            except ProtocolError:
                starts += told[:1]
        raise AssertionError(f"no upload in {tries} tries")

    def arrived(self, image: bytes) -> bool:
        """Whether the slot holds the image, and everything else is as it was."""
        at = slots().upload
        return self.machine.flash()[at : at + len(image)] == image

    def installs(self, app: App) -> None:
        """The image that arrived runs after a reset."""
        self.line.faults(0)
        self.images().test(read_image(app.image).hash.hex())
        self.line.restart()
        assert DeviceClient(self.line, timeout=5.0).hello().firmware == app.identity


@pytest.fixture
def bench(old: App, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with booted(old.factory()) as machine:
        made = Bench(machine)
        own_time(monkeypatch, made.line._clock)
        assert DeviceClient(made.line).hello().firmware == old.identity
        yield made
        at = slots().primary
        assert machine.flash()[: slots().bootloader_bytes] == old.factory()[: slots().bootloader_bytes]
        assert machine.flash()[at : at + len(old.image)] != b""


RATES = (
    {"drop": 1e-4},
    {"flip": 1e-4},
    {"duplicate": 1e-4},
    {"drop": 1e-4, "flip": 1e-4, "duplicate": 1e-4},
    {"flip": 5e-4},
)


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("rates", RATES, ids=lambda rates: "-".join(f"{k}{v:g}" for k, v in rates.items()))
def test_damaged_bytes(bench: Bench, new: App, rates: dict[str, float], seed: int) -> None:
    """Whatever gets through is right, and the upload goes on behind it."""
    bench.line.faults(seed, **rates)
    bench.insist(new.image)
    assert bench.arrived(new.image)
    bench.installs(new)


@pytest.mark.parametrize("at", [3_000, 9_000, 15_000, 21_000])
def test_a_reset_in_the_middle(bench: Bench, new: App, at: int) -> None:
    """The client that is at it follows the device back to the last finished page."""
    bench.line.reset_at = bench.line.passed + at
    offsets = bench.upload(new.image)
    assert bench.line.reset_at is None
    assert offsets[-1] == len(new.image)
    back = [after for before, after in pairwise(offsets) if after < before]
    assert all(offset % PAGE == 0 for offset in back)
    bench.installs(new)


@pytest.mark.parametrize("until", [1, 5_000, 12_000])
def test_a_host_that_dies(bench: Bench, new: App, until: int) -> None:
    """Half a line is all that the next one finds. It goes on where the first one was."""
    before = bench.upload(new.image, until)
    bench.line.inject(START + b"AAsIAAABAAAA")
    after = bench.upload(new.image)
    assert after[0] >= before[-1]
    assert bench.arrived(new.image)
    bench.installs(new)


@pytest.mark.parametrize("kind", ["noise", "markers"])
def test_garbage_in_the_middle(bench: Bench, new: App, kind: str) -> None:
    bench.upload(new.image, 9_000)
    chance = random.Random(kind)
    marks = b"".join(chance.choice((START, CONTINUE, b"\n")) for _ in range(32_768))
    bench.line.inject((chance.randbytes(65_536) if kind == "noise" else marks)[:65_536])
    assert bench.upload(new.image)[0] > 9_000
    bench.installs(new)


def test_another_image_begins_anew(bench: Bench, old: App, new: App) -> None:
    bench.upload(new.image, 9_000)
    assert bench.upload(old.image)[0] < 9_000
    assert bench.arrived(old.image)
    assert bench.upload(new.image)[-1] == len(new.image)
    bench.installs(new)


@pytest.mark.parametrize("cut", [1, 40, 1_000, 15_000])
def test_a_truncated_image(bench: Bench, old: App, new: App, cut: int) -> None:
    """It arrives as it is, and nothing starts it: hash or signature are wrong."""
    bench.upload(new.image[:-cut])
    with contextlib.suppress(ProtocolError):
        bench.images().test(read_image(new.image).hash.hex())
    for _ in range(2):
        bench.line.restart()
        assert DeviceClient(bench.line).hello().firmware == old.identity
    bench.upload(new.image)
    bench.installs(new)


def test_an_image_that_is_larger_than_the_slot(bench: Bench, new: App) -> None:
    with pytest.raises(ProtocolError, match="larger than the slot"):
        bench.upload(new.image + bytes(slots().image_bytes))
    bench.upload(new.image)
    bench.installs(new)


def test_what_is_no_image(bench: Bench, new: App) -> None:
    with pytest.raises(ProtocolError, match="no image"):
        bench.upload(b"\x7fELF" + bytes(10_000))
    bench.upload(new.image)
    bench.installs(new)
