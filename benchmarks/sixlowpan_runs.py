"""What the 6LoWPAN benchmark runs: modes, one simulated run, and rows over seeds."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.simulation.attacks import ATTACKS
from tinyc.sixlowpan.simulation.baselines import named
from tinyc.sixlowpan.simulation.engine import simulate
from tinyc.sixlowpan.simulation.settings import Outcome, Settings
from tinyc.sixlowpan.simulation.summary import Row, row

OURS = {"keyed": Mode.KEYED, "content": Mode.CONTENT, "legacy": Mode.LEGACY}
NONE = "none"
PROCESSES = 2


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """A cell of a table. attack: a name; one with `*N` behind it is that many attackers. loss: share."""

    mode: str
    attack: str = NONE
    seconds: float = 120.0
    senders: int = 4
    size: int = 448
    loss: float = 0.01

    def attacks(self) -> tuple[str, ...]:
        """For the simulator."""
        if self.attack == NONE:
            return ()
        name, _, count = self.attack.partition("*")
        return (name,) * int(count or 1)


def modes() -> tuple[str, ...]:
    """Ours, and the baselines that this machine can run."""
    return (*OURS, *named.names())


def attacks() -> tuple[str, ...]:
    """All of them, and none."""
    return (NONE, *ATTACKS)


def run(job: tuple[Case, int]) -> tuple[Case, int, Outcome]:
    """A case with a seed."""
    case, seed = job
    settings = Settings(
        mode=OURS.get(case.mode, Mode.LEGACY),
        attacks=case.attacks(),
        senders=case.senders,
        size=case.size,
        loss=case.loss,
        seconds=case.seconds,
        seed=seed,
    )
    if case.mode in OURS:
        return case, seed, simulate(settings)
    with named.baseline(case.mode) as make:
        return case, seed, simulate(settings, make)


def run_all(cases: Iterable[Case], seeds: int) -> dict[Case, Row]:
    """All cases, two at a time; the order of the answers does not depend on which was done first."""
    wanted = list(dict.fromkeys(cases))
    jobs = [(case, seed) for case in wanted for seed in range(1, seeds + 1)]
    found: dict[Case, dict[int, Outcome]] = {case: {} for case in wanted}
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        for done, (case, seed, outcome) in enumerate(pool.imap_unordered(run, jobs), 1):
            found[case][seed] = outcome
            if done % 50 == 0 or done == len(jobs):
                print(f"{done} of {len(jobs)} runs", file=sys.stderr, flush=True)
    return {case: row([by_seed[seed] for seed in sorted(by_seed)]) for case, by_seed in found.items()}
