"""What the steps compute, bit for bit as sparse_forward.c and sparse_backward.c: change both or neither.

Integers are exact. A float32 sum runs in one stated order: over output pixels row by row, at each over output
channels, at each over taps; NumPy works on what is independent of that order only. Adding a zero changes no
bit here, so the C skips what a clamp has cut off.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tinyc.ir.ops.convolution import exact_matmul
from tinyc.ir.ops.linear import RESIDUAL_BITS
from tinyc.ir.ops.norm import row_multipliers
from tinyc.learning import float_math
from tinyc.learning.float_math import F, Floats
from tinyc.learning.sparse.layers import AddLayer, GainLayer, NormLayer, PoolLayer, Weighted
from tinyc.quantize.fixed_point import multiply_by_quantized_multiplier, rounding_multiply_high

Ints: TypeAlias = npt.NDArray[Any]
Bools: TypeAlias = npt.NDArray[np.bool_]

# Steps of a weight between two int8 values: what the residual holds.
FRACTION = 256
LARGEST_STEP = F(32512.0)
LARGEST_BIAS = 1 << 28
# Gains are within +- this, and one step takes no more than the other off one.
LARGEST_GAIN = F(3.875)
LARGEST_GAIN_STEP = F(0.25)


def offsets(layer: Weighted, x: Ints) -> Ints:
    """The input of each output pixel less its zero point: int32 [pixels, taps, channels]; padding is 0."""
    plane = x.reshape(1, layer.x.height, layer.x.width, layer.x.channels)
    taps = layer.window.taps(plane, layer.input_zero)
    return taps.reshape(layer.y.pixels, -1, layer.x.channels).astype(np.int32) - layer.input_zero


def accumulate(layer: Weighted, weights: Ints, biases: Ints, x: Ints) -> Ints:
    """Accumulators int64 [pixels, rows]."""
    inputs = offsets(layer, x)
    if layer.depthwise:
        acc = (inputs.astype(np.int64) * weights.T.astype(np.int64)).sum(axis=1)
    else:
        acc = exact_matmul(inputs.reshape(len(inputs), -1), weights.T)
    if layer.drop:
        acc = (acc + (1 << (layer.drop - 1))) >> layer.drop
    return np.asarray(acc + biases.astype(np.int64))


def clamped(values: Ints, low: int, high: int) -> tuple[npt.NDArray[np.int8], Bools]:
    """The int8 values, flat, and where the clamp let them pass."""
    passed = (values >= low) & (values <= high)
    return np.clip(values, low, high).astype(np.int8).reshape(-1), passed


def forward(
    layer: Weighted, weights: Ints, biases: Ints, x: Ints, residual: Ints | None = None
) -> tuple[Ints, Bools]:
    """Output int8 or int16, flat, and its mask [pixels, rows]."""
    acc = accumulate(layer, weights, biases, x)
    if layer.linear:
        y = rounding_multiply_high(acc, layer.multipliers) + layer.output_zero
        if layer.residual is not None and residual is not None:
            wide = (residual.astype(np.int64) - layer.residual.zero) << RESIDUAL_BITS
            y = y + rounding_multiply_high(wide, layer.residual.multiplier)
        passed = (y >= layer.low) & (y <= layer.high)
        return np.clip(y, layer.low, layer.high).astype(np.int16 if layer.wide else np.int8).reshape(
            -1
        ), passed
    scaled = multiply_by_quantized_multiplier(acc, layer.multipliers, layer.shifts)
    return clamped(scaled + layer.output_zero, layer.low, layer.high)


def logits(layer: Weighted, weights: Ints, biases: Ints, x: Ints) -> Floats:
    """The accumulators of the last layer in real units: float32 (rows,)."""
    acc = accumulate(layer, weights, biases, x)[0]
    return np.asarray(acc.astype(np.int32).astype(F) * logit_scales(layer))


def logit_scales(layer: Weighted) -> Floats:
    """What one step of a row's accumulator is worth: float32 (rows,)."""
    return np.asarray(layer.scales * F(layer.sum_scale))


def pool(layer: PoolLayer, x: Ints) -> tuple[npt.NDArray[np.int8], Bools]:
    """The mean over all pixels, and its mask [1, channels]."""
    total = x.reshape(layer.x.pixels, layer.x.channels).astype(np.int64).sum(axis=0)
    count = layer.x.pixels
    if layer.multiplier:
        total = total - layer.input_zero * count
        values = multiply_by_quantized_multiplier(total, layer.multiplier, layer.shift) + layer.output_zero
    else:
        values = np.sign(total) * ((np.abs(total) + count // 2) // count)
    y, mask = clamped(values, layer.low, layer.high)
    return y, mask.reshape(1, -1)


def add(layer: AddLayer, x: Ints, other: Ints) -> tuple[npt.NDArray[np.int8], Bools]:
    """The sum of two activations, and its mask [pixels, channels]."""
    s = layer.scaling
    a = (x.astype(np.int64) - layer.input_zero) << s.left_shift
    b = (other.astype(np.int64) - layer.other_zero) << s.left_shift
    a = multiply_by_quantized_multiplier(a, s.left_multiplier, s.left_exponent)
    b = multiply_by_quantized_multiplier(b, s.right_multiplier, s.right_exponent)
    y = multiply_by_quantized_multiplier(a + b, s.output_multiplier, s.output_exponent)
    values, mask = clamped(y + layer.output_zero, layer.low, layer.high)
    return values, mask.reshape(layer.y.pixels, layer.y.channels)


def gain_steps(layer: GainLayer, gains: Floats) -> Ints:
    """Gains times their bases, rounded, halves away from 0, within int16: int64."""
    t = gains * layer.bases.astype(F)
    steps = (t + np.where(t < 0, F(-0.5), F(0.5))).astype(np.int32).astype(np.int64)
    return np.asarray(np.clip(steps, -32768, 32767))


def gain(layer: GainLayer, gains: Floats, x: Ints) -> tuple[Ints, Bools]:
    """x times the gains, and where the output had room for it."""
    product = (x.astype(np.int64) - layer.zeros) * gain_steps(layer, gains)
    y = (product + layer.offsets) >> layer.shift
    passed = (y >= layer.low) & (y <= layer.high)
    return np.clip(y, layer.low, layer.high).astype(np.int16 if layer.wide_output else np.int8), passed


def gain_gradient(layer: GainLayer, x: Ints, gradient: Floats) -> Floats:
    """The gradient of the gains over their units, float32 (channels,); `gradient` is 0 behind a clamp."""
    return np.asarray(gradient * (x.astype(np.int32) - layer.zeros).astype(F))


def gain_input(layer: GainLayer, gains: Floats, gradient: Floats) -> Floats:
    """The gradient of x, float32 (channels,)."""
    return np.asarray(gradient * (gain_steps(layer, gains).astype(F) * F(layer.slope)))


def stepped_gains(gains: Floats, gradient: Floats, rates: Floats) -> Floats:
    """Gains after a step; NaN counts as the largest step up."""
    t = gradient * rates
    t = np.where(t > -LARGEST_GAIN_STEP, t, -LARGEST_GAIN_STEP)
    t = np.where(t > LARGEST_GAIN_STEP, LARGEST_GAIN_STEP, t)
    new = gains - t
    new = np.where(new < -LARGEST_GAIN, -LARGEST_GAIN, new)
    return np.asarray(np.where(new > LARGEST_GAIN, LARGEST_GAIN, new))


def norm(layer: NormLayer, x: Ints) -> tuple[Ints, Bools]:
    """The normalised row, and where the clamp let it pass."""
    row = x.astype(np.int64)
    if layer.mean_multiplier:
        row = np.clip(row - rounding_multiply_high(row.sum(), layer.mean_multiplier), -32768, 32767)
    multiplier, shift = row_multipliers(np.square(row).sum() + layer.row_scale.epsilon, layer.row_scale)
    y = (row * multiplier + (np.int64(1) << (shift - 1))) >> shift
    passed = (y >= layer.low) & (y <= layer.high)
    return np.clip(y, layer.low, layer.high).astype(np.int16 if layer.wide_output else np.int8), passed


def norm_input(layer: NormLayer, x: Ints, gradient: Floats) -> Floats:
    """The gradient of x, float32 (channels,), of a norm in real numbers; `gradient` is 0 behind a clamp.

    With z the normalised row: (g - mean(g) - z * mean(g * z)) / deviation; Ba, Kiros and Hinton (2016),
    section 3. An RMS norm has no mean(g). Sums run from the first channel to the last.
    """
    count = F(len(x))
    mean = F(0)
    if layer.mean_multiplier:
        mean = F(x.astype(np.int64).sum()) / count
    centred = x.astype(F) - mean
    power = float_math.serial_sum(centred * centred) + F(layer.row_scale.epsilon)
    inverse = F(1) / float_math.sqrt(power / count)
    z = centred * inverse
    common = float_math.serial_sum(gradient) / count if layer.mean_multiplier else F(0)
    along = float_math.serial_sum(gradient * z) / count
    return np.asarray(((gradient - common) - z * along) * (inverse * F(1.0 / layer.scale)))


def masked(gradient: Floats, mask: Bools | None, pixels: int) -> Floats:
    """The gradient in front of the clamp, float32 [pixels, channels]; one row of it stands for all pixels."""
    whole = np.broadcast_to(gradient, (pixels, gradient.shape[1]))
    return np.ascontiguousarray(whole) if mask is None else np.where(mask, whole, F(0))


def conv_input(layer: Weighted, weights: Ints, gradient: Floats, start: Floats | None) -> Floats:
    """The gradient of the input, float32 [pixels, channels]; added to `start`.

    Order of each element: output pixels, at each output channels.
    """
    wide = weights.astype(F).reshape(layer.rows, -1, layer.x.channels)
    size = (layer.x.pixels, layer.x.channels)
    total = np.zeros(size, F) if start is None else start.copy()
    if wide.shape[1] == 1 and layer.x.pixels == layer.y.pixels:
        for row in range(layer.rows):
            total += (gradient[:, row] * layer.scales[row])[:, None] * wide[row]
        return total
    places = tap_places(layer)
    for pixel in range(layer.y.pixels):
        inside = places[pixel] >= 0
        at = places[pixel][inside]
        for channel in np.flatnonzero(gradient[pixel]):
            total[at] += (gradient[pixel, channel] * layer.scales[channel]) * wide[channel][inside]
    return total


def conv_row_gradient(layer: Weighted, x: Ints, gradient: Floats, mask: Bools | None, shared: bool) -> Floats:
    """The gradient of the weights over the scale of the input, float32 [rows, row].

    Where one vector stands for all pixels, the inputs are summed up as integers first. `gradient` is that
    vector as [1, rows], else [pixels, rows] behind its mask.
    """
    inputs = offsets(layer, x).reshape(layer.y.pixels, -1)
    if shared:
        passed = np.ones((layer.y.pixels, layer.rows), np.int64) if mask is None else mask.astype(np.int64)
        sums = exact_matmul(passed.T, inputs).astype(np.int32).astype(F)
        return np.asarray(sums * gradient.T)
    total = np.zeros((layer.rows, layer.row), F)
    wide = inputs.astype(F)
    for pixel in range(layer.y.pixels):
        total += gradient[pixel][:, None] * wide[pixel][None, :]
    return total


def bias_gradient(gradient: Floats, mask: Bools | None, shared: bool) -> Floats:
    """The gradient of the biases, float32 (rows,); see `conv_row_gradient`."""
    if shared:
        count = np.ones(1, F) if mask is None else mask.sum(axis=0).astype(np.int32).astype(F)
        return np.asarray(gradient[0] * count)
    total = np.zeros(gradient.shape[1], F)
    for row in gradient:
        total = total + row
    return total


def depthwise_row_gradient(
    layer: Weighted, x: Ints, gradient: Floats, mask: Bools | None, shared: bool
) -> Floats:
    """The same for a depthwise layer: float32 [channels, taps]."""
    inputs = offsets(layer, x)
    if shared:
        passed = np.ones((layer.y.pixels, layer.rows), np.int64) if mask is None else mask.astype(np.int64)
        sums = (passed[:, None, :] * inputs).sum(axis=0).astype(np.int32).astype(F)
        return np.ascontiguousarray((sums * gradient).T)
    total = np.zeros(inputs.shape[1:], F)
    wide = inputs.astype(F)
    for pixel in range(layer.y.pixels):
        total += gradient[pixel][None, :] * wide[pixel]
    return np.ascontiguousarray(total.T)


def depthwise_input(layer: Weighted, weights: Ints, gradient: Floats, start: Floats | None) -> Floats:
    """The gradient of the input of a depthwise layer, float32 [pixels, channels].

    The new sums are formed alone and then added to `start`. Order of each element: output pixels, taps.
    """
    wide = np.ascontiguousarray(weights.T).astype(F)
    total = np.zeros((layer.x.pixels, layer.x.channels), F)
    places = tap_places(layer)
    for pixel in range(layer.y.pixels):
        inside = places[pixel] >= 0
        total[places[pixel][inside]] += (gradient[pixel] * layer.scales)[None, :] * wide[inside]
    return total if start is None else start + total


def tap_places(layer: Weighted) -> Ints:
    """The input pixel of each tap of each output pixel: [pixels, taps], -1 for padding."""
    window = layer.window
    y, x = np.divmod(np.arange(layer.y.pixels), layer.y.width)
    ky, kx = np.divmod(np.arange(window.kernel[0] * window.kernel[1]), window.kernel[1])
    top, _, left, _ = window.pads
    row = (y * window.stride[0] - top)[:, None] + ky[None, :]
    column = (x * window.stride[1] - left)[:, None] + kx[None, :]
    inside = (row >= 0) & (row < layer.x.height) & (column >= 0) & (column < layer.x.width)
    return np.where(inside, row * layer.x.width + column, -1)


def steps(gradient: Floats, rates: Floats, largest: float) -> Ints:
    """rate * gradient, limited and rounded to the nearest integer, halves away from 0: int64."""
    t = gradient * rates
    t = np.where(t > F(-largest), t, F(-largest))
    t = np.where(t > F(largest), F(largest), t)
    return np.asarray((t + np.where(t < 0, F(-0.5), F(0.5))).astype(np.int32).astype(np.int64))


def stepped_weights(weights: Ints, residuals: Ints, step: Ints) -> tuple[Ints, Ints]:
    """int8 weights and residuals after a step in units of 1/256."""
    whole = weights.astype(np.int64) * FRACTION + residuals - step
    whole = np.clip(whole, -127 * FRACTION, 127 * FRACTION)
    new = (whole + FRACTION // 2) >> 8
    return new.astype(np.int8), (whole - new * FRACTION).astype(np.int8)


def stepped_biases(biases: Ints, step: Ints) -> Ints:
    """int32 biases after a step."""
    return np.clip(biases.astype(np.int64) - step, -LARGEST_BIAS, LARGEST_BIAS).astype(np.int32)
