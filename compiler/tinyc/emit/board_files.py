"""What each firmware of a board includes and links with, and PlatformIO's manifest of the board."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tinyc.board_parts import Pin
from tinyc.boards import Board
from tinyc.device import limits
from tinyc.emit.environment import render
from tinyc.emit.names import string_literal
from tinyc.slots import HEADER_BYTES, RETAINED_BYTES, Slots

# What the address of the trap handler is a multiple of, by the RISC-V chip.
_TRAP_ALIGNMENT = {"esp32c3": 256, "fe310": 4, "qemu_virt": 4}


@dataclass(frozen=True, slots=True)
class BoardView:
    """What `board.h` and `board.ld` print."""

    title: str
    clock_hz: int
    has_dwt: int
    has_fpu: int
    has_slots: int
    bootloader: int
    crystal_hz: int
    uart_tx: Pin | None
    uart_rx: Pin | None
    uart_baud: int
    recovery: Pin | None
    flash_origin: str
    flash_size: int
    constants_origin: str
    ram_origin: str
    ram_size: int
    stack: int
    boot_stage: int
    trap_alignment: int
    smp_buffer: int
    radio: bool


@dataclass(frozen=True, slots=True)
class SlotsView:
    """What `slots.h` prints: bytes, pages and addresses."""

    title: str
    board: str
    page: int
    header: int
    bootloader: int
    bootloader_bytes: int
    image_pages: int
    primary: int
    secondary: int
    journal: int
    model_pages: int
    model_0: int
    model_1: int
    learn: int
    learn_pages: int
    number: int
    retained: int
    retained_bytes: int


def board_header(board: Board, *, bootloader: bool = False, radio: bool = False) -> str:
    """`board.h` of an application, or of the bootloader; `radio`: its driver is there."""
    return render("project/board.h.j2", view=_view(board, bootloader=bootloader, radio=radio))


def application_script(board: Board, reserved: int = 0) -> str:
    """`board.ld` of an application, which leaves `reserved` bytes at the end of its flash alone."""
    size = board.memory.application_flash - reserved
    return render("project/board.ld.j2", view=_view(board, size=size))


def bootloader_script(board: Board, slots: Slots, stack: int) -> str:
    """`board.ld` of the bootloader, which starts where flash does and has `stack` bytes of stack."""
    view = _view(board, origin=slots.flash_origin, size=slots.bootloader_bytes, stack=stack)
    return render("project/board.ld.j2", view=view)


def slots_header(board: Board, slots: Slots) -> str:
    """`slots.h`: the flash map."""
    memory = board.memory
    view = SlotsView(
        title=board.title,
        board=string_literal(board.name),
        page=slots.page,
        header=HEADER_BYTES,
        bootloader=slots.flash_origin,
        bootloader_bytes=slots.bootloader_bytes,
        image_pages=slots.image_pages,
        primary=slots.primary,
        secondary=slots.secondary,
        journal=slots.journal,
        model_pages=slots.model_pages,
        model_0=slots.model(0) if slots.model_pages else 0,
        model_1=slots.model(1) if slots.model_pages else 0,
        learn=slots.learn,
        learn_pages=slots.learn_pages,
        number=slots.number,
        retained=memory.ram_origin + memory.ram - RETAINED_BYTES,
        retained_bytes=RETAINED_BYTES,
    )
    return render("project/slots.h.j2", view=view)


def platformio_board(board: Board) -> str:
    """PlatformIO's manifest of our board; it asks for vendor and url, whatever they are."""
    told = board.instruction_set
    manifest = {
        "build": {
            "cpu": board.core,
            "f_cpu": f"{board.clock_hz}L",
            "gcc_flags": told.gcc,
            "gcc_prefix": told.family.gcc_prefix,
            "mcu": board.soc,
            "zig_flags": told.zig,
            **({"boot_stage": True} if board.memory.boot_stage_is_checked else {}),
        },
        "name": board.title,
        "upload": {
            "maximum_ram_size": board.memory.application_ram,
            "maximum_size": board.memory.application_flash,
        },
        "url": "",
        "vendor": "tinyc",
    }
    return json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _view(
    board: Board,
    *,
    bootloader: bool = False,
    radio: bool = False,
    origin: int | None = None,
    size: int | None = None,
    stack: int | None = None,
) -> BoardView:
    memory = board.memory
    return BoardView(
        title=board.title,
        clock_hz=board.clock_hz,
        has_dwt=int("dwt" in board.features),
        has_fpu=int("fpu" in board.features),
        has_slots=int(board.slots is not None),
        bootloader=int(bootloader),
        crystal_hz=board.crystal_hz or 0,
        uart_tx=board.uart_tx,
        uart_rx=board.uart_rx,
        uart_baud=board.uart_baud,
        recovery=board.recovery,
        flash_origin=f"0x{memory.image_origin if origin is None else origin:08x}",
        flash_size=memory.application_flash if size is None else size,
        constants_origin="" if memory.constants_origin is None else f"0x{memory.constants.start:08x}",
        ram_origin=f"0x{memory.ram_origin + memory.ram_reserved:08x}",
        ram_size=memory.application_ram,
        stack=memory.stack if stack is None else stack,
        boot_stage=memory.boot_stage,
        trap_alignment=_TRAP_ALIGNMENT.get(board.soc, 0),
        smp_buffer=limits.buffer_bytes(memory.ram),
        radio=radio,
    )
