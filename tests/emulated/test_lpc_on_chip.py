"""What 6LoWPAN costs on a Cortex-M4: instructions, stack and RAM; and that a Cortex-M0 runs it."""

from __future__ import annotations

import pytest

from support import lpc
from support.lpc_chip import COMPILERS, LpcFirmware, has_compiler
from tinyc.boards import load_board
from tinyc.sixlowpan import sender
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.fragments import Mode, Verdict
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.receiver import Peer
from tinyc.sixlowpan.sender import Outgoing
from tinyc.sixlowpan.state import state_bytes

pytestmark = pytest.mark.emulated

NODE, SOURCE, KEY = Address.extended(2), Address.extended(1), bytes(range(16))
PEERS = (Peer(SOURCE, Mode.LEGACY, KEY),)
# Instructions of a fragment at most, that which completes the datagram with them.
RECEIVING = {Mode.LEGACY: 2500, Mode.KEYED: 2500, Mode.CONTENT: 4300}
SENDING = {Mode.LEGACY: 400, Mode.KEYED: 1700, Mode.CONTENT: 16_000}


@pytest.fixture(scope="module", params=COMPILERS)
def firmware(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LpcFirmware:
    if not has_compiler(request.param):
        pytest.skip(f"the compiler of toolchain {request.param} is not installed")
    folder = tmp_path_factory.mktemp("lpc")
    return LpcFirmware(load_board("nrf52840"), folder, Sizes(), PEERS, compiler=request.param)


def outgoing(mode: Mode, size: int = 448, tag: int = 1) -> Outgoing:
    source = Address.extended(3) if mode is Mode.CONTENT else SOURCE
    key = KEY if mode is Mode.KEYED else b""
    return lpc.outgoing(lpc.ipv6(size, b"some text"), source, NODE, tag=tag, mode=mode, key=key)


def costs(firmware: LpcFirmware, one: Outgoing, start: int, room: int = 104) -> list[int]:
    fragments, made = sender.fragments(one, room), []
    for i, fragment in enumerate(fragments):
        verdict, instructions = firmware.frame(start + i, one.source, NODE, fragment)
        assert verdict == (Verdict.DELIVERED if i == len(fragments) - 1 else Verdict.TAKEN)
        made.append(instructions)
    print(one.mode.name, made)
    return made


def test_instructions_of_a_fragment(firmware: LpcFirmware) -> None:
    for mode, most in RECEIVING.items():
        assert max(costs(firmware, outgoing(mode), 1000 * mode)) <= most


def test_instructions_of_sending_a_fragment(firmware: LpcFirmware) -> None:
    for mode, most in SENDING.items():
        fragments, made = firmware.send(outgoing(mode), 104)
        assert fragments == sender.fragments(outgoing(mode), 104)
        print(mode.name, made)
        assert max(made) <= most


def test_memory(firmware: LpcFirmware) -> None:
    print(firmware.ram(), firmware.stack_bound(), sum(firmware.flash.values()))
    # Each file asserts its bytes; the linker aligns them, and leaves out what is not called.
    assert 3000 < firmware.ram() <= state_bytes(Sizes()) + 40
    assert state_bytes(Sizes(), rank=True) <= 4096
    assert firmware.stack_bound() <= 1024


def test_a_core_that_reads_words_only_in_place_takes_and_makes_the_same(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The hashes read their words at any address elsewhere."""
    sizes = Sizes(slots=8, contexts=2, neighbours=2, done=2, peers=1)
    firmware = LpcFirmware(load_board("microbit"), tmp_path_factory.mktemp("m0"), sizes, PEERS)
    for start, (mode, room) in enumerate((mode, room) for mode in Mode for room in (104, 77, 63)):
        one = outgoing(mode, 200 + start, start)
        fragments, _ = firmware.send(one, room)
        assert fragments == sender.fragments(one, room)
        costs(firmware, one, 2000 * start, room)
