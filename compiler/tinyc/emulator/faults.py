"""The error that stops an emulated chip."""

from __future__ import annotations

from collections.abc import Mapping

from tinyc.errors import TinycError


class EmulatedFault(TinycError):  # noqa: N818 - named like the others in errors.py
    """The firmware did what the chip would answer with a fault, a lockup or a breakpoint.

    `pc` is the address of the instruction, `symbol` the nearest function with an offset,
    `registers` the core's registers then, `address` the memory address at fault where there is one.
    """

    def __init__(
        self,
        what: str,
        *,
        pc: int,
        symbol: str,
        registers: Mapping[str, int],
        address: int | None = None,
        hint: str = "",
    ) -> None:
        self.pc, self.symbol, self.registers, self.address = pc, symbol, dict(registers), address
        super().__init__(f"{what}\n{_table(registers)}", where=f"pc 0x{pc:08x} in {symbol}", hint=hint)


def _table(registers: Mapping[str, int]) -> str:
    cells = [f"{name:>4} {value:08x}" for name, value in registers.items()]
    return "\n".join("  " + "  ".join(cells[i : i + 4]) for i in range(0, len(cells), 4))
