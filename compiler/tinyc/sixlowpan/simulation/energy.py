"""Energy of a run, from how long radios were on and how many fragments were worked on.

Radio: nRF52840 at 3 V and 0 dBm, 4.8 mA sending, 6.4 mA listening (product specification). Processor: 0.27 nJ
for an instruction, which is 3.3 mA at 64 MHz with 1.3 cycles for each at 3 V. Instructions of a fragment are
those that the emulated Cortex-M4 counts for one of 96 bytes (tests/emulated/test_lpc_on_chip.py), rounded.
"""

from __future__ import annotations

from collections.abc import Iterable

from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.simulation.station import Spent

_VOLT, _SENDING_MA, _LISTENING_MA = 3.0, 4.8, 6.4
_UJ_PER_INSTRUCTION = 0.27e-3
_INSTRUCTIONS = {Mode.LEGACY: 1000, Mode.CONTENT: 4000, Mode.KEYED: 2000}


def energy_uj(spent: Iterable[Spent], mode: Mode, fragments: int) -> float:
    """Microjoules of these radios, and of that many fragments made or judged."""
    radio = sum(it.sending * _SENDING_MA + it.listening * _LISTENING_MA for it in spent) * _VOLT / 1000
    return radio + fragments * _INSTRUCTIONS[mode] * _UJ_PER_INSTRUCTION
