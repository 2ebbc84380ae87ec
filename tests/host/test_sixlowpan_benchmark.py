"""The rows of the 6LoWPAN benchmark, on runs of a few seconds."""

from __future__ import annotations

import pytest

import sixlowpan_report as report
import sixlowpan_tables as tables
from sixlowpan_chip import Chip
from sixlowpan_runs import NONE, OURS, Case, modes, run
from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.simulation.summary import Row, row

pytestmark = pytest.mark.host

ATTACK = "early_first_50"


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, Row]]:
    return {
        mode: {
            attack: row([run((Case(mode, attack, seconds=6.0), seed))[2] for seed in (1, 2)])
            for attack in (NONE, ATTACK)
        }
        for mode in modes()
    }


def test_all_modes_see_the_same_traffic(rows: dict[str, dict[str, Row]]) -> None:
    assert len({(it["sent"], it["ceiling"]) for by_attack in rows.values() for it in by_attack.values()}) == 1
    assert rows["plain_4x5s"][NONE]["sent"] >= 40


def test_the_plain_receiver_breaks_and_ours_does_not(rows: dict[str, dict[str, Row]]) -> None:
    for mode in OURS:
        assert rows[mode][ATTACK]["delivery"] > 0.8
        assert rows[mode][ATTACK]["attacker_ram"] <= report.LEGACY_RAM
    assert rows["plain_1x60s"][ATTACK]["delivery"] < 0.1
    assert rows["plain_4x5s"][ATTACK]["attacker_ram"] > 4000
    assert not any(it["wrong"] for by_attack in rows.values() for it in by_attack.values())


def test_what_is_wanted_is_told_by_rows(rows: dict[str, dict[str, Row]]) -> None:
    times = {
        (name, size): tables.airtime(mode, size) for name, mode in OURS.items() for size in (128, 448, 1280)
    }
    costs = report.Costs(times, Chip({"keyed": [2000, 2501]}, 4000, 500))
    found = {bar.wanted: bar.met for bar in report.bars(rows, None, costs)}
    assert found["keyed: no wrong delivery"]
    assert not next(met for wanted, met in found.items() if "instructions" in wanted)
    broken = {**rows, "legacy": {attack: {**it, "delivery": 0.1} for attack, it in rows["legacy"].items()}}
    told = {bar.wanted: bar.met for bar in report.bars(broken, None, costs)}
    assert not told["legacy: delivery never below the split buffer's"]
    text = report.tables_text(rows, None, costs, 2, 6.0)
    assert f"| {ATTACK} | {rows['keyed'][ATTACK]['delivery']:.3f} |" in text
    assert "Delivery" in report.plots(rows, None, 2, 6.0)


def test_airtime_of_chains() -> None:
    legacy, keyed, content = (tables.airtime(mode, 448) for mode in (Mode.LEGACY, Mode.KEYED, Mode.CONTENT))
    # The page byte in each frame; 4 bytes, three times 2, and 8; and 8 in all frames but the last.
    assert keyed.octets - legacy.octets == 5 + 4 + 3 * 2 + 8
    assert content.octets - legacy.octets == 5 + 4 * 8
    assert keyed.frames_us - legacy.frames_us == 32 * (keyed.octets - legacy.octets)
    assert legacy.exchange_us > legacy.frames_us


def test_the_least_rate_that_breaks() -> None:
    rates: dict[str, Row] = {"1": {"delivery": 0.9}, "10": {"delivery": 0.4}, "50": {"delivery": 0.1}}
    assert tables.breaking_rate(rates) == 10
    assert tables.breaking_rate({"1": {"delivery": 0.5}}) is None
