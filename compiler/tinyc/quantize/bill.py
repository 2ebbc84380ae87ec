"""The quantization bill: what int8 costs in accuracy, layer by layer, and what would buy it back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

FORMAT = 1


@dataclass(frozen=True, slots=True)
class LayerBill:
    """One layer. `sqnr_db`: signal to quantization noise of its output, everything before it in int8.

    `int16_gain_db`: how much the network's SQNR rises when only this layer's input and output
    activations are kept in 16 bits, of a transformer only its output (None when not measured). The
    heads of an attention have entries of their own, called LAYER[head N].
    `int8_weights_gain_db`: how much it rises when only this layer's weights have 8 bits instead of 4, before
    biases are corrected (None when they have 8).
    """

    name: str
    kind: str
    output: str
    sqnr_db: float
    int16_gain_db: float | None
    int8_weights_gain_db: float | None = None


@dataclass(frozen=True, slots=True)
class MethodBill:
    """A calibration method that was tried for a tensor.

    `tensor_sqnr_db`: of the tensor quantized by itself; `network_sqnr_db`: of the network with this
    range and everything else as chosen at that point (None when not measured).
    """

    method: str
    tensor_sqnr_db: float
    network_sqnr_db: float | None


@dataclass(frozen=True, slots=True)
class TensorBill:
    """One group of tensors that share a quantization.

    `method` gave the range [low, high]; "fixed" comes from the op. `tried` lists all methods.
    """

    tensors: tuple[str, ...]
    method: str
    low: float
    high: float
    scale: float
    zero_point: int
    tried: tuple[MethodBill, ...]


@dataclass(frozen=True, slots=True)
class OutputBill:
    """One output of the network: SQNR of the int8 graph against the float graph."""

    tensor: str
    sqnr_db: float


@dataclass(frozen=True, slots=True)
class Treatment:
    """A change of the float graph that was tried: network SQNR before and with it; kept or not."""

    name: str
    before_db: float
    after_db: float
    kept: bool


@dataclass(frozen=True, slots=True)
class Promotion:
    """A tensor that got 16 bits instead of 8; `bytes`: by how much it grew.

    `gain_db`: what the network's SQNR rose by, after the promotions before it. Tensors that one layer
    reads together are promoted together and have one gain.
    """

    layer: str
    tensor: str
    gain_db: float
    bytes: int


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Top-1 accuracy on the labelled samples, as fractions of 1; `agreement`: same answer as float."""

    samples: int
    float_top1: float
    int8_top1: float
    agreement: float


@dataclass(frozen=True, slots=True)
class Bill:
    """The whole bill. SQNR values are in dB, between -200 and 200 (no noise at all).

    `criterion` says what decided between the methods: "output" for the network's outputs, "tensor"
    for the tensor itself. `samples` gave the ranges, `measured_samples` the network errors.
    `network_sqnr_db` is measured at the outputs, before a final SOFTMAX: on the simulated network, of
    transformers on the integer one. `enough` says whether it is as good as was asked for, if it was.
    """

    model: str
    criterion: str
    samples: int
    measured_samples: int
    network_sqnr_db: float
    outputs: tuple[OutputBill, ...]
    layers: tuple[LayerBill, ...]
    tensors: tuple[TensorBill, ...]
    treatments: tuple[Treatment, ...]
    accuracy: Accuracy | None = None
    promotions: tuple[Promotion, ...] = ()
    enough: bool | None = None

    def to_json(self) -> str:
        """Canonical JSON text: sorted keys, dB to two decimals; equal bills give equal text."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Bill:
        """The bill that `to_json` wrote. Raises ValueError for anything else."""
        try:
            stored = json.loads(text)
            if stored.pop("format") != FORMAT:
                raise ValueError("another format of the bill")
            accuracy = stored.pop("accuracy")
            promotions = stored.pop("promotions", ())
            return cls(
                outputs=tuple(OutputBill(**entry) for entry in stored.pop("outputs")),
                layers=tuple(LayerBill(**entry) for entry in stored.pop("layers")),
                tensors=tuple(_tensor(entry) for entry in stored.pop("tensors")),
                treatments=tuple(Treatment(**entry) for entry in stored.pop("treatments")),
                promotions=tuple(Promotion(**entry) for entry in promotions),
                accuracy=None if accuracy is None else Accuracy(**accuracy),
                **stored,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a quantization bill: {error}") from error


def _tensor(entry: dict[str, Any]) -> TensorBill:
    tensors = tuple(entry.pop("tensors"))
    tried = tuple(MethodBill(**method) for method in entry.pop("tried"))
    return TensorBill(tensors=tensors, tried=tried, **entry)
