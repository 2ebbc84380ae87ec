"""What a 6LoWPAN node is rendered into, and that firmware without one has nothing of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from support.classifiers import small_classifier
from tinyc import pipeline
from tinyc.boards import load_board
from tinyc.emit import lowpan, project
from tinyc.program import Program
from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.iphc import Context
from tinyc.sixlowpan.receiver import Peer
from tinyc.sixlowpan.settings import LowpanSettings

pytestmark = pytest.mark.unit

OWN = Address.extended(0x0212740000000001)
SETTINGS = LowpanSettings(
    pan=0xBEEF,
    channel=26,
    power=-4,
    short=Address.short(0x0102),
    extended=OWN,
    source=OWN,
    elided_checksums=True,
    peers=(Peer(Address.extended(0x0212740000000002), Mode.KEYED, bytes(range(16))),),
    prefixes=(Context(1, 64, bytes.fromhex("20010db8000100000000000000000000")),),
)


def program(board: str, settings: LowpanSettings | None) -> Program:
    graph = small_classifier(np.random.default_rng(5))
    return pipeline.compile_graph(graph, load_board(board), name="over air", lowpan=settings)


@pytest.mark.parametrize(
    "path",
    [
        *("include/board.h", "include/lowpan_config.h"),
        *("src/lpc_peers.c", "src/lowpan_model.c", "src/main.c"),
    ],
)
def test_texts_of_a_node_with_a_model(golden: Callable[[str, str], None], path: str) -> None:
    files = project.render(program("nrf52840", SETTINGS)).files
    golden(f"lowpan/{path.split('/')[-1]}", files[path])


def test_texts_of_a_node_without_a_model(golden: Callable[[str, str], None]) -> None:
    application = lowpan.Application("echo", {"echo.c": "/* nothing */\n"})
    files = lowpan.render(load_board("nrf52840"), SETTINGS, application)
    golden("lowpan/application_main.c", files["src/main.c"])
    golden("lowpan/application_readme.md", files["README.md"])
    assert files == lowpan.render(load_board("nrf52840"), SETTINGS, application)


@pytest.mark.parametrize("board", ["nrf52840", "nrf52840_bare", "microbit"])
def test_firmware_without_a_node_has_nothing_of_it(board: str) -> None:
    """The chip's own header alone knows of the driver: it names its interrupts where it is there."""
    files = project.render(program(board, None)).files
    words = re.compile(r"lowpan|lpc_|iphc|802\.15\.4|radio", re.IGNORECASE)
    having = {path for path, text in files.items() if words.search(path) or words.search(text)}
    assert having <= {"include/soc.h", "README.md"}, having
    assert not re.search(r"lowpan|lpc_", files["README.md"], re.IGNORECASE)


def test_a_node_adds_files_and_changes_those_that_serve() -> None:
    plain = project.render(program("nrf52840_bare", None)).files
    node = project.render(program("nrf52840_bare", replace(SETTINGS, peers=()))).files
    assert set(plain) < set(node)
    changed = {path for path, text in plain.items() if node[path] != text}
    assert changed == {
        "README.md",
        "include/board.h",
        "include/identity.h",
        "src/main.c",
        "src/tinyc_group.c",
    }
