"""`tinyc flash` with real tools, bootloaders in Python, and chips that boot in the emulator."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from support import serial_dfu, stm32_rom, tflite_writer
from support.classifiers import small_classifier
from support.command_line import Said, tinyc
from support.flash_board import FlashBoard, Usb, plugged
from support.serial_dfu import SerialDfu
from support.stm32_rom import Stm32Rom
from support.uf2_drive import Uf2Drive
from tinyc import programs
from tinyc.artifact import open_artifact
from tinyc.boards import load_board
from tinyc.device.transport import SerialTransport
from tinyc.flash import ports, uf2
from tinyc.toolchain.elf import read_elf

pytestmark = pytest.mark.emulated

XIAO, NETDUINO = load_board("xiao_nrf52840"), load_board("netduinoplus2")
MODEM_LINES = Path(__file__).resolve().parent.parent / "support" / "modem_lines"
UF2_BOARD = "Seeed_XIAO_nRF52840"


def need(program: str) -> None:
    """Skip the test, by name, where a flashing program is not installed."""
    if programs.find(program) is None:
        pytest.skip(f"{program} is not installed")


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], Path]:
    """(board, seed) → build folder of a small model; each is built once."""
    folder, built = tmp_path_factory.mktemp("builds"), dict[tuple[str, int], Path]()

    def of(board: str, seed: int = 1) -> Path:
        if (board, seed) not in built:
            model, out = folder / f"net{seed}.tflite", folder / f"{board}-{seed}"
            model.write_bytes(tflite_writer.write(small_classifier(np.random.default_rng(seed))))
            said = tinyc("build", model, "--board", board, "--out", out)
            assert said.code == 0, said.stderr
            built[board, seed] = out
        return built[board, seed]

    return of


@pytest.fixture(autouse=True)
def no_other_ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Usb]]:
    """The machine has the ports that a test plugs in, and pseudo-terminals have modem lines."""
    paths = [str(MODEM_LINES), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setattr(ports, "_TOUCH_SECONDS", 0.3)
    attached: list[Usb] = []
    with plugged(attached):
        yield attached


def flash(build_folder: Path, *arguments: object) -> Said:
    return tinyc("flash", build_folder, "--json", *arguments)


def recorded(build_folder: Path) -> list[dict[str, object]]:
    path = build_folder / ".tinyc" / "deployments.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def identity_offset(build_folder: Path) -> int:
    """Where in the image the firmware's own digest lies."""
    found = open_artifact(build_folder)
    data = found.firmware.outputs["bin"].read_bytes()
    return data.index(bytes.fromhex(found.firmware.identity))


def is_verified(said: Said, folder: Path, board: FlashBoard, method: str) -> None:
    """The command says so, wrote it down, and flash holds the firmware and nothing else."""
    assert said.code == 0, said.stderr
    found = open_artifact(folder)
    told = said.json
    assert (told["verified"], told["method"], told["port"]) == (True, method, board.path)
    assert (told["board"], told["model"]) == (board.board.name, found.program.name)
    assert (told["firmware"], told["digest"]) == (found.firmware.identity, found.program.digest)
    assert len(told["device"]) == 16
    assert recorded(folder)[-1] == told
    image = read_elf(found.elf)
    for segment in image.segments:
        assert board.read(segment.load_address, len(segment.data)) == segment.data


# Serial DFU of Adafruit's bootloader, by the real adafruit-nrfutil.


def dfu(board: FlashBoard, folder: Path, *more: object) -> Said:
    named = ("--method", "adafruit_dfu", "--port", board.path, "--bootloader-port", board.path)
    return flash(folder, *named, *more)


def test_adafruit_dfu(build: Callable[..., Path]) -> None:
    need("adafruit-nrfutil")
    folder, loader = build(XIAO.name), SerialDfu(touch_first=True)
    with FlashBoard(XIAO, loader) as board:
        said = dfu(board, folder)
        is_verified(said, folder, board, "adafruit_dfu")
    size = open_artifact(folder).firmware.outputs["bin"].stat().st_size
    assert loader.touched and loader.refusal is None
    middle = [serial_dfu.DATA] * -(-size // serial_dfu.LARGEST_DATA)
    assert loader.packets == [serial_dfu.START, serial_dfu.INIT, *middle, serial_dfu.STOP]
    assert "touching" in said.stderr and "waiting for the firmware to answer" in said.stderr


@pytest.mark.parametrize("kind", [serial_dfu.START, serial_dfu.DATA, serial_dfu.STOP])
def test_a_bootloader_that_falls_silent_is_an_error(build: Callable[..., Path], kind: int) -> None:
    need("adafruit-nrfutil")
    folder = build(XIAO.name)
    before = recorded(folder)
    with FlashBoard(XIAO, SerialDfu(silent_at=kind)) as board:
        said = dfu(board, folder, "--timeout", "2")
    assert said.code == 1 and "adafruit-nrfutil" in said.stderr, said.stderr
    assert "No data received" in said.stderr and "reset button twice" in said.stderr
    assert recorded(folder) == before


def test_a_byte_that_is_stored_wrongly_disagrees(build: Callable[..., Path]) -> None:
    need("adafruit-nrfutil")
    folder = build(XIAO.name)
    before = recorded(folder)
    with FlashBoard(XIAO, SerialDfu(damage={identity_offset(folder): 0})) as board:
        said = dfu(board, folder)
    assert said.code == 4 and "does not run the firmware that was flashed" in said.stderr
    assert "00" in said.stderr and recorded(folder) == before


def test_a_board_that_never_comes_back(build: Callable[..., Path]) -> None:
    need("adafruit-nrfutil")
    folder = build(XIAO.name)
    with FlashBoard(XIAO, SerialDfu(vanish=True)) as board:
        said = dfu(board, folder, "--timeout", "2")
    assert said.code == 1 and "does not answer within 2 s" in said.stderr and "no answer" in said.stderr


def test_a_tool_that_claims_success_and_writes_nothing(
    build: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = build(XIAO.name, 2), build(XIAO.name)
    tool = tmp_path / "adafruit-nrfutil"
    tool.write_text("#!/bin/sh\necho Device programmed.\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with FlashBoard(XIAO) as board:
        board.install(open_artifact(old).elf)
        board.boot()
        said = dfu(board, new)
    assert said.code == 4, said.stderr
    identities = [open_artifact(folder).firmware.identity[:16] for folder in (old, new)]
    assert all(identity in said.stderr for identity in identities)


def test_the_port_comes_back_under_another_name(
    build: Callable[..., Path], tmp_path: Path, no_other_ports: list[Usb]
) -> None:
    """The application's port goes, the bootloader's comes, and then the application's with a new name."""
    need("adafruit-nrfutil")
    folder, names = build(XIAO.name), [tmp_path / f"tty{n}" for n in range(3)]

    def show(board: FlashBoard, number: int, product: int) -> None:
        for name in names:
            name.unlink(missing_ok=True)
        names[number].symlink_to(board.path)
        no_other_ports[:] = [Usb(str(names[number]), 0x2886, product, "0123")]

    class Renaming(SerialDfu):
        def __call__(self, board: FlashBoard) -> bool:
            board.line.wait_for_touch()
            no_other_ports.clear()
            names[0].unlink()
            show(board, 1, 0x0044)
            done = super().__call__(board)
            show(board, 2, 0x8044)
            return done

    with FlashBoard(XIAO, Renaming()) as board:
        show(board, 0, 0x8044)
        said = flash(folder, "--method", "adafruit_dfu", "--port", names[0])
        assert said.code == 0, said.stderr
    assert said.json["port"] == str(names[2])


# A UF2 drive.


def test_uf2_found_by_itself(
    build: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also: of two methods the board's first one, for the drive is there and no bootloader's port is."""
    folder, drive = build(XIAO.name), Uf2Drive(tmp_path / "media" / "XIAO BOOT", UF2_BOARD)
    mounts = tmp_path / "mounts"
    escaped = str(drive.folder).replace(" ", r"\040")
    mounts.write_text(f"proc /proc proc rw 0 0\n/dev/sdb {escaped} vfat rw 0 0\n/dev/sda / ext4 rw 0 0\n")
    monkeypatch.setattr(uf2, "_MOUNTS", mounts)
    drive.plug()
    with FlashBoard(XIAO, drive) as board:
        said = flash(folder, "--port", board.path)
        is_verified(said, folder, board, "uf2")
    assert drive.blocks == open_artifact(folder).firmware.outputs["uf2"].stat().st_size // 512
    assert not drive.folder.exists()


def test_uf2_after_a_touch(
    build: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_other_ports: list[Usb],
) -> None:
    """An application with USB runs: touching its port brings the drive."""
    folder = build(XIAO.name)
    drive = Uf2Drive(tmp_path / "XIAO", UF2_BOARD, touch_first=True)
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sdb {drive.folder} vfat rw 0 0\n")
    monkeypatch.setattr(uf2, "_MOUNTS", mounts)
    with FlashBoard(XIAO, drive) as board:
        no_other_ports.append(Usb(board.path, 0x2886, 0x8044))
        said = flash(folder, "--port", board.path)
        is_verified(said, folder, board, "uf2")
    assert "touching" in said.stderr


def test_uf2_that_ends_up_with_another_firmware(build: Callable[..., Path], tmp_path: Path) -> None:
    old, new = build(XIAO.name, 2), build(XIAO.name)
    other = open_artifact(old).firmware.outputs["uf2"].read_bytes()
    drive = Uf2Drive(tmp_path / "drive", UF2_BOARD, instead=other)
    drive.plug()
    with FlashBoard(XIAO, drive) as board:
        said = flash(new, "--port", board.path, "--drive", drive.folder)
    assert said.code == 4 and open_artifact(old).firmware.identity[:16] in said.stderr


def test_uf2_that_is_not_taken(build: Callable[..., Path], tmp_path: Path) -> None:
    drive = Uf2Drive(tmp_path / "drive", UF2_BOARD, ignore=True)
    drive.plug()
    with FlashBoard(XIAO, drive) as board:
        said = flash(build(XIAO.name), "--port", board.path, "--drive", drive.folder, "--timeout", "1")
    assert said.code == 1 and "did not take the firmware" in said.stderr


@pytest.mark.parametrize(
    ("board_id", "words"),
    [("SAMD21-Other", "another board, `SAMD21-Other`"), (None, "INFO_UF2.TXT")],
)
def test_drives_of_others_are_left_alone(
    build: Callable[..., Path], tmp_path: Path, board_id: str | None, words: str
) -> None:
    folder = tmp_path / "drive"
    if board_id is None:
        folder.mkdir()
    else:
        Uf2Drive(folder, board_id).plug()
    files = sorted(folder.iterdir())
    with FlashBoard(XIAO) as board:
        said = flash(build(XIAO.name), "--port", board.path, "--drive", folder)
    assert said.code == 1 and words in said.stderr
    assert sorted(folder.iterdir()) == files


# The ROM of an STM32, by the real stm32loader.


def test_stm32(build: Callable[..., Path]) -> None:
    need("stm32loader")
    folder, rom = build(NETDUINO.name), Stm32Rom()
    with FlashBoard(NETDUINO, rom) as board:
        board.write(0x0800_4000, b"old content")
        said = flash(folder, "--port", board.path)
        is_verified(said, folder, board, "stm32")
        size = len(open_artifact(folder).firmware.outputs["bin"].read_bytes())
        assert set(board.flash[size + 3 :]) == {0xFF}
    assert rom.start == NETDUINO.memory.application_origin
    assert rom.commands.count(stm32_rom.WRITE) == rom.commands.count(stm32_rom.READ) == -(-size // 256)


def test_stm32_that_stores_a_byte_wrongly(build: Callable[..., Path]) -> None:
    need("stm32loader")
    with FlashBoard(NETDUINO, Stm32Rom(damage={1000: 0x5A})) as board:
        said = flash(build(NETDUINO.name), "--port", board.path, "--timeout", "1")
    assert said.code == 1 and "Verification FAILED" in said.stderr


@pytest.mark.parametrize("command", [stm32_rom.ERASE, stm32_rom.WRITE, stm32_rom.GO])
def test_stm32_that_refuses(build: Callable[..., Path], command: int) -> None:
    need("stm32loader")
    rom = Stm32Rom(refuse=command)
    with FlashBoard(NETDUINO, rom) as board:
        said = flash(build(NETDUINO.name), "--port", board.path, "--timeout", "1")
    assert rom.commands[-1] == command
    assert said.code == 1 and "`stm32loader` failed" in said.stderr and "BOOT0" in said.stderr


def test_stm32_that_never_comes_back(build: Callable[..., Path]) -> None:
    need("stm32loader")
    with FlashBoard(NETDUINO, Stm32Rom(vanish=True)) as board:
        said = flash(build(NETDUINO.name), "--port", board.path, "--timeout", "1")
    assert said.code == 1 and "does not answer within 1 s" in said.stderr


# Build folders.


def test_a_build_that_does_not_say_its_digest(build: Callable[..., Path], tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(build(XIAO.name), folder)
    report = json.loads((folder / "report.json").read_text())
    assert report.pop("firmware") == open_artifact(folder).firmware.identity
    (folder / "report.json").write_text(json.dumps(report))
    said = flash(folder, "--port", "/dev/no-such")
    assert said.code == 1 and "earlier tinyc" in said.stderr and "tinyc build" in said.stderr


def test_what_is_flashed_is_built_first(build: Callable[..., Path], tmp_path: Path) -> None:
    """A model instead of a build folder: the deployment is written down beside its build."""
    model = tmp_path / "net1.tflite"
    model.write_bytes(tflite_writer.write(small_classifier(np.random.default_rng(1))))
    (tmp_path / "tinyc.toml").write_text('[model]\npath = "net1.tflite"\n')
    drive = Uf2Drive(tmp_path / "drive", UF2_BOARD)
    drive.plug()
    with FlashBoard(XIAO, drive) as board:
        named = ("--board", XIAO.name, "--port", board.path, "--drive", drive.folder)
        said = flash(tmp_path, *named)
        assert said.code == 0, said.stderr
    assert recorded(tmp_path / "build" / XIAO.name) == [said.json]
    assert open_artifact(build(XIAO.name)).firmware.digest == said.json["digest"]


# Owners of a port.


def test_a_port_that_another_program_has(build: Callable[..., Path], tmp_path: Path) -> None:
    drive = Uf2Drive(tmp_path / "drive", UF2_BOARD)
    drive.plug()
    with FlashBoard(XIAO, drive) as board, SerialTransport(board.path):
        said = flash(build(XIAO.name), "--port", board.path, "--drive", drive.folder)
    assert said.code == 1 and "another program has the port open" in said.stderr
    assert [path.name for path in drive.folder.iterdir()] == ["INFO_UF2.TXT"]


def test_two_flashes_are_both_written_down(build: Callable[..., Path], tmp_path: Path) -> None:
    folder = build(XIAO.name)
    before = len(recorded(folder))
    for number in range(2):
        drive = Uf2Drive(tmp_path / str(number), UF2_BOARD)
        drive.plug()
        with FlashBoard(XIAO, drive) as board:
            assert flash(folder, "--port", board.path, "--drive", drive.folder).code == 0
    assert len(recorded(folder)) == before + 2
