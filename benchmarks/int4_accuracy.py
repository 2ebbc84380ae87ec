"""Accuracy of the float models of examples with weights of eight and of four bits.

    python benchmarks/int4_accuracy.py [tinyc.toml ...]

All rows of the evaluation data, which the quantizer does not see, with the integer reference. Constants are
those of the nRF52840's program, chosen as by default and with `--optimize flash`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from tinyc import pipeline
from tinyc.boards import load_board
from tinyc.cli import output
from tinyc.objective import Objective
from tinyc.preparation import prepare
from tinyc.quantize.measure import measure_accuracy
from tinyc.quantize.options import Weights
from tinyc.source import load_samples, resolve

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
BOARD = "nrf52840"


def rows(path: Path) -> Iterator[tuple[str, ...]]:
    """A line of the table for each type of weights."""
    for weights in Weights:
        source = resolve(path, weights=weights)
        prepared = prepare(source)
        assert prepared.float_graph is not None and source.evaluation is not None
        columns, labels = load_samples(source.evaluation, prepared.graph.inputs)
        assert labels is not None and prepared.bill is not None
        shapes = [prepared.graph[name].shape for name in prepared.graph.inputs]
        samples = [
            tuple(value.reshape(shape).astype("float32") for value, shape in zip(row, shapes, strict=True))
            for row in zip(*columns, strict=True)
        ]
        found = measure_accuracy(prepared.float_graph, prepared.graph, samples, labels, None)
        sizes = []
        for objective in (Objective.BALANCED, Objective.FLASH):
            program = pipeline.compile_graph(
                prepared.graph, load_board(BOARD), name=source.name, optimize=objective
            )
            sizes.append(f"{program.weight_bytes:,}")
        yield (
            source.name,
            weights.value,
            str(found.samples),
            f"{100 * found.float_top1:.2f}",
            f"{100 * found.int8_top1:.2f}",
            f"{100 * found.agreement:.2f}",
            f"{prepared.bill['network_sqnr_db']:.1f}",
            *sizes,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", type=Path)
    given = parser.parse_args().models or [EXAMPLES / name for name in ("gesture", "keyword_spotting")]
    headings = ("model", "weights", "rows>", "float32>", "quantized>", "agreement>", "SQNR dB>")
    constants = ("constants B, balanced>", "constants B, flash>")
    output.table("", (*headings, *constants), [row for path in given for row in rows(path)])


if __name__ == "__main__":
    main()
