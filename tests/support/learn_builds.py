"""Programs that learn, and their firmware, each built once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from support import learn_models
from tinyc.boards import load_board
from tinyc.learning.prepare import learning
from tinyc.learning.settings import LearnSettings
from tinyc.pipeline import build, compile_graph
from tinyc.program import Firmware, Program

NAMES = ("up", "down", "left", "right", "stop")


class LearnBuilds:
    """`folder` is where data and firmware lie."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.data = learn_models.write_factory_data(folder / "factory.npz")
        self.program = cache(self._program)
        self.firmware = cache(self._firmware)

    def settings(self, head: str) -> LearnSettings:
        return LearnSettings(head=head, data=self.data, capacity=8, min_updates=4)

    def _program(self, head: str = "slda", board: str = "nrf52840") -> Program:
        found = load_board(board)
        graph, learned = learning(learn_models.body(), found, self.settings(head), NAMES)
        return compile_graph(graph, found, name="learner", learning=learned)

    def _firmware(self, head: str = "slda", board: str = "nrf52840", toolchain: str = "zig") -> Firmware:
        folder = self._folder / f"{head}-{board}-{toolchain}"
        return build(self.program(head, board), folder, toolchain)
