"""Boards with tinyc's bootloader, emulated: their images, and flash with the first of them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from intelhex import IntelHex

from support.networks import random_network
from tinyc import packaging, pipeline
from tinyc.boards import Board, load_board
from tinyc.device.client import DeviceClient
from tinyc.device.images import ImageClient, SlotState
from tinyc.emulator import Machine
from tinyc.emulator.chip import FlashRules
from tinyc.packaging import Package, Signing
from tinyc.program import Program
from tinyc.signing.keys import new_key
from tinyc.slots import Slots

NRF = load_board("nrf52840")
STRICT = FlashRules(strict=True)


@dataclass(frozen=True, slots=True)
class App:
    """A firmware with its image, ready for a board."""

    program: Program
    package: Package

    @property
    def identity(self) -> str:
        """What the firmware calls itself."""
        return self.package.firmware.identity

    @property
    def image(self) -> bytes:
        return self.package.firmware.outputs["image"].read_bytes()

    @property
    def elf(self) -> Path:
        return self.package.firmware.elf

    def factory(self) -> bytes:
        """The flash of a chip with bootloader and this firmware."""
        content = IntelHex(str(self.package.firmware.outputs["factory"]))
        memory = self.program.board.memory
        return bytes(content.tobinarray(memory.flash_origin, memory.flash_origin + memory.flash - 1))


class Apps:
    """Builds small firmware; each is built once."""

    def __init__(self, folder: Path, board: Board = NRF, toolchain: str = "zig") -> None:
        self._folder, self._board, self._toolchain = folder, board, toolchain
        self._built: dict[tuple[int, str, str, int], App] = {}
        self.key = folder / "key.pem"
        self.other_key = folder / "other.pem"
        for path in (self.key, self.other_key):
            if not path.exists():
                new_key(path)

    def get(self, seed: int, version: str = "1.0.0", *, key: Path | None = None, counter: int = 0) -> App:
        """Model `seed`, signed by `key`, by default `self.key`."""
        key = key or self.key
        name = (seed, version, key.name, counter)
        if name not in self._built:
            graph = random_network(np.random.default_rng(seed), 3)
            program = pipeline.compile_graph(graph, self._board, name=f"net {seed}", version=version)
            folder = self._folder / "-".join(map(str, name))
            firmware = pipeline.build(program, folder, self._toolchain)
            package = pipeline.package(firmware, program, Signing(key, counter))
            assert package is not None
            self._built[name] = App(program, package)
        return self._built[name]

    def unsigned(self, seed: int, version: str = "1.0.0") -> App:
        """The same without a key: its bootloader takes unsigned images."""
        signed = self.get(seed, version)
        folder = self._folder / f"{seed}-{version}-unsigned"
        if not folder.exists():
            shutil.copytree(signed.package.firmware.folder, folder)
        moved = signed.package.firmware
        outputs = {kind: folder / path.name for kind, path in moved.outputs.items()}
        firmware = replace(moved, folder=folder, elf=outputs["elf"], outputs=outputs)
        package = packaging.package(firmware, signed.program, Signing())
        assert package is not None
        return App(signed.program, package)


def slots() -> Slots:
    assert NRF.slots is not None
    return NRF.slots


def booted(flash: bytes) -> Machine:
    """A machine that starts as the chip does, with the rules of its flash."""
    return Machine(flash, NRF, flash_rules=STRICT)


def client(machine: Machine) -> DeviceClient:
    return DeviceClient(machine.transport, timeout=5.0)


def firmware_of(machine: Machine) -> str:
    """The digest that the running firmware tells."""
    return client(machine).hello().firmware


def upload(machine: Machine, image: bytes) -> None:
    ImageClient(client(machine)).upload(image)


def states(machine: Machine) -> tuple[SlotState, ...]:
    return ImageClient(client(machine)).states()
