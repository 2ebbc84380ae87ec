"""Cycles of Cortex-M0 and Cortex-M0+ instructions, for `timing.block_cost`.

From the tables "Instruction set summary" of the Technical Reference Manuals (ARM DDI 0432 for the
Cortex-M0, DDI 0484 for the Cortex-M0+), zero wait states. A load or store takes 2 cycles always.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyc.emulator.timing import InstructionCycles, list_size

_LOADS = ("ldr", "str")
_BARRIERS = ("dmb", "dsb", "isb")


@dataclass(frozen=True, slots=True)
class _Pipeline:
    """Cycles on top of the first when the program counter changes, and of slow instructions."""

    branch: int
    call: int
    system: int


_PIPELINES = {"cortex-m0": _Pipeline(2, 3, 4), "cortex-m0plus": _Pipeline(1, 2, 3)}
_SLOW_MULTIPLICATION = 32


def instruction_cycles(core: str, fast_multiplier: bool) -> InstructionCycles | None:
    """The cost function of `cortex-m0` or `cortex-m0plus`, None for `cortex-m4`."""
    pipeline = _PIPELINES.get(core)
    if pipeline is None:
        return None
    multiplication = 1 if fast_multiplier else _SLOW_MULTIPLICATION

    def cycles(mnemonic: str, operands: str, _previous: tuple[str, str] | None) -> tuple[int, int]:
        if mnemonic == "bl":
            return 1, pipeline.call
        if mnemonic.startswith("b") and not mnemonic.startswith(("bic", "bkpt")):
            return 1, pipeline.branch
        if mnemonic == "pop" and "pc" in operands:
            # One more than a branch: the loaded address comes last.
            return 1 + list_size(operands), pipeline.branch + 1
        if mnemonic in ("push", "pop") or mnemonic.startswith(("ldm", "stm")):
            return 1 + list_size(operands), 0
        if mnemonic.startswith(_LOADS):
            return 2, 0
        if mnemonic.startswith("mul"):
            return multiplication, 0
        if mnemonic in ("mrs", "msr") or mnemonic in _BARRIERS:
            return pipeline.system, 0
        return 1, pipeline.branch if operands.startswith("pc,") else 0

    return cycles
