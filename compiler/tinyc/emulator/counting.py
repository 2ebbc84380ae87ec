"""What a counter of executed code is told and what it tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tinyc.emulator.timing import BlockCost

IT_STATE = 0x0600FC00
FOREVER = (1 << 64) - 1

# Describes a block that is new, or answers None when the run has to stop before it.
Describe = Callable[[int, int], BlockCost | None]


@dataclass(frozen=True, slots=True)
class CounterRegisters:
    """The engine's numbers of the registers that a counter reads.

    `status` has the state of an IT block, in which nothing stops; 0 for a core that has none.
    """

    stack_pointer: int
    link: int
    status: int = 0


@dataclass(frozen=True, slots=True)
class BlockCount:
    """Executions of one block, and how many of them left it by a jump."""

    address: int
    size: int
    instructions: int
    cycles: int
    count: int
    taken: int


@dataclass(frozen=True, slots=True)
class Watched:
    """Inclusive counts of one watched function."""

    address: int
    calls: int
    instructions: int
    cycles: int


class Counter(Protocol):
    """What the machine needs of a counter. `cycles` is the time base and never goes back."""

    instructions: int
    cycles: int
    deadline: int  # in cycles; the run stops before the first block after it
    stop_request: int  # non-zero: stop before the next block
    masked_priority: int  # 1 + priority of a pending interrupt that is masked now, 0 for none
    event: int  # set by SEV
    stopped: int  # set when the counter stopped the run; cleared by the machine
    last_address: int  # of the block counted last
    last_end: int
    misaligned: int  # base address of a refused access to several words, 0 for none
    misaligned_pc: int

    def follow_break(self, cycles: int) -> None:
        """An exception came between two blocks and cost `cycles`."""

    def reset(self) -> None:
        """Start the profile again; the time goes on."""

    def watch(self, addresses: Sequence[int]) -> None:
        """Watch the functions that begin at `addresses`, from now on."""

    def blocks(self) -> list[BlockCount]:
        """Every block executed since the last reset."""

    def watched(self) -> list[Watched]:
        """The watched functions, in the order given."""

    def check_alignment(self, accesses: Sequence[tuple[int, int]]) -> None:
        """Stop before these (instruction address, base register), and no others, at unaligned bases."""
