"""`tinyc inspect`: what is in a model, before or after the passes."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tinyc.cli import output
from tinyc.cli.options import Json, Model, Streaming
from tinyc.errors import TinycError
from tinyc.ir.tensor import Tensor


def command(
    model: Model = None,
    raw: Annotated[bool, typer.Option("--raw", help="As loaded, before the passes")] = False,
    text: Annotated[bool, typer.Option("--text", help="The canonical text of the graph")] = False,
    streaming: Streaming = None,
    json: Json = False,
) -> None:
    """Show the layers of a model."""
    from tinyc import frontends, passes
    from tinyc.ir.printer import format_graph
    from tinyc.passes.stream import stream
    from tinyc.source import resolve

    if raw and streaming:
        raise TinycError("--raw shows a model as loaded, --streaming after the passes", hint="leave one out")
    source = resolve(model, streaming=streaming)
    graph = frontends.load(source.path)
    if not raw:
        graph = passes.run(graph)
        if source.streaming:
            # An operator that is not there has no streaming form either, which would not be the reason.
            graph = stream(passes.legalize(graph, allow_float=True), source.time_axis)
    if text:
        output.data(format_graph(graph))
        return
    layers: list[dict[str, Any]] = []
    for index, op in enumerate(graph.ops):
        result = graph.results(op)[0]
        layers.append(
            {
                "layer": index,
                "name": op.name,
                "op": op.kind,
                "output_shape": list(result.shape),
                "dtype": result.dtype.value[0],
                "macs": op.macs(graph.operands(op), graph.results(op)),
                "constant_bytes": sum(t.bytes for t in graph.operands(op) if t.is_constant),
            }
        )
    if json:
        edges = {
            edge: [{"name": name, "shape": list(graph[name].shape)} for name in names]
            for edge, names in (("inputs", graph.inputs), ("outputs", graph.outputs))
        }
        output.as_json({"model": graph.name, "digest": graph.digest(), **edges, "layers": layers})
        return
    output.table(
        f"{graph.name}: {len(layers)} layers, {graph.macs():,} MACs",
        ("#>", "layer", "op", "output", "dtype", "MACs>", "constants>"),
        (
            (
                row["layer"],
                row["name"],
                row["op"],
                "x".join(map(str, row["output_shape"])),
                row["dtype"],
                f"{row['macs']:,}",
                f"{row['constant_bytes']:,} B",
            )
            for row in layers
        ),
        note="\n".join(
            [
                *(f"input {_described(graph[name])}" for name in graph.inputs),
                *(f"output {_described(graph[name])}" for name in graph.outputs),
                f"digest {graph.digest()}",
            ]
        ),
    )


def _described(tensor: Tensor) -> str:
    return f"{tensor.name}: {tensor.dtype.value[0]} {'x'.join(map(str, tensor.shape))}"
