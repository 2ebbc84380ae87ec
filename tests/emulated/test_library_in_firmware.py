"""A library that PlatformIO finds in `lib/`: on the emulated chip it answers like the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.networks import random_network
from tinyc.boards import load_board
from tinyc.device.client import DeviceClient
from tinyc.emit.project import write_texts
from tinyc.emulator import Machine
from tinyc.execution import DeviceEngine, host_engine
from tinyc.libraries.emit import render_library
from tinyc.libraries.settings import Format, LibrarySettings
from tinyc.pipeline import compile_graph, render
from tinyc.toolchain import platformio
from tinyc.verification import random_vectors, verify

pytestmark = pytest.mark.emulated


def test_platformio_builds_the_library_into_a_firmware(tmp_path: Path) -> None:
    board = load_board("nrf52840_bare")
    program = compile_graph(random_network(np.random.default_rng(5), 4), board, name="net")
    files = dict(render(program).files)
    # The library takes the place of the model, and PlatformIO looks for it.
    del files["src/model.c"]
    files["src/model.h"] = "#include <net_model.h>\n"
    files["platformio.ini"] = files["platformio.ini"].replace("lib_ldf_mode = off", "lib_ldf_mode = chain")
    library = render_library(program, LibrarySettings(), Format.PLATFORMIO)
    files |= {f"lib/net/{path}": text for path, text in library.items()}
    write_texts(files, tmp_path)
    version = platformio.toolchain_version("zig", board.instruction_set.family)
    elf = platformio.run(tmp_path, board.name, "zig", version)
    assert list((tmp_path / ".pio").rglob("net_model.o"))
    with Machine(elf, board) as machine, host_engine(program) as host:
        device = DeviceEngine(DeviceClient(machine.transport), program)
        vectors = random_vectors(program.graph, 3, 1)
        result = verify(program, vectors, {"host": host, "device": device}, layers=True)
    assert result.agrees, result.first
