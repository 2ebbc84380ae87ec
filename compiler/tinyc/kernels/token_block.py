"""TOKEN_BLOCK: a loop over tiles of four rows that calls a kernel for each part.

What lies between two parts needs room for one tile only. The function is rendered once for all blocks that
make the same calls.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.sequence_length import SequenceLength
from tinyc.ir.ops.token_block import TokenBlock
from tinyc.ir.tensor import DType, Tensor, TensorName
from tinyc.kernels import cortex_m4_rows, portable_rows, row_features
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered, Overlap, Work
from tinyc.kernels.row_kernel import TILE_ROWS, RowKernel, rows_of, rows_through, whole_inputs
from tinyc.kernels.work import FittedWork
from tinyc.memory import planner
from tinyc.memory.plan import Buffer, Lifetime, MemoryPlan

_NO_POINTER = "0"


@dataclass(frozen=True, slots=True)
class Argument:
    """A parameter of the C function."""

    c_type: str
    name: str


@dataclass(frozen=True, slots=True)
class PartView:
    """A call: C expressions of its operands."""

    kind: str
    symbol: str
    struct: str
    inputs: tuple[str, ...]
    output: str
    scratch: str


@dataclass(frozen=True, slots=True)
class _Part:
    """`scratch` names the buffer that it works in, which is that of an earlier part where it finds the panel
    of its inputs there."""

    op: Op
    kernel: RowKernel
    scratch: str
    has_panel: bool

    def panel(self, graph: Graph) -> tuple[str, ...]:
        """Tensors of which the scratch holds a panel after the call."""
        return tuple(self.op.inputs[at] for at in self.kernel.panel(self.op, graph))

    def work(self, graph: Graph) -> Work:
        counts = self.kernel.features(self.op, graph)
        if self.has_panel:
            counts = {name: n for name, n in counts.items() if not name.startswith(row_features.PANEL)}
        return FittedWork(self.kernel.symbol, lambda op, graph: counts)(self.op, graph)

    def finds_panel(self, before: _Part, graph: Graph) -> bool:
        """Whether its panel is the one that the part before leaves."""
        own = self.panel(graph)
        return bool(own) and before.kernel is self.kernel and before.panel(graph) == own


@dataclass(frozen=True, slots=True)
class BlockKernel:
    """A set of row kernels, the first that accepts a part computes it."""

    isa: str
    requires: frozenset[str]
    superseded: frozenset[str]
    rows: tuple[RowKernel, ...]

    def graph(self, op: TokenBlock, graph: Graph) -> Graph:
        """The graph with the tensors between the parts."""
        return graph.rebuilt(ops=op.parts, tensors=op.between, inputs=op.inputs, outputs=op.outputs)

    def parts(self, op: TokenBlock, graph: Graph) -> list[_Part] | None:
        """None where a part has no kernel."""
        found: list[_Part] = []
        for at, part in enumerate(op.parts):
            kernels = (k for k in self.rows if k.op is type(part) and k.accepts(part, graph))
            kernel = next(kernels, None)
            if kernel is None:
                return None
            own = _Part(part, kernel, f"scratch:{at}", False)
            if found and own.finds_panel(found[-1], graph):
                own = replace(own, scratch=found[-1].scratch, has_panel=True)
            found.append(own)
        return found

    def known(self, op: Op, graph: Graph) -> tuple[TokenBlock, Graph, list[_Part]]:
        assert isinstance(op, TokenBlock)
        inner = self.graph(op, graph)
        parts = self.parts(op, inner)
        assert parts is not None
        return op, inner, parts

    def accepts(self, op: Op, graph: Graph) -> bool:
        """Blocks of all rows of a sentence, or of one; where rows do not vary, of as many as there are."""
        assert isinstance(op, TokenBlock)
        inner = self.graph(op, graph)
        rows = rows_through(op.parts[0], inner)
        if op.counted and rows not in (1, self._length(op, inner, rows)):
            return False
        return self.parts(op, inner) is not None

    def _buffers(self, op: TokenBlock, inner: Graph, parts: Sequence[_Part]) -> list[Buffer]:
        """What a tile needs between and beside its parts."""
        between = {tensor.name: tensor for tensor in op.between}
        # Each part takes two steps, before and after its first output is written.
        last: dict[TensorName, int] = {}
        for at, part in enumerate(parts):
            early = part.kernel.early(part.op, inner)
            for position, name in enumerate(part.op.inputs):
                last[name] = max(last.get(name, 0), 2 * at + (position not in early))
        found = []
        end = 2 * len(parts) - 1
        for at, part in enumerate(parts):
            for name in part.op.outputs:
                if name in between:
                    lifetime = Lifetime(2 * at + 1, last.get(name, 2 * at + 1))
                    found.append(Buffer(name, _tile_bytes(between[name]), lifetime, (name,)))
            scratch = part.kernel.scratch(part.op, inner)
            if scratch > 0 and not part.has_panel:
                users = [index for index, other in enumerate(parts) if other.scratch == part.scratch]
                lifetime = Lifetime(0, end) if part.kernel.has_state else Lifetime(2 * at, 2 * users[-1] + 1)
                found.append(Buffer(part.scratch, scratch, lifetime))
        return found

    def _plan(self, op: TokenBlock, inner: Graph, parts: Sequence[_Part]) -> MemoryPlan:
        return _placed(tuple(self._buffers(op, inner, parts)))

    def scratch(self, op: Op, graph: Graph) -> int:
        return self._plan(*self.known(op, graph)).arena_size

    def work(self, op: Op, graph: Graph) -> Work:
        """The parts' together, for a sentence as long as there is room for.

        Raises LookupError for parts that were never fitted.
        """
        _, inner, parts = self.known(op, graph)
        return sum((part.work(inner) for part in parts), Work(0, 0))

    def view(self, op: Op, graph: Graph) -> dict[str, object]:
        """What the template prints; it depends on shapes and types, not on the layer."""
        block, inner, parts = self.known(op, graph)
        plan = self._plan(block, inner, parts)
        names = [tensor.name for tensor in graph.activations(block)]
        own = {name: f"input_{at}" for at, name in enumerate(names)}
        own |= {name: f"output_{at}" for at, name in enumerate(block.outputs)}
        if block.counted:
            own[block.inputs[-1]] = "length"
        between = {tensor.name for tensor in block.between}

        def pointer(name: str, whole: bool) -> str:
            if name in between:
                return f"(uint8_t *)scratch + {plan.offset(name)}"
            step = inner[name].shape[-1]
            single = rows == 1 or rows_of(inner[name]) == 1
            return own[name] if whole or single else f"{own[name]} + tile.first * {step}"

        rows = rows_through(block.parts[0], inner)
        calls = []
        for part in parts:
            whole = whole_inputs(part.op)
            packed = part.kernel.panel(part.op, inner) if part.has_panel else ()
            scratch = _NO_POINTER
            if part.kernel.scratch(part.op, inner) > 0:
                scratch = f"(uint8_t *)scratch + {plan.buffer_offset(part.scratch)}"
            inputs = tuple(
                _NO_POINTER if position in packed else pointer(name, position in whole)
                for position, name in enumerate(part.op.inputs)
                if not inner[name].is_constant
            )
            calls.append(
                PartView(
                    part.op.kind,
                    part.kernel.symbol,
                    part.kernel.struct,
                    inputs,
                    pointer(part.op.outputs[0], False),
                    scratch,
                )
            )
        arguments = [Argument(f"const {graph[name].dtype.c_type}", own[name]) for name in names]
        arguments += [Argument(graph[name].dtype.c_type, own[name]) for name in block.outputs]
        view: dict[str, object] = {
            "parts": tuple(calls),
            "arguments": tuple(arguments),
            "scratch": plan.arena_size > 0,
            "counted": block.counted,
            "rows": rows,
            "length": self._length(block, inner, rows),
            "tile": TILE_ROWS,
        }
        variant = hashlib.sha256(repr(view).encode()).hexdigest()[:8]
        files = dict.fromkeys(path for part in parts for path in (*part.kernel.headers, part.kernel.source))
        return {**view, "variant": variant, "struct": f"tinyc_token_block_{variant}", "files": tuple(files)}

    def _length(self, block: TokenBlock, inner: Graph, rows: int) -> int:
        """Rows of what is read as a whole, where they do not vary."""
        names = [part.inputs[at] for part in block.parts for at in whole_inputs(part)]
        return max([rows, *(inner[name].shape[1] for name in names)])

    def lower(self, op: Op, graph: Graph) -> Lowered:
        """Raises ValueError for scales out of range, naming the part."""
        _, inner, parts = self.known(op, graph)
        fields: dict[str, FieldValue] = {}
        for at, part in enumerate(parts):
            try:
                values = part.kernel.fields(part.op, inner)
            except ValueError as error:
                raise ValueError(f"{part.op.kind} {part.op.name}: {error}") from error
            fields |= {f"part_{at}.{name}": value for name, value in values.items()}
        return Lowered(str(self.view(op, graph)["struct"]), fields)

    def overlaps(self, op: Op, graph: Graph) -> tuple[Overlap, ...]:
        """A row may be written over where the same row is all that is read, and not once more then."""
        block, inner, parts = self.known(op, graph)
        names = [tensor.name for tensor in graph.activations(block)]
        needed = {part.inputs[at] for part in block.parts for at in whole_inputs(part)}
        result = graph[block.outputs[0]]
        writer = next(at for at, part in enumerate(block.parts) if result.name in part.outputs)
        made = parts[writer]
        needed.update(made.op.inputs[at] for at in made.kernel.again(made.op, inner))
        needed.update(name for part in block.parts[writer + 1 :] for name in part.inputs)
        return tuple(
            Overlap(at, "output", 0)
            for at, name in enumerate(names)
            if name not in needed
            and graph[name].bytes == result.bytes
            and rows_of(graph[name]) > 1
            and len(block.outputs) == 1
        )

    def specialize(self, op: Op, graph: Graph) -> Mapping[str, object]:
        return self.view(op, graph)

    def kernel(self) -> Kernel:
        return Kernel(
            symbol=f"tinyc_token_block_s8__{self.isa}",
            op=TokenBlock,
            source="rows/token_block.c.j2",
            headers=("include/tinyc_tile.h",),
            requires=self.requires,
            superseded=self.superseded,
            accepts=self.accepts,
            lower=self.lower,
            scratch=self.scratch,
            overlaps=self.overlaps,
            work=self.work,
            specialize=self.specialize,
        )


@lru_cache(maxsize=256)
def _placed(buffers: tuple[Buffer, ...]) -> MemoryPlan:
    """Blocks of one kind ask for the same, several times each."""
    return planner.place(buffers)


def _tile_bytes(tensor: Tensor) -> int:
    """Bytes of a tile of a tensor [..., rows, depth]."""
    return min(rows_of(tensor), TILE_ROWS) * tensor.shape[-1] * tensor.dtype.size


def _accepts_ids(op: Op, graph: Graph) -> bool:
    return graph.operands(op)[0].dtype is DType.INT16


def _length_fields(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, SequenceLength)
    longest = graph.operands(op)[0].shape[1]
    return Lowered("tinyc_sequence_length", {"longest": longest, "padding": op.padding})


_DSP, _FPU = frozenset({"dsp"}), frozenset({"dsp", "fpu"})


def _block(isa: str, features: frozenset[str], superseded: frozenset[str] = frozenset()) -> BlockKernel:
    """The one whose parts are the first that accept them among those that need no more than `features`."""
    rows = (*cortex_m4_rows.KERNELS, *portable_rows.KERNELS)
    able = tuple(kernel for kernel in rows if kernel.requires <= features)
    return BlockKernel(isa, features, superseded, able)


BLOCKS = (
    _block("cortex_m4", _FPU),
    _block("cortex_m4_no_fpu", _DSP, frozenset({"fpu"})),
    _block("portable", frozenset(), _DSP),
)
KERNELS = (
    *(block.kernel() for block in BLOCKS),
    Kernel(
        symbol="tinyc_sequence_length_s16__portable",
        op=SequenceLength,
        source="portable/sequence_length_s16.c",
        headers=("include/sequence_length.h",),
        accepts=_accepts_ids,
        lower=_length_fields,
        work=FittedWork("tinyc_sequence_length_s16__portable", row_features.sequence_length),
    ),
)
