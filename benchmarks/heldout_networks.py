"""Networks that no kernel was tuned on: shapes that users bring, random weights, int8 by TensorFlow.

Every builder gives a Keras model with one input of a fixed shape. The weights are random, so only the cost
of these networks means anything, never what they answer. Needs TensorFlow.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

Network: TypeAlias = Callable[[], Any]
SEED = 20


def int8_model(build: Network, samples: int = 8) -> bytes:
    """The .tflite of a network, quantized per channel with normal noise, int8 in and out. Same every time."""
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    keras.backend.clear_session()
    keras.utils.set_random_seed(SEED)
    model = build()
    shape = (1, *model.inputs[0].shape[1:])
    random = np.random.default_rng(SEED)
    noise = [random.normal(size=shape).astype(np.float32) for _ in range(samples)]
    function = tf.function(model, input_signature=[tf.TensorSpec(shape, tf.float32, name="input")])
    frozen = convert_variables_to_constants_v2(function.get_concrete_function())
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen], model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample] for sample in noise)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with warnings.catch_warnings():
        # It warns that the statistics it is about to measure were not given.
        warnings.simplefilter("ignore")
        return bytes(converter.convert())


def _conv(x: Any, channels: int, kernel: Any, stride: int = 1, act: str | None = "relu6", **more: Any) -> Any:
    from keras import layers

    options: dict[str, Any] = {"padding": "same", "activation": act, **_random(), **more}
    one = layers.Conv1D if len(x.shape) == 3 else layers.Conv2D
    return one(channels, kernel, stride, kernel_initializer="he_normal", **options)(x)


def _depthwise(x: Any, kernel: Any, stride: int = 1, act: str | None = "relu6", **more: Any) -> Any:
    from keras import initializers, layers

    options: dict[str, Any] = {"padding": "same", "activation": act, **_random(), **more}
    # Keras would count the inputs of all channels.
    taps = int(np.prod(kernel)) if isinstance(kernel, tuple) else kernel**2
    scale = initializers.RandomNormal(stddev=float(np.sqrt(2 / taps)))
    return layers.DepthwiseConv2D(kernel, stride, depthwise_initializer=scale, **options)(x)


def _dense(x: Any, units: int, act: str | None = "relu") -> Any:
    from keras import layers

    return layers.Dense(units, activation=act, kernel_initializer="he_normal", **_random())(x)


def _random() -> dict[str, Any]:
    from keras import initializers

    return {"bias_initializer": initializers.RandomNormal(stddev=0.1)}


def _inverted(x: Any, channels: int, expansion: int, kernel: int = 3, stride: int = 1) -> Any:
    """The block of MobileNet V2: expand, depthwise, project, and add where the shapes agree."""
    from keras import layers

    y = x if expansion == 1 else _conv(x, expansion * x.shape[-1], 1)
    y = _depthwise(y, kernel, stride)
    y = _conv(y, channels, 1, act=None)
    return layers.Add()([x, y]) if stride == 1 and x.shape[-1] == channels else y


def _classifier(x: Any, classes: int) -> Any:
    from keras import layers

    x = x if len(x.shape) == 2 else layers.GlobalAveragePooling2D()(x)
    return layers.Softmax()(_dense(x, classes, None))


def mobilenet_v2() -> Any:
    """Width 0.35, 48x48 in colour."""
    import keras

    start = keras.Input((48, 48, 3))
    x = _conv(start, 16, 3, 2)
    x = _inverted(x, 8, 1)
    for channels, count, stride in ((8, 2, 2), (16, 2, 2), (24, 2, 2), (32, 2, 1), (56, 2, 2), (112, 1, 1)):
        for index in range(count):
            x = _inverted(x, channels, 6, stride=stride if index == 0 else 1)
    return keras.Model(start, _classifier(_conv(x, 256, 1), 10))


def mnasnet() -> Any:
    """5x5 depthwise convolutions at both strides, as in MNASNet and EfficientNet-lite; 64x64 grey."""
    import keras

    start = keras.Input((64, 64, 1))
    x = _inverted(_conv(start, 8, 3, 2), 8, 1)
    blocks = ((12, 3, 5, 2, 2), (20, 6, 5, 2, 2), (28, 6, 3, 1, 1), (28, 3, 5, 1, 1), (44, 6, 5, 2, 2))
    for channels, expansion, kernel, stride, count in blocks:
        for index in range(count):
            x = _inverted(x, channels, expansion, kernel, stride if index == 0 else 1)
    return keras.Model(start, _classifier(_conv(x, 96, 1), 6))


def mobilenet_v3() -> Any:
    """Squeeze and excite, hard swish; 32x32 grey."""
    import keras
    from keras import layers

    start = keras.Input((32, 32, 1))
    x = _conv(start, 16, 3, 2, "hard_swish")
    for channels, wide, kernel, stride in ((16, 40, 3, 2), (24, 72, 5, 1), (24, 72, 5, 1)):
        y = _depthwise(_conv(x, wide, 1, act="hard_swish"), kernel, stride, "hard_swish")
        gate = _conv(layers.GlobalAveragePooling2D(keepdims=True)(y), wide // 4, 1, act="relu")
        y = layers.Multiply()([y, _conv(gate, wide, 1, act="sigmoid")])
        y = _conv(y, channels, 1, act=None)
        x = layers.Add()([x, y]) if y.shape == x.shape else y
    return keras.Model(start, _classifier(x, 4))


def tcn() -> Any:
    """Residual blocks of causal dilated 1-D convolutions over 64 steps of 20 features."""
    import keras
    from keras import layers

    start = keras.Input((64, 20))
    x = _conv(start, 24, 3, padding="causal")
    for dilation in (1, 2, 4):
        y = _conv(x, 24, 3, padding="causal", dilation_rate=dilation, act="relu")
        y = _conv(y, 24, 3, padding="causal", dilation_rate=dilation, act=None)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = _conv(x, 40, 5, 2, act="relu")
    x = layers.MaxPooling1D(2)(x)
    return keras.Model(start, _classifier(layers.GlobalAveragePooling1D()(x), 8))


def separable_1d() -> Any:
    """Depthwise k x 1 and pointwise convolutions over 98 frames of 40 features, some dilated."""
    import keras

    start = keras.Input((98, 1, 40))
    x = _conv(start, 48, (3, 1), 2, act="relu")
    for channels, length, dilation in ((48, 9, 1), (64, 11, 1), (64, 5, 2), (36, 7, 1)):
        x = _depthwise(x, (length, 1), act="relu", dilation_rate=(dilation, 1))
        x = _conv(x, channels, 1, act="relu")
    return keras.Model(start, _classifier(x, 12))


def odd_grey() -> Any:
    """Odd channel counts after a 7x7 first layer with one channel, overlapping max pools."""
    import keras
    from keras import layers

    start = keras.Input((40, 40, 1))
    x = layers.MaxPooling2D(3, 2, padding="same")(_conv(start, 13, 7, 2, "relu"))
    x = _conv(x, 27, 3, act="relu")
    x = layers.MaxPooling2D(2)(_conv(x, 27, 5, act="relu"))
    x = _conv(_depthwise(x, 3), 51, 1)
    x = _conv(_depthwise(x, 3, 2), 7, 1)
    x = _dense(layers.Flatten()(x), 33)
    return keras.Model(start, _classifier(x, 5))


def odd_colour() -> Any:
    """Odd channel counts after a 5x5 first layer with three channels, valid padding, dilation 2."""
    import keras
    from keras import layers

    start = keras.Input((36, 36, 3))
    x = layers.AveragePooling2D(2)(_conv(start, 7, 5, 2, "relu", padding="valid"))
    x = _conv(x, 13, 3, act="relu")
    x = _conv(x, 27, 3, act="relu", dilation_rate=2)
    x = _depthwise(x, 5, act="relu", depth_multiplier=1)
    x = _conv(x, 51, 1, act="relu")
    x = layers.ZeroPadding2D(1)(x)
    x = _conv(x, 13, 3, 2, "relu", padding="valid")
    return keras.Model(start, _classifier(x, 3))


def resnet() -> Any:
    """3x3 convolutions of 24 and 40 channels, 24x24 in colour."""
    import keras
    from keras import layers

    start = keras.Input((24, 24, 3))
    x = _conv(start, 24, 3, act="relu")
    for channels, stride in ((24, 1), (40, 2), (40, 1)):
        y = _conv(_conv(x, channels, 3, stride, "relu"), channels, 3, act=None)
        short = x if stride == 1 else _conv(x, channels, 1, stride, None)
        x = layers.ReLU()(layers.Add()([short, y]))
    return keras.Model(start, _classifier(x, 10))


def grouped() -> Any:
    """Convolutions in 2 and 4 groups, as in ResNeXt and ShuffleNet; a depth multiplier of 2."""
    import keras

    start = keras.Input((20, 20, 4))
    x = _depthwise(start, 3, act="relu", depth_multiplier=2)
    x = _conv(x, 24, 3, act="relu", groups=2)
    x = _conv(x, 32, 3, 2, act="relu", groups=4)
    x = _conv(x, 20, 1, act="relu", groups=4)
    return keras.Model(start, _classifier(x, 4))


def corners() -> Any:
    """What does not fit elsewhere: branches joined, dilated depthwise, strided 1x1, one output channel."""
    import keras
    from keras import layers

    start = keras.Input((17, 15, 5))
    x = _conv(start, 9, (3, 1), act="relu")
    branches = [
        _conv(x, 6, 1, act="relu"),
        _conv(_conv(x, 5, 1, act="relu"), 10, 3, act="relu"),
        layers.MaxPooling2D(3, 1, padding="same")(x),
        layers.AveragePooling2D(3, 1, padding="same")(x),
    ]
    x = layers.Concatenate()(branches)
    x = _depthwise(x, 3, act="relu", dilation_rate=2)
    x = layers.MaxPooling2D(2)(layers.ZeroPadding2D(((1, 0), (0, 1)))(x))
    x = layers.LeakyReLU()(_conv(x, 33, 1, 2, act=None))
    x = layers.Activation("sigmoid")(_conv(x, 33, (1, 5), act=None))
    heat = _conv(x, 1, 3, act=None)
    gated = layers.Multiply()([x, heat])
    x = layers.Subtract()([gated, x])
    x = layers.Flatten()(layers.AveragePooling2D((5, 4))(x))
    return keras.Model(start, layers.Softmax()(_dense(x, 100, None)))


def dense() -> Any:
    """Fully connected layers of odd sizes."""
    import keras

    start = keras.Input((96,))
    x = _dense(_dense(start, 384), 257)
    for units in (33, 40, 128, 7):
        x = _dense(x, units)
    return keras.Model(start, _dense(x, 1, None))


def recurrent() -> Any:
    """The matrices of an SVDF layer over 8 frames of 40 features, then those of an LSTM of 48 units."""
    import keras
    from keras import layers

    start = keras.Input((8, 40))
    x = layers.Reshape((8, 1, 128))(_dense(start, 128, None))
    x = layers.Flatten()(_depthwise(x, (8, 1), act="relu", padding="valid"))
    x = _dense(x, 40)
    state = _dense(x, 48, "tanh")
    wide = _dense(layers.Concatenate()([x, state]), 4 * 48, None)
    parts = [wide[:, start : start + 48] for start in range(0, 4 * 48, 48)]
    for_, in_, out = (layers.Activation("sigmoid")(part) for part in parts[:3])
    new = layers.Multiply()([in_, layers.Activation("tanh")(parts[3])])
    cell = layers.Add()([layers.Multiply()([for_, state]), new])
    return keras.Model(start, _classifier(layers.Multiply()([out, layers.Activation("tanh")(cell)]), 6))


NETWORKS: Mapping[str, Network] = MappingProxyType(
    {
        one.__name__: one
        for one in (
            mobilenet_v2, mnasnet, mobilenet_v3, tcn, separable_1d, odd_grey,
            odd_colour, resnet, grouped, corners, dense, recurrent,
        )
    }
)  # fmt: skip
