"""A Keras model that nobody quantized, as TensorFlow converts it: NumPy, host, chips and LiteRT.

And a model that mixes int8 with float32.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support import tflite_writer
from support.command_line import tinyc
from support.float_models import float_between_int8
from support.litert import reference_interpreter, run_interpreter
from tinyc import interpreter
from tinyc.pipeline import prepare
from tinyc.source import resolve

pytestmark = pytest.mark.emulated

SHAPE = (1, 12, 10, 1)


@pytest.fixture(scope="module")
def keras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The .tflite of a small network with convolutions, pools, TANH, an LSTM and SOFTMAX."""
    tf = pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    from support.int16_models import converter_of

    tf.keras.utils.set_random_seed(2)
    layers = tf.keras.layers
    x = tf.keras.Input(SHAPE[1:])
    y = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    y = layers.DepthwiseConv2D(3, padding="same", activation="tanh")(y)
    y = layers.AveragePooling2D(2)(layers.MaxPooling2D(2)(y))
    y = layers.LSTM(5)(layers.Reshape((2, 4))(y))
    y = layers.Dense(4, activation="softmax")(y)
    path = tmp_path_factory.mktemp("keras") / "model.tflite"
    path.write_bytes(bytes(converter_of(tf.keras.Model(x, y)).convert()))
    return path


@pytest.fixture(scope="module")
def recurrent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The .tflite of layers that Keras writes as loops over five steps."""
    tf = pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    from support.int16_models import converter_of

    tf.keras.utils.set_random_seed(2)
    layers = tf.keras.layers
    x = tf.keras.Input((5, 3))
    y = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    y = layers.SimpleRNN(4)(layers.GRU(4, return_sequences=True)(y))
    path = tmp_path_factory.mktemp("recurrent") / "model.tflite"
    path.write_bytes(bytes(converter_of(tf.keras.Model(x, y)).convert()))
    return path


def test_loops_over_time_are_near_litert(recurrent: Path) -> None:
    """Within 2^-21: three layers of functions that are libm's there."""
    graph = prepare(resolve(recurrent, allow_float=True)).graph
    model = reference_interpreter(recurrent.read_bytes())
    rng = np.random.default_rng(4)
    for _ in range(20):
        x = rng.normal(0, 2, (1, 5, 3)).astype(np.float32)
        (expected,), (actual,) = run_interpreter(model, [x]), interpreter.run(graph, [x])
        assert expected.shape == actual.shape and np.abs(expected - actual).max() <= 2.0**-21


def test_a_keras_model_is_near_litert(keras: Path) -> None:
    """Probabilities within 2^-22, four units in the last place of 1; they are of libm there, and TANH too."""
    graph = prepare(resolve(keras, allow_float=True)).graph
    model = reference_interpreter(keras.read_bytes())
    rng = np.random.default_rng(4)
    for _ in range(20):
        x = rng.normal(0, 2, SHAPE).astype(np.float32)
        (expected,), (actual,) = run_interpreter(model, [x]), interpreter.run(graph, [x])
        assert np.abs(expected - actual).max() <= 2.0**-22
        assert np.argmax(expected) == np.argmax(actual)


def verified(model: Path, board: str, out: Path) -> int:
    """The bytes compared between NumPy, C on this machine and the chip: equal, layer by layer."""
    built = tinyc("build", model, "--board", board, "--out", out, "--allow-float")
    assert built.code == 0, built.stderr
    said = tinyc("verify", out, "--count", 6, "--layers", "--json")
    assert said.code == 0 and said.json["agrees"], said.stderr
    return int(said.json["bytes_compared"])


@pytest.mark.parametrize("board", ["nrf52840", "microbit"])
def test_a_keras_model_has_the_same_bits_with_and_without_an_fpu(
    keras: Path, tmp_path: Path, board: str
) -> None:
    assert verified(keras, board, tmp_path / "out") == 6 * 4 * 4


def test_int8_and_float32_in_one_model_on_a_chip(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(tflite_writer.write(float_between_int8()))
    assert verified(model, "nrf52840", tmp_path / "out") == 6 * 2 * 3 * 5
