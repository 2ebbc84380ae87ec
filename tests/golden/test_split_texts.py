"""Rendered texts of a split build, and that they never change by chance."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from golden.test_model import tiny, without_kernels
from tinyc.boards import load_board
from tinyc.emit.project import render
from tinyc.pipeline import compile_graph
from tinyc.split import Split

pytestmark = pytest.mark.golden

FILES = (
    "include/model_firmware.h",
    "model/model_0.ld",
    "model/model_image.c",
    "platformio.ini",
    "src/kernel_set.c",
    "src/tinyc_group.c",
)


def texts() -> dict[str, str]:
    board = load_board("nrf52840").split()
    program = compile_graph(tiny(), board, name="tiny net", version="1.2.3")
    return dict(render(program, split=Split(board.model_map)).files)


def test_rendered_files(golden: Callable[[str, str], None]) -> None:
    files = texts()
    for name in FILES:
        text = without_kernels(files[name])
        # Digests of kernels change with every word of their text.
        text = re.sub(r"\{0x[0-9a-f]{2}(, 0x[0-9a-f]{2}){7}\}(?=, /\*)", "{digest}", text)
        text = re.sub(r"(MODEL_KERNEL_SET) .*", r"\1 digest", text)
        golden(f"split/{name.replace('/', '_')}", text)


def test_no_trailing_spaces_tabs_or_runs_of_empty_lines() -> None:
    for name, text in texts().items():
        if name.endswith(".py"):
            continue
        assert "\t" not in text and "\r" not in text and "\n\n\n" not in text
        assert all(line == line.rstrip() for line in text.splitlines())
