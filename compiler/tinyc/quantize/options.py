"""What the user may choose about quantization. A leaf module: its `repr` is part of a cache key."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tinyc.errors import Problem, TinycError

EMBEDDING_BITS = (4, 6, 8)


class Method(Enum):
    """How the range of an activation is derived from its calibration statistics."""

    MIN_MAX = "min-max"
    PERCENTILE = "percentile"
    MSE = "mse"
    ENTROPY = "entropy"


class Criterion(Enum):
    """What decides between the methods, tensor by tensor.

    OUTPUT: the measured error of the network's outputs with everything quantized, the other tensors
    as chosen so far. TENSOR: the error of quantizing and dequantizing the tensor itself, from its
    histogram; faster, and blind to what the network makes of the error.
    """

    OUTPUT = "output"
    TENSOR = "tensor"


class Weights(Enum):
    """The type of the weights of CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED."""

    INT8 = "int8"
    INT4 = "int4"


@dataclass(frozen=True, slots=True)
class QuantizeOptions:
    """Options of post-training quantization.

    `methods` are tried for every activation; `percentiles` are the parts of the values, in percent,
    that the PERCENTILE method keeps. `measure_samples` bounds how many calibration samples (evenly
    spread over the set) are used to measure network errors; ranges come from all samples.
    `global_pools` (means in their place), `equalize` and `correct_bias` are tried, and kept where they
    lower the measured error.
    `int16_gain` adds the gain from 16-bit activations to the bill, layer by layer.
    `max_drop` is how many percent points of top-1 accuracy a transformer may lose on the labelled
    calibration samples before tensors of it get 16 bits; None leaves them all as they are.
    `embedding_bits`: 4, 6 or 8 bits for the token tables of embeddings, below 8 with a scale for each row.
    `weights` is for models that are no transformers.
    Raises TinycError for values outside their limits.
    """

    methods: tuple[Method, ...] = (Method.MIN_MAX, Method.PERCENTILE, Method.MSE, Method.ENTROPY)
    percentiles: tuple[float, ...] = (99.9, 99.99, 99.999)
    criterion: Criterion = Criterion.OUTPUT
    global_pools: bool = True
    equalize: bool = True
    correct_bias: bool = True
    int16_gain: bool = True
    measure_samples: int = 32
    max_drop: float | None = None
    embedding_bits: int = 8
    weights: Weights = Weights.INT8

    def __post_init__(self) -> None:
        problems = []
        if not self.methods:
            names = ", ".join(method.value for method in Method)
            problems.append(Problem("methods", "is empty", f"one or more of {names}"))
        if Method.PERCENTILE in self.methods and not self.percentiles:
            problems.append(Problem("percentiles", "is empty", "one or more percentages"))
        for percentile in self.percentiles:
            if not 50.0 < percentile <= 100.0:
                problems.append(Problem("percentiles", f"has {percentile:g}", "above 50, at most 100"))
        if self.measure_samples < 1:
            problems.append(Problem("measure_samples", f"is {self.measure_samples}", "at least 1"))
        if self.max_drop is not None and not 0.0 <= self.max_drop <= 100.0:
            problems.append(Problem("max_drop", f"is {self.max_drop:g}", "0 to 100 percent points"))
        if self.embedding_bits not in EMBEDDING_BITS:
            allowed = ", ".join(map(str, EMBEDDING_BITS))
            problems.append(Problem("embedding_bits", f"is {self.embedding_bits}", allowed))
        if problems:
            raise TinycError("quantization options are not valid", problems=problems)
