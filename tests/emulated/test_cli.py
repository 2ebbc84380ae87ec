"""The verbs, end to end: a model file becomes firmware that runs on the emulated chip."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from support import tflite_writer
from support.classifiers import small_classifier, wide_layer
from support.command_line import tinyc
from tinyc import frontends, interpreter, passes
from tinyc.artifact import open_artifact
from tinyc.emit import symbols
from tinyc.toolchain.elf import read_elf

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small convolutional int8 network as a .tflite file."""
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    path.write_bytes(tflite_writer.write(small_classifier(np.random.default_rng(11))))
    return path


@pytest.fixture(scope="session")
def built(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build") / "out"
    said = tinyc("build", model, "--board", "nrf52840", "--out", folder, "--json")
    assert said.code == 0, said.stderr
    report = said.json
    for key in ("flash", "ram", "arena", "weights", "elf", "digest"):
        assert report[key], key
    assert Path(report["elf"]).is_file()
    return folder


def file_offset(path: Path, name: str) -> int:
    """Where in the ELF file the bytes of a symbol are."""
    address = read_elf(path).symbol(name).address
    with path.open("rb") as stream:
        for section in ELFFile(stream).iter_sections():
            start = section["sh_addr"]
            if section["sh_type"] == "SHT_PROGBITS" and start <= address < start + section["sh_size"]:
                return int(section["sh_offset"] + address - start)
    raise LookupError(name)


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".pio" not in path.parts
    }


def test_second_build_changes_nothing(model: Path, built: Path) -> None:
    before = digests(built)
    times = {path: path.stat().st_mtime_ns for path in (built / "firmware.elf", built / "src" / "model.c")}
    assert tinyc("build", model, "--board", "nrf52840", "--out", built).code == 0
    assert digests(built) == before
    assert times == {path: path.stat().st_mtime_ns for path in times}


def test_build_elsewhere_is_byte_identical(model: Path, built: Path, tmp_path: Path) -> None:
    other = tmp_path / "another name with spaces"
    assert tinyc("build", model, "--board", "nrf52840", "--out", other).code == 0
    assert digests(other) == digests(built)


def test_sizes_by_symbol(built: Path) -> None:
    report = json.loads((built / "report.json").read_text())
    sizes: dict[str, int] = {}
    for symbol in report["symbols"]:
        sizes[symbol["kind"]] = sizes.get(symbol["kind"], 0) + symbol["bytes"]
    assert report["flash"] == sizes["code"] + sizes["constant"] + sizes.get("data", 0)
    assert report["ram"] == sizes["bss"] + sizes.get("data", 0)
    said = tinyc("build", built, "--sizes").stdout
    for symbol in report["symbols"]:
        assert symbol["name"] in said
    assert f"{sizes['code']:,}" in said and f"{report['arena']:,}" in said
    assert tinyc("build", built, "--sizes", "--json").json["symbols"] == report["symbols"]


def test_run_a_batch(model: Path, built: Path, tmp_path: Path) -> None:
    graph = passes.run(frontends.load(model))
    tensor = graph[graph.inputs[0]]
    rng = np.random.default_rng(1)
    batch = rng.integers(-128, 128, (6, *tensor.shape[1:]), dtype=np.int64).astype(np.int8)
    np.save(tmp_path / "x.npy", batch)
    said = tinyc("run", built, "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy", "--json")
    assert said.code == 0, said.stderr
    got = np.load(tmp_path / "y.npy")
    expected = [interpreter.run(graph, [sample[None]])[0][0] for sample in batch]
    np.testing.assert_array_equal(got, np.stack(expected))
    assert got.dtype == np.int8 and said.json["count"] == 6 and said.json["instructions"] > 1000


def test_run_real_values(model: Path, built: Path, tmp_path: Path) -> None:
    graph = passes.run(frontends.load(model))
    tensor = graph[graph.inputs[0]]
    quantized = np.random.default_rng(2).integers(-128, 128, tensor.shape).astype(np.int8)
    real = (quantized.astype(np.float32) - tensor.zero_point) * np.float32(tensor.scale)
    for name, values in (("q", quantized), ("r", real)):
        np.save(tmp_path / f"{name}.npy", values)
        assert (
            tinyc("run", built, "-i", tmp_path / f"{name}.npy", "--output", tmp_path / f"{name}y.npy").code
            == 0
        )
    np.testing.assert_array_equal(np.load(tmp_path / "qy.npy"), np.load(tmp_path / "ry.npy"))


def test_profile(built: Path) -> None:
    found = tinyc("profile", built, "--json").json
    keys = {"instructions", "cycles_estimated", "macs", "op", "kernel"}
    assert all(keys <= set(layer) for layer in found["layers"])
    layers = sum(layer["instructions"] for layer in found["layers"])
    # Between the layers there is only the loop of `invoke`.
    assert layers <= found["instructions"] < layers + 30 * (len(found["layers"]) + 1)
    assert found["cycles_estimated"] >= found["instructions"]
    assert "total" in tinyc("profile", built).stdout


def test_verify(built: Path) -> None:
    said = tinyc("verify", built, "--count", 4, "--layers", "--json")
    assert said.code == 0, said.stderr
    assert said.json["agrees"] and said.json["differing_bytes"] == {"host C": 0, "emulated nrf52840": 0}
    assert "device = host C = reference" in tinyc("verify", built, "--count", 2).stdout


def test_pseudo_terminal(built: Path) -> None:
    command = [sys.executable, "-c", "from tinyc.cli import main; main()", "run", str(built), "--pty"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            said = tinyc("verify", built, "--port", port, "--count", 3, "--json")
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 130
        finally:
            process.kill()
    assert said.code == 0, said.stderr
    assert said.json["differing_bytes"] == {"host C": 0, f"board on {port}": 0}


def test_verify_names_the_layer_to_blame(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert tinyc("build", model, "--board", "nrf52840", "--out", folder).code == 0
    program = open_artifact(folder).program
    step = next(step for step in program.steps if step.op.kind == "DEPTHWISE_CONV_2D")
    # A weight of the image is changed, as a bad flash cell would.
    path = folder / "firmware.elf"
    name = symbols.constant(program, step, "weights")
    image = bytearray(path.read_bytes())
    image[file_offset(path, name) + 2] ^= 0x40
    path.write_bytes(image)
    said = tinyc("verify", folder, "--count", 3, "--json")
    assert said.code == 4
    (first,) = said.json["first_differences"]
    assert (first["layer"], first["name"]) == (step.index, step.op.name)
    assert step.op.name in said.stderr and "element" in said.stderr


def test_check_needs_no_toolchain(model: Path) -> None:
    said = tinyc("check", model, "--board", "nrf52840", "--json")
    assert said.code == 0, said.stderr
    assert said.json["fits"] and said.json["arena"] >= said.json["lower_bound"]
    assert "weights in flash" in tinyc("check", model, "--board", "nrf52840").stdout


def test_prediction_equals_the_elf(model: Path, built: Path) -> None:
    predicted = tinyc("check", model, "--board", "nrf52840", "--json").json
    report = json.loads((built / "report.json").read_text())
    assert (predicted["arena"], predicted["weights"]) == (report["arena"], report["weights"])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("build", "{model}", "--board", "nrf5284"), 1, ("nrf5284", "did you mean `nrf52840`")),
        (("build", "{model}"), 1, ("--board",)),
        (("build", "{tmp}/none.tflite", "--board", "nrf52840"), 1, ("none.tflite",)),
        (("build", "{tmp}/text.docx", "--board", "nrf52840"), 1, (".tflite",)),
        (("build", "--board", "nrf52840"), 1, ("tinyc.toml",)),
        (("build", "--bored"), 2, ("--bored",)),
        (("frobnicate",), 2, ("frobnicate",)),
        (("run", "{built}"), 1, ("--input",)),
        (("run", "{built}", "--input", "{tmp}/shape.npy"), 1, ("does not fit", "[1, ")),
        (("run", "{built}", "--input", "{tmp}/range.npy"), 1, ("int8", "-128..127")),
        (("run", "{built}", "--input", "{tmp}/text.docx"), 1, ("NumPy",)),
        (("run", "{built}", "--input", "{tmp}/sound.wav"), 1, ("audio",)),
        (("run", "{built}", "--input", "play some jazz"), 1, ("play some jazz no such file",)),
        (("run", "{built}", "--board", "nano33ble", "--input", "{tmp}/shape.npy"), 1, ("nrf52840",)),
        (("build", "{model}", "--board", "nrf52840", "--toolchain", "tcc"), 1, ("tcc", "zig")),
        (("build", "{model}", "--board", "nrf52840", "--out", "{tmp}/text.docx"), 1, ("text.docx",)),
    ],
)
def test_bad_input(
    arguments: tuple[str, ...],
    code: int,
    words: tuple[str, ...],
    model: Path,
    built: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "text.docx").write_text("words")
    (tmp_path / "sound.wav").write_bytes(b"RIFF")
    np.save(tmp_path / "shape.npy", np.zeros((3, 5), np.int8))
    graph = frontends.load(model)
    np.save(tmp_path / "range.npy", np.full(graph[graph.inputs[0]].shape, 300))
    monkeypatch.chdir(tmp_path)
    filled = [a.format(model=model, built=built, tmp=tmp_path) for a in arguments]
    said = tinyc(*filled)
    assert said.code == code, said.stderr
    assert "Traceback" not in said.stderr
    for word in words:
        assert word in " ".join(said.stderr.split()), said.stderr


def test_too_large_says_by_how_much_and_where(tmp_path: Path) -> None:
    path = tmp_path / "wide.tflite"
    path.write_bytes(tflite_writer.write(wide_layer(np.random.default_rng(0), 1_300_000)))
    for verb in ("check", "build"):
        said = tinyc(verb, path, "--board", "nrf52840")
        assert said.code == 3, said.stderr
        assert "flash" in said.stderr and "more than there are" in said.stderr and "#0" in said.stderr


def test_output_where_nobody_may_write(model: Path) -> None:
    said = tinyc("build", model, "--board", "nrf52840", "--out", "/proc/tinyc/out")
    assert said.code == 1 and "/proc/tinyc" in said.stderr and "Traceback" not in said.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_output_folder(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    said = tinyc("build", model, "--board", "nrf52840", "--out", folder / "out")
    assert said.code == 1 and "locked" in said.stderr


def test_interrupted_build_can_be_repeated(model: Path, built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    command = [sys.executable, "-c", "from tinyc.cli import main; main()"]
    command += ["build", str(model), "--board", "nrf52840", "--out", str(folder)]
    for delay in (0.6, 1.2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.kill()
        process.wait()
    assert tinyc("build", model, "--board", "nrf52840", "--out", folder).code == 0
    assert digests(folder) == digests(built)
