"""The radio driver in emulated boards: they exchange frames over a simulated air."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from support.radio_nodes import CHANNEL, Node, build, data_frame, extended, on_air, short
from tinyc.emulator.air import BYTE, HEADER_BYTES, MICROSECOND, Air
from tinyc.sixlowpan.frames import BROADCAST, acknowledgement
from tinyc.toolchain.elf import read_elf
from tinyc.toolchain.stack import stack_bound, stack_with_interrupts

pytestmark = pytest.mark.emulated

TURNAROUND = 192 * MICROSECOND


@pytest.fixture(scope="module")
def elves(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folder = tmp_path_factory.mktemp("radio")
    return {number: build(folder, number) for number in (1, 2, 3)}


@pytest.fixture
def nodes(elves: dict[int, Path]) -> Callable[..., list[Node]]:
    """`nodes(air, count)` are that many boards which listen."""

    def made(air: Air, count: int = 2) -> list[Node]:
        found = [Node(elves[number], air, number) for number in range(1, count + 1)]
        air.run(1000)
        return found

    return made


def test_two_boards_exchange_a_frame_and_its_acknowledgement(nodes: Callable[..., list[Node]]) -> None:
    air = Air(default_rssi=-63)
    one, two = nodes(air)
    frame = data_frame(extended(1), extended(2), 7, b"hello over the air")
    one.send(frame)
    air.run(20_000)
    assert (one.outcome, two.outcome) == ("sent", "idle")
    (got,) = two.inbox
    assert (got.frame, got.rssi, got.quality) == (frame, -63, 4 * (92 - 63))
    data, ack = air.frames
    assert (data.psdu, data.sender) == (on_air(frame), "node 1")
    assert (ack.psdu, ack.sender) == (on_air(acknowledgement(7)), "node 2")
    assert abs(ack.start - data.end - TURNAROUND) <= MICROSECOND // 8
    assert data.end - data.start == (HEADER_BYTES + len(frame) + 2) * BYTE
    assert one.counters["attempts"] == 1
    assert two.counters["acks_sent"] == 1


def test_the_acknowledgement_comes_in_time_while_the_core_computes(nodes: Callable[..., list[Node]]) -> None:
    air = Air()
    one, two = nodes(air)
    two.set_word("busy_for", 1_000_000)
    frame = data_frame(short(1), short(2), 9, bytes(90))
    one.send(frame)
    air.run(15_000)
    assert one.outcome == "sent"
    assert two.word("busy_for") > 0
    data, ack = air.frames
    assert abs(ack.start - data.end - TURNAROUND) <= MICROSECOND // 8


def test_frames_that_nobody_acknowledges_are_repeated_with_the_same_number(
    nodes: Callable[..., list[Node]],
) -> None:
    air = Air()
    (one,) = nodes(air, 1)
    frame = data_frame(short(1), short(2), 200, b"nobody")
    one.send(frame)
    air.run(40_000)
    assert one.outcome == "no ack"
    assert [each.psdu for each in air.frames] == [on_air(frame)] * 4
    waits = [after.start - before.end for before, after in zip(air.frames, air.frames[1:], strict=False)]
    assert min(waits) > 864 * MICROSECOND


def test_a_lost_acknowledgement_delivers_once(nodes: Callable[..., list[Node]]) -> None:
    air = Air(rssi={("node 2", "node 1"): -120})  # node 1 is deaf
    one, two = nodes(air)
    one.send(data_frame(short(1), short(2), 3, b"once"))
    air.run(40_000)
    assert one.outcome == "no ack"
    assert len(two.inbox) == 1
    assert (two.counters["repeated"], two.counters["acks_sent"]) == (3, 4)
    one.send(data_frame(short(1), short(2), 4, b"next"))
    air.run(40_000)
    assert [got.frame[-4:] for got in two.inbox] == [b"once", b"next"]


def test_a_forged_frame_does_not_silence_the_true_one(nodes: Callable[..., list[Node]]) -> None:
    """Somebody sends in node 1's name, with the number that its next frame will have."""
    air = Air()
    one, two = nodes(air)
    true, forged = (data_frame(short(1), short(2), 4, payload) for payload in (b"true", b"lies"))
    air.inject("stranger", on_air(forged), CHANNEL)
    air.run(6000)
    one.send(true)
    air.run(20_000)
    assert [got.frame for got in two.inbox] == [forged, true]
    assert (one.outcome, two.counters["repeated"], two.counters["acks_sent"]) == ("sent", 0, 2)


@pytest.mark.parametrize(
    ("frame", "arrives", "acknowledged"),
    [
        (data_frame(short(9), short(1), 1, b"mine"), True, True),
        (data_frame(extended(9), extended(1), 1, b"mine"), True, True),
        (data_frame(short(9), short(2), 1, b"other"), False, False),
        (data_frame(extended(9), extended(2), 1, b"other"), False, False),
        (data_frame(short(9), short(1), 1, b"other PAN", pan=0x1234), False, False),
        (data_frame(short(9), short(BROADCAST), 1, b"all"), True, False),
        (data_frame(short(9), short(1), 1, b"every PAN", pan=BROADCAST), True, False),
        (data_frame(short(9), short(1), 1, b"quiet", ack=False), True, False),
        (acknowledgement(1), False, False),
        (b"\x61", False, False),
        (b"", False, False),
    ],
)
def test_address_filter(
    nodes: Callable[..., list[Node]], frame: bytes, arrives: bool, acknowledged: bool
) -> None:
    air = Air()
    (one,) = nodes(air, 1)
    air.inject("stranger", on_air(frame), CHANNEL)
    air.run(6000)
    assert [got.frame for got in one.inbox] == [frame] * arrives
    assert len(air.frames) == 1 + acknowledged
    # Whatever it was, the next frame is heard.
    air.inject("stranger", on_air(data_frame(short(9), short(1), 2, b"after")), CHANNEL)
    air.run(6000)
    assert one.inbox[-1].frame.endswith(b"after")


@pytest.mark.parametrize("psdu", [b"", b"\x01", b"\x00\x00", bytes(127), bytes(range(128))[1:]])
def test_frames_of_any_length_with_a_wrong_check_sum(nodes: Callable[..., list[Node]], psdu: bytes) -> None:
    air = Air()
    (one,) = nodes(air, 1)
    air.inject("stranger", psdu, CHANNEL)
    air.run(6000)
    assert one.inbox == []
    counters = one.counters
    assert counters["bad_check_sum"] + counters["filtered"] == 1


def test_one_that_listens_to_everything_acknowledges_nothing(nodes: Callable[..., list[Node]]) -> None:
    air = Air()
    one, two, three = nodes(air, 3)
    three.set_word("sniffs", 1)
    three.send(b"")  # wakes it
    frame = data_frame(extended(1), extended(2), 7, b"not for three")
    one.send(frame)
    air.run(20_000)
    to_three = data_frame(extended(1), extended(3), 8, b"for three")
    one.send(to_three)
    air.run(60_000)
    assert [got.frame for got in two.inbox] == [frame]
    assert [got.frame for got in three.inbox if len(got.frame) > 3][:2] == [frame, to_three]
    assert one.outcome == "no ack" and three.counters["acks_sent"] == 0
    assert {it.sender for it in air.frames} == {"node 1", "node 2"}


def test_other_channels_are_not_heard(nodes: Callable[..., list[Node]]) -> None:
    air = Air()
    (one,) = nodes(air, 1)
    air.inject("stranger", on_air(data_frame(short(9), short(1), 1, b"?")), CHANNEL + 1)
    air.run(6000)
    assert not any(one.counters.values())


def test_a_busy_channel_is_waited_for(nodes: Callable[..., list[Node]]) -> None:
    air = Air()
    (one,) = nodes(air, 1)
    first = air.inject("stranger", on_air(data_frame(short(9), short(8), 1, bytes(100))), CHANNEL)
    air.run(100)
    one.send(data_frame(short(1), short(BROADCAST), 5, b"later", ack=False))
    air.run(30_000)
    assert one.outcome == "sent"
    assert air.frames[1].start > first.end


def test_a_channel_that_stays_busy_is_given_up(nodes: Callable[..., list[Node]]) -> None:
    air = Air()
    (one,) = nodes(air, 1)
    noise = on_air(data_frame(short(9), short(8), 1, bytes(100)))
    length = (HEADER_BYTES + len(noise)) * BYTE
    for number in range(20):
        air.inject("noise", noise, CHANNEL, at=air.now + number * (length + 10))
    one.send(data_frame(short(1), short(BROADCAST), 5, b"never", ack=False))
    air.run(60_000)
    assert one.outcome == "channel busy"
    assert one.counters["busy"] == 5
    assert all(each.sender == "noise" for each in air.frames)


def test_frames_that_collide_arrive_damaged(nodes: Callable[..., list[Node]]) -> None:
    air = Air(rssi={("far", "node 1"): -80, ("near", "node 1"): -50})
    (one,) = nodes(air, 1)
    frame = data_frame(short(9), short(1), 1, bytes(40), ack=False)
    air.inject("first", on_air(frame), CHANNEL)
    air.inject("second", on_air(frame), CHANNEL, at=air.now + 4 * BYTE)
    air.run(6000)
    assert one.inbox == []
    assert one.counters["bad_check_sum"] == 1
    air.inject("near", on_air(frame), CHANNEL)
    air.inject("far", on_air(frame), CHANNEL, at=air.now + 4 * BYTE)
    air.run(6000)
    assert [got.frame for got in one.inbox] == [frame]


def test_frames_beyond_the_queue_are_not_acknowledged(nodes: Callable[..., list[Node]]) -> None:
    air = Air()
    (one,) = nodes(air, 1)
    one.set_word("busy_for", 3_000_000)
    for number in range(5):
        air.inject("stranger", on_air(data_frame(short(9), short(1), number, b"x")), CHANNEL)
        air.run(3000)
    acks = [each.psdu[2] for each in air.frames if each.sender == "node 1"]
    assert acks == [0, 1, 2]
    assert one.counters["no_room"] == 2
    one.set_word("busy_for", 1)
    air.inject("stranger", on_air(data_frame(short(9), short(1), 9, b"x")), CHANNEL, at=air.now + 64_000)
    air.run(6000)
    assert [got.frame[2] for got in one.inbox] == [0, 1, 2, 9]


def test_three_boards_share_the_channel_and_runs_repeat(nodes: Callable[..., list[Node]]) -> None:
    def run() -> tuple[list[tuple[str, int, bytes]], list[str], list[bytes]]:
        air = Air(seed=4, loss=0.05)
        one, two, three = nodes(air, 3)
        outcomes = []
        for number in range(6):
            two.send(data_frame(short(2), short(1), 10 + number, b"from two" * 8))
            three.send(data_frame(short(3), short(1), 90 + number, b"from three" * 8))
            air.run(40_000)
            outcomes += [two.outcome, three.outcome]
        frames = [(each.sender, each.start, each.psdu) for each in air.frames]
        return frames, outcomes, [got.frame for got in one.inbox]

    frames, outcomes, inbox = run()
    assert outcomes == ["sent"] * 12
    assert len(inbox) == len(set(inbox)) == 12
    assert (frames, outcomes, inbox) == run()


def test_the_stack_of_the_interrupts_is_proved(
    elves: dict[int, Path], nodes: Callable[..., list[Node]]
) -> None:
    image = read_elf(elves[1])
    bounds = {
        name: stack_bound(image, (), name).bytes for name in ("radio_interrupt", "radio_timer_interrupt")
    }
    assert max(bounds.values()) <= 256, bounds
    whole = stack_with_interrupts(image, (), "Reset_Handler").bytes
    frame_of_an_exception = 108
    assert whole == stack_bound(image, (), "Reset_Handler").bytes + frame_of_an_exception + max(
        bounds.values()
    )
    air = Air()
    one, two = nodes(air)
    for node, other in ((one, short(2)), (two, short(1))):
        node.send(data_frame(short(3), other, 1, bytes(50)))
        air.run(20_000)
    assert 108 < one.machine.stack_used() <= whole


def test_a_reset_ends_the_frame_on_the_air(nodes: Callable[..., list[Node]]) -> None:
    air = Air()
    one, two = nodes(air)
    one.send(data_frame(short(1), short(2), 5, bytes(100)))
    while not air.frames:
        air.run(100)
    air.run(1000)
    one.machine.reset()
    air.run(6000)
    (frame,) = air.frames
    assert frame.cut
    assert frame.end - frame.start < (HEADER_BYTES + len(frame.psdu)) * BYTE
    assert two.counters["bad_check_sum"] == 1
    # Both work on: the receiver at once, the other after its start.
    two.send(data_frame(short(2), short(1), 6, b"again"))
    air.run(20_000)
    assert two.outcome == "sent"


def test_an_acknowledgement_is_exact_or_left_out(nodes: Callable[..., list[Node]]) -> None:
    air = Air()
    (one,) = nodes(air, 1)
    turnarounds = []
    for number in range(120):
        frame = data_frame(short(9), short(1), number, b"deaf" * 5)
        # The core takes interrupts again at any time around the one when the acknowledgement begins.
        one.set_word("deaf_for", 11_000 + 16 * number)
        one.send(b"")  # wakes it
        before = len(air.frames)
        sent = air.inject("stranger", on_air(frame), CHANNEL)
        air.run(8000)
        turnarounds += [each.start - sent.end for each in air.frames[before + 1 :]]
    late = one.counters["acks_late"]
    assert late + len(turnarounds) == 120
    assert 20 < late < 100
    assert all(abs(each - TURNAROUND) <= MICROSECOND // 8 for each in turnarounds)
    assert one.counters["received"] == 120


def test_no_frame_stops_the_receiver(nodes: Callable[..., list[Node]]) -> None:
    air = Air()
    (one,) = nodes(air, 1)
    chance = random.Random(11)
    for _ in range(150):
        frame = bytearray(data_frame(short(9), short(1), chance.randrange(256), chance.randbytes(20)))
        for _ in range(chance.randrange(4)):
            frame[chance.randrange(len(frame))] ^= 1 << chance.randrange(8)
        data = bytes(frame) if chance.random() < 0.7 else chance.randbytes(chance.randrange(126))
        damaged = on_air(data) if chance.random() < 0.8 else data
        air.inject("stranger", damaged, CHANNEL, at=air.now + chance.randrange(200_000))
        air.run(chance.choice((1000, 4000, 9000)))
    air.run(20_000)
    before = len(one.inbox)
    last = data_frame(short(9), short(1), 1, b"last")
    air.inject("stranger", on_air(last), CHANNEL)
    air.run(6000)
    assert len(one.inbox) == before + 1


def test_the_clock_counts_over_its_wrap(nodes: Callable[..., list[Node]]) -> None:
    air = Air()
    (one,) = nodes(air, 1)
    one.send(b"")
    air.run(1000)
    start = one.word("result", 1)
    for _ in range(3):
        air.run(200_000_333)
        one.send(b"")
        air.run(1000)
    assert abs(one.word("result", 1) - start - 600_004) <= 1
