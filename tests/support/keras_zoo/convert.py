"""The models of the zoo as TensorFlow Lite's converter quantizes them, into one `.npz`.

`python -m support.keras_zoo.convert OUT.npz`. A process of its own: what the converter leaves in float32
depends on the models that it saw before.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from strategies.int4 import weight_names, with_int4_weights
from support.keras_zoo import FAMILIES, Case, Numbers, fused_lstm
from support.tflite_writer import write
from tinyc.frontends import tflite

SAMPLES = 8


def converted(keras: Any, tf: Any, case: Case) -> bytes:
    """The model as a .tflite file, int8 or int16 inside and at its edges."""
    model = case.model(keras)
    rng = np.random.default_rng(3)
    samples = [
        [rng.normal(0, 1, (1, *shape)).astype(np.float32) for shape in case.shapes] for _ in range(SAMPLES)
    ]
    converter = converter_of(model, tf, case)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: iter(samples)
    modes, wide = tf.lite.OpsSet, case.numbers is Numbers.INT16
    mode = (
        modes.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        if wide
        else modes.TFLITE_BUILTINS_INT8
    )
    converter.target_spec.supported_ops = [mode]
    converter.inference_input_type = converter.inference_output_type = tf.int16 if wide else tf.int8
    file = bytes(converter.convert())
    return with_narrow_weights(file) if case.numbers is Numbers.INT4 else file


def converter_of(model: Any, tf: Any, case: Case) -> Any:
    if case.open_batch:
        return tf.lite.TFLiteConverter.from_keras_model(model)
    signature = [tf.TensorSpec((1, *shape), tf.float32) for shape in case.shapes]
    function = tf.function(lambda *x: model(list(x) if len(x) > 1 else x[0]))
    return tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function(*signature)])


def with_narrow_weights(file: bytes) -> bytes:
    """The same layers with weights stored as INT4, which TensorFlow's converter does not write."""
    graph = with_int4_weights(tflite.load_bytes(file, "int8"))
    return write(graph, weight_names(graph))


def main(path: Path) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")
    import keras
    import tensorflow as tf

    # It says something of the way it is called for every model.
    logging.getLogger("absl").setLevel(logging.ERROR)
    cases = [case for family in FAMILIES.values() for case in family]
    files = {case.name: converted(keras, tf, case) for case in cases}
    files[fused_lstm.NAME] = fused_lstm.converted(tf)
    np.savez(path, **{name: np.frombuffer(data, np.uint8) for name, data in files.items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
