"""The firmware's SMP server with a learner behind it, compiled for this machine.

The model is the stand-in of `smp_device`: its output is the input and one more, and the first 60 bytes of
it are the latent. Flash is simulated, and empty at each start.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from select import select
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from support import learners, smp_device
from support.learners import Case
from tinyc.emit.environment import render
from tinyc.learning.emit import GROUP, TargetView, head_sources, head_texts, plain_texts
from tinyc.learning.learner import Learner
from tinyc.resources import data_folder
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached

LATENT = 60
VIEW = replace(smp_device.VIEW, learn=True, tap=0)
# An autoencoder gives back the first input.
SCALE, ZERO_POINT = 0.125, -3
TARGET = TargetView(smp_device.INPUTS[0][0], f"{SCALE}f", ZERO_POINT)
TESTS = Path(__file__).parent.parent


def texts(of: Case, buffer: int) -> dict[str, str]:
    """The C files, without one that has the serial port and `main`."""
    made = smp_device.texts(buffer, VIEW)
    target = TARGET if of.design.kind == "autoencoder" else None
    macros, tables = of.safety.macros(of.design), of.safety.tables(of.design)
    made |= head_texts(of.design, macros=macros, tables=tables, target=target)
    made |= head_sources(of.design) | plain_texts((*of.safety.sources(), *GROUP))
    boot = data_folder("firmware_templates") / "bootloader"
    for name in ("crc32.c", "crc32.h", "flash.h"):
        made[name] = (boot / name).read_text(encoding="utf-8")
    page = of.safety.region.page if of.safety.region else 1024
    made["slots.h"] = f"#define SLOT_PAGE_BYTES {page}u\n#define SLOT_PRIMARY {page}u\n"
    for name in ("flash_sim.c", "flash_sim.h"):
        made[name] = (TESTS / "support" / name).read_text(encoding="utf-8")
    return made


def flags(of: Case) -> tuple[str, ...]:
    """What the simulated flash has to know."""
    region = of.safety.region or learners.Region(1024, 1024, 2)
    return ("-DFLASH_SIMULATED", f"-DFLASH_SIM_BYTES={region.origin + region.page * region.pages}u")


def compiled(compiler: HostCompiler, of: Case, buffer: int = 2048) -> Path:
    """The server as a program between standard input and output."""
    made = texts(of, buffer)
    made["smp_main.c"] = (TESTS / "host" / "smp_main.c").read_text(encoding="utf-8")
    made["main.c"] = render("runtime/main.c.j2", view=VIEW)
    how = (*WARNINGS, "-Wshadow", "-O1", "-g", *compiler.sanitizer_flags(), *flags(of))
    return compile_cached(compiler, made, how, "learn_server")


def case(kind: str = "slda", **more: object) -> Case:
    """A head for the stand-in's latent."""
    return learners.case(kind, latent=LATENT, **more)  # type: ignore[arg-type]


def twin(of: Case) -> Learner:
    """The twin of the server's learner, on empty flash."""
    region = of.safety.region
    flash = None if region is None else bytearray(b"\xff" * (region.page * region.pages))
    return Learner(of.design, of.safety, flash)


def model_input(latent: npt.NDArray[np.int8]) -> bytes:
    """The input for which the stand-in gives this latent."""
    return (latent.astype(np.int32) - 1).astype(np.int8).tobytes()


class Line:
    """A transport to the server as it runs."""

    def __init__(self, program: Path) -> None:
        self._server = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )

    def write(self, data: bytes) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(data)

    def read(self, size: int, timeout: float) -> bytes:
        assert self._server.stdout is not None
        ready, _, _ = select([self._server.stdout], [], [], timeout)
        return os.read(self._server.stdout.fileno(), size) if ready else b""

    def close(self) -> None:
        """End the server. What its sanitizers have found fails the test."""
        _, said = self._server.communicate(timeout=60)
        assert self._server.returncode == 0, said.decode(errors="replace")[-4000:]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._server.kill()
            self._server.communicate()
            return
        self.close()


def asked(program: Path, messages: Iterable[bytes]) -> smp_device.Heard:
    """Send messages to a fresh server and hear it out."""
    return smp_device.exchange(program, (smp_device.frame(data) for data in messages))
