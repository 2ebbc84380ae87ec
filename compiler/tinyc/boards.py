"""Boards: one TOML file each under `boards/`, validated on load."""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyc.cores import CORES, FEATURES, HOST, InstructionSet, combinations, instruction_set, is_possible
from tinyc.errors import Problem, TinycError
from tinyc.resources import data_folder

FLASH_METHODS = frozenset({"none", "jlink", "pyocd", "adafruit_dfu", "bossac", "uf2", "qemu"})

# "P1.03" on a Nordic chip, "PB6" on an STM32.
_PIN = re.compile(r"P(?:(?P<port>[01])\.|(?P<letter>[A-K]))(?P<pin>\d{1,2})")


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory map in bytes.

    `application_offset` is what a bootloader keeps at the start of flash, `flash_reserved` what it
    keeps at the end, `ram_reserved` what it keeps at the start of RAM.
    """

    flash_origin: int
    flash: int
    ram_origin: int
    ram: int
    stack: int
    application_offset: int = 0
    flash_reserved: int = 0
    ram_reserved: int = 0

    @property
    def application_flash(self) -> int:
        """Flash bytes left to the application."""
        return self.flash - self.application_offset - self.flash_reserved

    @property
    def application_origin(self) -> int:
        """Address of the application's vector table."""
        return self.flash_origin + self.application_offset

    @property
    def application_ram(self) -> int:
        """RAM bytes left to the application, its stack included."""
        return self.ram - self.ram_reserved


@dataclass(frozen=True, slots=True)
class Pin:
    """A pin of the chip: port 0, 1, ... (A, B, ... on an STM32) and number."""

    port: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Pin:
        """`P1.03` or `PB6`. Raises ValueError."""
        match = _PIN.fullmatch(text)
        if match is None or int(match["pin"]) > (15 if match["letter"] else 31):
            raise ValueError(text)
        return cls(
            int(match["port"]) if match["port"] else ord(match["letter"]) - ord("A"), int(match["pin"])
        )


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
    crystal_hz: int | None = None
    uart_tx: Pin | None = None
    uart_rx: Pin | None = None
    registry: tuple[str, str] | None = None
    """Platform and board in PlatformIO's public registry, where it has them."""
    hal: str = ""
    """Folder of the driver under `firmware_templates/hal`; chips with the same parts share one."""

    @property
    def is_host(self) -> bool:
        return self.core == HOST

    @property
    def instruction_set(self) -> InstructionSet:
        """What the compilers are told. Raises KeyError for the host."""
        return instruction_set(self.core, self.features)


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
    hal = take(table, "hal", str, soc)
    core = take(table, "core", str)
    features = take(table, "features", list, [])
    clock_hz = take(table, "clock_hz", int)
    memory = take(table, "memory", dict, {})
    flash = take(table, "flash", dict, {})
    uart = take(table, "uart", dict, {})
    public = take(table, "registry", dict, {})
    registry = (take(public, "platform", str), take(public, "board", str)) if public else None
    crystal_hz = take(table, "crystal_hz", int) if "crystal_hz" in table else None
    sizes = {key: take(memory, key, int) for key in ("flash_origin", "flash", "ram_origin", "ram", "stack")}
    offset = take(memory, "application_offset", int, 0)
    reserved = {key: take(memory, key, int, 0) for key in ("flash_reserved", "ram_reserved")}
    method = take(flash, "method", str, "none")
    family = take(flash, "uf2_family", int) if "uf2_family" in flash else None
    pins: dict[str, Pin] = {}
    for key in ("tx", "rx") if uart else ():
        text = uart.pop(key, None)
        try:
            pins[key] = Pin.parse(str(text))
        except ValueError:
            problems.append(Problem(f"uart.{key}", f"is {text!r}", "names a pin like P0.06 or PB6"))
    problems += [Problem(key, "is not a board field") for key in (*table, *memory, *flash, *uart, *public)]
    if core not in CORES:
        problems.append(Problem("core", f"is {core!r}", f"allowed: {', '.join(sorted(CORES))}"))
    unknown = sorted(str(feature) for feature in features if feature not in FEATURES)
    if unknown:
        problems.append(
            Problem("features", f"has {', '.join(unknown)}", f"allowed: {', '.join(sorted(FEATURES))}")
        )
    elif core in CORES and not is_possible(core, frozenset(features)):
        having = f"{core} with {', '.join(sorted(features)) or 'none'}"
        allowed = [" ".join(sorted(each)) for each in combinations(core)] or ["none"]
        problems.append(Problem("features", f"no {having}", f"needs one of: {'; '.join(allowed)}"))
    if method not in FLASH_METHODS:
        problems.append(
            Problem("flash.method", f"is {method!r}", f"allowed: {', '.join(sorted(FLASH_METHODS))}")
        )
    if not problems:
        if min(sizes["flash"], sizes["ram"], sizes["stack"], clock_hz) <= 0 or min(sizes.values()) < 0:
            problems.append(Problem("memory", "has a size or clock that is not positive"))
        if (
            offset < 0
            or reserved["flash_reserved"] < 0
            or offset + reserved["flash_reserved"] >= sizes["flash"]
        ):
            problems.append(
                Problem("memory.application_offset", f"is {offset}", "leaves flash to the application")
            )
        if offset % 512:
            problems.append(
                Problem(
                    "memory.application_offset", f"is {offset}", "a multiple of 512, for the vector table"
                )
            )
        if reserved["ram_reserved"] < 0 or reserved["ram_reserved"] % 8:
            problems.append(
                Problem("memory.ram_reserved", f"is {reserved['ram_reserved']}", "a multiple of 8")
            )
        if sizes["stack"] % 8 or sizes["stack"] + reserved["ram_reserved"] >= sizes["ram"]:
            problems.append(
                Problem("memory.stack", f"is {sizes['stack']}", "a multiple of 8, smaller than the ram")
            )
        if family is not None and not 0 <= family < 1 << 32:
            problems.append(Problem("flash.uf2_family", f"is {family}", "a number of 32 bits"))
        if crystal_hz is not None and (crystal_hz <= 0 or crystal_hz % 1_000_000):
            problems.append(Problem("crystal_hz", f"is {crystal_hz}", "whole megahertz"))
    if problems:
        raise TinycError("the board file is not valid", where=str(path), problems=problems)
    return Board(
        name=name,
        title=title,
        soc=soc,
        core=core,
        features=frozenset(features),
        clock_hz=clock_hz,
        memory=Memory(application_offset=offset, **reserved, **sizes),
        flash_method=method,
        uf2_family=family,
        crystal_hz=crystal_hz,
        uart_tx=pins.get("tx"),
        uart_rx=pins.get("rx"),
        registry=registry,
        hal=hal,
    )
