"""Arrays that a user gives: calibration data, inputs to run on, batches."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from support.float_networks import FloatNetwork
from support.tflite_writer import write
from tinyc.errors import TinycError
from tinyc.execution import split_batch
from tinyc.ir.ops import Add, FullyConnected
from tinyc.ir.tensor import DType, Quantization, Tensor
from tinyc.preparation import prepare
from tinyc.source import load_arrays, load_samples, resolve

pytestmark = pytest.mark.unit

IMAGE = Tensor("x", (1, 3, 5, 2), DType.INT8, Quantization((0.5,), (3,)))


def save(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        ((1, 3, 5, 2), 1),
        ((3, 5, 2), 1),
        ((30,), 1),
        ((4, 3, 5, 2), 4),
        ((4, 1, 3, 5, 2), 4),
        ((4, 30), 4),
        ((1, 30), 1),
    ],
)
def test_one_input_or_a_batch(shape: tuple[int, ...], count: int) -> None:
    values = np.arange(30 * count, dtype=np.int64).reshape(shape) % 100
    parts = split_batch(IMAGE, values, "x.npy")
    assert [part.shape for part in parts] == [IMAGE.shape] * count
    np.testing.assert_array_equal(np.stack(parts).reshape(-1), values.reshape(-1))


@pytest.mark.parametrize(
    "shape", [(2, 3, 5), (4, 2, 3, 5), (4, 5, 3, 2), (0, 3, 5, 2), (), (4, 3, 10), (31,)]
)
def test_axes_in_another_order_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(TinycError, match="does not fit the input"):
        split_batch(IMAGE, np.zeros(shape, np.int8), "x.npy")


@pytest.mark.parametrize("shape", [(7,), (7, 1), (7, 1, 1)])
def test_a_batch_of_single_numbers(shape: tuple[int, ...]) -> None:
    scalar = IMAGE.with_(shape=(1, 1))
    assert len(split_batch(scalar, np.zeros(shape, np.int8), "x.npy")) == 7


def test_several_inputs_are_found_by_name(tmp_path: Path) -> None:
    left, right = np.zeros((4, 3), np.float32), np.ones((4, 2), np.float32)
    path = save(tmp_path / "a.npz", right=right, left=left, labels=np.arange(4))
    columns, labels = load_samples(path, ("left", "right"))
    np.testing.assert_array_equal(columns[0], left)
    np.testing.assert_array_equal(columns[1], right)
    assert labels is not None and labels.tolist() == [0, 1, 2, 3]


def test_a_single_input_may_have_any_name_when_it_is_alone(tmp_path: Path) -> None:
    values = np.ones((2, 3), np.float32)
    for name in ("x", "inputs", "something"):
        path = save(tmp_path / f"{name}.npz", **{name: values, "labels": np.arange(2)})
        np.testing.assert_array_equal(load_samples(path, ("x",))[0][0], values)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "lacks an array for the model's input `x`"),
        ({"a": np.zeros((1, 3)), "b": np.zeros((1, 3))}, "lacks an array"),
        ({"x": np.zeros((0, 3))}, "no samples"),
        ({"x": np.array(1.0)}, "no samples"),
        ({"x": np.full((1, 3), np.nan)}, "NaN"),
        ({"x": np.zeros((1, 3), complex)}, "complex128"),
        ({"x": np.array(["yes"])}, "<U3"),
        ({"x": np.zeros((2, 3)), "labels": np.arange(3)}, "3 labels for 2 samples"),
    ],
)
def test_unusable_arrays(tmp_path: Path, arrays: dict[str, object], message: str) -> None:
    with pytest.raises(TinycError, match=message):
        load_samples(save(tmp_path / "a.npz", **arrays), ("x",))


def test_different_numbers_of_samples(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", x=np.zeros((2, 3)), y=np.zeros((3, 3)))
    with pytest.raises(TinycError, match="different numbers of samples"):
        load_samples(path, ("x", "y"))


def test_damaged_files(tmp_path: Path) -> None:
    whole = save(tmp_path / "whole.npz", inputs=np.arange(1000.0)).read_bytes()
    changed = bytearray(whole)
    changed[500:600] = bytes(100)
    for name, content in (
        ("empty.npz", b""),
        ("cut.npz", whole[:2000]),
        ("changed.npz", bytes(changed)),
        ("text.npy", b"hello"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(TinycError, match="not a readable NumPy file"):
            load_arrays(tmp_path / name)
    with pytest.raises(TinycError, match="no such file"):
        load_arrays(tmp_path / "absent.npz")


def test_an_archive_with_something_else_inside(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("notes.txt", "no array")
    with pytest.raises(TinycError):
        load_arrays(tmp_path / "a.npz")


def test_a_part_of_labelled_samples_for_several_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`samples` in tinyc.toml thins out every input and the labels alike."""
    monkeypatch.setenv("TINYC_CACHE_DIR", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    net = FloatNetwork((1, 3), (1, 3))
    y = net.add(FullyConnected, net.add(Add, "x0", "x1"), rng.normal(0, 1, (2, 3)))
    (tmp_path / "net.tflite").write_bytes(write(net.graph(y)))
    columns = {name: rng.normal(0, 1, (20, 3)).astype(np.float32) for name in ("x0", "x1")}
    save(tmp_path / "calibration.npz", **columns, labels=np.arange(20) % 2)
    (tmp_path / "tinyc.toml").write_text(
        '[model]\npath = "net.tflite"\n[quantize]\ncalibration = "calibration.npz"\nsamples = 7\n'
    )
    bill = prepare(resolve(tmp_path)).bill
    assert bill is not None
    assert (bill["samples"], bill["accuracy"]["samples"]) == (7, 7)
