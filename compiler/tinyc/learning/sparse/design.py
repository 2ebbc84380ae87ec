"""The head whose state is the trained tensors of the network itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from tinyc.errors import TinycError
from tinyc.learning.float_math import F
from tinyc.learning.heads.design import HeadDesign, Int8s, StateField, Values
from tinyc.learning.sparse import tables
from tinyc.learning.sparse.cut import Cut
from tinyc.learning.sparse.head import SparseHead
from tinyc.learning.sparse.layers import (
    CurveLayer,
    GainLayer,
    Layer,
    Plane,
    Weighted,
    latent_bytes,
    trainable,
)
from tinyc.learning.sparse.program import Program, Trained, make_program
from tinyc.learning.sparse.reading import read_layers
from tinyc.learning.sparse.tables import LayerPlace

SOURCES = (
    *("head_sparse.c", "sparse.h", "sparse_backward.c", "sparse_forward.c", "sparse_update.c"),
    "kernels/include/tinyc_fixed_point.h",
)
# What layers over rows need beside these.
TOKEN_SOURCES = ("sparse_tokens.c", "kernels/include/tinyc_roots.h")
# The update in mean square units of the last layer's input: rate / (1 + |x|^2) is what a weight moves by.
LEARNING_RATE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseDesign(HeadDesign):
    """A head with the program of its updates. `rate` is the learning rate of the last layer."""

    program: Program = field(repr=False)
    places: Mapping[str, LayerPlace] = field(repr=False)
    rate: float

    @property
    def rates(self) -> Mapping[str, float]:
        """The learning rate of real weights and biases by layer."""
        return tables.layer_rates(self.program.layers, self.rate)

    @property
    def ram_bytes(self) -> int:
        """State that learns, the last latent and scratch: what learning adds to the RAM of the inference."""
        return self.state_bytes + self.latent + self.scratch_bytes


def suffix_layers(cut: Cut, capacity: int) -> tuple[Layer, ...]:
    """The layers of the suffix, the last one with `capacity` rows; added rows start at 0.

    Raises TinycError for layers without a gradient and for a capacity below the classes of the model.
    """
    layers = read_layers(cut.suffix)
    last = layers[-1]
    assert isinstance(last, Weighted)
    if capacity < last.rows:
        raise TinycError(
            f"a capacity of {capacity} classes", allowed=f"at least the {last.rows} classes of the model"
        )
    return (*layers[:-1], _with_rows(last, capacity))


def _with_rows(layer: Weighted, rows: int) -> Weighted:
    more = rows - layer.rows
    if not more:
        return layer
    scale = F(np.median(layer.scales))
    return replace(
        layer,
        y=Plane(1, 1, rows),
        weights=np.concatenate([layer.weights, np.zeros((more, layer.row), np.int8)]),
        biases=np.concatenate([layer.biases, np.zeros(more, np.int32)]),
        scales=np.concatenate([layer.scales, np.full(more, scale, F)]),
        multipliers=np.concatenate([layer.multipliers, np.zeros(more, np.int32)]),
        shifts=np.concatenate([layer.shifts, np.zeros(more, np.int32)]),
    )


def design_sparse(
    cut: Cut,
    trained: Mapping[str, Trained],
    *,
    capacity: int,
    latents: Int8s,
    learning_rate: float = LEARNING_RATE,
) -> SparseDesign:
    """The head that trains `trained`, by layer name, behind `cut.tap`.

    `latents` are factory data, int8 (n, bytes of the tap): they set the rate, `learning_rate` over the
    mean square norm of the last layer's input, and what a usual surprise is.
    Raises TinycError for layers that do not exist or have no gradient, rows out of range, and no data.
    """
    layers = suffix_layers(cut, capacity)
    last = layers[-1]
    assert isinstance(last, Weighted)
    _check(layers, trained)
    if not len(latents):
        raise TinycError("a head that learns needs factory data", allowed="at least one latent")
    classes = read_layers(cut.suffix)[-1].y.channels
    trained = {**trained, last.name: Trained(tuple(range(last.rows)))}
    program = make_program(layers, trained, capacity)
    design = _design(program, capacity, classes, 0.0, np.ones(1, F))
    surprise, norm = _statistics(design, latents)
    rate = learning_rate / (1.0 + norm)
    return _design(program, capacity, classes, rate, np.array([1.0 / max(surprise, 1e-3)], F))


def _check(layers: tuple[Layer, ...], trained: Mapping[str, Trained]) -> None:
    weighted = {layer.name: layer for layer in trainable(layers)}
    for name, chosen in trained.items():
        if name not in weighted:
            raise TinycError(
                f"no weights of a layer {name!r} behind the tap", allowed=", ".join(weighted) or "none"
            )
        rows = chosen.rows
        if rows != tuple(sorted(set(rows))) or (rows and not 0 <= rows[0] <= rows[-1] < weighted[name].rows):
            raise TinycError(
                f"rows of layer {name!r} that are not ascending or not there",
                allowed=f"0 to {weighted[name].rows - 1}",
            )


def _design(
    program: Program, capacity: int, classes: int, rate: float, surprise: npt.NDArray[np.float32]
) -> SparseDesign:
    where = tables.places(program)
    weights, biases = _factory(program)
    counts = np.zeros(capacity, np.uint32)
    counts[:classes] = 1
    factory: dict[str, Values] = {
        "counts": counts,
        "biases": biases,
        "weights": weights,
        "residuals": np.zeros(len(weights), np.int8),
    }
    gains = sum(
        len(program.trained[layer.name].rows)
        for layer in program.layers
        if isinstance(layer, GainLayer) and layer.name in program.trained
    )
    if gains:
        factory["gains"] = np.ones(gains, F)
    has_rows = any(isinstance(layer, GainLayer) for layer in program.layers)
    arena = -(-program.plan.arena_size // 16) * 16
    return SparseDesign(
        kind="sparse",
        latent=latent_bytes(program.layers),
        capacity=capacity,
        factory_classes=classes,
        options={
            "normalise": 0,
            "sparse_forward": program.forward,
            "sparse_steps": len(program.steps),
            "sparse_arena_words": arena // 4,
            "sparse_work_words": program.work,
            "sparse_tokens": int(has_rows),
            "sparse_gains": gains,
            "sparse_curves": sum(isinstance(layer, CurveLayer) for layer in program.layers),
        },
        tables={**tables.constants(program, rate), "surprise": surprise},
        fields=tuple(StateField(name, value.dtype.name, value.shape) for name, value in factory.items()),
        factory=factory,
        scratch_bytes=arena + 4 * program.work,
        sources=(*SOURCES, *TOKEN_SOURCES) if has_rows else SOURCES,
        notes={},
        program=program,
        places=where,
        rate=rate,
    )


def _factory(program: Program) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int32]]:
    """Weights and biases of the trained tensors, the weights with zeros up to a multiple of four."""
    weights, biases = [np.zeros(0, np.int8)], [np.zeros(0, np.int32)]
    for layer in program.layers:
        trained = program.trained.get(layer.name) if isinstance(layer, Weighted) else None
        if trained is None or not isinstance(layer, Weighted):
            continue
        weights.append(np.clip(layer.weights[list(trained.rows)].reshape(-1), -127, 127).astype(np.int8))
        if trained.biases:
            biases.append(layer.biases)
    whole = np.concatenate(weights)
    return np.pad(whole, (0, -len(whole) % 4)), np.concatenate(biases).astype(np.int32)


def _statistics(design: SparseDesign, latents: Int8s) -> tuple[float, float]:
    """Mean surprise, and mean square norm of the last layer's input in real units."""
    head = SparseHead(design)
    last = design.program.layers[-1]
    assert isinstance(last, Weighted)
    surprises, norms = [], []
    for latent in latents:
        surprises.append(float(head.surprise(latent)))
        x = head.forward(latent).values[last.input].astype(np.float64) - last.input_zero
        norms.append(float(np.square(x * last.input_scale).sum()))
    return float(np.mean(surprises)), float(np.mean(norms))
