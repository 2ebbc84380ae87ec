"""Accuracy of the trained sentence classifiers with token tables of 8, 6 and 4 bits.

    python benchmarks/embedding_bits.py [FILE.toml ...]

All rows of the evaluation data, with the integer reference. Weights are those of the nRF52840's program.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bert import BOARD, EXAMPLE, noise_ratio, scores
from tinyc import pipeline
from tinyc.boards import load_board
from tinyc.cli import output
from tinyc.preparation import prepare
from tinyc.source import load_samples, resolve


def row(path: Path, bits: int) -> tuple[str, ...]:
    """One line of the table."""
    source = resolve(path, embedding_bits=bits)
    prepared = prepare(source)
    assert prepared.float_graph is not None and source.evaluation is not None
    columns, labels = load_samples(source.evaluation, prepared.graph.inputs)
    assert labels is not None
    tensor = prepared.graph[prepared.graph.inputs[0]]
    rows = [ids.reshape(tensor.shape).astype(tensor.dtype.numpy) for ids in columns[0]]
    real, quantized = scores(prepared.float_graph, rows), scores(prepared.graph, rows)
    program = pipeline.compile_graph(prepared.graph, load_board(BOARD), name=source.name)
    weights = sum(step.kernel.lower(step.op, program.graph).constant_bytes() for step in program.steps)
    answers = quantized.argmax(axis=1)
    return (
        path.stem,
        str(bits),
        f"{weights:,}",
        f"{100 * (real.argmax(axis=1) == labels).mean():.2f}",
        f"{100 * (answers == labels).mean():.2f}",
        f"{100 * (answers == real.argmax(axis=1)).mean():.2f}",
        f"{noise_ratio(real, quantized):.1f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", type=Path)
    given = parser.parse_args().models or [EXAMPLE / "snips.toml", EXAMPLE / "hwu64.toml"]
    headings = ("set", "bits", "weights B>", "float32>", "quantized>", "agreement>", "SNR dB>")
    output.table("", headings, [row(path, bits) for path in given for bits in (8, 6, 4)])


if __name__ == "__main__":
    main()
