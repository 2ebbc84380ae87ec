"""Flashing from the first look at the ports to the verified deployment."""

from __future__ import annotations

from tinyc.boards import Board
from tinyc.flash import methods, ports, smp, verify
from tinyc.flash.job import Job, Say
from tinyc.flash.log import DeploymentLog, record
from tinyc.program import Deployment


def check(board: Board, port: str | None, method: str | None) -> None:
    """Raise TinycError when it is clear without a firmware that the board cannot be flashed."""
    methods.check(board, method)
    ports.console(board, port)


def flash(job: Job, log: DeploymentLog, say: Say, method: str | None = None) -> Deployment:
    """Write the firmware, wait for the board, ask it who it is, and write the deployment down.

    `method` is one of the board's, by default its first that has all it needs. Raises TinycError for
    anything that is missing, fails or never answers, and Disagreement for a device that runs
    something else. Nothing is recorded then.
    """
    check(job.board, job.port, method)
    back = verify.Reconnection(job)
    name, chosen = methods.choose(job, method)
    console = ports.console(job.board, job.port)
    if console is not None and ports.there(console):
        ports.require_free(console)
    chip = smp.chip(job) if name == "smp" else None
    say(f"flashing {job.board.title} by `{name}`")
    chosen.write(job, say)
    say("waiting for the firmware to answer")
    found = back.wait()
    hello = found.hello
    assert hello is not None
    # The bootloader's upload brings the firmware alone: a model of its own stays where it is.
    own_model = name == "smp" and hello.capacity is not None
    verify.compare(job, hello, model=not own_model)
    if own_model and hello.digest != job.firmware.digest:
        say("the model in its slot stays: `tinyc flash --model-only` sends the one of this build")
    verify.same_chip(chip, hello)
    if hello.boot is not None:
        smp.settle(job, found.port.name, say)
    return record(log, job, hello, name, found.port.name)
