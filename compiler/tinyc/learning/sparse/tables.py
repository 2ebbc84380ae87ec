"""Steps and constants of a program as the tables that the C reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from tinyc.learning.float_math import F
from tinyc.learning.heads.design import Values
from tinyc.learning.sparse.arithmetic import FRACTION, logit_scales
from tinyc.learning.sparse.layers import (
    AddLayer,
    CurveLayer,
    GainLayer,
    Layer,
    NormLayer,
    Plane,
    PoolLayer,
    Weighted,
)
from tinyc.learning.sparse.program import Program, Step

_LARGEST_RATE = 1e30
_GAIN_TABLES = ("gain_zeros", "gain_bases", "gain_offsets", "gain_rates")


@dataclass(frozen=True, slots=True)
class LayerPlace:
    """Where the parts of a layer with weights or gains start, in elements.

    `weights` (of a gain: in the field of gains) and `biases` in the state, `frozen` and `frozen_biases` in
    flash, `rows` in the table that says of each row where it is, `channels` in the tables with an entry per
    row: those of weights, or those of gains.
    """

    weights: int
    biases: int
    frozen: int
    frozen_biases: int
    rows: int
    channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """One step as int32 values; the fields in this order are `enum sparse_field` of sparse.h.

    Places in the arena are bytes for int8 values and bits, and 4-byte words for gradients; -1 is none,
    and for a value the latent.
    """

    kind: int
    layer: int = 0
    input: int = -1
    other: int = -1
    output: int = -1
    mask: int = -1
    gradient: int = -1
    gradient_step: int = 0
    result: int = -1
    result_step: int = 0
    accumulate: int = 0
    in_height: int = 1
    in_width: int = 1
    in_channels: int = 1
    out_height: int = 1
    out_width: int = 1
    out_channels: int = 1
    kernel_height: int = 1
    kernel_width: int = 1
    stride_height: int = 1
    stride_width: int = 1
    top: int = 0
    left: int = 0
    row: int = 0
    rows: int = 0
    frozen: int = 0
    frozen_biases: int = 0
    trained: int = 0
    trained_biases: int = -1
    channels: int = 0
    input_zero: int = 0
    other_zero: int = 0
    output_zero: int = 0
    low: int = -128
    high: int = 127
    multiplier: int = 0
    shift: int = 0
    left_shift: int = 0
    left_multiplier: int = 0
    left_exponent: int = 0
    right_multiplier: int = 0
    right_exponent: int = 0
    wide: int = 0
    wide_output: int = 0
    drop: int = 0
    other_wide: int = 0


def places(program: Program) -> Mapping[str, LayerPlace]:
    """The places of all layers with weights, by name."""
    found = {}
    weights = biases = frozen = frozen_biases = channels = rows = gains = gain_channels = 0
    for layer in program.layers:
        if not isinstance(layer, Weighted | GainLayer):
            continue
        trained = program.trained.get(layer.name)
        chosen = len(trained.rows) if trained else 0
        if isinstance(layer, GainLayer):
            found[layer.name] = LayerPlace(gains, 0, 0, 0, rows, gain_channels)
            gains += chosen
            gain_channels += layer.x.channels
            rows += layer.x.channels
            continue
        learns_biases = trained is not None and trained.biases
        found[layer.name] = LayerPlace(weights, biases, frozen, frozen_biases, rows, channels)
        weights += chosen * layer.row
        frozen += (layer.rows - chosen) * layer.row
        biases += layer.rows if learns_biases else 0
        frozen_biases += 0 if learns_biases else layer.rows
        channels += layer.rows
        rows += layer.rows
    return found


def layer_rates(layers: tuple[Layer, ...], rate: float) -> dict[str, float]:
    """The learning rate of real weights by layer: `rate` for the last one, of the others in proportion to
    the mean square of their weights.

    Steps are then as large in relation to the weights in every layer, also where quantization has made the
    weights of one layer smaller and those of the next one larger, which the network does not notice. Gains
    are 1 in the factory.
    """
    squares = {
        layer.name: float(np.mean(np.square(layer.weights * layer.scales[:, None].astype(np.float64))))
        for layer in layers
        if isinstance(layer, Weighted)
    }
    squares.update({layer.name: 1.0 for layer in layers if isinstance(layer, GainLayer)})
    last = squares[layers[-1].name]
    if not last > 0.0:
        return dict.fromkeys(squares, rate)
    return {name: rate * square / last for name, square in squares.items()}


def constants(program: Program, rate: float) -> dict[str, Values]:
    """Tables of frozen weights, fixed-point factors, scales and rates. `rate` is that of the last layer."""
    rates = layer_rates(program.layers, rate)
    frozen, biases, rows = [np.zeros(0, np.int8)], [np.zeros(0, np.int32)], []
    names = ("multipliers", "shifts", "scales", "weight_rates", "bias_rates", "logit_scales")
    parts: dict[str, list[Values]] = {name: [] for name in (*names, *_GAIN_TABLES, "curves", "curve_slopes")}
    for layer in program.layers:
        if isinstance(layer, CurveLayer):
            parts["curves"].append(layer.table)
            parts["curve_slopes"].append(layer.slopes)
        if not isinstance(layer, Weighted | GainLayer):
            continue
        trained = program.trained.get(layer.name)
        chosen = trained.rows if trained else ()
        where = {row: at for at, row in enumerate(chosen)}
        count = layer.x.channels if isinstance(layer, GainLayer) else layer.rows
        rest = [row for row in range(count) if row not in where]
        where.update({row: -1 - at for at, row in enumerate(rest)})
        rows.append(np.array([where[row] for row in range(count)], np.int16))
        if isinstance(layer, GainLayer):
            parts["gain_zeros"].append(layer.zeros.astype(np.int16))
            parts["gain_bases"].append(layer.bases.astype(np.int16))
            parts["gain_offsets"].append(layer.offsets)
            rate_of_gain = rates[layer.name] * layer.units.astype(np.float64)
            parts["gain_rates"].append(np.minimum(rate_of_gain, _LARGEST_RATE).astype(F))
            continue
        frozen.append(layer.weights[rest].reshape(-1))
        if trained is None or not trained.biases:
            biases.append(layer.biases)
        parts["multipliers"].append(layer.multipliers)
        parts["shifts"].append(layer.shifts)
        parts["scales"].append(layer.scales)
        # A step of the real weight, rate * gradient, in steps of the int8 weight: over its scale. The
        # gradient lacks the scale of the input. Lin et al. (2022), section 3.1, in other words.
        wide, own = layer.scales.astype(np.float64), rates[layer.name]
        # The scale of a dead channel may be next to nothing; a rate stays finite.
        weight_rates = own * layer.input_scale * FRACTION / wide
        bias_rates = own / (layer.sum_scale * wide)
        parts["weight_rates"].append(np.minimum(weight_rates, _LARGEST_RATE).astype(F))
        parts["bias_rates"].append(np.minimum(bias_rates, _LARGEST_RATE).astype(F))
        if layer.is_logits:
            parts["logit_scales"].append(logit_scales(layer))
    gains = [layer for layer in program.layers if isinstance(layer, GainLayer)]
    # The firmware has no table that nothing reads.
    unread = {name for name, values in parts.items() if not values}
    if not any(layer.name in program.trained for layer in gains):
        unread.add("gain_rates")
    return {
        "steps": step_table(program),
        # C has no arrays without elements.
        "frozen": np.concatenate([*frozen, np.zeros(1, np.int8)]),
        "frozen_biases": np.concatenate([*biases, np.zeros(1, np.int32)]).astype(np.int32),
        "rows": np.concatenate(rows),
        "shares": np.array([_share(layer) for layer in program.layers], F),
        **{name: np.concatenate(values) for name, values in parts.items() if name not in unread},
    }


def step_table(program: Program) -> Values:
    """int32 (steps, fields): the rows of `StepRow`."""
    where = places(program)
    rows = [_row(program, where, at) for at in range(len(program.steps))]
    names = [entry.name for entry in fields(StepRow)]
    return np.array([[getattr(row, name) for name in names] for row in rows], np.int64).astype(np.int32)


def _row(program: Program, where: Mapping[str, LayerPlace], at: int) -> StepRow:
    step = program.steps[at]
    layer = program.layers[step.layer]
    values: dict[str, int] = {"kind": int(step.kind), "layer": step.layer, **_planes(layer.x, layer.y)}
    values["input"] = program.place(f"value:{layer.input}")
    values["output"] = program.place(f"value:{layer.output}")
    values["mask"] = program.place(f"mask:{layer.output}")
    values.update(_gradients(program, step))
    if isinstance(layer, Weighted):
        values.update(_weighted(program, layer, where[layer.name]))
        if layer.residual is not None:
            values.update(
                other=program.place(f"value:{layer.residual.input}"),
                other_zero=layer.residual.zero,
                other_wide=int(layer.residual.wide),
                right_multiplier=layer.residual.multiplier,
            )
    elif isinstance(layer, GainLayer):
        place = where[layer.name]
        values.update(rows=place.rows, trained=place.weights, channels=place.channels)
        values.update(wide=int(layer.wide), wide_output=int(layer.wide_output), drop=layer.shift)
        values.update(low=layer.low, high=layer.high)
    elif isinstance(layer, NormLayer):
        values.update(_norm(layer))
    elif isinstance(layer, CurveLayer):
        curves = [each.name for each in program.layers if isinstance(each, CurveLayer)]
        values.update(channels=256 * curves.index(layer.name), wide_output=int(layer.wide_output))
    if isinstance(layer, PoolLayer | AddLayer):
        values.update(input_zero=layer.input_zero, output_zero=layer.output_zero)
        values.update(low=layer.low, high=layer.high)
    if isinstance(layer, PoolLayer):
        values.update(multiplier=layer.multiplier, shift=layer.shift)
    if isinstance(layer, AddLayer):
        scaling = layer.scaling
        values.update(
            other=program.place(f"value:{layer.other}"),
            other_zero=layer.other_zero,
            left_shift=scaling.left_shift,
            left_multiplier=scaling.left_multiplier,
            left_exponent=scaling.left_exponent,
            right_multiplier=scaling.right_multiplier,
            right_exponent=scaling.right_exponent,
            multiplier=scaling.output_multiplier,
            shift=scaling.output_exponent,
        )
    return StepRow(**values)


def _divisor(layer: Layer) -> float:
    return layer.scale if isinstance(layer, NormLayer) else layer.x.pixels


def _share(layer: Layer) -> float:
    """What each pixel has of a mean; steps of the input of a norm in one; the slope of a gain."""
    if isinstance(layer, GainLayer):
        return layer.slope
    return 1.0 / (layer.scale if isinstance(layer, NormLayer) else layer.x.pixels)


def _norm(layer: NormLayer) -> dict[str, int]:
    scale = layer.row_scale
    return {
        "multiplier": layer.mean_multiplier,
        "left_multiplier": scale.constant,
        "left_exponent": scale.exponent,
        # 40 bits in two parts.
        "right_multiplier": scale.epsilon & ((1 << 30) - 1),
        "right_exponent": scale.epsilon >> 30,
        "low": layer.low,
        "high": layer.high,
        "wide": int(layer.wide),
        "wide_output": int(layer.wide_output),
    }


def _planes(x: Plane, y: Plane) -> dict[str, int]:
    return {
        "in_height": x.height,
        "in_width": x.width,
        "in_channels": x.channels,
        "out_height": y.height,
        "out_width": y.width,
        "out_channels": y.channels,
    }


def _gradients(program: Program, step: Step) -> dict[str, int]:
    """Where the gradients lie, in words, and how far apart two pixels are: 0 where one vector is for all."""
    layer = program.layers[step.layer]
    gradient = program.place(f"gradient:{layer.output}")
    found = {
        "gradient": gradient // 4 if gradient >= 0 else -1,
        "gradient_step": 0 if layer.output in program.shared else layer.y.channels,
    }
    if step.target:
        producer = program.producer(step.target)
        found["result"] = program.place(f"gradient:{step.target}") // 4
        found["result_step"] = 0 if step.target in program.shared else producer.y.channels
        found["accumulate"] = int(step.accumulate)
    return found


def _weighted(program: Program, layer: Weighted, place: LayerPlace) -> dict[str, int]:
    trained = program.trained.get(layer.name)
    window = layer.window
    return {
        "kernel_height": window.kernel[0],
        "kernel_width": window.kernel[1],
        "stride_height": window.stride[0],
        "stride_width": window.stride[1],
        "top": window.pads[0],
        "left": window.pads[2],
        "row": layer.row,
        "rows": place.rows,
        "frozen": place.frozen,
        "frozen_biases": place.frozen_biases,
        "trained": place.weights,
        "trained_biases": place.biases if trained is not None and trained.biases else -1,
        "channels": place.channels,
        "input_zero": layer.input_zero,
        "output_zero": layer.output_zero,
        "low": layer.low,
        "high": layer.high,
        "wide": int(layer.linear),
        "wide_output": int(layer.wide),
        "drop": layer.drop,
    }
