"""The bootloader's reasons: the numbers of its C, and words for each."""

from __future__ import annotations

import re

import pytest

from tinyc.resources import data_folder
from tinyc.signing.faults import Fault, words_of

pytestmark = pytest.mark.unit


def test_numbers_are_those_of_the_bootloader() -> None:
    text = (data_folder("firmware_templates") / "bootloader" / "image.h").read_text(encoding="utf-8")
    found = {name: int(number) for name, number in re.findall(r"^ +IMAGE_(\w+) = (\d+),", text, re.MULTILINE)}
    assert found == {fault.name: fault.value for fault in Fault}


def test_every_reason_has_words() -> None:
    assert len({words_of(fault) for fault in Fault}) == len(Fault)
    assert words_of(99) == "reason 99"
