"""What a translated block costs: its instructions exactly, its Cortex-M4 cycles as an estimate.

The figures are the instruction timings that Arm publishes for the core (Cortex-M4 Technical
Reference Manual, ARM DDI 0439, "Instruction set summary"), applied statically with zero wait
states. Where the manual gives a range, one value is used:

- taken branch: the manual says 1 + P with P of 1 to 3; P is 1 for a branch to a fixed address
  and 2 for a branch through a register or a popped or loaded program counter;
- SDIV, UDIV: 2 to 12, taken as 7;
- LDR: 2, and 1 when it directly follows another single load or store whose result is not part
  of its address; STR: 1, and 2 with a register offset;
- instructions that an IT block skips cost one cycle on the chip; they are charged in full.

Flash wait states, bus contention and unaligned accesses are not modelled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import capstone

EXCEPTION_ENTRY_CYCLES = 12
EXCEPTION_RETURN_CYCLES = 10

_DIRECT_TAKEN = 1
_INDIRECT_TAKEN = 2
_DIVIDE = 7

_VFP_CYCLES = {"vdiv": 14, "vsqrt": 14, "vmla": 3, "vmls": 3, "vnmla": 3, "vnmls": 3}
_VFP_CYCLES |= {"vfma": 3, "vfms": 3, "vfnma": 3, "vfnms": 3}
_SYSTEM_CYCLES = {"mrs": 2, "msr": 2, "isb": 4, "dsb": 4, "dmb": 4, "cpsie": 2, "cpsid": 2}
_ONE_REGISTER = re.compile(r"^(?:ldr|str)(?:b|h|sb|sh|t|bt|ht|sbt|sht|ex|exb|exh)?$")
_CONDITION = r"(?:eq|ne|hs|cs|lo|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)"
_CONDITIONAL = re.compile(rf"^(.+?){_CONDITION}$")
_NOT_CONDITIONAL = frozenset(  # they only look as if they ended in a condition
    (
        "teq",
        "bics",
        "muls",
        "movs",
        "mvns",
        "adcs",
        "sbcs",
        "smmls",
        "mls",
        "smlal",
        "umlal",
        "lsls",
        "svc",
        "vmls",
    )
)


# Mnemonic, operands and the instruction before → (cycles, cycles more when it leaves by a jump).
InstructionCycles = Callable[[str, str, tuple[str, str] | None], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class BlockCost:
    """One translated block. `taken_cycles` come on top when it ends in a jump that is taken."""

    instructions: int
    cycles: int
    taken_cycles: int
    uses_fpu: bool
    sends_event: bool


def instruction_lengths(code: bytes) -> Iterator[tuple[int, int]]:
    """(offset, length in bytes) of each Thumb instruction of `code`."""
    offset = 0
    while offset + 2 <= len(code):
        wide = code[offset + 1] >= 0xE8
        length = 4 if wide and offset + 4 <= len(code) else 2
        yield offset, length
        offset += length


@cache
def _disassembler() -> capstone.Cs:
    return capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)


def disassemble(address: int, code: bytes) -> dict[int, tuple[str, str]]:
    """(mnemonic without width suffix, operands) by address, for what capstone can decode."""
    found: dict[int, tuple[str, str]] = {}
    for at, _, mnemonic, operands in _disassembler().disasm_lite(code, address):
        found[at] = (mnemonic.removesuffix(".w").removesuffix(".n"), operands)
    return found


def block_cost(address: int, code: bytes, cycles_of: InstructionCycles | None = None) -> BlockCost:
    """Cost of the block `code` at `address`; a block never continues after its only branch.

    `cycles_of` gives the cycles of another core than the Cortex-M4.
    """
    cost_of = cycles_of or _instruction_cycles
    decoded = disassemble(address, code)
    instructions = cycles = taken = 0
    uses_fpu = sends_event = False
    previous: tuple[str, str] | None = None
    for offset, length in instruction_lengths(code):
        instructions += 1
        halfword = int.from_bytes(code[offset : offset + 2], "little")
        if length == 4 and halfword & 0xEC00 == 0xEC00:
            coprocessor = code[offset + 3] & 0xF
            uses_fpu |= coprocessor in (10, 11)
        sends_event |= halfword == 0xBF40 or code[offset : offset + 4] == b"\xaf\xf3\x04\x80"
        mnemonic, operands = decoded.get(address + offset, ("", ""))
        base, extra = cost_of(mnemonic, operands, previous)
        cycles += base
        taken = extra
        previous = (mnemonic, operands)
    return BlockCost(instructions, cycles, taken, uses_fpu, sends_event)


def _plain(mnemonic: str) -> str:
    """The mnemonic without the condition that an IT block gives it."""
    if mnemonic in _NOT_CONDITIONAL:
        return mnemonic
    match = _CONDITIONAL.match(mnemonic)
    return match[1] if match else mnemonic


def list_size(operands: str) -> int:
    """How many registers a register list names; capstone expands every range."""
    inside = operands[operands.find("{") + 1 : operands.find("}")]
    count = 0
    for part in filter(None, (part.strip() for part in inside.split(","))):
        first, _, last = part.partition("-")
        count += int(last[1:]) - int(first[1:]) + 1 if last else 1
    return max(1, count)


def _instruction_cycles(mnemonic: str, operands: str, previous: tuple[str, str] | None) -> tuple[int, int]:
    """(cycles, cycles more when it leaves the block by a jump)."""
    name, _, kind = mnemonic.partition(".")
    name = _plain(name) if not kind else name
    if name in ("b", "bl", "cbz", "cbnz"):
        return 1, _DIRECT_TAKEN
    if name in ("bx", "blx"):
        return 1, _INDIRECT_TAKEN
    if name in ("tbb", "tbh"):
        return 2, _INDIRECT_TAKEN
    if name in ("push", "pop") or name.startswith(("ldm", "stm")):
        return 1 + list_size(operands), _INDIRECT_TAKEN if "pc" in operands and name[0] != "s" else 0
    if name in ("ldrd", "strd", "ldrexd", "strexd"):
        return 3, 0
    if _ONE_REGISTER.match(name):
        return _single_access(name, operands, previous)
    if name in ("sdiv", "udiv"):
        return _DIVIDE, 0
    if name.startswith("v"):
        return _vfp_cycles(name, kind, operands), 0
    if name in _SYSTEM_CYCLES:
        return _SYSTEM_CYCLES[name], 0
    writes_pc = operands.startswith("pc,")
    return 1, _INDIRECT_TAKEN if writes_pc else 0


def _single_access(name: str, operands: str, previous: tuple[str, str] | None) -> tuple[int, int]:
    target, _, where = operands.partition(",")
    if name.startswith("str"):
        inside = where[where.find("[") + 1 : where.find("]")]
        return (2 if re.search(r",\s*r|,\s*[sfi][lpb]", inside) else 1), 0
    taken = _INDIRECT_TAKEN if target.strip() == "pc" else 0
    if previous is not None and taken == 0:
        before = _plain(previous[0])
        if _ONE_REGISTER.match(before):
            loaded = previous[1].partition(",")[0].strip()
            depends = before.startswith("ldr") and re.search(rf"\b{loaded}\b", where)
            if not depends:
                return 1, 0
    return 2, taken


def _vfp_cycles(name: str, kind: str, operands: str) -> int:
    plain = _plain(name)
    if plain in _VFP_CYCLES:
        return _VFP_CYCLES[plain]
    if plain.startswith(("vldm", "vstm", "vpush", "vpop")):
        words = 2 if "d" in operands[operands.find("{") :] else 1
        return 1 + words * list_size(operands)
    if plain in ("vldr", "vstr"):
        return 3 if operands.startswith("d") else 2
    if plain == "vmov" and operands.count(",") > 1:
        return 2  # two core registers at once
    return 1
