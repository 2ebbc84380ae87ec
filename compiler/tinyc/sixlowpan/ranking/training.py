"""Trains the model that ranks new datagrams: 12 features, 8 hidden units, 1 answer, 113 parameters.

The answer is shifted: of the honest datagrams of other traffic, no more than the share `REFUSED` has a half
or more; see `threshold`.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyc.errors import TinycError
from tinyc.sixlowpan.features import MOST, NAMES
from tinyc.sixlowpan.ranking.attacks import ATTACKS
from tinyc.sixlowpan.ranking.recording import Recorded, joined, record, scene

HIDDEN = 8
REFUSED = 0.008
_EPOCHS, _BATCH, _RATE = 40, 1024, 0.01
_MOST_OF_A_SCENE = 400  # datagrams of an attack
_HONEST, _AMID = 3.0, 3.0
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Weights:
    """`inner` [12, 8], `inner_bias` [8], `outer` [8], and the outer bias; features are taken as they are."""

    inner: Floats
    inner_bias: Floats
    outer: Floats
    outer_bias: float

    def logits(self, features: NDArray[np.int8]) -> Floats:
        """In floats, for [n, 12]."""
        hidden = np.maximum(features.astype(np.float32) @ self.inner + self.inner_bias, 0)
        return np.asarray(hidden @ self.outer + self.outer_bias, np.float32)


def traffic(seeds: Iterable[int], attacks: Sequence[str], workers: int = 1) -> Recorded:
    """For each seed a scene without an attack, and one with each attack; three of four with a receiver that
    knows what is honest."""
    if workers == 1:
        parts = [_of_seed(seed, attacks) for seed in seeds]
    else:
        with ProcessPoolExecutor(workers) as pool:
            parts = list(pool.map(partial(_of_seed, attacks=attacks), seeds))
    return joined([it for part in parts for it in part])


def _of_seed(seed: int, attacks: Sequence[str]) -> list[Recorded]:
    found = []
    for attack in ("", *attacks):
        number = list(ATTACKS).index(attack) + 1 if attack else 0
        made = record(scene(1000 * seed + number, attack), told=seed % 4 != 0)
        few = np.random.default_rng(seed).permutation(np.flatnonzero(made.bad))[:_MOST_OF_A_SCENE]
        found.append(made.where(np.sort(np.concatenate([np.flatnonzero(~made.bad), few]))))
    return found


def _weights_of(data: Recorded) -> Floats:
    """All attacks weigh the same, the honest `_HONEST` times as much as they do together; one amid an attack
    as much as `_AMID` others, so that a flood does not speak against those that come in it."""
    made = np.where(data.amid != "", np.float32(_AMID), np.float32(1))
    made[~data.bad] *= _HONEST / made[~data.bad].sum()
    names = [name for name in np.unique(data.attack) if name]
    for name in names:
        chosen = data.attack == name
        made[chosen] = 1 / len(names) / chosen.sum()
    return np.asarray(made / made.mean(), np.float32)


def threshold(logits: Floats, data: Recorded, refused: float = REFUSED) -> float:
    """The least at which no more than this share of the honest is at it or above: of all, and of those amid
    an attack that have completed a datagram. Who has not looks like a flood of new addresses."""
    honest, proven = ~data.bad, data.features[:, 0] > 0
    groups = [honest, honest & proven & (data.amid != "")]
    return max(float(np.quantile(logits[it], 1 - refused)) for it in groups)


def _tensorflow() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import tensorflow
    except ImportError as error:
        raise TinycError("training needs tensorflow", hint='pip install "tinyc[keras]"') from error
    return tensorflow


def train(data: Recorded, validation: Recorded, seed: int = 7, epochs: int = _EPOCHS) -> Weights:
    """The same for the same data and seed. `validation` only shifts the answer.

    Raises TinycError without tensorflow.
    """
    tensorflow = _tensorflow()
    tensorflow.keras.utils.set_random_seed(seed)
    tensorflow.config.experimental.enable_op_determinism()
    layers = tensorflow.keras.layers
    model = tensorflow.keras.Sequential(
        [tensorflow.keras.Input((len(NAMES),)), layers.Dense(HIDDEN, activation="relu"), layers.Dense(1)]
    )
    steps = epochs * math.ceil(len(data.attack) / _BATCH)
    rate = tensorflow.keras.optimizers.schedules.CosineDecay(_RATE, steps)
    loss = tensorflow.keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(tensorflow.keras.optimizers.Adam(rate), loss)
    inputs = data.features.astype(np.float32) / MOST
    weights = _weights_of(data)
    model.fit(inputs, data.bad.astype(np.float32), _BATCH, epochs, verbose=0, sample_weight=weights)
    inner, inner_bias, outer, outer_bias = model.get_weights()
    found = Weights(inner / np.float32(MOST), inner_bias, outer[:, 0], float(outer_bias[0]))
    shift = threshold(found.logits(validation.features), validation)
    return Weights(found.inner, found.inner_bias, found.outer, found.outer_bias - shift)


def tflite(weights: Weights, data: Recorded) -> bytes:
    """An int8 model of it. Its input's scale is a half, so that each feature has a value of its own.

    Raises TinycError without tensorflow.
    """
    tensorflow = _tensorflow()
    layers = tensorflow.keras.layers
    model = tensorflow.keras.Sequential(
        [
            tensorflow.keras.Input((len(NAMES),), batch_size=1, name="features"),
            layers.Dense(HIDDEN, activation="relu", name="hidden"),
            layers.Dense(1, activation="sigmoid", name="rank"),
        ]
    )
    outer = [weights.outer[:, None], np.array([weights.outer_bias], np.float32)]
    model.set_weights([weights.inner, weights.inner_bias, *outer])
    chosen = np.random.default_rng(0).permutation(len(data.attack))[:4000]
    rows = data.features[np.sort(chosen)].astype(np.float32)
    widest = np.zeros(len(NAMES), np.float32)
    widest[0] = MOST + 0.5

    def samples() -> Iterable[list[Floats]]:
        for row in (widest, *rows):
            yield [row[None]]

    converter = tensorflow.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tensorflow.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tensorflow.int8
    with redirect_stdout(sys.stderr):  # the converter tells where it keeps things
        return bytes(converter.convert())
