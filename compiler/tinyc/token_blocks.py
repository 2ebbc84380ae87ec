"""Groups the layers of a transformer into blocks that are computed a few rows at a time.

Within a block a layer reads only the rows that are being computed, of tensors that the block makes or finds
there; what is read as a whole (keys, values, the rows of a convolution) comes from an earlier block.
"""

from __future__ import annotations

from collections import defaultdict

from tinyc.ir import sequence
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops.attention import Attention
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.curved import Curved, Gelu, Silu, SquaredRelu
from tinyc.ir.ops.depthwise_conv_1d import DepthwiseConv1D
from tinyc.ir.ops.embedding import Embedding
from tinyc.ir.ops.linear import Linear
from tinyc.ir.ops.norm import LayerNorm, RmsNorm
from tinyc.ir.ops.token_block import TokenBlock
from tinyc.ir.ops.token_pool import TokenPool
from tinyc.ir.tensor import DType, TensorName
from tinyc.kernels.row_kernel import rows_through, whole_inputs

ROW_OPS = (
    Attention,
    DepthwiseConv1D,
    Embedding,
    Gelu,
    LayerNorm,
    Linear,
    RmsNorm,
    Silu,
    SquaredRelu,
    TokenPool,
)


def with_blocks(graph: Graph) -> Graph:
    """The graph with its row-wise layers in blocks; itself where nothing asks for one."""
    if not any(_is_row(op, graph) and not _is_table(op, graph) for op in graph.ops):
        return graph
    stages = _stages(graph)
    later = _later(graph, stages)
    groups: dict[tuple[int, ...], list[Op]] = defaultdict(list)
    for index, op in enumerate(graph.ops):
        if _is_row(op, graph):
            groups[stages[op.name], int(op.name in later), rows_through(op, graph)].append(op)
        else:
            groups[stages[op.name], 0, -1, index].append(op)
    varying, counter = sequence.varying(graph), sequence.length_op(graph)
    ops: list[Op] = []
    for _, members in sorted(groups.items()):
        if not _is_row(members[0], graph):
            ops += members
            continue
        own = {op.name for op in members}
        kept = [
            name
            for op in members
            for name in op.outputs
            if name in graph.outputs or any(reader.name not in own for reader in graph.consumers(name))
        ]
        length = None
        if counter is not None and any(name in varying for op in members for name in op.inputs):
            length = counter.outputs[0]
        ops.append(TokenBlock.of(members, graph.tensors, kept, length))
    return verify(graph.rebuilt(ops=ops))


def _is_row(op: Op, graph: Graph) -> bool:
    """Blocks compute in integers, and curves of bytes; another curve is a layer like any other."""
    if isinstance(op, Curved) and graph[op.inputs[0]].dtype is not DType.INT8:
        return False
    return isinstance(op, ROW_OPS) and graph[op.outputs[0]].dtype is not DType.FLOAT32


def _is_table(op: Op, graph: Graph) -> bool:
    """A table of bytes computes it anywhere: it does not ask for a block, but goes along with others."""
    return isinstance(op, Curved) and graph[op.outputs[0]].dtype is DType.INT8


def in_order(graph: Graph) -> Graph:
    """The graph with its layers in the order of the blocks, so that blocks do not change its text."""
    return with_blocks(graph).expanded()


def _producers(graph: Graph) -> dict[TensorName, Op]:
    return {name: op for op in graph.ops for name in op.outputs}


def _together(graph: Graph, maker: Op, reader: Op, name: TensorName) -> bool:
    """Whether `reader` can read the rows of `name` while `maker` computes them."""
    return (
        _is_row(reader, graph)
        and _is_row(maker, graph)
        and rows_through(reader, graph) == rows_through(maker, graph)
        and all(reader.inputs[at] != name for at in whole_inputs(reader))
    )


def _stages(graph: Graph) -> dict[str, int]:
    """The stage of each op, by name: ops of one stage and of as many rows can be computed together.

    An op goes to the latest stage that its readers allow where that keeps nothing alive that would not be
    anyway: queries are computed beside the attention that reads them.
    """
    producers, stages = _producers(graph), dict[str, int]()
    for op in graph.ops:
        makers = [(name, producers[name]) for name in op.inputs if name in producers]
        stages[op.name] = max(
            (stages[maker.name] + (not _together(graph, maker, op, name)) for name, maker in makers),
            default=0,
        )
    for op in reversed(graph.ops):
        readers = [(name, reader) for name in op.outputs for reader in graph.consumers(name)]
        latest = min(
            (stages[reader.name] - (not _together(graph, op, reader, name)) for name, reader in readers),
            default=stages[op.name],
        )
        if _is_row(op, graph) and _can_wait(graph, op, producers, stages, latest):
            stages[op.name] = max(latest, stages[op.name])
    return stages


def _can_wait(
    graph: Graph, op: Op, producers: dict[TensorName, Op], stages: dict[str, int], stage: int
) -> bool:
    """Whether what `op` reads is there in `stage` anyway, or made by ops that can wait as well."""
    made = [name for name in op.inputs if name in producers]

    def is_there(name: TensorName) -> bool:
        others = [other for other in graph.consumers(name) if other is not op]
        if any(stages[other.name] >= stage for other in others):
            return True
        maker = producers[name]
        waits = not others and _is_row(maker, graph) and _together(graph, maker, op, name)
        return waits and _can_wait(graph, maker, producers, stages, stage)

    return bool(made) and all(is_there(name) for name in made)


def _later(graph: Graph, stages: dict[str, int]) -> frozenset[str]:
    """Ops, by name, whose own block costs nothing: only later stages read what they make together, and what
    they read is kept anyway.

    Keys and values that are made of the rows of a residual are such a case: beside the block that makes
    the rows they would need memory while the keys and values of that block are still there.
    """
    producers, found = _producers(graph), set[str]()
    for op in reversed(graph.ops):
        readers = [reader for name in op.outputs for reader in graph.consumers(name)]
        if _is_row(op, graph) and all(
            stages[reader.name] > stages[op.name] or reader.name in found for reader in readers
        ):
            found.add(op.name)
    for op in graph.ops:
        inside = [
            name
            for name in op.inputs
            if name in producers and stages[producers[name].name] == stages[op.name]
        ]
        kept = all(
            producers[name].name in found or _is_kept(graph, name, stages, stages[op.name]) for name in inside
        )
        if op.name in found and not (inside and kept):
            found.discard(op.name)
    return frozenset(found)


def _is_kept(graph: Graph, name: TensorName, stages: dict[str, int], stage: int) -> bool:
    """Whether a later stage reads the rows of the tensor, each at its place."""
    return any(
        stages[reader.name] > stage and all(reader.inputs[at] != name for at in whole_inputs(reader))
        for reader in graph.consumers(name)
    )
