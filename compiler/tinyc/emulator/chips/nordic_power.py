"""POWER of Nordic's chips beside CLOCK: why the chip was reset, and bytes that outlive a reset.

From the nRF52840 Product Specification 1.7, chapter "POWER", section "Reset behavior": a soft
reset keeps the retained registers, a reset by the pin and one by the power do not; RESETREAS adds
up until its bits are cleared by writing ones, and is 0 after the power came. RAM is not cleared by
any reset; the specification promises it for a soft reset only, the emulator keeps it for the pin too.
"""

from __future__ import annotations

from tinyc.emulator.chips.nordic import Clock
from tinyc.emulator.peripheral import Reset, on_write

_REASON = {Reset.PIN: 1 << 0, Reset.SOFTWARE: 1 << 2}


class Power(Clock):
    """CLOCK and POWER. GPREGRET2 is the nRF52's; on an nRF51 nothing lies there."""

    RESETREAS, GPREGRET, GPREGRET2 = 0x400, 0x51C, 0x520

    def reset(self) -> None:
        cause = self.system.reset_cause
        reason = 0 if cause is Reset.POWER_ON else self[self.RESETREAS] | _REASON[cause]
        kept = (self.GPREGRET, self.GPREGRET2) if cause is Reset.SOFTWARE else ()
        values = {offset: self[offset] for offset in kept}
        super().reset()
        self.registers |= {self.RESETREAS: reason, **values}

    @on_write(RESETREAS)
    def _clear_reasons(self, value: int) -> int:
        return self[self.RESETREAS] & ~value

    @on_write(GPREGRET)
    @on_write(GPREGRET2)
    def _retain(self, value: int) -> int:
        return value & 0xFF
