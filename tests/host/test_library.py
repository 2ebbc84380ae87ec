"""Libraries in the folders of each build system: compiled as it would, run here, equal to the reference."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from strategies import STRATEGIES
from support import tflite_writer
from support.audio import audio_program
from support.command_line import tinyc
from support.learn_builds import LearnBuilds
from support.networks import random_network
from tinyc import interpreter
from tinyc.audio.settings import AudioSettings
from tinyc.boards import load_board
from tinyc.config import load_config
from tinyc.emit.project import write_texts
from tinyc.errors import TinycError
from tinyc.ir.ops import FullyConnected
from tinyc.libraries.emit import render_library
from tinyc.libraries.settings import Format, LibrarySettings
from tinyc.pipeline import compile_graph
from tinyc.program import Program
from tinyc.toolchain.host_compiler import WARNINGS, find_compiler
from tinyc.verification import random_vectors

pytestmark = pytest.mark.host

HERE = Path(__file__).parent
STAND_IN = HERE / "library_stand_in"
FORMATS = tuple(format for format in Format if format is not Format.ALL)
SETTINGS = LibrarySettings(author="Ada <ada@example.org>", license="MIT", url="https://example.org/?a&b")


@pytest.fixture(scope="module")
def programs() -> tuple[Program, Program]:
    """Networks whose kernels are plain C."""
    board = load_board("microbit")
    first, second = (random_network(np.random.default_rng(seed), 4, mixed=True) for seed in (3, 4))
    return (
        compile_graph(first, board, name="first net", version="1.2.3"),
        compile_graph(second, board, name="second net"),
    )


@pytest.fixture(scope="module")
def folder(programs: tuple[Program, Program], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both models in every format: PROGRAM/FORMAT/."""
    found = tmp_path_factory.mktemp("libraries")
    for name, program in zip(("first", "second"), programs, strict=True):
        write_texts(render_library(program, SETTINGS, Format.ALL), found / name)
    return found


def compiled(
    libraries: Sequence[Path], main: Path, output: Path, *flags: str, warnings: Sequence[str] = WARNINGS
) -> Path:
    """`main` with the sources of the libraries, their headers on the path."""
    compiler = find_compiler()
    sources = [path for library in libraries for path in sorted((library / "src").glob("*.c"))]
    include = [f"-I{library / part}" for library in libraries for part in ("include", "src")]
    objects = []
    for source in (*sources, main):
        made = output.with_name(f"{output.name}_{source.stem}.o")
        language = ["-x", "c++"] if source.suffix == ".ino" else []
        chosen = flags if source is main else ()
        own = () if source.suffix == ".ino" else warnings
        command = [*compiler.command, *own, "-O1", *compiler.sanitizer_flags(), *include, *chosen]
        subprocess.run([*command, *language, "-c", source, "-o", made], check=True)
        objects.append(made)
    link = [*compiler.command, *compiler.sanitizer_flags(), *objects, "-o", output]
    subprocess.run(link, check=True)
    return output


def told_for_zeros(program: Program) -> list[int]:
    graph = program.graph
    zeros = [np.zeros(graph[name].shape, np.int8) for name in graph.inputs]
    return [int(value) for output in interpreter.run(graph, zeros) for value in output.reshape(-1)]


@pytest.mark.parametrize("format", FORMATS)
def test_two_libraries_in_one_program(
    programs: tuple[Program, Program], folder: Path, tmp_path: Path, format: Format
) -> None:
    libraries = [folder / name / format.value for name in ("first", "second")]
    run = compiled(libraries, HERE / "library_main.c", tmp_path / "two", "-Wshadow", "-Wconversion")
    sent, expected = b"", b""
    for pair in zip(*(random_vectors(program.graph, 5, 2) for program in programs), strict=True):
        for program, vector in zip(programs, pair, strict=True):
            sent += b"".join(array.tobytes() for array in vector)
            expected += interpreter.run(program.graph, vector)[0].tobytes()
    done = subprocess.run([run], input=sent, capture_output=True, check=True)
    assert done.stdout == expected


def test_nothing_but_the_examples_has_a_main(folder: Path) -> None:
    for path in folder.rglob("*.[ch]"):
        text = path.read_text(encoding="utf-8")
        is_example = {"examples", "samples"} & set(path.relative_to(folder).parts)
        assert bool(re.search(r"\bmain\(", text)) == bool(is_example), path


def test_the_sketch_runs(programs: tuple[Program, Program], folder: Path, tmp_path: Path) -> None:
    library = folder / "first" / "arduino"
    flags = ("-include", str(STAND_IN / "Arduino.h"))
    run = compiled([library], library / "examples" / "FirstNet" / "FirstNet.ino", tmp_path / "sketch", *flags)
    done = subprocess.run([run], capture_output=True, check=True)
    assert [int(line) for line in done.stdout.split()] == told_for_zeros(programs[0])


def test_arduino_properties(folder: Path) -> None:
    library = folder / "first" / "arduino"
    lines = (library / "library.properties").read_text(encoding="utf-8").splitlines()
    properties = dict(line.split("=", 1) for line in lines)
    needed = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url"}
    assert needed | {"architectures", "includes"} == set(properties) - {"license"}
    assert properties["version"] == "1.2.3" and properties["license"] == "MIT"
    assert (library / "src" / properties["includes"]).is_file()
    words = [line.split("\t") for line in (library / "keywords.txt").read_text().splitlines()]
    header = (library / "src" / properties["includes"]).read_text(encoding="utf-8")
    assert {kind for _, kind in words} == {"KEYWORD2"}
    assert all(f"{name}(" in header for name, _ in words) and ["first_net_invoke", "KEYWORD2"] in words


def test_the_example_of_platformio_runs(
    programs: tuple[Program, Program], folder: Path, tmp_path: Path
) -> None:
    library = folder / "first" / "platformio"
    manifest = json.loads((library / "library.json").read_text(encoding="utf-8"))
    (example,) = manifest["examples"]
    (main,) = [library / example["base"] / name for name in example["files"]]
    done = subprocess.run([compiled([library], main, tmp_path / "plain")], check=False)
    assert done.returncode == told_for_zeros(programs[0])[0] & 0xFF
    assert all((library / manifest["build"]["includeDir"] / name).is_file() for name in manifest["headers"])


@pytest.mark.parametrize("listens", [False, True])
def test_the_component_of_the_pack_compiles_for_its_core(
    programs: tuple[Program, Program], tmp_path: Path, listens: bool
) -> None:
    board = load_board("nrf52840")
    compiler = shutil.which(f"{board.instruction_set.family.gcc_prefix}gcc")
    if compiler is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    plain = audio_program(AudioSettings(), 0.5, 3) if listens else programs[0]
    program = compile_graph(plain.graph, board, name="first net", audio=plain.audio)
    write_texts(render_library(program, SETTINGS, Format.CMSIS_PACK), tmp_path)
    (path,) = tmp_path.glob("*.pdsc")
    pack = ElementTree.parse(path).getroot()
    assert path.name == f"{pack.findtext('vendor')}.{pack.findtext('name')}.pdsc"
    assert pack.findtext("url") == SETTINGS.url
    files = [(file.get("category"), file.get("name") or "") for file in pack.iter("file")]
    assert all((tmp_path / name).exists() for _, name in files)
    include = [f"-I{tmp_path / name}" for category, name in files if category == "include"]
    sources = [tmp_path / name for category, name in files if category == "source"]
    flags = [*WARNINGS, *board.instruction_set.gcc, "-O2", *include]
    assert [source.stem for source in sources] == ["first_net_model", *["first_net_audio"] * listens]
    for source in sources:
        subprocess.run([compiler, *flags, "-c", source, "-o", tmp_path / "object.o"], check=True)
        names = [f"{compiler.removesuffix('gcc')}nm", "-g", "--defined-only", "-f", "posix"]
        listed = subprocess.run([*names, tmp_path / "object.o"], capture_output=True, text=True, check=True)
        symbols = [line.split()[0] for line in listed.stdout.splitlines()]
        assert symbols and all(symbol.startswith("first_net_") for symbol in symbols)
    # The schema wants these elements and no other beside them, see PACK.xsd.
    assert {child.tag for child in pack} == {
        *("vendor", "name", "description", "url", "releases", "keywords", "components")
    }


def test_the_pack_has_the_code_of_the_others(folder: Path) -> None:
    for name in ("first_net_model.c", "first_net_model.h"):
        texts = {path.read_bytes() for path in (folder / "first").rglob(name)}
        assert len(list((folder / "first").rglob(name))) == len(FORMATS) and len(texts) == 1


def test_the_sample_of_zephyr_runs(programs: tuple[Program, Program], folder: Path, tmp_path: Path) -> None:
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed")
    sample = folder / "first" / "zephyr" / "samples" / "first_net"
    configure = ["cmake", "-S", sample, "-B", tmp_path, f"-DZephyr_DIR={STAND_IN}"]
    subprocess.run(configure, check=True, capture_output=True)
    subprocess.run(["cmake", "--build", tmp_path], check=True, capture_output=True)
    done = subprocess.run([tmp_path / "app"], capture_output=True, check=True)
    assert [int(line) for line in done.stdout.split()] == told_for_zeros(programs[0])


def test_the_module_of_zephyr(folder: Path) -> None:
    yaml = pytest.importorskip("yaml")
    module = folder / "first" / "zephyr"
    told = yaml.safe_load((module / "zephyr" / "module.yml").read_text(encoding="utf-8"))
    assert told == {"name": "first_net", "build": {"cmake": ".", "kconfig": "Kconfig"}}
    option = "TINYC_FIRST_NET"
    assert f"config {option}\n" in (module / "Kconfig").read_text(encoding="utf-8")
    assert f"CONFIG_{option}=y\n" in (module / "samples/first_net/prj.conf").read_text(encoding="utf-8")


def test_the_reference_explains_every_function(folder: Path) -> None:
    header = (folder / "first/platformio/include/first_net_model.h").read_text(encoding="utf-8")
    reference = (folder / "first/platformio/API.md").read_text(encoding="utf-8")
    declared = re.findall(r"^.*\);$", header, re.MULTILINE)
    blocks = re.findall(r"(.+)\n\n```c\n((?:.+\n)+)```\n", reference)
    explained = [line for _, code in blocks for line in code.splitlines()]
    assert len(declared) > 8
    assert [line for line in explained if line.endswith(");")] == declared
    assert all(words in header and code in header for words, code in blocks)


def test_the_same_bytes_every_time(programs: tuple[Program, Program]) -> None:
    for format in Format:
        once, again = (render_library(programs[0], SETTINGS, format) for _ in range(2))
        assert once == again and list(once) == sorted(once)


def test_a_head_that_learns_is_refused(tmp_path: Path) -> None:
    program = LearnBuilds(tmp_path).program("slda", "microbit")
    with pytest.raises(TinycError, match="a library is a model alone") as caught:
        render_library(program, SETTINGS, Format.ARDUINO)
    assert [problem.where for problem in caught.value.problems] == ["the head that learns"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a model and its `tinyc.toml`."""
    graph = STRATEGIES[FullyConnected](np.random.default_rng(7))
    (tmp_path / "net.tflite").write_bytes(tflite_writer.write(graph))
    text = '[model]\npath = "net.tflite"\n[input]\nunits = "m/s^2"\nsensor = "accelerometer"\n'
    (tmp_path / "tinyc.toml").write_text(f'{text}[library]\nname = "my-net"\nversion = "2.0.0"\n')
    return tmp_path


def test_the_command(project: Path) -> None:
    call = ("build", project, "--board", "microbit", "--emit", "library", "--format", "platformio", "--json")
    said = tinyc(*call)
    assert said.code == 0, said.stderr
    made = Path(said.json["folder"])
    assert made == project / "build" / "microbit-platformio"
    manifest = json.loads((made / "library.json").read_text(encoding="utf-8"))
    assert (manifest["name"], manifest["version"]) == ("my-net", "2.0.0")
    assert "accelerometer, m/s^2" in (made / "README.md").read_text(encoding="utf-8")
    assert all((made / name).is_file() for name in said.json["files"])
    times = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    assert tinyc(*call).code == 0
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*")} == times


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--format", "arduino"), "--format is for libraries"),
        (("--emit", "library"), "a library needs a build system"),
        (("--emit", "library", "--format", "arduino", "--sizes", "--report"), "a library is a model alone"),
    ],
)
def test_options_that_do_not_go_together(project: Path, options: Sequence[str], expected: str) -> None:
    said = tinyc("build", project, "--board", "microbit", *options)
    assert said.code == 1 and expected in said.stderr


def test_a_build_of_a_firmware_is_neither_model_nor_place(project: Path, tmp_path: Path) -> None:
    firmware = tmp_path / "firmware"
    assert tinyc("build", project, "--board", "host", "--out", firmware).code == 0
    kept = sorted(firmware.rglob("*"))
    options = ("--board", "host", "--emit", "library", "--format", "arduino")
    said = tinyc("build", firmware, *options)
    assert said.code == 1 and "is a build of a firmware" in said.stderr
    said = tinyc("build", project, *options, "--out", firmware)
    assert said.code == 1 and "has a build of a firmware" in said.stderr
    assert sorted(firmware.rglob("*")) == kept


def test_a_table_that_is_wrong(project: Path) -> None:
    path = project / "tinyc.toml"
    text = (
        '[model]\npath = "net.tflite"\n[library]\nname = "a b"\nversion = "1"\nautor = "x"\nurl = "ftp://x"\n'
    )
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TinycError) as caught:
        load_config(path)
    assert [problem.where for problem in caught.value.problems] == [
        *("library.name", "library.version", "library.autor", "library.url")
    ]
