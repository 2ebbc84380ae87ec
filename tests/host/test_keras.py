"""Keras 3 and SavedModel files: the float graph equals what Keras predicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinyc import frontends, interpreter, passes
from tinyc.errors import TinycError
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array

pytestmark = [pytest.mark.host, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def tensorflow() -> Any:
    return pytest.importorskip("tensorflow", reason="TensorFlow is not installed")


@pytest.fixture(scope="module")
def model(tensorflow: Any) -> Any:
    layers = tensorflow.keras.layers
    tensorflow.keras.utils.set_random_seed(1)
    inputs = tensorflow.keras.Input((12, 9, 1), name="spectrogram")
    x = layers.ZeroPadding2D(1)(inputs)
    x = layers.Conv2D(6, 3, strides=2, use_bias=False)(x)
    x = layers.BatchNormalization(gamma_initializer="random_normal", beta_initializer="random_normal")(x)
    x = layers.ReLU(max_value=6.0)(x)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
    x = layers.Add()([x, layers.Conv2D(6, 1)(x)])
    x = layers.Flatten()(layers.MaxPooling2D()(x))
    return tensorflow.keras.Model(inputs, layers.Dense(4, activation="softmax")(layers.Dropout(0.3)(x)))


def check(graph: Graph, model: Any, samples: int = 3) -> None:
    rng = np.random.default_rng(0)
    for _ in range(samples):
        x: Array = rng.normal(0, 1, graph[graph.inputs[0]].shape).astype(np.float32)
        (actual,) = interpreter.run(graph, [x])
        assert np.allclose(np.asarray(model(x)), actual, atol=1e-5)


@pytest.mark.parametrize("suffix", [".keras", ".h5", ""])
def test_every_format_gives_the_same_float_graph(
    suffix: str, model: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"net{suffix}"
    model.save(path) if suffix else model.export(path)
    capfd.readouterr()
    raw = frontends.load(path)
    assert capfd.readouterr().err == ""
    assert raw[raw.inputs[0]].shape == (1, 12, 9, 1)
    check(raw, model)
    graph = passes.legalize(passes.run(raw), allow_float=True)
    check(graph, model)
    expected = ["CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "ADD", "MAX_POOL_2D", "FULLY_CONNECTED", "SOFTMAX"]
    assert [op.kind for op in graph.ops] == expected


@pytest.mark.parametrize("suffix", [".keras", ""])
def test_inputs_and_outputs_keep_the_models_order(suffix: str, tensorflow: Any, tmp_path: Path) -> None:
    """The converter sorts inputs by name, and lists outputs as they get computed."""
    layers = tensorflow.keras.layers
    image = tensorflow.keras.Input((4, 4, 2), name="image")
    extras = tensorflow.keras.Input((5,), name="extras")
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3)(image))
    joined = layers.Concatenate()([pooled, layers.Dense(3)(extras)])
    outputs = [layers.Dense(3, activation="softmax")(joined), layers.Dense(1)(joined), pooled]
    network = tensorflow.keras.Model([image, extras], outputs)
    path = tmp_path / f"net{suffix}"
    network.save(path) if suffix else network.export(path)
    graph = frontends.load(path)
    rng = np.random.default_rng(0)
    values = {name: rng.normal(0, 1, graph[name].shape).astype(np.float32) for name in ("image", "extras")}
    if suffix:
        assert graph.inputs == ("image", "extras")
    expected = network([values["image"], values["extras"]])
    for want, got in zip(
        expected, interpreter.run(graph, [values[name] for name in graph.inputs]), strict=True
    ):
        assert np.allclose(np.asarray(want), got, atol=1e-5)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_sequential_model(suffix: str, tensorflow: Any, tmp_path: Path) -> None:
    """Without `keras.Input` as with it: what counts is that the model was built."""
    layers = tensorflow.keras.layers
    network = tensorflow.keras.Sequential([layers.Dense(4, activation="relu"), layers.Dense(2)])
    network.build((None, 6))
    network.save(tmp_path / f"net{suffix}")
    graph = frontends.load(tmp_path / f"net{suffix}")
    check(graph, network)


def test_layers_keep_the_models_names(tensorflow: Any, tmp_path: Path) -> None:
    """TensorFlow numbers names anew; with Keras's own numbers that would name the wrong layer."""
    layers = tensorflow.keras.layers
    inputs = tensorflow.keras.Input((9, 8, 2), name="image")
    x = layers.Conv2D(4, 3, activation="relu", name="conv2d")(inputs)
    x = layers.Conv2D(4, 3, name="conv2d_1")(x)
    x = layers.ReLU(name="late_relu")(layers.BatchNormalization(name="norm")(x))
    x = layers.DepthwiseConv2D(3, name="depthwise_conv2d_1")(x)
    x = layers.Dense(3, name="conv2d_1_1")(layers.GlobalAveragePooling2D(name="pool")(x))
    network = tensorflow.keras.Model(inputs, x, name="conv2d_2")
    network.save(tmp_path / "net.keras")
    graph = passes.run(frontends.load(tmp_path / "net.keras"))
    assert [op.name for op in graph.ops] == ["conv2d", "conv2d_1", "depthwise_conv2d_1", "pool", "conv2d_1_1"]
    check(graph, network)


def test_names_that_tensorflow_refuses(tensorflow: Any, tmp_path: Path) -> None:
    layers = tensorflow.keras.layers
    inputs = tensorflow.keras.Input((6,), name="in put")
    hidden = layers.Dense(3, name="\u00e9t\u00e9 1")(inputs)
    network = tensorflow.keras.Model(inputs, layers.Dense(2, name='a;b"*/'[:4])(hidden), name="m\u00f6del")
    path = tmp_path / "net.keras"
    network.save(path)
    graph = frontends.load(path)
    x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(1, 6)
    assert np.allclose(
        np.asarray(network.layers[-1](network.layers[1](x))), interpreter.run(graph, [x])[0], atol=1e-5
    )
    assert all(op.name.isascii() for op in graph.ops)


def test_the_shared_resnet(tensorflow: Any, shared: Path) -> None:
    path = shared / "models/mlperf_tiny/pretrainedResnet.h5"
    graph = passes.legalize(passes.run(frontends.load(path)), allow_float=True)
    assert [op.kind for op in graph.ops].count("CONV_2D") == 9
    check(graph, tensorflow.keras.models.load_model(path, compile=False))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_damaged_file_is_one_error(suffix: str, tensorflow: Any, tmp_path: Path) -> None:
    path = tmp_path / f"net{suffix}"
    path.write_bytes(b"not a model")
    with pytest.raises(TinycError, match="Keras cannot read the model"):
        frontends.load(path)


def test_a_layer_without_a_builtin_operator_is_one_error(tensorflow: Any, tmp_path: Path) -> None:
    layers = tensorflow.keras.layers
    inputs = tensorflow.keras.Input((8,))
    path = tmp_path / "net.keras"
    tensorflow.keras.Model(inputs, tensorflow.keras.ops.sign(layers.Dense(3)(inputs))).save(path)
    graph = passes.run(frontends.load(path))
    with pytest.raises(TinycError, match="cannot be compiled") as caught:
        passes.legalize(graph, allow_float=True)
    assert "SIGN" in caught.value.problems[0].where
