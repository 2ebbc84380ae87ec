"""The bootloader in the ROM of an STM32 (AN3155), by the program `stm32loader`.

The program is under the GPL: it is run, never imported. It erases the whole chip: its pages are not
the sectors of an STM32F4.
"""

from __future__ import annotations

from pathlib import Path

from tinyc.errors import TinycError
from tinyc.flash import ports, tools
from tinyc.flash.job import Job, Say

_PROGRAM = "stm32loader"
_HOW = "pip install stm32loader"
_HINT = (
    "connect BOOT0 to 3.3 V, press reset and try again; the ROM listens on pins of its own, "
    "which the chip's data sheet and ST's AN2606 name"
)


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
    say(f"erasing the chip, writing and reading back through {port} with {_PROGRAM}")
    tools.run(
        command(program, job.output("bin"), port, job.board.memory.application_origin),
        proof="Verification OK",
        hint=_HINT,
    )


def command(program: Path, binary: Path, port: str, origin: int) -> list[str | Path]:
    line = ["--port", port, "--baud", "115200", "--parity", "even", "--no-progress"]
    work = ["--erase", "--write", "--verify", "--address", f"{origin:#x}", "--go-address", f"{origin:#x}"]
    return [program, *line, *work, binary]


def _port(job: Job) -> str:
    port = job.bootloader_port or job.port
    if port is None:
        raise TinycError(
            "no port is named at which the chip's ROM listens",
            hint="connect a serial adapter and name its port with --port, or --bootloader-port",
        )
    return port
