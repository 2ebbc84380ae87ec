"""The backward pass, made when the firmware is made: the steps of an update, and where everything lies.

The device holds no graph. It runs a list of steps: the forward ones of the layers behind the tap, the loss,
and from there backwards what the trained tensors need and nothing else. A value is kept for the backward
pass only if a trained weight reads it; of a clamp one bit per element is kept. All lifetimes are known, so
one arena is planned with the planner of the inference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from tinyc.ir.tensor import TensorName
from tinyc.learning.sparse.layers import (
    AddLayer,
    CurveLayer,
    GainLayer,
    Layer,
    NormLayer,
    PoolLayer,
    Weighted,
    is_wide,
)
from tinyc.memory import planner
from tinyc.memory.lifetimes import lower_bound
from tinyc.memory.plan import Buffer, Lifetime, MemoryPlan

# Whether these clamped is seen from what they read.
_UNMASKED = (GainLayer, CurveLayer)


class Kind(IntEnum):
    """What a step does. The names are those of `enum sparse_kind` in sparse.h."""

    CONV = 0
    DEPTHWISE = 1
    AVERAGE = 2
    MEAN = 3
    ADD = 4
    LOGITS = 5
    LOSS = 6
    CONV_INPUT = 7
    CONV_UPDATE = 8
    DEPTHWISE_BACK = 9
    POOL_BACK = 10
    ADD_BACK = 11
    GAIN = 12
    LINEAR = 13
    GAIN_BACK = 14
    NORM = 15
    NORM_BACK = 16
    CURVE = 17
    CURVE_BACK = 18


@dataclass(frozen=True, slots=True)
class Trained:
    """What learns in one layer: some rows of its weights, in ascending order, and all biases or none. Of a
    gain the rows are its channels, and there are no biases."""

    rows: tuple[int, ...]
    biases: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """`layer` is the number of the layer. `target` is the tensor that a gradient step writes the gradient
    of, "" when it writes none; `accumulate` adds to what is there."""

    kind: Kind
    layer: int
    target: TensorName = ""
    accumulate: bool = False


@dataclass(frozen=True, slots=True)
class Program:
    """Steps and memory of forward and backward pass.

    `forward` is the number of forward steps. `shared` names the tensors whose gradient is the same for all
    pixels: one vector stands for it. `work` counts the 4-byte words for one row of weights or of its
    gradient, with the plane of a depthwise gradient behind it.
    """

    layers: tuple[Layer, ...]
    trained: Mapping[str, Trained]
    steps: tuple[Step, ...]
    forward: int
    shared: frozenset[TensorName]
    plan: MemoryPlan
    work: int
    places: Mapping[str, int] = field(repr=False)

    def place(self, name: str) -> int:
        """Byte offset in the arena of `value:T`, `mask:T` or `gradient:T`; -1 for what has no place there."""
        return self.places.get(name, -1)

    def producer(self, name: TensorName) -> Layer:
        """The layer that writes a tensor. Raises StopIteration for the tap."""
        return next(layer for layer in self.layers if layer.output == name)

    @property
    def scratch_bytes(self) -> int:
        """Arena and work row."""
        return -(-self.plan.arena_size // 16) * 16 + 4 * self.work


def make_program(layers: tuple[Layer, ...], trained: Mapping[str, Trained], capacity: int) -> Program:
    """The program that trains `trained` (by layer name), with the smallest arena the planner finds."""
    return _Maker(layers, trained, capacity).make()


def scratch_bound(layers: tuple[Layer, ...], trained: Mapping[str, Trained], capacity: int) -> int:
    """Bytes of scratch that no plan of the program can do with less of; far quicker than the plan."""
    return _Maker(layers, trained, capacity).bound()


class _Maker:
    def __init__(self, layers: tuple[Layer, ...], trained: Mapping[str, Trained], capacity: int) -> None:
        self.layers = layers
        self.trained = dict(trained)
        self.capacity = capacity
        self.tap = layers[0].input
        # Tensors whose gradient is wanted: something trained lies at or in front of their producer.
        self.wanted: set[TensorName] = set()
        for layer in layers:
            if layer.name in self.trained or self.wanted & set(_reads(layer)):
                self.wanted.add(layer.output)
        self.shared = frozenset(
            layer.output for layer in layers if layer.y.pixels == 1 or self._only_pooled(layer.output)
        )
        self.steps: list[Step] = []
        # Gradient buffers that lie in the place of another one.
        self.same: dict[TensorName, TensorName] = {}

    def readers(self, name: TensorName) -> list[Layer]:
        return [layer for layer in self.layers if name in _reads(layer)]

    def _only_pooled(self, name: TensorName) -> bool:
        readers = self.readers(name)
        return len(readers) == 1 and isinstance(readers[0], PoolLayer)

    def make(self) -> Program:
        for index, layer in enumerate(self.layers):
            self.steps.append(Step(_forward_kind(layer), index))
        forward = len(self.steps)
        self._backward()
        requests, names = self._buffers(forward)
        plan = planner.place(requests)
        places = {name: plan.buffer_offset(holder) for name, holder in names.items()}
        return Program(
            self.layers,
            self.trained,
            tuple(self.steps),
            forward,
            self.shared,
            plan,
            self._work(),
            places,
        )

    def bound(self) -> int:
        for index, layer in enumerate(self.layers):
            self.steps.append(Step(_forward_kind(layer), index))
        forward = len(self.steps)
        self._backward()
        return lower_bound(self._buffers(forward)[0]) + 4 * self._work()

    def _backward(self) -> None:
        last = len(self.layers) - 1
        if self.layers[last].output not in self.wanted:
            return
        self.steps.append(Step(Kind.LOSS, last))
        written: set[TensorName] = set()
        for index in range(last, -1, -1):
            layer = self.layers[index]
            if layer.output not in self.wanted:
                continue
            targets = [name for name in _reads(layer) if name in self.wanted]
            if isinstance(layer, Weighted):
                target = layer.input if layer.input in targets else ""
                self._weighted(index, layer, target, target in written)
                if layer.residual is not None and layer.residual.input in targets:
                    name = layer.residual.input
                    self.steps.append(Step(Kind.ADD_BACK, index, name, name in written))
            elif isinstance(layer, GainLayer):
                target = targets[0] if targets else ""
                self.steps.append(Step(Kind.GAIN_BACK, index, target, target in written))
            elif isinstance(layer, NormLayer | CurveLayer):
                kind = Kind.NORM_BACK if isinstance(layer, NormLayer) else Kind.CURVE_BACK
                self.steps.append(Step(kind, index, targets[0], targets[0] in written))
            else:
                kind = Kind.POOL_BACK if isinstance(layer, PoolLayer) else Kind.ADD_BACK
                for at, target in enumerate(targets):
                    adds = target in written or target in targets[:at]
                    self.steps.append(Step(kind, index, target, adds))
            written.update(targets)

    def _weighted(self, index: int, layer: Weighted, target: TensorName, adds: bool) -> None:
        if layer.depthwise:
            self.steps.append(Step(Kind.DEPTHWISE_BACK, index, target, adds))
            alone = len(self.readers(target)) == 1 if target else False
            if alone and layer.x == layer.y and not {target, layer.output} & self.shared:
                self.same[target] = self.same.get(layer.output, layer.output)
            return
        # The gradient of the input comes first: it takes the weights before their step.
        if target:
            self.steps.append(Step(Kind.CONV_INPUT, index, target, adds))
        if layer.name in self.trained:
            self.steps.append(Step(Kind.CONV_UPDATE, index))

    def _buffers(self, forward: int) -> tuple[list[Buffer], dict[str, str]]:
        """Requests for the planner, and the name of the buffer of each thing that has a place."""
        first: dict[str, int] = {}
        last: dict[str, int] = {}
        sizes: dict[str, int] = {}
        holder: dict[str, str] = {}

        def use(name: str, step: int, size: int, same: str = "") -> None:
            holder[name] = same or name
            key = holder[name]
            first.setdefault(key, step)
            last[key] = step
            sizes[key] = max(sizes.get(key, 0), size)

        for at, step in enumerate(self.steps):
            layer = self.layers[step.layer]
            if at < forward:
                for name in _reads(layer):
                    if name != self.tap:
                        use(f"value:{name}", at, 0)
                if at == forward - 1:
                    use(f"gradient:{layer.output}", at, 4 * self.capacity)
                    continue
                use(f"value:{layer.output}", at, layer.y.elements * self._width(layer.output))
                if layer.output in self.wanted and not isinstance(layer, _UNMASKED):
                    use(f"mask:{layer.output}", at, (layer.y.elements + 7) // 8)
                continue
            if step.kind is Kind.LOSS:
                use(f"gradient:{layer.output}", at, 0)
                continue
            self._use_gradient(layer.output, at, use)
            if step.layer != len(self.layers) - 1 and not isinstance(layer, _UNMASKED):
                use(f"mask:{layer.output}", at, 0)
            trains = (
                isinstance(layer, GainLayer | NormLayer | CurveLayer)
                or self.trained.get(layer.name, Trained(())).rows
            )
            if trains and step.kind is not Kind.CONV_INPUT and layer.input != self.tap:
                use(f"value:{layer.input}", at, 0)
            if step.target:
                self._use_gradient(step.target, at, use)
        requests = [Buffer(name, sizes[name], Lifetime(first[name], last[name])) for name in first]
        return requests, holder

    def _width(self, name: TensorName) -> int:
        return 2 if is_wide(self.layers, name) else 1

    def _use_gradient(self, name: TensorName, at: int, use: _Use) -> None:
        producer = next(layer for layer in self.layers if layer.output == name)
        size = 0
        if producer is not self.layers[-1]:
            size = 4 * (producer.y.channels if name in self.shared else producer.y.elements)
        same = self.same.get(name, "")
        use(f"gradient:{name}", at, size, f"gradient:{same}" if same else "")

    def _work(self) -> int:
        words = 1
        for step in self.steps:
            layer = self.layers[step.layer]
            if step.kind in (Kind.CONV, Kind.CONV_INPUT, Kind.CONV_UPDATE) and isinstance(layer, Weighted):
                words = max(words, layer.row)
            if step.kind is Kind.DEPTHWISE_BACK and isinstance(layer, Weighted):
                words = max(words, layer.row + (layer.x.pixels if step.target else 0))
        return words


class _Use(Protocol):
    """The signature of `use` in `_Maker._buffers`."""

    def __call__(self, name: str, step: int, size: int, same: str = "") -> None: ...


def _reads(layer: Layer) -> tuple[TensorName, ...]:
    if isinstance(layer, Weighted) and layer.residual is not None:
        return (layer.input, layer.residual.input)
    return (layer.input, layer.other) if isinstance(layer, AddLayer) else (layer.input,)


def _forward_kind(layer: Layer) -> Kind:
    if isinstance(layer, PoolLayer):
        return Kind.MEAN if layer.multiplier else Kind.AVERAGE
    if isinstance(layer, AddLayer):
        return Kind.ADD
    if isinstance(layer, GainLayer):
        return Kind.GAIN
    if isinstance(layer, NormLayer | CurveLayer):
        return Kind.NORM if isinstance(layer, NormLayer) else Kind.CURVE
    if layer.is_logits:
        return Kind.LOGITS
    if layer.linear:
        return Kind.LINEAR
    return Kind.DEPTHWISE if layer.depthwise else Kind.CONV
