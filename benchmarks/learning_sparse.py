"""Back-propagation into the last layers: memory, gradients, accuracy against float, cost of an update.

    PYTHONPATH=compiler:tests:benchmarks python benchmarks/learning_sparse.py SHARED

Needs TensorFlow, and the shared models and data beside the checkout.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from support.learning_chip import ChipHead
from support.sparse_chip import keyword_block, side_by_side
from support.sparse_sentences import NEW_INTENTS, intent_task, learned
from tinyc import frontends, interpreter, passes
from tinyc.boards import load_board
from tinyc.learning.sparse.choose import choose, designed, energies, taps
from tinyc.learning.sparse.cut import cut

MODELS = {
    "ds_cnn": ("kws_ref_model.tflite", (1, 49, 10, 1)),
    "mobilenet_v1_025": ("vww_96_int8.tflite", (1, 96, 96, 3)),
}
SEEDS = (0, 1, 2)


def memory(shared: Path) -> dict[str, Any]:
    """What the compiler lets learn within 64 kB of RAM beyond inference, by model."""
    found = {}
    for name, (file, size) in MODELS.items():
        graph = passes.legalize(passes.run(frontends.load(shared / "models" / "mlperf_tiny" / file)))
        capacity = graph[graph.outputs[0]].elements
        rng = np.random.default_rng(4)
        smooth = [np.cumsum(rng.normal(0, 20, size), axis=1) for _ in range(8)]
        inputs = [np.clip(each, -128, 127).astype(np.int8) for each in smooth]

        def latents(tap: str, graph: Any = graph, inputs: Any = inputs) -> Any:
            body = cut(graph, tap).body
            return np.array([interpreter.run(body, [each])[0].reshape(-1) for each in inputs])

        first = taps(graph, capacity)[-1]
        energy = energies(cut(graph, first), capacity, latents(first), np.arange(8) % capacity)
        choice = choose(graph, energy, capacity)
        _, design = designed(graph, choice, capacity=capacity, latents=latents(choice.tap), learning_rate=0.1)
        found[name] = {
            "ram_bytes": design.ram_bytes,
            "state_bytes": design.state_bytes,
            "scratch_bytes": design.scratch_bytes,
            "tap": choice.tap,
            "layers": dict(design.notes),
        }
    return found


def gradients(seeds: Sequence[int] = SEEDS) -> float:
    """The largest difference from TensorFlow's gradients, of the largest element of a tensor."""
    from support.sparse_tensorflow import NETWORKS, gradient_errors

    errors = [
        error
        for network in NETWORKS
        for seed in seeds
        for error, _ in gradient_errors(network(seed)).values()
    ]
    return float(max(errors))


def accuracy(shared: Path, seeds: Sequence[int] = SEEDS) -> dict[str, Any]:
    """A keyword network that learns the digits of a new speaker: on the device and in float on the host."""
    from support.sparse_digits import digit_task, fine_tuned

    task = digit_task(shared)
    pairs = np.array(fine_tuned(task, seeds))
    return {
        "before": task.right(task.design.head().scores_many(task.tests)),
        "device": {"mean": float(pairs[:, 0].mean()), "spread": float(pairs[:, 0].std())},
        "float": {"mean": float(pairs[:, 1].mean()), "spread": float(pairs[:, 1].std())},
        "difference": float((pairs[:, 0] - pairs[:, 1]).mean()),
        "seeds": list(seeds),
        "ram_bytes": task.design.ram_bytes,
    }


def intents(seeds: Sequence[int] = (0, 1, 2, 3)) -> dict[str, Any]:
    """The shipped EmbBERT learns new intents, with the gain of its last norm and without; what that costs."""
    task = intent_task(NEW_INTENTS)
    found: dict[str, Any] = {"before": task.right(task.with_gain.head().scores_many(task.tests))}
    for name, design in (("gain", task.with_gain), ("classifier", task.without)):
        pairs = np.array([learned(task, design, seed) for seed in seeds])
        with tempfile.TemporaryDirectory() as folder:
            chip = ChipHead(design, load_board("nrf52840_bare"), Path(folder))
            counts = side_by_side(design, chip, task.latents[:4])
        found[name] = {
            "device": {"mean": float(pairs[:, 0].mean()), "spread": float(pairs[:, 0].std())},
            "float": {"mean": float(pairs[:, 1].mean()), "spread": float(pairs[:, 1].std())},
            "ram_bytes": design.ram_bytes,
            "update_instructions": counts["learn_head_update"],
            "scores_instructions": counts["learn_head_scores"],
        }
    return found


def cost(shared: Path) -> dict[str, Any]:
    """Instructions on the emulated nRF52840 of the last block of a DS-CNN, with the twin's bits."""
    design, latents = keyword_block(shared)
    with tempfile.TemporaryDirectory() as folder:
        chip = ChipHead(design, load_board("nrf52840_bare"), Path(folder))
        counts = side_by_side(design, chip, latents)
    return {
        "update_instructions": counts["learn_head_update"],
        "scores_instructions": counts["learn_head_scores"],
        "ram_bytes": design.ram_bytes,
    }


def measure(shared: Path, seeds: Sequence[int] = SEEDS) -> dict[str, Any]:
    """All of it."""
    return {
        "memory": memory(shared),
        "gradient_error": gradients(seeds),
        "accuracy": accuracy(shared, seeds),
        "cost": cost(shared),
        "intents": intents(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shared", type=Path, help="the folder with models and data")
    print(json.dumps(measure(parser.parse_args().shared), indent=2))


if __name__ == "__main__":
    main()
