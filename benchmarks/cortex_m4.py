"""The MLPerf Tiny models on the emulated nRF52840, beside TensorFlow Lite Micro and the best published.

    python benchmarks/cortex_m4.py [--models kws ic] [--toolchain gcc] [--json FILE]
    python benchmarks/cortex_m4.py --compare OLD.json            # this run against an earlier one
    python benchmarks/cortex_m4.py --compare OLD.json NEW.json   # two earlier ones
    python benchmarks/cortex_m4.py --update-docs                 # the tables of README and performance.md

How it is counted: one inference of one pseudo-random input (`tinyc.profiling.profile`, seed 0, the
whole range of int8), from the entry of `<model>_invoke` to its return. Instructions are exact.
Cycles are estimated from the core's published timings with zero wait states; nothing is timed. The
counts hardly depend on the input. MACs are those of the model file, before any pass; a layer that
passes or kernels made of several counts for the operator that it is then.

`exact` tells whether five inputs per model, run on the emulated chip, gave the stored output bytes
of TensorFlow Lite Micro with CMSIS-NN. `code` is the flash of the ELF without the weights: kernels,
runtime, vector table, biases, multipliers and tables (the rule is `weight_bytes` below).

Models and baselines are looked for in $TINYC_SHARED, or `shared` beside the checkout: `models/`,
`baselines/cortex_m4.json` and `baselines/tflm_cmsis_nn_outputs.npz`. What is missing is left out.

`--json` writes {"kws": {"instructions", "cycles", "arena", "code", "exact", ...}, ...} for zig, or for
the only toolchain of the run; the other toolchain is under "toolchains" of each model.
Exit code 4 when an output differs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from cortex_m4_tables import (
    Baselines,
    Operator,
    Result,
    Table,
    drift,
    operators_table,
    replace_block,
    size_table,
    speed_table,
    summary_table,
    to_json,
)
from tinyc import frontends, passes, pipeline, profiling
from tinyc.boards import load_board
from tinyc.cli import output
from tinyc.device.client import DeviceClient
from tinyc.emit.symbols import weight_arrays
from tinyc.emulator import Machine
from tinyc.errors import TinycError
from tinyc.execution import DeviceEngine
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array
from tinyc.program import Program
from tinyc.toolchain import size_table as elf
from tinyc.toolchain.platformio import gcc_version, toolchain_version

ROOT = Path(__file__).resolve().parents[1]
BOARD = "nrf52840_bare"
TOOLCHAINS = ("zig", "gcc")
MODELS = {
    "kws": "mlperf_tiny/kws_ref_model.tflite",
    "ic": "mlperf_tiny/pretrainedResnet_quant.tflite",
    "vww": "mlperf_tiny/vww_96_int8.tflite",
    "ad": "mlperf_tiny/ad01_int8.tflite",
    "sww": "mlperf_tiny/str_ww_ref_model.tflite",
}
README, PAGE = ROOT / "README.md", ROOT / "docs" / "reference" / "performance.md"
BLOCK = "benchmarks/cortex_m4.py --update-docs"
DIFFERS = 4


def main() -> int:
    parser, options = arguments()
    if len(options.compare) == 2:
        show_drift(*map(read_json, options.compare))
        return 0
    shared = Path(os.environ.get("TINYC_SHARED", ROOT.parent / "shared"))
    paths = {name: shared / "models" / MODELS[name] for name in options.models}
    for path in paths.values():
        if not path.is_file():
            output.talk(f"{path} is not here: skipped")
    chosen = options.toolchain or [
        name for name in TOOLCHAINS if name != "gcc" or gcc_version(load_board(BOARD).instruction_set.family)
    ]
    toolchains = [name for name in TOOLCHAINS if name in chosen]
    present = [name for name, path in paths.items() if path.is_file()]
    if not present:
        raise TinycError("there is no model to run", where=str(shared), hint="set TINYC_SHARED")
    if options.update_docs and (len(present), len(toolchains)) != (len(MODELS), len(TOOLCHAINS)):
        parser.error("--update-docs needs all models and both toolchains")
    if options.update_docs and not options.fpu:
        parser.error("--update-docs is for the chip as it is")
    baselines, stored = read_baselines(shared / "baselines")
    work = list(product(toolchains, present))
    results = [
        measure(name, paths[name], toolchain, stored, fpu=options.fpu)
        for toolchain, name in output.progress("measuring", work)
    ]
    by_toolchain = {
        label(toolchain): [one for one in results if one.toolchain == toolchain] for toolchain in toolchains
    }
    if options.markdown:
        output.data(page(by_toolchain, baselines))
    else:
        for name, found in by_toolchain.items():
            for table in tables(found, baselines):
                show(table, f", emulated {BOARD}, {name}")
    if options.json:
        options.json.write_text(json.dumps(to_json(results), indent=2) + "\n", encoding="utf-8")
    if options.update_docs:
        first = [one for one in results if one.toolchain == TOOLCHAINS[0]]
        write_block(README, summary_table(first, baselines).markdown())
        write_block(PAGE, page(by_toolchain, baselines))
    if options.compare:
        show_drift(read_json(options.compare[0]), to_json(results))
    return DIFFERS if any(one.exact is False for one in results) else 0


def arguments() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--toolchain", nargs="+", choices=TOOLCHAINS, help="default: all that are installed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    parser.add_argument(
        "--no-fpu", dest="fpu", action="store_false", help="as if the chip had no FPU (nothing for the docs)"
    )
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument("--update-docs", action="store_true", help="write them into README.md and docs/")
    parser.add_argument(
        "--compare", nargs="+", type=Path, default=[], metavar="FILE", help="one or two files of --json"
    )
    options = parser.parse_args()
    if len(options.compare) > 2:
        parser.error("--compare takes one file or two")
    return parser, options


def measure(
    name: str, path: Path, toolchain: str, stored: Mapping[str, Array], *, fpu: bool = True
) -> Result:
    """Compile, build, count one inference and compare the stored outputs."""
    model, board = frontends.load(path), load_board(BOARD)
    if not fpu:
        board = replace(board, features=board.features - {"fpu"})
    program = pipeline.compile_graph(passes.legalize(passes.run(model)), board, name=name)
    with tempfile.TemporaryDirectory() as folder:
        firmware = pipeline.build(program, Path(folder), toolchain)
        profile = profiling.profile(program, firmware.elf)
        return Result(
            model=name,
            toolchain=toolchain,
            macs=model.macs(),
            instructions=profile["instructions"],
            cycles=profile["cycles_estimated"],
            ms=profile["milliseconds_estimated"],
            arena=program.plan.arena_size,
            arena_lower_bound=program.plan.lower_bound,
            flash=firmware.sizes.flash,
            weights=weight_bytes(program, firmware.elf),
            file=path.stat().st_size,
            exact=equals_stored(program, firmware.elf, stored),
            operators=by_operator(model, profile["layers"]),
        )


def weight_bytes(program: Program, path: Path) -> int:
    """Bytes of weights in the ELF: of the arrays that `tinyc.emit.symbols.is_weights` tells.

    Arrays that lie at one address count once. Biases and constants of the requantization that lie
    between the weights do not count: they and everything else in flash are code.
    """
    names = weight_arrays(program)
    between = sum(step.lowered.channel_bytes for step in program.steps)
    return sum(entry.bytes for entry in elf.size_table(path) if entry.name in names) - between


def equals_stored(program: Program, path: Path, stored: Mapping[str, Array]) -> bool | None:
    """Whether the chip gives the stored output bytes for all stored inputs; None without any."""
    if f"{program.name}_inputs" not in stored:
        return None
    shape = program.graph[program.graph.inputs[0]].shape
    inputs, outputs = stored[f"{program.name}_inputs"], stored[f"{program.name}_outputs"]
    with Machine(path, program.board) as machine:
        engine = DeviceEngine(DeviceClient(machine.transport), program)
        return all(
            engine.run([values.reshape(shape)])[0].tobytes() == expected.tobytes()
            for values, expected in zip(inputs, outputs, strict=True)
        )


def by_operator(model: Graph, layers: Sequence[Mapping[str, Any]]) -> tuple[Operator, ...]:
    """The layers of a profile summed by kind, most instructions first. Fused layers are one more kind."""
    kinds = {name: layer["op"] for layer in layers for name in str(layer["name"]).split(" + ")}
    macs: dict[str, int] = {}
    for op in model.ops:
        kind = kinds[op.name] if "+" in kinds.get(op.name, "") else op.kind
        macs[kind] = macs.get(kind, 0) + op.macs(model.operands(op), model.results(op))
    found = []
    for kind in {layer["op"] for layer in layers}:
        own = [layer for layer in layers if layer["op"] == kind]
        found.append(
            Operator(
                kind=kind,
                layers=len(own),
                macs=macs.get(kind, 0),
                instructions=sum(layer["instructions"] for layer in own),
                cycles=sum(layer["cycles_estimated"] for layer in own),
                ms=sum(layer["milliseconds_estimated"] for layer in own),
                constants=sum(layer["weights"] for layer in own),
            )
        )
    return tuple(sorted(found, key=lambda operator: (-operator.instructions, operator.kind)))


def read_baselines(folder: Path) -> tuple[Baselines, Mapping[str, Array]]:
    """Figures and stored outputs of TensorFlow Lite Micro; empty where they are missing."""
    figures, outputs = folder / "cortex_m4.json", folder / "tflm_cmsis_nn_outputs.npz"
    return (
        read_json(figures) if figures.is_file() else {},
        dict(np.load(outputs)) if outputs.is_file() else {},
    )


def read_json(path: Path) -> dict[str, Any]:
    """Raises TinycError for a file that cannot be read or is no object."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TinycError(f"cannot read the figures: {error}", where=str(path)) from error
    if not isinstance(found, dict):
        raise TinycError("does not hold figures by model", where=str(path))
    return found


def label(toolchain: str) -> str:
    """`zig 0.17.1`. Raises TinycError when it is not installed."""
    return (
        toolchain_version(toolchain, load_board(BOARD).instruction_set.family).split()[0].replace("-", " ", 1)
    )


def tables(results: Sequence[Result], baselines: Baselines) -> tuple[Table, ...]:
    return speed_table(results, baselines), size_table(results, baselines), operators_table(results)


def page(by_toolchain: Mapping[str, Sequence[Result]], baselines: Baselines) -> str:
    """All tables as Markdown, a chapter for each toolchain."""
    parts = []
    for name, results in by_toolchain.items():
        parts.append(f"## {name}")
        for table in tables(results, baselines):
            parts += [f"### {table.title}, {name}", table.markdown()]
    return "\n\n".join(parts)


def write_block(path: Path, content: str) -> None:
    path.write_text(replace_block(path.read_text(encoding="utf-8"), BLOCK, content), encoding="utf-8")


def show(table: Table, where: str = "") -> None:
    output.table(table.title + where, table.columns, table.rows)


def show_drift(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    try:
        found = drift(old, new)
    except ValueError as error:
        raise TinycError(str(error)) from error
    if found.rows:
        show(found)
    else:
        output.talk("no figure differs")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TinycError as error:
        output.report_error(error)
        sys.exit(1)
