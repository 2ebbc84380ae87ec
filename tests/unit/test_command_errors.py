"""A mistake on the command line is one error that says where, with the right exit code, at every verb."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support import tflite_writer
from support.classifiers import small_classifier
from support.command_line import Said, tinyc
from tinyc.cli.app import VERBS, app

pytestmark = pytest.mark.unit

GROUPS = tuple(group.name for group in app.registered_groups)
BOARD = ("--board", "nrf52840")
OF_MODELS: dict[str, tuple[str, ...]] = {
    "check": ("check", "{}", *BOARD),
    "build": ("build", "{}", *BOARD, "--out", "out"),
    "library": ("build", "{}", *BOARD, "--out", "out", "--emit", "library", "--format", "arduino"),
    "inspect": ("inspect", "{}", "--json"),
    "quantize": ("quantize", "{}"),
    "boards fit": ("boards", "fit", "{}"),
    "run": ("run", "{}", *BOARD, "--input", "x.npy"),
    "verify": ("verify", "{}", *BOARD),
    "profile": ("profile", "{}", *BOARD, "--json"),
    "tune": ("tune", "{}", *BOARD),
    "flash": ("flash", "{}", *BOARD),
}
BAD_MODELS = {
    "absent.tflite": "there is no such file",
    "folder.tflite": "the folder holds no build",
    "empty.tflite": "the file is empty",
    "cut.tflite": "not a valid .tflite",
    "text.tflite": "not a valid .tflite",
    "unreadable.tflite": "the file cannot be read",
    "notes.docx": "unknown suffix",
    "bare": "the file has no suffix",
    "empty.toml": "the configuration is not valid",
    "binary.toml": "is not UTF-8 text",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    whole = tflite_writer.write(small_classifier(np.random.default_rng(0)))
    files = {
        "empty.tflite": b"",
        "cut.tflite": whole[: len(whole) // 2],
        "text.tflite": b"a model, as they say\n" * 20,
        "notes.docx": b"words",
        "bare": b"words",
        "empty.toml": b"",
        "binary.toml": b"\xff\xfe\x00",
        "net.tflite": whole,
        "garbage.onnx": bytes(range(256)),
        "text.onnx": b"a model, as they say\n" * 20,
        "empty.onnx": b"",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.tflite").mkdir()
    # Not even root reads the first page of a process.
    (tmp_path / "unreadable.tflite").symlink_to("/proc/self/mem")
    np.save(tmp_path / "x.npy", np.zeros(3, np.int8))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def one_error(said: Said, code: int, *words: str) -> None:
    assert said.code == code, said.stderr
    assert said.stderr.startswith("error: ") and said.stderr.count("error: ") == 1, said.stderr
    assert "Traceback" not in said.stderr and "Errno" not in said.stderr and not said.stdout
    for word in words:
        assert word in said.stderr, said.stderr


@pytest.mark.parametrize("verb", OF_MODELS)
def test_files_that_are_no_models(verb: str, here: Path) -> None:
    before = sorted(here.iterdir())
    for name, words in BAD_MODELS.items():
        one_error(tinyc(*(part.format(name) for part in OF_MODELS[verb])), 1, name, words)
    assert sorted(here.iterdir()) == before


def test_files_that_are_no_onnx_models(here: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    for name, words in (
        ("garbage.onnx", "not a valid"),
        ("text.onnx", "not a valid"),
        ("empty.onnx", "no oper"),
    ):
        one_error(tinyc("check", name, *BOARD), 1, name, words)


@pytest.mark.parametrize("name", ["absent", "net.tflite", "folder.tflite"])
def test_no_build_where_one_is_wanted(name: str, here: Path) -> None:
    one_error(tinyc("report", name), 1, f"{name}: is not a build folder")


@pytest.mark.parametrize("verb", [*OF_MODELS, "init"])
def test_a_board_that_does_not_exist(verb: str, here: Path) -> None:
    if verb in ("inspect", "quantize", "boards fit"):
        assert tinyc(*verb.split(), "net.tflite", "--board", "nrf52").code == 2
        return
    arguments = OF_MODELS.get(verb, ("init", "{}", *BOARD))
    said = tinyc(*(part.format("net.tflite").replace("nrf52840", "nrf5284") for part in arguments))
    one_error(said, 1, "unknown board `nrf5284`", "nrf52840")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "firmware", *BOARD, "--input", "absent.npy"), "firmware: there is no such file"),
        (("quantize", "net.tflite"), "already quantized"),
        (("init", "absent.keras"), "no such model"),
        (("init", "net.tflite", "--folder", "notes.docx"), "notes.docx: is no folder"),
        (("init", "net.tflite", "--calibration", "absent.npz"), "no such calibration data"),
        (("build", "net.tflite", *BOARD, "--out", "notes.docx"), "notes.docx"),
        (("version", "notes.docx", "x.npy"), "is not the manifest of a model"),
        (("keys", "show", "absent"), "no such key"),
        (("monitor", "--port", "absent", "--once"), "cannot open the serial port: No such file"),
        (("registry", "ask", "absent"), "no named query"),
        (("boards", "fit", "net.tflite", "--optimize", "tuned"), "needs counts of each board"),
        (("build", "net.tflite", *BOARD, "--emit", "library"), "a library needs a build system"),
        (("build", "net.tflite", *BOARD, "--firmware", "absent"), "add --split-model"),
        (
            ("build", "net.tflite", *BOARD, "--split-model", "--firmware", "absent"),
            "cannot read the manifest",
        ),
        (("check", "net.tflite"), "no board is named"),
        (("check",), "there is no tinyc.toml here"),
    ],
)
def test_mistakes_of_one_verb(arguments: tuple[str, ...], words: str, here: Path) -> None:
    one_error(tinyc(*arguments), 1, words)


@pytest.mark.parametrize("verb", [*VERBS, *GROUPS])
def test_help_and_usage(verb: str) -> None:
    said = tinyc(verb, "--help")
    assert said.code == 0 and f"tinyc {verb}" in said.stdout
    wrong = tinyc(verb, "--bored")
    assert wrong.code == 2 and "--bored" in wrong.stderr and not wrong.stdout
