"""Boards: one TOML file each under `boards/`, validated on load."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyc.errors import Problem, TinycError
from tinyc.resources import data_folder

FEATURES = frozenset({"dsp", "fpu", "dwt"})
CORES = frozenset({"cortex-m4", "host"})
FLASH_METHODS = frozenset({"none", "jlink", "pyocd", "adafruit_dfu", "uf2", "qemu"})


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory map in bytes. `application_offset` is what a bootloader keeps at the start of flash."""

    flash_origin: int
    flash: int
    ram_origin: int
    ram: int
    stack: int
    application_offset: int = 0

    @property
    def application_flash(self) -> int:
        """Flash bytes left to the application."""
        return self.flash - self.application_offset


@dataclass(frozen=True, slots=True)
class Board:
    """What the compiler knows about a board."""

    name: str
    title: str
    soc: str
    core: str
    features: frozenset[str]
    clock_hz: int
    memory: Memory
    flash_method: str
    uf2_family: int | None = None

    @property
    def is_host(self) -> bool:
        return self.core == "host"


def board_names() -> tuple[str, ...]:
    """Names of the boards that tinyc knows, sorted."""
    return tuple(sorted(path.stem for path in data_folder("boards").glob("*.toml")))


def load_board(name: str) -> Board:
    """The board called `name`.

    Raises TinycError for an unknown name (with the nearest known ones) and for a file with
    missing, unknown or impossible fields, all of them at once.
    """
    path = data_folder("boards") / f"{name}.toml"
    if name not in board_names():
        near = difflib.get_close_matches(name, board_names(), n=1)
        hint = f"did you mean `{near[0]}`?" if near else "run `tinyc boards` for the list"
        raise TinycError(f"unknown board `{name}`", allowed=", ".join(board_names()), hint=hint)
    return parse_board(name, path)


def parse_board(name: str, path: Path) -> Board:
    """Read and validate one board file. Raises TinycError."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise TinycError(f"cannot read the board file: {error}", where=str(path)) from error
    problems: list[Problem] = []

    def take(source: dict[str, Any], key: str, kind: type, default: Any = None) -> Any:
        value = source.pop(key, default)
        if not isinstance(value, kind) or isinstance(value, bool):
            problems.append(Problem(key, f"is {value!r}", f"needs {kind.__name__}"))
            return kind()
        return value

    title, soc = take(table, "name", str), take(table, "soc", str)
    core = take(table, "core", str)
    features = take(table, "features", list, [])
    clock_hz = take(table, "clock_hz", int)
    memory = take(table, "memory", dict, {})
    flash = take(table, "flash", dict, {})
    sizes = {key: take(memory, key, int) for key in ("flash_origin", "flash", "ram_origin", "ram", "stack")}
    offset = take(memory, "application_offset", int, 0)
    method = take(flash, "method", str, "none")
    family = flash.pop("uf2_family", None)
    problems += [Problem(key, "is not a board field") for key in (*table, *memory, *flash)]
    if core not in CORES:
        problems.append(Problem("core", f"is {core!r}", f"allowed: {', '.join(sorted(CORES))}"))
    unknown = sorted(str(feature) for feature in features if feature not in FEATURES)
    if unknown:
        problems.append(
            Problem("features", f"has {', '.join(unknown)}", f"allowed: {', '.join(sorted(FEATURES))}")
        )
    if method not in FLASH_METHODS:
        problems.append(
            Problem("flash.method", f"is {method!r}", f"allowed: {', '.join(sorted(FLASH_METHODS))}")
        )
    if not problems:
        if min(sizes["flash"], sizes["ram"], sizes["stack"], clock_hz) <= 0 or min(sizes.values()) < 0:
            problems.append(Problem("memory", "has a size or clock that is not positive"))
        if not 0 <= offset < max(1, sizes["flash"]):
            problems.append(Problem("memory.application_offset", f"is {offset}", "lies inside flash"))
        if sizes["stack"] >= sizes["ram"] > 0:
            problems.append(Problem("memory.stack", f"is {sizes['stack']}", "is smaller than ram"))
    if problems:
        raise TinycError("the board file is not valid", where=str(path), problems=problems)
    return Board(
        name=name,
        title=title,
        soc=soc,
        core=core,
        features=frozenset(features),
        clock_hz=clock_hz,
        memory=Memory(application_offset=offset, **sizes),
        flash_method=method,
        uf2_family=family,
    )
