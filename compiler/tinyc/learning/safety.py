"""What the learner needs beside the head, and what it says of itself. For learner.py, which has the words."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyc.learning.drift import DriftSettings
from tinyc.learning.guard import Guard
from tinyc.learning.heads.design import HeadDesign
from tinyc.learning.store import Layout, Region

_FLOATS = ("drift_high", "drift_low")


@dataclass(slots=True)
class Stats:
    """`struct learner_stats`: the fields in its order, of 4 bytes each, explained in learner.h."""

    observations: int = 0
    labels: int = 0
    updates: int = 0
    fresh: int = 0
    held_out: int = 0
    attempts: int = 0
    promotions: int = 0
    reverts: int = 0
    resets: int = 0
    not_finite: int = 0
    last_gate: int = 0
    last_result: int = 0
    guard_factory: int = 0
    guard_active: int = 0
    guard_shadow: int = 0
    held_active: int = 0
    held_shadow: int = 0
    only_active: int = 0
    only_good: int = 0
    active_right: int = 0
    active_seen: int = 0
    drift: int = 0
    drift_high: np.float32 = field(default_factory=lambda: np.float32(0))
    drift_low: np.float32 = field(default_factory=lambda: np.float32(0))
    alarms: int = 0
    wants_labels: int = 0
    sequence: int = 0
    good: int = 0
    saves: int = 0
    bad_writes: int = 0
    head_crc: int = 0
    classes: int = 0

    @classmethod
    def from_bytes(cls, data: bytes) -> Stats:
        """What a device sends. Raises ValueError for another length."""
        names = [each.name for each in fields(cls)]
        if len(data) != 4 * len(names):
            raise ValueError(f"statistics have {len(data)} bytes, not {4 * len(names)}")
        values: dict[str, Any] = dict(zip(names, struct.unpack(f"<{len(names)}I", data), strict=True))
        for name in _FLOATS:
            values[name] = np.uint32(values[name]).view(np.float32)
        return cls(**values)

    def to_bytes(self) -> bytes:
        words = [getattr(self, each.name) for each in fields(self)]
        words = [int(word.view(np.uint32)) if isinstance(word, np.float32) else word for word in words]
        return struct.pack(f"<{len(words)}I", *words)


@dataclass(frozen=True, slots=True)
class Safety:
    """What the learner needs beside the head: see learner.h, guard.h, drift.h and learn_store.h.

    `body_hash`: 8 bytes. `region` None: the board's flash cannot be written, the active head is kept in RAM.
    `factory_names`: of the factory's classes, as many as there are or none; at most `name_bytes` of UTF-8
    each. `name_bytes` is a multiple of 4.
    """

    guard: Guard
    drift: DriftSettings
    body_hash: bytes
    region: Region | None = None
    factory_names: tuple[str, ...] = ()
    held_out: int = 8
    held_out_every: int = 5
    held_out_minimum: int = 4
    held_out_gain: int = 2
    min_updates: int = 8
    patience: int = 16
    name_bytes: int = 16

    def __post_init__(self) -> None:
        bounds = {
            "held_out": (self.held_out, 1, 64),
            "held_out_every": (self.held_out_every, 2, 1000),
            "held_out_minimum": (self.held_out_minimum, 1, self.held_out),
            "held_out_gain": (self.held_out_gain, 1, self.held_out),
            "min_updates": (self.min_updates, 1, 1_000_000),
            "patience": (self.patience, 1, 60_000),
            "name_bytes": (self.name_bytes, 4, 64),
        }
        for name, (value, low, high) in bounds.items():
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}, not {low} to {high}")
        if self.name_bytes % 4 or len(self.body_hash) != 8:
            raise ValueError("name_bytes needs a multiple of 4, body_hash 8 bytes")

    def new_classes(self, design: HeadDesign) -> int:
        """Classes there is room for beside the factory's."""
        return 0 if design.is_regression else design.capacity - design.factory_classes

    def names_bytes(self, design: HeadDesign) -> int:
        """Of the names in RAM and in each record; C has no array of 0."""
        return max(1, self.new_classes(design)) * self.name_bytes

    def layout(self, design: HeadDesign) -> Layout | None:
        """How records lie in flash; None without a region. Raises TinycError where there is no room."""
        if self.region is None:
            return None
        return Layout(self.region, design.state_bytes, self.names_bytes(design))

    def macros(self, design: HeadDesign) -> Mapping[str, str]:
        """All `#define`s of learn_config.h that are not the head's, in their order."""
        first, second = (int.from_bytes(self.body_hash[i : i + 4], "little") for i in (0, 4))
        layout = self.layout(design)
        hashes = {"LEARN_BODY_HASH_0": f"0x{first:08x}u", "LEARN_BODY_HASH_1": f"0x{second:08x}u"}
        numbers = {
            "LEARN_HELD_OUT": self.held_out,
            "LEARN_HELD_OUT_EVERY": self.held_out_every,
            "LEARN_HELD_OUT_MINIMUM": self.held_out_minimum,
            "LEARN_HELD_OUT_GAIN": 1 if design.is_regression else self.held_out_gain,
            "LEARN_MIN_UPDATES_PER_SAVE": self.min_updates,
            "LEARN_PATIENCE": self.patience,
            "LEARN_NAME_BYTES": self.name_bytes,
        }
        return {
            **{name: f"{value}u" for name, value in numbers.items()},
            **self.guard.macros(),
            **self.drift.macros(),
            "LEARN_PERSISTS": str(int(layout is not None)),
            **(hashes if layout is None else layout.macros(self.body_hash)),
        }

    def tables(self, design: HeadDesign) -> Mapping[str, npt.NDArray[Any]]:
        """`learn_<name>[]` of learn_tables: the guard's, and factory_names, int8 (classes, name_bytes).

        Raises ValueError for names that do not fit.
        """
        tables = dict(self.guard.tables())
        if not design.is_regression:
            tables["factory_names"] = np.frombuffer(b"".join(self.encoded_names(design)), np.int8).reshape(
                design.factory_classes, self.name_bytes
            )
        return tables

    def encoded_names(self, design: HeadDesign) -> tuple[bytes, ...]:
        """Names of the factory's classes, filled up with zeros."""
        names = [name.encode() for name in self.factory_names] or [b""] * design.factory_classes
        if len(names) != design.factory_classes or max(map(len, names), default=0) > self.name_bytes:
            raise ValueError(f"{design.factory_classes} names of at most {self.name_bytes} bytes are needed")
        return tuple(name.ljust(self.name_bytes, b"\0") for name in names)

    def sources(self) -> tuple[str, ...]:
        """Files under firmware_templates/learning that a firmware with a learner needs, beside the head's.

        They include crc32.h and, with a region, flash.h of firmware_templates/bootloader.
        """
        return ("drift.c", "drift.h", "guard.c", "guard.h", *_LEARNER)

    def ram_bytes(self, design: HeadDesign) -> int:
        """Static RAM of the learner, without the states of heads: what the C's variables take on a
        32-bit core."""
        target = 4 * design.capacity if design.is_regression else 1
        arrays = design.latent * (1 + self.held_out) + target * self.held_out
        outputs = 2 * 4 * design.capacity if design.is_regression else 0
        kept = self.names_bytes(design) if self.region is None else 0
        total = _RAM_FIXED + self.names_bytes(design) + arrays
        return -(-total // 4) * 4 + outputs + kept


_LEARNER = ("learn_store.c", "learn_store.h", "learner.c", "learner.h")
_RAM_FIXED = 163
"""Of learner.c, what does not depend on the head; a test compares."""
