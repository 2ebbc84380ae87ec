"""What the user wants compiled: a model file, or a `tinyc.toml` that says more about it."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyc import frontends
from tinyc.audio.settings import AudioSettings
from tinyc.config import CONFIG_NAME, Config, load_config
from tinyc.errors import TinycError
from tinyc.ir.tensor import Array
from tinyc.objective import Limits, Objective
from tinyc.program import NO_VERSION
from tinyc.quantize.options import Weights
from tinyc.text.tokenizer import Tokenizer

# How an archive begins, and an array.
_MARKS = (b"PK", b"\x93N")
# The array of an .npz that holds the classes of the samples.
LABELS = "labels"


@dataclass(frozen=True, slots=True)
class Source:
    """A model and what is known about its use."""

    path: Path
    name: str
    build_folder: Path
    config: Config | None = None
    calibration: Path | None = None
    evaluation: Path | None = None
    max_drop: float | None = None
    embedding_bits: int = 8
    weights: Weights = Weights.INT8
    streaming: bool = False
    allow_float: bool = False

    @property
    def time_axis(self) -> int | None:
        """The axis of the model's input along which a stream has its frames; None: its layout says."""
        return self.config.streaming.axis if self.config else None

    @property
    def labels(self) -> tuple[str, ...]:
        return self.config.labels if self.config else ()

    @property
    def audio(self) -> AudioSettings | None:
        return self.config.audio if self.config else None

    @property
    def tokenizer(self) -> Tokenizer | None:
        return self.config.tokenizer if self.config else None

    @property
    def optimize(self) -> Objective:
        return self.config.optimize if self.config else Objective.BALANCED

    @property
    def limits(self) -> Limits:
        return self.config.limits if self.config else Limits()

    @property
    def version(self) -> str:
        return self.config.version if self.config else NO_VERSION

    @property
    def signing_key(self) -> Path | None:
        return self.config.signing_key if self.config else None

    @property
    def security_counter(self) -> int:
        return self.config.security_counter if self.config else 0

    @property
    def default_board(self) -> str | None:
        return self.config.default_board if self.config else None


def resolve(
    argument: Path | None,
    *,
    calibration: Path | None = None,
    max_drop: float | None = None,
    embedding_bits: int | None = None,
    weights: Weights | None = None,
    streaming: bool | None = None,
    allow_float: bool | None = None,
) -> Source:
    """The source that a command line argument means. The others replace what `tinyc.toml` says.

    Nothing means the `tinyc.toml` here; a folder means the one inside it, or a SavedModel.
    Raises TinycError when there is none, or nothing that may be a model, and for calibration data beside
    `allow_float`.
    """
    if allow_float and calibration is not None:
        raise TinycError(
            "--calibration quantizes a float model, --allow-float leaves it as it is", hint="leave one out"
        )
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
            max_drop=config.max_drop if max_drop is None else max_drop,
            embedding_bits=config.embedding_bits if embedding_bits is None else embedding_bits,
            weights=weights or config.weights,
            streaming=config.streaming.wanted if streaming is None else streaming,
            # Calibration data on the command line ask for a quantization.
            allow_float=config.allow_float and calibration is None if allow_float is None else allow_float,
        )
    if argument is None:
        raise TinycError(
            f"there is no {CONFIG_NAME} here",
            hint="name a model file, or run `tinyc init MODEL` to make one",
        )
    frontends.require_model(path)
    name = path.stem or "model"
    folder = Path("build") / name
    return Source(
        path=path,
        name=name,
        build_folder=folder,
        calibration=calibration,
        max_drop=max_drop,
        embedding_bits=8 if embedding_bits is None else embedding_bits,
        weights=weights or Weights.INT8,
        streaming=bool(streaming),
        allow_float=bool(allow_float),
    )


def load_arrays(path: Path) -> dict[str, Array]:
    """The arrays of an `.npz` by name; an `.npy` holds one called `inputs`.

    Raises TinycError for a file that is missing or damaged, and for values that are no numbers.
    """
    try:
        # Opened here: NumPy leaves the file of a damaged archive open.
        with path.open("rb") as stream:
            if stream.read(2) not in _MARKS:
                raise ValueError("it is neither an .npz nor an .npy")
            stream.seek(0)
            loaded = np.load(stream, allow_pickle=False)
            arrays = {"inputs": loaded} if isinstance(loaded, np.ndarray) else dict(loaded.items())
    except FileNotFoundError as error:
        raise TinycError("no such file", where=str(path)) from error
    except OSError as error:
        raise TinycError(f"cannot be read: {error.strerror or error}", where=str(path)) from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise TinycError(f"is not a readable NumPy file: {error}", where=str(path)) from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise TinycError(f"`{name}` is not an array", where=str(path), allowed="an .npz of numpy.savez")
        if name != LABELS and array.dtype.kind not in "fiub":
            raise TinycError(f"array `{name}` holds {array.dtype} values", where=str(path), allowed="numbers")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise TinycError(f"array `{name}` holds NaN or infinite values", where=str(path))
    return arrays


def input_arrays(arrays: Mapping[str, Array], names: Sequence[str], where: str) -> tuple[Array, ...]:
    """One array per model input, found by name.

    A model with one input also takes an array called `inputs`, or the only one there is.
    Raises TinycError that lists the inputs that are missing.
    """
    given = {name: array for name, array in arrays.items() if name != LABELS}
    if len(names) == 1 and names[0] not in given:
        if "inputs" in given:
            return (given["inputs"],)
        if len(given) == 1:
            return tuple(given.values())
    missing = [name for name in names if name not in given]
    if missing:
        found = ", ".join(given) or "none"
        raise TinycError(
            f"lacks an array for the model's input {', '.join(f'`{name}`' for name in missing)}",
            where=where,
            allowed=f"one array called {' and one called '.join(names)}; it holds: {found}",
        )
    return tuple(given[name] for name in names)


def load_samples(path: Path, names: Sequence[str]) -> tuple[tuple[Array, ...], Array | None]:
    """(one array per model input, labels) of an `.npz` or `.npy` file; the first axis counts the samples.

    `names` are the names of the model's inputs.
    Raises TinycError for a file that `load_arrays` or `input_arrays` refuses, and one without samples.
    """
    arrays = load_arrays(path)
    columns = input_arrays(arrays, names, str(path))
    if any(column.ndim == 0 or len(column) == 0 for column in columns):
        raise TinycError("holds no samples", where=str(path), allowed="at least one sample on the first axis")
    counts = {len(column) for column in columns}
    if len(counts) != 1:
        raise TinycError("the inputs hold different numbers of samples", where=str(path))
    labels = arrays.get(LABELS)
    if labels is not None:
        check_labels(labels, len(columns[0]), path)
    return columns, labels


def check_labels(labels: Array, count: int, path: Path) -> None:
    """Raise TinycError unless there is one label per sample."""
    if labels.ndim == 0 or len(labels) != count:
        found = len(labels) if labels.ndim else 1
        raise TinycError(f"has {found} labels for {count} samples", where=str(path))
