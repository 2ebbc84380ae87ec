"""A commented `tinyc.toml` to start from."""

from __future__ import annotations

import os
from pathlib import Path

from tinyc.audio.settings import AudioSettings
from tinyc.config import CONFIG_NAME
from tinyc.emit.environment import render
from tinyc.errors import TinycError


def scaffold(
    folder: Path,
    model: Path,
    *,
    board: str = "nrf52840",
    audio: bool = False,
    calibration: Path | None = None,
) -> Path:
    """Write `tinyc.toml` for `model` into `folder`, and return its path.

    The paths of the model and of its calibration data are written relative to the folder when they lie
    below it or beside it.
    Raises TinycError when the file exists already, when the model or its data are not there, and when
    the folder cannot be written.
    """
    path = folder / CONFIG_NAME
    if not model.exists():
        raise TinycError("no such model", where=str(model))
    if calibration is not None and not calibration.is_file():
        raise TinycError("no such calibration data", where=str(calibration))
    if folder.exists() and not folder.is_dir():
        raise TinycError("is no folder", where=str(folder))
    text = render(
        "project/tinyc.toml.j2",
        model=_quoted(_relative(model, folder)),
        name=_quoted(model.stem),
        board=_quoted(board),
        quantized=model.suffix == ".tflite",
        audio=AudioSettings() if audio else None,
        calibration=None if calibration is None else _quoted(_relative(calibration, folder)),
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # "x": a file that is there already is never overwritten, not even by a race.
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError as error:
        raise TinycError("exists already", where=str(path), hint="edit it, or remove it first") from error
    except OSError as error:
        raise TinycError(f"cannot be written: {error.strerror}", where=str(path)) from error
    return path


def _relative(path: Path, folder: Path) -> str:
    relative = Path(os.path.relpath(path.resolve(), folder.resolve()))
    far = len(relative.parts) > 2 and relative.parts[:2] == ("..", "..")
    return (path.resolve() if far else relative).as_posix()


def _quoted(text: str) -> str:
    """A TOML basic string."""
    escaped = "".join(
        f"\\u{ord(character):04x}" if character < " " or character in '"\\\x7f' else character
        for character in text
    )
    return f'"{escaped}"'
