"""The stack's bound for RISC-V: as for Thumb, from simpler code.

A compiled function lowers `sp` once by a constant, and no data lies between its instructions. All
of it is read in order: every lowering counts, and every call is made at full depth.
"""

from __future__ import annotations

import re

import capstone

from tinyc.toolchain.elf import Symbol
from tinyc.toolchain.stack import Function, Walk

_CALLS = ("jal", "j")
_LOWERS = re.compile(r"sp, (?:sp, )?(-?(?:0x)?[0-9a-f]+)")
_KEEPS_SP = ("sw", "swsp", "sb", "sh")  # stores name the register first that they read


class RiscvWalk(Walk):
    """The walk through 32-bit RISC-V code."""

    def _open_engine(self) -> capstone.Cs:
        return capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV32 | capstone.CS_MODE_RISCVC)

    def _scan(self, symbol: Symbol) -> Function:
        depth, targets, indirect = 0, set[int](), False
        reached = symbol.address
        upper: dict[str, int] = {}  # what `auipc` left in a register
        start, end = symbol.address, symbol.address + symbol.size
        code = self._bytes(start, symbol.size)
        for address, size, mnemonic, operands in self._engine.disasm_lite(code, start):
            name = mnemonic.removeprefix("c.")
            first, _, rest = operands.partition(", ")
            target: int | None = None
            if name == "auipc":
                upper[first] = address + (int(rest, 0) << 12)
            elif name in _CALLS:
                target = address + int(operands.rpartition(", ")[2], 0)
            elif name == "jalr" and rest and rest.partition(", ")[0] in upper:
                base, _, offset = rest.partition(", ")
                target = (upper[base] + int(offset, 0)) & 0xFFFFFFFF
            elif name in ("jr", "jalr"):
                # A jump by table looks like a call through a pointer, which only adds to the bound.
                indirect |= first != "ra"
            elif first == "sp" and name not in _KEEPS_SP:
                amount = _LOWERS.fullmatch(operands)
                if name not in ("addi", "addi16sp") or amount is None:
                    if not re.fullmatch(r"sp, s0, -?(0x)?[0-9a-f]+", operands):  # back to the frame
                        raise self._unbounded(f"`{symbol.name}` moves the stack by `{mnemonic} {operands}`")
                else:
                    depth += max(0, -int(amount[1], 0))
            if target is not None and not start <= target < end:
                targets.add(target)
            reached = address + size
        if reached != end:
            raise self._unbounded(f"no instruction at 0x{reached:08x}")
        return Function(depth, dict.fromkeys(targets, depth), depth if indirect else -1, True)
