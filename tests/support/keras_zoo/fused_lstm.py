"""An LSTM layer that TensorFlow's converter makes one operator of, quantized to int8.

It looks for a function with a note that this is an LSTM, as layers of Keras 2 (`tf_keras`) are; Keras 3
writes plain loops. With int16 activations the converter refuses the operator.
"""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np

NAME = "lstm-fused"
STEPS, INPUTS, UNITS = 5, 6, 8
_SAMPLES = 8


def converted(tf: Any) -> bytes:
    """A .tflite with int8 input [1, STEPS, INPUTS] and output [1, STEPS, UNITS]."""
    rng = np.random.default_rng(7)
    shapes = ((INPUTS, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,))
    weights = [tf.constant(rng.normal(0, 0.3, shape), tf.float32) for shape in shapes]
    module = tf.Module()
    module.run = tf.function(
        lambda x: _layer(tf)(x, tf.zeros((1, UNITS)), tf.zeros((1, UNITS)), *weights)[1],
        input_signature=[tf.TensorSpec((1, STEPS, INPUTS), tf.float32)],
    )
    samples = [rng.normal(0, 1, (1, STEPS, INPUTS)).astype(np.float32) for _ in range(_SAMPLES)]
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=module.run.get_concrete_function())
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample] for sample in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        return bytes(converter.convert())


def _layer(tf: Any) -> Any:
    """The function; its second result is the sequence."""

    def steps(x: Any, hidden: Any, cell: Any, weights: Any, recurrent: Any, bias: Any) -> Any:
        outputs = []
        for step in range(STEPS):
            gates = tf.matmul(x[:, step], weights) + tf.matmul(hidden, recurrent) + bias
            update, forget, candidate, opened = tf.split(gates, 4, axis=1)
            cell = tf.sigmoid(forget) * cell + tf.sigmoid(update) * tf.tanh(candidate)
            hidden = tf.sigmoid(opened) * tf.tanh(cell)
            outputs.append(hidden)
        return hidden, tf.stack(outputs, 1), hidden, cell, tf.constant(1.0)

    note = {"api_implements": "lstm_layer", "time_major": False}
    return tf.function(steps, autograph=False, experimental_attributes=note)
