"""PATCH_STAGE: what the template prints of the parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tinyc.ir.tensor import TensorName
from tinyc.kernels.patch_moves import Moves
from tinyc.kernels.patch_parts import NOTHING, Part, Stage
from tinyc.kernels.patch_schedule import ROWS, Cut


@dataclass(slots=True)
class Table:
    """Numbers that differ between kinds of patches; what does not is a literal."""

    count: int
    columns: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def value(self, name: str, numbers: Sequence[int]) -> str:
        """The C expression of a number, given for each kind."""
        if len(set(numbers)) == 1:
            return str(numbers[0])
        for known, column in self.columns.items():
            if column == tuple(numbers):
                return f"kinds[kind].{known}"
        self.columns[name] = tuple(numbers)
        return f"kinds[kind].{name}"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.columns)

    @property
    def rows(self) -> tuple[tuple[int, ...], ...]:
        return tuple(zip(*self.columns.values(), strict=True))

    @property
    def c_type(self) -> str:
        largest = max((abs(number) for column in self.columns.values() for number in column), default=0)
        return "int16_t" if largest < 2**15 else "int32_t"

    @property
    def bytes(self) -> int:
        return self.count * len(self.columns) * (2 if self.c_type == "int16_t" else 4)


@dataclass(frozen=True, slots=True)
class CopyView:
    """Rows that are brought together or apart: C expressions."""

    to: str
    to_step: str
    source: str
    from_step: str
    run: str
    rows: str


@dataclass(frozen=True, slots=True)
class PartView:
    """A part: C expressions of its operands, and the functions with the layers that each computes."""

    kind: str
    symbol: str
    shape: str
    computed: int
    struct: str
    sizes: int
    call: str
    rests: bool
    keeps: bool
    keep: str
    keep_from: str
    buffer: int
    gathered: tuple[CopyView, ...]
    scattered: CopyView | None
    functions: tuple[tuple[str, tuple[int, ...]], ...]
    arguments: tuple[str, ...]


def part_views(stage: Stage, table: Table) -> tuple[PartView, ...]:
    moves = stage.moves
    return tuple(_part_view(moves, table, at, part) for at, part in enumerate(stage.parts))


def _part_view(moves: Moves, table: Table, at: int, part: Part) -> PartView:
    schedule, plan, pairs = moves.schedule, moves.plan(), moves.pairs
    rows, columns, graph = schedule.rows, schedule.columns, schedule.graph
    (name,) = part.op.outputs
    depth = graph[name].shape[3]

    def value(what: str, number: Callable[[int, int], int]) -> str:
        return table.value(f"{what}_{at}", [number(row, column) for row, column in pairs])

    def row_bytes(of: TensorName, column: int) -> int:
        return schedule.width(column, of) * graph[of].shape[3]

    def address(of: TensorName, row: int, column: int) -> int:
        """Where the part's input begins, from where the patch's span of the tensor does."""
        down, along = rows.cuts[row][at], columns.cuts[column][at]
        if down is None or along is None:
            return 0
        first = (down.first - rows.held[row][of].first) * row_bytes(of, column)
        return first + (along.first - columns.held[column][of].first) * graph[of].shape[3]

    def pointer(base: str, offset: str) -> str:
        return base if offset == "0" else f"{base} + {offset}"

    def operand(position: int, of: TensorName) -> tuple[str, CopyView | None]:
        """Where the part finds an input, and how it gets there if it does not lie there already."""
        base = "from" if of == schedule.source else f"memory + {plan.offset(of)}"
        source = pointer(base, value(f"in{position}", lambda row, column: address(of, row, column)))
        if not moves.is_gathered(at, of):
            return source, None
        target = f"memory + {plan.buffer_offset(f'gathered:{at}:{of}')}"
        step = value(f"step{position}", lambda row, column: row_bytes(of, column))
        run = value("run", lambda row, column: _extent(columns.cuts[column][at]) * graph[of].shape[3])
        count = value("rows", lambda row, column: _extent(rows.cuts[row][at]))
        return target, CopyView(target, run, source, step, run, count)

    arguments, gathered = [], []
    for position, tensor in enumerate(graph.activations(part.op)):
        source, copy = operand(position, tensor.name)
        arguments.append(source)
        gathered += [copy] if copy is not None else []
    scattered = None
    if name != schedule.result:
        buffer = plan.offset(name)

        def written(row: int, column: int) -> int:
            span = rows.held[row][name]
            return (span.new - span.first) * columns.held[column][name].extent * depth

        arguments.append(pointer(f"memory + {buffer}", value("out", written)))
    elif moves.is_scattered:
        buffer = plan.buffer_offset("scattered")
        source = f"memory + {buffer}"
        run = value("made", lambda row, column: columns.held[column][name].extent * depth)
        count = value("lines", lambda row, column: rows.held[row][name].extent)
        step = str(graph[name].bytes // graph[name].shape[ROWS])
        scattered = CopyView("to", step, source, run, run, count)
        arguments.append(source)
    else:
        buffer = 0
        arguments.append("to")
    if part.scratch > 0:
        arguments.append(f"memory + {plan.buffer_offset(f'scratch:{at}')}")
    symbols: dict[str, list[int]] = {}
    for size, layer in enumerate(part.layers):
        symbols.setdefault(layer.symbol, []).append(size)
    first = part.layers[0]
    calls = [call for row in part.calls for call in row]

    def kept(row: int, column: int) -> tuple[int, int]:
        line = columns.held[column][name].extent * depth
        start, end = rows.kept(row, name)
        return start * line, (end - start) * line

    keeps = moves.carried(name)
    return PartView(
        kind=part.op.kind,
        symbol=part.kernel.symbol,
        shape="x".join(str(extent) for extent in graph[name].shape[1:]),
        computed=_computed(part),
        struct=part.kernel.lower(first.op, first.graph).struct,
        sizes=len(part.layers),
        call=value("call", lambda row, column: part.calls[row][column]),
        rests=NOTHING in calls,
        keeps=keeps,
        keep=value("keep", lambda row, column: kept(row, column)[1]) if keeps else "0",
        keep_from=value("keep_from", lambda row, column: kept(row, column)[0]) if keeps else "0",
        buffer=buffer,
        gathered=tuple(gathered),
        scattered=scattered,
        functions=tuple((symbol, tuple(sizes)) for symbol, sizes in symbols.items()),
        arguments=tuple(arguments),
    )


def _extent(cut: Cut | None) -> int:
    """What a part reads along one axis."""
    return 0 if cut is None else cut.extent


def _computed(part: Part) -> int:
    """Pixels that the part computes in all patches; more than it has where they are computed again."""
    sizes = [layer.graph.results(layer.op)[0].shape for layer in part.layers]
    return sum(sizes[call][1] * sizes[call][2] for row in part.calls for call in row if call != NOTHING)
