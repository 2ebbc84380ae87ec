"""The bootloader in the ROM of an ESP32, by the program `esptool`."""

from __future__ import annotations

from pathlib import Path

from tinyc.errors import TinycError
from tinyc.flash import ports, tools
from tinyc.flash.job import Job, Say

_PROGRAM = "esptool"
_HOW = "pip install esptool"


def missing(job: Job) -> TinycError | None:
    try:
        tools.need(_PROGRAM, _HOW)
        job.output("bin")
        _port(job)
    except TinycError as error:
        return error
    return None


def write(job: Job, say: Say) -> None:
    program, port = tools.need(_PROGRAM, _HOW), _port(job)
    ports.require_free(port)
    say(f"writing the firmware through {port} with {_PROGRAM}")
    flashing = job.board.flashing
    hint = "hold the BOOT button while you press reset, then try again"
    words = command(program, job.output("bin"), port, flashing.esptool_chip, flashing.esptool_address)
    tools.run(words, proof="Hash of data verified", hint=hint)


def command(program: Path, binary: Path, port: str, chip: str, address: int) -> list[str | Path]:
    return [program, "--chip", chip, "--port", port, "write-flash", f"{address:#x}", binary]


def _port(job: Job) -> str:
    port = ports.bootloader(job) or ports.console(job.board, job.port)
    if port is None:
        raise TinycError("the board's serial port is not there", hint="name it with --port")
    return port
