"""What the user wants compiled: a model file, or a `tinyc.toml` that says more about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyc.audio.settings import AudioSettings
from tinyc.config import Config, load_config
from tinyc.errors import TinycError
from tinyc.ir.tensor import Array

CONFIG_NAME = "tinyc.toml"


@dataclass(frozen=True, slots=True)
class Source:
    """A model and what is known about its use."""

    path: Path
    name: str
    build_folder: Path
    config: Config | None = None
    calibration: Path | None = None
    evaluation: Path | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        return self.config.labels if self.config else ()

    @property
    def audio(self) -> AudioSettings | None:
        return self.config.audio if self.config else None

    @property
    def default_board(self) -> str | None:
        return self.config.default_board if self.config else None


def resolve(argument: Path | None, *, calibration: Path | None = None) -> Source:
    """The source that a command line argument means.

    Nothing means the `tinyc.toml` here; a folder means the one inside it, or a SavedModel.
    Raises TinycError when there is none.
    """
    path = argument if argument is not None else Path()
    if path.is_dir() and (path / CONFIG_NAME).is_file():
        path = path / CONFIG_NAME
    if path.name == CONFIG_NAME or (path.suffix == ".toml" and path.is_file()):
        config = load_config(path)
        return Source(
            path=config.model,
            name=config.name,
            build_folder=path.parent / "build",
            config=config,
            calibration=calibration or config.calibration,
            evaluation=config.evaluation,
        )
    if argument is None:
        raise TinycError(
            f"there is no {CONFIG_NAME} here",
            hint="name a model file, or run `tinyc init MODEL` to make one",
        )
    name = path.stem or "model"
    return Source(path=path, name=name, build_folder=Path("build") / name, calibration=calibration)


def load_samples(path: Path, key: str = "inputs") -> tuple[Array, Array | None]:
    """(inputs, labels) of a `.npz` or `.npy` file; the first axis counts the samples.

    Raises TinycError for a file that is missing, damaged, empty, not finite or has no such array.
    """
    labels = None
    try:
        if path.suffix == ".npy":
            inputs = np.load(path, allow_pickle=False)
        else:
            with np.load(path, allow_pickle=False) as archive:
                if key not in archive:
                    raise TinycError(
                        f"has no array `{key}`", where=str(path), allowed=f"it holds: {', '.join(archive)}"
                    )
                inputs = archive[key]
                labels = archive.get("labels")
    except FileNotFoundError as error:
        raise TinycError("no such file", where=str(path)) from error
    except (OSError, ValueError, EOFError) as error:
        raise TinycError(f"is not a readable NumPy file: {error}", where=str(path)) from error
    if inputs.ndim == 0 or len(inputs) == 0:
        raise TinycError("holds no samples", where=str(path), allowed="at least one sample on the first axis")
    if inputs.dtype.kind not in "fiu":
        raise TinycError(f"holds {inputs.dtype} values", where=str(path), allowed="numbers")
    if inputs.dtype.kind == "f" and not np.isfinite(inputs).all():
        raise TinycError("holds NaN or infinite values", where=str(path))
    if labels is not None and len(labels) != len(inputs):
        raise TinycError(f"has {len(labels)} labels for {len(inputs)} samples", where=str(path))
    return inputs, labels
