"""The ways of flashing by name, and the choice among those of a board."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tinyc.boards import Board
from tinyc.errors import Problem, TinycError
from tinyc.flash import adafruit_dfu, bossa, esptool, jlink, picotool, platformio, pyocd, smp, stm32, uf2
from tinyc.flash.job import Job, Method

# To add one: a module with `missing` and `write`, its line here, its name in `board_parts.FLASH_METHODS`.
METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "adafruit_dfu": adafruit_dfu,
        "bossa": bossa,
        "esptool": esptool,
        "jlink": jlink,
        "picotool": picotool,
        "platformio": platformio,
        "pyocd": pyocd,
        "smp": smp,
        "stm32": stm32,
        "uf2": uf2,
    }
)
_WITH_DRIVE = ("uf2",)
_WITH_PROBE = ("pyocd", "jlink")


def check(board: Board, name: str | None) -> None:
    """Raise TinycError when the board cannot be flashed at all, or not by the method `name`."""
    methods = board.flashing.methods
    if not methods:
        raise TinycError(
            f"board `{board.name}` exists only on this machine: there is nothing to flash",
            hint="`tinyc run` and `tinyc verify` run its firmware here",
        )
    if name is not None and name not in methods:
        raise TinycError(
            f"board `{board.name}` is not flashed by `{name}`",
            where="--method",
            allowed=", ".join(methods),
        )


def choose(job: Job, name: str | None) -> tuple[str, Method]:
    """The method called `name`, else the board's first one that has all it needs.

    A drive or a probe that is named leaves only the methods that use it.
    Raises TinycError that says of every method what is missing.
    """
    check(job.board, name)
    if name is not None:
        error = METHODS[name].missing(job)
        if error is not None:
            raise error
        return name, METHODS[name]
    fit = [each for each in job.board.flashing.methods if _uses(each, job)]
    problems = []
    for each in fit:
        error = METHODS[each].missing(job)
        if error is None:
            return each, METHODS[each]
        if len(fit) == 1:
            raise error
        problems.append(Problem(each, error.what, error.hint))
    what = "uses what was named" if not fit else "can be used now"
    raise TinycError(
        f"no way of flashing board `{job.board.name}` {what}",
        allowed=", ".join(job.board.flashing.methods),
        problems=problems,
    )


def _uses(name: str, job: Job) -> bool:
    return (job.drive is None or name in _WITH_DRIVE) and (job.probe is None or name in _WITH_PROBE)
