"""The example of three boards: a sensor is answered over 6LoWPAN while a third board attacks."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from support.paths import ROOT
from tinyc.device.client import DeviceClient
from tinyc.emulator.transport import AirTransport
from tinyc.sixlowpan import peers
from tinyc.sixlowpan.examine import examine
from tinyc.sixlowpan.fragments import Mode, Verdict
from tinyc.sixlowpan.told import LowpanClient

pytestmark = pytest.mark.emulated

EXAMPLE = ROOT / "examples" / "lowpan_sensor"
WINDOWS = 8


@pytest.fixture(scope="module")
def example() -> Iterator[ModuleType]:
    """run.py of the example."""
    own = ("run", "windows")
    kept = {name: sys.modules.pop(name) for name in own if name in sys.modules}
    sys.path.insert(0, str(EXAMPLE))
    try:
        import run

        yield run
    finally:
        sys.path.remove(str(EXAMPLE))
        for name in own:
            sys.modules.pop(name, None)
        sys.modules.update(kept)


@pytest.fixture(scope="module")
def keyed(example: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> object:
    return example.build(Mode.KEYED, tmp_path_factory.mktemp("keyed"))


@pytest.fixture(scope="module")
def legacy(example: ModuleType, keyed: Any, tmp_path_factory: pytest.TempPathFactory) -> object:
    return example.build(Mode.LEGACY, tmp_path_factory.mktemp("legacy"), attacker=keyed.attacker)


def test_the_answers_are_those_of_the_interpreter(example: ModuleType, keyed: object) -> None:
    network = example.Network(keyed)
    row = network.row(Mode.KEYED, "none", WINDOWS)
    assert (row.windows, row.answered, row.wrong, row.asked_twice) == (WINDOWS, WINDOWS, 0, 0)
    assert row.right >= WINDOWS - 1 and row.refused == {}
    # A window is a datagram of five fragments, an answer one of one: all of them have a chain.
    client = LowpanClient(DeviceClient(AirTransport(network.classifier, network.air)))
    told = client.told()
    sent = told.verdicts[Verdict.RX_FIRST]
    assert sent >= WINDOWS
    assert told.verdicts[Verdict.RX_LATER] == 4 * sent == told.verdicts[Verdict.TAKEN]
    (sensor,) = client.neighbours()
    assert (sensor.address, sensor.keyed, sensor.ok) == (example.SENSOR, True, sent)


@pytest.mark.parametrize(
    ("attack", "counters"),
    [
        ("victim_first", {"tag_first", "downgrade"}),
        ("duplicates", {"tag_later"}),
        ("replay", {"replay"}),
        ("false_answers", {"downgrade"}),
    ],
)
def test_attacks_on_a_network_with_keys(
    example: ModuleType, keyed: Any, attack: str, counters: set[str]
) -> None:
    network = example.Network(keyed)
    row = network.row(Mode.KEYED, attack, WINDOWS)
    assert row.attack_frames >= WINDOWS
    assert (row.wrong, row.asked_twice) == (0, 0)
    assert WINDOWS - row.lost <= row.answered and row.lost <= 1
    assert counters <= set(row.refused)
    assert sum(row.refused.values()) >= WINDOWS // 2
    # Whoever has the nodes' files and what a sniffer heard says the same of it.
    judged = examine(network.capture(), keyed.nodes).datagrams
    assert sum(it.delivered for it in judged if it.source == example.SENSOR) >= row.answered
    assert not [it for it in judged if it.delivered and it.mode is not Mode.KEYED]


def test_a_frame_that_is_lost_costs_its_window_and_says_so(example: ModuleType, keyed: object) -> None:
    """With a third of all frames lost some are lost at every retry."""
    network = example.Network(keyed, loss=0.33, seed=3)
    said = [line for line in network.run(WINDOWS * 2) if re.match(r"window (\d|1[0-5]):", line)]
    lost = [line for line in said if line.endswith(("never acknowledged", "no answer"))]
    answered = [line for line in said if ": class " in line]
    assert lost and answered and len(lost) + len(answered) == WINDOWS * 2
    assert not [line for line in said if "nobody asked" in line]


def test_a_sensor_that_restarts_is_answered_again(example: ModuleType, keyed: object) -> None:
    """Its own chains go on in another epoch; answers near the last counter it kept are taken for replays."""
    network = example.Network(keyed)
    network.attack("none")
    assert len([line for line in network.run(WINDOWS) if ": class " in line]) >= WINDOWS
    network.sensor.reset()
    said = network.run(40)
    unanswered = [line for line in said if "no answer" in line]
    assert len(unanswered) <= 31 and len([line for line in said if ": class " in line]) >= 40 - 31
    classifier, sensor = network.told()
    assert not example.refusals([classifier])
    assert example.refusals([sensor]) == {"replay": len(unanswered)}


def test_a_network_without_keys_believes_anybody(example: ModuleType, legacy: object) -> None:
    """What the keys are for: the same attacks, the same code, no key."""
    row = example.Network(legacy).row(Mode.LEGACY, "false_answers", WINDOWS)
    assert row.wrong > WINDOWS // 2 and row.refused == {}
    row = example.Network(legacy).row(Mode.LEGACY, "duplicates", WINDOWS)
    assert row.answered < WINDOWS // 2 and row.wrong == 0
    assert row.refused["conflict"] >= WINDOWS // 2


def test_the_attacks_have_the_names_of_the_attacker(example: ModuleType) -> None:
    text = (EXAMPLE / "attacker.c").read_text(encoding="utf-8")
    names = re.search(r"names\[ATTACKS\] = \{(.*?)\};", text, re.DOTALL)
    numbers = re.search(r"enum attack \{(.*?)\bATTACKS\b", text, re.DOTALL)
    assert names and numbers
    assert tuple(re.findall(r'"(\w+)"', names[1])) == example.ATTACKS
    bare = re.sub(r"/\*.*?\*/", "", numbers[1])
    assert tuple(name.lower() for name in re.findall(r"[A-Z_]{2,}", bare)) == example.ATTACKS


def test_each_build_makes_keys_once(example: ModuleType, tmp_path: Path) -> None:
    first = example.nodes_of(Mode.KEYED, tmp_path)
    texts = [path.read_text(encoding="utf-8") for path in first]
    again = example.nodes_of(Mode.KEYED, tmp_path)
    assert [path.read_text(encoding="utf-8") for path in again] == texts
    known = [peers.load(path) for path in again]
    assert [len({peer.key for peer in node.peers} - {None}) for node in known] == [1, 1, 0]
    assert known[0].peers[0].key == known[1].peers[0].key
