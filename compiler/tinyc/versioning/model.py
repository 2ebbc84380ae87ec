"""The manifest of a built model: everything about it that decides which version it is."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tinyc.errors import TinycError

FORMAT = 1
RELATIONS = ("quantized", "fine-tuned", "pruned", "revised")
"""What a model may be to the one that it was derived from."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output tensor. Plain integers and floats have no `scale` and `zero_point`."""

    shape: tuple[int, ...]
    dtype: str
    scale: float | None
    zero_point: int | None


@dataclass(frozen=True, slots=True)
class Input:
    """What a caller gives. `type` is raw, audio or text; `front_end` the digest of what turns sound or
    text into the tensors, `settings` what is known of it; `units` and `sensor` are what the user says."""

    type: str
    tensors: tuple[Port, ...]
    front_end: str | None = None
    settings: dict[str, int | str] = field(default_factory=dict)
    units: str | None = None
    sensor: str | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """What a caller gets. `meaning` is the function that ends the model: SOFTMAX, LOGISTIC or NONE."""

    tensors: tuple[Port, ...]
    labels: tuple[str, ...]
    meaning: str


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: its name, kind, and a digest of its parameters and weights."""

    name: str
    kind: str
    digest: str


@dataclass(frozen=True, slots=True)
class Part:
    """The body or the head: a digest over its layers. `layers` are their names."""

    digest: str
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Abi:
    """Numbers of the formats that a model needs around it."""

    protocol: int
    image: int


@dataclass(frozen=True, slots=True)
class Target:
    """One build: sizes in bytes as the linker laid them out, and the digest of the code around the weights.

    `available_flash` and `available_ram` are what the board has for it, `kernels` those of the layers in
    order, none where they are not known.
    """

    core: str
    flash: int
    ram: int
    arena: int
    weights: int
    stack: int
    available_flash: int
    available_ram: int
    toolchain: str
    optimize: str
    code: str | None
    kernels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Envelope:
    """Bytes of a board that the user promises never to exceed within a major version."""

    flash: int | None = None
    ram: int | None = None


@dataclass(frozen=True, slots=True)
class Metrics:
    """Top-1 accuracy on labelled samples, 0 to 1; `classes` holds the share of each label that was found."""

    accuracy: float
    samples: int
    classes: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BaseModel:
    """The model that one was derived from."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`digest` is that of the graph, `golden` that of the outputs for fixed pseudo-random inputs, `embedding`
    that of what the head reads for them.

    `targets` and `envelope` are by board. `state` is the format of what a device learns and keeps: none yet.
    `base` and `relation` say what the model was derived from, and how.
    """

    name: str
    version: str
    digest: str
    tinyc: str
    precision: str
    input: Input
    output: Output
    body: Part
    head: Part
    layers: tuple[Layer, ...]
    golden: str
    embedding: str
    abi: Abi
    targets: dict[str, Target]
    state: str | None = None
    envelope: dict[str, Envelope] = field(default_factory=dict)
    metrics: Metrics | None = None
    base: BaseModel | None = None
    relation: str | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON values, `format` first."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, values: object, where: str = "") -> Manifest:
        """The inverse of `to_json`. Raises TinycError for anything else, and for another format."""
        if not isinstance(values, dict) or not isinstance(values.get("format"), int):
            raise TinycError("is not the manifest of a model", where=where)
        if values["format"] != FORMAT:
            raise TinycError(
                f"is a manifest of format {values['format']}", where=where, allowed=f"format {FORMAT}"
            )
        entries = {key: value for key, value in values.items() if key != "format"}
        try:
            found: Manifest = _read(cls, entries, "manifest")
        except (ValueError, TypeError) as error:
            raise TinycError(f"is not the manifest of a model: {error}", where=where) from error
        if found.relation is not None and found.relation not in RELATIONS:
            raise TinycError(
                f"has the relation {found.relation!r}", where=where, allowed=", ".join(RELATIONS)
            )
        return found


def _read(hint: Any, value: Any, path: str) -> Any:
    """A JSON value as the type that `hint` says. Raises ValueError that names the place."""
    if isinstance(hint, types.UnionType):
        if value is None:
            return None
        (hint,) = (arm for arm in hint.__args__ if arm is not types.NoneType and _may_be(arm, value))
        return _read(hint, value, path)
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise ValueError(f"{path} is no table")
        hints = typing.get_type_hints(hint)
        unknown = sorted(set(value) - set(hints))
        if unknown:
            raise ValueError(f"{path} has {', '.join(unknown)}")
        return typing.cast(type, hint)(
            **{key: _read(hints[key], each, f"{path}.{key}") for key, each in value.items()}
        )
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_read(arguments[0], each, path) for each in value)
    if origin is dict and isinstance(value, Mapping):
        return {str(key): _read(arguments[1], each, f"{path}.{key}") for key, each in value.items()}
    if hint is float and type(value) is int:
        return float(value)
    if not isinstance(hint, type) or type(value) is not hint:
        raise ValueError(f"{path} is {value!r}")
    return value


def _may_be(hint: Any, value: Any) -> bool:
    """Whether an arm of a union is meant: a plain type by its value, everything else always."""
    plain = (int, str, float)
    return hint not in plain or type(value) is hint or (hint is float and type(value) is int)
