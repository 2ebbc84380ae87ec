"""What the model that ranks new 6LoWPAN datagrams is worth: against the score, and on attacks it never saw.

    python benchmarks/lowpan_rank.py [--json FILE] [--without training,simulator]

Prints the share of each attack's first fragments that are suspects at no more than 1 % of the honest ones
(thresholds from validation traffic, shares from other seeds), by the shipped model, by the score alone, and
by models that were trained without that attack; areas under the curve in floats and int8; and what a rank
does to delivery and memory in the simulator. Training needs tensorflow.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyc.cli import output
from tinyc.sixlowpan import rank
from tinyc.sixlowpan.features import SUSPECT
from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.ranking import training
from tinyc.sixlowpan.ranking.attacks import ATTACKS, HELD_OUT
from tinyc.sixlowpan.ranking.recording import Recorded, joined, record, scene
from tinyc.sixlowpan.receiver import Receiver
from tinyc.sixlowpan.simulation.engine import simulate
from tinyc.sixlowpan.simulation.settings import Heard, Settings
from tinyc.sixlowpan.simulation.sinks import TwinSink, peers_of, sizes_of

TRAINING, VALIDATION, TEST = 0, 100, 200  # the first seed of each
KNOWN = tuple(name for name in ATTACKS if name not in HELD_OUT)
SIMULATED = (
    *("none", "early_first_10", "early_first_50", "spoofed_first_50", "victim_first_50"),
    *("mimic", "reset_all", "replay_first_10", "tag_reuse", "badmouth"),
)
_MOST = 0.01
Table = dict[str, dict[str, float]]


def area(bad: NDArray[np.float64], good: NDArray[np.float64]) -> float:
    """Under the ROC curve: how often a bad one has the higher number; ties count half."""
    _, inverse, counts = np.unique(np.concatenate([bad, good]), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse[: len(bad)]]
    return float((ranks.sum() - len(bad) * (len(bad) + 1) / 2) / (len(bad) * len(good)))


def looped(seed: int, attack: str) -> Recorded:
    """A scene as a receiver with the shipped model is asked about it."""
    number = list(ATTACKS).index(attack) + 1 if attack else 0
    return record(scene(1000 * seed + number, attack), ranker=rank.load())


def in_the_loop(seeds: int, workers: int) -> Recorded:
    """The test traffic for the shipped model."""
    names = [(TEST + seed, attack) for seed in range(seeds) for attack in ("", *ATTACKS)]
    with ProcessPoolExecutor(workers) as pool:
        return joined(list(pool.map(looped, *zip(*names, strict=True))))


def score_threshold(data: Recorded) -> int:
    """The score alone: refused below this one, at no more than 1 % of the honest."""
    scores = data.features[~data.bad, 1]
    return max(it for it in range(129) if (scores < it).mean() <= _MOST)


def compared(test: Recorded, validation: Recorded) -> Table:
    """The shipped model and the score, for each attack; `honest` of the honest amid it."""
    ranks, least = rank.load().many(test.features), score_threshold(validation)
    made: Table = {}
    proven = test.features[:, 0] > 0
    for name in ("", *ATTACKS):
        bad, good = test.attack == name, ~test.bad & (test.amid == name)
        row = {
            "honest_by_model": share(ranks[good] >= SUSPECT),
            "proven_by_model": share(ranks[good & proven] >= SUSPECT),
            "honest_by_score": share(test.features[good, 1] < least),
        }
        if name:
            score = -test.features[:, 1].astype(np.float64)
            row |= {
                "model": share(ranks[bad] >= SUSPECT),
                "score": share(test.features[bad, 1] < least),
                "area_model": area(ranks[bad].astype(np.float64), ranks[good].astype(np.float64)),
                "area_score": area(score[bad], score[good]),
            }
        made[name or "none"] = row
    honest = ~test.bad
    made["all"] = {
        "honest_by_model": share(ranks[honest] >= SUSPECT),
        "proven_by_model": share(ranks[honest & proven] >= SUSPECT),
        "honest_by_score": share(test.features[honest, 1] < least),
        "model": share(ranks[test.bad] >= SUSPECT),
        "score": share(test.features[test.bad, 1] < least),
    }
    return made


def share(chosen: NDArray[np.bool_]) -> float:
    """Of those, 0 of none."""
    return float(chosen.mean()) if chosen.size else 0.0


def of(data: Recorded, attacks: Sequence[str]) -> Recorded:
    """The scenes of these attacks and those before any."""
    kept = {"", *attacks}
    wrong = [number for number in np.unique(data.scene) if not kept >= set(data.amid[data.scene == number])]
    return data.where(~np.isin(data.scene, wrong))


def retrained(training_data: Recorded, validation: Recorded, test: Recorded) -> Table:
    """Models that never saw an attack: one for each that is left out, and one without the held-out group.

    For all of them the int8 model is made, too.
    """
    made: Table = {}
    for name in ("", *KNOWN):
        seen = [it for it in KNOWN if it != name]
        row, of_unseen = judged(of(training_data, seen), of(validation, seen), test, name)
        made[name or "all known"] = row
        made |= of_unseen
    return made


def judged(data: Recorded, validation: Recorded, test: Recorded, name: str) -> tuple[dict[str, float], Table]:
    """The row of the model without the attack `name`, or for "" of the one with all known ones, with rows for
    the held-out group."""
    weights = training.train(data, validation)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rank.tflite"
        path.write_bytes(training.tflite(weights, data))
        ranks = rank.load(path).many(test.features).astype(np.float64)
    logits = weights.logits(test.features).astype(np.float64)

    def row(attack: str) -> dict[str, float]:
        bad = test.attack == attack if attack else test.bad & np.isin(test.attack, KNOWN)
        good = ~test.bad & (test.amid == attack if attack else np.isin(test.amid, ("", *KNOWN)))
        return {
            "refused": share(ranks[bad] >= SUSPECT),
            "honest": share(ranks[~test.bad] >= SUSPECT),
            "area_float": area(logits[bad], logits[good]),
            "area_int8": area(ranks[bad], ranks[good]),
        }

    return row(name), {} if name else {it: row(it) for it in HELD_OUT}


def sink(ranker: rank.Ranker | None, settings: Settings, addresses: tuple[Address, ...]) -> TwinSink:
    """The twin with this ranker."""
    peers = peers_of(settings, addresses)
    return TwinSink(Receiver(peers, sizes_of(settings, len(peers)), ranker))


def simulated(job: tuple[str, Mode, int, float]) -> dict[str, dict[str, float]]:
    """One run without a ranker and one with it."""
    attack, mode, seed, seconds = job
    attacks = () if attack == "none" else (attack,)
    settings = Settings(mode=mode, attacks=attacks, seed=seed, seconds=seconds, engine="twin")
    found: Table = {}
    for name, ranker in (("without", None), ("with", rank.load())):
        heard: list[Heard] = []
        it = simulate(settings, partial(sink, ranker), heard.append)
        found[name] = {
            "delivery": it.delivery,
            "attacker_ram": it.attacker_ram,
            "wrong": it.wrong,
            "false_blocks": it.false_blocks,
        }
        if ranker is not None and attack != "none":
            found[name] |= told_apart(record(heard, ranker=ranker))
    return found


def told_apart(asked: Recorded) -> dict[str, float]:
    """How model and score tell a run's new datagrams apart; nothing if there are none of a kind."""
    bad, good = asked.bad, ~asked.bad & (asked.amid != "")
    if not bad.any() or not good.any():
        return {}
    ranks, score = rank.load().many(asked.features), -asked.features[:, 1].astype(np.float64)
    return {
        "suspect": share(ranks[bad] >= SUSPECT),
        "honest": share(ranks[good] >= SUSPECT),
        "area_model": area(ranks[bad].astype(np.float64), ranks[good].astype(np.float64)),
        "area_score": area(score[bad], score[good]),
    }


def mean(rows: Sequence[dict[str, float]], key: str) -> float:
    """Of the rows that have it."""
    return float(np.mean([row[key] for row in rows if key in row]))


def in_simulator(seeds: int, seconds: float, workers: int) -> dict[str, Any]:
    """Means over the seeds by mode, attack, and with or without a ranker."""
    jobs = [
        (attack, mode, seed, seconds)
        for mode in (Mode.LEGACY, Mode.CONTENT)
        for attack in SIMULATED
        for seed in range(1, seeds + 1)
    ]
    with ProcessPoolExecutor(workers) as pool:
        done = list(pool.map(simulated, jobs))
    made: dict[str, Any] = {}
    for at in range(0, len(jobs), seeds):
        attack, mode = jobs[at][:2]
        made.setdefault(mode.name.lower(), {})[attack] = {
            which: {key: mean([it[which] for it in done[at : at + seeds]], key) for key in of_one}
            for which, of_one in done[at].items()
        }
    return made


def percent(row: dict[str, float], key: str) -> str:
    return f"{100 * row[key]:.1f}" if key in row else ""


def shares(title: str, columns: dict[str, str], found: Table) -> None:
    """A table of percentages; `columns` are headings by key."""
    rows = [(name, *(percent(row, key) for key in columns)) for name, row in found.items()]
    output.table(title, ("attack", *columns.values()), rows)


def show(found: dict[str, Any]) -> None:
    """The tables."""
    if "detection" in found:
        columns = {
            **{"model": "model>", "score": "score>", "honest_by_model": "honest>"},
            **{"proven_by_model": "proven>", "honest_by_score": "by score>"},
            **{"area_model": "AUC>", "area_score": "AUC score>"},
        }
        shares("Suspects before memory, per cent", columns, found["detection"])
    if "retrained" in found:
        columns = {"refused": "refused>", "honest": "honest>"}
        columns |= {"area_float": "AUC float>", "area_int8": "AUC int8>"}
        shares("By models that never saw the attack", columns, found["retrained"])
    for mode, attacks in found.get("simulator", {}).items():
        both = ("without", "with")
        rows = [
            (
                name,
                *(f"{it[which]['delivery']:.3f}" for which in both),
                *(f"{it[which]['attacker_ram']:.0f}" for which in both),
                *(percent(it["with"], key) for key in ("suspect", "honest", "area_model", "area_score")),
            )
            for name, it in attacks.items()
        ]
        memory = ("delivery>", "with rank>", "attacker's RAM>", "with rank>")
        apart = ("suspect %>", "honest %>", "AUC>", "AUC score>")
        output.table(f"Simulator, {mode}", ("attack", *memory, *apart), rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--without", default="", help="parts to leave out: detection, training, simulator")
    parser.add_argument("--seeds", type=int, default=10, help="of the test traffic")
    parser.add_argument("--training-seeds", type=int, default=20)
    parser.add_argument("--simulator-seeds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    without, found = given.without.split(","), dict[str, Any]()
    if "detection" not in without:
        validation = training.traffic(range(VALIDATION, VALIDATION + given.seeds), KNOWN, given.workers)
        found["detection"] = compared(in_the_loop(given.seeds, given.workers), validation)
    if "training" not in without:
        seeds = [range(at, at + given.training_seeds) for at in (TRAINING, VALIDATION)]
        data, validation = (training.traffic(it, KNOWN, given.workers) for it in seeds)
        test = training.traffic(range(TEST, TEST + given.seeds), tuple(ATTACKS), given.workers)
        found["retrained"] = retrained(data, validation, test)
    if "simulator" not in without:
        found["simulator"] = in_simulator(given.simulator_seeds, given.seconds, given.workers)
    show(found)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
