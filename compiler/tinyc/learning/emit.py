"""Renders what learns: the headers and tables of a head, and the plain C around them.

`head_texts` serves a head alone, `render_learning` a program with one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyc.emit.arrays import c_type, initializer, literal
from tinyc.emit.environment import render
from tinyc.learning.heads.design import C_TYPES, HeadDesign
from tinyc.program import Program
from tinyc.resources import data_folder

FOLDER = "learning"
# C has no arrays without elements.
_NOTHING = np.zeros(1, np.uint8)
# What every head includes beside the headers that are rendered.
HEAD_HEADERS = (
    *("learn_head.h", "learn_latent.h", "learn_math.h"),
    *("kernels/include/tinyc_float_math.h", "kernels/include/tinyc_float_rounding.h"),
)

# Records in flash and imports end in one.
CHECKSUM = ("bootloader/crc32.c", "bootloader/crc32.h")
# What serves the learner over the serial port.
GROUP = ("learn_group.c", "learn_group.h")


@dataclass(frozen=True, slots=True)
class MacroView:
    """`#define LEARN_<name> <value>`."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class TargetView:
    """Where the target of an autoencoder lies in the arena, and what its int8 values mean."""

    offset: int
    scale: str
    zero_point: int


@dataclass(frozen=True, slots=True)
class ConfigView:
    title: str
    kind: str
    layer: str
    latent: int
    capacity: int
    factory_classes: int
    regression: int
    target: TargetView | None
    options: tuple[MacroView, ...]
    safety: tuple[MacroView, ...]


@dataclass(frozen=True, slots=True)
class ArrayView:
    """A constant array or a field of the state, with its values as C text."""

    name: str
    c_type: str
    count: int
    shape: str
    values: str


@dataclass(frozen=True, slots=True)
class StateView:
    state_bytes: int
    table_bytes: int
    fields: tuple[ArrayView, ...]
    tables: tuple[ArrayView, ...]


def head_texts(
    head: HeadDesign,
    *,
    title: str = "a head",
    layer: str = "",
    macros: Mapping[str, str] | None = None,
    tables: Mapping[str, npt.NDArray[Any]] | None = None,
    target: TargetView | None = None,
) -> dict[str, str]:
    """`learn_config.h`, `learn_state.h`, `learn_tables.h` and `.c` of a head, by name.

    `macros` and `tables` are those of the learner around it, names with or without the prefix `LEARN_` and
    `learn_`.
    """
    config = ConfigView(
        title=title,
        kind=head.kind,
        layer=layer or "(none)",
        latent=head.latent,
        capacity=head.capacity,
        factory_classes=head.factory_classes,
        regression=int(head.is_regression),
        target=target,
        options=tuple(
            MacroView(name.upper(), _value(value)) for name, value in {"normalise": 0, **head.options}.items()
        ),
        safety=tuple(MacroView(name.removeprefix("LEARN_"), value) for name, value in (macros or {}).items()),
    )
    every = {**head.tables, **(tables or {})}
    state = StateView(
        state_bytes=head.state_bytes,
        table_bytes=sum(values.nbytes for values in every.values()),
        fields=tuple(_field(head, index) for index in range(len(head.fields))),
        tables=tuple(_table(name, values) for name, values in every.items()),
    )
    return {
        "learn_config.h": render(f"{FOLDER}/learn_config.h.j2", view=config),
        "learn_state.h": render(f"{FOLDER}/learn_state.h.j2", view=state),
        "learn_tables.h": render(f"{FOLDER}/learn_tables.h.j2", view=state),
        "learn_tables.c": render(f"{FOLDER}/learn_tables.c.j2", view=state),
    }


def plain_texts(names: Sequence[str]) -> dict[str, str]:
    """Files of firmware_templates as they are, by name; those of its folder `learning` come without it."""
    folder = data_folder("firmware_templates")
    paths = [folder / name if "/" in name else folder / FOLDER / name for name in names]
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def head_sources(head: HeadDesign) -> dict[str, str]:
    """The C of a head and the headers it includes, beside those of `head_texts`."""
    return plain_texts(sorted({*HEAD_HEADERS, *head.sources}))


def render_learning(program: Program) -> dict[str, str]:
    """All that a program with a head needs beside `model.c`, by name; the same program gives the same bytes.

    Raises ValueError for a program that does not learn.
    """
    learning = program.learning
    if learning is None:
        raise ValueError(f"program {program.name!r} does not learn")
    head, safety = learning.head, learning.safety
    target = None
    if learning.target is not None:
        tensor = program.graph[learning.target]
        offset = program.plan.offset(learning.target)
        target = TargetView(offset, literal(float(np.float32(tensor.scale))), tensor.zero_point)
    texts = head_texts(
        head,
        title=program.name,
        layer=learning.tap.layer,
        macros=safety.macros(head),
        tables=safety.tables(head),
        target=target,
    )
    return texts | head_sources(head) | plain_texts(sorted({*safety.sources(), *GROUP, *CHECKSUM}))


def _value(value: float) -> str:
    """A whole number is unsigned unless it is negative."""
    if isinstance(value, (float, np.floating)):
        return f"({literal(value)})" if value < 0 else literal(value)
    return f"({int(value)})" if value < 0 else f"{int(value)}u"


def _field(head: HeadDesign, index: int) -> ArrayView:
    entry = head.fields[index]
    values = head.factory[entry.name]
    return ArrayView(
        entry.name, C_TYPES[entry.dtype], entry.size, _shape(entry.shape), initializer(values, " " * 8)
    )


def _table(name: str, values: npt.NDArray[Any]) -> ArrayView:
    held = values if values.size else _NOTHING.astype(values.dtype)
    symbol = f"learn_{name.removeprefix('learn_')}"
    return ArrayView(symbol, c_type(held), held.size, _shape(values.shape), initializer(held))


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
