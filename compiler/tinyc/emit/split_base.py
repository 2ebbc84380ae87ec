"""The firmware of an earlier split build, read from its folder."""

from __future__ import annotations

from pathlib import Path

from tinyc.emit.project import firmware_digest, generated_names
from tinyc.emit.split_model import MODEL_FOLDER
from tinyc.errors import TinycError
from tinyc.split import FIRMWARE, Base, read_firmware


def read_base(folder: Path) -> Base:
    """The firmware of a split build's folder. Raises TinycError when it is none, or not as tinyc wrote it."""
    manifest = read_firmware(folder / FIRMWARE)
    own = sorted(name for name in generated_names(folder) if not name.startswith(MODEL_FOLDER))
    try:
        files = {name: (folder / name).read_text(encoding="utf-8") for name in own}
    except (OSError, ValueError) as error:
        raise TinycError(f"cannot read the firmware's files: {error}", where=str(folder)) from error
    if firmware_digest(files) != manifest.digest:
        raise TinycError(
            "the firmware's files are not those that were built",
            where=str(folder),
            hint="build that firmware again",
        )
    return Base(files, manifest)
