"""The quantization scheme: what each op kind asks of its tensors, and which tensors share a scale.

The scheme is TensorFlow Lite's for int8 ("TensorFlow Lite 8-bit quantization specification"):
per-channel symmetric weights in [-127, 127], asymmetric int8 activations, int32 biases. Weights of four bits
are in [-7, 7].
A new op kind gets one line in `RULES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.errors import Problem, TinycError
from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array, DType, Quantization, TensorName
from tinyc.quantize.options import Weights
from tinyc.quantize.ranges import SMALLEST_SCALE

WEIGHT_LIMIT = 127
INT4_LIMIT = 7
INT4_KINDS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
"""Those whose weights may have four bits."""
# A bias keeps half of the int32 range free for the sum of products.
BIAS_LIMIT = 2**30


def _no_floor(scales: Sequence[float]) -> float:
    return 0.0


@dataclass(frozen=True, slots=True)
class Rule:
    """What one op kind asks of its tensors.

    `weights_axis`: operand 1 is a constant, quantized per channel along this axis, and operand 2,
    where present, an int32 bias. `same_scale`: all operands and results share one quantization.
    `fixed`: the (scale, zero point) the output has to have. `floor` gives the smallest output scale
    that the integer kernel can represent, from the operands' scales; `input_floor` the smallest
    input scale.
    """

    weights_axis: int | None = None
    same_scale: bool = False
    fixed: Quantization | None = None
    floor: Callable[[Sequence[float]], float] = _no_floor
    input_floor: float = 0.0


def _product_floor(scales: Sequence[float]) -> float:
    # The left shift of a multiplier above 1 must not push an int32 accumulator out of its type.
    return scales[0] * scales[1] / 2.0**7


def _weighted(axis: int) -> Rule:
    return Rule(weights_axis=axis, floor=_product_floor)


_SAME_SCALE = Rule(same_scale=True)
_RESCALED = Rule(floor=lambda scales: scales[0] / 2.0**14)
_SUM = Rule(floor=lambda scales: max(scales) / 2.0**14)

RULES: Mapping[str, Rule] = {
    "ABS": _RESCALED,
    "ADD": _SUM,
    "AVERAGE_POOL_2D": _SAME_SCALE,
    "BATCH_MATMUL": Rule(floor=_product_floor),
    "BATCH_TO_SPACE_ND": _SAME_SCALE,
    "CONCATENATION": _SAME_SCALE,
    "CONV_2D": _weighted(0),
    "DEPTHWISE_CONV_2D": _weighted(3),
    "ELU": Rule(),
    "EXP": Rule(),
    "FULLY_CONNECTED": _weighted(0),
    "GELU": Rule(),
    # The kernel has no left shift for its output: scale_in / 128 stays below scale_out.
    "HARD_SWISH": Rule(floor=lambda scales: scales[0] / 127.0),
    "L2_NORMALIZATION": Rule(fixed=Quantization((1.0 / 128.0,), (0,))),
    "LEAKY_RELU": _RESCALED,
    "LOG": Rule(),
    "LOGISTIC": Rule(fixed=Quantization((1.0 / 256.0,), (-128,))),
    "LOG_SOFTMAX": Rule(fixed=Quantization((1.0 / 16.0,), (127,)), input_floor=2.0**-24),
    "MAXIMUM": _SAME_SCALE,
    "MAX_POOL_2D": _SAME_SCALE,
    "MEAN": _RESCALED,
    "MINIMUM": _SAME_SCALE,
    "MUL": Rule(floor=lambda scales: scales[0] * scales[1] / 2.0**14),
    "PAD": _SAME_SCALE,
    "PRELU": Rule(floor=lambda scales: scales[0] * max(1.0, scales[1]) / 2.0**14),
    "REDUCE_MAX": _SAME_SCALE,
    "REDUCE_MIN": _SAME_SCALE,
    "RELU": _RESCALED,
    "RELU6": _RESCALED,
    "RELU_0_TO_1": _RESCALED,
    "RELU_N1_TO_1": _RESCALED,
    "RESHAPE": _SAME_SCALE,
    "RESIZE_BILINEAR": _SAME_SCALE,
    "RSQRT": Rule(floor=lambda scales: 2.0**-20 / math.sqrt(scales[0])),
    "SOFTMAX": Rule(fixed=Quantization((1.0 / 256.0,), (-128,)), input_floor=2.0**-24),
    "SPACE_TO_BATCH_ND": _SAME_SCALE,
    "SPLIT": _SAME_SCALE,
    "SQRT": Rule(),
    "STRIDED_SLICE": _SAME_SCALE,
    "SUB": _SUM,
    "SUM": _RESCALED,
    "TAKE": _SAME_SCALE,
    "TANH": Rule(fixed=Quantization((1.0 / 128.0,), (0,))),
    "TRANSPOSE": _SAME_SCALE,
    "TRANSPOSE_CONV": _weighted(0),
}


def check_quantizable(graph: Graph) -> None:
    """Raise one TinycError that lists every layer and constant that stops the quantizer.

    These are op kinds without a rule, weights that are computed, tensors that are not float32, and
    constants with NaN or infinite values.
    """
    problems = []
    for position, op in enumerate(graph.ops):
        number = op.source.index if op.source is not None else position
        where = f"#{number} {op.name}"
        rule = RULES.get(op.kind)
        if rule is None:
            problems.append(Problem(where, f"{op.kind} has no quantization rule"))
            continue
        for tensor in (*graph.operands(op), *graph.results(op)):
            if tensor.dtype is not DType.FLOAT32:
                text = f"{op.kind} has the {tensor.dtype.value[0]} tensor {tensor.name}"
                problems.append(Problem(where, text, "float32 tensors"))
        if rule.weights_axis is not None and not all(t.is_constant for t in graph.operands(op)[1:]):
            problems.append(Problem(where, f"{op.kind} computes its weights", "constant weights"))
    for tensor in graph.constants():
        if tensor.dtype is DType.FLOAT32 and not np.isfinite(tensor.constant).all():
            problems.append(Problem(tensor.name, "the constant holds NaN or infinite values"))
    if problems:
        raise TinycError(
            "the model cannot be quantized",
            where=f"graph {graph.name}",
            allowed=f"float32 layers of {', '.join(sorted(RULES))}",
            problems=problems,
        )


def weighted_operands(graph: Graph, op: Op) -> tuple[TensorName, TensorName | None] | None:
    """(weights, bias or None) of an op whose rule has weights, else None."""
    if RULES[op.kind].weights_axis is None:
        return None
    return op.inputs[1], op.inputs[2] if len(op.inputs) > 2 else None


def scaled_inputs(op: Op) -> tuple[TensorName, ...]:
    """The operands that carry an activation's quantization: all but weights and biases."""
    return op.inputs if RULES[op.kind].weights_axis is None else op.inputs[:1]


@dataclass(frozen=True, slots=True)
class Group:
    """Tensors that share one quantization, in the order of the graph. `fixed` is set by the scheme."""

    tensors: tuple[TensorName, ...]
    fixed: Quantization | None = None


@dataclass(frozen=True, slots=True)
class Groups:
    """The partition of all activations (and constants that act as one) into groups.

    `requantized` lists (layer name, tensor) pairs: a read that cannot share the tensor's own
    quantization and goes through a QUANTIZE op into that of the layer's output.
    """

    members: tuple[Group, ...]
    requantized: frozenset[tuple[str, TensorName]]

    def __iter__(self) -> Iterator[Group]:
        return iter(self.members)

    def of(self) -> dict[TensorName, int]:
        """Index of the group of each tensor."""
        return {name: index for index, group in enumerate(self.members) for name in group.tensors}


def make_groups(graph: Graph) -> Groups:
    """Union of the tensors that ops of the same-scale kind tie together.

    A fixed quantization (SOFTMAX and the like) travels through an op with one operand. Where an op
    with several operands meets a fixed one and any other, the fixed one is requantized, because
    forcing the others to its range would clip them.
    """
    parent: dict[TensorName, TensorName] = {}
    fixed: dict[TensorName, Quantization] = {}
    requantized: set[tuple[str, TensorName]] = set()

    def root(name: TensorName) -> TensorName:
        while parent[name] != name:
            name = parent[name]
        return name

    for name in graph.inputs:
        parent[name] = name
    for op in graph.ops:
        rule = RULES[op.kind]
        operands = scaled_inputs(op)
        for name in (*operands, *op.outputs):
            parent.setdefault(name, name)
        if rule.fixed is not None:
            fixed[op.outputs[0]] = rule.fixed
        if not rule.same_scale:
            continue
        mixed = len({fixed.get(root(name)) for name in operands}) > 1
        for name in (*operands, *op.outputs):
            if mixed and root(name) in fixed:
                requantized.add((op.name, name))
                continue
            ours, theirs = root(op.outputs[0]), root(name)
            quantization = fixed.get(ours) or fixed.get(theirs)
            parent[ours] = theirs
            if quantization is not None:
                fixed[theirs] = quantization
    order: dict[TensorName, list[TensorName]] = {}
    for name in parent:
        order.setdefault(root(name), []).append(name)
    members = tuple(Group(tuple(names), fixed.get(top)) for top, names in order.items())
    return Groups(members, frozenset(requantized))


def weight_limit(op: Op, weights: Weights) -> int:
    """The largest weight of a layer; its negative is the smallest."""
    return INT4_LIMIT if weights is Weights.INT4 and op.kind in INT4_KINDS else WEIGHT_LIMIT


def weight_scales(
    weights: Array, axis: int, bias: Array | None, input_scale: float, limit: int = WEIGHT_LIMIT
) -> Array:
    """Scale of each channel of float weights along `axis`, float64 holding float32 values.

    The largest magnitude becomes `limit`. A channel of zeros takes the largest scale of its
    neighbours. A scale is raised where the bias in steps of input scale times weight scale would
    not fit into int32.
    """
    others = tuple(index for index in range(weights.ndim) if index != axis)
    largest = np.abs(weights.astype(np.float64)).max(axis=others, initial=0.0)
    scales = largest / limit
    scales = np.where(scales > 0.0, scales, scales.max(initial=0.0) or 1.0 / limit)
    scales = np.maximum(scales, SMALLEST_SCALE)
    if bias is not None:
        scales = np.maximum(scales, np.abs(bias.astype(np.float64).reshape(-1)) / (input_scale * BIAS_LIMIT))
    return scales.astype(np.float32).astype(np.float64)


def along(axis: int, values: Array, rank: int) -> Array:
    """`values`, one per channel, shaped to broadcast along `axis` of a tensor of `rank` axes."""
    return values.reshape([-1 if index == axis else 1 for index in range(rank)])


def quantize_weights(weights: Array, scales: Array, axis: int, limit: int = WEIGHT_LIMIT) -> Array:
    """int8 weights in [-limit, limit]."""
    steps = np.rint(weights.astype(np.float64) / along(axis, scales, weights.ndim))
    return np.clip(steps, -limit, limit).astype(np.int8)


def settle(
    graph: Graph, groups: Groups, wanted: Sequence[Quantization], widths: Weights
) -> tuple[Quantization, ...]:
    """`wanted`, one per group, with scales raised to what the integer kernels can represent.

    A scale that grows may raise the floor of a later layer, so this repeats until nothing changes;
    floors of same-scale layers do not exist, so it ends.
    """
    settled = list(wanted)
    index_of = groups.of()

    def raise_to(name: TensorName, floor: float) -> bool:
        index = index_of[name]
        current = settled[index]
        if groups.members[index].fixed is not None or current.scale[0] >= floor:
            return False
        # Next float32 above, so that rounding cannot undercut the floor.
        scale = float(np.nextafter(np.float32(floor), np.float32(np.inf)))
        settled[index] = Quantization((scale,), current.zero_point)
        return True

    for _ in range(len(graph.ops) + 1):
        changed = False
        for op in graph.ops:
            rule = RULES[op.kind]
            scales = [settled[index_of[name]].scale[0] for name in scaled_inputs(op)]
            weighted = weighted_operands(graph, op)
            if weighted is not None and rule.weights_axis is not None:
                weights, bias_name = weighted
                bias = None if bias_name is None else graph[bias_name].constant
                limit = weight_limit(op, widths)
                constant = graph[weights].constant
                per_channel = weight_scales(constant, rule.weights_axis, bias, scales[0], limit)
                scales.append(float(per_channel.max()))
            for name in op.outputs:
                changed |= raise_to(name, rule.floor(scales))
            changed |= raise_to(op.inputs[0], rule.input_floor)
        if not changed:
            break
    return tuple(settled)
