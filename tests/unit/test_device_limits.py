"""What fits into a message, against messages."""

from __future__ import annotations

import pytest

from tinyc.device import limits, messages

pytestmark = pytest.mark.unit


def test_buffers_of_boards() -> None:
    assert [limits.buffer_bytes(ram) for ram in (16_384, 32_767, 32_768, 262_144)] == [512, 512, 2048, 2048]


def test_limits_are_exact() -> None:
    for buffer in (512, 2048):
        message = limits.largest_message(buffer)
        data = messages.ArenaWrite(off=2**32 - 1, data=bytes(limits.largest_data(buffer)))
        assert len(bytes(data)) == message
        assert len(bytes(messages.Text(text=bytes(limits.largest_text(buffer))))) == message
        sound = messages.Audio(data=bytes(2 * limits.largest_samples(buffer)))
        assert message - 1 <= len(bytes(sound)) <= message
