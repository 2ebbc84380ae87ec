"""One way of training for all text models: AdamW, warm-up, cosine decay, averaged weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tinyc.models.batches import padded, similar_batches

# Weights that decay would only pull away from where they belong.
UNDECAYED = ("bias", "scale", "beta", "gamma", "query_1", "key_1", "query_2", "key_2", "segment_table")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train: `warm_up` is a share of `steps`, `average` the momentum of the averaged weights."""

    steps: int
    learning_rate: float = 1e-3
    warm_up: float = 0.06
    weight_decay: float = 0.05
    average: float = 0.998
    clip: float = 1.0
    report_every: int = 200


def optimize(
    variables: Sequence[Any],
    loss: Callable[..., Any],
    batches: Iterable[tuple[npt.NDArray[Any], ...]],
    recipe: Recipe,
    report: Callable[[str], None] = print,
) -> None:
    """Minimize `loss(*batch)` over at most `recipe.steps` batches; leaves the averaged weights behind.

    The loss is traced once for each shape of a batch.
    """
    warm_up = max(1, int(recipe.steps * recipe.warm_up))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, recipe.steps - warm_up), warmup_target=recipe.learning_rate, warmup_steps=warm_up
    )
    optimizer = keras.optimizers.AdamW(
        schedule,
        weight_decay=recipe.weight_decay,
        beta_2=0.98,
        global_clipnorm=recipe.clip,
        use_ema=True,
        ema_momentum=recipe.average,
    )
    optimizer.exclude_from_weight_decay(var_names=list(UNDECAYED))
    optimizer.build(variables)

    @tf.function  # type: ignore[untyped-decorator]
    def step(*batch: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(*batch)
        optimizer.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))
        return value

    total, started = 0.0, time.monotonic()
    for count, batch in enumerate(batches, start=1):
        total += float(step(*(tf.constant(part) for part in batch)))
        if count % recipe.report_every == 0 or count == recipe.steps:
            mean = total / ((count - 1) % recipe.report_every + 1)
            report(f"step {count}/{recipe.steps}  loss {mean:.4f}  {time.monotonic() - started:.0f} s")
            total = 0.0
        if count == recipe.steps:
            break
    optimizer.finalize_variable_values(variables)


def cross_entropy(logits: Any, labels: Any, smoothing: float = 0.0) -> Any:
    """Mean over the rows whose label is not negative; 0 where there is none.

    logits float32 [..., classes], labels int32 [...].
    """
    known = tf.cast(labels >= 0, logits.dtype)
    scores = tf.nn.log_softmax(logits)
    hit = tf.gather(scores, tf.maximum(labels, 0), axis=-1, batch_dims=len(labels.shape))
    value = -(1.0 - smoothing) * hit - smoothing * tf.reduce_mean(scores, axis=-1)
    return tf.reduce_sum(value * known) / tf.maximum(tf.reduce_sum(known), 1.0)


def predict(model: Any, rows: Sequence[Sequence[int]], size: int = 128) -> npt.NDArray[np.float32]:
    """Logits of sentences of any length: float32 [len(rows), classes]. The model's length is open."""
    result: npt.NDArray[np.float32] | None = None
    call = tf.function(lambda ids: model(ids, training=False), reduce_retracing=True)
    for indices in similar_batches([len(row) for row in rows], size, None):
        logits = call(tf.constant(padded([rows[index] for index in indices]))).numpy()
        if result is None:
            result = np.zeros((len(rows), logits.shape[-1]), dtype=np.float32)
        result[indices] = logits
    if result is None:
        raise ValueError("there are no rows")
    return result


def accuracy(model: Any, rows: Sequence[Sequence[int]], labels: Sequence[int]) -> float:
    """Share of rows whose largest logit is that of their label."""
    return float((predict(model, rows).argmax(axis=-1) == np.asarray(labels)).mean())
