"""How much a firmware's answer to `hello` holds: it must fit one message of the serial protocol."""

from __future__ import annotations

import tinyc
from tinyc.boards import Board
from tinyc.device import limits
from tinyc.errors import TinycError
from tinyc.program import Program

_LONGEST_HEAD = 5
# Keys and values that a split build says more: capacity, format, front, kernels, refused.
_SPLIT_BYTES = (9 + 5) + (7 + 5) + (6 + 9) + (8 + 9) + (8 + 1) + 2 * (1 + 1 + 9 + 9)


def check(program: Program, *, split: bool = False) -> None:
    """Raise TinycError for a model with more inputs and outputs than one message describes."""
    buffer = limits.buffer_bytes(program.board.memory.ram)
    room = limits.largest_message(buffer) - limits.HEADER
    needed = answer_bytes(program) + (_SPLIT_BYTES if split else 0)
    if needed > room:
        ports = len(program.graph.inputs) + len(program.graph.outputs)
        raise TinycError(
            f"the model has {ports} inputs and outputs",
            allowed=f"as many as {room} bytes of the serial protocol describe, these need {needed}",
        )


def model_name(program: Program) -> str:
    """The name as the device tells it: at most so many bytes of UTF-8, whole characters."""
    return program.name.encode("utf-8")[: limits.LONGEST_NAME].decode("utf-8", errors="ignore")


def answer_bytes(program: Program) -> int:
    """Bytes of the answer's CBOR, as `device/tinyc_group.c.j2` writes it."""
    graph, board = program.graph, program.board
    texts = {
        "board": board.name,
        "name": model_name(program),
        "version": program.version,
        "tinyc": tinyc.__version__,
        **({} if program.learning is None else {"learns": program.learning.head.kind}),
    }
    numbers = {
        "proto": limits.PROTOCOL,
        "clock": board.clock_hz,
        "arena": program.plan.arena_size,
        "layers": len(program.steps),
        "ram": board.memory.ram,
    }
    strings = {"chip": 8, "firmware": 32, "model": 32}
    ports = {"inputs": graph.inputs, "outputs": graph.outputs}
    values = [
        *((key, _string(len(text.encode("utf-8")))) for key, text in texts.items()),
        *((key, _head(number)) for key, number in numbers.items()),
        *((key, _string(size)) for key, size in strings.items()),
        *((key, _places(program, names)) for key, names in ports.items()),
        *_updates(board),
    ]
    return _head(len(values)) + sum(_string(len(key)) + size for key, size in values)


def _updates(board: Board) -> list[tuple[str, int]]:
    """Entries and bytes of what `device/boot_info.c` writes, at most."""
    if board.slots is None:
        return [("slots", _head(0))]
    names = ("primary", "secondary", *(("model 0", "model 1") if board.slots.model_pages else ()))
    slots = _head(len(names)) + sum(_head(2) + _string(len(name)) + _LONGEST_HEAD for name in names)
    numbers = (
        "map",
        "version",
        "event",
        "reason",
        "counter",
        *(("model",) if board.slots.model_pages else ()),
    )
    boot = _head(7) + sum(_string(len(name)) + _LONGEST_HEAD for name in numbers)
    return [("slots", slots), ("boot", boot + _string(len("key")) + _string(8))]


def _places(program: Program, names: tuple[str, ...]) -> int:
    pairs = ((program.plan.offset(name), program.graph[name].bytes) for name in names)
    return _head(len(names)) + sum(_head(2) + _head(offset) + _head(size) for offset, size in pairs)


def _string(size: int) -> int:
    return _head(size) + size


def _head(value: int) -> int:
    """Bytes that begin an item with this number or length."""
    return 1 if value < 24 else 2 if value < 0x100 else 3 if value < 0x10000 else 5
