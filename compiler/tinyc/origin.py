"""Which files a build was made from, kept beside it: their names and digests."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tinyc.files import STATE_FOLDER, write_if_changed
from tinyc.source import Source

FILE = "origin.json"
_FORMAT = 1
_CHUNK = 1 << 20


def write_origin(folder: Path, source: Source) -> None:
    """Note the model's file and the calibration data of a build. Raises OSError."""
    told = {
        "format": _FORMAT,
        "source": _entry(source.path),
        "calibration": _entry(source.calibration) if source.calibration else None,
    }
    write_if_changed(folder / STATE_FOLDER / FILE, (json.dumps(told, indent=2) + "\n").encode())


def read_origin(folder: Path) -> dict[str, Any]:
    """What `write_origin` noted, nothing for a build without it."""
    try:
        told = json.loads((folder / STATE_FOLDER / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) and told.get("format") == _FORMAT else {}


def digest_of(path: Path) -> str:
    """SHA-256 of a file; of a folder that of the names and digests of its files. Raises OSError."""
    if path.is_dir():
        files = sorted(item for item in path.rglob("*") if item.is_file())
        lines = [f"{item.relative_to(path).as_posix()}\0{digest_of(item)}\n" for item in files]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    state = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()


def _entry(path: Path) -> dict[str, str]:
    return {"title": path.name, "digest": digest_of(path)}
