"""Instructions, estimated cycles and memory of the MLPerf Tiny models on the emulated nRF52840.

    python benchmarks/mlperf_tiny.py [FOLDER OF MODELS] [--board nrf52840] [--toolchain zig]

Beside each figure stands what TensorFlow Lite Micro with CMSIS-NN takes, where
`../baselines/cortex_m4.json` next to the models has it. Nothing here is timed: instructions are
counted, cycles are estimated from the core's published timings.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

from tinyc import frontends, passes, pipeline, profiling
from tinyc.boards import load_board
from tinyc.cli import output

MODELS = {
    "kws": "mlperf_tiny/kws_ref_model.tflite",
    "ic": "mlperf_tiny/pretrainedResnet_quant.tflite",
    "vww": "mlperf_tiny/vww_96_int8.tflite",
    "ad": "mlperf_tiny/ad01_int8.tflite",
    "sww": "mlperf_tiny/str_ww_ref_model.tflite",
}


def main() -> None:
    default = Path(os.environ.get("TINYC_SHARED", Path(__file__).parents[2] / "shared")) / "models"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", type=Path, nargs="?", default=default)
    parser.add_argument("--board", default="nrf52840")
    parser.add_argument("--toolchain", default="zig")
    options = parser.parse_args()
    board = load_board(options.board)
    baseline_path = options.models.parent / "baselines" / "cortex_m4.json"
    baselines = json.loads(baseline_path.read_text()) if baseline_path.is_file() else {}
    rows = []
    for name, file in MODELS.items():
        path = options.models / file
        if not path.is_file():
            output.talk(f"{path} is not here: skipped")
            continue
        graph = passes.legalize(passes.run(frontends.load(path)))
        program = pipeline.compile_graph(graph, board, name=name)
        with tempfile.TemporaryDirectory() as folder:
            firmware = pipeline.build(program, Path(folder), options.toolchain)
            result = profiling.profile(program, firmware.elf)
        peer = baselines.get(name, {})
        code = firmware.sizes.flash - firmware.sizes.weights
        rows.append(
            (
                name,
                f"{result['macs']:,}",
                f"{result['instructions']:,}",
                _ratio(peer.get("tflm_instructions"), result["instructions"]),
                f"{result['cycles_estimated']:,}",
                _ratio(peer.get("tflm_cycles"), result["cycles_estimated"]),
                f"{program.plan.arena_size:,} / {program.plan.lower_bound:,}",
                f"{peer['arena']:,}" if peer else "",
                f"{firmware.sizes.flash:,} ({code:,})",
                f"{peer['flash_total']:,}" if peer else "",
            )
        )
    columns = ("model", "MACs>", "instructions>", "TFLM/ours>", "cycles (estimate)>", "TFLM/ours>")
    columns += ("arena / lower bound>", "TFLM arena>", "flash (without constants)>", "TFLM flash>")
    output.table(f"MLPerf Tiny on the emulated {board.name}, toolchain {options.toolchain}", columns, rows)


def _ratio(peer: int | None, ours: int) -> str:
    return f"{peer / ours:.2f}" if peer else ""


if __name__ == "__main__":
    main()
