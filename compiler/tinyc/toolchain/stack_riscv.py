"""The stack's bound for RISC-V: as for Thumb, from simpler code.

A compiled function lowers `sp` once by a constant, and no data lies between its instructions. All
of it is read in order: every lowering counts, and every call is made at full depth.
"""

from __future__ import annotations

import re

import capstone

from tinyc.toolchain.elf import Symbol
from tinyc.toolchain.stack import Function, Walk

_STORES = ("sw", "swsp", "sb", "sh")  # they name the register first that they read
_TO_THE_FRAME = re.compile(r"sp, s0, -?(0x)?[0-9a-f]+")


class RiscvWalk(Walk):
    """The walk through 32-bit RISC-V code."""

    def _open_engine(self) -> capstone.Cs:
        return capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV32 | capstone.CS_MODE_RISCVC)

    def _scan(self, symbol: Symbol) -> Function:
        depth, targets, indirect = 0, set[int](), False
        start, end = symbol.address, symbol.address + symbol.size
        reached = start
        known: dict[str, int] = {}  # registers that hold constants
        for address, size, mnemonic, text in self._engine.disasm_lite(self._bytes(start, symbol.size), start):
            name, operands = mnemonic.removeprefix("c."), text.split(", ")
            first, last = operands[0], operands[-1]
            if name in ("jal", "j"):
                target = address + int(last, 0)
                if name == "jal" or not start <= target < end:
                    targets.add(target)
            elif name == "jalr" and len(operands) == 3 and operands[1] in known:
                targets.add((known[operands[1]] + int(last, 0)) & 0xFFFFFFFF)
            elif name in ("jr", "jalr"):
                # A jump by table looks like a call through a pointer, which only adds to the bound.
                indirect |= first != "ra"
            elif first == "sp" and name not in _STORES:
                change = self._change_of_sp(name, operands, known)
                if change is None and not _TO_THE_FRAME.fullmatch(text):
                    raise self._unbounded(f"`{symbol.name}` moves the stack by `{mnemonic} {text}`")
                depth += max(0, -(change or 0))
            elif name not in _STORES:
                value = _constant(name, operands, known, address)
                known.pop(first, None)
                if value is not None:
                    known[first] = value
            reached = address + size
        if reached != end:
            raise self._unbounded(f"no instruction at 0x{reached:08x}")
        return Function(depth, dict.fromkeys(targets, depth), depth if indirect else -1, True)

    def _change_of_sp(self, name: str, operands: list[str], known: dict[str, int]) -> int | None:
        """What an instruction adds to `sp`, None when that is no constant."""
        if operands[1:-1] not in ([], ["sp"]):
            return None
        if name in ("addi", "addi16sp"):
            return int(operands[-1], 0)
        return known.get(operands[-1]) if name == "add" else None


def _constant(name: str, operands: list[str], known: dict[str, int], address: int) -> int | None:
    """The constant that an instruction leaves in its first operand, if it is one."""
    if name in ("auipc", "lui"):
        upper = int(operands[1], 0) << 12
        return address + upper if name == "auipc" else _signed(upper)
    if name == "li" or (name == "addi" and operands[1] == "zero"):
        return int(operands[-1], 0)
    source = operands[-2] if len(operands) > 1 else ""
    if name == "addi" and source in known:
        return _signed(known[source] + int(operands[-1], 0))
    return None


def _signed(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31
