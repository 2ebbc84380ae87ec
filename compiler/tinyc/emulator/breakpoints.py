"""Addresses at which a debugger wants the emulated core to stop."""

from __future__ import annotations

from unicorn import Uc
from unicorn import unicorn_const as const


class Breakpoints:
    """`reached` is the address of the one that stopped a run, before its instruction; None for none.

    The counter has counted the whole block by then: counts are not exact where breakpoints are hit.
    """

    def __init__(self, engine: Uc) -> None:
        self._engine = engine
        self._hooks: dict[int, int] = {}  # by address
        self._passing = -1
        self.reached: int | None = None

    def set(self, addresses: set[int]) -> None:
        """Stop at these and no others."""
        if addresses == self._hooks.keys():
            return
        for address in self._hooks.keys() - addresses:
            self._engine.hook_del(self._hooks.pop(address))
        for address in addresses - self._hooks.keys():
            hook = self._engine.hook_add(const.UC_HOOK_CODE, self._on_instruction, None, address, address)
            self._hooks[address] = hook
        self._engine.ctl_flush_tb()  # code that is translated already has no hooks

    def leave(self, address: int) -> None:
        """The core goes on from `address`, be there a breakpoint or not."""
        self._passing = address if address in self._hooks else -1

    def _on_instruction(self, engine: Uc, address: int, _size: int, _user: object) -> None:
        if address == self._passing:
            self._passing = -1
        elif self.reached is None:
            self.reached = address
            engine.emu_stop()
