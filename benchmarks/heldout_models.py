"""Networks that no kernel was tuned on, layer by layer on the emulated nRF52840.

    python benchmarks/heldout_models.py [--models tcn resnet] [--toolchain gcc] [--json FILE]
    python benchmarks/heldout_models.py --folder DIR              # the .tflite files too, reused if there
    python benchmarks/heldout_models.py --folder DIR --peer FILE  # beside another stack's counts

The networks of `heldout_networks.py` have random weights and are quantized by TensorFlow (`dev` extra).
Counted as in `cortex_m4.py`: instructions exactly, cycles estimated, one pseudo-random input. `exact` tells
whether the chip gave the output bytes of the NumPy reference for that input.

FILE of `--peer` has the instructions of the operators of each .tflite, in the order of the file:
`{"tcn": {"layers": [{"op": "PAD", "instructions": 1234}, …]}, …}`. A layer here may stand for several
operators there (a PAD goes into its convolution); it is compared with the sum of those that compute its
output from what the layers before it give. `--markdown` prints the tables for the documents.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from cortex_m4_tables import Table, number, per, ratio, yes
from heldout_networks import NETWORKS, int8_model
from tinyc import frontends, interpreter, passes, pipeline, profiling
from tinyc.boards import load_board
from tinyc.cli import output
from tinyc.device.client import DeviceClient
from tinyc.emulator import Machine
from tinyc.errors import TinycError
from tinyc.execution import DeviceEngine
from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.objective import OBJECTIVES, Objective
from tinyc.program import Program
from tinyc.verification import random_vectors

BOARD = "nrf52840_bare"
LAYER_COLUMNS = ("#>", "op", "shapes", "kernel", "MACs>", "instructions>", "per MAC>", "cycles>")
BESIDE = ("peer>", "peer/ours>")
TWICE = 2
Counts: TypeAlias = "Sequence[int]"
"""Instructions of the peer by operator, in the order of the model file."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of the program; `peer` are the peer's instructions for the same work, None if not known."""

    model: str
    index: int
    op: str
    shapes: str
    kernel: str
    macs: int
    instructions: int
    cycles: int
    peer: int | None

    @property
    def factor(self) -> float | None:
        return self.peer / self.instructions if self.peer is not None else None


@dataclass(frozen=True, slots=True)
class Result:
    """One inference of one network. `peer` sums all operators of the file."""

    model: str
    macs: int
    instructions: int
    cycles: int
    peer: int | None
    exact: bool
    layers: tuple[Layer, ...]


def main() -> None:
    options = arguments()
    peers = json.loads(options.peer.read_text(encoding="utf-8")) if options.peer else {}
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in output.progress("measuring", options.models):
            path = folder / f"{name}.tflite"
            if not path.is_file():
                path.write_bytes(int8_model(NETWORKS[name]))
            counts = [layer["instructions"] for layer in peers[name]["layers"]] if name in peers else None
            results.append(measure(path, options.toolchain, Objective(options.optimize), counts))
    for table in tables(results):
        if options.markdown:
            output.data(f"### {table.title}\n\n{table.markdown()}\n\n")
        else:
            output.table(table.title, table.columns, table.rows)
    if options.json:
        options.json.write_text(json.dumps(to_json(results), indent=2) + "\n", encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--toolchain", choices=("zig", "gcc"), default="zig")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="keep the models here, use those there")
    objectives = [name for name in OBJECTIVES if name != Objective.TUNED.value]
    parser.add_argument("--optimize", choices=objectives, default=Objective.BALANCED.value)
    parser.add_argument("--peer", type=Path, metavar="FILE", help="instructions of another stack")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    return parser.parse_args()


def measure(path: Path, toolchain: str, optimize: Objective, peer: Counts | None) -> Result:
    """Compile, build and count one inference. Raises TinycError when `peer` is of another file."""
    model = frontends.load(path)
    if peer is not None and len(peer) != len(model.ops):
        raise TinycError(f"{len(peer)} operators counted, the model has {len(model.ops)}", where=str(path))
    graph = passes.legalize(passes.run(model))
    program = pipeline.compile_graph(graph, load_board(BOARD), name=path.stem, optimize=optimize)
    with tempfile.TemporaryDirectory() as folder:
        firmware = pipeline.build(program, Path(folder), toolchain)
        profile = profiling.profile(program, firmware.elf)
        exact = equals_reference(program, firmware.elf)
    layers = tuple(
        Layer(
            model=path.stem,
            index=step.index,
            op=step.op.kind,
            shapes=shapes(program.graph, step.op),
            kernel=step.kernel.symbol,
            macs=entry["macs"],
            instructions=entry["instructions"],
            cycles=entry["cycles_estimated"],
            peer=None if peer is None else peer_work(model, peer, program.graph, step.op),
        )
        for step, entry in zip(program.steps, profile["layers"], strict=True)
    )
    return Result(
        model=path.stem,
        macs=model.macs(),
        instructions=profile["instructions"],
        cycles=profile["cycles_estimated"],
        peer=None if peer is None else sum(peer),
        exact=exact,
        layers=layers,
    )


def equals_reference(program: Program, elf: Path) -> bool:
    """Whether the chip gives the bytes of the NumPy reference for the input that is counted."""
    (vector,) = random_vectors(program.graph, 1, 0)
    with Machine(elf, program.board) as machine:
        found = DeviceEngine(DeviceClient(machine.transport), program).run(vector)
    expected = interpreter.run(program.graph, vector)
    return all(one.tobytes() == other.tobytes() for one, other in zip(found, expected, strict=True))


def peer_work(model: Graph, peer: Counts, graph: Graph, op: Op) -> int | None:
    """Instructions of the operators of the file that lie between the layers before `op` and its outputs.

    None for a layer whose outputs are no tensors of the file.
    """
    makers = {name: index for index, one in enumerate(model.ops) for name in one.outputs}
    if any(name not in makers for name in op.outputs):
        return None
    known = {name for one in graph.ops if one is not op for name in one.outputs}
    wanted, found = list(op.outputs), set()
    while wanted:
        name = wanted.pop()
        if name in makers and name not in known:
            found.add(makers[name])
            wanted += model.ops[makers[name]].inputs
    return sum(peer[index] for index in found)


def shapes(graph: Graph, op: Op) -> str:
    """`8x8x27 → 8x8x51, 1x1`: batches of 1 left out; the window of layers that have one."""

    def text(name: str) -> str:
        extents = graph[name].shape
        return "x".join(map(str, extents[1:] if len(extents) > 1 and extents[0] == 1 else extents))

    return f"{text(op.inputs[0])} → {text(op.outputs[0])}{window(graph, op)}"


def window(graph: Graph, op: Op) -> str:
    if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        height, width = graph[op.inputs[1]].shape[1:3]
        steps: Any = op
        stride, dilation = steps.stride, steps.dilation
    elif op.kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        pool: Any = op
        height, width = pool.filter_height, pool.filter_width
        stride, dilation = (pool.stride_height, pool.stride_width), (1, 1)
    else:
        return ""
    parts = [f", {height}x{width}"]
    parts += [f"/{max(stride)}"] if max(stride) > 1 else []
    parts += [f" dilation {max(dilation)}"] if max(dilation) > 1 else []
    return "".join(parts)


def tables(results: Sequence[Result]) -> Iterator[Table]:
    """One table per network, then the networks, then the layers where the peer does better or nearly so."""
    with_peer = any(one.peer is not None for one in results)
    beside = BESIDE if with_peer else ()
    for one in results:
        yield Table(
            one.model,
            (*LAYER_COLUMNS, *beside),
            tuple(layer_row(layer, with_peer) for layer in one.layers),
        )
    yield Table(
        "Networks",
        ("network", "MACs>", "instructions>", "per MAC>", "cycles>", "exact", *beside),
        tuple(
            (
                one.model,
                number(one.macs),
                number(one.instructions),
                per(one.instructions, one.macs),
                number(one.cycles),
                yes(one.exact),
                *((number(one.peer), ratio(one.peer, one.instructions)) if with_peer else ()),
            )
            for one in results
        ),
    )
    if with_peer:
        yield kinds_table(results)
        yield slow_table(results)


def layer_row(layer: Layer, with_peer: bool) -> tuple[str, ...]:
    return (
        str(layer.index),
        layer.op,
        layer.shapes,
        layer.kernel.removeprefix("tinyc_"),
        number(layer.macs) if layer.macs else "",
        number(layer.instructions),
        per(layer.instructions, layer.macs),
        number(layer.cycles),
        *((number(layer.peer), ratio(layer.peer, layer.instructions)) if with_peer else ()),
    )


def kinds_table(results: Sequence[Result]) -> Table:
    """By kind of operator: how many layers take fewer instructions than the peer, and by how much."""
    layers = [layer for one in results for layer in one.layers if layer.factor is not None]
    rows = []
    for kind in [*sorted({layer.op for layer in layers}), "all"]:
        own = [layer for layer in layers if kind in (layer.op, "all")]
        factors = sorted(layer.factor for layer in own if layer.factor is not None)
        rows.append(
            (
                kind,
                number(len(own)),
                number(sum(factor < 1 for factor in factors)),
                number(sum(1 <= factor < TWICE for factor in factors)),
                number(sum(factor >= TWICE for factor in factors)),
                f"{factors[0]:.2f}",
                f"{factors[len(factors) // 2]:.2f}",
                ratio(sum(layer.peer or 0 for layer in own), sum(layer.instructions for layer in own)),
            )
        )
    columns = ("operator", "layers>", "below 1>", "1 to 2>", "2 and more>", "least>", "median>", "together>")
    return Table("peer/ours by operator", columns, tuple(rows))


def slow_table(results: Sequence[Result]) -> Table:
    """The layers that take more than half of the peer's instructions, the slowest first."""
    found = [(layer.factor, layer) for one in results for layer in one.layers if layer.factor is not None]
    slow = sorted((pair for pair in found if pair[0] < TWICE), key=lambda pair: pair[0])
    rows = tuple((layer.model, *layer_row(layer, True)) for _, layer in slow)
    return Table(f"Layers below {TWICE}", ("network", *LAYER_COLUMNS, *BESIDE), rows)


def to_json(results: Sequence[Result]) -> Mapping[str, Mapping[str, Any]]:
    return {
        one.model: {
            "macs": one.macs,
            "instructions": one.instructions,
            "cycles": one.cycles,
            "exact": one.exact,
            "layers": [
                {
                    "op": layer.op,
                    "shapes": layer.shapes,
                    "kernel": layer.kernel,
                    "macs": layer.macs,
                    "instructions": layer.instructions,
                    "cycles": layer.cycles,
                    "peer": layer.peer,
                }
                for layer in one.layers
            ],
        }
        for one in results
    }


if __name__ == "__main__":
    main()
