"""Board files: every one loads, bad ones are refused with everything that is wrong."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tinyc.board_parts import Pin
from tinyc.boards import DEFAULT_BAUD, board_names, load_board, parse_board
from tinyc.errors import TinycError

pytestmark = pytest.mark.unit

GOOD = """
name = "A board"
soc = "nrf52840"
core = "cortex-m4"
features = ["dsp"]
clock_hz = 64_000_000
[memory]
flash_origin = 0
flash = 1_048_576
ram_origin = 0x2000_0000
ram = 262_144
stack = 2_048
"""


def test_the_boards_of_the_product_are_there() -> None:
    expected = {"hifive1_revb", "host", "microbit", "mps2_an386", "mps2_an500", "mps2_an505", "nano33ble"}
    expected |= {"mps3_an547", "netduinoplus2", "nrf52840", "qemu_riscv32", "xiao_nrf52840"}
    expected |= {"nrf5340", "nucleo_h743zi", "nucleo_l4r5zi", "rpi_pico"}
    expected |= {"esp32c3", "rpi_pico2"}
    assert expected <= set(board_names())


def test_boards_with_the_same_soc_agree() -> None:
    by_soc: dict[str, list[str]] = {}
    for name in board_names():
        by_soc.setdefault(load_board(name).soc, []).append(name)
    assert len(by_soc["nrf52840"]) == 4
    for names in by_soc.values():
        for one, other in pairwise(map(load_board, names)):
            assert one.core == other.core
            assert one.features == other.features
            assert (one.memory.flash, one.memory.ram) == (other.memory.flash, other.memory.ram)
            assert (one.memory.flash_origin, one.memory.ram_origin) == (
                other.memory.flash_origin,
                other.memory.ram_origin,
            )


def test_sensors_are_known_ones(tmp_path: Path) -> None:
    assert load_board("nano33ble").sensors == ("accelerometer", "gyroscope", "magnetometer")
    assert load_board("nrf52840").sensors == ()
    path = tmp_path / "board.toml"
    for wrong in ('["nose"]', '["camera", "camera"]', '"camera"', "[1]", "[[]]"):
        path.write_text(GOOD.replace("clock_hz", f"sensors = {wrong}\nclock_hz", 1))
        with pytest.raises(TinycError) as error:
            parse_board("board", path)
        assert [problem.where for problem in error.value.problems] == ["sensors"]


@pytest.mark.parametrize(
    ("name", "origin", "flash", "ram"),
    [
        ("nrf52840_bare", 0, 1 << 20, 256 << 10),
        ("nrf52840", 0x6200, 118 * 4096 - 1536, (256 << 10) - 64),
        ("nano33ble", 0x10000, 0xF0000, 256 << 10),
        ("xiao_nrf52840", 0x27000, 0xEA000 - 0x27000, (256 << 10) - 8),
        ("netduinoplus2", 0x08000000, 1 << 20, 128 << 10),
        ("nrf5340", 0, 1 << 20, 512 << 10),
        ("nucleo_h743zi", 0x08000000, 2 << 20, 512 << 10),
        ("nucleo_l4r5zi", 0x08000000, 2 << 20, 640 << 10),
    ],
)
def test_memory_left_to_the_application(name: str, origin: int, flash: int, ram: int) -> None:
    memory = load_board(name).memory
    assert memory.application_origin == origin
    assert memory.application_flash == flash
    assert memory.application_ram == ram


def test_usb_ids_of_boards() -> None:
    xiao = load_board("xiao_nrf52840").usb
    assert "2886:8044" in xiao.application and "2886:0044" in xiao.bootloader and not xiao.console
    assert set(xiao.ids) == {*xiao.application, *xiao.bootloader}


def test_uf2_family_of_the_xiao() -> None:
    assert load_board("xiao_nrf52840").uf2_family == 0xADA52840


@pytest.mark.parametrize(
    ("text", "port", "number"),
    [("P0.06", 0, 6), ("P1.10", 1, 10), ("PB6", 1, 6), ("PA15", 0, 15), ("P0.31", 0, 31), ("GP1", 0, 1)],
)
def test_pins(text: str, port: int, number: int) -> None:
    assert Pin.parse(text) == Pin(port, number)


@pytest.mark.parametrize("text", ["", "P2.01", "P0.32", "PB16", "B6", "P0.6x", "PL1", "P0.-1", "GP32", "GP"])
def test_bad_pins(text: str) -> None:
    with pytest.raises(ValueError, match="^" + text.replace(".", r"\.") + "$"):
        Pin.parse(text)


def test_unknown_board_names_the_nearest() -> None:
    with pytest.raises(TinycError) as caught:
        load_board("nrf52480")
    assert "nrf52840" in caught.value.hint
    assert "mps2_an386" in caught.value.allowed


def parse(folder: Path, text: str) -> None:
    path = folder / "board.toml"
    path.write_text(text, encoding="utf-8")
    parse_board("board", path)


def test_a_good_file_is_accepted(tmp_path: Path) -> None:
    parse(tmp_path, GOOD)


def test_all_problems_at_once(tmp_path: Path) -> None:
    text = GOOD.replace('core = "cortex-m4"', 'core = "z80"').replace('["dsp"]', '["dsp", "mmx", "sse"]')
    text = (
        text.replace("stack = 2_048", 'stack = "big"\nspeed = 3')
        + '[uart]\ntx = "P9"\n[flash]\nmethods = ["fax"]\n'
    )
    with pytest.raises(TinycError) as caught:
        parse(tmp_path, text)
    assert {problem.where for problem in caught.value.problems} == {
        "core",
        "features",
        "stack",
        "speed",
        "uart.tx",
        "uart.rx",
        "flash.methods",
    }
    assert "mmx, sse" in str(caught.value)


def test_rates_of_the_serial_port(tmp_path: Path) -> None:
    """Those that the chip's driver knows; 115200 unless the file says another one."""
    assert all(load_board(name).uart_baud == DEFAULT_BAUD for name in board_names())
    path = tmp_path / "board.toml"
    pins = 'tx = "P0.06"\nrx = "P0.08"\n'
    fast = f"{GOOD}[uart]\n{pins}baud = 1_000_000\n"
    path.write_text(fast, encoding="utf-8")
    assert parse_board("board", path).uart_baud == 1_000_000
    for text in (fast.replace("1_000_000", "1_000_001"), fast.replace("nrf52840", "nrf51822")):
        with pytest.raises(TinycError, match=r"uart\.baud"):
            parse(tmp_path, text)


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("stack = 2_048", "stack = 262_144", "memory.stack"),
        ("stack = 2_048", "stack = 2_047", "memory.stack"),
        ("ram = 262_144", "ram = 0", "memory"),
        ("flash_origin = 0", "flash_origin = -1", "memory"),
        ("clock_hz = 64_000_000", "clock_hz = 0", "memory"),
        ("stack = 2_048", "stack = 2_048\napplication_offset = 1_048_576", "memory.application_offset"),
        ("stack = 2_048", "stack = 2_048\napplication_offset = 100", "memory.application_offset"),
        ("stack = 2_048", "stack = 2_048\nram_reserved = 4", "memory.ram_reserved"),
        ("stack = 2_048", "stack = 2_048\nboot_stage = 252", "memory.boot_stage"),
        ("stack = 2_048", "stack = 2_048\nconstants_origin = -1", "memory.constants_origin"),
        ("stack = 2_048", "stack = 2_048\nconstants_origin = 0xFFF0_0001", "memory.constants_origin"),
        ("clock_hz = 64_000_000", "clock_hz = 64_000_000\ncrystal_hz = 12_345", "crystal_hz"),
        ("clock_hz = 64_000_000", "clock_hz = true", "clock_hz"),
        ('soc = "nrf52840"', "soc = 5", "soc"),
        ("stack = 2_048", 'stack = 2_048\n[flash]\nmethods = "uf2"', "flash.methods"),
        ("stack = 2_048", 'stack = 2_048\n[flash]\nmethods = ["pyocd"]', "flash.pyocd_target"),
        (
            "stack = 2_048",
            'stack = 2_048\n[flash]\nmethods = ["jlink"]\njlink_device = 3',
            "flash.jlink_device",
        ),
        (
            "stack = 2_048",
            'stack = 2_048\n[flash]\nmethods = ["jlink"]\njlink_device = "x"\njlink_interface = "USB"',
            "flash.jlink_interface",
        ),
        (
            "stack = 2_048",
            'stack = 2_048\n[flash]\nmethods = ["uf2"]\nuf2_family = -1\nuf2_boards = ["a"]',
            "flash.uf2_family",
        ),
        ("stack = 2_048", "stack = 2_048\n[flash]\nuf2_family = 1", "uf2_family"),
        ("stack = 2_048", 'stack = 2_048\n[usb]\nconsole = ["239A:8029"]', "usb.console"),
        ("stack = 2_048", 'stack = 2_048\n[usb]\nbootloader = "239a:8029"', "usb.bootloader"),
        ("stack = 2_048", "stack = 2_048\n[usb]\nids = []", "usb.ids"),
    ],
)
def test_impossible_values(tmp_path: Path, old: str, new: str, where: str) -> None:
    assert old in GOOD
    with pytest.raises(TinycError) as caught:
        parse(tmp_path, GOOD.replace(old, new))
    assert where in {problem.where for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("core", "features", "good"),
    [
        ("cortex-m0", '"scalar"', True),
        ("cortex-m0", '"scalar", "fast_multiplier"', True),
        ("cortex-m0", '"dsp"', False),
        ("cortex-m0", '"scalar", "dwt"', False),
        ("cortex-m0plus", '"scalar"', True),
        ("cortex-m0plus", "", False),
        ("cortex-m4", '"dsp", "fpu", "dwt"', True),
        ("cortex-m4", '"dsp", "scalar"', False),
        ("cortex-m7", '"dsp", "fpu"', True),
        ("cortex-m33", '"scalar"', True),
        ("cortex-m33", '"dsp", "fpu", "dwt"', True),
        ("rv32imc", '"scalar", "fast_multiplier"', True),
        ("rv32imc", '"scalar", "fast_multiplier", "dwt"', False),
        ("host", "", True),
        ("host", '"dsp"', False),
    ],
)
def test_cores_and_their_features(tmp_path: Path, core: str, features: str, good: bool) -> None:
    text = GOOD.replace("cortex-m4", core).replace('["dsp"]', f"[{features}]")
    if good:
        parse(tmp_path, text)
        return
    with pytest.raises(TinycError) as caught:
        parse(tmp_path, text)
    assert {problem.where for problem in caught.value.problems} == {"features"}


def test_every_board_but_the_host_has_compiler_flags() -> None:
    for board in map(load_board, board_names()):
        if not board.is_host:
            assert board.instruction_set.zig and board.instruction_set.gcc


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    with pytest.raises(TinycError, match="cannot read the board file"):
        parse(tmp_path, "name = = 3")
