"""Instructions of Armv8.1-M as the walk over the stack sees them; encodings from GNU as."""

from __future__ import annotations

import pytest

from tinyc.toolchain.stack_armv81m import targets

pytestmark = pytest.mark.unit

AT = 0x1000


@pytest.mark.parametrize(
    ("text", "halfwords", "expected"),
    [
        ("dls lr, r2", (0xF042, 0xE001), ()),
        ("dlstp.8 lr, r2", (0xF002, 0xE001), ()),
        ("wls lr, r2, AT + 28", (0xF042, 0xC00D), (AT + 28,)),
        ("le lr, AT - 16", (0xF00F, 0xC00B), (AT - 16,)),
        ("letp lr, AT - 24", (0xF01F, 0xC00F), (AT - 24,)),
        ("vctp.8 r0", (0xF000, 0xE801), ()),
        ("vpst", (0xFE71, 0x0F4D), ()),
        ("vldrb.u8 q0, [r1], #16", (0xECB1, 0x1E10), ()),
        ("vstrw.32 q0, [sp, #16]", (0xED8D, 0x1F04), ()),
        ("vldrw.u32 q0, [sp], #16", (0xECBD, 0x1F04), None),
        ("vmov q0[2], q0[0], r0, r1", (0xEC11, 0x0F00), ()),
        ("vmladava.s8 r2, q0, q1", (0xEEF0, 0x2F22), ()),
        ("vmulh.s32 q0, q0, q1", (0xEE21, 0x0E03), ()),
        ("csel r0, r1, r2, eq", (0xEA51, 0x8002), ()),
        ("sqrshr r0, r2", (0xEA50, 0x2F2D), ()),
        ("bl AT + 4", (0xF000, 0xF800), None),
        ("vadd.f32 s0, s1, s2", (0xEE30, 0x0A81), None),
        ("vpush {d8, d9}", (0xED2D, 0x8B04), None),
        ("push {r4, lr}", (0xB510, 0x0000), None),
    ],
)
def test_targets(text: str, halfwords: tuple[int, int], expected: tuple[int, ...] | None) -> None:
    first, second = (half.to_bytes(2, "little") for half in halfwords)
    assert targets(first, second, AT) == expected, text
