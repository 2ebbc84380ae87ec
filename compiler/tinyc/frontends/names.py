"""Readable, unique layer and tensor names from the long ones that converters leave."""

from __future__ import annotations

import re
from collections.abc import Sequence

_LIMIT = 64
# Names of TensorFlow operations at the end of a path; the layer is what stands before them.
_OPERATIONS = re.compile(
    r"(Conv2D|depthwise|DepthwiseConv2d\w*|separable_conv2d|MatMul|BiasAdd\w*|Bias|Add(V2)?|add|mul(_\d+)?|Mul|Sub|"
    r"sub|Relu6?|LeakyRelu|Softmax|Sigmoid|Tanh|FusedBatchNormV\d|batchnorm|AvgPool|MaxPool|Mean|Pad|"
    r"Reshape|Flatten|Transpose|transpose|concat|Squeeze|strided_slice|split|Shape|Pack|convolution|"
    r"ReadVariableOp|BiasAdd_\w+|Const|Identity)[\d_]*"
)
# What tells the layer apart when a name lists everything that was fused into it, best first. The
# operation itself comes late: converters merge equal ones, and the name may be another layer's.
_MAIN = {
    "CONV_2D": ("BiasAdd", "Conv2D", "convolution"),
    "DEPTHWISE_CONV_2D": ("BiasAdd", "depthwise", "DepthwiseConv2dNative", "separable_conv2d"),
    "FULLY_CONNECTED": ("BiasAdd", "MatMul"),
}
_SCOPES = re.compile(
    r"(StatefulPartitionedCall|functional(_\d+)?|model(_\d+)?|sequential(_\d+)?|PartitionedCall)"
)

_ANONYMOUS = re.compile(r"Identity(_int8)?[\d_]*")


def printable(text: str) -> str:
    """`text` with only the letters that names of layers and tensors have; may be empty."""
    return re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9_./-]", "_", text)).strip("_/.-")[:_LIMIT]


def _segment(name: str, kind: str) -> str:
    """The part of a fused name that names the layer itself."""
    segments = [part for part in name.split(";") if part]
    for marker in _MAIN.get(kind, ()):
        for part in segments:
            pieces = part.split("/")
            # From the right: a layer may be called like its operation, `depthwise_1/depthwise`.
            for position in range(len(pieces) - 1, 0, -1):
                if re.fullmatch(rf"{marker}[\d_]*", pieces[position]):
                    return "/".join(pieces[:position])
    return segments[0] if segments else ""


def common_scope(tensors: Sequence[str]) -> str:
    """The scope that every name of several layers starts with, such as the model's own name.

    Names without any scope (`Identity`, `PartitionedCall:0`) say nothing and are passed over.
    """
    heads = {name.split("/")[0] for name in tensors if "/" in name}
    scoped = sum("/" in name for name in tensors)
    return heads.pop() if len(heads) == 1 and scoped > 1 else ""


def layer_name(tensor: str, kind: str, scope: str = "") -> str:
    """A short layer name from the name of its output tensor and the op kind; not yet unique.

    `functional_1/activation/Relu;functional_1/conv2d/Conv2D;...` of a CONV_2D gives `conv2d`.
    `scope` is left out at the front.
    """
    text = re.sub(r":\d+$", "", _segment(tensor, kind))
    parts = [part for part in text.split("/") if part]
    while parts and (_SCOPES.fullmatch(parts[0]) or (len(parts) > 1 and parts[0] == scope)):
        parts.pop(0)
    while len(parts) > 1 and _OPERATIONS.fullmatch(parts[-1]):
        parts.pop()
    # Keras repeats a layer's name as scope.
    kept = [part for i, part in enumerate(parts) if i == 0 or part != parts[i - 1]]
    name = printable("/".join(kept))
    if _ANONYMOUS.fullmatch(name):
        name = ""
    return name if re.search(r"[A-Za-z0-9]", name) else printable(kind.lower())


def input_name(tensor: str) -> str:
    """`serving_default_input_1:0` gives `input_1`."""
    return printable(re.sub(r"^serving_default_|:\d+$", "", tensor)) or "input"


class Names:
    """Hands out unique names: the second `conv2d` becomes `conv2d_2`."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def unique(self, name: str) -> str:
        candidate = name
        number = self._next.get(name, 2)
        while candidate in self._taken:
            candidate = f"{name}_{number}"
            number += 1
        self._next[name] = number
        self._taken.add(candidate)
        return candidate
