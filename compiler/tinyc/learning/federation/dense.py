"""Dense networks in NumPy: forward, backward and the steps a device takes, for one network or many.

All functions take parameter vectors with leading axes of any number (`...`): one network, the devices
of a round, the tasks of an evaluation. Everything is float32. The results are the same from run to run
on one machine; matrix products may round differently on another one. `trainer` has the twin that equals
the C on the device bit for bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyc.learning.federation.client import LEAK, NetworkShape, Samples, TrainConfig, Vector

Layers = list[tuple[Vector, Vector]]
Targets = NDArray[Any]


def layers_of(shape: NetworkShape, vectors: Vector) -> Layers:
    """(W (..., out, in), b (..., 1, out)) of each layer, as views of `vectors` (..., parameters)."""
    views = []
    for part, width in zip(shape.segments(), shape.layers, strict=False):
        layer = vectors[..., part]
        outputs = layer.shape[-1] // (width + 1)
        weights = layer[..., : outputs * width].reshape(*layer.shape[:-1], outputs, width)
        views.append((weights, layer[..., None, outputs * width :]))
    return views


def _unit(shape: NetworkShape, values: Vector) -> Vector:
    if shape.hidden == "tanh":
        return np.tanh(values)
    slope = np.float32(0.0 if shape.hidden == "relu" else LEAK)
    return np.where(values > 0, values, slope * values)


def _slope(shape: NetworkShape, activations: Vector) -> Vector:
    """Derivative of the unit, from its output."""
    if shape.hidden == "tanh":
        return np.float32(1.0) - activations * activations
    return np.where(activations > 0, np.float32(1.0), np.float32(0.0 if shape.hidden == "relu" else LEAK))


def forward(shape: NetworkShape, layers: Layers, inputs: Vector) -> list[Vector]:
    """Inputs (..., n, in) and the activations of each layer; the last are outputs without a softmax."""
    activations = [inputs]
    for index, (weights, bias) in enumerate(layers):
        values = np.matmul(activations[-1], weights.swapaxes(-1, -2)) + bias
        activations.append(values if index == len(layers) - 1 else _unit(shape, values))
    return activations


def predict(shape: NetworkShape, vectors: Vector, inputs: Vector) -> Vector:
    """Outputs (..., n, out) of the networks for inputs (..., n, in)."""
    return forward(shape, layers_of(shape, vectors), inputs)[-1]


def _error(shape: NetworkShape, outputs: Vector, targets: Targets) -> tuple[Vector, Vector]:
    """Gradient (..., n, out) at the outputs, and the loss (..., n) of `Update.loss`."""
    if shape.loss == "mse":
        difference = outputs - targets
        return difference, (difference * difference).mean(axis=-1)
    powers = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
    powers /= powers.sum(axis=-1, keepdims=True)
    wanted = (targets[..., None] == np.arange(shape.outputs)).astype(np.float32)
    return powers - wanted, np.float32(1.0) - (powers * wanted).sum(axis=-1)


def step(
    shape: NetworkShape, layers: Layers, inputs: Vector, targets: Targets, rate: float, first: int = 0
) -> Vector:
    """One step, in place, along the mean gradient of n samples (..., n, in); layers below `first` stay.

    Returns the loss (..., n) before the step.
    """
    activations = forward(shape, layers, inputs)
    error, loss = _error(shape, activations[-1], targets)
    error = error * np.float32(rate / inputs.shape[-2])
    for index in range(len(layers) - 1, first - 1, -1):
        weights, bias = layers[index]
        below = activations[index]
        after = np.matmul(error, weights) * _slope(shape, below) if index > first else error
        if inputs.shape[-2] == 1:  # three times as fast as a product of matrices
            weights -= error.swapaxes(-1, -2) * below
            bias -= error
        else:
            weights -= np.matmul(error.swapaxes(-1, -2), below)
            bias -= error.sum(axis=-2, keepdims=True)
        error = after
    return loss


def train(shape: NetworkShape, start: Vector, samples: Samples, config: TrainConfig) -> tuple[Vector, float]:
    """What a device does in a round: θ (parameters,) from φ = `start`, and the mean loss.

    A step that overflows gives infinity or NaN in θ, as on a device; the server's screen sees it.
    """
    end = start.copy()
    layers = layers_of(shape, end)
    head = len(layers) - 1
    losses = []
    with np.errstate(over="ignore", invalid="ignore"):
        for index in range(len(samples) if not config.batch_steps else config.head_samples):
            one = slice(index, index + 1)
            first = head if index < config.head_samples else 0
            losses.append(step(shape, layers, samples.inputs[one], samples.targets[one], config.rate, first))
        rest = slice(config.head_samples, None)
        for count in range(config.batch_steps):
            loss = step(shape, layers, samples.inputs[rest], samples.targets[rest], config.rate)
            if count == 0:
                losses.append(loss)
        return end, float(np.concatenate(losses).mean()) if losses else 0.0
