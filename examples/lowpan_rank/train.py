"""Trains the model that ranks new datagrams of the 6LoWPAN receive path, on traffic that is simulated here.

    python train.py [--captures FOLDER] [--output rank.tflite]

Needs `pip install "tinyc[keras]"`; takes some minutes, nearly all of it for the traffic.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from tinyc.sixlowpan import pcap, rank
from tinyc.sixlowpan.features import SUSPECT
from tinyc.sixlowpan.ranking import recording, training
from tinyc.sixlowpan.ranking.attacks import ATTACKS, HELD_OUT

HERE = Path(__file__).parent
# Of the traffic; benchmarks/lowpan_rank.py measures with those from 200 on.
TRAINING, VALIDATION = range(0, 40), range(100, 130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--output", type=Path, default=HERE / "rank.tflite")
    parser.add_argument(
        "--captures", type=Path, help="folder of .pcap files of honest traffic, trained on as well"
    )
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()

    known = [name for name in ATTACKS if name not in HELD_OUT]
    data = training.traffic(TRAINING, known, arguments.workers)
    validation = training.traffic(VALIDATION, known, arguments.workers)
    if arguments.captures:
        files = sorted(arguments.captures.glob("*.pcap"))
        parts = [recording.record(recording.captured(pcap.read(path).frames)) for path in files]
        parts = [part for part in parts if len(part.attack)]
        data = recording.joined([data, *parts])
        print(f"{sum(len(part.attack) for part in parts)} new datagrams of {len(parts)} captures")
    print(f"{len(data.attack)} new datagrams, {int(data.bad.sum())} of them of attacks")

    weights = training.train(data, validation)
    arguments.output.write_bytes(training.tflite(weights, data))
    ranks = rank.load(arguments.output).many(validation.features)
    print(f"refused of the honest: {100 * np.mean(ranks[~validation.bad] >= SUSPECT):.2f} %")
    for name in known:
        print(f"refused of {name}: {100 * np.mean(ranks[validation.attack == name] >= SUSPECT):.1f} %")


if __name__ == "__main__":
    main()
