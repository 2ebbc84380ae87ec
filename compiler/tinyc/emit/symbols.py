"""Names of everything that the generated C defines, and its bytes: one rule for C, budget and ELF."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tinyc.emit.names import c_identifier
from tinyc.ir.tensor import Array
from tinyc.program import Program, Step

_NO_WORD = re.compile(r"\W+")


def prefix(program: Program) -> str:
    """The C identifier that every symbol of the model starts with."""
    return c_identifier(program.name)


def arena(program: Program) -> str:
    return f"{prefix(program)}_arena_memory"


def layer(program: Program, step: Step) -> str:
    """The function that runs one layer."""
    return f"{prefix(program)}_layer_{step.index}"


def params(program: Program, step: Step) -> str:
    """The constant struct of one layer."""
    return f"{prefix(program)}_layer_{step.index}_params"


def constant(program: Program, step: Step, field: str) -> str:
    """The constant array behind one pointer field of a layer's struct, or of a struct in it."""
    return f"{prefix(program)}_layer_{step.index}_{_NO_WORD.sub('_', field)}"


def constants(program: Program) -> Iterator[tuple[str, str, Array]]:
    """(symbol, field, array) of every array that is emitted: one that repeats another is not."""
    repeated = program.repeated_constants
    for step in program.steps:
        for field, array in step.lowered.arrays():
            if (step.index, field) not in repeated:
                yield constant(program, step, field), field, array


def is_weights(field: str) -> bool:
    """Whether the array behind a pointer field holds weights, padding and reordering included.

    It does when one word of the field's name is `weights`. Biases, multipliers, shifts and tables
    are constants of the code around them.
    """
    return "weights" in _NO_WORD.sub("_", field).split("_")


def weight_arrays(program: Program) -> frozenset[str]:
    """Symbols of the arrays that hold weights, a part of `Emitted.weights`."""
    return frozenset(symbol for symbol, field, _ in constants(program) if is_weights(field))


@dataclass(frozen=True, slots=True)
class Emitted:
    """Symbols of one model: the arena, bytes by constant array, struct names and layer functions."""

    arena: str
    arena_bytes: int
    weights: Mapping[str, int]
    params: tuple[str, ...]
    layers: tuple[str, ...]

    @property
    def weight_bytes(self) -> int:
        return sum(self.weights.values())


def emitted(program: Program) -> Emitted:
    """What an ELF of this program must contain, with exact sizes for arena and weights."""
    return Emitted(
        arena=arena(program),
        arena_bytes=arena_bytes(program),
        weights=MappingProxyType({symbol: array.nbytes for symbol, _, array in constants(program)}),
        params=tuple(params(program, step) for step in program.steps),
        layers=tuple(layer(program, step) for step in program.steps),
    )


def arena_bytes(program: Program) -> int:
    """Size of the arena array; C has no empty arrays."""
    return max(1, program.plan.arena_size)
