"""The learner's C and its twin: the same answers, results, statistics and flash, whatever happens."""

from __future__ import annotations

from typing import Any

import pytest

from support import learners
from support.learner_play import play_at_random
from tinyc.device.learned import Outcome
from tinyc.learning.fit import HeadOptions
from tinyc.toolchain.host_compiler import find_compiler

pytestmark = pytest.mark.host

MAIN = "learner_main.c"
SEEDS = (1,)
CASES: dict[str, dict[str, Any]] = {
    "slda": {"kind": "slda"},
    "slda in RAM": {"kind": "slda", "persists": False, "latent": 5, "held_out_gain": 1},
    "sgd": {"kind": "sgd", "options": HeadOptions(learning_rate=0.3, replay=2), "held_out_gain": 1},
    "sgd that normalises": {
        "kind": "sgd",
        "options": HeadOptions(normalise=True),
        "patience": 2,
        "pages": 3,
        "held_out_gain": 1,
    },
    "ncm, two units": {"kind": "ncm", "page": 512, "pages": 2, "min_updates": 1},
    "regression": {"kind": "regression", "capacity": 3, "min_updates": 2, "patience": 3},
}


@pytest.mark.parametrize("name", CASES)
def test_the_twin_does_the_same(name: str) -> None:
    case = learners.case(**CASES[name])
    program = learners.compiled(find_compiler(), case, MAIN, sanitized=True)
    seen: set[int] = set()
    for seed in SEEDS:
        play = play_at_random(case, seed, 700)
        play.compare(learners.run(program, stdin=play.given))
        seen |= {int.from_bytes(said.answer[:4], "little") for said in play.said if said.event[0] in "lprE"}
    assert {Outcome.LEARNED, Outcome.HELD_OUT, Outcome.PROMOTED} <= seen
