"""Keras 3 (.keras, .h5) and SavedModel through TensorFlow's own converter to a float32 .tflite.

TensorFlow is optional and slow to import, so it is imported only here and only when asked for.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tflite as schema

from tinyc.errors import TinycError
from tinyc.frontends import tflite
from tinyc.frontends.names import Names, printable
from tinyc.ir.graph import Graph

_MARK = re.compile(r"tinyc(\d+)t(?:_\d+)?")


def load(path: Path) -> Graph:
    """The float32 graph of a model, its batch fixed to 1, inputs and outputs in the model's order.

    Raises TinycError when TensorFlow is absent, the file cannot be read or the model cannot be converted.
    """
    from tinyc.frontends import graph_name

    converted = _convert(path)
    if isinstance(converted, Graph):
        return converted
    graph = tflite.load_bytes(converted.data, graph_name(path))
    inputs, outputs = _edges(converted.data, converted.inputs)
    graph = _with_layer_names(graph, converted.layers)
    return graph.rebuilt(
        inputs=tuple(graph.inputs[position] for position in inputs),
        outputs=tuple(graph.outputs[position] for position in outputs),
    )


@dataclass(frozen=True, slots=True)
class _Converted:
    """A float32 .tflite, the names of its inputs in the model's order, and its layers' names by number."""

    data: bytes
    inputs: tuple[str, ...]
    layers: tuple[str, ...]


def _with_layer_names(graph: Graph, layers: Sequence[str]) -> Graph:
    """The graph with the model's own layer names where `_number_layers` left its marks."""

    def plain(name: str) -> str:
        return _MARK.sub(lambda match: layers[int(match[1])], name)

    op_names, tensor_names = Names(), Names()
    renamed = {name: tensor_names.unique(plain(name)) for name in graph.tensors}
    ops = tuple(
        op.with_(
            name=op_names.unique(plain(op.name)),
            inputs=tuple(renamed[name] for name in op.inputs),
            outputs=tuple(renamed[name] for name in op.outputs),
        )
        for op in graph.ops
    )
    return Graph(
        graph.name,
        {renamed[name]: tensor.with_(name=renamed[name]) for name, tensor in graph.tensors.items()},
        ops,
        tuple(renamed[name] for name in graph.inputs),
        tuple(renamed[name] for name in graph.outputs),
    )


def _edges(data: bytes, names: Sequence[str]) -> tuple[list[int], list[int]]:
    """Positions in the .tflite of the model's inputs and outputs, in the model's order.

    The converter lists inputs by name and outputs as they get computed; its signature tells which
    is which. `names` are the inputs in the model's order; outputs are numbered, or named and sorted.
    """
    model = schema.Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    listed = [int(graph.Inputs(i)) for i in range(graph.InputsLength())]
    given = [int(graph.Outputs(i)) for i in range(graph.OutputsLength())]
    if not model.SignatureDefsLength():
        # The converter's second way, taken for names that a SavedModel refuses, keeps the order.
        return list(range(len(listed))), list(range(len(given)))
    signature = model.SignatureDefs(0)
    inputs = {
        entry.Name().decode(): listed.index(int(entry.TensorIndex()))
        for entry in map(signature.Inputs, range(signature.InputsLength()))
    }
    outputs = [
        (_natural(entry.Name().decode()), given.index(int(entry.TensorIndex())))
        for entry in map(signature.Outputs, range(signature.OutputsLength()))
    ]
    ordered = [inputs[name] for name in names] if inputs.keys() == set(names) else list(range(len(listed)))
    return ordered, [position for _, position in sorted(outputs)]


def _natural(name: str) -> tuple[str, int]:
    """A sort key that puts `output_10` after `output_9`."""
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :] or -1)


def _convert(path: Path) -> _Converted | Graph:
    """A .keras or .h5 file or a SavedModel folder as float32 .tflite, transformers as their graph.

    Raises TinycError.
    """
    from tinyc.frontends import graph_name, keras_transformer

    with _quiet():
        tensorflow = _tensorflow(path)
        layers: tuple[str, ...] = ()
        if path.is_dir():
            function, owner = _saved_model(tensorflow, path)
        else:
            import keras

            model = _keras_model(tensorflow, path)
            if keras_transformer.is_transformer(keras, model):
                return keras_transformer.convert(keras, model, graph_name(path), str(path))
            function, owner, layers = _keras(tensorflow, model, path)
        from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

        try:
            frozen = convert_variables_to_constants_v2(function)
            converter = tensorflow.lite.TFLiteConverter.from_concrete_functions([frozen], owner)
            names = tuple(tensor.name.split(":")[0] for tensor in frozen.inputs)
            return _Converted(bytes(converter.convert()), names, layers)
        except Exception as error:
            raise TinycError(
                f"TensorFlow cannot convert the model: {_first_line(error)}",
                where=str(path),
                hint="every layer has to be a TensorFlow Lite builtin operator",
            ) from error


def _tensorflow(path: Path) -> Any:
    try:
        import tensorflow
    except ImportError as error:
        raise TinycError(
            f"TensorFlow is needed to read this model: {_first_line(error)}",
            where=str(path),
            allowed=".tflite files need nothing else",
            hint="pip install tinyc[keras]",
        ) from error
    tensorflow.get_logger().setLevel("ERROR")
    return tensorflow


def _fixed(tensorflow: Any, spec: Any, path: Path, name: str) -> Any:
    """The spec of an input with its batch fixed to 1."""
    shape = spec.shape.as_list() if hasattr(spec.shape, "as_list") else list(spec.shape)
    if shape and shape[0] is None:
        shape[0] = 1
    if any(extent is None for extent in shape):
        raise TinycError(
            f"input `{name}` has the open shape {shape}",
            where=str(path),
            allowed="an open batch, every other extent fixed",
        )
    return tensorflow.TensorSpec(shape, spec.dtype, name=name)


def _keras_model(tensorflow: Any, path: Path) -> Any:
    """The model in a Keras file."""
    try:
        if _has_own_layers(path):
            # Keras finds the classes of layers that are registered.
            import tinyc.models  # noqa: F401
        return tensorflow.keras.models.load_model(path, compile=False)
    except Exception as error:
        raise TinycError(f"Keras cannot read the model: {_first_line(error)}", where=str(path)) from error


def _has_own_layers(path: Path) -> bool:
    """True when the file names a layer of `tinyc.models`."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return "config.json" in archive.namelist() and b'"tinyc>' in archive.read("config.json")
    return b'"tinyc>' in path.read_bytes()


def _keras(tensorflow: Any, model: Any, path: Path) -> tuple[Any, Any, tuple[str, ...]]:
    """(concrete function, the object that owns its variables, layer names) of a Keras model."""
    try:
        inputs = list(model.inputs)
    except (AttributeError, TypeError, ValueError):
        inputs = []
    if not inputs:
        raise TinycError(
            "the model was saved before its input shape was known",
            where=str(path),
            hint="give the first layer an input shape, or call the model once before saving",
        )
    # A Sequential model has one input, which only `inputs` tells.
    structure = getattr(model, "input", inputs[0])
    layers = _number_layers(model)
    specs = []
    for index, tensor in enumerate(inputs):
        name = str(getattr(tensor, "name", "") or f"input_{index}").split(":")[0].replace("/", "_")
        specs.append(_fixed(tensorflow, tensor, path, name))

    def call(*arguments: Any) -> Any:
        # Keras flattens nested input structures in this order.
        packed = tensorflow.nest.pack_sequence_as(structure, arguments)
        return model(packed, training=False)

    function = tensorflow.function(call, input_signature=specs)
    try:
        return function.get_concrete_function(), model, layers
    except Exception as error:
        raise TinycError(f"Keras cannot trace the model: {_first_line(error)}", where=str(path)) from error


def _number_layers(model: Any) -> tuple[str, ...]:
    """Puts a numbered mark in place of every layer's name, and returns the names.

    TensorFlow appends numbers to names as it traces, so that the layer `conv2d` comes out as
    `conv2d_1`, and it refuses names with spaces. Marks survive and are unmistakable.
    """
    names = []
    for number, layer in enumerate(model._flatten_layers()):
        names.append(printable(layer.name) or f"layer_{number}")
        layer.name = f"tinyc{number}t"
    return tuple(names)


def _saved_model(tensorflow: Any, path: Path) -> tuple[Any, Any]:
    """(concrete function, the object that owns its variables) of the serving signature."""
    try:
        loaded = tensorflow.saved_model.load(str(path))
    except Exception as error:
        raise TinycError(
            f"TensorFlow cannot read the SavedModel: {_first_line(error)}", where=str(path)
        ) from error
    signatures = dict(loaded.signatures)
    signature = signatures.get("serving_default")
    if signature is None and len(signatures) == 1:
        (signature,) = signatures.values()
    if signature is None:
        raise TinycError(
            f"the SavedModel has no signature `serving_default` (it has: {', '.join(signatures) or 'none'})",
            where=str(path),
            hint="export it with `model.export(folder)`",
        )
    named = signature.structured_input_signature[1]
    specs = [_fixed(tensorflow, spec, path, name) for name, spec in named.items()]
    names = list(named)

    def call(*arguments: Any) -> Any:
        return signature(**dict(zip(names, arguments, strict=True)))

    function = tensorflow.function(call, input_signature=specs)
    return function.get_concrete_function(), loaded


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if lines and lines[0] == "in user code:":
        # AutoGraph puts a traceback before the message.
        lines = [line for line in lines if re.match(r"\w*(Error|Exception): ", line)] or lines[1:]
    return (lines[0] if lines else type(error).__name__)[:300]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps TensorFlow's talk, Python's and C++'s, off the terminal."""
    settings = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "TF_ENABLE_ONEDNN_OPTS": "0"}
    before = {key: os.environ.get(key) for key in settings}
    os.environ.update(settings)
    saved = os.dup(2)
    try:
        with (
            tempfile.TemporaryFile() as sink,
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            os.dup2(sink.fileno(), 2)
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
