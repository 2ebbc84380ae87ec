"""What learning costs on the emulated nRF52840, and what power cuts and years of saves do to a head.

Instructions are exact counts of the functions as the firmware's compiler makes them. The inference is that
of the body of `examples/keyword_learning`. The cuts of the emulated chip are those of
`tests/support/learn_cuts.py`, the saves those of the host's simulated flash, with the same C.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from learning_stream import EXAMPLES
from tinyc import pipeline, preparation, profiling
from tinyc.boards import load_board
from tinyc.learning.fit import HeadOptions
from tinyc.source import resolve

TESTS = Path(__file__).parents[1] / "tests"
sys.path[len(sys.path) :] = [str(TESTS), str(TESTS / "host")]
BOARD = "nrf52840_bare"
LATENT, CAPACITY = 64, 12
# Samples that are counted; the dearest call stands in the table.
SAMPLES = 60
SAVES = 100_000
KINDS = ("slda", "sgd", "ncm")


def heads(toolchain: str) -> dict[str, Any]:
    """Instructions of the dearest update and inference at 64 elements and 12 classes, and the head's RAM."""
    from support.learning_chip import ChipHead
    from support.learning_heads import fitted, random_latent

    rows = {}
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            design = fitted(kind, LATENT, CAPACITY, HeadOptions(curve=True))
            chip = ChipHead(design, load_board(BOARD), Path(folder), toolchain)
            rng = np.random.default_rng(1)
            dearest = {"learn_head_scores": 0, "learn_head_update": 0}
            for number in range(SAMPLES):
                latent = random_latent(rng, LATENT)
                chip.scores(latent)
                score = chip.cost["learn_head_scores"]
                chip.update(latent, number % CAPACITY)
                update = chip.cost["learn_head_update"]
                found = {"learn_head_scores": score, "learn_head_update": update}
                dearest = {name: max(dearest[name], found[name]) for name in dearest}
        rows[kind] = {
            "update": dearest["learn_head_update"],
            "inference": dearest["learn_head_scores"],
            "both": dearest["learn_head_update"] + dearest["learn_head_scores"],
            "ram_bytes": design.state_bytes + design.scratch_bytes,
        }
    return rows


def inference(toolchain: str) -> int:
    """Instructions of one inference of the keyword body."""
    source = resolve(EXAMPLES / "keyword_learning")
    graph = preparation.prepare(source).graph
    program = pipeline.compile_graph(graph, load_board(BOARD), name="keyword_learning", audio=source.audio)
    with tempfile.TemporaryDirectory() as folder:
        firmware = pipeline.build(program, Path(folder), toolchain)
        return int(profiling.profile(program, firmware.elf)["instructions"])


def learn_ram() -> int:
    """RAM that learning takes in the firmware of `examples/keyword_learning`: shadow, learner, names."""
    from tinyc.learning import prepare

    source = resolve(EXAMPLES / "keyword_learning")
    assert source.config is not None and source.config.learn is not None
    graph = preparation.prepare(source).graph
    _, learning = prepare.learning(graph, load_board("nrf52840"), source.config.learn, source.labels)
    return int(learning.ram)


def power_cuts(quick: bool) -> dict[str, Any]:
    """Cuts of every flow that writes a head, with their starts; a defect is a start with neither head."""
    from support.learn_builds import LearnBuilds
    from support.learn_cuts import Laboratory, record

    with tempfile.TemporaryDirectory() as folder:
        builds = LearnBuilds(Path(folder))
        laboratory = Laboratory(builds)
        tallies = [laboratory.sweep(flow, 70 if quick else 7, 1) for flow in record(builds)]
    return {
        "cuts": sum(tally.cuts + tally.again for tally in tallies),
        "starts": sum(tally.starts for tally in tallies),
        "lost": sum(len(tally.defects) for tally in tallies),
    }


def wear() -> dict[str, Any]:
    """Erases of each page after so many saves, for records that share a page, fill one and take two."""
    store: Any = importlib.import_module("test_learn_store")

    rows = {}
    for name in ("shared pages", "one each", "two pages each"):
        erases = store.sweep(store.program(name), "wear", SAVES)
        rows[name] = {
            "erases": erases,
            "spread": (max(erases) - min(erases)) / min(erases),
        }
    return rows
