"""Builds share the objects of equal texts, flags and compiler, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from support.devices import need_toolchain
from support.networks import random_network
from tinyc.boards import load_board
from tinyc.emit.project import render, with_toolchain, write
from tinyc.pipeline import compile_graph
from tinyc.program import Project
from tinyc.toolchain import platformio

pytestmark = pytest.mark.emulated

BOARD = load_board("nrf52840_bare")


@pytest.fixture(scope="module")
def project() -> Project:
    need_toolchain(BOARD, "gcc")
    program = compile_graph(random_network(np.random.default_rng(3), 2), BOARD, name="net")
    return with_toolchain(render(program), "gcc")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder of this file's own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYC_CACHE_DIR", str(folder))
        yield folder


def built(folder: Path, *, private: bool = False) -> bytes:
    version = platformio.toolchain_version("gcc", BOARD.instruction_set.family)
    return platformio.run(folder, BOARD.name, "gcc", version, private=private).read_bytes()


def objects(cache: Path) -> set[Path]:
    return {path for path in (cache / "objects").glob("*/??/*") if path.is_file()}


def test_an_object_is_compiled_once_for_all_projects(project: Project, cache: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        write(project, folder)
    elf = built(first, private=True)
    assert not objects(cache)
    assert built(second) == elf
    shared = objects(cache)
    assert len(shared) == len(list((second / "src").glob("*.c")))

    again = tmp_path / "again"
    write(project, again)
    assert built(again) == elf
    assert objects(cache) == shared


def test_a_changed_header_or_flag_is_another_object(project: Project, cache: Path, tmp_path: Path) -> None:
    write(project, tmp_path)
    elf = built(tmp_path)
    shared = objects(cache)
    header = tmp_path / "include" / "hal.h"
    header.write_text(f'{header.read_text()}#pragma GCC diagnostic ignored "-Wunused"\n')
    users = sum('#include "hal.h"' in path.read_text() for path in (tmp_path / "src").glob("*.c"))
    assert built(tmp_path) == elf
    assert len(objects(cache) - shared) >= users > 0
    builder = tmp_path / "platforms" / "tinyc" / "builder" / "main.py"
    builder.write_text(builder.read_text().replace('"-O2",\n        "-g0"', '"-O1",\n        "-g0"'))
    assert built(tmp_path) != elf


def test_another_linker_script_links_again(project: Project, tmp_path: Path) -> None:
    write(project, tmp_path)
    elf = built(tmp_path)
    script = tmp_path / "board.ld"
    stack = f". + {BOARD.memory.stack};"
    assert stack in script.read_text()
    script.write_text(script.read_text().replace(stack, ". + 1024;"))
    assert built(tmp_path) != elf
