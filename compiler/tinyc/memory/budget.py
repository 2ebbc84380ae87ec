"""What a program will take of a board's flash and RAM, by layer, before anything is built.

Exact: the arena, and the bytes of the constant arrays, of the tokenizer's and the head's tables, which the
ELF must show to the byte.
Estimated: code and the runtime around the model, because they depend on the compiler. Parameter
structs are counted with 32-bit fields. The stack is what the board reserves for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from tinyc.boards import Board
from tinyc.device.limits import buffer_bytes
from tinyc.errors import DoesNotFit, Problem
from tinyc.ir.graph import Graph
from tinyc.memory.front_end import FrontEnd
from tinyc.program import Program, Step
from tinyc.resources import data_folder
from tinyc.sixlowpan import plan

# Estimates in bytes, fitted to nRF52840 builds of the MLPerf Tiny models with Clang, which gives
# larger code than GCC; they are within 15 % there. Headers hold the inlined parts of kernels.
_CODE_PER_SOURCE_CHARACTER = 0.48
_CODE_PER_HEADER_CHARACTER = 0.21
_CODE_PER_LAYER = 16
_RUNTIME_CODE = 6016
_RUNTIME_RAM = 208
# Updates over the serial port, on boards with slots: a whole request arrives while flash is written.
_UPDATE_CODE = 7_100
_UPDATE_RAM = 3_692
_HEAVIEST = 3
# Code of what learns by the kind of head: the head, learner, guard, drift, records, its group.
_LEARNING_CODE = {"slda": 9_200, "sgd": 10_000, "ncm": 8_600, "sparse": 14_900}
_LEARNING_CODE_OF_OTHERS = 9_000
# Gains, norms and dense layers over rows of int16.
_LEARNING_ROW_CODE = 2_600
_LEARNING_RUNTIME_RAM = 40


@dataclass(frozen=True, slots=True)
class LayerBudget:
    """One layer. `live` are the arena bytes alive while it runs, its scratch included."""

    index: int
    name: str
    op: str
    kernel: str
    macs: int
    weights: int
    params: int
    live: int
    scratch: int


@dataclass(frozen=True, slots=True)
class Budget:
    """All sizes in bytes. `code` and `runtime_ram` are estimates, the rest is exact.

    `state` are those bytes of the arena that outlive an inference.
    `tokenizer` are the tables of a tokenizer, 0 without one; its code and working memory count with the rest.
    `learning_tables` are the constants of a head that learns, `learning_ram` what it keeps in RAM, 0 without
    one. `learning_pages` of `learning_page` bytes of flash are its own, beside the application's.
    `lowpan` has the bytes of RAM of a 6LoWPAN node by part; those of its receive path are exact.
    """

    model: str
    board: str
    layers: tuple[LayerBudget, ...]
    weights: int
    params: int
    code: int
    arena: int
    lower_bound: int
    stack: int
    runtime_ram: int
    tokenizer: int
    flash_available: int
    ram_available: int
    state: int = 0
    learning_tables: int = 0
    learning_ram: int = 0
    learning_pages: int = 0
    learning_page: int = 0
    lowpan: Mapping[str, int] = field(default_factory=dict)

    @property
    def flash(self) -> int:
        """Flash that the firmware will take, about."""
        return self.weights + self.tokenizer + self.learning_tables + self.params + self.code

    @property
    def ram(self) -> int:
        """RAM that the firmware will take, about, the reserved stack included."""
        return self.arena + self.stack + self.runtime_ram + self.learning_ram + self.lowpan_ram

    @property
    def lowpan_ram(self) -> int:
        """What a 6LoWPAN node keeps in RAM."""
        return sum(self.lowpan.values())

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    def problems(self) -> tuple[Problem, ...]:
        """What does not fit: by how much, and the layers that weigh most."""
        found = []
        if self.flash > self.flash_available:
            found.append(self._problem("flash", self.flash, self.flash_available))
            found += self.heaviest_in_flash()
            if self.tokenizer:
                found.append(Problem("tokenizer", f"{self.tokenizer} bytes of tables"))
            if self.learning_tables:
                found.append(Problem("learning", f"{self.learning_tables} bytes of tables"))
        if self.ram > self.ram_available:
            found.append(self._problem("RAM", self.ram, self.ram_available))
            found += self.heaviest_in_arena()
            if self.learning_ram:
                found.append(Problem("learning", f"{self.learning_ram} bytes of the head that learns"))
            if self.lowpan:
                found.append(Problem("6LoWPAN", f"{self.lowpan_ram} bytes of the node"))
        return tuple(found)

    def heaviest_in_flash(self) -> list[Problem]:
        """The layers with most constants, heaviest first."""
        heavy = sorted(self.layers, key=lambda layer: (-layer.weights, layer.index))[:_HEAVIEST]
        return [
            Problem(_where(layer), f"{layer.weights} bytes of constants")
            for layer in heavy
            if layer.weights > 0
        ]

    def heaviest_in_arena(self) -> list[Problem]:
        """The layers that set the peak of the arena, heaviest first."""
        heavy = sorted(self.layers, key=lambda layer: (-layer.live, layer.index))[:_HEAVIEST]
        return [Problem(_where(layer), f"{layer.live} bytes alive in the arena") for layer in heavy]

    def _problem(self, memory: str, need: int, have: int) -> Problem:
        return Problem(memory, f"needs about {need} bytes, {need - have} more than there are", f"has {have}")

    @property
    def certainly_too_large(self) -> bool:
        """True when the exact parts alone exceed the board, so that no compiler can help."""
        constants = self.weights + self.tokenizer + self.learning_tables
        ram = self.arena + self.stack + self.learning_ram + self.lowpan_ram
        return constants > self.flash_available or ram > self.ram_available

    def require_fit(self) -> None:
        """Raise DoesNotFit when there are problems."""
        problems = self.problems()
        if problems:
            raise DoesNotFit(
                f"model `{self.model}` does not fit on board `{self.board}`",
                problems=problems,
                hint="use a smaller model or input, or a board with more memory (`tinyc boards`)",
            )


def runtime_ram(ram: int) -> int:
    """What a firmware takes beside arena and stack on a board with `ram` bytes: most is the serial buffer."""
    return buffer_bytes(ram) + _RUNTIME_RAM


def update_bytes(board: Board) -> tuple[int, int]:
    """Estimated code and RAM bytes of updates over the serial port; boards without slots have none."""
    return (0, 0) if board.slots is None else (_UPDATE_CODE, _UPDATE_RAM)


def budget(program: Program) -> Budget:
    """The budget of a program on its board."""
    memory = program.board.memory
    layers = tuple(_layer(program, step) for step in program.steps)
    front_end = FrontEnd.of(program.audio, program.tokenizer)
    learning = program.learning
    region = learning.safety.region if learning is not None else None
    own_ram = _LEARNING_RUNTIME_RAM if learning is not None else 0
    return Budget(
        model=program.name,
        board=program.board.name,
        layers=layers,
        weights=program.weight_bytes,
        params=sum(layer.params for layer in layers),
        code=_code(program, front_end),
        arena=program.plan.arena_size,
        lower_bound=program.plan.lower_bound,
        stack=memory.stack,
        runtime_ram=runtime_ram(memory.ram) + update_bytes(program.board)[1] + front_end.ram + own_ram,
        tokenizer=front_end.tables,
        flash_available=memory.application_flash - _reserved_flash(program),
        ram_available=memory.application_ram,
        state=program.graph.state_bytes(),
        learning_tables=learning.tables if learning is not None else 0,
        learning_ram=learning.ram if learning is not None else 0,
        learning_pages=region.pages if region is not None else 0,
        learning_page=region.page if region is not None else 0,
        lowpan=plan.ram_parts(program.lowpan) if program.lowpan is not None else {},
    )


def _reserved_flash(program: Program) -> int:
    """Flash at the end of the application's that no code may take."""
    from tinyc.sixlowpan.emit_node import reserved_flash

    return 0 if program.lowpan is None else reserved_flash(program.board, program.lowpan)


def _where(layer: LayerBudget) -> str:
    return f"#{layer.index} {layer.op} {layer.name}"


def _layer(program: Program, step: Step) -> LayerBudget:
    graph = program.graph
    live = program.plan.live_bytes(step.index)
    return LayerBudget(
        index=step.index,
        name=step.op.name,
        op=step.op.kind,
        kernel=step.kernel.symbol,
        macs=step.op.macs(graph.operands(step.op), graph.results(step.op)),
        weights=step.lowered.constant_bytes(),
        params=params_bytes(step),
        live=live,
        scratch=step.scratch,
    )


def params_bytes(step: Step) -> int:
    """Bytes of the parameter struct where every field and every pointer takes a 32-bit word."""
    words = 0
    for value in step.lowered.fields.values():
        words += len(value) if isinstance(value, tuple) else 1
    return 4 * words


def fixed_code(layers: int, front_end: FrontEnd) -> int:
    """Estimated code bytes of everything around the kernels of a program with so many layers."""
    return _RUNTIME_CODE + _CODE_PER_LAYER * layers + front_end.code


def code_pieces(graph: Graph, step: Step) -> dict[str, float]:
    """Code bytes that a layer brings with its kernel and those that this one calls; each piece exists once.

    A template is compiled once per layer, or once per variant. What was neither measured nor stated by the
    kernel is estimated: proportional to its text without comments and spaces.
    """
    pieces = _own_pieces(graph, step)
    for inner in step.kernel.inner(step.op, graph):
        pieces |= _own_pieces(inner.graph, replace(step, op=inner.op, kernel=inner.kernel))
    return pieces


def _own_pieces(graph: Graph, step: Step) -> dict[str, float]:
    kernel, piece = step.kernel, step.kernel.source
    if kernel.specialize is not None:
        view = kernel.specialize(step.op, graph)
        piece = f"{kernel.symbol} {view.get('variant', step.index)}"
    if kernel.code is not None:
        return {**kernel.functions, piece: kernel.code(step.op, graph)}
    if kernel.functions and piece == kernel.source:
        return dict(kernel.functions)
    pieces = {header: _CODE_PER_HEADER_CHARACTER * _characters(header) for header in kernel.headers}
    return pieces | {piece: _CODE_PER_SOURCE_CHARACTER * _characters(kernel.source)}


def _code(program: Program, front_end: FrontEnd) -> int:
    pieces: dict[str, float] = {}
    for step in program.steps:
        pieces |= code_pieces(program.graph, step)
    return (
        round(sum(pieces.values()))
        + fixed_code(len(program.steps), front_end)
        + update_bytes(program.board)[0]
        + _learning_code(program)
        + (plan.code_bytes(program.lowpan) if program.lowpan is not None else 0)
    )


def _learning_code(program: Program) -> int:
    if program.learning is None:
        return 0
    head = program.learning.head
    rows = _LEARNING_ROW_CODE if head.options.get("sparse_tokens") else 0
    return _LEARNING_CODE.get(head.kind, _LEARNING_CODE_OF_OTHERS) + rows


@cache
def _characters(path: str) -> int:
    text = (data_folder("firmware_templates") / "kernels" / path).read_text(encoding="utf-8")
    return len(re.sub(r"/\*.*?\*/|\s+", "", text, flags=re.DOTALL))
