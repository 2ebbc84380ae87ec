"""Transformers from Keras: the float graph, before and after the passes, equals what Keras predicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinyc import frontends, interpreter, passes
from tinyc.errors import TinycError
from tinyc.ir import sequence
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Attention, Embedding, Linear
from tinyc.ir.ops.norm import Norm
from tinyc.ir.tensor import Array, DType

pytestmark = [pytest.mark.host, pytest.mark.filterwarnings("ignore")]
VOCABULARY, LENGTH, UNITS = 50, 10, 12
# What the quantizer knows.
KINDS = {
    "ATTENTION",
    "DEPTHWISE_CONV_1D",
    "EMBEDDING",
    "GELU",
    "LAYER_NORM",
    "LINEAR",
    "LOGISTIC",
    "PAD",
    "RESHAPE",
    "RMS_NORM",
    "SEQUENCE_LENGTH",
    "SILU",
    "SOFTMAX",
    "SQUARED_RELU",
    "STRIDED_SLICE",
    "TANH",
    "TOKEN_POOL",
}


@pytest.fixture(scope="module")
def keras() -> Any:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    import keras

    return keras


@pytest.fixture(scope="module")
def models(keras: Any) -> Any:
    from tinyc import models

    return models


def scramble(model: Any, seed: int = 0) -> Any:
    """Random weights everywhere, gains and biases as well."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if len(weight.shape) > 1:
            values = rng.normal(0, np.prod(weight.shape[:-1]) ** -0.5, weight.shape)
        elif weight.name in ("gamma", "scale", "moving_variance"):
            values = rng.uniform(0.5, 1.5, weight.shape)
        else:
            values = rng.normal(0, 0.3, weight.shape)
        weight.assign(values)
    return model


def loaded(model: Any, folder: Path) -> Graph:
    path = folder / "net.keras"
    model.save(path)
    return frontends.load(path)


def sentences(length: int, vocabulary: int = VOCABULARY) -> list[Array]:
    """Ids [1, length] of sentences of one token and more, padded with 0; some hold a separator (4)."""
    rng, found = np.random.default_rng(1), []
    for tokens in (1, 2, length // 2, length - 1, length):
        ids = np.zeros((1, length), np.int16)
        ids[0, :tokens] = rng.integers(5, vocabulary, tokens)
        if tokens > 2:
            ids[0, tokens // 2] = 4
        found.append(ids)
    return found


def features(shape: tuple[int, ...]) -> list[Array]:
    rng = np.random.default_rng(1)
    return [rng.normal(0, 1, (1, *shape)).astype(np.float32) for _ in range(3)]


def check(model: Any, folder: Path, inputs: list[Array]) -> Graph:
    """The graph after the passes, whose outputs and those before are Keras' own."""
    graph = loaded(scramble(model), folder)
    rewritten = passes.legalize(passes.run(graph), allow_float=True)
    assert passes.run(rewritten) == rewritten
    for x in inputs:
        expected = np.asarray(model(x))
        for each in (graph, rewritten):
            (actual,) = interpreter.run(each, [x])
            assert actual.shape == expected.shape
            assert np.abs(actual - expected).max() <= 1e-5 * np.abs(expected).max() + 1e-6
    assert {op.kind for op in rewritten.ops} <= KINDS
    assert rewritten.macs() <= graph.macs()
    return rewritten


def kinds(graph: Graph) -> list[str]:
    return [op.kind for op in graph.ops]


@pytest.mark.parametrize("heads", [1, 2])
def test_embbert(heads: int, models: Any, tmp_path: Path) -> None:
    model = models.embbert(
        3, VOCABULARY, rank=4, units=UNITS, blocks=2, max_length=LENGTH, kernel_size=4, heads=heads
    )
    graph = check(model, tmp_path, sentences(LENGTH))
    block = ["RMS_NORM", "DEPTHWISE_CONV_1D", "SILU", "LINEAR", "ATTENTION", "LINEAR"]
    last = ["RMS_NORM", "DEPTHWISE_CONV_1D", "SILU", "STRIDED_SLICE", "LINEAR", "ATTENTION", "LINEAR"]
    assert kinds(graph) == ["SEQUENCE_LENGTH", "EMBEDDING", *block, *last, "RESHAPE", "LINEAR"]
    assert not any(isinstance(op, Norm) and op.gain for op in graph.ops)
    assert [op.sources for op in graph.ops if isinstance(op, Linear)] == [1, 2, 1, 2, 1]
    assert graph[graph.inputs[0]].dtype is DType.INT16
    assert graph[graph.outputs[0]].shape == (1, 3)


def test_embedder_with_a_convolution(models: Any, tmp_path: Path) -> None:
    model = models.embedder_conv(3, VOCABULARY, rank=4, units=UNITS, max_length=LENGTH, kernel_size=4)
    graph = check(model, tmp_path, sentences(LENGTH))
    assert kinds(graph) == [
        "SEQUENCE_LENGTH",
        "EMBEDDING",
        "DEPTHWISE_CONV_1D",
        "SILU",
        "TOKEN_POOL",
        "RESHAPE",
        "LINEAR",
    ]


@pytest.mark.parametrize("pooling", ["first", "mean"])
@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize(("activation", "rank"), [("gelu", None), ("silu", 4), ("squared_relu", None)])
def test_bert(
    activation: str, rank: int | None, norm: str, pooling: str, models: Any, tmp_path: Path
) -> None:
    model = models.bert(
        3,
        VOCABULARY,
        LENGTH,
        units=UNITS,
        feed_forward=20,
        norm=norm,
        activation=activation,
        rank=rank,
        pooling=pooling,
    )
    graph = check(model, tmp_path, sentences(LENGTH))
    # No sum is left: residuals are in the layers, positions in the embedding.
    linears = [op for op in graph.ops if isinstance(op, Linear)]
    assert len(linears) == 2 * 6 + 1
    assert sum(op.residual for op in linears) == 4
    assert next(op for op in graph.ops if isinstance(op, Embedding)).positions
    gains = [op.gain for op in graph.ops if isinstance(op, Norm)]
    # A norm that is no residual loses its gain: all of them before the branches, the last one after them.
    assert not any(gains) if norm == "pre" else gains == [True] * 4 + [False]
    attention = [op for op in graph.ops if isinstance(op, Attention)]
    assert graph[attention[-1].outputs[0]].shape[1] == (1 if pooling == "first" else LENGTH)


def test_a_keyword_transformer(models: Any, tmp_path: Path) -> None:
    model = models.keyword_transformer(4, 9, 5, UNITS, 2, 2, 20)
    graph = check(model, tmp_path, features((9, 5)))
    assert kinds(graph)[:2] == ["PAD", "LINEAR"]
    assert sequence.length_op(graph) is None


def standard(keras: Any, *, mask: bool = True, **attention: Any) -> Any:
    """An encoder of Keras' own layers, of one block: the mask reaches its only attention."""
    layers = keras.layers
    ids = keras.Input((LENGTH,), name="words")
    x = layers.Embedding(VOCABULARY, UNITS, mask_zero=mask, name="table")(ids)
    heads = layers.MultiHeadAttention(2, 5, name="attend", **attention)
    x = x + heads(x, x)
    x = layers.LayerNormalization(name="norm")(x)
    y = layers.Dense(20, activation="relu", name="expand")(layers.Dropout(0.1)(x))
    y = layers.Dense(UNITS, name="contract")(y)
    x = layers.LayerNormalization(name="norm_2", center=False)(layers.Add(name="sum")([x, y]))
    x = layers.Dense(8, activation="tanh", name="pooler")(x[:, 0])
    return keras.Model(ids, layers.Dense(3, activation="softmax", name="classes")(x))


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("attention", [{}, {"value_dim": 3, "use_bias": False}, {"dropout": 0.1}])
def test_layers_of_keras_alone(attention: Any, mask: bool, keras: Any, tmp_path: Path) -> None:
    graph = check(standard(keras, mask=mask, **attention), tmp_path, sentences(LENGTH))
    assert (sequence.length_op(graph) is not None) == mask
    assert graph.inputs == ("words",)
    assert {"attend", "expand", "contract", "pooler", "classes/softmax"} <= {op.name for op in graph.ops}


def test_rows_of_features_with_everything_between(keras: Any, tmp_path: Path) -> None:
    """Causal attention and convolutions, scalings, sums of constants, batch normalization, several sums."""
    layers = keras.layers
    rng = np.random.default_rng(2)
    inputs = keras.Input((9, 5), name="sound")
    x = layers.Rescaling(0.5, -0.1)(inputs)
    x = layers.Conv1D(UNITS, 1)(x)
    x = x * 1.5 + rng.normal(0, 1, (9, UNITS)).astype(np.float32)
    y = layers.LayerNormalization(scale=False)(x)
    y = layers.MultiHeadAttention(3, 4)(y, y, use_causal_mask=True)
    z = layers.Conv1D(UNITS, 3, padding="causal", groups=UNITS, activation="silu", dilation_rate=2)(x)
    x = layers.Add()([x, y, z])
    z = layers.DepthwiseConv1D(4, padding="valid")(layers.ZeroPadding1D((3, 0))(x))
    z = layers.BatchNormalization()(z)
    x = layers.Subtract()([layers.Activation("gelu")(z), layers.Dense(UNITS, use_bias=False)(x)])
    x = layers.RMSNormalization()(x)
    x = layers.DepthwiseConv1D(1, activation="relu6")(x)
    r = layers.ReLU()(layers.Dense(7)(x))
    x = layers.GlobalAveragePooling1D()(layers.Multiply()([r, r]))
    model = keras.Model(inputs, layers.Dense(2, activation="sigmoid")(x))
    graph = check(model, tmp_path, features((9, 5)))
    assert "ADD" not in kinds(graph)


@pytest.mark.parametrize("key", [0, slice(0, 1)])
def test_the_first_row_of_a_causal_encoder_sees_itself_alone(key: Any, keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    inputs = keras.Input((9, 5))
    x = layers.Dense(UNITS)(inputs)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 6)(x, x, use_causal_mask=True))
    x = layers.Flatten()(x[:, key]) if key != 0 else x[:, key]
    check(keras.Model(inputs, layers.Dense(2)(x)), tmp_path, features((9, 5)))


def test_flattened_rows_and_positions_from_a_table(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    ids = keras.Input((LENGTH,), dtype="int32")
    positions = layers.Embedding(LENGTH, UNITS)(np.arange(LENGTH))
    x = layers.Embedding(VOCABULARY, UNITS)(ids) * 3.0 + positions
    x = layers.Flatten()(layers.LayerNormalization()(x))
    graph = check(keras.Model(ids, layers.Dense(3)(x)), tmp_path, sentences(LENGTH))
    assert kinds(graph) == ["EMBEDDING", "LAYER_NORM", "RESHAPE", "LINEAR"]


def test_a_model_inside_of_a_model(keras: Any, models: Any, tmp_path: Path) -> None:
    whole = models.bert(3, VOCABULARY, LENGTH, units=UNITS, blocks=1, feed_forward=20)
    inner = models.encoder(whole)
    ids = keras.Input((LENGTH,), dtype="int32")
    x = keras.layers.GlobalAveragePooling1D()(inner(ids))
    graph = check(keras.Model(ids, keras.layers.Dense(2)(x)), tmp_path, sentences(LENGTH))
    assert any(op.name.startswith("bert_encoder/") for op in graph.ops)


def test_a_layer_that_is_called_twice(keras: Any, models: Any, tmp_path: Path) -> None:
    layers = keras.layers
    inputs = keras.Input((6, UNITS))
    dense, norm = layers.Dense(UNITS, "gelu"), layers.LayerNormalization()
    x = norm(dense(norm(dense(inputs))))
    model = keras.Model(inputs, layers.Dense(2)(x[:, 0]))
    check(model, tmp_path, features((6, UNITS)))


def test_h5_files_and_sequential_models(keras: Any, models: Any, tmp_path: Path) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((LENGTH,), dtype="int32"),
            layers.Embedding(VOCABULARY, UNITS, mask_zero=True),
            models.LearnedPositions(LENGTH + 2),
            models.RMSNormalization(),
            models.EfficientAttention(),
            models.RootMeanSquarePooling1D(),
            layers.Dense(2),
        ]
    )
    check(model, tmp_path, sentences(LENGTH))
    path = tmp_path / "net.h5"
    model.save(path)
    graph = frontends.load(path)
    for ids in sentences(LENGTH):
        assert np.allclose(interpreter.run(graph, [ids])[0], np.asarray(model(ids)), atol=1e-5)


def test_every_pass_keeps_the_answers(models: Any, tmp_path: Path) -> None:
    graph = loaded(scramble(models.embbert(3, VOCABULARY, 4, UNITS, 2, LENGTH, 4), seed=3), tmp_path)
    expected = [interpreter.run(graph, [ids])[0] for ids in sentences(LENGTH)]
    for rewrite in passes.PIPELINE:
        graph = verify(rewrite(graph))
        for ids, answer in zip(sentences(LENGTH), expected, strict=True):
            assert np.allclose(interpreter.run(graph, [ids])[0], answer, rtol=1e-4, atol=1e-6), (
                rewrite.__name__
            )


# Mistakes


def refused(model: Any, folder: Path) -> TinycError:
    with pytest.raises(TinycError) as caught:
        loaded(model, folder)
    return caught.value


def test_every_unknown_layer_is_listed(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    ids = keras.Input((LENGTH,), dtype="int32")
    x = layers.Embedding(VOCABULARY, UNITS, name="table")(ids)
    x = layers.LSTM(UNITS, return_sequences=True, name="memory")(x)
    y = layers.Dense(UNITS, activation="selu", name="curve")(x)
    x = layers.Concatenate(name="both")([x, y])
    error = refused(keras.Model(ids, layers.Dense(2)(x[:, 0])), tmp_path)
    assert [problem.where for problem in error.problems] == ["layer memory", "layer curve", "layer both"]
    assert "LSTM" in error.problems[0].what
    assert "gelu" in error.problems[1].allowed
    assert "MultiHeadAttention" in error.allowed
    assert "NanoEmbedder" in error.allowed
    assert error.hint


def test_masks_that_contradict_are_refused_by_name(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    ids = keras.Input((LENGTH,), dtype="int32")
    x = layers.Embedding(VOCABULARY, UNITS, mask_zero=True)(ids)
    x = layers.MultiHeadAttention(2, 6, name="sees_words")(x, x)
    x = layers.RMSNormalization(name="forgets")(x)
    x = layers.MultiHeadAttention(2, 6, name="sees_padding")(x, x)
    error = refused(keras.Model(ids, layers.Dense(2)(x[:, 0])), tmp_path)
    assert [problem.where for problem in error.problems] == ["layer sees_padding"]
    assert "forgets" in error.hint


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("cross", "another tensor"),
        ("mask", "attention_mask"),
        ("scores", "scores"),
        ("axes", "axis"),
        ("row", "first row"),
        ("softmax", "inside"),
        ("rows", "pool"),
        ("nan", "NaN"),
        ("training", "training=True"),
        ("square", "ReLU"),
    ],
)
def test_what_a_layer_cannot_do_is_said(case: str, words: str, keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    inputs = keras.Input((6, UNITS))
    dense = layers.Dense(UNITS, name="dense")
    x = dense(inputs)
    attend = layers.MultiHeadAttention(2, 6, name="attend")
    if case == "cross":
        x = attend(x, inputs)
    elif case == "mask":
        x = attend(x, x, attention_mask=np.tril(np.ones((1, 6, 6), bool)))
    elif case == "scores":
        x = attend(x, x, return_attention_scores=True)[0]
    elif case == "axes":
        x = layers.LayerNormalization(axis=1)(attend(x, x))
    elif case == "training":
        x = layers.Dropout(0.5)(attend(x, x), training=True)
    elif case == "square":
        x = keras.ops.square(attend(x, x))
    elif case == "softmax":
        x = layers.Dense(3, "softmax")(attend(x, x))
    else:
        x = attend(x, x)
    if case == "nan":
        kernel = dense.kernel.numpy()
        kernel[0, 0] = np.nan
        dense.kernel.assign(kernel)
    row = x[:, 1] if case == "row" else x[:, 0]
    model = keras.Model(inputs, x if case == "rows" else layers.Dense(2)(row))
    assert words in str(refused(model, tmp_path))


@pytest.mark.parametrize(
    ("shape", "words"),
    [((None,), "shape"), ((600,), "at most 512"), ((10,), "32767")],
    ids=["open", "long", "vocabulary"],
)
def test_lengths_and_vocabularies_have_limits(
    shape: tuple[int | None], words: str, keras: Any, tmp_path: Path
) -> None:
    ids = keras.Input(shape, dtype="int32")
    x = keras.layers.Embedding(40000 if words == "32767" else 20, 4)(ids)
    assert words in str(refused(keras.Model(ids, keras.layers.Dense(2)(x[:, 0])), tmp_path))


def test_a_subclassed_model_is_refused(keras: Any, tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable(package="test")
    class Classifier(keras.Model):  # type: ignore[misc]
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.table = keras.layers.Embedding(20, 4)
            self.head = keras.layers.Dense(2)

        def call(self, ids: Any) -> Any:
            return self.head(self.table(ids)[:, 0])

    model = Classifier()
    model(np.zeros((1, 5), np.int32))
    error = refused(model, tmp_path)
    assert "subclass" in str(error)
    assert "functional" in error.allowed
