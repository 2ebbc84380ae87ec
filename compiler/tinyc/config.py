"""`tinyc.toml`: what to compile, with which calibration data, for which input and boards."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tinyc.audio.settings import AudioSettings
from tinyc.boards import board_names
from tinyc.config_tables import Tables
from tinyc.errors import Problem, TinycError, nearest
from tinyc.learning.settings import LearnSettings
from tinyc.libraries.settings import LibrarySettings
from tinyc.objective import OBJECTIVES, Limits, Objective
from tinyc.program import NO_VERSION
from tinyc.quantize.options import EMBEDDING_BITS, Method, Weights
from tinyc.registry.location import parse_table
from tinyc.sixlowpan.settings import LowpanSettings
from tinyc.stream_settings import StreamSettings, stream_settings
from tinyc.text.front_end import padding_problem
from tinyc.text.tokenizer import Tokenizer, load
from tinyc.versioning.model import RELATIONS
from tinyc.versioning.numbers import ALLOWED, Version

CONFIG_NAME = "tinyc.toml"
CALIBRATION_METHODS = ("auto", *(method.value for method in Method))
# An image has four bytes for its security counter.
_MOST_COUNTER = 0xFFFFFFFF
INPUT_TYPES = ("raw", "audio", "text")

_TABLES: dict[str, tuple[str, ...]] = {
    "model": ("path", "name", "version", "base", "relation", "streaming", "time_axis"),
    "quantize": ("calibration", "method", "samples", "max_drop", "embedding_bits", "weights", "allow_float"),
    "input": ("type", "units", "sensor"),
    "audio": (),  # checked by AudioSettings
    "text": ("tokenizer",),
    "labels": ("names",),
    "boards": ("default",),
    "build": ("optimize", "max_arena", "max_flash"),
    "evaluation": ("data",),
    "signing": ("key", "security_counter"),
    "envelope": (),  # a table for each board
    "registry": (),  # checked by registry.location
    "learn": (),  # checked by LearnSettings
    "sixlowpan": (),  # checked by LowpanSettings
    "library": (),  # checked by LibrarySettings
}


@dataclass(frozen=True, slots=True)
class Config:
    """A `tinyc.toml`. Paths are absolute or relative to the working directory, not to the file.

    `samples` limits the calibration samples, 0 means all; `max_drop`, `embedding_bits` and `weights` are
    those of `QuantizeOptions`.
    The file of `signing_key` need not be there: only who builds images for devices has it.
    `audio` is set for `[input] type = "audio"`, `tokenizer` for `"text"`.
    """

    path: Path
    model: Path
    name: str
    calibration: Path | None = None
    method: str = "auto"
    samples: int = 0
    input_type: str = "raw"
    audio: AudioSettings | None = None
    tokenizer: Tokenizer | None = None
    labels: tuple[str, ...] = ()
    default_board: str | None = None
    evaluation: Path | None = None
    optimize: Objective = Objective.BALANCED
    limits: Limits = field(default_factory=Limits)
    max_drop: float | None = None
    embedding_bits: int = 8
    weights: Weights = Weights.INT8
    allow_float: bool = False
    """Whether layers that compute in float32 are compiled as they are."""
    version: str = NO_VERSION
    signing_key: Path | None = None
    security_counter: int = 0
    base: str | None = None
    """What the model was derived from: a build folder, a manifest or NAME@VERSION of the registry."""
    relation: str | None = None
    units: str | None = None
    sensor: str | None = None
    envelope: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Board → bytes of flash and RAM that a major version promises not to exceed."""
    learn: LearnSettings | None = None
    """Set when the file has a table `[learn]`."""
    lowpan: LowpanSettings | None = None
    """Set when the file has a table `[sixlowpan]`."""
    emit_library: LibrarySettings = field(default_factory=LibrarySettings)
    streaming: StreamSettings = field(default_factory=StreamSettings)


def load_config(path: Path) -> Config:
    """Read and check a `tinyc.toml`; a folder means the file in it.

    Raises TinycError that lists every unknown key, wrong type and missing file at once.
    """
    if path.is_dir():
        path = path / CONFIG_NAME
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TinycError(
            "no such file", where=str(path), hint="run `tinyc init MODEL` to make one"
        ) from error
    except UnicodeDecodeError as error:
        raise TinycError("is not UTF-8 text", where=str(path)) from error
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise TinycError(f"cannot be read: {error}", where=str(path)) from error
    return _Reader(path, table, _TABLES).config()


class _Reader(Tables):
    """What the tables say."""

    def config(self) -> Config:
        path = self.path
        model = self.file("model", "path", required="needs the path of a model")
        name = self.text("model", "name") or (model.stem if model else "")
        version = self._version()
        calibration = self.file("quantize", "calibration")
        method = self.choice("quantize", "method", CALIBRATION_METHODS, "auto")
        samples = self._samples()
        told = next((name for name in ("audio", "text") if name in self.tables), "raw")
        input_type = self.choice("input", "type", INPUT_TYPES, told)
        audio = self._audio(input_type)
        tokenizer = self._tokenizer(input_type)
        labels = self._labels()
        board = self.text("boards", "default")
        if board is not None and board not in board_names():
            self.problems.append(Problem("boards.default", f"is {board!r}", nearest(board, board_names())))
        evaluation = self.file("evaluation", "data")
        optimize = self.choice("build", "optimize", OBJECTIVES, Objective.BALANCED.value)
        limits = Limits.from_toml(self.tables.get("build", {}), self.problems)
        max_drop = self._max_drop()
        embedding_bits = self._embedding_bits()
        weights = self.choice("quantize", "weights", [each.value for each in Weights], Weights.INT8.value)
        allow_float = self._allow_float(calibration)
        key = self.text("signing", "key")
        security_counter = self._security_counter()
        base = self.text("model", "base")
        relation = self._relation(base)
        units, sensor = self.text("input", "units"), self.text("input", "sensor")
        envelope, streaming = self._envelope(), stream_settings(self.tables.get("model", {}), self.problems)
        learn, lowpan, library = self._learn(), self._lowpan(), self._library()
        if "registry" in self.tables:
            parse_table(path, self.tables["registry"], self.problems)
        if self.problems or model is None:
            raise TinycError("the configuration is not valid", where=str(path), problems=self.problems)
        return Config(
            path,
            model,
            name,
            calibration,
            method,
            samples,
            input_type,
            audio,
            tokenizer,
            labels,
            board,
            evaluation,
            Objective(optimize),
            limits,
            max_drop,
            embedding_bits,
            Weights(weights),
            allow_float,
            version,
            path.parent / key if key else None,
            security_counter,
            base,
            relation,
            units,
            sensor,
            envelope,
            learn,
            lowpan,
            library,
            streaming,
        )

    def _version(self) -> str:
        """The model's version; an image of a firmware has a byte, a byte and two bytes for it."""
        text = self.text("model", "version")
        if text is None:
            return NO_VERSION
        try:
            Version.parse(text)
            wrong = "+" in text
        except TinycError:
            wrong = True
        if wrong:
            self.problems.append(Problem("model.version", f"is {text!r}", f"needs {ALLOWED}"))
        return text

    def _relation(self, base: str | None) -> str | None:
        """What the model is to `base`; both are given or none."""
        if base is None and self.get("model", "relation") is not None:
            self.problems.append(Problem("model.relation", "is given without `base`"))
        elif base is not None and self.get("model", "relation") is None:
            allowed = f"needs one of: {', '.join(RELATIONS)}"
            self.problems.append(Problem("model.relation", "is missing beside `base`", allowed))
        elif base is not None:
            return self.choice("model", "relation", RELATIONS, RELATIONS[-1])
        return None

    def _envelope(self) -> dict[str, dict[str, int]]:
        """`[envelope.BOARD]` with `flash` and `ram` in bytes."""
        found: dict[str, dict[str, int]] = {}
        for board, limits in self.tables.get("envelope", {}).items():
            where = f"envelope.{board}"
            if board not in board_names():
                self.problems.append(Problem(where, "is no board", nearest(board, board_names())))
            elif not isinstance(limits, dict) or not limits or set(limits) - {"flash", "ram"}:
                self.problems.append(Problem(where, f"is {limits!r}", "needs `flash` and `ram` in bytes"))
            elif any(type(size) is not int or size < 1 for size in limits.values()):
                self.problems.append(Problem(where, f"is {limits!r}", "needs whole numbers from 1"))
            else:
                found[board] = dict(limits)
        return found

    def _samples(self) -> int:
        value = self.get("quantize", "samples")
        if value is None:
            return 0
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            self.problems.append(Problem("quantize.samples", f"is {value!r}", "needs a number from 1"))
            return 0
        return value

    def _max_drop(self) -> float | None:
        value = self.get("quantize", "max_drop")
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
            self.problems.append(
                Problem("quantize.max_drop", f"is {value!r}", "needs percent points, 0 to 100")
            )
            return None
        return float(value)

    def _embedding_bits(self) -> int:
        value = self.get("quantize", "embedding_bits")
        if value is None:
            return 8
        if type(value) is not int or value not in EMBEDDING_BITS:
            allowed = ", ".join(map(str, EMBEDDING_BITS))
            self.problems.append(Problem("quantize.embedding_bits", f"is {value!r}", f"one of {allowed}"))
            return 8
        return value

    def _allow_float(self, calibration: Path | None) -> bool:
        value = self.get("quantize", "allow_float")
        if value not in (None, True, False):
            self.problems.append(Problem("quantize.allow_float", f"is {value!r}", "needs true or false"))
        elif value and calibration is not None:
            self.problems.append(
                Problem("quantize.allow_float", "is true beside calibration data", "needs one of the two")
            )
        return value is True

    def _security_counter(self) -> int:
        value = self.get("signing", "security_counter")
        if value is None:
            return 0
        if type(value) is not int or not 0 <= value <= _MOST_COUNTER:
            self.problems.append(
                Problem(
                    "signing.security_counter", f"is {value!r}", f"needs a number from 0 to {_MOST_COUNTER}"
                )
            )
            return 0
        return value

    def _audio(self, input_type: str) -> AudioSettings | None:
        if input_type != "audio":
            self._refuse_table("audio", input_type)
            return None
        try:
            return AudioSettings.from_toml(self.tables.get("audio", {}))
        except TinycError as error:
            self.problems += error.problems
            return None

    def _tokenizer(self, input_type: str) -> Tokenizer | None:
        if input_type != "text":
            self._refuse_table("text", input_type)
            return None
        path = self.file("text", "tokenizer", required="needs the path of a tokenizer.json")
        if path is None or not path.exists():
            return None
        try:
            tokenizer = load(path)
        except TinycError as error:
            self.problems.append(Problem(error.where or str(path), error.what, error.allowed))
            return None
        problem = padding_problem(tokenizer)
        if problem is not None:
            self.problems.append(problem)
        return tokenizer

    def _learn(self) -> LearnSettings | None:
        if "learn" not in self.tables:
            return None
        try:
            return LearnSettings.from_toml(self.tables["learn"], self.path.parent)
        except TinycError as error:
            self.problems += error.problems
            return None

    def _lowpan(self) -> LowpanSettings | None:
        if "sixlowpan" not in self.tables:
            return None
        try:
            return LowpanSettings.from_toml(self.tables["sixlowpan"], self.path.parent)
        except TinycError as error:
            self.problems += error.problems
            return None

    def _library(self) -> LibrarySettings:
        try:
            return LibrarySettings.from_toml(self.tables.get("library", {}))
        except TinycError as error:
            self.problems += error.problems
            return LibrarySettings()

    def _refuse_table(self, table: str, input_type: str) -> None:
        """The table of another type of input has no meaning."""
        if table in self.tables and input_type in INPUT_TYPES:
            article = "an" if input_type == "audio" else "a"
            told = f'set [input] type = "{table}" or remove it'
            self.problems.append(Problem(table, f"is given for {article} {input_type} input", told))

    def _labels(self) -> tuple[str, ...]:
        names = self.get("labels", "names")
        if names is None:
            return ()
        if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
            self.problems.append(Problem("labels.names", f"is {names!r}", "needs a list of texts"))
            return ()
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            self.problems.append(Problem("labels.names", f"has {', '.join(twice)} twice"))
        return tuple(names)
