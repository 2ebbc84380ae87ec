"""Where the data files of the package live: templates, boards and the ontology.

A checkout's own folders win over the copies inside an installed wheel, so that editing a
template needs no reinstall.
"""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_folder(name: str) -> Path:
    """Folder of data files called `name` ("firmware_templates", "boards", ...).

    Raises FileNotFoundError when the installation is incomplete.
    """
    checkout = _PACKAGE.parent.parent
    if _PACKAGE.parent.name == "compiler" and (checkout / "pyproject.toml").is_file():
        candidate = checkout / name
        if candidate.is_dir():
            return candidate
    candidate = _PACKAGE / "_data" / name
    if candidate.is_dir():
        return candidate
    raise FileNotFoundError(f"the installation of tinyc lacks its data folder {name!r}")


def cache_folder() -> Path:
    """The user's cache folder for tinyc; `TINYC_CACHE_DIR` overrides, XDG is respected."""
    override = os.environ.get("TINYC_CACHE_DIR")
    if override:
        return Path(override)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tinyc"
