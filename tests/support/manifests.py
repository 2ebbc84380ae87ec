"""A manifest of a small classifier, and for each rule a change that the rule is about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

from tinyc.versioning.model import (
    Abi,
    BaseModel,
    Envelope,
    Input,
    Layer,
    Manifest,
    Metrics,
    Output,
    Part,
    Port,
    Target,
)

Change: TypeAlias = Callable[[Manifest], Manifest]

TARGET = Target(
    core="cortex-m4",
    flash=50_000,
    ram=16_000,
    arena=10_000,
    weights=29_000,
    stack=2_048,
    available_flash=500_000,
    available_ram=262_080,
    toolchain="zig",
    optimize="balanced",
    code="c" * 64,
    kernels=("dense", "softmax"),
)
BASE = Manifest(
    name="words",
    version="1.2.3",
    digest="a" * 64,
    tinyc="0.1.0",
    precision="int8",
    input=Input(
        "audio",
        (Port((1, 49, 10, 1), "int8", 0.5, -3),),
        "f" * 64,
        {"sample_rate": 16_000, "window_function": "hann"},
        "pcm",
        "microphone",
    ),
    output=Output((Port((1, 3), "int8", 1 / 256, -128),), ("silence", "yes", "no"), "SOFTMAX"),
    body=Part("b" * 64, ("conv",)),
    head=Part("d" * 64, ("dense", "softmax")),
    layers=(
        Layer("conv", "CONV_2D", "1" * 64),
        Layer("dense", "FULLY_CONNECTED", "2" * 64),
        Layer("softmax", "SOFTMAX", "3" * 64),
    ),
    golden="9" * 64,
    embedding="8" * 64,
    abi=Abi(2, 1),
    targets={"nrf52840": TARGET},
    state=None,
    envelope={"nrf52840": Envelope(flash=60_000, ram=20_000)},
    metrics=Metrics(0.9, 300, {"silence": 0.99, "yes": 0.9, "no": 0.8}),
)
STATEFUL = replace(BASE, state="slda:1")


def _port(port: Port, **changes: Any) -> tuple[Port, ...]:
    return (replace(port, **changes),)


def _input(**changes: Any) -> Change:
    return lambda old: replace(old, input=replace(old.input, **changes))


def _output(**changes: Any) -> Change:
    return lambda old: replace(old, output=replace(old.output, **changes))


def _target(**changes: Any) -> Change:
    return lambda old: replace(
        old, targets={**old.targets, "nrf52840": replace(old.targets["nrf52840"], **changes)}
    )


def _metrics(**changes: Any) -> Change:
    def change(old: Manifest) -> Manifest:
        assert old.metrics is not None
        return replace(old, metrics=replace(old.metrics, **changes))

    return change


def _body(old: Manifest) -> Manifest:
    layers = (replace(old.layers[0], digest="7" * 64), *old.layers[1:])
    return replace(old, body=Part("7" * 64, old.body.layers), layers=layers, golden="6" * 64)


def _head(old: Manifest) -> Manifest:
    return replace(old, head=Part("5" * 64, old.head.layers), golden="4" * 64)


def _appended(old: Manifest) -> Manifest:
    grown = _output(labels=("silence", "yes", "no", "stop"), tensors=_port(_OUT, shape=(1, 4)))
    return _head(grown(old))


_IN, _OUT = BASE.input.tensors[0], BASE.output.tensors[0]

# Rule → (a change that it is about, what of its text has to be there). The old model is BASE, or STATEFUL.
CHANGES: dict[str, tuple[Change, str]] = {
    "input-type": (_input(type="raw"), "the input is raw, was audio"),
    "input-shape": (
        _input(tensors=_port(_IN, shape=(1, 98, 10, 1))),
        "input 0 is int8[1, 98, 10, 1], was int8[1, 49, 10, 1]",
    ),
    "input-scale": (_input(tensors=_port(_IN, scale=0.25)), "has scale 0.25 and zero point -3, was 0.5"),
    "front-end": (
        _input(front_end="e" * 64, settings={"sample_rate": 8_000, "window_function": "hann"}),
        "sample_rate 8000, was 16000",
    ),
    "input-units": (_input(units="dB"), "the units of the input are dB, was pcm"),
    "output-shape": (_output(tensors=_port(_OUT, dtype="int16")), "output 0 is int16[1, 3]"),
    "output-scale": (_output(tensors=_port(_OUT, zero_point=0)), "zero point 0, was 0.00390625 and -128"),
    "output-meaning": (_output(meaning="NONE"), "the output ends in NONE, was SOFTMAX"),
    "label-removed": (_output(labels=("silence", "yes")), "label `no` is gone"),
    "label-renamed": (_output(labels=("silence", "yes", "stop")), "labelled `stop`, was `no`"),
    "label-moved": (_output(labels=("silence", "no", "yes")), "label `yes` is output 2, was 1"),
    "body": (_body, "the body changed (1 of 1 layers, first `conv`)"),
    "state": (lambda old: replace(old, state="slda:2"), "format slda:2, was slda:1"),
    "envelope": (_target(ram=18_000), "RAM takes 20,048 B, 20,000 B is promised"),
    "abi": (lambda old: replace(old, abi=Abi(3, 1)), "the serial protocol is 3, was 2"),
    "other-answers": (
        lambda old: replace(old, embedding="0" * 64, golden="0" * 64),
        "the same body gives the head other values",
    ),
    "class-regressed": (
        _metrics(classes={"silence": 0.99, "yes": 0.87, "no": 0.9}, accuracy=0.91),
        "label `yes`: found 0.8700 of them, was 0.9000",
    ),
    "label-appended": (_appended, "new labels behind the others: `stop`"),
    "head": (_head, "the head was trained anew"),
    "new-board": (
        lambda old: replace(old, targets={**old.targets, "microbit": TARGET}),
        "new boards: microbit",
    ),
    "better": (_metrics(accuracy=0.95), "accuracy rises from 0.9000 to 0.9500"),
    "smaller": (_target(flash=40_000), "flash shrinks from 50,000 B to 40,000 B"),
    "state-gained": (lambda old: replace(old, state="slda:1"), "in format slda:1"),
    "code": (
        _target(code="0" * 64, kernels=("dense__dsp", "softmax")),
        "other code around the same weights, 1 of 2 kernels are others",
    ),
    "sizes": (_target(flash=50_004), "flash 50,004 B, was 50,000 B"),
    "tools": (lambda old: replace(old, tinyc="0.2.0"), "made by tinyc 0.2.0, was 0.1.0"),
    "metadata": (
        lambda old: replace(old, base=BaseModel("other", "1.0.0", "0" * 64), relation="fine-tuned"),
        "it is said to come from another model",
    ),
    "names": (lambda old: replace(old, digest="0" * 64), "layers or tensors have other names"),
}
