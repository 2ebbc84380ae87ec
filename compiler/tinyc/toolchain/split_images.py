"""The images of a split build: checked against the plan, and as the bytes that go to flash."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tinyc.boards import Board
from tinyc.emit import split_model
from tinyc.emit.symbols import emitted
from tinyc.errors import DoesNotFit, Problem, TinycError
from tinyc.memory.budget import params_bytes, runtime_ram, update_bytes
from tinyc.program import Program, Project, Sizes
from tinyc.split import Split
from tinyc.toolchain import images
from tinyc.toolchain.elf import Image, bytes_by_kind, compare_symbols, read_elf

BODIES = ("model_0.bin", "model_1.bin")
"""What a split build puts into its folder for either slot, from the body's first byte on."""


def require_room(program: Program, split: Split, *, exact_only: bool = True) -> None:
    """Raise DoesNotFit for a model that is larger than a slot, or an arena that is larger than the RAM.

    With `exact_only` for parts whose size is known, so that no compiler can help; else estimates count too.
    """
    room, memory = split.slots.model_body_bytes, program.board.memory
    weights, arena = program.weight_bytes, split_model.arena_bytes(program, split)
    if not exact_only:
        weights += sum(map(params_bytes, program.steps))
    if weights > room:
        raise DoesNotFit(
            f"model `{program.name}` does not fit into a model slot of board `{program.board.name}`",
            problems=[Problem("weights", f"{weights} bytes, {weights - room} too many", f"room for {room}")],
            hint="use a smaller model, or build without --split-model",
        )
    ram = (
        arena + memory.stack + (0 if exact_only else runtime_ram(memory.ram) + update_bytes(program.board)[1])
    )
    if ram > memory.application_ram:
        over = ram - memory.application_ram
        raise DoesNotFit(
            f"an arena of {arena} bytes does not fit on board `{program.board.name}`",
            problems=[Problem("RAM", f"needs {ram} bytes, {over} more than there are")],
            hint="use a smaller model, or a smaller --arena",
        )


def read_bodies(elf: Path, project: Project) -> dict[str, bytes]:
    """File name → content of both bodies that lie beside a linked firmware.

    Raises TinycError when one differs from the plan: a bug in tinyc or in the compiler.
    """
    split, program = project.split, project.program
    assert split is not None
    found = {}
    for name, start in zip(BODIES, split.slots.model_bodies, strict=True):
        image = read_elf(elf.parent / "model" / Path(name).with_suffix(".elf"))
        problems = compare_symbols(
            emitted(program).weights, image, range(start, start + split.slots.model_body_bytes), "the slot"
        )
        problems += [
            Problem(section.name, "is no part of a model")
            for section in image.sections
            if section.name != ".model"
        ]
        address, content = images.to_binary(image.segments)
        if address != start:
            problems.append(Problem("header", f"lies at 0x{address:08x}", f"planned at 0x{start:08x}"))
        _require(image, problems)
        found[name] = content
    return found


def check_firmware(image: Image, project: Project, body_bytes: int) -> Sizes:
    """Sizes of a firmware without its model, and of that. Raises TinycError for an unplanned arena."""
    split, program = project.split, project.program
    assert split is not None
    memory = program.board.memory
    ram = range(memory.ram_origin + memory.ram_reserved, memory.ram_end)
    arena = split_model.arena_bytes(program, split)
    _require(image, compare_symbols({split_model.ARENA: arena}, image, ram, "RAM"))
    kinds = bytes_by_kind(image.sections)
    return Sizes(
        flash=kinds["text"] + kinds["rodata"] + kinds["data"],
        ram=kinds["data"] + kinds["bss"],
        arena=arena,
        weights=sum(emitted(program).weights.values()),
        image=body_bytes,
        **kinds,
    )


def flash_content(elf: Path, board: Board, split: Split, bodies: Mapping[int, bytes]) -> bytes:
    """The whole flash of a board: a linked firmware, and bodies by slot. The rest is erased."""
    origin = board.memory.flash_origin
    content = bytearray(b"\xff" * board.memory.flash)
    parts = [(segment.load_address, segment.data) for segment in read_elf(elf).segments]
    parts += [(split.slots.model_bodies[slot], body) for slot, body in bodies.items()]
    for address, data in parts:
        content[address - origin : address - origin + len(data)] = data
    return bytes(content)


def _require(image: Image, problems: list[Problem]) -> None:
    if problems:
        raise TinycError(
            "a linked image differs from the memory plan",
            where=str(image.path),
            problems=problems,
            hint="this is a bug in tinyc: please report it with the model",
        )
