"""The routine that computes a depthwise layer on planes, as data that templates print, and its cost.

A plane holds one channel, two neighbouring columns in a word, so SMLAD takes two taps of a kernel row
at once. A block of outputs is computed together: each word is loaded once and used by all outputs of
the block that it touches, and the accumulators live in registers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from tinyc.kernels.kernel import Work

REGISTERS = (*(f"r{number}" for number in range(2, 13)), "lr")
"""What is left beside the pointers into the plane (r0) and the output (r1)."""

LARGEST_OFFSET = 4095
"""Of an LDR or STR, and the largest constant that one instruction adds."""

Tap = tuple[int, int]
WeightWord = tuple[Tap | None, Tap | None]


@dataclass(frozen=True, slots=True)
class Shape:
    """Kernel, stride and dilation (rows, columns), and the places in memory: bytes from one row of a
    plane to the next, from one output to its right and lower one. The last two are 0 for a routine that
    takes them as arguments, so that layers share it."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pitch: int
    pixel: int
    line: int

    @property
    def is_strided(self) -> bool:
        """Whether the places of outputs are arguments."""
        return self.pixel == 0


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a block: `kind` says which, the numbers of the others depend on it.

    load2, load1: words at `offset` bytes of the plane; weights: the two words that four bytes at
    `offset` widen to; mac: smla`form` registers[0], registers[1:]; bias: the bias into a register.
    """

    kind: Literal["load2", "load1", "weights", "mac", "bias"]
    registers: tuple[str, ...]
    offset: int = 0
    form: str = ""


@dataclass(frozen=True, slots=True)
class Store:
    """An accumulator that becomes the output at `offset` bytes, in row and column of the block.

    Where the places are arguments, the pointer moves on by each of `moves` pixels first, and the output
    is `offset` pixels, 2 at most, behind it.
    """

    register: str
    offset: int
    row: int
    column: int
    moves: tuple[int, ...] = ()


_STEP_WORK = {"load2": Work(1, 3), "load1": Work(1, 2), "weights": Work(3, 4)}


def add_up(*works: Work) -> Work:
    return Work(sum(w.instructions for w in works), sum(w.cycles for w in works))


def repeat(work: Work, count: int) -> Work:
    return Work(work.instructions * count, work.cycles * count)


@dataclass(frozen=True)
class Block:
    """Some outputs: the steps to their accumulators, then requantization and stores.

    `temporaries` are free once the steps are done. `far`: rows after the first are beyond the reach
    of a store, their addresses are computed and `offset` counts from there. `strided`: the places of
    outputs are arguments, and the pointer moves on to the next block by each of `moves` pixels.
    """

    steps: tuple[Step, ...]
    stores: tuple[Store, ...]
    temporaries: tuple[str, str]
    far: bool
    strided: bool = False
    moves: tuple[int, ...] = ()

    @property
    def columns(self) -> int:
        return 1 + max(store.column for store in self.stores)

    def work(self, rounding: int, fpu: bool) -> Work:
        """`rounding`: in how many steps the outputs are requantized. `fpu`: where numbers wait."""
        # Multiplier and constant come in one transfer of two cycles, the shift in another.
        rest = rounding + len(self.stores) * (3 if rounding == 1 else 6) + 2 * self.far
        if self.strided:
            moves = len(self.moves) + sum(len(store.moves) for store in self.stores)
            rest += 1 + moves
        # From the stack they take a cycle more: the bias and those above.
        slower = 0 if fpu else 1 + rounding + self.far + self.strided
        return add_up(Work(rest, rest + 1 + slower), self._steps_work)

    @cached_property
    def _steps_work(self) -> Work:
        return add_up(*(_STEP_WORK.get(step.kind, Work(1, 1)) for step in self.steps))


@dataclass(frozen=True, slots=True)
class Rows:
    """One pass over a row of blocks: `loop` is done `times` times, then `rest` once."""

    height: int
    times: int
    loop: tuple[Block, ...]
    rest: tuple[Block, ...]
    loop_plane: int
    loop_output: int
    next_plane: int
    next_output: int
    strided: bool = False

    @property
    def blocks(self) -> tuple[Block, ...]:
        return (*self.loop, *self.rest)

    def work(self, rounding: int, fpu: bool) -> Work:
        """Of one pass, with the pointers but without the loop around it."""
        parts = [block.work(rounding, fpu) for block in self.rest]
        if self.times:
            once = add_up(Work(5, 6 if fpu else 7), *(block.work(rounding, fpu) for block in self.loop))
            parts += [repeat(once, self.times), Work(2, 1)]
        moves = _moves(self.next_plane) + _moves(self.next_output) + 2 * self.strided
        return add_up(Work(moves, moves), *parts)


def _moves(amount: int) -> int:
    """Instructions that add a constant to a pointer."""
    return 0 if amount == 0 else 1 if abs(amount) <= LARGEST_OFFSET else 3


@dataclass(frozen=True)
class Routine:
    """The routine of one channel after the other over the planes of a group.

    `words` is the layout of the weights in int16 pairs; four bytes hold two of them. `resident`
    registers keep all of them, or the weights are widened where they are used when it is empty.
    `single` does the last row of an odd number. `fpu`: its registers hold numbers, else the stack does.
    """

    rounding: int
    packed_scalars: bool
    fpu: bool
    shape: Shape
    width: int
    words: tuple[WeightWord, ...]
    resident: tuple[str, ...]
    main: Rows
    single: Rows | None

    @property
    def passes(self) -> tuple[Rows, ...]:
        return (self.main,) if self.single is None else (self.main, self.single)

    @property
    def far(self) -> bool:
        return any(block.far for block in self.main.blocks)

    @property
    def scalars(self) -> int:
        """Words before the weights of a channel: bias, multiplier, constant, and shift; or bias and
        constant in the halves of one, and the multiplier."""
        return 2 if self.packed_scalars else 2 + self.rounding

    @property
    def packed(self) -> int:
        return -(-len(self.words) // 2)

    @property
    def packed_registers(self) -> tuple[str, ...]:
        """Where each four bytes are loaded, in ascending order."""
        return tuple(self.resident[min(2 * i + 1, len(self.words) - 1)] for i in range(self.packed))

    @cached_property
    def registers(self) -> tuple[str, ...]:
        """All that hold weights, words or accumulators."""
        used = set(self.resident)
        for rows in self.passes:
            for block in rows.blocks:
                used |= {register for step in block.steps for register in step.registers}
        return tuple(register for register in REGISTERS if register in used)

    @cached_property
    def code(self) -> int:
        """About how many instructions the routine has."""
        blocks = (block for rows in self.passes for block in rows.blocks)
        return 30 + sum(block.work(self.rounding, self.fpu).instructions for block in blocks)

    def work(self, rows: int) -> Work:
        """One channel of one tile with `rows` output rows."""
        weights, packed = len(self.words), self.packed
        loads = Work(1 + weights, 1 + packed + weights) if self.resident else Work(1, 1)
        scalars = Work(5, 8) if self.packed_scalars else Work(1, 1 + self.scalars)
        if not self.fpu:
            scalars = Work(5, 9) if self.packed_scalars else Work(2, 2 + 2 * self.scalars)
        parts = [Work(13, 17 if self.fpu else 23), scalars, loads]
        passes, left = divmod(rows, self.main.height)
        once = self.main.work(self.rounding, self.fpu)
        parts.append(repeat(add_up(once, Work(4, 5 if self.fpu else 6)), passes))
        if self.single is not None:
            parts += [Work(4, 4), self.single.work(self.rounding, self.fpu) if left else Work(0, 1)]
        return add_up(*parts)
