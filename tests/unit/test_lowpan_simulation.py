"""The simulator of 6LoWPAN networks: its timing, what is random in it, and what attackers do."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import pytest

from support.command_line import tinyc
from tinyc.errors import TinycError
from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.pcap import Captured
from tinyc.sixlowpan.simulation.channel import Air, Clock, airtime_us, loudness_dbm
from tinyc.sixlowpan.simulation.compiled import library
from tinyc.sixlowpan.simulation.engine import simulate
from tinyc.sixlowpan.simulation.settings import Outcome, Settings
from tinyc.sixlowpan.simulation.station import Job, Station
from tinyc.sixlowpan.simulation.traffic import SINK, planned, sender_address

pytestmark = pytest.mark.unit


def twin(mode: Mode = Mode.KEYED, *attacks: str, **how: object) -> Outcome:
    given: dict[str, object] = {"seconds": 10.0, "engine": "twin", "loss": 0.0, **how}
    return simulate(Settings(mode=mode, attacks=attacks, **given))  # type: ignore[arg-type]


class NoBackoff(Random):
    """The shortest backoff each time."""

    def randrange(self, *bounds: int) -> int:  # type: ignore[override]
        return 0


def test_time_on_the_air() -> None:
    # Four bytes of preamble, one each for the start and the length; 32 us for each byte.
    assert airtime_us(127) == 4256
    assert airtime_us(5) == 352


def test_a_frame_and_its_answer_by_hand() -> None:
    air = Air(Clock(), Random(1), [(0.0, 0.0), (3.0, 0.0)])
    log: list[tuple[str, int]] = []

    def landed(station: Station, job: Job, sent: object, attempt: int) -> bool:
        log.append((f"attempt {attempt}", air.clock.now))
        if attempt == 0:
            return False
        air.clock.after(192 + 352, lambda: station.acknowledged(job, True, 192 + 352))
        return True

    station = Station(1, air, NoBackoff(), landed)
    done = lambda ok: log.append(("done", air.clock.now))  # noqa: E731
    for _ in range(2):
        station.send(Job(sender_address(0), SINK, bytes(100), 7, done=done))
    air.clock.run(1_000_000)
    # 8 symbols of listening, 12 of turning round, then 6 + 21 + 100 + 2 bytes.
    first = 128 + 192 + (6 + 123) * 32
    # No answer within 54 symbols: the frame again.
    second = first + 864 + 128 + 192 + (6 + 123) * 32
    answered = second + 192 + 352
    # The next one after the long spacing of 40 symbols.
    assert log[:4] == [
        ("attempt 0", first),
        ("attempt 1", second),
        ("done", answered),
        ("attempt 0", answered + 640 + first),
    ]
    assert station.spent.sending == 4 * (6 + 123) * 32


def test_a_louder_frame_survives_and_an_equal_one_does_not() -> None:
    air = Air(Clock(), Random(1), [(0.0, 0.0), (2.0, 0.0), (20.0, 0.0), (-2.0, 0.0)])
    loud, faint = air.begin(1, 1000), air.begin(2, 1000)
    assert air.received(loud, 0)
    assert not air.received(faint, 0)
    equal = air.begin(3, 1000)
    assert not air.received(equal, 0)
    assert not air.received(loud, 0)


def test_who_is_too_far_away_is_hidden() -> None:
    assert loudness_dbm(1.0) == -40.0
    assert loudness_dbm(10.0) == -70.0
    air = Air(Clock(), Random(1), [(0.0, 0.0), (60.0, 0.0), (-60.0, 0.0)])
    air.begin(1, 1000)
    assert air.busy(0)
    assert not air.busy(2)


def test_losses_are_those_of_the_datagram() -> None:
    ones = [planned(3, 1, number, 1.0, 448, 0.25) for number in range(300)]
    assert ones == [planned(3, 1, number, 1.0, 448, 0.25) for number in range(300)]
    gone = sum(len(frames) == 4 for one in ones for frames, _ in one.losses)
    assert 0.22 < gone / (300 * len(ones[0].losses)) < 0.28
    # What is lost at a low rate is lost at a higher one.
    for low, high in zip([planned(3, 1, n, 1.0, 448, 0.05) for n in range(50)], ones, strict=False):
        assert all(few[0] <= many[0] for few, many in zip(low.losses, high.losses, strict=True))


def test_a_quiet_network_delivers_all() -> None:
    for mode in Mode:
        made = twin(mode)
        assert made.sent == made.delivered > 30
        assert (made.wrong, made.wrong_reassembly, made.repeated, made.false_blocks) == (0, 0, 0, 0)
        assert made.attacker_ram == 0.0
        assert made.ceiling == 1.0


@pytest.mark.parametrize("mode", Mode)
def test_what_honest_nodes_leave_is_not_the_attackers(mode: Mode) -> None:
    made = twin(mode, loss=0.3)
    assert made.counters["timeout_gap"] > 5
    assert made.attacker_ram == 0.0


def test_the_same_settings_give_the_same_outcome() -> None:
    one, other = (twin(Mode.LEGACY, "victim_first_50", "duplicate_half", loss=0.1) for _ in range(2))
    assert one == other
    assert one != twin(Mode.LEGACY, "victim_first_50", "duplicate_half", loss=0.1, seed=2)


def test_capture_holds_all_frames() -> None:
    frames: list[Captured] = []
    made = simulate(Settings(seconds=3.0, engine="twin"), record=frames.append)
    assert len(frames) == made.frames
    assert [it.time_ns for it in frames] == sorted(it.time_ns for it in frames)


def test_an_unknown_attack_is_a_mistake() -> None:
    with pytest.raises(TinycError, match="earthquake"):
        twin(Mode.KEYED, "earthquake")


SMALL = ("lowpan", "simulate", "--seconds", 4, "--engine", "twin", "--loss", 0)


def test_command_prints_rows(tmp_path: Path) -> None:
    said = tinyc(*SMALL, "--mode", "legacy", "--attack", "early_first_10", "--seeds", 2, "--json")
    assert said.code == 0
    assert list(said.json["attacks"]) == ["none", "early_first_10"]
    none, early = said.json["attacks"].values()
    assert none["sent"] == early["sent"] > 20
    assert none["delivery"] == early["delivery"] == 1.0
    assert none["attack_frames"] == 0 < early["attack_frames"]
    table = tinyc(*SMALL, "--attack", "early_first_10", "--attack", "tiny", "--together")
    assert table.code == 0
    assert "early_first_10+tiny" in table.stdout
    assert "none" not in table.stdout


def test_command_writes_a_capture(tmp_path: Path) -> None:
    path = tmp_path / "air.pcap"
    assert tinyc(*SMALL, "--attack", "tiny", "--mode", "legacy", "--pcap", path).code == 0
    judged = tinyc("lowpan", "check", path, "--json").json["datagrams"]
    assert sum(row["verdict"] == "delivered" for row in judged) > 12
    assert any(row["verdict"] != "delivered" for row in judged)


def test_command_draws_a_page(tmp_path: Path) -> None:
    path = tmp_path / "run.html"
    said = tinyc(*SMALL, "--mode", "legacy", "--attack", "mimic", "--plot", path)
    assert said.code == 0
    assert str(path) in said.stderr
    page = path.read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    assert "mimic" in page


def test_command_refuses_unknown_attacks() -> None:
    said = tinyc(*SMALL, "--attack", "earthquake")
    assert said.code == 1
    assert "earthquake" in said.stderr
    assert "early_first_10" in said.stderr


def test_command_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cffi", None)
    library.cache_clear()
    said = tinyc("lowpan", "simulate", "--seconds", 2)
    assert said.code == 1
    assert "cffi" in said.stderr
    assert "--engine twin" in said.stderr
