"""The factory data of a head: samples with labels, and the latents that the int8 body makes of them."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tinyc import interpreter
from tinyc.errors import TinycError
from tinyc.execution import check_ids, dequantize, quantize_input, split_batch
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array, TensorName
from tinyc.learning import tap
from tinyc.resources import cache_folder
from tinyc.source import load_samples

Progress: TypeAlias = Callable[[str, float], None]
STAGE = "latents"


@dataclass(frozen=True, slots=True)
class FactoryData:
    """`vectors` are model inputs, one array per graph input with its dtype and shape; `labels` are integers
    (n,), or float32 targets (n, k) of a regression, or None where there are none."""

    vectors: tuple[tuple[Array, ...], ...]
    labels: npt.NDArray[np.int64] | npt.NDArray[np.float32] | None

    @property
    def targets(self) -> npt.NDArray[np.float32] | None:
        """The labels of a regression."""
        labels = self.labels
        return labels.astype(np.float32) if labels is not None and labels.dtype == np.float32 else None


def load(path: Path, graph: Graph, names: Sequence[str] = (), samples: int | None = None) -> FactoryData:
    """The samples in an `.npz`, at most `samples` of them, evenly spread.

    Labels are numbers of classes, or names out of `names`; real numbers, or rows of them, are the targets of
    a regression. Raises TinycError for a file that is no such data.
    """
    columns, labels = load_samples(path, graph.inputs)
    chosen = np.arange(len(columns[0]))
    if samples is not None and samples < len(chosen):
        chosen = np.linspace(0, len(chosen) - 1, samples).astype(int)
    parts = []
    for name, column in zip(graph.inputs, columns, strict=True):
        check_ids(graph, name, column, str(path))
        tensor = graph[name]
        given = split_batch(tensor, column, str(path))
        parts.append([quantize_input(tensor, given[index]) for index in chosen])
    found = None if labels is None else _labels(labels[chosen], names, path)
    return FactoryData(tuple(zip(*parts, strict=True)), found)


def _labels(
    labels: Array, names: Sequence[str], path: Path
) -> npt.NDArray[np.int64] | npt.NDArray[np.float32]:
    if labels.dtype.kind == "U" and labels.ndim == 1:
        places = {name: index for index, name in enumerate(names)}
        strange = sorted({str(label) for label in labels} - set(places))
        if strange:
            raise TinycError(
                f"the labels have names that are no class: {', '.join(strange[:5])}",
                where=str(path),
                allowed=", ".join(names) or "numbers, as tinyc.toml names no [labels]",
            )
        return np.array([places[str(label)] for label in labels], np.int64)
    if labels.dtype.kind == "f" and np.isfinite(labels).all():
        return labels.reshape(len(labels), -1).astype(np.float32)
    if labels.dtype.kind in "iu" and labels.ndim == 1:
        if labels.min() < 0:
            raise TinycError(f"has the label {labels.min()}", where=str(path), allowed="0 and above")
        return labels.astype(np.int64)
    raise TinycError(
        f"has labels of {labels.dtype}{list(labels.shape)}",
        where=str(path),
        allowed="one whole number or name for each sample, or real numbers for a regression",
    )


def latents(
    graph: Graph, tensor: TensorName, data: FactoryData, progress: Progress | None = None
) -> npt.NDArray[np.int8]:
    """The latent of each sample: int8 (n, bytes of `tensor`), as the device computes them, bit for bit; of an
    int16 tensor its bytes, little endian.

    They are kept in the cache under a name made of the body and the samples.
    """
    body = tap.body(graph, tensor)
    state = hashlib.sha256(body.digest().encode())
    for vector in data.vectors:
        for value in vector:
            state.update(np.ascontiguousarray(value).tobytes())
    path = cache_folder() / "latents" / f"{state.hexdigest()}.npy"
    shape = (len(data.vectors), graph[tensor].elements * graph[tensor].dtype.numpy.itemsize)
    stored = _stored(path, shape)
    if stored is not None:
        return stored
    found = np.empty(shape, np.int8)
    for index, vector in enumerate(data.vectors):
        found[index] = interpreter.run(body, vector)[0].reshape(-1).view(np.int8)
        if progress is not None:
            progress(STAGE, (index + 1) / len(found))
    _store(path, found)
    return found


def _stored(path: Path, shape: tuple[int, int]) -> npt.NDArray[np.int8] | None:
    try:
        found: npt.NDArray[np.int8] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.shape == shape and found.dtype == np.int8 else None


def _store(path: Path, values: npt.NDArray[np.int8]) -> None:
    """A temporary file is renamed: another process sees all of it or nothing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npy", delete=False) as stream:
            np.save(stream, values, allow_pickle=False)
        Path(stream.name).replace(path)
    except OSError:
        # A full or read-only cache costs time, not correctness.
        return


def real_inputs(graph: Graph, data: FactoryData) -> npt.NDArray[np.float32]:
    """The first input of each sample in real units, flat: float32 (n, elements). What an autoencoder gives
    back."""
    tensor = graph[graph.inputs[0]]
    rows = [dequantize(tensor, vector[0]).reshape(-1) for vector in data.vectors]
    return np.stack(rows).astype(np.float32)
