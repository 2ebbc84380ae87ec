"""PPI of Nordic's nRF52 series: events that trigger tasks without the core.

From the nRF52840 Product Specification: 20 programmable channels with a fork each, 12 fixed ones of
which none is modelled; channel groups are not modelled either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tinyc.emulator.chips.nordic import NordicPeripheral
from tinyc.emulator.peripheral import Peripheral, System, on_read, on_write

_CHANNELS = 20


class Ppi(Peripheral):
    """Channels between the events and tasks of `sources`."""

    CHEN, CHENSET, CHENCLR, CHANNEL, FORK = 0x500, 0x504, 0x508, 0x510, 0x910
    resets: ClassVar = {}

    def __init__(self, system: System, base: int, sources: Sequence[Peripheral]) -> None:
        self._targets = {source.base: source for source in sources}
        for source in sources:
            if isinstance(source, NordicPeripheral):
                source.publish = self._publish
        super().__init__(system, base)

    @on_read(CHENSET)
    @on_read(CHENCLR)
    def _read_enabled(self) -> int:
        return self[self.CHEN]

    @on_write(CHENSET)
    def _enable(self, value: int) -> None:
        self[self.CHEN] |= value

    @on_write(CHENCLR)
    def _disable(self, value: int) -> None:
        self[self.CHEN] &= ~value

    def _publish(self, address: int) -> None:
        if not self[self.CHEN]:
            return
        for channel in range(_CHANNELS):
            if self[self.CHEN] >> channel & 1 and self[self.CHANNEL + 8 * channel] == address:
                self._trigger(self[self.CHANNEL + 8 * channel + 4])
                self._trigger(self[self.FORK + 4 * channel])

    def _trigger(self, task: int) -> None:
        target = self._targets.get(task & ~0xFFF)
        if target is not None:
            target.store(task & 0xFFF, 1)
