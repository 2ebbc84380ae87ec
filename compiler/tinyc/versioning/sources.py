"""Where a manifest comes from: a build folder, a JSON file, or the registry."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from tinyc.errors import TinycError
from tinyc.versioning.building import MANIFEST, manifest_of
from tinyc.versioning.model import Manifest

Registered: TypeAlias = Callable[[str], Manifest]
"""Gives the manifest of NAME@VERSION, NAME or an IRI, or raises TinycError."""

_SOURCES = "a build folder, a manifest.json, or NAME@VERSION of the registry"


def load_manifest(reference: str, here: Path = Path(), registered: Registered | None = None) -> Manifest:
    """The manifest that `reference` means; paths are relative to `here`.

    What is there as a file is not looked up in the registry. Raises TinycError when there is nothing.
    """
    path = here / reference
    if path.is_dir():
        return read_folder(path)
    if path.is_file():
        return read_file(path)
    # What looks like a path is none of the registry's names.
    if "@" in reference or not ("/" in reference or reference.endswith(".json")):
        if registered is None:
            raise TinycError(
                f"no registry is known to look up {reference!r}",
                allowed=_SOURCES,
            )
        return registered(reference)
    raise TinycError("is neither a file nor a folder", where=reference, allowed=_SOURCES)


def read_folder(folder: Path) -> Manifest:
    """The manifest of a build folder: the one that its build wrote, else made now.

    A manifest alone is enough: the rest of the build may be gone.
    """
    from tinyc import artifact

    stored = folder / MANIFEST
    if not artifact.is_artifact(folder):
        if stored.is_file():
            return read_file(stored)
        raise TinycError("is not a build folder", where=str(folder), allowed=_SOURCES)
    found = artifact.open_artifact(folder)
    if stored.is_file():
        kept = read_file(stored)
        target = kept.targets.get(found.program.board.name)
        if (
            kept.digest == found.program.digest
            and kept.version == found.program.version
            and target is not None
            and target.flash == found.firmware.sizes.flash + found.firmware.sizes.image
            and target.ram == found.firmware.sizes.ram
        ):
            return kept
    return manifest_of(found)


def read_file(path: Path) -> Manifest:
    """A manifest in a JSON file. Raises TinycError."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise TinycError(f"is not the manifest of a model: {error}", where=str(path)) from error
    return Manifest.from_json(values, str(path))
