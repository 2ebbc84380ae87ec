"""PlatformIO's own upload, with whatever its public platform has for the board.

It takes a project built with `--toolchain registry`. Some platforms report success for an upload that
failed: only the firmware's own answer counts.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tinyc.errors import TinycError
from tinyc.flash import ports, tools
from tinyc.flash.job import Job, Say

TOOLCHAIN = "registry"


def missing(job: Job) -> TinycError | None:
    if job.firmware.toolchain != TOOLCHAIN:
        return TinycError(
            f"PlatformIO uploads only what it builds itself, not a build of `{job.firmware.toolchain}`",
            hint=f"name a model, not a build folder, and --method platformio or --toolchain {TOOLCHAIN}",
        )
    return None


def write(job: Job, say: Say) -> None:
    if job.bootloader_port is not None:
        ports.require_free(job.bootloader_port)
    say("handing the project to PlatformIO")
    tools.run(
        command(job.firmware.folder, job.board.name, job.bootloader_port),
        proof="SUCCESS",
        hint="the project is plain PlatformIO: `pio run -v -t upload` in its folder shows every command",
    )


def command(folder: Path, environment: str, port: str | None) -> list[str | Path]:
    words: list[str | Path] = [sys.executable, "-m", "platformio", "run", "--project-dir", folder]
    words += ["--environment", environment, "--disable-auto-clean", "--target", "upload"]
    return words if port is None else [*words, "--upload-port", port]
