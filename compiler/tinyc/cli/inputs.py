"""What `tinyc run --input` means: files of vectors, recordings, or text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tinyc.cli import output
from tinyc.errors import Problem, TinycError

if TYPE_CHECKING:
    from tinyc.ir.tensor import Array
    from tinyc.program import Program

_VECTORS = (".npy", ".npz")
_SOUND, _TEXT = ".wav", ".txt"
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Sample:
    """One inference: a vector of model inputs, a clip of int16 samples, or a text for the front end."""

    name: str
    vector: list[Array]
    clip: Array | None = None
    text: bytes | None = None


def require_files(inputs: Sequence[str]) -> None:
    """Raise TinycError that lists the inputs that are no files."""
    missing = [Problem(shown(name.encode("utf-8", "replace")), "no such file") for name in _missing(inputs)]
    if missing:
        raise TinycError("inputs are missing", problems=missing)


def _missing(inputs: Sequence[str]) -> list[str]:
    return [name for name in inputs if not _is_file(name)]


def _is_file(name: str) -> bool:
    """Also of what can be no name of a file: a sentence may be too long for one."""
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


def samples(program: Program, inputs: Sequence[str]) -> list[Sample]:
    """All inferences that the inputs ask for. Raises TinycError for one that does not suit the model."""
    if program.tokenizer is None:
        require_files(inputs)
    return [sample for name in inputs for sample in _samples(program, name)]


def _samples(program: Program, name: str) -> list[Sample]:
    from tinyc.execution import quantize_vector

    path, suffix = Path(name), Path(name).suffix.lower()
    if program.tokenizer is not None:
        file = _is_file(name)
        if suffix == _TEXT and file:
            return [_text(program, line) for line in _lines(path)]
        if not file or suffix not in (*_VECTORS, _SOUND):
            if suffix in (*_VECTORS, _TEXT):
                output.talk(f"{shown(raw_bytes(name))} is no file and is read as text")
            return [_text(program, raw_bytes(name))]
    if suffix == _SOUND:
        return [Sample(path.name, [], _clip(program, path))]
    vectors = [quantize_vector(program, vector) for vector in load_vectors(program, path)]
    return [Sample(f"{path.name}[{index}]", vector) for index, vector in enumerate(vectors)]


def _text(program: Program, text: bytes) -> Sample:
    from tinyc.device import limits

    limits.check_text(text, limits.buffer_bytes(program.board.memory.ram))
    return Sample(shown(text), [], text=text)


def raw_bytes(argument: str) -> bytes:
    """The bytes of a command line argument: those that are not UTF-8 come as lone surrogates."""
    try:
        return argument.encode("utf-8", errors="surrogateescape")
    except UnicodeEncodeError:
        return argument.encode("utf-8", errors="surrogatepass")


def shown(text: bytes) -> str:
    """A text as a table may show it: one line that a terminal takes as letters and nothing else."""
    line = "".join(c if c.isprintable() else "\ufffd" for c in text.decode("utf-8", errors="replace"))
    return line if len(line) <= _LONGEST_NAME else line[: _LONGEST_NAME - 3] + "..."


def _lines(path: Path) -> list[bytes]:
    """The sentences of a text file, one a line; a last line feed begins no other."""
    try:
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise TinycError(f"cannot be read: {error.strerror}", where=str(path)) from error
    if not data:
        raise TinycError("holds no text", where=str(path), allowed="one sentence a line")
    return [line.removesuffix(b"\r") for line in data.removesuffix(b"\n").split(b"\n")]


def load_vectors(program: Program, path: Path) -> list[list[Array]]:
    """The vectors of an .npy or .npz file as given, each a list with one array per model input."""
    from tinyc.execution import check_ids, split_batch, split_frames
    from tinyc.source import input_arrays, load_arrays

    graph = program.graph
    columns = input_arrays(load_arrays(path), graph.inputs, str(path))
    for name, column in zip(graph.inputs, columns, strict=True):
        check_ids(graph, name, column, str(path))
    if graph.stream is not None:
        return [[frames] for frames in split_frames(graph, columns[0], str(path))]
    parts = [
        split_batch(graph[name], column, str(path))
        for name, column in zip(graph.inputs, columns, strict=True)
    ]
    if len({len(part) for part in parts}) != 1:
        raise TinycError("the inputs hold different numbers of samples", where=str(path))
    return [list(vector) for vector in zip(*parts, strict=True)]


def _clip(program: Program, path: Path) -> Array:
    from tinyc.audio.wav import read_wav

    if program.audio is None:
        raise TinycError(
            "the model has no audio front end",
            where=str(path),
            allowed="an .npy or .npz of model inputs",
            hint='set type = "audio" under [input] in tinyc.toml',
        )
    return read_wav(path, program.audio.sample_rate, program.audio.clip_samples)
