"""Each simulated attack sends what it says, and the receive path stands it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import pytest

from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.simulation import forgery
from tinyc.sixlowpan.simulation.attacks import ATTACKS
from tinyc.sixlowpan.simulation.engine import simulate
from tinyc.sixlowpan.simulation.forgery import Fragment
from tinyc.sixlowpan.simulation.settings import Heard, Outcome, Settings
from tinyc.sixlowpan.simulation.traffic import attacker_address, sender_address

pytestmark = pytest.mark.unit

SECONDS = 8.0
OWN, HONEST = attacker_address(0), [sender_address(i) for i in range(4)]
# By attack: frames a second.
RATES = {
    **{"early_first_1": 1, "early_first_10": 10, "early_first_50": 50, "spoofed_first_50": 50},
    **{"victim_first_50": 50, "later_flood_100": 100, "burn_100": 100, "tiny": 50, "badmouth": 20},
    **{"insider": 10, "mimic": 10},
}


@dataclass(frozen=True)
class Run:
    """A run, and what the sink heard: the attacker's frames and the others', each with its fragment."""

    outcome: Outcome
    forged: list[tuple[Heard, Fragment]]
    honest: list[tuple[Heard, Fragment]]


@cache
def run(name: str, mode: Mode = Mode.LEGACY) -> Run:
    heard: list[Heard] = []
    settings = Settings(mode, (name,), seconds=SECONDS, loss=0.0, engine="twin", rate=2.0)
    outcome = simulate(settings, listen=heard.append)
    parsed = [(it, forgery.read(it.frame.payload)) for it in heard]
    whole = [(it, fragment) for it, fragment in parsed if fragment is not None]
    assert len(whole) == len(heard)
    return Run(
        outcome, [it for it in whole if it[0].attack == name], [it for it in whole if not it[0].attack]
    )


def sources(it: Run) -> list[Address]:
    return [heard.frame.source for heard, _ in it.forged]


def tags(it: Run, source: Address, until: int) -> list[int]:
    """Of the honest node's fragments before that time."""
    return [
        fragment.tag
        for heard, fragment in it.honest
        if heard.frame.source == source and heard.time_us < until
    ]


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_heard_and_its_frames_are_well_formed(name: str) -> None:
    it = run(name)
    if name in RATES:
        # Some collide; honest senders go on for two seconds at most.
        assert 0.6 * SECONDS < len(it.forged) / RATES[name] < 1.3 * (SECONDS + 2)
    assert len(it.forged) > 5
    wrong = [key for key in it.outcome.counters if key.startswith("bad_") and key != "bad_sum"]
    assert [it.outcome.counters[key] for key in wrong] == [0] * len(wrong)
    assert it.outcome.wrong == 0
    assert it.outcome.attack_frames >= len(it.forged)


@pytest.mark.parametrize("name", ["early_first_10", "insider", "tiny"])
def test_some_use_their_own_address(name: str) -> None:
    assert set(sources(run(name))) == {OWN}


@pytest.mark.parametrize(
    "name", ["early_first_50", "spoofed_first_50", "victim_first_50", "insider", "mimic"]
)
def test_floods_of_first_fragments(name: str) -> None:
    it = run(name)
    assert all(fragment.offset is None for _, fragment in it.forged)
    assert all(fragment.size == 448 for _, fragment in it.forged)


def test_spoofed_addresses_are_nobodys() -> None:
    found = sources(run("spoofed_first_50"))
    assert len(set(found)) == len(found)
    assert not set(found) & {OWN, *HONEST}


@pytest.mark.parametrize("name", ["victim_first_50", "burn_100", "badmouth", "mimic", "reset_all"])
def test_some_use_the_addresses_of_all_victims(name: str) -> None:
    assert set(sources(run(name))) == set(HONEST)


def test_a_flood_of_later_fragments() -> None:
    it = run("later_flood_100")
    assert all(fragment.offset is not None for _, fragment in it.forged)
    assert 0.3 < sum(source in HONEST for source in sources(it)) / len(it.forged) < 0.7


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("name", ["duplicate_half", "duplicate_all"])
def test_a_forged_copy_comes_before_the_true_fragment(name: str, mode: Mode) -> None:
    it = run(name, mode)
    places = {(heard.frame.source, part.tag, part.size, part.offset): heard for heard, part in it.honest}
    ahead = 0
    for heard, part in it.forged:
        true = places.get((heard.frame.source, part.tag, part.size, part.offset))
        if true is not None:
            assert len(part.body) == len(heard.frame.payload) - 5 - (mode is not Mode.LEGACY)
            assert len(heard.frame.payload) == len(true.frame.payload)
            assert heard.frame.payload != true.frame.payload
            ahead += heard.time_us < true.time_us
    assert ahead > 0.9 * len(it.forged)
    datagrams = {(heard.frame.source, part.tag) for heard, part in it.honest}
    assert len(it.forged) / len(datagrams) > (0.9 if name == "duplicate_all" else 0.3)
    assert it.outcome.wrong == 0
    if mode is not Mode.LEGACY:
        assert it.outcome.delivered >= 0.98 * it.outcome.sent


def test_a_reset_begins_another_datagram() -> None:
    for heard, part in run("reset_all").forged:
        assert part.offset is None
        assert part.tag ^ 0x5555 in tags(run("reset_all"), heard.frame.source, heard.time_us)


def test_a_reused_tag_is_that_of_the_datagram_under_way() -> None:
    it = run("tag_reuse")
    for heard, part in it.forged:
        assert part.offset is None
        assert part.tag == tags(it, heard.frame.source, heard.time_us)[-1]


def test_a_smaller_size() -> None:
    for _, part in run("size_mismatch").forged:
        assert part.size < 448
        assert part.offset is not None
        assert 8 * part.offset + len(part.body) == part.size


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("name", ["replay_first_10", "replay_datagrams"])
def test_what_is_replayed_was_heard_before(name: str, mode: Mode) -> None:
    it = run(name, mode)
    first = {heard.frame.payload: heard.time_us for heard, _ in reversed(it.honest)}
    for heard, part in it.forged:
        assert heard.time_us - first[heard.frame.payload] > 1_000_000
        assert part.offset is None or name == "replay_datagrams"
    assert it.outcome.wrong == 0
    if mode is Mode.KEYED:
        assert it.outcome.repeated == 0
    elif name == "replay_datagrams":
        assert it.outcome.repeated > 3  # nothing tells them from new ones


def test_tiny_fragments_have_holes_between_them() -> None:
    parts = [part for _, part in run("tiny").forged]
    later = [part for part in parts if part.offset is not None]
    assert len(later) > 0.9 * len(parts)
    assert {len(part.body) for part in later} == {8}
    steps = [(two.offset or 0) - (one.offset or 0) for one, two in pairwise(later) if one.tag == two.tag]
    assert len(steps) > 0.9 * len(later)
    assert min(steps) == 2


def test_badmouthing_begins_a_datagram_twice() -> None:
    found = [(heard.frame.source, part.tag) for heard, part in run("badmouth").forged]
    assert 0.4 < len(set(found)) / len(found) < 0.65


def test_a_mimic_guesses_the_next_tag() -> None:
    it = run("mimic")
    right = 0
    for heard, part in it.forged:
        seen = tags(it, heard.frame.source, heard.time_us)
        right += bool(seen) and part.tag == seen[-1] + 1
    assert right > 0.9 * len(it.forged)


def test_an_insider_is_authentic_and_blocked_within_14_frames() -> None:
    it = run("insider", Mode.KEYED)
    assert it.outcome.counters["tag_first"] == it.outcome.counters["replay"] == 0
    assert it.outcome.detection is not None
    assert it.outcome.detection <= 14
    assert it.outcome.counters["blocked"] > 30
    assert it.outcome.false_blocks == 0
    assert it.outcome.delivery == 1.0


@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "insider"])
def test_without_the_key_no_attack_gets_memory(name: str) -> None:
    it = run(name, Mode.KEYED)
    assert it.outcome.attacker_ram < 20
    assert it.outcome.delivered >= 0.96 * it.outcome.sent
    assert it.outcome.wrong == it.outcome.wrong_reassembly == it.outcome.repeated == 0


@pytest.mark.parametrize("mode", Mode)
def test_no_honest_node_is_blocked_at_a_fifth_of_frames_lost(mode: Mode) -> None:
    made = simulate(Settings(mode, loss=0.2, seconds=60.0, engine="twin", rate=2.0))
    assert made.false_blocks == 0
    assert made.delivered == pytest.approx(made.ceiling * made.sent, abs=4)
    assert 0.25 < made.ceiling < 0.42


def test_a_thousand_nodes() -> None:
    settings = Settings(senders=1000, rate=0.004, seconds=10.0, loss=0.0, engine="twin", radius=30.0)
    made = simulate(settings)
    assert 25 < made.sent < 55
    assert made.delivered >= made.sent - 2
