"""Boards: one TOML file each under `boards/`, validated on load."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tinyc.board_parts import MARKS, PROGRAM, Flashing, Memory, Pin, Usb, read_flashing, read_usb
from tinyc.cores import CORES, FEATURES, HOST, InstructionSet, combinations, instruction_set, is_possible
from tinyc.errors import Problem, TinycError
from tinyc.resources import data_folder
from tinyc.slots import RETAINED_BYTES, Slots

SENSORS = ("accelerometer", "camera", "gyroscope", "magnetometer", "microphone", "thermometer")
RADIOS = ("ieee802154",)
DEFAULT_BAUD = 115_200
# Rates of the serial port that the driver of a chip knows, where it knows more than the default one.
BAUDS = {
    "nrf52840": (9600, 19_200, 38_400, 57_600, DEFAULT_BAUD, 230_400, 250_000, 460_800, 921_600, 1_000_000),
}


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
    flashing: Flashing = field(default_factory=Flashing)
    usb: Usb = field(default_factory=Usb)
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
    reserved = {key: take(memory, key, int, 0) for key in ("flash_reserved", "ram_reserved", "boot_stage")}
    constants = take(memory, "constants_origin", int) if "constants_origin" in memory else None
    flashing = read_flashing(flash, problems)
    usb = read_usb(take(table, "usb", dict, {}), problems)
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
        if reserved["boot_stage"] not in (0, MARKS, PROGRAM):
            what = f"{MARKS}, {PROGRAM}, or left out"
            problems.append(Problem("memory.boot_stage", f"is {reserved['boot_stage']}", what))
        if constants is not None and not 0 <= constants < (1 << 32) - sizes["flash"]:
            problems.append(Problem("memory.constants_origin", f"is {constants}", "an address of 32 bits"))
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
            constants_origin=constants,
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
