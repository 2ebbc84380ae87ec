"""The layer calls of a functional Keras model in execution order, as plain records.

The model is run once on a made-up input, layer by layer: that shows where Keras carries a padding mask
and where it loses it, which differs between layers and versions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Ref:
    """A tensor between layers: its number, its shape without the batch, and whether it carries a mask."""

    number: int
    shape: tuple[int | None, ...]
    masked: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a layer or of an operation of `keras.ops`.

    `kind` is the class of a layer of Keras (`Dense`), `ops>` and the class of an operation (`ops>Add`), or
    the registered name of another layer (`tinyc>NanoEmbedder`). `args` and `kwargs` hold a `Ref` for each
    tensor; `results` are numbers.
    """

    layer: Any
    kind: str
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: tuple[Ref, ...]

    def tensors(self) -> tuple[Ref, ...]:
        """Every `Ref` among the arguments."""
        return tuple(_refs((self.args, self.kwargs)))

    @property
    def loses_mask(self) -> bool:
        """True when a row per token goes in with a mask and comes out without."""
        rows = [ref for ref in self.results if len(ref.shape) == 2]
        return any(ref.masked for ref in self.tensors()) and any(not ref.masked for ref in rows)


@dataclass(slots=True)
class _Walk:
    """Calls found so far; `numbers` and `values` go by the identity of a symbolic tensor."""

    keras: Any
    calls: list[Call] = field(default_factory=list)
    count: int = 0

    def ref(self, value: Any) -> Ref:
        self.count += 1
        return Ref(self.count - 1, tuple(value.shape[1:]), self.masked(value))

    def masked(self, value: Any) -> bool:
        return getattr(value, "_keras_mask", None) is not None


def _refs(structure: Any) -> Sequence[Ref]:
    if isinstance(structure, Ref):
        return [structure]
    if isinstance(structure, dict):
        structure = tuple(structure.values())
    if isinstance(structure, list | tuple):
        return [ref for part in structure for ref in _refs(part)]
    return []


def kind_of(keras: Any, operation: Any) -> str:
    """The `Call.kind` of a layer or operation."""
    cls = type(operation)
    if isinstance(operation, keras.layers.Layer):
        return cls.__name__ if cls.__module__.startswith("keras.") else _registered(keras, cls)
    return f"ops>{cls.__name__}" if cls.__module__.startswith("keras.") else cls.__name__


def _registered(keras: Any, cls: type) -> str:
    name = str(keras.saving.get_registered_name(cls))
    return name if ">" in name else f"{cls.__module__}>{name}"


def functional(model: Any) -> Any | None:
    """The graph of layers of a functional or built sequential model, None for any other."""
    inner = getattr(model, "_functional", None) if type(model).__name__ == "Sequential" else model
    return inner if hasattr(inner, "_nodes_by_depth") else None


def walk(keras: Any, model: Any) -> tuple[tuple[Ref, ...], tuple[Call, ...], tuple[Ref, ...]]:
    """(inputs, calls, outputs) of a functional model whose input shapes are fixed except for the batch."""
    state = _Walk(keras)
    feeds = []
    for tensor in model.inputs:
        array = np.zeros((1, *tensor.shape[1:]))
        if array.ndim == 2:
            # A sentence of one token, and padding.
            array[:, :1] = 1
        feeds.append(keras.ops.convert_to_tensor(array, dtype=tensor.dtype))
    inputs = [state.ref(value) for value in feeds]
    outputs = _run(state, model, inputs, feeds, "")
    return tuple(inputs), tuple(state.calls), tuple(ref for ref, _ in outputs)


def _run(state: _Walk, model: Any, refs: Sequence[Ref], feeds: Sequence[Any], scope: str) -> list[Any]:
    """Runs the layers of `model`; gives (reference, value) of each output."""
    tree = state.keras.tree
    known = {id(t): pair for t, pair in zip(model.inputs, zip(refs, feeds, strict=True), strict=True)}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.is_input or any(id(tensor) not in known for tensor in node.input_tensors):
                continue
            operation = node.operation
            args, kwargs = node.arguments.args, node.arguments.kwargs

            def value(leaf: Any) -> Any:
                return known[id(leaf)][1] if id(leaf) in known else leaf

            def reference(leaf: Any) -> Any:
                if id(leaf) not in known:
                    return leaf
                found, real = known[id(leaf)]
                return Ref(found.number, found.shape, state.masked(real))

            called = tree.map_structure(value, args), tree.map_structure(value, kwargs)
            inner = functional(operation)
            if inner is not None:
                given = tree.flatten(tree.map_structure(reference, args))
                pairs = _run(state, inner, given, tree.flatten(called[0]), f"{scope}{operation.name}/")
            else:
                named = tree.map_structure(reference, args), tree.map_structure(reference, kwargs)
                values = tree.flatten(operation(*called[0], **called[1]))
                pairs = [(state.ref(result), result) for result in values]
                results = tuple(ref for ref, _ in pairs)
                kind = kind_of(state.keras, operation)
                name = f"{scope}{operation.name}"
                state.calls.append(Call(operation, kind, name, tuple(named[0]), dict(named[1]), results))
            known.update((id(t), pair) for t, pair in zip(node.outputs, pairs, strict=True))
    return [known[id(tensor)] for tensor in model.outputs]
