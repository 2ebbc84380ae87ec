"""How deep the stack of a linked firmware can get, read off its machine code.

Every function is walked along its branches with the depth of the stack at each instruction; calls
add what the callee needs. The only calls through pointers are those of the layer table, and those of
kernels to their own assembly, which names tell. A firmware without recursion, without variable frames
and with interrupts off, as tinyc's is, gets a bound that holds for every input.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import capstone
from capstone import arm, arm_const

from tinyc.errors import TinycError
from tinyc.toolchain import stack_armv81m as armv81m
from tinyc.toolchain.elf import Image, Symbol

ENTRY = "tinyc_start"
INTERRUPTS = ("radio_interrupt", "radio_timer_interrupt")  # of the firmware that has them
EXCEPTION_FRAME = 108  # 26 words of a core with a floating-point unit, and one to align them
# Starts another program, which has a stack of its own.
_LEAVES = "boot_hal_start"
_KERNEL = "tinyc_"
# What the drivers of kernels call through a pointer.
_ASSEMBLY = re.compile(r"tinyc_\w+_(block|rows)")

_PUSHES = (arm_const.ARM_INS_PUSH, arm_const.ARM_INS_VPUSH)
_POPS = (arm_const.ARM_INS_POP, arm_const.ARM_INS_VPOP)
_TABLES = (arm_const.ARM_INS_TBB, arm_const.ARM_INS_TBH)
_COMPARE_BRANCHES = (arm_const.ARM_INS_CBZ, arm_const.ARM_INS_CBNZ)
_ALWAYS = (arm_const.ARM_CC_AL, arm_const.ARM_CC_INVALID)
_SP, _PC, _LR = arm_const.ARM_REG_SP, arm_const.ARM_REG_PC, arm_const.ARM_REG_LR
# `bic sp, sp, #7` and the like can move the stack by at most this much.
_ALIGNMENT = 16
# So many halfwords lie between the comparison and the table branch that it guards, at most.
_CLOSE = 6


@dataclass(frozen=True, slots=True)
class StackBound:
    """The deepest stack in bytes, and the calls that lead there."""

    bytes: int
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """What one function does to the stack: its own depth, and the depth at each call."""

    depth: int
    calls: Mapping[int, int]
    indirect: int
    """Depth at calls through pointers, or -1 when there are none."""
    returns: bool


def stack_bound(image: Image, layers: Iterable[str], entry: str = ENTRY) -> StackBound:
    """The bound from `entry` on, with `layers` as the functions that pointers may lead to.

    Raises TinycError for code that has no bound: recursion, frames of variable size, unknown jumps.
    """
    if image.architecture == "RISC-V":
        from tinyc.toolchain.stack_riscv import RiscvWalk

        return RiscvWalk(image, tuple(layers)).bound(entry)
    return Walk(image, tuple(layers)).bound(entry)


def stack_with_interrupts(image: Image, layers: Iterable[str], entry: str = ENTRY) -> StackBound:
    """The bound with the deepest interrupt on top. All have one priority: none interrupts another.

    Raises TinycError as `stack_bound` does.
    """
    found = stack_bound(image, layers, entry)
    present = {symbol.name for symbol in image.symbols if symbol.is_function}
    bounds = [stack_bound(image, (), handler) for handler in INTERRUPTS if handler in present]
    if not bounds:
        return found
    deepest = max(bounds, key=lambda bound: bound.bytes)
    return StackBound(found.bytes + EXCEPTION_FRAME + deepest.bytes, (*found.path, *deepest.path))


class Walk:
    """The walk through Thumb code."""

    def __init__(self, image: Image, layers: tuple[str, ...]) -> None:
        self._image = image
        self._by_address = {symbol.address: symbol for symbol in image.symbols if symbol.is_function}
        self._layers = [image.symbol(name).address for name in layers]
        self._assembly = [at for at, symbol in self._by_address.items() if _ASSEMBLY.fullmatch(symbol.name)]
        self._known: dict[int, StackBound] = {}
        self._functions: dict[int, Function] = {}
        self._open: list[int] = []
        self._engine = self._open_engine()

    def _open_engine(self) -> capstone.Cs:
        engine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
        engine.detail = True
        return engine

    def bound(self, entry: str) -> StackBound:
        return self._bound(self._image.symbol(entry).address)

    def _bound(self, address: int) -> StackBound:
        if address in self._known:
            return self._known[address]
        symbol = self._symbol_at(address)
        if symbol is None:
            raise self._unbounded(f"a call to 0x{address:08x}, where no function is")
        if address in self._open:
            raise self._unbounded(f"`{symbol.name}` calls itself")
        self._open.append(address)
        function = self._function(symbol)
        best = StackBound(function.depth, (symbol.name,))
        targets = dict(function.calls)
        if function.indirect >= 0:
            is_kernel = symbol.name.startswith(_KERNEL) and self._assembly
            pointers = self._assembly if is_kernel else self._layers
            if not pointers and symbol.name != _LEAVES:
                raise self._unbounded(f"`{symbol.name}` calls through a pointer")
            for pointed in pointers:
                targets[pointed] = max(targets.get(pointed, 0), function.indirect)
        for target, depth in sorted(targets.items()):
            callee = self._bound(target)
            if depth + callee.bytes > best.bytes:
                best = StackBound(depth + callee.bytes, (symbol.name, *callee.path))
        self._open.pop()
        self._known[address] = best
        return best

    def _symbol_at(self, address: int) -> Symbol | None:
        """The function there, or the rest of one: the runtime libraries jump into one another."""
        if address in self._by_address:
            return self._by_address[address]
        for symbol in self._by_address.values():
            end = symbol.address + symbol.size
            if symbol.address < address < end:
                return replace(symbol, name=f"{symbol.name}+", address=address, size=end - address)
        return None

    def _function(self, symbol: Symbol) -> Function:
        if symbol.address not in self._functions:
            # While it is being scanned, callers that come round again assume that it returns.
            self._functions[symbol.address] = Function(0, {}, -1, True)
            self._functions[symbol.address] = self._scan(symbol)
        return self._functions[symbol.address]

    def _ends_here(self, target: int) -> bool:
        """Whether a call never comes back, so that no code needs to follow it."""
        symbol = self._by_address.get(target)
        return symbol is not None and not self._function(symbol).returns

    def _scan(self, symbol: Symbol) -> Function:
        """Follow every branch of one function with the deepest stack that reaches each instruction."""
        end = symbol.address + symbol.size
        deepest, indirect, returns = 0, -1, False
        calls: dict[int, int] = {}
        seen: dict[int, int] = {}
        # Address, depth, and how many instructions of an IT block are still to come.
        work = [(symbol.address, 0, 0)]
        while work:
            at, depth, predicated = work.pop()
            if not symbol.address <= at < end:
                calls[at] = max(calls.get(at, 0), depth)
                returns = returns or not self._ends_here(at)
                continue
            if seen.get(at, -1) >= depth:
                continue
            seen[at] = depth
            targets = armv81m.targets(self._bytes(at, 2), self._bytes_behind(at + 2), at)
            if targets is not None:
                work += [(target, depth, 0) for target in targets]
                work.append((at + 4, depth, max(0, predicated - 1)))
                continue
            instruction = self._decode(at)
            conditional = predicated > 0 or instruction.cc not in _ALWAYS
            after = depth + self._change(instruction, symbol)
            if conditional:
                after = max(after, depth)
            deepest = max(deepest, after)
            if after > 1 << 20:
                raise self._unbounded(f"the stack of `{symbol.name}` grows in a loop")
            kind, operands = instruction.id, instruction.operands
            following, predicated = at + instruction.size, max(0, predicated - 1)
            if kind == arm_const.ARM_INS_IT:
                predicated = len(instruction.mnemonic) - 1
            if kind == arm_const.ARM_INS_BL:
                target = operands[0].imm & ~1
                calls[target] = max(calls.get(target, 0), after)
                if self._ends_here(target) and not conditional:
                    continue
            elif kind == arm_const.ARM_INS_BLX:
                indirect = max(indirect, after)
            elif kind == arm_const.ARM_INS_B:
                work.append((operands[0].imm & ~1, after, 0))
                if not conditional:
                    continue
            elif kind in _COMPARE_BRANCHES:
                work.append((operands[1].imm & ~1, after, 0))
            elif kind in _TABLES:
                work += [(target, after, 0) for target in self._table(instruction)]
                continue
            elif kind == arm_const.ARM_INS_BX:
                if operands[0].reg != _LR:
                    indirect = max(indirect, after)
                returns = True
                if not conditional:
                    continue
            elif kind == arm_const.ARM_INS_UDF:
                continue
            elif self._jumps_on(instruction):
                pass  # to a place further down, with the same stack
            elif self._returns(instruction):
                returns = True
                if not conditional:
                    continue
            elif _PC in instruction.regs_access()[1]:
                raise self._unbounded(f"`{symbol.name}` jumps by `{_text(instruction)}`")
            work.append((following, after, predicated))
        return Function(deepest, calls, indirect, returns)

    def _decode(self, address: int) -> Any:
        for segment in self._image.segments:
            offset = address - segment.load_address
            if 0 <= offset < len(segment.data):
                for instruction in self._engine.disasm(segment.data[offset : offset + 4], address, 1):
                    return instruction
        raise self._unbounded(f"no instruction at 0x{address:08x}")

    def _change(self, instruction: Any, symbol: Symbol) -> int:
        """Bytes by which the stack gets deeper; never less than the truth."""
        kind, operands = instruction.id, instruction.operands
        if kind in _PUSHES or kind in _POPS:
            size = sum(_register_bytes(instruction.reg_name(operand.reg)) for operand in operands)
            return size if kind in _PUSHES else -size
        if instruction.writeback and any(
            operand.type == arm.ARM_OP_MEM and operand.mem.base == _SP for operand in operands
        ):
            return self._writeback(instruction, symbol)
        if _SP not in instruction.regs_access()[1] or kind in (arm_const.ARM_INS_BL, arm_const.ARM_INS_BLX):
            return 0
        amount = operands[-1].imm if operands[-1].type == arm.ARM_OP_IMM else None
        from_sp = len(operands) == 2 or operands[1].reg == _SP
        if kind in (arm_const.ARM_INS_SUB, arm_const.ARM_INS_SUBW) and amount is not None:
            return amount if from_sp else 0
        if kind in (arm_const.ARM_INS_ADD, arm_const.ARM_INS_ADDW) and amount is not None:
            return -amount if from_sp else 0
        if kind == arm_const.ARM_INS_MOV:
            return 0  # back to a frame pointer: the depth stays what it was at most
        if kind in (arm_const.ARM_INS_BIC, arm_const.ARM_INS_BFC):
            return _ALIGNMENT
        raise self._unbounded(f"`{symbol.name}` moves the stack by `{_text(instruction)}`")

    def _writeback(self, instruction: Any, symbol: Symbol) -> int:
        """`str r0, [sp, #-8]!` and `ldr pc, [sp], #4`."""
        for operand in instruction.operands:
            if operand.type == arm.ARM_OP_IMM:
                return -int(operand.imm)
            if operand.type == arm.ARM_OP_MEM and operand.mem.disp:
                return -int(operand.mem.disp)
        raise self._unbounded(f"`{symbol.name}` moves the stack by `{_text(instruction)}`")

    def _jumps_on(self, instruction: Any) -> bool:
        """`ldr pc, [sp, #32]` as `conv_2d_s8_2x4.c.j2` has it: a return would move the stack."""
        return (
            instruction.id == arm_const.ARM_INS_LDR
            and not instruction.writeback
            and self._returns(instruction)
        )

    def _returns(self, instruction: Any) -> bool:
        if instruction.id in _POPS or instruction.id == arm_const.ARM_INS_LDR:
            return _PC in [operand.reg for operand in instruction.operands if operand.type == arm.ARM_OP_REG]
        return False

    def _table(self, instruction: Any) -> list[int]:
        """Targets of a table branch.

        The table has as many entries as the comparison before it lets through; where there is none
        it ends where the first of its targets begins.
        """
        width = 1 if instruction.id == arm_const.ARM_INS_TBB else 2
        base = at = instruction.address + 4
        entries = self._entries(instruction)
        if entries is not None:
            places = (self._bytes(base + width * entry, width) for entry in range(entries))
            return [base + 2 * int.from_bytes(place, "little") for place in places]
        targets: list[int] = []
        while not targets or at < min(targets):
            target = base + 2 * int.from_bytes(self._bytes(at, width), "little")
            if target > at:  # otherwise a zero that pads the table to an even size
                targets.append(target)
            at += width
        return targets

    def _entries(self, table: Any) -> int | None:
        """How many values `cmp index, #last` and `bhi` let through to a table branch that follows closely."""
        index = table.operands[0].mem.index
        for back in range(4, 2 * _CLOSE + 1, 2):
            last, at = -1, table.address - back
            while at < table.address:
                try:
                    instruction = self._decode(at)
                except TinycError:
                    break
                kind, operands = instruction.id, instruction.operands
                if at == table.address - back:
                    if kind != arm_const.ARM_INS_CMP or operands[0].reg != index:
                        break
                    last = operands[1].imm if operands[1].type == arm.ARM_OP_IMM else -1
                elif kind == arm_const.ARM_INS_B and instruction.cc == arm_const.ARM_CC_HI and last >= 0:
                    return int(last) + 1
                elif index in instruction.regs_access()[1]:
                    break
                at += instruction.size
        return None

    def _bytes_behind(self, address: int) -> bytes:
        """The second half of an instruction, or nothing where the segment ends."""
        try:
            return self._bytes(address, 2)
        except TinycError:
            return b""

    def _bytes(self, address: int, size: int) -> bytes:
        for segment in self._image.segments:
            offset = address - segment.load_address
            if 0 <= offset <= len(segment.data) - size:
                return segment.data[offset : offset + size]
        raise self._unbounded(f"no bytes at 0x{address:08x}")

    def _unbounded(self, why: str) -> TinycError:
        return TinycError(f"the depth of the stack has no bound: {why}", where=str(self._image.path))


def _register_bytes(name: str) -> int:
    return 8 if name.startswith("d") else 4


def _text(instruction: Any) -> str:
    return f"{instruction.mnemonic} {instruction.op_str}"
