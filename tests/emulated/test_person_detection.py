"""`examples/person_detection`: pictures become inputs, and the firmware answers what the reference does."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from support.paths import ROOT
from tinyc.cli import target
from tinyc.errors import TinycError
from tinyc.interpreter import run
from tinyc.ir.tensor import DType, Tensor
from tinyc.learning.answers import network_answer

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "picture", ROOT / "examples" / "person_detection" / "run.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pictures_become_inputs(example: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "a.ppm"
    path.write_bytes(b"P6\n# made by hand\n4 2\n255\n" + bytes(range(24)))
    picture = example.read_picture(path)
    np.testing.assert_array_equal(picture, np.arange(24).reshape(2, 4, 3))
    # The middle square: columns 1 and 2; its mean is that of pixels 1, 2, 5 and 6.
    found = example.model_input(picture, Tensor("x", (1, 1, 1, 3), DType.INT8))
    np.testing.assert_array_equal(found, np.array([10, 12, 12]).reshape(1, 1, 1, 3) - 128)


@pytest.mark.parametrize("channels", [1, 3])
def test_sizes_and_colours(example: ModuleType, channels: int) -> None:
    white = np.full((50, 70, 4 - channels), 255, np.uint8)
    found = example.model_input(white, Tensor("x", (1, 96, 96, channels), DType.INT8))
    assert found.shape == (1, 96, 96, channels) and (found == 127).all()


@pytest.mark.parametrize(
    "data", [b"", b"P5 2 2 255\n123", b"P6 1 1 65535\n123456", b"\x89PNG", b"P5 0 1 255\n"]
)
def test_what_is_no_picture_is_refused(example: ModuleType, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.ppm"
    path.write_bytes(data)
    with pytest.raises(TinycError, match=r"a\.ppm"):
        example.read_picture(path)
    with pytest.raises(TinycError, match="cannot be read"):
        example.read_picture(tmp_path / "b.ppm")


def test_the_board_answers(
    example: ModuleType,
    shared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "tinyc.toml").write_text((ROOT / "examples/person_detection/tinyc.toml").read_text())
    model = (shared / "models/mlperf_tiny/vww_96_int8.tflite").read_bytes()
    (tmp_path / "person_detection.tflite").write_bytes(model)
    picture = np.random.default_rng(4).integers(0, 256, (120, 100, 3), dtype=np.uint8)
    (tmp_path / "a.ppm").write_bytes(b"P6 100 120 255\n" + picture.tobytes())
    monkeypatch.setattr(example, "HERE", tmp_path)
    monkeypatch.setattr("sys.argv", ["run.py", str(tmp_path / "a.ppm")])
    example.main()
    program = target.compiled(tmp_path, "nrf52840")[2]
    graph = program.graph
    answer = network_answer(program, run(graph, [example.model_input(picture, graph[graph.inputs[0]])]))
    assert capsys.readouterr().out == f"{answer.words}, {answer.score:.3f}\n"
