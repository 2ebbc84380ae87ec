"""The instructions that Armv8.1-M added, which the disassembler does not know, as the stack's walk sees them.

Vectors (MVE) and loops. None of them moves the stack but a vector load or store that writes SP back,
which no compiler makes. Encodings: Armv8-M Architecture Reference Manual, chapter C2.4.
"""

from __future__ import annotations

_SP = 13
# First halfwords of the coprocessor space, by their upper byte; vectors of integers and floats lie there.
_LOADS = frozenset({0xEC, 0xED, 0xFC, 0xFD})
_OPERATIONS = frozenset({0xEE, 0xEF, 0xFE, 0xFF})
_WRITEBACK = 0x20


def targets(first: bytes, second: bytes, address: int) -> tuple[int, ...] | None:
    """Where the instruction of these two halfwords may go besides the next one.

    None for one that Armv8.0-M has as well, and for one that moves the stack.
    """
    if len(second) < 2:
        return None
    high, low = int.from_bytes(first, "little"), int.from_bytes(second, "little")
    if high & 0xFF80 == 0xF000 and low & 0xD001 == 0xC001:
        return _loop(high, low, address)
    if high >> 8 in _LOADS and _is_vector_load(high, low):
        writes_stack = bool(high & _WRITEBACK) and high & 0xF == _SP
        return None if writes_stack else ()
    if high >> 8 in _OPERATIONS and not _is_scalar_float(high, low):
        return ()
    # Shifts of register pairs, conditional selects.
    return () if high & 0xFFF0 == 0xEA50 and _is_select_or_long_shift(low) else None


def _loop(high: int, low: int, address: int) -> tuple[int, ...]:
    """DLS, WLS, LE and their forms with tail predication."""
    if low & 0xF000 == 0xE000:  # DLS, DLSTP
        return ()
    distance = (low >> 1 & 0x3FF) << 2 | (low >> 11 & 1) << 1
    is_end = high & 0xF == 0xF  # LE, LETP
    return (address + 4 - distance if is_end else address + 4 + distance,)


def _is_vector_load(high: int, low: int) -> bool:
    """Coprocessors 14 and 15 hold the vectors; 10 and 11 the floats, which the disassembler knows."""
    return low >> 9 & 0x7 == 0x7


def _is_scalar_float(high: int, low: int) -> bool:
    """VADD.F32 and the like: the first byte EE or FE, coprocessor 10 or 11, and no vector registers."""
    return high >> 8 in (0xEE, 0xFE) and low & 0x0E00 == 0x0A00


def _is_select_or_long_shift(low: int) -> bool:
    # Bits 15 to 12 of CSEL and its kind are 8 to 11, long shifts end in 13 or 15.
    return low >> 12 in (0x8, 0x9, 0xA, 0xB) or low & 0x000F in (0xD, 0xF)
