"""Features and their model on an emulated Cortex-M4: the same ranks, what they cost, the memory with them."""

from __future__ import annotations

import numpy as np
import pytest

from support import lpc
from support.lpc_chip import LpcFirmware
from tinyc.boards import load_board
from tinyc.sixlowpan import rank, sender
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.features import Features, Meta
from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.receiver import Peer, Receiver

pytestmark = pytest.mark.emulated

NODE, SOURCE, OTHER, KEY = (Address.extended(2), Address.extended(1), Address.extended(3), bytes(range(16)))
PEERS = (Peer(SOURCE, Mode.LEGACY, KEY),)


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> LpcFirmware:
    return LpcFirmware(load_board("nrf52840"), tmp_path_factory.mktemp("rank"), Sizes(), PEERS, ranked=True)


def test_ranks_on_the_chip_are_those_of_numpy(firmware: LpcFirmware) -> None:
    """Frames of honest datagrams and of floods: the chip asks for the same ranks as the twin."""
    rng, ranker, asked = np.random.default_rng(4), rank.load(), []

    def noted(features: Features) -> int:
        asked.append(ranker(features))
        return asked[-1]

    receiver, model, features, now, compared = Receiver(PEERS, Sizes(), noted), [], [], 0, 0
    for number in range(60):
        honest = number % 3 == 0
        source = OTHER if rng.random() < 0.7 else SOURCE
        one = lpc.outgoing(
            lpc.ipv6(int(rng.choice([200, 600, 1280])), rng.bytes(9)), source, NODE, tag=number
        )
        level = int(rng.normal(-60 if honest else -80, 3))
        for i, fragment in enumerate(sender.fragments(one, 104)[: None if honest else 1]):
            meta, count = Meta(level, (3 * number + i) % 256), len(asked)
            now += int(rng.integers(2, 200)) if i == 0 else 4
            expected = receiver.input(now, source, NODE, fragment, meta)
            verdict, _ = firmware.frame(now, source, NODE, fragment, meta)
            assert verdict == expected
            if len(asked) > count:
                assert firmware.rank_of_last() == asked[-1]
                features.append(firmware.instructions("lpc_features_rank"))
                model.append(firmware.instructions("lpc_rank"))
                compared += 1
    assert compared >= 50
    assert len(set(asked)) > 20
    print(f"instructions: model {max(model)}, features with it {min(features)} to {max(features)}")
    assert max(model) <= 700
    assert max(features) <= 1000


def test_memory_with_a_model(firmware: LpcFirmware) -> None:
    print(f"RAM {firmware.ram()} B, stack {firmware.stack_bound()} B")
    assert 3000 < firmware.ram() <= 4096
    assert firmware.stack_bound() <= 1024
