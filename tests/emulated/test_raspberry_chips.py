"""Firmware for the RP2040 and the RP2350 from its first byte on, and drivers that forget a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from strategies.common import random_inputs
from support import tflite_writer
from support.classifiers import small_classifier
from support.command_line import tinyc
from support.flash_board import FlashBoard
from support.uf2_drive import Uf2Drive
from tinyc import interpreter
from tinyc.artifact import open_artifact
from tinyc.boards import load_board
from tinyc.device.client import DeviceClient
from tinyc.emulator import EmulatedFault, Machine
from tinyc.emulator.chips import rp2040, rp2350
from tinyc.emulator.image import flash_content, read_image
from tinyc.emulator.peripheral import Peripheral
from tinyc.flash import uf2

pytestmark = pytest.mark.emulated

GRAPH = small_classifier(np.random.default_rng(2), "words")
BOARDS = {"rpi_pico": (rp2040.FLASH_ID, "RPI-RP2"), "rpi_pico2": (rp2350.CHIP_ID, "RP2350")}


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The build folder of a small model for a board; each is built once."""
    folder, built = tmp_path_factory.mktemp("builds"), dict[str, Path]()
    model = folder / "words.tflite"
    model.write_bytes(tflite_writer.write(GRAPH))

    def of(board: str) -> Path:
        if board not in built:
            built[board] = folder / board
            said = tinyc("build", model, "--board", board, "--out", built[board])
            assert said.code == 0, said.stderr
        return built[board]

    return of


def content(elf: Path, board: str) -> bytes:
    return flash_content([read_image(elf)], load_board(board).memory)


@pytest.mark.parametrize("name", BOARDS)
def test_answers_number_and_cycles(build: Callable[[str], Path], name: str) -> None:
    """From the whole flash as the chip sees it; also again after the firmware has restarted the chip."""
    elf, rng = build(name) / "firmware.elf", np.random.default_rng(1)
    inputs = random_inputs(rng, GRAPH)
    expected = b"".join(array.tobytes() for array in interpreter.run(GRAPH, inputs))
    with Machine(content(elf, name), load_board(name), symbols=[elf]) as machine:
        client = DeviceClient(machine.transport)
        for _ in range(2):
            assert client.hello().device_id == BOARDS[name][0].hex()
            assert client.run(b"".join(array.tobytes() for array in inputs)) == expected
            client.reset()
            client.wait_back()
        client.set_inputs(b"".join(array.tobytes() for array in inputs))
        machine.watch(["words_invoke"])
        machine.reset_profile()
        told = client.invoke()
        counted = machine.profile().watched["words_invoke"].cycles_estimated
        assert 0 <= told - counted < 100
        assert machine.stack_used() < load_board(name).memory.stack


@pytest.mark.parametrize("name", BOARDS)
def test_flashed_as_a_drive(
    build: Callable[[str], Path], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board, drive = load_board(name), Uf2Drive(tmp_path / "drive", BOARDS[name][1])
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sdb {drive.folder} vfat rw 0 0\n")
    monkeypatch.setattr(uf2, "_MOUNTS", mounts)
    drive.plug()
    with FlashBoard(board, drive) as there:
        said = tinyc("flash", build(name), "--json", "--port", there.path)
    assert said.code == 0, said.stderr
    assert (said.json["verified"], said.json["method"]) == (True, "uf2")
    assert drive.blocks == open_artifact(build(name)).firmware.outputs["uf2"].stat().st_size // 512


def test_checksum_of_the_boot_stage(build: Callable[[str], Path]) -> None:
    assert rp2040.checksum(b"123456789") == 0x0376E6E7  # the check value of CRC-32/MPEG-2
    flash = bytearray(content(build("rpi_pico") / "firmware.elf", "rpi_pico"))
    assert rp2040.checksum(flash[:252]) == int.from_bytes(flash[252:256], "little")
    for at in (0, 100, 251, 255):
        flash[at] ^= 1
        with pytest.raises(EmulatedFault, match="no valid checksum"):
            Machine(bytes(flash), load_board("rpi_pico"))
        flash[at] ^= 1


def test_definition_of_the_image(build: Callable[[str], Path]) -> None:
    """It lies behind the vectors, and nothing of it may be another."""
    name = "rpi_pico2"
    flash = bytearray(content(build(name) / "firmware.elf", name))
    at = rp2350.image_definition(flash)
    assert at == 4 * (16 + 52)
    for byte in range(at, at + 20):
        flash[byte] ^= 1
        assert rp2350.image_definition(flash) is None
        with pytest.raises(EmulatedFault, match="no image for this chip"):
            Machine(bytes(flash), load_board(name))
        flash[byte] ^= 1
    late = bytes(4096 - 20) + bytes(flash[at : at + 20])
    assert rp2350.image_definition(late) == 4096 - 20
    assert rp2350.image_definition(bytes(4) + late) is None


@dataclass(frozen=True)
class Forgotten:
    """A step that a driver leaves out: the bits of `mask` at `address` stay as they were; the fault then."""

    address: int
    fault: str
    mask: int = 0xFFFFFFFF
    skip: int = 0
    """Writes to the address that happen all the same, before."""


FORGOTTEN = {
    "rpi_pico": {
        "the unique number's format": Forgotten(0x18000000, "format of the SSI"),
        "flash by address": Forgotten(0x180000F4, "memory that cannot be read", skip=1),
        "mode of flash": Forgotten(0x180000F4, "format of the SSI"),
        "crystal": Forgotten(0x40024000, "clk_ref is switched to xosc"),
        "PLL out of reset": Forgotten(0x4000C000, "PLL_SYS is held in reset", 1 << 12),
        "feedback divider": Forgotten(0x40028008, "pll_sys, which does not run"),
        "PLL on": Forgotten(0x40028004, "pll_sys, which does not run", 1),
        "dividers": Forgotten(0x4002800C, "the board's file says 125,000,000 Hz"),
        "dividers on": Forgotten(0x40028004, "pll_sys, which does not run", 8),
        "clk_sys": Forgotten(0x4000803C, "UART0 runs at .* bits per second", skip=2),
        "clk_peri": Forgotten(0x40008048, "UART0 runs at 0 bits per second"),
        "UART out of reset": Forgotten(0x4000C000, "UART0 is held in reset", 1 << 22),
        "pads out of reset": Forgotten(0x4000C000, "PADS_BANK0 is held in reset", 1 << 8),
        "baud rate": Forgotten(0x40034024, "UART0 runs at"),
        "frame": Forgotten(0x4003402C, "eight bits"),
        "pin": Forgotten(0x40014004, "its pin is not connected"),
        "timer out of reset": Forgotten(0x4000C000, "TIMER is held in reset", 1 << 21),
        "what the watchdog resets": Forgotten(0x40010008, "only a part of the chip"),
    },
    "rpi_pico2": {
        "crystal": Forgotten(0x40048000, "clk_ref is switched to xosc"),
        "away from the source": Forgotten(0x4001003C, "from the source that AUXSRC changes", 1),
        "source": Forgotten(0x4001003C, "UART0 runs at .* bits per second", 0xE0),
        "PLL out of reset": Forgotten(0x40020000, "PLL_SYS is held in reset", 1 << 14),
        "dividers": Forgotten(0x4005000C, "the board's file says 150,000,000 Hz"),
        "clk_peri": Forgotten(0x40010048, "UART0 runs at 0 bits per second"),
        "UART out of reset": Forgotten(0x40020000, "UART0 is held in reset", 1 << 26),
        "pins out of reset": Forgotten(0x40020000, "IO_BANK0 is held in reset", 1 << 6),
        "pad that sends": Forgotten(0x40038004, "its pin is not connected"),
        "what the watchdog resets": Forgotten(0x40018008, "only a part of the chip"),
    },
}


@pytest.fixture
def forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Forgotten], None]]:
    def apply(step: Forgotten) -> None:
        plain, seen = Peripheral.store, [0]

        def store(self: Peripheral, offset: int, value: int) -> None:
            if self.base + offset == step.address:
                seen[0] += 1
                if seen[0] > step.skip:
                    value = self[offset] & step.mask | value & ~step.mask
            plain(self, offset, value)

        monkeypatch.setattr(Peripheral, "store", store)

    yield apply


@pytest.mark.parametrize(
    ("board", "what"), [(board, what) for board, steps in FORGOTTEN.items() for what in steps]
)
def test_a_driver_that_forgets_a_step(
    build: Callable[[str], Path], forget: Callable[[Forgotten], None], board: str, what: str
) -> None:
    step, elf = FORGOTTEN[board][what], build(board) / "firmware.elf"
    forget(step)
    with pytest.raises(EmulatedFault, match=step.fault), Machine(elf, load_board(board)) as machine:
        client = DeviceClient(machine.transport)
        client.hello()
        client.reset()
        client.wait_back(timeout=0.1)
