"""The text and speech models in Keras: layers equal NumPy, padding changes nothing, files read back."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="TensorFlow is not installed")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

from tinyc import models  # noqa: E402
from tinyc.ir.tensor import Array  # noqa: E402
from tinyc.models import batches, saving, training  # noqa: E402

pytestmark = [pytest.mark.host, pytest.mark.filterwarnings("ignore")]

LENGTHS = (5, 9, 12)
VOCABULARY = 50
BUILDERS: dict[str, Any] = {
    "embbert": lambda **kw: models.embbert(3, VOCABULARY, 4, 16, 2, 12, 6, **kw),
    "embbert of two heads": lambda **kw: models.embbert(3, VOCABULARY, 4, 16, 2, 12, 6, heads=2, **kw),
    "embedder_conv": lambda **kw: models.embedder_conv(3, VOCABULARY, 4, 16, 12, 6, **kw),
    "bert": lambda **kw: models.bert(3, VOCABULARY, 12, 16, 2, 2, 32, **kw),
    "bert, pre-norm": lambda **kw: models.bert(
        3, VOCABULARY, 12, 16, 2, 2, 32, "pre", "squared_relu", 4, "mean", **kw
    ),
}


def sentences() -> Array:
    """Three sentences of `LENGTHS` ids, padded: [CLS] ... [SEP]."""
    rng = np.random.default_rng(3)
    ids = np.zeros((len(LENGTHS), max(LENGTHS)), dtype=np.int32)
    for row, length in zip(ids, LENGTHS, strict=True):
        row[:length] = [2, *rng.integers(5, VOCABULARY, length - 2), 4]
    return ids


def rows(*shape: int) -> Array:
    return np.random.default_rng(7).normal(0, 1, shape).astype(np.float32)


def softmax(x: Array) -> Array:
    numerators = np.exp(x - x.max(axis=-1, keepdims=True))
    return numerators / numerators.sum(axis=-1, keepdims=True)


def randomized(layer: Any, *shape: int) -> Any:
    """The layer built for the shape, no weight of it left at 0 or 1."""
    layer.build(shape)
    rng = np.random.default_rng(11)
    layer.set_weights([rng.normal(0, 0.5, weight.shape) for weight in layer.weights])
    return layer


def test_parameters_of_the_published_models() -> None:
    for classes in (2, 7):
        assert models.embbert(classes).count_params() == 357_248 + 129 * classes
    assert models.embedder_conv(4).count_params() == 298_500


def test_nano_embedder() -> None:
    layer = randomized(models.NanoEmbedder(VOCABULARY, 4, 8, 12, separator=4), None, None)
    ids = sentences()
    tokens, expander, positions, position_expander, segments = layer.get_weights()
    segment = np.where(ids == 0, 0, np.where(np.cumsum(ids == 4, axis=1) > 0, 2, 1))
    expected = tokens[ids] @ expander + positions @ position_expander + segments[segment]
    assert np.allclose(np.asarray(layer(ids)), expected, atol=1e-5)
    assert np.array_equal(np.asarray(layer.compute_mask(ids)), ids != 0)
    assert np.array_equal(segment[0], [1, 1, 1, 1, 2] + [0] * 7)


def test_nano_embedder_without_segments() -> None:
    layer = randomized(models.NanoEmbedder(VOCABULARY, 4, 8, 12, segments=0), None, None)
    ids = sentences()[:, :7]
    tokens, expander, positions, position_expander = layer.get_weights()
    expected = tokens[ids] @ expander + positions[:7] @ position_expander
    assert np.allclose(np.asarray(layer(ids)), expected, atol=1e-5)
    with pytest.raises(ValueError, match="segments is 2"):
        models.NanoEmbedder(VOCABULARY, 4, 8, 12, segments=2)


@pytest.mark.parametrize("heads", [1, 2])
def test_efficient_attention(heads: int) -> None:
    layer = randomized(models.EfficientAttention(heads), None, None, 8)
    x, mask = rows(2, 6, 8), np.array([[True] * 6, [True] * 4 + [False] * 2])
    query_kernel, query_bias, output_kernel, output_bias = layer.get_weights()
    queries, width = x @ query_kernel + query_bias, 8 // heads
    context = np.zeros_like(x)
    for start in range(0, 8, width):
        part = slice(start, start + width)
        scores = queries[..., part] @ x[..., part].swapaxes(1, 2) / np.sqrt(width)
        scores[~np.broadcast_to(mask[:, None], scores.shape)] = -np.inf
        context[..., part] = softmax(scores) @ x[..., part]
    expected = context @ output_kernel + output_bias
    assert np.allclose(np.asarray(layer(x, mask=mask)), expected, atol=1e-5)


def test_attention_refuses_heads_that_do_not_divide() -> None:
    with pytest.raises(ValueError, match="8 columns do not split into 3 heads"):
        models.EfficientAttention(3).build((None, None, 8))


@pytest.mark.parametrize("time", [3, 4, 9, 70])
def test_causal_convolution(time: int) -> None:
    layer = randomized(models.CausalDepthwiseConv1D(4, "silu"), None, None, 8)
    x = rows(2, time, 8)
    kernel, bias = layer.get_weights()
    expected = np.tile(bias, (2, time, 1))
    for now in range(time):
        for tap in range(4):
            past = now - 3 + tap
            if past >= 0:
                expected[:, now] += kernel[tap] * x[:, past]
    expected = expected / (1 + np.exp(-expected))
    assert np.allclose(np.asarray(layer(x)), expected, atol=1e-5)
    dynamic = keras.Input((None, 8))
    assert np.allclose(keras.Model(dynamic, layer(dynamic)).predict(x, verbose=0), expected, atol=1e-5)


def test_difference_skip() -> None:
    layer = randomized(models.DifferenceSkip(), (None, None, 8), (None, None, 8))
    a, c = rows(2, 3, 8), rows(2, 3, 8)[::-1]
    query_1, key_1, query_2, key_2 = layer.get_weights()
    expected = np.exp(query_1 @ key_1) * a - np.exp(query_2 @ key_2) * c
    assert np.allclose(np.asarray(layer([a, c])), expected, atol=1e-4)


def test_pooling() -> None:
    x, mask = rows(2, 4, 8), np.array([[True] * 4, [True, True, False, False]])
    assert np.array_equal(np.asarray(models.FirstToken()(x)), x[:, 0])
    pooled = np.asarray(models.RootMeanSquarePooling1D()(x, mask=mask))
    assert np.allclose(pooled[0], np.sqrt((x[0] ** 2).mean(axis=0)), atol=1e-5)
    assert np.allclose(pooled[1], np.sqrt((x[1, :2] ** 2).mean(axis=0)), atol=1e-5)


def test_class_token_and_positions() -> None:
    x = rows(2, 4, 8)
    token = randomized(models.ClassToken(), None, 4, 8)
    longer = np.asarray(token(x))
    assert np.array_equal(longer[:, 1:], x)
    assert np.array_equal(longer[:, 0], np.tile(token.get_weights()[0], (2, 1)))
    positions = randomized(models.LearnedPositions(9), None, None, 8)
    assert np.allclose(np.asarray(positions(x)), x + positions.get_weights()[0][:4])


@pytest.mark.parametrize("name", BUILDERS)
def test_padding_changes_nothing(name: str) -> None:
    model = BUILDERS[name](dynamic=True)
    ids = sentences()
    together = np.asarray(model(ids))
    for position, length in enumerate(LENGTHS):
        alone = np.asarray(model(ids[position : position + 1, :length]))
        assert np.allclose(together[position], alone[0], atol=1e-5)


@pytest.mark.parametrize("name", BUILDERS)
def test_a_model_read_back_gives_the_same(name: str, tmp_path: Path) -> None:
    model = BUILDERS[name]()
    # The mask must survive in what is read back, too.
    saving.save_small(model, tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert np.array_equal(np.asarray(model(sentences())), np.asarray(again(sentences())))
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    dynamic = BUILDERS[name](dynamic=True)
    dynamic.set_weights(again.get_weights())
    assert np.allclose(
        np.asarray(dynamic(sentences()[:1, :5])), np.asarray(again(sentences()[:1])), atol=1e-5
    )


def test_keyword_transformer(tmp_path: Path) -> None:
    model = models.keyword_transformer(5, 6, 4, 8, 2, 2, 16)
    x = rows(2, 6, 4)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert np.asarray(model(x)).shape == (2, 5)
    assert np.array_equal(np.asarray(model(x)), np.asarray(again(x)))


def test_a_language_model_shares_the_encoder() -> None:
    model = BUILDERS["embbert"]()
    guesses = models.masked_language_model(model, VOCABULARY)
    assert guesses.output_shape == (None, 12, VOCABULARY)
    shared = {id(weight) for weight in model.weights} & {id(weight) for weight in guesses.weights}
    assert len(shared) == len(model.weights) - 2
    assert models.encoder(BUILDERS["embedder_conv"]()).output_shape == (None, 12, 16)


def test_rounding() -> None:
    values = np.array([1.0, -1.0, 1 + 2**-8, 1 + 3 * 2**-8, 3.14159, 0.0], dtype=np.float32)
    # Ties go to even, as in bfloat16.
    assert saving.round_mantissa(values).tolist() == [1.0, -1.0, 1.0, 1 + 2**-6, 3.140625, 0.0]
    # In the range of float16's normal numbers, 10 bits are float16.
    noise = np.random.default_rng(0).uniform(0.001, 100, 1000).astype(np.float32)
    assert np.array_equal(saving.round_mantissa(noise, 10), noise.astype(np.float16).astype(np.float32))


def test_small_files_are_smaller_and_always_the_same(tmp_path: Path) -> None:
    model = models.embbert(3, 400, 16, 64, 1, 12, 6)
    saving.round_weights(model)
    model.save(tmp_path / "plain.keras")
    for name in ("one", "two"):
        saving.save_small(model, tmp_path / f"{name}.keras")
    one, two = ((tmp_path / f"{name}.keras").read_bytes() for name in ("one", "two"))
    weights = [zipfile.ZipFile(tmp_path / f"{name}.keras").read(saving.WEIGHTS) for name in ("one", "two")]
    assert weights[0] == weights[1]
    assert len(one) == pytest.approx(len(two), abs=200)
    assert len(one) < 0.6 * (tmp_path / "plain.keras").stat().st_size


def test_batches_are_padded_no_further_than_needed() -> None:
    assert batches.padded([[5, 6], [7]], 3).tolist() == [[5, 6, 0], [7, 0, 0]]
    assert batches.padded([[1] * 9]).shape == (1, 12)
    assert batches.padded([[1] * 9], 4).tolist() == [[1] * 4]
    lengths = np.random.default_rng(0).integers(1, 30, 100).tolist()
    every = list(batches.similar_batches(lengths, 32, None))
    assert sorted(np.concatenate(every).tolist()) == list(range(100))
    some = list(batches.similar_batches(lengths, 32, np.random.default_rng(1)))
    assert [len(batch) for batch in some] == [32, 32, 32]
    assert len(set(np.concatenate(some).tolist())) == 96


def test_training_learns() -> None:
    keras.utils.set_random_seed(1)
    model = BUILDERS["embbert"](dynamic=True)
    rng = np.random.default_rng(0)
    ids = [[2, *rng.integers(5, VOCABULARY, 6).tolist(), 4] for _ in range(256)]
    labels = np.array([row[1] % 3 for row in ids], dtype=np.int32)

    def passes() -> Any:
        while True:
            for batch in batches.similar_batches([8] * 256, 64, rng):
                yield batches.padded([ids[index] for index in batch]), labels[batch]

    def loss(x: Any, y: Any) -> Any:
        return training.cross_entropy(model(x, training=True), y, 0.1)

    lines: list[str] = []
    recipe = training.Recipe(120, 1e-2, average=0.9, report_every=60)
    training.optimize(model.trainable_variables, loss, passes(), recipe, lines.append)
    assert training.accuracy(model, ids, labels.tolist()) > 0.9
    assert len(lines) == 2


def test_cross_entropy_ignores_what_has_no_label() -> None:
    logits = np.array([[2.0, 0.0, 0.0], [9.0, 9.0, 9.0]], dtype=np.float32)
    value = training.cross_entropy(keras.ops.convert_to_tensor(logits), keras.ops.convert_to_tensor([0, -1]))
    assert float(value) == pytest.approx(-np.log(np.exp(2) / (np.exp(2) + 2)), rel=1e-5)
