"""Which models of the zoo are quantized with int16 activations and with int4 weights too.

Those that TensorFlow's converter refuses to quantize so are not among them: divisions, comparisons, norms of
layers, HARD_SWISH and some more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from support.keras_zoo.case import Case, Numbers

_CHOSEN: dict[Numbers, dict[str, tuple[str, ...]]] = {
    Numbers.INT16: {
        "weighted": (
            *("conv2d-0", "conv2d-1", "conv2d-3", "conv2d-dilated-0", "conv2d-groups-2", "conv1d-2"),
            *("depthwise-0", "depthwise-3", "separable-0", "conv2d-transpose-0", "conv2d-transpose-1"),
            *("dense-0", "dense-1", "dense-2", "matmul-plain", "matmul-batched", "dot"),
        ),
        "elements": (
            *("relu", "relu6", "leaky_relu", "tanh", "sigmoid", "silu", "softmax", "hard_sigmoid", "abs"),
            *("gelu", "gelu-exact", "exp", "log", "rsqrt", "mish"),
            *("add-0", "subtract-1", "multiply-2", "maximum-1", "minimum-2", "squared-difference"),
            *("add-constant", "scalar-subtract", "multiply-constant", "average"),
        ),
        "together": (
            *("averagepooling2d-0", "maxpooling2d-1", "globalmaxpooling1d", "resize-bilinear"),
            *("mean-2", "mean-12", "sum-1", "sum-12", "max-12", "min-last"),
            *("concatenate-1", "pad-reflect", "take"),
        ),
        "networks": (
            *("residual", "inverted-residual", "squeeze-excite", "densenet", "u-net", "temporal"),
            *("attention", "lstm-unrolled", "gru-unrolled", "two-heads"),
        ),
    },
    Numbers.INT4: {
        "weighted": (
            "conv2d-0",
            "conv2d-1",
            "conv2d-3",
            "conv2d-groups-2",
            "depthwise-3",
            "dense-1",
            "dense-2",
        ),
        "networks": ("residual", "inverted-residual", "auto-encoder", "temporal", "two-heads"),
    },
}


def with_other_numbers(families: Mapping[str, tuple[Case, ...]]) -> dict[str, tuple[Case, ...]]:
    """Families of cases of `families`, named after their numbers: `int16_networks` has `residual-int16`."""
    cases = {case.name: case for family in families.values() for case in family}
    return {
        f"{numbers.value}_{family}": tuple(
            replace(cases[name], name=f"{name}-{numbers.value}", numbers=numbers) for name in names
        )
        for numbers, chosen in _CHOSEN.items()
        for family, names in chosen.items()
    }
