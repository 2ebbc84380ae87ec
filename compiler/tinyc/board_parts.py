"""Parts of a board's description: memory map, pins, USB ids, ways of flashing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tinyc.errors import Problem

# A module of `tinyc.flash` each.
FLASH_METHODS = frozenset(
    {"adafruit_dfu", "bossa", "esptool", "jlink", "picotool", "platformio", "pyocd", "smp", "stm32", "uf2"}
)
# What a board of such a method has to say besides: key of `[flash]` and its type.
_FLASH_NEEDS: dict[str, dict[str, type]] = {
    "esptool": {"esptool_chip": str, "esptool_address": int},
    "jlink": {"jlink_device": str},
    "pyocd": {"pyocd_target": str},
    "uf2": {"uf2_family": int, "uf2_boards": list},
}
_USB_ID = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")

# "P1.03" on a Nordic chip, "PB6" on an STM32, "GP1" on an RP2040, "GPIO21" on an ESP32-C3.
_PIN = re.compile(r"(?:P(?:(?P<port>[01])\.|(?P<letter>[A-K]))|GP(?:IO)?)(?P<pin>\d{1,2})")

# What may come before the vector table: two marks for the ROM of an ESP32-C3, a program of the RP2040.
MARKS, PROGRAM = 8, 256


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory map in bytes.

    `application_offset` is what a bootloader keeps at the start of flash, `flash_reserved` what it
    keeps at the end, `ram_reserved` what it keeps at the start of RAM, `ram_retained` at its end.
    `boot_stage` is what an application has before its vector table, for the ROM of the chip.
    `constants_origin` is where the core reads flash as data, where that is not where it executes it.
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
    boot_stage: int = 0
    constants_origin: int | None = None

    @property
    def application_flash(self) -> int:
        """Flash bytes left to the application."""
        return self.flash - self.application_offset - self.flash_reserved

    @property
    def image_origin(self) -> int:
        """Address of the application's first byte."""
        return self.flash_origin + self.application_offset

    @property
    def constants(self) -> range:
        """Addresses of the application's flash as the core reads its constants."""
        start = self.application_offset
        start += self.flash_origin if self.constants_origin is None else self.constants_origin
        return range(start, start + self.application_flash)

    @property
    def boot_stage_is_checked(self) -> bool:
        """Whether the build gives it a checksum."""
        return self.boot_stage == PROGRAM

    @property
    def first_vectors(self) -> int:
        """Address of the vector table that the chip itself starts."""
        return self.flash_origin + self.boot_stage

    @property
    def application_origin(self) -> int:
        """Address of the application's vector table."""
        return self.image_origin + self.boot_stage

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
        """`P1.03`, `PB6`, `GP1` or `GPIO21`. Raises ValueError."""
        match = _PIN.fullmatch(text)
        if match is None or int(match["pin"]) > (15 if match["letter"] else 31):
            raise ValueError(text)
        return cls(
            ord(match["letter"]) - ord("A") if match["letter"] else int(match["port"] or 0), int(match["pin"])
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


def read_flashing(table: dict[str, Any], problems: list[Problem]) -> Flashing:
    """`[flash]`, of which every key that is known is taken out of `table`; `problems` gets what is wrong."""
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


def read_usb(table: dict[str, Any], problems: list[Problem]) -> Usb:
    """`[usb]`; what is wrong is added to `problems`."""
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
