"""What a program will take of a board's flash and RAM, by layer, before anything is built.

Exact: the arena, and the bytes of the constant arrays and of the tokenizer's tables, which the ELF must
show to the byte.
Estimated: code and the runtime around the model, because they depend on the compiler. Parameter
structs are counted with 32-bit fields. The stack is what the board reserves for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from tinyc.boards import Board
from tinyc.device.limits import buffer_bytes
from tinyc.errors import DoesNotFit, Problem
from tinyc.ir.graph import Graph
from tinyc.memory.front_end import FrontEnd
from tinyc.program import Program, Step
from tinyc.resources import data_folder

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

    `tokenizer` are the tables of a tokenizer, 0 without one; its code and working memory count with the rest.
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

    @property
    def flash(self) -> int:
        """Flash that the firmware will take, about."""
        return self.weights + self.tokenizer + self.params + self.code

    @property
    def ram(self) -> int:
        """RAM that the firmware will take, about, the reserved stack included."""
        return self.arena + self.stack + self.runtime_ram

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    def problems(self) -> tuple[Problem, ...]:
        """What does not fit: by how much, and the layers that weigh most."""
        found = []
        if self.flash > self.flash_available:
            heavy = sorted(self.layers, key=lambda layer: (-layer.weights, layer.index))[:_HEAVIEST]
            found.append(self._problem("flash", self.flash, self.flash_available))
            found += [
                Problem(_where(layer), f"{layer.weights} bytes of constants")
                for layer in heavy
                if layer.weights > 0
            ]
            if self.tokenizer:
                found.append(Problem("tokenizer", f"{self.tokenizer} bytes of tables"))
        if self.ram > self.ram_available:
            heavy = sorted(self.layers, key=lambda layer: (-layer.live, layer.index))[:_HEAVIEST]
            found.append(self._problem("RAM", self.ram, self.ram_available))
            found += [Problem(_where(layer), f"{layer.live} bytes alive in the arena") for layer in heavy]
        return tuple(found)

    def _problem(self, memory: str, need: int, have: int) -> Problem:
        return Problem(memory, f"needs about {need} bytes, {need - have} more than there are", f"has {have}")

    @property
    def certainly_too_large(self) -> bool:
        """True when the exact parts alone exceed the board, so that no compiler can help."""
        constants = self.weights + self.tokenizer
        return constants > self.flash_available or self.arena + self.stack > self.ram_available

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
        runtime_ram=runtime_ram(memory.ram) + update_bytes(program.board)[1] + front_end.ram,
        tokenizer=front_end.tables,
        flash_available=memory.application_flash,
        ram_available=memory.application_ram,
    )


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
    """Code bytes that a layer brings with its kernel, by piece; each piece exists once.

    A template is compiled once per layer, or once per variant. What was neither measured nor stated by the
    kernel is estimated: proportional to its text without comments and spaces.
    """
    kernel, piece = step.kernel, step.kernel.source
    if piece.endswith(".j2"):
        view = kernel.specialize(step.op, graph) if kernel.specialize else {}
        piece += f" {view['variant']}" if "variant" in view else f" {step.index}"
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
    )


@cache
def _characters(path: str) -> int:
    text = (data_folder("firmware_templates") / "kernels" / path).read_text(encoding="utf-8")
    return len(re.sub(r"/\*.*?\*/|\s+", "", text, flags=re.DOTALL))
