"""Frames that others recorded, through the C that puts fragments together, under sanitizers."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import lpc
from tinyc.sixlowpan import frames, pcap
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.fragments import Verdict
from tinyc.sixlowpan.frames import Address, MacVerdict
from tinyc.sixlowpan.receiver import Receiver
from tinyc.toolchain.host_compiler import find_compiler

pytestmark = pytest.mark.host

# What becomes of the frames of each, by hand. Whoever kept the first two changed their addresses, so that the
# checksums are wrong: two datagrams of two fragments each. The others hold data that is not 6LoWPAN, and
# frames that are no data.
EXPECTED = {
    "smoltcp_contiki-ng_frag_echo_udp_fcs195.pcap": [Verdict.TAKEN, Verdict.BAD_SUM] * 2,
    "smoltcp_contiki-ng_frag_echo_udp_nofcs230.pcap": [Verdict.TAKEN, Verdict.BAD_SUM] * 2,
    "tcpdump_802_15_4-data.pcap": [],
    "tcpdump_802_15_4-oobr-1.pcap": [],
    "tcpdump_802_15_4-oobr-2.pcap": [],
    "tcpdump_802_15_4_beacon.pcap": [],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_recorded_frames(shared: Path, name: str) -> None:
    path = shared / "data" / "sixlowpan" / "captures" / name
    if not path.exists():
        pytest.skip(f"{name} is not here")
    it, found = lpc.Play(Receiver((), Sizes())), []
    for captured in pcap.read(path).frames:
        verdict, frame = frames.parse(captured.data)
        if verdict is MacVerdict.OK and frame.type == frames.MacType.DATA:
            payload = captured.data[frame.payload : frame.payload + frame.payload_length]
            now = captured.time_ns // 1_000_000
            found.append(it.frame(now, frame.source, frame.destination, payload))
        # As a payload it is nothing right, whatever it is.
        whole = it.frame(
            captured.time_ns // 1_000_000, Address.short(1), Address.short(2), captured.data[:255]
        )
        assert whole not in (Verdict.TAKEN, Verdict.DELIVERED)
    assert found == EXPECTED[name]
    it.poll(2**31, Address.short(1))
    assert it.receiver.contexts.in_use() == (0, 0)
    program = lpc.compiled(find_compiler(), Sizes(), ())
    assert lpc.run(program, bytes(it.script)) == bytes(it.expected)
