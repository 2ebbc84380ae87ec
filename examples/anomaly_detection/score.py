"""Scores recordings by the firmware: samples go in, the device computes features and rebuilds them.

    python score.py                                  # AUC on the test recordings, by the emulated nRF52840
    python score.py --wav pump.wav --wav fan.wav     # the scores of recordings of one's own
    python score.py --port /dev/ttyACM0              # by a board that has the firmware

The score of a recording is the mean squared error of what the device rebuilds of its features. What goes into
the model is known here, too: the NumPy twin of the front end computes the device's features bit for bit.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from machine import FAULTS, test_recordings
from scores import Array, areas, mean_scores

from tinyc.artifact import Artifact
from tinyc.audio.wav import read_wav
from tinyc.cli import output, target
from tinyc.execution import audio_features, host_engine
from tinyc.program import Program

HERE = Path(__file__).parent


def real(program: Program, name: str, values: Sequence[Array]) -> Array:
    """int8 values of a tensor of the program in its own units."""
    tensor = program.graph[name]
    return tensor.scale * (np.stack(values).astype(np.float64) - tensor.zero_point)


def score(found: Artifact, recordings: Sequence[Array], port: str | None) -> tuple[Array, Array]:
    """float64 [recordings]: their scores by the device, and by the C on this machine."""
    program = found.program
    assert program.audio is not None
    length = program.audio.clip_samples
    clips = [one[: len(one) // length * length].reshape(-1, length) for one in recordings]
    scores = []
    with target.device_engine(found, port) as session, host_engine(program) as host:
        for recording in output.progress("scoring", clips):
            features = [audio_features(program, clip) for clip in recording]
            here = [host.run([one])[0] for one in features]
            there = [session.engine.run_audio(clip)[0] for clip in recording]
            inputs = real(program, program.graph.inputs[0], features)
            rebuilt = (real(program, program.graph.outputs[0], each) for each in (there, here))
            scores.append([mean_scores(inputs, each, 1)[0] for each in rebuilt])
    device, host_scores = np.array(scores).T
    return device, host_scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--wav", type=Path, action="append", default=[], help="a recording; may be repeated")
    parser.add_argument("--board", default="nrf52840")
    parser.add_argument("--port", help="of a board with the firmware; without it the chip is emulated")
    arguments = parser.parse_args()

    found = target.built(HERE, arguments.board)
    if arguments.wav:
        assert found.program.audio is not None
        wavs = [read_wav(path, found.program.audio.sample_rate) for path in arguments.wav]
        for path, value in zip(arguments.wav, score(found, wavs, arguments.port)[0], strict=True):
            print(f"{path}: {value:.3f}")
        return
    recordings, faults = test_recordings()
    device, host = score(found, list(recordings), arguments.port)
    columns = {
        "float": json.loads((HERE / "results.json").read_text())["auc_float"],
        "int8, C on this machine": areas(host, faults),
        "int8, device": areas(device, faults),
    }
    print(f"{'AUC':26}" + "".join(f"{kind:>12}" for kind in columns["float"]))
    for name, found_areas in columns.items():
        print(f"{name:26}" + "".join(f"{area:12.4f}" for area in found_areas.values()))
    kinds = np.array([fault or "healthy" for fault in faults])
    medians = (f"{kind} {np.median(device[kinds == kind]):.3f}" for kind in ("healthy", *FAULTS))
    print(f"median scores by the device: {', '.join(medians)}")


if __name__ == "__main__":
    main()
