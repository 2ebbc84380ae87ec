"""The generated project: complete, deterministic, movable, and careful with the user's folder."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from strategies.common import single_op_graph
from support.networks import random_network
from tinyc.boards import board_names, load_board
from tinyc.device.limits import buffer_bytes
from tinyc.emit import hello
from tinyc.emit.project import TOOLCHAINS, firmware_digest, render, with_toolchain, write
from tinyc.errors import TinycError
from tinyc.files import PART
from tinyc.ir.ops import Split
from tinyc.ir.tensor import DType, Quantization, Tensor
from tinyc.pipeline import compile_graph
from tinyc.program import Program, Project
from upload import slot_board

pytestmark = pytest.mark.unit

BOARDS = [name for name in board_names() if not load_board(name).is_host]


def program(board: str = "nrf52840", name: str = "net") -> Program:
    return compile_graph(random_network(np.random.default_rng(1), 3), load_board(board), name=name)


def tensor(name: str, shape: tuple[int, ...]) -> Tensor:
    return Tensor(name, shape, DType.INT8, Quantization((0.1,), (0,)))


@pytest.fixture(scope="module")
def project() -> Project:
    return render(program())


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("board", BOARDS)
def test_every_board_is_rendered_twice_alike(board: str) -> None:
    first, second = render(program(board)), render(program(board))
    assert first.files == second.files
    assert list(first.files) == sorted(first.files)
    memory = load_board(board).memory
    assert (
        f"ORIGIN = 0x{memory.image_origin:08x}, LENGTH = {memory.application_flash}"
        in first.files["board.ld"]
    )


def split(parts: int, board: str) -> Program:
    """A model with one input and so many outputs, and a name that is too long."""
    tensors = [tensor("x", (1, parts)), *(tensor(f"y{i}", (1, 1)) for i in range(parts))]
    op = Split(
        name="split",
        inputs=("x",),
        outputs=tuple(t.name for t in tensors[1:]),
        axis=1,
        sizes=(1,) * parts,
    )
    return compile_graph(single_op_graph(op, tensors), load_board(board), name="n" * 99)


@pytest.mark.parametrize(("board", "few", "many"), [("microbit", 20, 60), ("nrf52840", 200, 400)])
def test_the_answer_to_hello_has_room_for_all_inputs_and_outputs(board: str, few: int, many: int) -> None:
    room = buffer_bytes(load_board(board).memory.ram) - 12
    assert hello.answer_bytes(split(few, board)) <= room
    render(split(few, board))
    with pytest.raises(TinycError, match=f"{many + 1} inputs and outputs"):
        render(split(many, board))


def test_the_digest_of_the_firmware_covers_every_other_text(project: Project) -> None:
    digest = firmware_digest(project.files)
    stated = "".join(re.findall(r"0x(\w\w)", project.files["include/identity.h"]))
    assert stated == digest and len(digest) == 64
    for path in project.files:
        changed = firmware_digest({**project.files, path: project.files[path] + "\n"})
        assert (changed == digest) == (path == "include/identity.h"), path
    other = render(replace(project.program, version="0.0.1"))
    assert firmware_digest(other.files) != digest


@pytest.mark.parametrize("board", BOARDS)
def test_texts_are_clean(board: str) -> None:
    """No absolute paths, no dates, no trailing blanks, one newline at the end."""
    for path, text in render(program(board)).files.items():
        assert text.endswith("\n") and not text.endswith("\n\n"), path
        assert "\r" not in text and not re.search(r"[ \t]$", text, flags=re.MULTILINE), path
        assert str(Path.home()) not in text and str(Path.cwd()) not in text, path
        assert not re.search(r"\b20\d\d-\d\d-\d\d\b", text), path
        assert not Path(path).is_absolute() and ".." not in Path(path).parts


def test_all_includes_are_in_the_project(project: Project) -> None:
    have = {Path(path).name for path in project.files} | {"stdint.h", "stddef.h"}
    for path, text in project.files.items():
        if path.endswith((".c", ".h")):
            assert set(re.findall(r'#include [<"]([^>"]+)[>"]', text)) <= have, path


def test_a_board_with_slots_has_the_image_group() -> None:
    board = slot_board(1_000_000)
    files = render(compile_graph(program().graph, board, name="net")).files
    without = render(program("nrf52840_bare")).files
    assert {"src/image_group.c", "src/upload.c", "include/slots.h"} <= set(files) - set(without)
    assert (
        "#define BOARD_HAS_SLOTS 1\n#define TINYC_BOOTLOADER 0\n#define BOARD_UART_BAUD 1000000u\n"
        in files["include/board.h"]
    )
    assert (
        "#define BOARD_HAS_SLOTS 0\n#define TINYC_BOOTLOADER 0\n#define BOARD_UART_BAUD 115200u\n"
        in without["include/board.h"]
    )
    have = {Path(path).name for path in files} | {"stdint.h", "stddef.h"}
    for path, text in files.items():
        if path.endswith((".c", ".h")):
            assert set(re.findall(r'#include [<"]([^>"]+)[>"]', text)) <= have, path


def test_toolchains_differ_in_the_ini_and_the_digest_only(project: Project) -> None:
    assert TOOLCHAINS == ("zig", "gcc", "registry")
    gcc = with_toolchain(project, "gcc")
    differing = [path for path in project.files if project.files[path] != gcc.files[path]]
    assert differing == ["include/identity.h", "platformio.ini"]
    registry = with_toolchain(gcc, "registry")
    assert "platform = nordicnrf52" in registry.files["platformio.ini"]
    assert {path: text for path, text in registry.files.items() if path.startswith("src/")} == {
        path: text for path, text in project.files.items() if path.startswith("src/")
    }
    assert with_toolchain(registry, "zig").files == project.files


def test_impossible_projects() -> None:
    with pytest.raises(TinycError, match="takes no firmware"):
        render(program("host"))
    with pytest.raises(TinycError, match="unknown toolchain `keil`"):
        render(program(), "keil")
    with pytest.raises(TinycError, match="not in PlatformIO's registry"):
        render(program("mps2_an386"), "registry")


@pytest.mark.parametrize("name", ['"quoted\\', "wörter/*", "??/", "x" * 300, "\n", "主"])
def test_odd_names(name: str) -> None:
    main = render(program(name=name)).files["src/tinyc_group.c"]
    literal = re.search(r"model_name\[\] = (.*);", main)
    assert literal is not None
    text = literal[1]
    assert text.isascii() and text.startswith('"') and text.endswith('"')
    assert text.count('"') == 2
    rest = main.replace(text, "")
    assert rest.count("/*") == rest.count("*/")


def test_write_changes_only_what_changed(project: Project, tmp_path: Path) -> None:
    assert {path.relative_to(tmp_path).as_posix() for path in write(project, tmp_path)} == set(project.files)
    assert write(project, tmp_path) == ()
    before = (tmp_path / "src" / "main.c").stat().st_mtime_ns
    changed = replace(project, files={**project.files, "src/hal.c": "int x;\n"})
    assert write(changed, tmp_path) == (tmp_path / "src" / "hal.c",)
    assert (tmp_path / "src" / "main.c").stat().st_mtime_ns == before
    (tmp_path / "board.ld").unlink()
    assert tmp_path / "board.ld" in write(changed, tmp_path)


def test_write_removes_old_files_and_leaves_the_users(project: Project, tmp_path: Path) -> None:
    more = replace(project, files={**project.files, "src/audio.c": "int audio;\n"})
    write(more, tmp_path)
    (tmp_path / "src" / "mine.c").write_text("int mine;\n")
    write(project, tmp_path)
    assert not (tmp_path / "src" / "audio.c").exists()
    assert (tmp_path / "src" / "mine.c").read_text() == "int mine;\n"


def test_write_never_replaces_a_file_of_the_user(project: Project, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.c").write_text("int main(void);\n")
    before = tree(tmp_path)
    with pytest.raises(TinycError) as caught:
        write(project, tmp_path)
    assert {problem.where for problem in caught.value.problems} == {"README.md", "src/main.c"}
    assert tree(tmp_path) == before


def test_an_interrupted_write_leaves_nothing_half_done(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, count = Path.write_bytes, 0

    def fails(self: Path, data: bytes) -> int:
        nonlocal count
        count += 1
        if count == 7:
            real(self, data[: len(data) // 2])
            raise KeyboardInterrupt
        return real(self, data)

    monkeypatch.setattr(Path, "write_bytes", fails)
    with pytest.raises(KeyboardInterrupt):
        write(project, tmp_path)
    monkeypatch.undo()
    assert tree(tmp_path) == {}
    write(project, tmp_path)
    assert not any(path.endswith(PART) for path in tree(tmp_path))


def test_interrupted_while_renaming(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some files are in place, some not: the next run knows them as its own and finishes."""
    real, count = Path.replace, 0

    def fails(self: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count == 7:
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(KeyboardInterrupt):
        write(project, tmp_path)
    monkeypatch.undo()
    write(render(program("nano33ble")), tmp_path)
    assert {path for path in tree(tmp_path) if not path.startswith(".tinyc/")} == set(
        render(program("nano33ble")).files
    )


def test_a_folder_that_cannot_be_written(project: Project, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TinycError, match="cannot write the project"):
        write(project, tmp_path / "file" / "out")


def test_a_hostile_manifest_removes_nothing_outside(project: Project, tmp_path: Path) -> None:
    outside = tmp_path / "precious"
    outside.write_text("x")
    folder = tmp_path / "out"
    (folder / ".tinyc").mkdir(parents=True)
    (folder / ".tinyc" / "files.json").write_text(f'{{"files": ["../precious", "{outside}", 3]}}')
    write(project, folder)
    assert outside.read_text() == "x"
