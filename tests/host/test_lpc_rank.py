"""The model that ranks new datagrams: the C made of it against NumPy, and what is no such model."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tinyc.boards import load_board
from tinyc.errors import TinycError
from tinyc.sixlowpan import pcap, rank
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.emit import receive_texts
from tinyc.sixlowpan.features import NAMES, SUSPECT
from tinyc.sixlowpan.ranking import recording
from tinyc.toolchain.host_compiler import WARNINGS, compile_cached, find_compiler

pytestmark = pytest.mark.host

MAIN = """
#include <stdio.h>
#include "lpc_features.h"

int main(void) {
    int8_t features[LPC_FEATURES];
    while (fread(features, 1u, sizeof features, stdin) == sizeof features) {
        putchar(lpc_rank(features));
    }
    return 0;
}
"""


def test_c_answers_as_numpy() -> None:
    compiler, texts = find_compiler(), receive_texts(Sizes(), (), rank=True)
    texts = {name: text for name, text in texts.items() if name.endswith(".h")} | {"main.c": MAIN}
    texts |= rank.rank_texts(load_board("host"))
    flags = (*WARNINGS, "-Wshadow", "-O1", *compiler.sanitizer_flags())
    program = compile_cached(compiler, texts, flags, "lpc_rank")
    rng = np.random.default_rng(5)
    features = rng.integers(0, 128, (5000, len(NAMES))).astype(np.int8)
    features[::2] *= rng.integers(0, 2, features[::2].shape).astype(np.int8)
    done = subprocess.run([program], input=features.tobytes(), capture_output=True, check=True)
    expected = rank.load().many(features)
    assert done.stdout == expected.tobytes()
    assert len(set(expected)) > 60


def test_what_is_no_ranker_is_refused() -> None:
    examples = Path(__file__).parent.parent.parent / "examples"
    with pytest.raises(TinycError, match="no model that ranks") as caught:
        rank.load(examples / "keyword_spotting" / "keyword_spotting.tflite")
    assert [it.what for it in caught.value.problems] == ["computes in floats"]


def test_the_shipped_model_has_113_parameters_and_takes_features_as_they_are() -> None:
    ranker = rank.load()
    assert sum(it.elements for it in ranker.graph.constants()) == 113
    assert ranker.quantized.tolist() == [2 * value - 128 for value in range(128)]


def test_the_shipped_model_suspects_attacks_and_few_honest_ones() -> None:
    """On traffic of seeds that it was not made with, as the receiver asks it."""
    ranker = rank.load()
    parts = [
        recording.record(recording.scene(seed, attack, rate=20.0, seconds=30.0), ranker=ranker)
        for seed, attack in ((7001, "victim"), (7002, "spoofed"), (7003, "mimic"), (7004, ""), (7005, ""))
    ]
    data = recording.joined(parts)
    suspect = ranker.many(data.features) >= SUSPECT
    assert int((~data.bad).sum()) > 300
    assert suspect[~data.bad].mean() <= 0.02
    for attack in ("victim", "spoofed", "mimic"):
        assert suspect[data.attack == attack].mean() >= 0.6, attack


def test_a_capture_is_honest_traffic(shared: Path) -> None:
    folder = shared / "data" / "sixlowpan" / "captures"
    frames = pcap.read(folder / "smoltcp_contiki-ng_frag_echo_udp_fcs195.pcap").frames
    asked = recording.record(recording.captured(frames))
    assert len(asked.attack) == 2
    assert not asked.bad.any()
    assert (rank.load().many(asked.features) < SUSPECT).all()
