"""Flashing without a board: what is missing, what is chosen, what tools are told and if they are believed."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.command_line import tinyc
from support.flash_board import Usb, plugged
from support.smp_peer import FakeDevice, PeerLine, serial_port
from tinyc import programs
from tinyc.board_parts import FLASH_METHODS
from tinyc.boards import Board, board_names, load_board
from tinyc.errors import Disagreement, TinycError
from tinyc.flash import Job, JsonLines, flash, methods, platformio, ports, uf2
from tinyc.program import Deployment, Firmware, Sizes

pytestmark = pytest.mark.unit

IDENTITY, MODEL = (b"F" * 32).hex(), bytes(range(32)).hex()
# What a tool prints that only success has, where tinyc waits for it.
SAYS = {
    "adafruit-nrfutil": "Device programmed.",
    "bossac": "Write 4 bytes to flash\n[====] 100% (1/1 pages)",
    "esptool": "Hash of data verified.",
    "JLinkExe": "O.K.",
    "picotool": "",
    "pio": "=== [SUCCESS] Took 3.2 seconds ===",
    "pyocd": "",
    "stm32loader": "Verification OK",
}
Fake = Callable[..., Path]


@pytest.fixture(autouse=True)
def usb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[Usb]]:
    """No program, no drive and no port but those of the test."""
    empty = tmp_path / "bin"
    empty.mkdir()
    monkeypatch.setenv("PATH", f"{empty}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(programs.sys, "executable", str(empty / "python"))
    monkeypatch.setattr(uf2, "_MOUNTS", tmp_path / "mounts")
    attached: list[Usb] = []
    with plugged(attached):
        yield attached


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """A program that writes down its arguments, says what it is told to and ends as it is told to."""

    def make(name: str, says: str | None = None, status: int = 0, folder: Path | None = None) -> Path:
        path = (folder or tmp_path / "bin") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        words = SAYS[name] if says is None else says
        lines = ["#!/bin/sh", f'printf "%s\\n" "$@" > "{path}.args"', f"cat <<'END'\n{words}\nEND"]
        path.write_text("\n".join([*lines, f"exit {status}", ""]), encoding="utf-8")
        path.chmod(0o755)
        return path

    return make


def told(program: Path) -> list[str]:
    """The arguments of a program's last call."""
    return Path(f"{program}.args").read_text(encoding="utf-8").splitlines()


def job(tmp_path: Path, board: str | Board, **more: object) -> Job:
    folder = tmp_path / "build"
    (folder / ".tinyc").mkdir(parents=True, exist_ok=True)
    outputs = {kind: folder / f"firmware.{kind}" for kind in ("elf", "hex", "bin", "uf2")}
    for path in outputs.values():
        path.write_bytes(b"\0" * 512)
    sizes = Sizes(*range(8))
    toolchain = str(more.pop("toolchain", "zig"))
    firmware = Firmware(folder, outputs["elf"], outputs, sizes, toolchain, MODEL, IDENTITY)
    return Job(load_board(board) if isinstance(board, str) else board, firmware, **more)  # type: ignore[arg-type]


# Boards and methods.


def test_every_method_of_a_board_is_a_module() -> None:
    assert set(methods.METHODS) == FLASH_METHODS


def test_every_board_that_exists_can_be_flashed() -> None:
    made_up = {"host", "mps2_an386", "mps2_an500", "mps2_an505", "mps3_an547", "qemu_riscv32"}
    for name in board_names():
        board = load_board(name)
        assert bool(board.flashing.methods) == (name not in made_up)
        if not board.flashing.methods:
            with pytest.raises(TinycError, match="nothing to flash"):
                methods.check(board, None)


def test_a_method_that_the_board_has_not(tmp_path: Path) -> None:
    with pytest.raises(TinycError, match="not flashed by `stm32`") as caught:
        methods.choose(job(tmp_path, "nrf52840_bare"), "stm32")
    assert caught.value.allowed == "pyocd, jlink, platformio"


def test_all_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(TinycError, match="no way of flashing") as caught:
        methods.choose(job(tmp_path, "nrf52840_bare"), None)
    assert [problem.where for problem in caught.value.problems] == ["pyocd", "jlink", "platformio"]
    text = str(caught.value)
    for part in ("`pyocd` is not installed", "pip install pyocd", "`JLinkExe` is not installed", "registry"):
        assert part in text


def test_the_first_method_that_has_all_it_needs(tmp_path: Path, fake: Fake) -> None:
    fake("JLinkExe")
    assert methods.choose(job(tmp_path, "nrf52840_bare"), None)[0] == "jlink"
    fake("pyocd")
    assert methods.choose(job(tmp_path, "nrf52840_bare"), None)[0] == "pyocd"
    assert methods.choose(job(tmp_path, "nrf52840_bare"), "jlink")[0] == "jlink"


def test_a_drive_or_a_probe_chooses_the_method(tmp_path: Path, fake: Fake, usb: list[Usb]) -> None:
    fake("adafruit-nrfutil")
    usb.append(Usb("/dev/ttyACM0", 0x2886, 0x0044))
    assert methods.choose(job(tmp_path, "xiao_nrf52840"), None)[0] == "adafruit_dfu"
    with pytest.raises(TinycError, match=r"INFO_UF2\.TXT"):
        methods.choose(job(tmp_path, "xiao_nrf52840", drive=tmp_path), None)
    with pytest.raises(TinycError, match="uses what was named"):
        methods.choose(job(tmp_path, "xiao_nrf52840", probe="1"), None)


@pytest.mark.parametrize(
    ("board", "method", "hint"),
    [
        ("xiao_nrf52840", "uf2", "reset button twice"),
        ("xiao_nrf52840", "adafruit_dfu", "pip install adafruit-nrfutil"),
        ("netduinoplus2", "stm32", "pip install stm32loader"),
        ("nano33ble", "bossa", "Arduino's version"),
        ("nrf52840_bare", "pyocd", "pip install pyocd"),
        ("hifive1_revb", "jlink", "SEGGER"),
        ("microbit", "platformio", "--toolchain registry"),
        ("rpi_pico", "picotool", "apt install picotool"),
        ("esp32c3", "esptool", "pip install esptool"),
    ],
)
def test_what_is_missing_and_how_to_get_it(tmp_path: Path, board: str, method: str, hint: str) -> None:
    with pytest.raises(TinycError) as caught:
        methods.choose(job(tmp_path, board, port="/dev/x"), method)
    assert hint in caught.value.hint


def test_a_bootloader_that_does_not_show(tmp_path: Path, fake: Fake) -> None:
    fake("adafruit-nrfutil"), fake("bossac")
    for board, method in (("xiao_nrf52840", "adafruit_dfu"), ("nano33ble", "bossa")):
        with pytest.raises(TinycError, match="bootloader's serial port is not there") as caught:
            methods.choose(job(tmp_path, board, port="/dev/x"), method)
        assert "reset button twice" in caught.value.hint
        assert load_board(board).usb.bootloader[0] in caught.value.allowed


def test_a_firmware_file_that_is_gone(tmp_path: Path, fake: Fake) -> None:
    fake("pyocd")
    this = job(tmp_path, "nrf52840_bare")
    this.firmware.outputs["hex"].unlink()
    with pytest.raises(TinycError, match=r"no hex file"):
        methods.choose(this, "pyocd")


# Ports.


class Log:
    def __init__(self) -> None:
        self.deployments: list[Deployment] = []

    def record(self, deployment: Deployment) -> None:
        self.deployments.append(deployment)


def test_a_board_without_a_port_of_its_own_needs_one_named(tmp_path: Path) -> None:
    for board, pins in (("xiao_nrf52840", "P1.11"), ("nano33ble", "P1.03"), ("netduinoplus2", "PB6")):
        with pytest.raises(TinycError, match="no port is named") as caught:
            flash(job(tmp_path, board), Log(), print)
        assert pins in caught.value.hint and "--port" in caught.value.hint


def test_two_boards_must_be_told_apart(tmp_path: Path, fake: Fake, usb: list[Usb]) -> None:
    fake("pyocd")
    usb += [Usb(f"/dev/ttyACM{n}", 0x1366, 0x1051, str(n)) for n in range(2)]
    with pytest.raises(TinycError, match="several ports") as caught:
        flash(job(tmp_path, "nrf52840_bare"), Log(), print)
    assert "/dev/ttyACM0, /dev/ttyACM1" in caught.value.allowed


def test_a_debugger_with_two_ports_is_one_board(tmp_path: Path, fake: Fake, usb: list[Usb]) -> None:
    """Both ports are asked; one of them is the firmware's."""
    fake("pyocd")
    master, slave = os.openpty()
    try:
        with serial_port(PeerLine(FakeDevice())) as port:
            usb += [Usb(name, 0x1366, 0x1051, "7") for name in (os.ttyname(slave), port)]
            board = replace(load_board("nrf52840_bare"), name="fake")
            deployment = flash(job(tmp_path, board, timeout=20.0), Log(), print)
    finally:
        os.close(master), os.close(slave)
    assert deployment.port == port


# Tools that are not run for real here: what they are told, and whether they are believed.


def flashed(
    tmp_path: Path, board: str | Board, method: str, fake_port: bool = True, **more: object
) -> Deployment:
    """Flash by a fake tool a device that then says it runs the firmware."""
    found = replace(load_board(board) if isinstance(board, str) else board, name="fake")
    log = Log()
    with serial_port(PeerLine(FakeDevice())) as port:
        more = {key: port if value == "PORT" else value for key, value in more.items()}
        deployment = flash(job(tmp_path, found, port=port, **more), log, print, method)
    assert log.deployments == [deployment]
    assert (deployment.verified, deployment.method, deployment.port) == (True, method, port)
    assert (deployment.device, deployment.model, deployment.version) == ("0102030405060708", "adder", "1.2.3")
    return deployment


def test_pyocd_is_told(tmp_path: Path, fake: Fake) -> None:
    program = fake("pyocd")
    image = str(tmp_path / "build" / "firmware.hex")
    flashed(tmp_path, "nrf52840_bare", "pyocd")
    common = ["flash", "--target", "nrf52840", "--erase", "sector", "--no-wait"]
    assert told(program) == [*common, image]
    flashed(tmp_path, "nrf52840_bare", "pyocd", probe="remote:localhost:5555")
    assert told(program) == [*common, "--uid", "remote:localhost:5555", image]


@pytest.mark.parametrize(
    ("board", "device", "jtag"), [("nrf52840_bare", "nRF52840_xxAA", 0), ("hifive1_revb", "FE310", 1)]
)
def test_jlink_is_told(tmp_path: Path, fake: Fake, board: str, device: str, jtag: int) -> None:
    program = fake("JLinkExe")
    flashed(tmp_path, board, "jlink", probe="683")
    words = told(program)
    pairs = dict(zip(words[::2], words[1::2], strict=True))
    assert pairs["-Device"] == device and pairs["-If"] == ("JTAG" if jtag else "SWD")
    assert pairs["-ExitOnError"] == "1" and pairs["-USB"] == "683" and ("-JTAGConf" in pairs) == bool(jtag)


def test_bossac_is_told(tmp_path: Path, fake: Fake) -> None:
    """No offset: the bootloader adds that of applications itself."""
    program = fake("bossac")
    deployment = flashed(tmp_path, "nano33ble", "bossa", bootloader_port="PORT")
    binary = str(tmp_path / "build" / "firmware.bin")
    assert told(program) == [
        *(f"--port={deployment.port}", "--usb-port=true", "--info", "--erase", "--write", "--reset", binary),
    ]


def test_the_bossac_of_a_package_manager_comes_first(tmp_path: Path, fake: Fake) -> None:
    fake("bossac", says="Device unsupported", status=1)
    place = ".arduino15/packages/arduino/tools/bossac/1.9.1-arduino2"
    program = fake("bossac", folder=tmp_path / "home" / place)
    flashed(tmp_path, "nano33ble", "bossa", bootloader_port="PORT")
    assert "--write" in told(program)


@pytest.mark.parametrize("board", ["rpi_pico", "rpi_pico2"])
def test_picotool_is_told(tmp_path: Path, fake: Fake, board: str) -> None:
    program = fake("picotool")
    flashed(tmp_path, board, "picotool")
    assert told(program) == ["load", "--verify", "--execute", str(tmp_path / "build" / "firmware.uf2")]


def test_esptool_is_told(tmp_path: Path, fake: Fake) -> None:
    program = fake("esptool")
    deployment = flashed(tmp_path, "esp32c3", "esptool")
    binary = str(tmp_path / "build" / "firmware.bin")
    words = ["--chip", "esp32c3", "--port", deployment.port, "write-flash", "0x0", binary]
    assert told(program) == words


def test_platformio_is_told(tmp_path: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    program = fake("pio")
    monkeypatch.setattr(platformio.sys, "executable", str(program))
    flashed(tmp_path, "microbit", "platformio", toolchain="registry")
    words = ["-m", "platformio", "run", "--project-dir", str(tmp_path / "build"), "--environment", "fake"]
    assert told(program) == [*words, "--disable-auto-clean", "--target", "upload"]


def test_the_other_tools_are_told(tmp_path: Path, fake: Fake) -> None:
    program = fake("adafruit-nrfutil")
    deployment = flashed(tmp_path, "xiao_nrf52840", "adafruit_dfu", bootloader_port="PORT")
    words = told(program)
    assert words[:2] == ["dfu", "serial"] and words[words.index("--port") + 1] == deployment.port
    program = fake("stm32loader")
    deployment = flashed(tmp_path, "netduinoplus2", "stm32")
    words = told(program)
    expected = {"--parity": "even", "--address": "0x8000000", "--go-address": "0x8000000"}
    assert all(words[words.index(key) + 1] == value for key, value in expected.items())
    assert {"--erase", "--write", "--verify"} <= set(words) and words[-1].endswith("firmware.bin")


@pytest.mark.parametrize(
    ("board", "method", "tool"),
    [
        ("nrf52840_bare", "pyocd", "pyocd"),
        ("nrf52840_bare", "jlink", "JLinkExe"),
        ("nano33ble", "bossa", "bossac"),
        ("xiao_nrf52840", "adafruit_dfu", "adafruit-nrfutil"),
        ("netduinoplus2", "stm32", "stm32loader"),
        ("rpi_pico", "picotool", "picotool"),
    ],
)
def test_tools_that_fail_or_do_not_say_that_they_succeeded(
    tmp_path: Path, fake: Fake, board: str, method: str, tool: str
) -> None:
    fake(tool, says="one\n\ntwo\nthe reason", status=3)
    with pytest.raises(TinycError, match="failed with status 3\none\ntwo\nthe reason") as caught:
        flashed(tmp_path, board, method, bootloader_port="PORT")
    assert caught.value.hint or method == "adafruit_dfu"
    if SAYS[tool]:
        fake(tool, says="nothing of interest")
        with pytest.raises(TinycError, match="never said"):
            flashed(tmp_path, board, method, bootloader_port="PORT")


# What the device says afterwards.


@pytest.mark.parametrize(
    ("lie", "where"),
    [({"board": "other"}, "board"), ({"firmware": b"G" * 32}, "firmware"), ({"model": bytes(32)}, "model")],
)
def test_a_device_that_disagrees(tmp_path: Path, fake: Fake, lie: dict[str, object], where: str) -> None:
    fake("pyocd")
    board, log = replace(load_board("nrf52840_bare"), name="fake"), Log()
    with serial_port(PeerLine(FakeDevice(lies=lie))) as port, pytest.raises(Disagreement) as caught:
        flash(job(tmp_path, board, port=port), log, print)
    assert [problem.where for problem in caught.value.problems] == [where]
    assert caught.value.exit_code == 4 and log.deployments == []


def test_a_device_that_says_nothing(tmp_path: Path, fake: Fake) -> None:
    fake("pyocd")
    with pytest.raises(TinycError, match=r"does not answer within 0\.2 s \(/dev/no-such did not come back\)"):
        flash(job(tmp_path, "nrf52840_bare", port="/dev/no-such", timeout=0.2), Log(), print)
    with pytest.raises(TinycError, match="any port of the board did not come back"):
        flash(job(tmp_path, "nrf52840_bare", timeout=0.2), Log(), print)


@pytest.mark.parametrize("serial", ["7", None])
def test_a_port_under_another_name_is_known_by_its_number_or_its_id(
    tmp_path: Path, fake: Fake, usb: list[Usb], serial: str | None
) -> None:
    """A port of the same kind that was there before is somebody else's."""
    program, log = fake("pyocd"), Log()
    old, other = tmp_path / "ttyACM0", Usb("/dev/no-such", 0x1234, 0x5678, "8")
    old.touch()
    usb += [Usb(str(old), 0x1234, 0x5678, serial), other]
    board = replace(load_board("nrf52840_bare"), name="fake")
    with serial_port(PeerLine(FakeDevice())) as port:

        def say(step: str) -> None:
            if Path(f"{program}.args").exists():
                old.unlink(missing_ok=True)
                usb[:] = [other, Usb(port, 0x1234, 0x5678, serial)]

        # The port is only a file, which nobody can open: it is not asked for before it is gone.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ports, "require_free", lambda name: None)
            deployment = flash(job(tmp_path, board, port=str(old)), log, say)
    assert deployment.port == port


@pytest.mark.parametrize("goes", [True, False])
def test_a_drive_that_goes_before_the_system_has_written_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, goes: bool
) -> None:
    drive = tmp_path / "drive"
    drive.mkdir()
    (drive / "INFO_UF2.TXT").write_text("Board-ID: Seeed_XIAO_nRF52840\r\n")

    def fails(descriptor: int) -> None:
        if goes:
            shutil.rmtree(drive)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(uf2.os, "fsync", fails)
    if goes:
        flashed(tmp_path, "xiao_nrf52840", "uf2", drive=drive)
        return
    with pytest.raises(TinycError, match="still there: Input/output error"):
        flashed(tmp_path, "xiao_nrf52840", "uf2", drive=drive, timeout=0.1)


def test_drives_with_the_same_bootloader_must_be_told_apart(tmp_path: Path) -> None:
    lines = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "INFO_UF2.TXT").write_text("Board-ID: Seeed_XIAO_nRF52840\r\n")
        lines.append(f"/dev/sd{name} {tmp_path / name} vfat rw 0 0\n")
    (tmp_path / "mounts").write_text("".join(lines))
    with pytest.raises(TinycError, match="several drives") as caught:
        methods.choose(job(tmp_path, "xiao_nrf52840"), "uf2")
    assert str(tmp_path / "one") in caught.value.allowed and "--drive" in caught.value.hint


# Writing down.


def test_the_log_gets_a_line_for_each_deployment(tmp_path: Path) -> None:
    this = job(tmp_path, "nrf52840_bare")
    at = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    deployment = Deployment(
        "0011", "nrf52840_bare", "kws", "1.0.0", this.firmware, "pyocd", "/dev/ttyACM0", True, at
    )
    log = JsonLines(this.firmware.folder)
    log.record(deployment)
    log.record(replace(deployment, device="0022"))
    first, second = map(json.loads, log.path.read_text(encoding="utf-8").splitlines())
    assert first["at"] == "2026-03-04T05:06:07+00:00" and first["firmware"] == IDENTITY
    assert (first["device"], second["device"]) == ("0011", "0022")
    log.path.unlink()
    log.path.mkdir()
    with pytest.raises(TinycError, match="cannot be written down"):
        log.record(deployment)


# Programs.


def test_a_program_that_does_not_end_is_ended(tmp_path: Path) -> None:
    late = tmp_path / "late"
    script = f"(while :; do sleep 0.05; echo x >> '{late}'; done) & wait"
    with pytest.raises(TinycError, match=r"`?sh`? did not end within 0\.3 s"):
        programs.run(["/bin/sh", "-c", script], 0.3)
    size = late.stat().st_size
    programs.run(["/bin/sleep", "0.2"], 5)
    assert late.stat().st_size == size


def test_a_program_that_cannot_start(tmp_path: Path) -> None:
    with pytest.raises(TinycError, match="cannot start nothing"):
        programs.run([str(tmp_path / "nothing")], 1)


def test_the_end_of_the_output() -> None:
    done = programs.Done(0, "a\r\nb\n\n  \nc  \n")
    assert done.tail() == "a\nb\nc" and done.tail(1) == "c"


# The command line.


def test_what_cannot_be_flashed_is_not_built(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(b"")
    said = tinyc("flash", model, "--board", "host")
    assert said.code == 1 and "nothing to flash" in said.stderr
    said = tinyc("flash", model, "--board", "nrf52840_bare", "--method", "uf2")
    assert said.code == 1 and "pyocd, jlink, platformio" in said.stderr
