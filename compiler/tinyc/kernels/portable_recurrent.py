"""Portable kernels of the layers with state in integers: SVDF and UNIDIRECTIONAL_SEQUENCE_LSTM."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.elementwise import limits
from tinyc.ir.ops.svdf import Svdf, svdf_multipliers
from tinyc.ir.ops.unidirectional_sequence_lstm import UnidirectionalSequenceLstm
from tinyc.ir.tensor import Array, DType, Tensor
from tinyc.kernels import loop_features
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered
from tinyc.kernels.portable_int16 import SUM_VIEWS
from tinyc.kernels.work import FittedWork
from tinyc.quantize.fixed_point import reduced_multiplier
from tinyc.quantize.interpolation import logistic_table


def _updates(op: Op, graph: Graph, results: dict[int, int]) -> bool:
    """Whether the outputs at these positions update the states at these inputs; all else is constant."""
    states = {state.name: state.update for state in graph.states}
    varying = {0, *results.values()}
    return all(states.get(op.inputs[at]) == op.outputs[output] for output, at in results.items()) and all(
        tensor.is_constant != (position in varying) for position, tensor in enumerate(graph.operands(op))
    )


def accepts_svdf(dtype: DType) -> Callable[[Op, Graph], bool]:
    """Inputs of this type, constant weights."""

    def accepts(op: Op, graph: Graph) -> bool:
        return graph.operands(op)[0].dtype is dtype and _updates(op, graph, {1: 4})

    return accepts


def svdf_extents(op: Svdf, graph: Graph) -> dict[str, FieldValue]:
    """The first fields of `struct tinyc_svdf`."""
    x, _, times, _, _ = graph.operands(op)
    return {
        "batches": x.shape[0],
        "inputs": x.shape[1],
        "units": graph.results(op)[0].shape[1],
        "rank": op.rank,
        "memory": times.shape[1],
    }


def _lower_svdf(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, Svdf)
    operands, results = graph.operands(op), graph.results(op)
    x, features, times, bias, state = operands
    to_state, to_output = svdf_multipliers(operands, results[0])
    return Lowered(
        "tinyc_svdf",
        {
            **svdf_extents(op, graph),
            "input_offset": -x.zero_point,
            "output_offset": results[0].zero_point,
            "state_zero_point": state.zero_point,
            "state_multiplier": to_state[0],
            "state_shift": to_state[1],
            "output_multiplier": to_output[0],
            "output_shift": to_output[1],
            "features": features.constant,
            "times": times.constant,
            "bias": bias.constant.reshape(-1),
        },
    )


def _specialize_svdf(op: Op, graph: Graph) -> Mapping[str, object]:
    """The type of the state."""
    dtype = graph.results(op)[1].dtype
    low, high = limits(dtype)
    return {"variant": dtype.value[0], "type": dtype.c_type, "low": low, "high": high}


def accepts_lstm(dtype: DType) -> Callable[[Op, Graph], bool]:
    """Inputs of this type, constant weights."""

    def accepts(op: Op, graph: Graph) -> bool:
        return graph.operands(op)[0].dtype is dtype and _updates(op, graph, {1: 13, 2: 14})

    return accepts


def lstm_extents(op: UnidirectionalSequenceLstm, graph: Graph) -> dict[str, FieldValue]:
    """The first fields of `struct tinyc_lstm`."""
    operands = graph.operands(op)
    shape = operands[0].shape
    steps, batches = shape[:2] if op.time_major else shape[1::-1]
    return {
        "batches": batches,
        "steps": steps,
        "inputs": shape[2],
        "units": operands[9].elements,
        "time_major": int(op.time_major),
    }


def stacked(tensors: tuple[Tensor, ...]) -> Array:
    """Constants of one shape, the four gates of an LSTM, as one."""
    return np.stack([tensor.constant for tensor in tensors])


def _gates(name: str, scalings: tuple[tuple[int, int], ...], wide: bool) -> dict[str, FieldValue]:
    """What brings the sums of the four gates to one scale; `wide` sums have the rule of `sums_s16.h`."""
    table = np.array(scalings, np.int64)
    multiplier, shift = table[:, 0], table[:, 1]
    if wide:
        multiplier, shift = reduced_multiplier(multiplier), 15 - shift
    return {f"{name}_multiplier": tuple(multiplier.tolist()), f"{name}_shift": tuple(shift.tolist())}


def _lower_lstm(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, UnidirectionalSequenceLstm)
    operands = graph.operands(op)
    x, scaling = operands[0], op.scaling(operands)
    wide = x.dtype is DType.INT16
    return Lowered(
        "tinyc_lstm",
        {
            **lstm_extents(op, graph),
            "input_offset": -x.zero_point,
            "hidden_offset": -operands[13].zero_point,
            **_gates("input", scaling.input, wide),
            **_gates("recurrent", scaling.recurrent, wide),
            "forget_multiplier": scaling.forget[0],
            "forget_shift": scaling.forget[1],
            "update_multiplier": scaling.update[0],
            "update_shift": scaling.update[1],
            "hidden_multiplier": scaling.hidden[0],
            "hidden_shift": scaling.hidden[1],
            "tanh_multiplier": scaling.tanh[0],
            "tanh_shift": scaling.tanh[1],
            "clip": scaling.clip,
            "weights": stacked(operands[1:5]),
            "recurrent": stacked(operands[5:9]),
            "bias": stacked(operands[9:13]),
            "table": logistic_table(),
        },
    )


def _specialize_lstm(op: Op, graph: Graph) -> Mapping[str, object]:
    """The type of the activations, and that of sums and biases."""
    x, bias = graph.operands(op)[0], graph.operands(op)[9]
    low, high = limits(x.dtype)
    view = {"variant": x.dtype.value[0], "bias": bias.dtype.c_type, "low": low, "high": high}
    return {**SUM_VIEWS[x.dtype], **view}


KERNELS = (
    Kernel(
        symbol="tinyc_svdf_s8__portable",
        op=Svdf,
        source="portable/svdf_s8.c.j2",
        headers=("include/recurrent.h",),
        accepts=accepts_svdf(DType.INT8),
        lower=_lower_svdf,
        specialize=_specialize_svdf,
        work=FittedWork("tinyc_svdf_s8__portable", loop_features.svdf),
    ),
    *(
        Kernel(
            symbol=f"tinyc_unidirectional_sequence_lstm_{name}__portable",
            op=UnidirectionalSequenceLstm,
            source="portable/unidirectional_sequence_lstm.c.j2",
            headers=("include/interpolate.h", "include/recurrent.h", "include/sums_s16.h"),
            accepts=accepts_lstm(dtype),
            lower=_lower_lstm,
            specialize=_specialize_lstm,
            work=FittedWork(f"tinyc_unidirectional_sequence_lstm_{name}__portable", loop_features.lstm),
        )
        for name, dtype in (("s8", DType.INT8), ("s16", DType.INT16))
    ),
)
