"""Static cost of blocks: instruction lengths and the Cortex-M4's published timings."""

from __future__ import annotations

import pytest

from tinyc.boards import load_board
from tinyc.cli.profile import counted_note
from tinyc.cores import timed_as, timings
from tinyc.emulator.timing import block_cost, instruction_lengths
from tinyc.emulator.timing_v6m import instruction_cycles

pytestmark = pytest.mark.unit


def code(*words: int) -> bytes:
    """Halfwords in the order of memory; a value above 16 bits is a 32-bit instruction."""
    halfwords = [
        half for word in words for half in ((word >> 16, word & 0xFFFF) if word > 0xFFFF else (word,))
    ]
    return b"".join(half.to_bytes(2, "little") for half in halfwords)


# Expected cycles: ARM DDI 0439, instruction set summary, with the choices of timing.py.
@pytest.mark.parametrize(
    ("words", "cycles", "taken"),
    [
        pytest.param([0x1840], 1, 0, id="adds r0, r0, r1"),
        pytest.param([0x4348], 1, 0, id="muls r0, r1"),
        pytest.param([0xFB203001], 1, 0, id="smlad r0, r0, r1, r3"),
        pytest.param([0xFB802301], 1, 0, id="smull r2, r3, r0, r1"),
        pytest.param([0xFB90F0F1], 7, 0, id="sdiv r0, r0, r1"),
        pytest.param([0x6808], 2, 0, id="ldr r0, [r1]"),
        pytest.param([0x6808, 0x6859], 3, 0, id="ldr r0, [r1]; ldr r1, [r3, #4] is pipelined"),
        pytest.param([0x6808, 0x6841], 4, 0, id="ldr r0, [r1]; ldr r1, [r0, #4] waits for r0"),
        pytest.param([0x6008, 0x6859], 2, 0, id="str r0, [r1]; ldr r1, [r3, #4] is pipelined"),
        pytest.param([0x6008], 1, 0, id="str r0, [r1]"),
        pytest.param([0x5088], 2, 0, id="str r0, [r1, r2]"),
        pytest.param([0xE9D02300], 3, 0, id="ldrd r2, r3, [r0]"),
        pytest.param([0xE8B0001E], 5, 0, id="ldm r0!, {r1-r4}"),
        pytest.param([0xB5D0], 5, 0, id="push {r4, r6, r7, lr}"),
        pytest.param([0xBDF0], 6, 2, id="pop {r4-r7, pc}"),
        pytest.param([0xEE108A90], 1, 0, id="vmov r8, s1"),
        pytest.param([0xEC598A30], 2, 0, id="vmov r8, r9, s1, s2"),
        pytest.param([0xD1FE], 1, 1, id="bne"),
        pytest.param([0xE7FE], 1, 1, id="b"),
        pytest.param([0xF000F800], 1, 1, id="bl"),
        pytest.param([0x4770], 1, 2, id="bx lr"),
        pytest.param([0xB108], 1, 1, id="cbz"),
        pytest.param([0xE8D0F001], 2, 2, id="tbb [r0, r1]"),
        pytest.param([0xBF18, 0x4770], 2, 2, id="it ne; bxne lr"),
        pytest.param([0xEE300A00], 1, 0, id="vadd.f32 s0, s0, s0"),
        pytest.param([0xEE800A00], 14, 0, id="vdiv.f32 s0, s0, s0"),
        pytest.param([0xEE000A00], 3, 0, id="vmla.f32 s0, s0, s0"),
        pytest.param([0xED820A00], 2, 0, id="vstr s0, [r2]"),
        pytest.param([0xED2D8B04], 5, 0, id="vpush {d8, d9}"),
        pytest.param([0xEE104A10], 1, 0, id="vmov r4, s0"),
        pytest.param([0xEC554A10], 2, 0, id="vmov r4, r5, s0, s1"),
        pytest.param([0xEC445A10], 2, 0, id="vmov s0, s1, r5, r4"),
    ],
)
def test_cycles(words: list[int], cycles: int, taken: int) -> None:
    cost = block_cost(0x1000, code(*words))
    assert (cost.instructions, cost.cycles, cost.taken_cycles) == (len(words), cycles, taken)


# Instruction, Cortex-M0, Cortex-M0+: ARM DDI 0432 and DDI 0484, instruction set summaries.
@pytest.mark.parametrize(
    ("words", "m0", "m0plus"),
    [
        pytest.param([0x1840], (1, 0), (1, 0), id="adds r0, r0, r1"),
        pytest.param([0x6808], (2, 0), (2, 0), id="ldr r0, [r1]"),
        pytest.param([0x5688, 0x5688], (4, 0), (4, 0), id="ldrsb r0, [r1, r2] twice"),
        pytest.param([0x6008], (2, 0), (2, 0), id="str r0, [r1]"),
        pytest.param([0xC81E], (5, 0), (5, 0), id="ldm r0!, {r1-r4}"),
        pytest.param([0xB5D0], (5, 0), (5, 0), id="push {r4, r6, r7, lr}"),
        pytest.param([0xBDF0], (6, 3), (6, 2), id="pop {r4-r7, pc}"),
        pytest.param([0xD1FE], (1, 2), (1, 1), id="bne"),
        pytest.param([0xE7FE], (1, 2), (1, 1), id="b"),
        pytest.param([0xF000F800], (1, 3), (1, 2), id="bl"),
        pytest.param([0x4770], (1, 2), (1, 1), id="bx lr"),
        pytest.param([0x4388], (1, 0), (1, 0), id="bics r0, r1"),
        pytest.param([0xF3EF8010], (4, 0), (3, 0), id="mrs r0, primask"),
        pytest.param([0xB662], (1, 0), (1, 0), id="cpsie i"),
    ],
)
def test_cycles_of_armv6m(words: list[int], m0: tuple[int, int], m0plus: tuple[int, int]) -> None:
    for core, (cycles, taken) in (("cortex-m0", m0), ("cortex-m0plus", m0plus)):
        cost = block_cost(0x1000, code(*words), instruction_cycles(core, True))
        assert (cost.instructions, cost.cycles, cost.taken_cycles) == (len(words), cycles, taken)


@pytest.mark.parametrize(("fast", "cycles"), [(True, 1), (False, 32)])
def test_multipliers_of_armv6m(fast: bool, cycles: int) -> None:
    assert block_cost(0, code(0x4348), instruction_cycles("cortex-m0", fast)).cycles == cycles


def test_lengths_do_not_depend_on_the_disassembler() -> None:
    unknown = code(0xFFFFFFFF, 0x1840)
    assert list(instruction_lengths(unknown)) == [(0, 4), (4, 2)]
    assert block_cost(0, unknown).instructions == 2


def test_fpu_and_event_instructions_are_seen() -> None:
    assert block_cost(0, code(0xED820A00)).uses_fpu
    assert not block_cost(0, code(0xE9D02300)).uses_fpu
    assert block_cost(0, code(0xBF40)).sends_event
    assert not block_cost(0, code(0xBF20)).sends_event


def test_cores_without_published_timings_are_told_apart() -> None:
    assert {core: timed_as(core) for core in ("cortex-m0", "cortex-m4", "cortex-m7", "cortex-m33")} == {
        "cortex-m0": "cortex-m0",
        "cortex-m4": "cortex-m4",
        "cortex-m7": "cortex-m4",
        "cortex-m33": "cortex-m4",
    }
    assert timings("cortex-m0") == "the core's published timings"
    assert timings("cortex-m7") == "cortex-m4's published timings"
    assert timings("rv32imc").startswith("one cycle an instruction")


def test_profile_says_whose_instructions_are_predicted() -> None:
    assert "Predicted: instructions, and how far" in counted_note(load_board("nrf52840"))
    for board in ("microbit", "esp32c3", "rpi_pico2"):
        note = counted_note(load_board(board))
        assert "Predicted: instructions of a cortex-m4, not of this core, and" in note
