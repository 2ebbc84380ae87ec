"""Layers that turn ids into rows and tell positions apart."""

from __future__ import annotations

from typing import Any

import keras

PADDING = 0


@keras.saving.register_keras_serializable(package="tinyc")
class NanoEmbedder(keras.layers.Layer):
    """Token, position and segment embeddings, the first two through a narrow table and an expander.

    ids int32 [batch, time] -> float32 [batch, time, units]:
    `tokens[id] @ token_expander + positions[t] @ position_expander + segment_table[s]`.

    Weights: tokens [vocabulary, rank], token_expander [rank, units], positions [max_length, rank],
    position_expander [rank, units], segment_table [segments, units]; no biases.
    Segment 0 is padding (id 0), 1 the text before the first `separator` id, 2 from there on; without a
    separator all text is segment 1. `segments=0` leaves the segment table out. The mask is `ids != 0`.
    """

    def __init__(
        self,
        vocabulary: int,
        rank: int,
        units: int,
        max_length: int,
        segments: int = 3,
        separator: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if segments not in (0, 3):
            raise ValueError(f"segments is {segments}: needs 3, or 0 for none")
        self.vocabulary = vocabulary
        self.rank = rank
        self.units = units
        self.max_length = max_length
        self.segments = segments
        self.separator = separator

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        normal = keras.initializers.RandomNormal
        # The sum of tokens and positions starts with a variance near one.
        expander = normal(stddev=self.rank**-0.5)
        self.tokens = self.add_weight(
            name="tokens", shape=(self.vocabulary, self.rank), initializer=normal(stddev=0.7)
        )
        self.token_expander = self.add_weight(
            name="token_expander", shape=(self.rank, self.units), initializer=expander
        )
        self.positions = self.add_weight(
            name="positions", shape=(self.max_length, self.rank), initializer=normal(stddev=0.3)
        )
        self.position_expander = self.add_weight(
            name="position_expander",
            shape=(self.rank, self.units),
            initializer=normal(stddev=self.rank**-0.5),
        )
        self.segment_table = None
        if self.segments:
            self.segment_table = self.add_weight(
                name="segment_table", shape=(self.segments, self.units), initializer=normal(stddev=0.1)
            )

    def call(self, ids: Any) -> Any:
        ops = keras.ops
        ids = ops.cast(ids, "int32")
        rows = ops.matmul(ops.take(self.tokens, ids, axis=0), self.token_expander)
        rows = rows + ops.matmul(self.positions[: ops.shape(ids)[1]], self.position_expander)
        if self.segment_table is not None:
            rows = rows + ops.take(self.segment_table, self.segment_ids(ids), axis=0)
        return rows

    def segment_ids(self, ids: Any) -> Any:
        """Segment of each id: int32 [batch, time] of 0, 1 and 2."""
        ops = keras.ops
        segment = ops.ones_like(ids)
        if self.separator is not None:
            seen = ops.cumsum(ops.cast(ops.equal(ids, self.separator), "int32"), axis=1)
            segment = segment + ops.minimum(seen, 1)
        return ops.where(ops.equal(ids, PADDING), ops.zeros_like(ids), segment)

    def compute_mask(self, ids: Any, previous: Any = None) -> Any:
        return keras.ops.not_equal(ids, PADDING)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape, self.units)

    def compute_output_spec(self, ids: Any) -> Any:
        return keras.KerasTensor((*ids.shape, self.units), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "vocabulary": self.vocabulary,
            "rank": self.rank,
            "units": self.units,
            "max_length": self.max_length,
            "segments": self.segments,
            "separator": self.separator,
        }


@keras.saving.register_keras_serializable(package="tinyc")
class LearnedPositions(keras.layers.Layer):
    """Adds a learned row to each position: [batch, time, d] -> [batch, time, d], time <= max_length.

    Weights: positions [max_length, d].
    """

    def __init__(self, max_length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_length = max_length
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.positions = self.add_weight(
            name="positions",
            shape=(self.max_length, input_shape[-1]),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
        )

    def call(self, x: Any) -> Any:
        return x + self.positions[: keras.ops.shape(x)[1]]

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_length": self.max_length}


@keras.saving.register_keras_serializable(package="tinyc")
class ClassToken(keras.layers.Layer):
    """Puts a learned row in front: [batch, time, d] -> [batch, time + 1, d].

    Weights: token [d].
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.token = self.add_weight(
            name="token",
            shape=(input_shape[-1],),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
        )

    def call(self, x: Any) -> Any:
        ops = keras.ops
        row = ops.broadcast_to(self.token, (ops.shape(x)[0], 1, x.shape[-1]))
        return ops.concatenate([row, x], axis=1)

    def compute_mask(self, x: Any, previous: Any = None) -> Any:
        if previous is None:
            return None
        return keras.ops.pad(previous, ((0, 0), (1, 0)), constant_values=True)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, time, units = input_shape
        return (batch, None if time is None else time + 1, units)

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(self.compute_output_shape(x.shape), dtype=self.compute_dtype)
