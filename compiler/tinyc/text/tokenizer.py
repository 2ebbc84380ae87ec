"""The tokenizer of a project: from the library's file to what the other modules of the package use."""

from __future__ import annotations

from pathlib import Path

from tinyc.text.description import Tokenizer
from tinyc.text.reader import read

__all__ = ["Tokenizer", "load"]


def load(path: str | Path) -> Tokenizer:
    """The tokenizer in a `tokenizer.json` of the library `tokenizers`.

    Raises TinycError that names the file, the component and what would be accepted.
    """
    return read(Path(path))
