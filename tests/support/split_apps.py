"""Split builds with a bootloader, on the emulated nRF52840 DK: build folders as `tinyc build` leaves them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from intelhex import IntelHex

from support.networks import random_network
from support.split_builds import BOARD, SLOTS, retrained
from support.update_device import STRICT
from tinyc import artifact, pipeline
from tinyc.artifact import Artifact
from tinyc.emit.split_base import read_base
from tinyc.emulator import Machine
from tinyc.ir.graph import Graph
from tinyc.packaging import Signing
from tinyc.preparation import Prepared
from tinyc.signing.keys import new_key
from tinyc.split import Split

GRAPH = random_network(np.random.default_rng(3), 3)


class SplitApps:
    """Builds small firmware and models; each is built once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._built: dict[str, Artifact] = {}
        self.key = folder / "key.pem"
        new_key(self.key)

    def first(self) -> Artifact:
        """A firmware with the model that comes with it."""
        return self._get("first", GRAPH, "1.0.0", Split(SLOTS))

    def retrained(self, seed: int = 1) -> Artifact:
        """Other weights, for the firmware of `first`."""
        base = read_base(self.first().folder)
        return self._get(f"retrained {seed}", retrained(GRAPH, seed), f"2.0.{seed}", Split(SLOTS, base=base))

    def foreign(self) -> Artifact:
        """Other layers, with a firmware of their own."""
        graph = random_network(np.random.default_rng(8), 6, mixed=True)
        return self._get("foreign", graph, "3.0.0", Split(SLOTS))

    def larger(self) -> Artifact:
        """Another firmware for the first model, with a larger arena."""
        return self._get("larger", GRAPH, "1.0.0", Split(SLOTS, arena=self._arena() + 256))

    def other_set(self) -> Artifact:
        """A firmware that has no kernel of the first model's but by chance: that of `foreign`."""
        return self.foreign()

    def unsigned(self) -> Artifact:
        """The retrained model, signed by nobody."""
        base = read_base(self.first().folder)
        return self._get("unsigned", retrained(GRAPH, 1), "2.0.1", Split(SLOTS, base=base), signed=False)

    def _arena(self) -> int:
        return self.first().program.plan.arena_size

    def _get(self, name: str, graph: Graph, version: str, split: Split, *, signed: bool = True) -> Artifact:
        if name not in self._built:
            within = split.base.manifest if split.base is not None else None
            program = pipeline.compile_graph(graph, BOARD, name=name, version=version, within=within)
            firmware = pipeline.build(program, self._folder / name.replace(" ", "-"), "zig", split)
            package = pipeline.package(firmware, program, Signing(self.key if signed else None), split)
            prepared = Prepared(graph, None, None)
            self._built[name] = artifact.save(firmware.folder, program, prepared, firmware, package, split)
        return self._built[name]


def chip(found: Artifact) -> Machine:
    """The chip as it leaves the factory with a build."""
    content = IntelHex(str(found.file("factory")))
    memory = BOARD.memory
    flash = content.tobinarray(memory.flash_origin, memory.flash_origin + memory.flash - 1)
    return Machine(bytes(flash), BOARD, flash_rules=STRICT)


def model_image(found: Artifact, slot: int) -> bytes:
    return found.file(f"model_image_{slot}").read_bytes()
