"""The twin of head_sparse.c: forward, loss and backward pass by the steps of the program."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from tinyc.learning import float_math
from tinyc.learning.float_math import F, Floats
from tinyc.learning.heads.design import HeadDesign, Int8s
from tinyc.learning.sparse import arithmetic
from tinyc.learning.sparse.arithmetic import Bools, Ints
from tinyc.learning.sparse.layers import (
    AddLayer,
    CurveLayer,
    GainLayer,
    Layer,
    NormLayer,
    PoolLayer,
    Weighted,
    is_wide,
)
from tinyc.learning.sparse.program import Kind, Program, Step, Trained


@dataclass(slots=True)
class Pass:
    """What one forward pass leaves: values and masks by tensor, the logits; gradients by tensor later."""

    values: dict[str, Ints] = field(default_factory=dict)
    masks: dict[str, Bools] = field(default_factory=dict)
    logits: Floats = field(default_factory=lambda: np.zeros(0, F))
    gradients: dict[str, Floats] = field(default_factory=dict)


class SparseHead:
    """See `tinyc.learning.heads.design.Head`. `design` is a `SparseDesign`."""

    def __init__(self, design: HeadDesign) -> None:
        from tinyc.learning.sparse.design import SparseDesign

        if not isinstance(design, SparseDesign):
            raise TypeError("a sparse head needs a SparseDesign")
        self.design: HeadDesign = design
        self.sparse = design
        self.program: Program = design.program
        self.values: dict[str, Any] = {}
        self.load(design.pack(design.factory))

    def load(self, state: bytes) -> None:
        self.values = self.design.unpack(state)

    def to_bytes(self) -> bytes:
        return self.design.pack(self.values)

    def copy(self) -> Self:
        other = type(self)(self.design)
        other.load(self.to_bytes())
        return other

    def parameters(self, layer: Weighted) -> tuple[Ints, Ints]:
        """Weights int8 [rows, row] and biases int32 (rows,) of a layer as they are now."""
        place = self.sparse.places.get(layer.name)
        trained = self.program.trained.get(layer.name)
        if place is None or trained is None:
            return layer.weights, layer.biases
        weights = layer.weights.copy()
        rows = list(trained.rows)
        weights[rows] = self._rows("weights", layer, place.weights, len(rows))
        biases = layer.biases
        if trained.biases:
            biases = self.values["biases"][place.biases : place.biases + layer.rows]
        return weights, biases

    def gains(self, layer: GainLayer) -> Floats:
        """The gains of a layer as they are now, float32 (channels,); those that do not learn are 1."""
        found = np.ones(layer.x.channels, F)
        trained = self.program.trained.get(layer.name)
        if trained is not None:
            start = self.sparse.places[layer.name].weights
            found[list(trained.rows)] = self.values["gains"][start : start + len(trained.rows)]
        return found

    def _rows(self, name: str, layer: Weighted, start: int, count: int) -> Ints:
        """A view of some rows in the state."""
        view: Ints = self.values[name][start : start + count * layer.row].reshape(count, layer.row)
        return view

    def forward(self, latent: Int8s) -> Pass:
        """All values and masks; `latent` is int8 (latent,), of an int16 tap its bytes."""
        layers = self.program.layers
        taken = np.ascontiguousarray(latent, np.int8).reshape(-1)
        done = Pass({layers[0].input: taken.view("<i2") if is_wide(layers, layers[0].input) else taken})
        for layer in layers:
            x = done.values[layer.input]
            if isinstance(layer, PoolLayer):
                done.values[layer.output], done.masks[layer.output] = arithmetic.pool(layer, x)
            elif isinstance(layer, AddLayer):
                other = done.values[layer.other]
                done.values[layer.output], done.masks[layer.output] = arithmetic.add(layer, x, other)
            elif isinstance(layer, GainLayer):
                y, mask = arithmetic.gain(layer, self.gains(layer), x)
                done.values[layer.output], done.masks[layer.output] = y, mask
            elif isinstance(layer, CurveLayer):
                dtype = np.int16 if layer.wide_output else np.int8
                done.values[layer.output] = layer.table[x.astype(np.int64) + 128].astype(dtype)
            elif isinstance(layer, NormLayer):
                done.values[layer.output], done.masks[layer.output] = arithmetic.norm(layer, x)
            elif layer.is_logits:
                done.logits = arithmetic.logits(layer, *self.parameters(layer), x)
            else:
                residual = None if layer.residual is None else done.values[layer.residual.input]
                y, mask = arithmetic.forward(layer, *self.parameters(layer), x, residual)
                done.values[layer.output], done.masks[layer.output] = y, mask
        return done

    def scores(self, latent: Int8s) -> Floats:
        logits = self.forward(latent).logits
        return np.asarray(np.where(self.values["counts"] > 0, logits, float_math.NO_SCORE))

    def scores_many(self, latents: Int8s) -> Floats:
        return np.array([self.scores(latent) for latent in latents], F).reshape(-1, self.design.capacity)

    def predict(self, latent: Int8s) -> int:
        return float_math.best(self.scores(latent))

    def surprise(self, latent: Int8s) -> np.float32:
        """One minus the largest probability, over its mean on factory data."""
        scores = self.scores(latent)
        total = F(0)
        for score in float_math.exp(scores - scores[float_math.best(scores)]):
            total = total + score
        return F((F(1) - F(1) / total) * self.design.tables["surprise"][0])

    def update(self, latent: Int8s, target: int | Floats) -> None:
        label = int(target)
        if not 0 <= label < self.design.capacity:
            return
        count = int(self.values["counts"][label])
        self.values["counts"][label] = min(count + 1, 2**32 - 1)
        self.backward(self.forward(latent), label, learn=True)

    def loss_gradient(self, logits: Floats, label: int) -> Floats:
        """Softmax less the label, over the classes with samples: float32 [1, capacity]."""
        known = self.values["counts"] > 0
        largest = logits[known].max()
        powers = np.where(known, float_math.exp(logits - largest), F(0))
        total = F(0)
        for power in powers:
            total = total + power
        gradient = powers / total
        gradient[label] = gradient[label] - F(1)
        return np.asarray(gradient.reshape(1, -1))

    def backward(self, done: Pass, label: int, *, learn: bool) -> dict[str, tuple[Floats, Floats]]:
        """Gradients of weights [rows, row] over the input's scale, and of biases, by layer name; of gains
        [rows, 1] over their units, and no biases.

        With `learn` each layer makes its step, after the gradient of its input is known.
        """
        found: dict[str, tuple[Floats, Floats]] = {}
        for step in self.program.steps[self.program.forward :]:
            layer = self.program.layers[step.layer]
            if step.kind is Kind.LOSS:
                done.gradients[layer.output] = self.loss_gradient(done.logits, label)
                continue
            if step.kind is Kind.ADD_BACK:
                self._spread(done, step, layer)
            elif isinstance(layer, Weighted):
                gradients = self._weighted(done, step, layer)
                if gradients is not None:
                    found[layer.name] = gradients
                    if learn:
                        self._learn(layer, *gradients)
            elif isinstance(layer, GainLayer):
                gradient = self._gain(done, step, layer)
                if layer.name in self.program.trained:
                    found[layer.name] = gradient[: layer.rows, None], np.zeros(0, F)
                    if learn:
                        self._learn_gains(layer, gradient)
            elif isinstance(layer, NormLayer):
                self._norm(done, step, layer)
            elif isinstance(layer, CurveLayer):
                slopes = layer.slopes[done.values[layer.input].astype(np.int64) + 128]
                self._give(done, step, (done.gradients[layer.output].reshape(-1) * slopes).reshape(1, -1))
            else:
                self._spread(done, step, layer)
        return found

    def _weighted(self, done: Pass, step: Step, layer: Weighted) -> tuple[Floats, Floats] | None:
        shared = layer.output in self.program.shared
        mask = None if layer.is_logits else done.masks[layer.output]
        vector = done.gradients[layer.output]
        weights, _ = self.parameters(layer)
        found = None
        if step.kind is not Kind.CONV_INPUT and layer.name in self.program.trained:
            whole = vector if shared else arithmetic.masked(vector, mask, layer.y.pixels)
            rows = (arithmetic.depthwise_row_gradient if layer.depthwise else arithmetic.conv_row_gradient)(
                layer, done.values[layer.input], whole, mask, shared
            )
            found = rows, arithmetic.bias_gradient(whole, mask, shared)
        if step.target:
            whole = arithmetic.masked(vector, mask, layer.y.pixels)
            size = (layer.x.pixels, layer.x.channels)
            start = done.gradients[step.target].reshape(size) if step.accumulate else None
            spread = arithmetic.depthwise_input if layer.depthwise else arithmetic.conv_input
            result = spread(layer, weights, whole, start)
            # A dense layer reads a plane as one long row.
            done.gradients[step.target] = result.reshape(-1, self.program.producer(step.target).y.channels)
        return found

    def _gain(self, done: Pass, step: Step, layer: GainLayer) -> Floats:
        gradient = np.where(done.masks[layer.output], done.gradients[layer.output].reshape(-1), F(0))
        if step.target:
            self._give(done, step, arithmetic.gain_input(layer, self.gains(layer), gradient).reshape(1, -1))
        return arithmetic.gain_gradient(layer, done.values[layer.input], gradient)

    def _norm(self, done: Pass, step: Step, layer: NormLayer) -> None:
        gradient = np.where(done.masks[layer.output], done.gradients[layer.output].reshape(-1), F(0))
        self._give(
            done, step, arithmetic.norm_input(layer, done.values[layer.input], gradient).reshape(1, -1)
        )

    def _give(self, done: Pass, step: Step, result: Floats) -> None:
        """Sets the gradient of the step's target, or adds to it."""
        start = done.gradients[step.target] if step.accumulate else None
        done.gradients[step.target] = result if start is None else start + result

    def _learn_gains(self, layer: GainLayer, gradient: Floats) -> None:
        place = self.sparse.places[layer.name]
        chosen = list(self.program.trained[layer.name].rows)
        rates = self.design.tables["gain_rates"][place.channels : place.channels + layer.x.channels][chosen]
        where = slice(place.weights, place.weights + len(chosen))
        old = self.values["gains"][where]
        self.values["gains"][where] = arithmetic.stepped_gains(old, gradient[chosen], rates)

    def _spread(self, done: Pass, step: Step, layer: Layer) -> None:
        whole = arithmetic.masked(done.gradients[layer.output], done.masks[layer.output], layer.y.pixels)
        if isinstance(layer, PoolLayer):
            whole = whole * F(1.0 / layer.x.pixels)
            if step.target not in self.program.shared:
                whole = np.repeat(whole, layer.x.pixels, axis=0)
        start = done.gradients[step.target] if step.accumulate else None
        done.gradients[step.target] = whole if start is None else start + whole

    def _learn(self, layer: Weighted, rows: Floats, biases: Floats) -> None:
        place = self.sparse.places[layer.name]
        trained: Trained = self.program.trained[layer.name]
        at = slice(place.channels, place.channels + layer.rows)
        chosen = list(trained.rows)
        if chosen:
            rates = self.design.tables["weight_rates"][at][chosen]
            step = arithmetic.steps(rows[chosen], rates[:, None], float(arithmetic.LARGEST_STEP))
            old = self._rows("weights", layer, place.weights, len(chosen))
            rest = self._rows("residuals", layer, place.weights, len(chosen))
            old[:], rest[:] = arithmetic.stepped_weights(old, rest, step)
        if trained.biases:
            rates = self.design.tables["bias_rates"][at]
            step = arithmetic.steps(biases, rates, float(arithmetic.LARGEST_BIAS))
            where = slice(place.biases, place.biases + layer.rows)
            self.values["biases"][where] = arithmetic.stepped_biases(self.values["biases"][where], step)
