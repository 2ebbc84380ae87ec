"""The sparse head on emulated chips: beside its twin, and the last block of a keyword network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from support.learning_chip import ChipHead
from tinyc import frontends, interpreter, passes
from tinyc.ir.graph import Graph
from tinyc.learning.sparse.cut import cut
from tinyc.learning.sparse.design import SparseDesign, design_sparse
from tinyc.learning.sparse.layers import Weighted
from tinyc.learning.sparse.program import Trained
from tinyc.learning.sparse.reading import read_layers

KEYWORDS = "mlperf_tiny/kws_ref_model.tflite"
# What its last block reads: depthwise, 1x1 and dense layer learn.
TAP = "conv2d_3"


def whole(graph: Graph, tap: str, latents: np.ndarray, capacity: int) -> SparseDesign:
    """Everything behind the tap learns."""
    split = cut(graph, tap)
    layers = [layer for layer in read_layers(split.suffix) if isinstance(layer, Weighted)]
    trained = {layer.name: Trained(tuple(range(layer.rows))) for layer in layers}
    return design_sparse(split, trained, capacity=capacity, latents=latents, learning_rate=0.3)


def side_by_side(design: SparseDesign, chip: ChipHead, latents: np.ndarray) -> dict[str, int]:
    """The dearest call of each function over samples whose answers and states must be equal."""
    twin = design.head()
    dearest: dict[str, int] = {}
    for index, latent in enumerate(latents):
        scores, best, surprise = chip.scores(latent)
        costs = [chip.cost]
        assert scores.tobytes() == twin.scores(latent).tobytes()
        assert best == twin.predict(latent)
        assert surprise.tobytes() == twin.surprise(latent).tobytes()
        chip.update(latent, index % design.capacity)
        twin.update(latent, index % design.capacity)
        assert chip.to_bytes() == twin.to_bytes()
        for cost in (*costs, chip.cost):
            dearest.update({name: max(count, dearest.get(name, 0)) for name, count in cost.items()})
    return dearest


def keyword_block(shared: Path, samples: int = 1) -> tuple[SparseDesign, np.ndarray]:
    """The head of the last block of MLPerf Tiny's DS-CNN with two more classes, and latents int8 (n, d)."""
    graph = passes.legalize(passes.run(frontends.load(shared / "models" / KEYWORDS)))
    body = cut(graph, TAP).body
    rng = np.random.default_rng(3)
    clips = [np.cumsum(rng.normal(0, 9, (1, 49, 10, 1)), axis=1) for _ in range(samples)]
    inputs = [np.clip(clip + 60, -128, 127).astype(np.int8) for clip in clips]
    latents = np.array([interpreter.run(body, [x])[0].reshape(-1) for x in inputs])
    return whole(graph, TAP, latents, 14), latents
