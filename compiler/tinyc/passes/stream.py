"""Rewrites a model over a stretch of time into one that goes through a stream, some frames an inference.

The passes of `PIPELINE` come first: they undo what converters do to convolutions along time, and the graph
is quantized. Layers with windows along time get what they need of earlier frames out of buffers, which are
states; all others take the new frames alone. The approach is that of Rybakov et al., "Streaming keyword
spotting on mobile devices" (2020), without changes to the model by hand.
"""

from __future__ import annotations

import math

from tinyc.errors import Problem, TinycError
from tinyc.ir.graph import Graph, verify
from tinyc.ir.stream import Stream
from tinyc.ir.tensor import TensorName
from tinyc.passes.remove_dead import remove_dead
from tinyc.passes.stream_graph import StreamGraph
from tinyc.passes.stream_rules import stream_layer
from tinyc.passes.stream_time import Coarser, Frames, Refused

_HINT = (
    'a streaming model looks back only: convolutions along time with padding="causal" or "valid", no layer '
    "that needs frames to come, and no recurrent layer that is unrolled"
)


def stream(graph: Graph, axis: int | None = None) -> Graph:
    """The streaming form of `graph`, whose input has its frames along `axis`: by default along axis 1 of [1,
    frames, ...], where frames have an axis of their own.

    Its outputs are those of `graph` frame by frame, bit for bit, after `Stream.warm_up` inferences. An
    inference takes as many frames as the strides along time ask for.
    Raises TinycError that lists all layers which have no such form.
    """
    if len(graph.inputs) != 1:
        raise TinycError("a streaming model has one input", where=f"model {graph.name}")
    (name,) = graph.inputs
    shape = graph[name].shape
    if axis is None:
        axis = _usual_axis(graph, name)
    if not 0 <= axis < len(shape) or math.prod(shape[:axis]) != 1:
        raise TinycError(
            f"axis {axis} of input `{name}`, {list(shape)}, cannot be time",
            where=f"model {graph.name}",
            allowed="an axis with only axes of one element in front of it",
            hint="name it by `time_axis` under [model] in tinyc.toml",
        )
    if shape[axis] == 1:
        raise TinycError(
            f"input `{name}`, {list(shape)}, has one frame along axis {axis} already",
            where=f"model {graph.name}",
            hint="leave `streaming` out, a model with state keeps it between inferences; or name another "
            "axis by `time_axis` under [model] in tinyc.toml",
        )
    step = 1
    while True:
        if step > shape[axis]:
            raise TinycError(
                f"an inference needs {step} frames of the {shape[axis]} that the model has",
                where=f"model {graph.name}",
                hint="strides along time that divide each other leave fewer",
            )
        try:
            return _rewritten(graph, axis, step)
        except Coarser as error:
            step *= error.factor


def _usual_axis(graph: Graph, name: TensorName) -> int:
    shape = graph[name].shape
    if len(shape) < 3:
        raise TinycError(
            f"input `{name}`, {list(shape)}, has no frames along time",
            where=f"model {graph.name}",
            allowed="[1, frames, ...], where each frame has at least one axis",
            hint="time_axis = 1 under [model] in tinyc.toml if each number is a frame, as samples are; "
            "leave `streaming` out if they are the features of one inference",
        )
    return 1


def _rewritten(graph: Graph, axis: int, step: int) -> Graph:
    (source,) = graph.inputs
    shape = graph[source].shape
    done = StreamGraph(graph)
    kept = {state.name for state in graph.states}
    done.tensors |= {t.name: t for t in graph.tensors.values() if t.is_constant or t.name in kept}
    done.tensors[source] = graph[source].with_(shape=(*shape[:axis], step, *shape[axis + 1 :]))
    done.timing[source] = Frames(axis, step)
    done.states += graph.states
    _walk(graph, done)
    if done.problems:
        problems = [Problem(where, what) for where, what in dict.fromkeys(done.problems)]
        raise TinycError(
            f"{len(problems)} layer{'s' * (len(problems) > 1)} cannot go through a stream frame by frame",
            where=f"model {graph.name}",
            problems=problems,
            hint=_HINT,
        )
    outputs = tuple(done.here(name).name for name in graph.outputs)
    timing = [done.timing[name] for name in graph.outputs]
    lags = tuple(each.lag if isinstance(each, Frames) else 0 for each in timing)
    told = Stream(axis, step, max(each.warm_up for each in timing), lags, shape[axis], graph.macs())
    made = Graph(graph.name, done.tensors, tuple(done.ops), graph.inputs, outputs, tuple(done.states), told)
    return verify(remove_dead(made))


def _walk(graph: Graph, done: StreamGraph) -> None:
    """Add all layers to `done`. What reads a layer without a streaming form is not looked at."""
    unknown: set[TensorName] = set()
    for op in graph.ops:
        if unknown.intersection(op.inputs):
            unknown.update(op.outputs)
            continue
        try:
            stream_layer(done, op)
        except Refused as error:
            done.refuse(op, error)
            unknown.update(op.outputs)
    for name in graph.outputs:
        timing = done.timing.get(name)
        if not isinstance(timing, Frames) or (writer := graph.producer(name)) is None:
            continue
        try:
            timing.require_no_border()
            if timing.lag < 0:
                raise Refused("pads an output in front of the first frame")
        except Refused as error:
            done.refuse(writer, error)
