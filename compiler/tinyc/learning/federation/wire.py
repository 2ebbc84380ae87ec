"""Samples as the firmware's trainer takes them: words of 4 bytes, little endian."""

from __future__ import annotations

import numpy as np

from tinyc.learning.federation.client import NetworkShape, Samples


def record_bytes(shape: NetworkShape) -> int:
    """Bytes of one sample: the inputs as float32, then the targets as float32 or the label as uint32."""
    return 4 * (shape.inputs + (1 if shape.loss == "softmax" else shape.outputs))


def records(shape: NetworkShape, samples: Samples) -> bytes:
    """All samples, one after the other. A label below 0 becomes one that the device refuses."""
    count = len(samples)
    inputs = np.ascontiguousarray(samples.inputs, "<f4").reshape(count, shape.inputs)
    if shape.loss == "softmax":
        targets = np.asarray(samples.targets, np.int64).astype("<u4").reshape(count, 1)
    else:
        targets = np.ascontiguousarray(samples.targets, "<f4").reshape(count, shape.outputs).view("<u4")
    return np.concatenate([inputs.view("<u4"), targets], axis=1).tobytes()
