"""`tinyc inspect`: what is in a model, before or after the passes."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tinyc.cli import output
from tinyc.cli.options import Json, Model


def command(
    model: Model = None,
    raw: Annotated[bool, typer.Option("--raw", help="As loaded, before the passes")] = False,
    text: Annotated[bool, typer.Option("--text", help="The canonical text of the graph")] = False,
    json: Json = False,
) -> None:
    """Show the layers of a model."""
    from tinyc import frontends, passes
    from tinyc.ir.printer import format_graph
    from tinyc.source import resolve

    source = resolve(model)
    graph = frontends.load(source.path)
    if not raw:
        graph = passes.run(graph)
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
        output.as_json({"model": graph.name, "digest": graph.digest(), "layers": layers})
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
        note=f"digest {graph.digest()}",
    )
