"""Text sets for classifiers, as they lie in a folder of data: see `SETS` for the names and files.

None of the data is part of this project; a set whose files are absent raises `AbsentSetError`.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

Example = tuple[str, int]


class AbsentSetError(Exception):
    """The files of a set are not there; the message names the first one."""


@dataclass(frozen=True, slots=True)
class TextSet:
    """A set of labelled texts; the index of a label is its number in the examples."""

    name: str
    labels: tuple[str, ...]
    train: tuple[Example, ...]
    test: tuple[Example, ...]


def load(name: str, data: Path) -> TextSet:
    """The set `name` of `SETS` from the folder `data`.

    Raises AbsentSetError when a file is missing, KeyError for a name that is not in `SETS`.
    """
    try:
        return SETS[name](data / name)
    except FileNotFoundError as error:
        raise AbsentSetError(f"{name}: {error.filename} is not there") from error


def _lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        for line in file:
            yield line.decode("utf-8").rstrip("\r\n")


def _numbered(name: str, train: list[tuple[str, str]], test: list[tuple[str, str]]) -> TextSet:
    """The set with its labels numbered in alphabetical order."""
    labels = tuple(sorted({label for _, label in train}))
    numbers = {label: number for number, label in enumerate(labels)}

    def examples(rows: list[tuple[str, str]]) -> tuple[Example, ...]:
        return tuple((text, numbers[label]) for text, label in rows)

    return TextSet(name, labels, examples(train), examples(test))


def _folders(folder: Path, *splits: str) -> list[tuple[str, str]]:
    """`seq.in` and `label` of each split."""
    rows: list[tuple[str, str]] = []
    for split in splits:
        texts = [" ".join(line.split()) for line in _lines(folder / split / "seq.in")]
        rows += zip(texts, (line.strip() for line in _lines(folder / split / "label")), strict=True)
    return rows


def _snips(folder: Path) -> TextSet:
    """13,084 sentences to train; valid and test together, 1,400, to test, as EmbBERT is reported on."""
    return _numbered("snips", _folders(folder, "train"), _folders(folder, "valid", "test"))


def _hwu64(folder: Path) -> TextSet:
    """Scenarios, which are the part of an intent's name before the first `_`; valid and test to test."""

    def scenarios(*splits: str) -> list[tuple[str, str]]:
        return [(text, label.split("_")[0]) for text, label in _folders(folder, *splits)]

    return _numbered("hwu64", scenarios("train"), scenarios("valid", "test"))


def _emotion(folder: Path) -> TextSet:
    """Six emotions; the validation split is left unused."""

    def rows(split: str) -> list[tuple[str, str]]:
        lines = list(_lines(folder / f"{split}.txt"))[1:]
        return [(text, label) for text, _, label in (line.rpartition(";") for line in lines)]

    return _numbered("emotion", rows("train"), rows("test"))


def _sst2(folder: Path) -> TextSet:
    """GLUE's train split (67,349 phrases) to train and its dev split (872 sentences) to test."""

    def rows(*names: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for name in names:
            for line in list(_lines(folder / name))[1:]:
                text, _, label = line.rpartition("\t")
                found.append((text.strip(), label.strip()))
        return found

    numbered = _numbered("sst2", rows("alps_train.tsv.gz", "alps_dev.tsv"), rows("alps_test.tsv"))
    return TextSet("sst2", ("negative", "positive"), numbered.train, numbered.test)


def _ag_news(folder: Path) -> TextSet:
    """24,848 of the 120,000 rows to train, the official 7,600 to test."""
    train = []
    for line in _lines(folder / "derived_train_union.tsv.gz"):
        label, _, text = line.split("\t", 2)
        train.append((text, int(label)))
    test = []
    with (folder / "charcnn_test.csv").open(encoding="utf-8", newline="") as file:
        for label, title, text in csv.reader(file):
            test.append((f"{title} {text}".replace("\\", " "), int(label) - 1))
    return TextSet("ag_news", ("world", "sports", "business", "science"), tuple(train), tuple(test))


def _imdb(folder: Path) -> TextSet:
    """25,000 reviews to train, as many to test."""

    def rows(name: str) -> tuple[Example, ...]:
        found = []
        for line in _lines(folder / name):
            label, _, text = line.split("\t", 2)
            found.append((text.replace("<br />", " "), int(label)))
        return tuple(found)

    return TextSet("imdb", ("negative", "positive"), rows("train.tsv.gz"), rows("test.tsv.gz"))


SETS: dict[str, Callable[[Path], TextSet]] = {
    "snips": _snips,
    "hwu64": _hwu64,
    "emotion": _emotion,
    "sst2": _sst2,
    "ag_news": _ag_news,
    "imdb": _imdb,
}
