"""Compressed IPv6 headers: the C of the firmware and its twin, byte for byte, and both against RFC 6282."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import iphc_cases
from support.iphc_cases import Datagrams, Task
from tinyc.sixlowpan.iphc import Headers, Link, Reason
from tinyc.sixlowpan.iphc_compress import udp_checksum
from tinyc.toolchain.host_compiler import find_compiler

pytestmark = pytest.mark.host
CASES = 4000


@pytest.fixture(scope="module")
def program() -> Path:
    return iphc_cases.compiled(find_compiler())


def equal(program: Path, tasks: list[Task]) -> list[Headers | Reason]:
    found = iphc_cases.run(program, tasks)
    for task, answer in zip(tasks, found, strict=True):
        assert answer == task.twin(), task
    return found


def test_compressed_headers_come_back(program: Path) -> None:
    made = Datagrams(1)
    tasks = []
    for _ in range(CASES):
        link = made.link()
        datagram = made.datagram(link)[:255]
        tasks.append(Task(True, link, datagram, room=255))
    compressed, forms = 0, set()
    for task, answer in zip(tasks, equal(program, tasks), strict=True):
        if isinstance(answer, Reason):
            assert answer is Reason.SIZE  # cut at 255 bytes, so that its length is no longer true
            continue
        again = iphc_cases.restored(task.link, task.data, answer)
        if answer.elided:
            again = (
                again[: answer.udp + 6] + task.data[answer.udp + 6 : answer.udp + 8] + again[answer.udp + 8 :]
            )
        assert again == task.data
        compressed += answer.consumed - len(answer.data)
        forms.add((answer.data[0] & 0x1F, answer.data[1]))
    assert compressed > 20 * CASES
    assert len(forms) > 400


def test_less_room_compresses_fewer_headers(program: Path) -> None:
    made = Datagrams(2)
    tasks = []
    for i in range(CASES):
        link = made.link()
        datagram = made.datagram(link)
        head = datagram[: made.rng.randrange(30, 255)]
        tasks.append(Task(True, link, head, len(datagram) + i % 97 % 2, made.rng.randrange(8, 120)))
    seen = {answer if isinstance(answer, Reason) else Reason.OK for answer in equal(program, tasks)}
    assert seen == {Reason.OK, Reason.TRUNCATED, Reason.ROOM, Reason.SIZE}


def test_any_bytes_are_refused_for_the_same_reason(program: Path) -> None:
    made = Datagrams(3)
    tasks = []
    for _ in range(3 * CASES):
        link = made.link()
        size = made.rng.choice([0, made.rng.randrange(2048)])
        room = made.rng.choice([128, 128, made.rng.randrange(256)])
        tasks.append(Task(False, link, made.compressed(link), size, room))
    seen = {answer if isinstance(answer, Reason) else Reason.OK for answer in equal(program, tasks)}
    assert seen == set(Reason)


def test_every_truncation(program: Path) -> None:
    """A header that ends early is refused; only cuts inside the payload are not."""
    made = Datagrams(4)
    tasks = []
    wholes = []
    for _ in range(100):
        link = made.link()
        datagram = made.datagram(link)[:250]
        whole = Task(True, link, datagram, room=255).twin()
        if isinstance(whole, Headers):
            wholes.append(whole)
            tasks.append([Task(False, link, whole.data[:cut], 1280, 255) for cut in range(len(whole.data))])
    assert len(wholes) > 80
    for answers in (equal(program, some) for some in tasks):
        assert set(answers) <= {Reason.TRUNCATED}


def test_checksum_in_pieces(program: Path) -> None:
    made = Datagrams(5)
    cases = []
    for payload in (*range(40), 447, 1232):
        link = made.link()
        udp = made.udp(payload)
        cases.append((made.ipv6(link, 17, len(udp)) + udp, 0, 40))
    assert iphc_cases.checksums(program, cases) == [udp_checksum(*case) for case in cases]


# By hand from RFC 6282, sections 3 and 4.
LINK = Link(bytes.fromhex("0212740000000001"), b"\x12\x34")
LOCAL = "fe80000000000000"
BY_HAND = {
    "all elided": (
        "7b33" + "3a",
        "6000000000003aff" + LOCAL + "0012740000000001" + LOCAL + "000000fffe001234",
    ),
    "all routers, flow label": (
        "6b3b" + "412345" + "3a" + "02",
        "6011234500003aff" + LOCAL + "0012740000000001" + "ff02" + 26 * "0" + "02",
    ),
    "short UDP ports": (
        "7e33" + "f3" + "12" + "abcd",
        "6000000000081140" + LOCAL + "0012740000000001" + LOCAL + "000000fffe001234" + "f0b1f0b20008abcd",
    ),
    "an option and its padding": (
        "7e33" + "e0" + "3a" + "04" + "05020000",
        "6000000000080040" + LOCAL + "0012740000000001" + LOCAL + "000000fffe001234" + "3a00050200000100",
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand(program: Path, name: str) -> None:
    compressed, headers = (bytes.fromhex(text) for text in BY_HAND[name])
    there, back = equal(program, [Task(False, LINK, compressed), Task(True, LINK, headers)])
    assert isinstance(there, Headers) and isinstance(back, Headers)
    assert there.data == headers
    assert back.data == compressed


REFUSED = {
    "empty": ("", Reason.TRUNCATED),
    "one byte": ("7b", Reason.TRUNCATED),
    "uncompressed, 39 bytes": ("41" + "60" + 38 * "00", Reason.TRUNCATED),
    "uncompressed IPv4": ("41" + "45" + 39 * "00", Reason.DISPATCH),
    "mesh header": ("b1" + 20 * "00", Reason.DISPATCH),
    "first fragment in itself": ("c1c01234" + 20 * "00", Reason.DISPATCH),
    "unknown context": ("7bf3" + "10" + "3a", Reason.CONTEXT),
    "stateful destination in full": ("7b34" + "3a" + 16 * "00", Reason.RESERVED),
    "multicast with a context in 4 bytes": ("7b3e" + "3a" + 16 * "00", Reason.RESERVED),
    "reserved extension header": ("7f33" + "ea" + "3a" + "06" + 6 * "00", Reason.RESERVED),
    "compression of ICMP": ("7f33" + "df" + 6 * "00", Reason.RESERVED),
    "routing header of 9 bytes": ("7f33" + "e2" + "3a" + "07" + 7 * "00", Reason.EXTENSION),
    "extension header longer than the frame": ("7f33" + "e0" + "3a" + "ff" + 60 * "00", Reason.TRUNCATED),
    "compressed behind a fragment header": ("7f33" + "e5" + 7 * "00" + "f3", Reason.EXTENSION),
    "three IPv6 headers": ("7f33" + "ee" + "7f33" + "ee" + "7b33" + "3a", Reason.EXTENSION),
    "elided checksum": ("7f33" + "f7" + "12", Reason.CHECKSUM),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(program: Path, name: str) -> None:
    text, reason = REFUSED[name]
    assert equal(program, [Task(False, LINK, bytes.fromhex(text), room=128)]) == [reason]


def test_absent_address_derives_nothing(program: Path) -> None:
    assert equal(program, [Task(False, Link(None, b"\x12\x34"), bytes.fromhex("7b333a"))]) == [Reason.ADDRESS]
