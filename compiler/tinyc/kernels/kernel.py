"""What a kernel is: a descriptor that says what it accepts, what memory it wants and its C source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array
from tinyc.kernels.code_sizes import code_sizes

FieldValue: TypeAlias = "int | float | tuple[int, ...] | Array"


@dataclass(frozen=True, slots=True)
class Lowered:
    """The C parameters of one layer.

    `struct` is the C struct type declared in one of the kernel's headers. `fields` initialises it
    in order: an int or float as a literal, a tuple as an inline array, a NumPy array as a pointer
    to a constant array that is emitted beside it (its dtype gives the C type). Arrays hold what
    goes to flash: packed, reordered or widened as the kernel wants it. `channel_bytes` of those that
    hold weights are biases and constants of the requantization, which lie between the weights.
    """

    struct: str
    fields: Mapping[str, FieldValue]
    channel_bytes: int = 0

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """(field, array) of every constant array; empty ones become null pointers and are left out."""
        for name, value in self.fields.items():
            if isinstance(value, np.ndarray) and value.size > 0:
                yield name, value

    def constant_bytes(self) -> int:
        """Flash bytes of the constant arrays; what repeats another one is there once."""
        unique = {(value.dtype.str, value.tobytes()): value.nbytes for _, value in self.arrays()}
        return sum(unique.values())


@dataclass(frozen=True, slots=True)
class Work:
    """What a kernel is predicted to execute for one layer: instructions, and estimated cycles.

    Cycles are those of the emulated Cortex-M4 (`emulator/timing.py`): published timings, zero wait
    states; kernels for other cores give figures that rank beside these. Scratch and constants are not
    part of it, `Kernel.scratch` and `Lowered` give them.
    """

    instructions: int
    cycles: int

    def __add__(self, other: Work) -> Work:
        return Work(self.instructions + other.instructions, self.cycles + other.cycles)


@dataclass(frozen=True, slots=True)
class Overlap:
    """An activation that a layer reads while it writes over it.

    `written` is what is written: the output or the scratch. It may share memory with the activation
    at `position` when it starts at least `lead` bytes before it (a negative lead: it may start that
    far behind).
    """

    position: int
    written: Literal["output", "scratch"]
    lead: int


@dataclass(frozen=True, slots=True)
class Inner:
    """A layer that the kernel of another one computes by `kernel`, in a graph of its own."""

    op: Op
    graph: Graph
    kernel: Kernel

    @property
    def view(self) -> Mapping[str, object]:
        """What the kernel's template is rendered with."""
        return self.kernel.specialize(self.op, self.graph) if self.kernel.specialize else self.kernel.view

    @property
    def symbol(self) -> str:
        """The C function; that of a template, which its layers of one variant share, names the variant."""
        view = self.view
        return f"{self.kernel.symbol}_{view['variant']}" if "variant" in view else self.kernel.symbol


def always(op: Op, graph: Graph) -> bool:
    """Accepts every layer of its op."""
    return True


def none(op: Op, graph: Graph) -> int:
    """Needs no scratch."""
    return 0


def _alone(op: Op, graph: Graph) -> tuple[Inner, ...]:
    return ()


def _apart(op: Op, graph: Graph) -> tuple[Overlap, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """One way to compute an op. `tinyc.selection` chooses among those that accept a layer.

    The C function is `void symbol(const struct *layer, <activations in>, <outputs>[, void *scratch])`:
    non-constant inputs in op order as `const T *`, outputs as `T *`, and `void *scratch`, aligned
    to 8 bytes, when `scratch` gives more than 0. Constants travel in the struct.

    `headers` and `source` are files under `firmware_templates/kernels`; both are pasted into
    `model.c`, each once. A source that ends in `.j2` is a template, rendered with `symbol` and a view. That
    is `view`, which is the same for all layers, unless there is a `specialize`, whose views are rendered once
    per layer, the symbol carrying the model and the layer number, or once for all layers that agree in the
    view's `variant`, a part of an identifier that tells all that the text depends on. The view's `files` are
    further headers and sources that it needs.
    Boards need the features that it `requires`; where they have one of those in `superseded` another kernel
    does the same better.
    `in_place` lists the positions among the activations whose buffer output 0 may share as a whole,
    `overlaps` the activations that output 0 or the scratch may write over while they are being read.
    `work` predicts what the kernel executes on a Cortex-M4. `code` gives the bytes of machine code of a
    template's variant; `functions` are those whose size does not depend on the layer. `inner` are the layers
    that it computes by other kernels, whose functions it calls. `weight_bits`: what a weight takes in flash.
    """

    symbol: str
    op: type[Op]
    source: str
    lower: Callable[[Op, Graph], Lowered]
    headers: tuple[str, ...] = ()
    requires: frozenset[str] = frozenset()
    superseded: frozenset[str] = frozenset()
    accepts: Callable[[Op, Graph], bool] = always
    scratch: Callable[[Op, Graph], int] = none
    in_place: tuple[int, ...] = ()
    overlaps: Callable[[Op, Graph], tuple[Overlap, ...]] = _apart
    work: Callable[[Op, Graph], Work] | None = None
    code: Callable[[Op, Graph], int] | None = None
    view: Mapping[str, object] = field(default_factory=dict, hash=False)
    specialize: Callable[[Op, Graph], Mapping[str, object]] | None = field(default=None)
    inner: Callable[[Op, Graph], tuple[Inner, ...]] = _alone
    weight_bits: int = 8

    def suits(self, features: frozenset[str]) -> bool:
        """Whether it is for boards with exactly these features."""
        return self.requires <= features and not self.superseded & features

    @property
    def is_specialized(self) -> bool:
        """Whether the C text depends on the layer."""
        return self.specialize is not None

    @property
    def functions(self) -> Mapping[str, int]:
        """Measured code, function → bytes; functions of one name are one. Empty without a measurement."""
        return code_sizes(self.symbol)

    @property
    def isa(self) -> str:
        """The instruction set in the kernel's name: the part after the double underscore."""
        return self.symbol.rsplit("__", 1)[1]
