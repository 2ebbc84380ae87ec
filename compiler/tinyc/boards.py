"""Boards: one TOML file each under `boards/`, validated on load."""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tinyc.cores import CORES, FEATURES, HOST, InstructionSet, combinations, instruction_set, is_possible
from tinyc.errors import Problem, TinycError
from tinyc.resources import data_folder
from tinyc.slots import RETAINED_BYTES, Slots

# A module of `tinyc.flash` each.
FLASH_METHODS = frozenset(
    {"adafruit_dfu", "bossa", "esptool", "jlink", "platformio", "pyocd", "smp", "stm32", "uf2"}
)
SENSORS = ("accelerometer", "camera", "gyroscope", "magnetometer", "microphone", "thermometer")
RADIOS = ("ieee802154",)
# What a board of such a method has to say besides: key of `[flash]` and its type.
_FLASH_NEEDS: dict[str, dict[str, type]] = {
    "esptool": {"esptool_chip": str, "esptool_address": int},
    "jlink": {"jlink_device": str},
    "pyocd": {"pyocd_target": str},
    "uf2": {"uf2_family": int, "uf2_boards": list},
}
_USB_ID = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")

DEFAULT_BAUD = 115_200
# Rates of the serial port that the driver of a chip knows, where it knows more than the default one.
BAUDS = {
    "nrf52840": (9600, 19_200, 38_400, 57_600, DEFAULT_BAUD, 230_400, 250_000, 460_800, 921_600, 1_000_000),
}

# "P1.03" on a Nordic chip, "PB6" on an STM32.
_PIN = re.compile(r"P(?:(?P<port>[01])\.|(?P<letter>[A-K]))(?P<pin>\d{1,2})")


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory map in bytes.

    `application_offset` is what a bootloader keeps at the start of flash, `flash_reserved` what it
    keeps at the end, `ram_reserved` what it keeps at the start of RAM, `ram_retained` at its end.
    """

    flash_origin: int
    flash: int
    ram_origin: int
    ram: int
    stack: int
    application_offset: int = 0
    flash_reserved: int = 0
    ram_reserved: int = 0
    ram_retained: int = 0

    @property
    def application_flash(self) -> int:
        """Flash bytes left to the application."""
        return self.flash - self.application_offset - self.flash_reserved

    @property
    def application_origin(self) -> int:
        """Address of the application's vector table."""
        return self.flash_origin + self.application_offset

    @property
    def ram_end(self) -> int:
        """The first address behind the RAM of the application."""
        return self.ram_origin + self.ram - self.ram_retained

    @property
    def application_ram(self) -> int:
        """RAM bytes left to the application, its stack included."""
        return self.ram - self.ram_reserved - self.ram_retained


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
class Usb:
    """USB ids, `vendor:product`, of the serial ports that a board shows.

    Behind `console` the firmware answers: a debugger's port. `application` is the chip itself while
    an application with USB runs, `bootloader` while the bootloader does.
    """

    console: tuple[str, ...] = ()
    application: tuple[str, ...] = ()
    bootloader: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        return (*self.console, *self.application, *self.bootloader)


@dataclass(frozen=True, slots=True)
class Flashing:
    """How a board is flashed: the methods, best first, and what single ones need to know.

    `uf2_boards` are Board-IDs of bootloaders. `jlink_interface` is SWD or JTAG.
    """

    methods: tuple[str, ...] = ()
    uf2_family: int | None = None
    uf2_boards: tuple[str, ...] = ()
    pyocd_target: str = ""
    jlink_device: str = ""
    jlink_interface: str = "SWD"
    esptool_chip: str = ""
    esptool_address: int = 0


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
    flashing: Flashing = Flashing()
    usb: Usb = Usb()
    crystal_hz: int | None = None
    uart_tx: Pin | None = None
    uart_rx: Pin | None = None
    registry: tuple[str, str] | None = None
    """Platform and board in PlatformIO's public registry, where it has them."""
    recovery: Pin | None = None
    """A button that pulls this pin down at reset keeps the bootloader from starting the firmware."""
    uart_baud: int = DEFAULT_BAUD
    """Bits per second on the serial port."""
    slots: Slots | None = None
    """The flash map where tinyc's bootloader starts the firmware; None where it has the flash to itself."""
    hal: str = ""
    """Folder of the driver under `firmware_templates/hal`; chips with the same parts share one."""
    sensors: tuple[str, ...] = ()
    """What is soldered to the board, of SENSORS."""
    radio: str = ""
    """The kind of radio that there is a driver for, of RADIOS; empty without one."""

    @property
    def uf2_family(self) -> int | None:
        return self.flashing.uf2_family

    @property
    def is_host(self) -> bool:
        return self.core == HOST

    def split(self) -> Board:
        """The board with slots for models of their own. Raises TinycError where it has none."""
        if self.slots is None or not self.slots.split_model_pages:
            raise TinycError(f"board `{self.name}` has no slots for models", hint="leave --split-model out")
        return self._with_slots(self.slots.split())

    @property
    def model_map(self) -> Slots:
        """The flash map with the slots for models. Raises TinycError for a board that is not split."""
        if self.slots is None or not self.slots.model_pages:
            raise TinycError(f"board `{self.name}` has no slots for models", hint="leave --split-model out")
        return self.slots

    def _with_slots(self, slots: Slots) -> Board:
        offset = slots.application_origin - slots.flash_origin
        after = slots.flash - offset - slots.application_bytes
        memory = replace(self.memory, application_offset=offset, flash_reserved=after)
        return replace(self, slots=slots, memory=memory)

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
    sensors = take(table, "sensors", list, [])
    radio = take(table, "radio", str, "")
    clock_hz = take(table, "clock_hz", int)
    memory = take(table, "memory", dict, {})
    flash = take(table, "flash", dict, {})
    uart = take(table, "uart", dict, {})
    slot_table = take(table, "slots", dict) if "slots" in table else None
    baud = take(uart, "baud", int, DEFAULT_BAUD)
    public = take(table, "registry", dict, {})
    registry = (take(public, "platform", str), take(public, "board", str)) if public else None
    crystal_hz = take(table, "crystal_hz", int) if "crystal_hz" in table else None
    sizes = {key: take(memory, key, int) for key in ("flash_origin", "flash", "ram_origin", "ram", "stack")}
    offset = take(memory, "application_offset", int, 0)
    reserved = {key: take(memory, key, int, 0) for key in ("flash_reserved", "ram_reserved")}
    flashing = _flashing(flash, problems)
    usb = _usb(take(table, "usb", dict, {}), problems)
    pins: dict[str, Pin] = {}
    named = [("uart", uart, key) for key in ("tx", "rx") if uart]
    named += [("slots", slot_table, "recovery")] if slot_table and "recovery" in slot_table else []
    for where, source, key in named:
        text = source.pop(key, None)
        try:
            pins[key] = Pin.parse(str(text))
        except ValueError:
            problems.append(Problem(f"{where}.{key}", f"is {text!r}", "names a pin like P0.06 or PB6"))
    slots, slot_pages = None, {}
    if slot_table is not None:
        slot_pages = {key: take(slot_table, key, int) for key in ("page", "bootloader", "image")}
        slot_pages |= {key: take(slot_table, key, int, 0) for key in ("split_image", "split_model", "learn")}
    left = (*table, *memory, *flash, *uart, *public, *(slot_table or ()))
    problems += [Problem(key, "is not a board field") for key in left]
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
    unknown = sorted({str(sensor) for sensor in sensors if sensor not in SENSORS})
    if unknown or len(set(map(str, sensors))) < len(sensors):
        problems.append(Problem("sensors", f"is {sensors!r}", f"each once: {', '.join(SENSORS)}"))
    if radio not in ("", *RADIOS):
        problems.append(Problem("radio", f"is {radio!r}", f"allowed: {', '.join(RADIOS)}"))
    rates = BAUDS.get(hal, (DEFAULT_BAUD,))
    if baud not in rates:
        problems.append(Problem("uart.baud", f"is {baud}", f"allowed: {', '.join(map(str, rates))}"))
    if not problems and slot_table is not None:
        slots = Slots(
            flash_origin=sizes["flash_origin"],
            flash=sizes["flash"],
            page=slot_pages["page"],
            bootloader_pages=slot_pages["bootloader"],
            image_pages=slot_pages["image"],
            split_image_pages=slot_pages["split_image"],
            split_model_pages=slot_pages["split_model"],
            learn_pages=slot_pages["learn"],
        )
        wrong = slots.problem()
        if offset or reserved["flash_reserved"]:
            wrong = "the slots say where applications lie: no application_offset, no flash_reserved"
        if wrong:
            problems.append(Problem("slots", wrong))
        offset = slots.application_origin - slots.flash_origin
        reserved["flash_reserved"] = slots.flash - offset - slots.application_bytes
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
        memory=Memory(
            application_offset=offset,
            ram_retained=RETAINED_BYTES if slots is not None else 0,
            **reserved,
            **sizes,
        ),
        flashing=flashing,
        usb=usb,
        crystal_hz=crystal_hz,
        uart_tx=pins.get("tx"),
        uart_rx=pins.get("rx"),
        uart_baud=baud,
        registry=registry,
        recovery=pins.get("recovery"),
        slots=slots,
        hal=hal,
        sensors=tuple(sorted(sensors)),
        radio=radio,
    )


def _flashing(table: dict[str, Any], problems: list[Problem]) -> Flashing:
    """`[flash]`, of which every key that is known is taken out of `table`."""
    methods = table.pop("methods", [])
    if not isinstance(methods, list) or [each for each in methods if each not in FLASH_METHODS]:
        allowed = f"a list of: {', '.join(sorted(FLASH_METHODS))}"
        problems.append(Problem("flash.methods", f"is {methods!r}", allowed))
        methods = []
    needs: dict[str, type] = {"jlink_interface": str} if "jlink" in methods else {}
    needs |= {key: kind for method in methods for key, kind in _FLASH_NEEDS.get(method, {}).items()}
    found: dict[str, Any] = {}
    for key, kind in needs.items():
        value = table.pop(key, "SWD" if key == "jlink_interface" else None)
        if not isinstance(value, kind) or isinstance(value, bool) or value in ("", []):
            problems.append(Problem(f"flash.{key}", f"is {value!r}", f"needs {kind.__name__}"))
        else:
            found[key] = tuple(value) if isinstance(value, list) else value
    for key in ("uf2_family", "esptool_address"):
        if not 0 <= found.get(key, 0) < 1 << 32:
            problems.append(Problem(f"flash.{key}", f"is {found[key]}", "a number of 32 bits"))
    if found.get("jlink_interface", "SWD") not in ("SWD", "JTAG"):
        problems.append(Problem("flash.jlink_interface", f"is {found['jlink_interface']!r}", "SWD or JTAG"))
    return Flashing(methods=tuple(methods), **found)


def _usb(table: dict[str, Any], problems: list[Problem]) -> Usb:
    found: dict[str, tuple[str, ...]] = {}
    for key in ("console", "application", "bootloader"):
        ids = table.pop(key, [])
        if isinstance(ids, list) and all(isinstance(one, str) and _USB_ID.fullmatch(one) for one in ids):
            found[key] = tuple(ids)
        else:
            what = 'a list of "vendor:product", four hexadecimal digits each'
            problems.append(Problem(f"usb.{key}", f"is {ids!r}", what))
    problems += [Problem(f"usb.{key}", "is not a board field") for key in table]
    return Usb(**found)
