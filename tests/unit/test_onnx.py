"""The ONNX front end: layouts, names, edges, and what it says of files it cannot use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")

from support.command_line import tinyc  # noqa: E402
from support.onnx_models import Writer, classifier, sequence_classifier  # noqa: E402
from tinyc import frontends, interpreter, passes  # noqa: E402
from tinyc.errors import TinycError  # noqa: E402
from tinyc.frontends.onnx import load_bytes  # noqa: E402
from tinyc.ir.graph import Graph  # noqa: E402
from tinyc.ir.tensor import Array  # noqa: E402
from tinyc.preparation import prepare  # noqa: E402
from tinyc.quantize.options import Criterion, Method, QuantizeOptions  # noqa: E402
from tinyc.source import Source  # noqa: E402

pytestmark = pytest.mark.unit


def loaded(model: onnx.ModelProto) -> Graph:
    return load_bytes(model.SerializeToString(), "net")


def kinds(graph: Graph) -> list[str]:
    return [op.kind for op in graph.ops]


def refused(model: onnx.ModelProto) -> TinycError:
    with pytest.raises(TinycError) as caught:
        passes.legalize(passes.run(loaded(model)), allow_float=True)
    return caught.value


def test_a_cnn_has_its_channels_last_and_no_transpose() -> None:
    graph = passes.run(loaded(classifier()))
    assert graph[graph.inputs[0]].shape == (1, 16, 12, 3)
    expected = ["CONV_2D", "MAX_POOL_2D", "DEPTHWISE_CONV_2D", "ADD", "FULLY_CONNECTED"]
    assert kinds(graph) == expected
    assert [op.name for op in graph.ops] == ["conv", "pool", "depthwise", "Add", "fc"]
    assert (graph.inputs, graph.outputs) == (("x",), ("logits",))


def test_a_sequence_is_an_image_of_one_row() -> None:
    graph = passes.run(loaded(sequence_classifier()))
    assert graph[graph.inputs[0]].shape == (1, 24, 2)
    assert "TRANSPOSE" not in kinds(graph)
    assert kinds(graph)[1:] == ["CONV_2D", "MAX_POOL_2D", "CONV_2D", "MEAN", "RESHAPE", "SOFTMAX"]


def test_only_a_reader_that_needs_the_files_order_costs_a_transpose() -> None:
    net = Writer()
    net.node("Conv", ["x", net.weights("w", 4, 3, 1, 1)], "a")
    net.node("Transpose", ["a"], "b", perm=[0, 2, 3, 1])
    net.node("Sigmoid", ["b"], "c")
    net.node("Transpose", ["c"], "d", perm=[0, 3, 1, 2])
    net.node("Conv", ["d", net.weights("v", 2, 4, 1, 1)], "e")
    net.node("Reshape", ["e", net.constant("shape", np.array([2, -1]))], "y")
    graph = passes.run(loaded(net.model({"x": [1, 3, 5, 5]}, ["y"])))
    assert kinds(graph) == ["CONV_2D", "LOGISTIC", "CONV_2D", "RESHAPE", "TRANSPOSE"]


def test_maps_that_come_out_of_a_convolution_have_their_channels_last() -> None:
    net = Writer()
    net.node("Conv", ["x", net.weights("w", 4, 3, 1, 1)], "maps")
    net.node("Flatten", ["u"], "flat")
    graph = loaded(net.model({"x": [1, 3, 6, 5], "u": [1, 2, 3]}, ["maps", "flat"]))
    assert [graph[name].shape for name in (*graph.inputs, *graph.outputs)] == [
        *((1, 6, 5, 3), (1, 2, 3)),
        *((1, 6, 5, 4), (1, 6)),
    ]


def test_shape_arithmetic_is_done_before_run_time() -> None:
    """x.view(x.size(0), -1) as older exporters write it."""
    net = Writer()
    net.node("Shape", ["x"], "shape")
    net.node("Gather", ["shape", net.constant("zero", np.array(0))], "batch", axis=0)
    net.node("Unsqueeze", ["batch", net.constant("axes", np.array([0]))], "first")
    net.node("Concat", ["first", net.constant("rest", np.array([-1]))], "target", axis=0)
    net.node("Reshape", ["x", "target"], "y")
    graph = loaded(net.model({"x": ["n", 2, 3]}, ["y"]))
    assert kinds(graph) == ["RESHAPE"]
    assert graph[graph.outputs[0]].shape == (1, 6)


@pytest.mark.parametrize("form", range(4))
def test_gelu_as_pytorch_writes_it(form: int) -> None:
    net = Writer()
    half, one, root = (net.constant(f"c{n}", np.float32(n)) for n in (0.5, 1.0, 2.0**0.5))
    if form == 3:
        net.node("Mul", [net.constant("inverse", np.float32(0.5**0.5)), "x"], "scaled")
    else:
        net.node("Div", ["x", root], "scaled")
    net.node("Erf", ["scaled"], "curve")
    net.node("Add", ["curve", one], "gate")
    first = [["x", "gate"], ["x", half], ["gate", half], ["gate", "x"]][form]
    net.node("Mul", first, "product")
    net.node("Mul", [*{"x", "gate", half}.difference(first), "product"], "y", "/act/Mul_1")
    graph = loaded(net.model({"x": [1, 5]}, ["y"]))
    assert kinds(graph) == ["GELU"]
    # A product that is nearly the same is none.
    net.constants[0].CopyFrom(onnx.numpy_helper.from_array(np.float32(0.6), half))
    assert any("Erf" in problem.where for problem in refused(net.model({"x": [1, 5]}, ["y"])).problems)


def test_constants_beside_the_model_are_read(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save_model(classifier(), path, save_as_external_data=True, location="weights", size_threshold=64)
    inside = loaded(classifier())
    outside = frontends.load(path)
    assert all(np.array_equal(t.constant, outside[t.name].constant) for t in inside.constants())


def test_other_constants_beside_the_model_are_another_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is prepared is kept in the cache, under a name that has all constants in it."""
    monkeypatch.setenv("TINYC_CACHE_DIR", str(tmp_path / "cache"))
    path, samples = tmp_path / "model.onnx", tmp_path / "samples.npz"
    onnx.save_model(classifier(), path, save_as_external_data=True, location="weights", size_threshold=64)
    np.savez(samples, inputs=np.random.default_rng(0).normal(0, 1, (4, 16, 12, 3)).astype(np.float32))
    source = Source(path=path, name="net", build_folder=tmp_path, calibration=samples)
    options = QuantizeOptions((Method.MIN_MAX,), criterion=Criterion.TENSOR, equalize=False, int16_gain=False)
    first = prepare(source, options).graph
    assert prepare(source, options).graph.digest() == first.digest()
    weights = np.fromfile(tmp_path / "weights", np.float32)
    (2.0 * weights).astype(np.float32).tofile(tmp_path / "weights")
    assert prepare(source, options).graph.digest() != first.digest()


@pytest.mark.parametrize("location", ["../weights", "missing", "/etc/hostname", ""])
def test_constants_elsewhere_are_not(location: str, tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(bytes(1 << 16))
    (tmp_path / "folder").mkdir()
    model = classifier()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    path = tmp_path / "folder" / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(TinycError, match="lies in the file"):
        frontends.load(path)


def test_every_operator_that_cannot_be_compiled_is_named_at_once() -> None:
    net = Writer()
    net.node("Conv", ["x", "x"], "a", "/first/Conv")
    net.node("NonZero", ["a"], "b", "/second/NonZero")
    net.node("Cast", ["b"], "c", "/third/Cast", to=1)
    net.node("Det", ["c"], "d", "/fourth/Det")
    error = refused(net.model({"x": [1, 3, 3, 3]}, ["d"]))
    assert [(problem.where, problem.what) for problem in error.problems] == [
        ("#0 Conv first", "weights are computed at run time"),
        ("#1 NonZero second", "the operator is not supported"),
        ("#3 Det fourth", "the operator is not supported"),
    ]
    assert "MaxPool" in error.allowed
    assert error.problems[0].allowed == "accepted: constant weights"


@pytest.mark.parametrize(
    ("op", "attributes", "reason"),
    [
        ("MaxPool", {"kernel_shape": [2, 2], "dilations": [2, 2]}, "the window is dilated"),
        ("AveragePool", {"kernel_shape": [2, 2], "auto_pad": "UPPER"}, "auto_pad is UPPER"),
        ("Flatten", {"axis": 7}, "axis 7 of an input of rank 4"),
        ("Softmax", {"axis": -5}, "axis -5 of an input of rank 4"),
        ("LeakyRelu", {"alpha": float("nan")}, "alpha is nan"),
    ],
)
def test_a_variant_that_cannot_be_compiled_says_why(
    op: str, attributes: dict[str, object], reason: str
) -> None:
    net = Writer()
    net.node(op, ["x"], "y", **attributes)
    assert refused(net.model({"x": [1, 3, 4, 4]}, {"y": [1]})).problems[0].what == reason


@pytest.mark.parametrize("shape", [[1, 3, "height", 4], [1, 0, 4, 4]])
def test_open_extents_other_than_the_batch(shape: list[int | str]) -> None:
    net = Writer()
    net.node("Relu", ["x"], "y")
    with pytest.raises(TinycError, match="only the first extent may be open"):
        loaded(net.model({"x": shape}, ["y"]))


def answer(data: bytes) -> Graph | TinycError:
    """What the front end and the passes make of the bytes; any other exception fails the test."""
    try:
        return passes.legalize(passes.run(load_bytes(data, "net")), allow_float=True)
    except TinycError as error:
        assert error.where
        return error


def test_damaged_files_are_one_error_each() -> None:
    data = classifier().SerializeToString()
    rng = np.random.default_rng(0)
    assert isinstance(answer(data), Graph)
    assert isinstance(answer(b""), TinycError)
    for length in range(1, len(data), 501):
        assert isinstance(answer(data[:length]), TinycError)
    for _ in range(400):
        damaged = bytearray(data)
        # The structure is at both ends, weights are between.
        for _ in range(int(rng.integers(1, 4))):
            place = int(rng.integers(0, 1200))
            damaged[place if rng.random() < 0.5 else -place] ^= 1 << int(rng.integers(8))
        answer(bytes(damaged))


@pytest.mark.parametrize("shape", [[-2, -3], [0, 0, 6], [5, 2], [-1, 4]])
def test_reshapes_to_other_numbers_of_elements(shape: list[int]) -> None:
    net = Writer()
    net.node("Reshape", ["x", net.constant("shape", np.array(shape))], "y", "/view/Reshape")
    (problem,) = refused(net.model({"x": [1, 6]}, {"y": [1]})).problems
    assert problem.where == "#0 Reshape view"


def test_a_number_has_no_axis_for_a_softmax() -> None:
    net = Writer()
    net.node("LogSoftmax", ["x"], "y")
    assert refused(net.model({"x": []}, {"y": []})).problems[0].what == "axis -1 of an input of rank 0"


def test_small_files_that_ask_for_much_memory() -> None:
    net = Writer()
    net.node("ConstantOfShape", [net.constant("shape", np.array([1 << 20, 1 << 20]))], "large")
    net.node("Add", ["x", "large"], "y")
    assert "ConstantOfShape" in refused(net.model({"x": [1]}, ["y"])).problems[0].where


def test_inspect_tells_the_shapes_of_the_firmware(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(classifier().SerializeToString())
    assert "input x: float32 1x16x12x3" in tinyc("inspect", path).stdout
    told = tinyc("inspect", "--json", path).json
    assert told["inputs"] == [{"name": "x", "shape": [1, 16, 12, 3]}]
    assert told["outputs"] == [{"name": "logits", "shape": [1, 5]}]


def test_calibration_data_with_the_channels_first_are_told_so() -> None:
    from tinyc.quantize.calibrate import check_samples

    graph = passes.run(loaded(classifier()))
    samples: Array = np.zeros((2, 3, 16, 12), np.float32)
    with pytest.raises(TinycError, match=r"channels last: numpy.moveaxis\(samples, 1, -1\)"):
        check_samples(graph, [(sample,) for sample in samples])
    moved = np.moveaxis(samples, 1, -1)
    assert len(check_samples(graph, [(sample,) for sample in moved])) == 2
    assert interpreter.run(graph, [moved[:1]])[0].shape == (1, 5)
