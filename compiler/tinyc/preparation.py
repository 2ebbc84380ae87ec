"""Model file → legal int8 graph, with the float graph and the quantization bill where there are any.

Loading a Keras model and quantizing take seconds to minutes, so their result is kept in the cache
under a name made of every byte it depends on: the model, the calibration data, the options and the
code of the compiler.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from tinyc import frontends, passes
from tinyc.errors import TinycError
from tinyc.ir import sequence, serialize
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array, DType
from tinyc.passes.stream import stream
from tinyc.quantize.options import Method, QuantizeOptions, Weights
from tinyc.resources import cache_folder
from tinyc.source import Source, load_samples
from tinyc.token_blocks import in_order

Progress: TypeAlias = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """`graph` is legal, and quantized unless the source allows float32.

    `bill` is the quantization bill as JSON values.
    Of a model that streams `batch` is what it is made from; it has no `float_graph`, which takes all frames.
    """

    graph: Graph
    float_graph: Graph | None = None
    bill: dict[str, Any] | None = None
    batch: Graph | None = None


def prepare(
    source: Source, options: QuantizeOptions | None = None, progress: Progress | None = None
) -> Prepared:
    """Load, run the passes and quantize a float model, unless the source allows it as it is; rewrite one that
    is to stream.

    `progress` is called with a stage and the part of it that is done.
    Raises TinycError for everything that is wrong with the model or its calibration data.
    """
    prepared = _of_batch(source, options, progress)
    if not source.streaming:
        return prepared
    if source.audio is not None:
        raise TinycError(
            "the audio front end computes the features of a whole clip, a streaming model takes some frames",
            where=source.name,
            hint='set type = "raw" under [input] in tinyc.toml, or leave `streaming` out',
        )
    graph = stream(prepared.graph, source.time_axis)
    return Prepared(graph, None, prepared.bill, prepared.graph)


def _of_batch(source: Source, options: QuantizeOptions | None, progress: Progress | None) -> Prepared:
    """The model as it is, over all of its time at once."""
    options = options or _options(source)
    digest = ""
    if source.path.suffix.lower() in (".tflite", ".onnx"):
        graph = passes.run(frontends.load(source.path))
        if source.allow_float or not is_float(graph):
            return _as_it_is(graph, source)
        digest = graph.digest()
    key = _key(source, options, digest)
    stored = _read(key)
    if stored is None:
        stored = _quantized(source, options, progress)
        _write(key, stored)
    return stored


def _as_it_is(graph: Graph, source: Source) -> Prepared:
    """Nothing is quantized that the model does not have so."""
    if source.weights is not Weights.INT8:
        raise TinycError(
            f"weights are made {source.weights.value} when a float model is quantized, and this one is not",
            where=str(source.path),
            hint="leave out --weights, and weights of tinyc.toml; a quantized model keeps the weights it has",
        )
    return Prepared(in_order(passes.legalize(graph, allow_float=source.allow_float)))


def _options(source: Source) -> QuantizeOptions:
    """The options that tinyc.toml and the command line ask for."""
    options = QuantizeOptions(
        max_drop=source.max_drop, embedding_bits=source.embedding_bits, weights=source.weights
    )
    if source.config is None or source.config.method == "auto":
        return options
    return replace(options, methods=(Method(source.config.method),))


def is_float(graph: Graph) -> bool:
    """True when the model computes in float32: no activation between its ops is quantized.

    Token ids are integers without a quantization.
    """
    return not any(
        tensor.dtype is DType.INT8 or (tensor.dtype is DType.INT16 and tensor.quantization is not None)
        for op in graph.ops
        for tensor in (*graph.operands(op), *graph.results(op))
    )


def _quantized(source: Source, options: QuantizeOptions, progress: Progress | None) -> Prepared:
    from tinyc.quantize.post_training import quantize_graph
    from tinyc.quantize.transformer.post_training import quantize_transformer

    float_graph = passes.run(frontends.load(source.path))
    if source.allow_float or not is_float(float_graph):
        return _as_it_is(float_graph, source)
    passes.legalize(float_graph, allow_float=True)
    if source.calibration is None:
        raise TinycError(
            "the model is a float one and needs calibration data to be quantized",
            where=str(source.path),
            allowed=f"an .npz with {_wanted(float_graph)} (and `labels`), samples on the first axis",
            hint="pass --calibration FILE, or name it under [quantize] in tinyc.toml; "
            "--allow-float compiles the model in float32",
        )
    columns, labels = load_samples(source.calibration, float_graph.inputs)
    limit = source.config.samples if source.config else 0
    # Whole numbers are real values too: pixels, say.
    real = [
        column if float_graph[name].dtype is not DType.FLOAT32 else column.astype(np.float32)
        for name, column in zip(float_graph.inputs, columns, strict=True)
    ]
    samples = list(zip(*(_spread(column, limit) for column in real), strict=True))
    labels = None if labels is None else _spread(labels, limit)
    quantize = quantize_transformer if sequence.is_transformer(float_graph) else quantize_graph
    quantized = quantize(float_graph, samples, options, labels, progress)
    graph = in_order(passes.legalize(passes.run(quantized.graph)))
    return Prepared(graph, float_graph, json.loads(quantized.bill.to_json()))


def _wanted(graph: Graph) -> str:
    """The arrays that calibration data for `graph` hold."""
    if len(graph.inputs) == 1:
        return "an array `inputs`"
    return "the arrays " + ", ".join(f"`{name}`" for name in graph.inputs)


def _spread(values: Array, limit: int) -> Array:
    """At most `limit` entries (0: all), evenly spread over the first axis."""
    if not 0 < limit < len(values):
        return values
    spread: Array = values[np.linspace(0, len(values) - 1, limit).astype(int)]
    return spread


@cache
def _code_digest() -> bytes:
    """Hash of the compiler's own source, so that a changed compiler never reads an old result."""
    state = hashlib.sha256()
    package = Path(__file__).parent
    for folder in ("frontends", "ir", "passes", "quantize"):
        for path in sorted((package / folder).rglob("*.py")):
            state.update(path.read_bytes())
    return state.digest()


def _files(path: Path) -> list[Path]:
    return sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]


def _digest(path: Path) -> bytes:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError as error:
        raise TinycError(f"the file cannot be read: {error.strerror}", where=str(path)) from error


def _key(source: Source, options: QuantizeOptions, digest: str) -> str:
    """A name in the cache. `digest` is that of a graph whose constants may lie beside the model file."""
    state = hashlib.sha256(_code_digest())
    limit = source.config.samples if source.config else 0
    state.update(f"{options!r} {limit} {source.allow_float} {digest}".encode())
    for root in (source.path, source.calibration):
        state.update(b"\0")
        if root is not None and root.exists():
            for path in _files(root):
                state.update(_digest(path))
    return state.hexdigest()


def read_prepared(folder: Path) -> Prepared:
    """What lies in `folder` as graph.npz, float.npz and bill.json. Raises OSError, ValueError."""
    graph = serialize.parse((folder / "graph.npz").read_bytes())
    float_path, bill_path = folder / "float.npz", folder / "bill.json"
    float_graph = serialize.parse(float_path.read_bytes()) if float_path.exists() else None
    bill = json.loads(bill_path.read_text(encoding="utf-8")) if bill_path.exists() else None
    return Prepared(graph, float_graph, bill)


def _read(key: str) -> Prepared | None:
    try:
        return read_prepared(cache_folder() / "prepared" / key)
    except (OSError, ValueError):
        return None


def _write(key: str, prepared: Prepared) -> None:
    """Fill a temporary folder and rename it: another process sees all of it or nothing."""
    parent = cache_folder() / "prepared"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True) as temporary:
            folder = Path(temporary) / "entry"
            folder.mkdir()
            (folder / "graph.npz").write_bytes(serialize.dump(prepared.graph))
            if prepared.float_graph is not None:
                (folder / "float.npz").write_bytes(serialize.dump(prepared.float_graph))
            if prepared.bill is not None:
                (folder / "bill.json").write_text(json.dumps(prepared.bill), encoding="utf-8")
            folder.rename(parent / key)
    except OSError:
        # A full or read-only cache costs time, not correctness; a lost race left the same bytes.
        return
