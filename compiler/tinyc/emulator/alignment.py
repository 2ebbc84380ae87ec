"""Instructions that the Cortex-M4 refuses at addresses that are no multiple of 4.

Single loads and stores may be unaligned; LDRD, STRD, LDM, STM, exclusive and FPU accesses may not
(Armv7-M Architecture Reference Manual, "Alignment support"). The engine lets them pass, so that
firmware would run here and fault on the chip: they are found once and checked whenever they run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from unicorn import arm_const as arm

from tinyc.emulator.image import Image
from tinyc.emulator.timing import disassemble, instruction_lengths

_SEVERAL_WORDS = re.compile(r"^(?:ldrd|strd|ldrex|strex|ldm|stm|vldr|vstr|vldm|vstm)(?![bh])")
_OTHER_NAMES = {"sb": "r9", "sl": "r10", "fp": "r11", "ip": "r12"}


def multi_word_accesses(image: Image) -> Iterator[tuple[int, int]]:
    """(instruction address, the engine's number of the base register).

    Accesses through sp and pc are left out: those registers are always aligned.
    """
    for start, end in image.code:
        code = _bytes(image, start, end)
        at = 0
        while at < len(code):  # the disassembler stops where it knows no instruction
            for address, (mnemonic, operands) in disassemble(start + at, code[at:]).items():
                at = address - start
                if _SEVERAL_WORDS.match(mnemonic) and (base := _base(mnemonic, operands)) is not None:
                    yield address, base
            length = dict(instruction_lengths(code[at : at + 4])).get(0, 2)
            at += length


def _bytes(image: Image, start: int, end: int) -> bytes:
    for address, data in image.segments:
        if address <= start and end <= address + len(data):
            return data[start - address : end - address]
    return b""


def _base(mnemonic: str, operands: str) -> int | None:
    if mnemonic.lstrip("v").startswith(("ldm", "stm")):
        name = operands.split(",")[0].strip().rstrip("!")
    else:
        name = re.split(r"[,\]]", operands[operands.find("[") + 1 :])[0].strip()
    name = _OTHER_NAMES.get(name, name)
    if name == "lr":
        return int(arm.UC_ARM_REG_LR)
    return int(getattr(arm, f"UC_ARM_REG_{name.upper()}")) if re.fullmatch(r"r\d+", name) else None
