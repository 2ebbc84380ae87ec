"""SNIPS and HWU64: sentences, their labels, and sentences made of them by swapping names and words."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

# Slots whose values are names of any kind: they stand for one another, the words around them tell the intent.
NAMES = {
    "album",
    "artist",
    "entity_name",
    "geographic_poi",
    "movie_name",
    "object_name",
    "playlist",
    "poi",
    "restaurant_name",
    "track",
}
NO_SLOT = "O"


@dataclass(frozen=True, slots=True)
class Row:
    """A sentence: its words, the slot of each word (`O` for none), the label and a finer label."""

    words: tuple[str, ...]
    slots: tuple[str, ...]
    label: str
    intent: str


def read(folder: Path, name: str, split: str) -> list[Row]:
    """Rows of `snips` or `hwu64`.

    The label of HWU64 is the scenario, the part of the intent before the first `_`; that of SNIPS the intent.
    """
    place = folder / name / split
    if not place.is_dir():
        raise SystemExit(f"{place} is not there: see README.md for the data")
    sentences = [line.split() for line in (place / "seq.in").read_text(encoding="utf-8").splitlines()]
    intents = (place / "label").read_text(encoding="utf-8").split()
    tags = place / "seq.out"
    if tags.exists():
        slots = [line.split() for line in tags.read_text(encoding="utf-8").splitlines()]
    else:
        slots = [[NO_SLOT] * len(words) for words in sentences]
    coarse = name == "hwu64"
    return [
        Row(
            tuple(words),
            tuple(slot.split("-")[-1] for slot in row),
            intent.split("_")[0] if coarse else intent,
            intent,
        )
        for words, row, intent in zip(sentences, slots, intents, strict=True)
    ]


@dataclass(slots=True)
class Mixer:
    """Makes new sentences of training rows: slot values trade places.

    `swap` is the chance of a slot to get another value of its kind, `mix` that of a name to get any name.
    """

    rows: list[Row]
    swap: float = 0.5
    mix: float = 0.1
    values: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    names: list[tuple[str, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for row in self.rows:
            for start, end, slot in spans(row.slots):
                if slot != NO_SLOT:
                    self.values.setdefault(slot, []).append(row.words[start:end])
        # Each value once: rare names are as likely as common ones.
        self.values = {slot: sorted(set(values)) for slot, values in self.values.items()}
        self.names = sorted({value for slot in NAMES & self.values.keys() for value in self.values[slot]})

    def mixed(self, row: Row, rng: np.random.Generator) -> Row:
        """The row with some of its slot values exchanged."""
        words: list[str] = []
        slots: list[str] = []
        for start, end, slot in spans(row.slots):
            value = row.words[start:end]
            if slot != NO_SLOT:
                draw = rng.random()
                if slot in NAMES and draw < self.mix:
                    value = self.names[rng.integers(len(self.names))]
                elif draw < self.swap:
                    value = self.values[slot][rng.integers(len(self.values[slot]))]
            words += value
            slots += [slot] * len(value)
        return Row(tuple(words), tuple(slots), row.label, row.intent)


def spans(slots: tuple[str, ...]) -> list[tuple[int, int, str]]:
    """Runs of the same slot: (start, end, slot)."""
    found = []
    start = 0
    for end in range(1, len(slots) + 1):
        if end == len(slots) or slots[end] != slots[start]:
            found.append((start, end, slots[start]))
            start = end
    return found
