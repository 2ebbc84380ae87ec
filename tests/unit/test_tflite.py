"""The .tflite front end: round trips, names, shapes, and what it refuses."""

from __future__ import annotations

import itertools
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from strategies import IN_FILES, STRATEGIES
from strategies.common import random_inputs
from support.chains import keyword_chain, random_chain
from support.tflite_writer import Layer, write, write_layers
from tinyc import frontends, interpreter, passes
from tinyc.errors import TinycError
from tinyc.frontends.names import Names, common_scope, input_name, layer_name
from tinyc.frontends.tflite import load_bytes
from tinyc.frontends.tflite_slices import resolve_slice
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Unsupported
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array, DType, Quantization, Tensor

pytestmark = pytest.mark.unit


def assert_same(left: Graph, right: Graph, inputs: list[Array]) -> None:
    for expected, actual in zip(interpreter.run(left, inputs), interpreter.run(right, inputs), strict=True):
        assert expected.dtype == actual.dtype
        assert expected.shape == actual.shape
        assert expected.tobytes() == actual.tobytes()


@pytest.mark.parametrize("op", IN_FILES, ids=lambda op: op.kind)
def test_every_operator_survives_a_round_trip(op: type[Op]) -> None:
    rng = np.random.default_rng(zlib.crc32(op.kind.encode()))
    for _ in range(30):
        graph = STRATEGIES[op](rng)
        loaded = load_bytes(write(graph), "single")
        assert not any(isinstance(layer, Unsupported) for layer in loaded.ops), loaded.ops
        assert_same(graph, loaded, random_inputs(rng, graph))


@pytest.mark.parametrize("real", [False, True], ids=["int8", "float32"])
def test_whole_graphs_survive_a_round_trip(real: bool) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        graph = random_chain(rng, real=real)
        loaded = load_bytes(write(graph), "chain")
        assert [op.kind for op in loaded.ops] == [op.kind for op in graph.ops]
        assert_same(graph, loaded, random_inputs(rng, graph))


def test_loading_is_deterministic_and_says_where_ops_came_from() -> None:
    data = write(keyword_chain(real=False))
    first, second = load_bytes(data, "keyword"), load_bytes(data, "keyword")
    assert first.digest() == second.digest()
    assert [op.source.index for op in first.ops if op.source] == list(range(len(first.ops)))


def test_tensorflow_is_not_imported() -> None:
    code = (
        "import sys; from pathlib import Path; from tinyc import frontends\n"
        "try: frontends.load(Path('missing.tflite'))\n"
        "except Exception as error: print(error)\n"
        "import tinyc.frontends.tflite; print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "missing.tflite: there is no such file"
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("tensor", "kind", "expected"),
    [
        ("functional_1/activation/Relu;functional_1/conv2d/BiasAdd/ReadVariableOp;x", "CONV_2D", "conv2d"),
        ("model/depthwise_conv2d/depthwise2", "DEPTHWISE_CONV_2D", "depthwise_conv2d"),
        ("model/dense/MatMul;model/dense/BiasAdd", "FULLY_CONNECTED", "dense"),
        ("StatefulPartitionedCall:0", "SOFTMAX", "softmax"),
        ("Identity_int8", "SOFTMAX", "softmax"),
        ("model/block/conv/Relu", "RELU", "block/conv"),
        ("", "ADD", "add"),
        ("слой", "ADD", "add"),
        ("a */ b", "ADD", "a_/_b"),
    ],
)
def test_layer_names(tensor: str, kind: str, expected: str) -> None:
    assert layer_name(tensor, kind) == expected


def test_the_models_own_scope_is_left_out() -> None:
    names = ["kws_1/conv_1/Relu;kws_1/conv_1/convolution", "kws_1/depthwise_1/depthwise", "PartitionedCall:0"]
    scope = common_scope(names)
    kinds = ("CONV_2D", "DEPTHWISE_CONV_2D", "SOFTMAX")
    found = [layer_name(name, kind, scope) for name, kind in zip(names, kinds, strict=True)]
    assert found == ["conv_1", "depthwise_1", "softmax"]
    assert not common_scope(["a/x/Relu", "b/y/Relu"])
    assert not common_scope(["a/x/Relu"])


def test_names_are_unique() -> None:
    names = Names()
    assert [names.unique(name) for name in ("a", "a", "a_2", "a")] == ["a", "a_2", "a_2_2", "a_3"]
    assert input_name("serving_default_input_1:0") == "input_1"
    assert input_name("") == "input"


def test_odd_and_clashing_names_stay_distinct() -> None:
    scale = Quantization((0.1,), (0,))
    tensors = [Tensor(name, (1, 4), DType.INT8, scale) for name in ("x", "b/Relu", "b/Relu;c", "ü/\n")]
    layers = [Layer("RELU", (a.name,), (b.name,)) for a, b in itertools.pairwise(tensors)]
    graph = load_bytes(write_layers(layers, tensors, ("x",), ("ü/\n",)), "names")
    assert [op.name for op in graph.ops] == ["b", "b_2", "relu"]
    assert all(name.isprintable() and name.isascii() for name in graph.tensors)


def _shape_arithmetic() -> bytes:
    """RESHAPE to a shape that SHAPE, STRIDED_SLICE and PACK compute, as converters leave it."""

    def ints(name: str, values: object) -> Tensor:
        data = np.array(values, dtype=np.int32)
        return Tensor(name, data.shape, DType.INT32, None, data)

    tensors = [
        Tensor("x", (1, 2, 3), DType.FLOAT32),
        Tensor("shape", (3,), DType.INT32),
        ints("begin", [0]),
        ints("end", [1]),
        ints("strides", [1]),
        Tensor("batch", (), DType.INT32),
        ints("rest", 6),
        Tensor("target", (2,), DType.INT32),
        Tensor("y", (1, 6), DType.FLOAT32),
    ]
    layers = [
        Layer("SHAPE", ("x",), ("shape",), "ShapeOptions", {"OutType": 2}),
        Layer(
            "STRIDED_SLICE",
            ("shape", "begin", "end", "strides"),
            ("batch",),
            "StridedSliceOptions",
            {"ShrinkAxisMask": 1},
        ),
        Layer("PACK", ("batch", "rest"), ("target",), "PackOptions", {"ValuesCount": 2, "Axis": 0}),
        Layer("RESHAPE", ("x", "target"), ("y",)),
    ]
    return write_layers(layers, tensors, ("x",), ("y",))


def test_shape_arithmetic_folds_away() -> None:
    graph = passes.run(load_bytes(_shape_arithmetic(), "shapes"))
    assert [op.kind for op in graph.ops] == ["RESHAPE"]
    x = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    assert interpreter.run(graph, [x])[0].tolist() == [[0, 1, 2, 3, 4, 5]]


def test_slices_follow_numpy() -> None:
    rng = np.random.default_rng(0)
    for _ in range(400):
        shape = tuple(int(extent) for extent in rng.integers(1, 6, int(rng.integers(1, 4))))
        x = rng.integers(0, 100, shape)
        begin, end = rng.integers(-6, 7, (2, len(shape)))
        strides = rng.choice([-2, -1, 1, 2, 3], len(shape))
        masks = {name: int(rng.integers(8)) for name in ("begin_mask", "end_mask")}
        key = tuple(
            slice(
                None if masks["begin_mask"] >> i & 1 else int(begin[i]),
                None if masks["end_mask"] >> i & 1 else int(end[i]),
                int(strides[i]),
            )
            for i in range(len(shape))
        )
        expected = x[key]
        if expected.size == 0:
            with pytest.raises(ValueError, match="keeps no element"):
                resolve_slice(shape, tuple(begin), tuple(end), tuple(strides), **masks)
            continue
        found = resolve_slice(shape, tuple(begin), tuple(end), tuple(strides), **masks)
        axes = zip(found.begin, found.size, found.strides, strict=True)
        picked = x[np.ix_(*(first + step * np.arange(count) for first, count, step in axes))]
        assert np.array_equal(picked.reshape(found.shape), expected)


def test_slices_with_every_mask() -> None:
    found = resolve_slice(
        (2, 3, 4, 5),
        (0, 1, 0, 0, -1),
        (0, 2, 0, 0, 0),
        (1, 1, 1, 1, 1),
        new_axis_mask=0b00001,
        ellipsis_mask=0b00100,
        shrink_axis_mask=0b10000,
        end_mask=0b01000,
    )
    assert (found.begin, found.size, found.shape) == ((1, 0, 0, 4), (1, 3, 4, 1), (1, 1, 3, 4))


def _single(kind: str, dtype: DType = DType.INT8, **changes: object) -> bytes:
    scale = None if dtype is DType.FLOAT32 else Quantization((0.1,), (0,))
    tensors = [Tensor(name, (1, 4), dtype, scale) for name in ("x", "y")]
    return write_layers([Layer(kind, ("x",), ("y",))], tensors, ("x",), ("y",))


def test_unsupported_operators_are_listed_together() -> None:
    scale = Quantization((0.1,), (0,))
    tensors = [Tensor(name, (1, 4), DType.INT8, scale) for name in ("x", "a/Square", "b/Sign", "c")]
    layers = [
        Layer("SQUARE", ("x",), ("a/Square",)),
        Layer("SIGN", ("a/Square",), ("b/Sign",)),
        Layer("RELU", ("b/Sign",), ("c",)),
    ]
    graph = passes.run(load_bytes(write_layers(layers, tensors, ("x",), ("c",)), "odd"))
    with pytest.raises(TinycError, match="2 operators of 3 cannot be compiled") as caught:
        passes.legalize(graph)
    assert [problem.where for problem in caught.value.problems] == ["#0 SQUARE a/Square", "#1 SIGN b/Sign"]
    assert "no quantized form" in caught.value.problems[0].what


def test_uint8_is_refused() -> None:
    with pytest.raises(TinycError, match="old uint8 quantization"):
        passes.legalize(passes.run(load_bytes(_single("TANH", DType.UINT8), "old")))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_have_to_be_finite(value: float) -> None:
    graph = keyword_chain(real=True)
    weights = graph["w1"].constant.copy()
    weights.reshape(-1)[3] = value
    tensors = {**graph.tensors, "w1": graph["w1"].with_(data=weights)}
    damaged = Graph(graph.name, tensors, graph.ops, graph.inputs, graph.outputs)
    with pytest.raises(
        TinycError, match=r"not a valid .tflite: tensor \d+: the weights hold NaN or infinity"
    ):
        load_bytes(write(damaged), "nan")


@pytest.mark.parametrize(
    ("scale", "message"),
    [(np.nan, "not finite"), (-1.0, "negative"), (0.0, "not between"), (np.inf, "not finite")],
)
def test_scales_have_to_be_positive(scale: float, message: str) -> None:
    graph = keyword_chain(real=False)
    tensors = {**graph.tensors, "x": graph["x"].with_(quantization=Quantization((scale,), (0,)))}
    with pytest.raises(TinycError, match=message):
        load_bytes(write(Graph("g", tensors, graph.ops, graph.inputs, graph.outputs)), "scales")


@pytest.mark.parametrize("shape", [(1, -4), (0, 4), (1, 1 << 30), (1 << 20, 1 << 20)])
def test_shapes_have_to_be_sane(shape: tuple[int, ...]) -> None:
    tensors = [Tensor(name, shape, DType.FLOAT32) for name in ("x", "y")]
    data = write_layers([Layer("RELU", ("x",), ("y",))], tensors, ("x",), ("y",))
    with pytest.raises(TinycError, match=r"not a valid .tflite: tensor 0: shape"):
        load_bytes(data, "shapes")


def test_a_dynamic_batch_is_one() -> None:
    tensors = [Tensor(name, (-1, 4), DType.FLOAT32) for name in ("x", "y")]
    graph = load_bytes(write_layers([Layer("RELU", ("x",), ("y",))], tensors, ("x",), ("y",)), "batch")
    assert graph["x"].shape == (1, 4)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.pt", b"x", "unknown suffix `.pt`"),
        ("model", b"x", "the file has no suffix"),
        ("model.tflite", b"", "the file is empty"),
        ("model.tflite", b"not a flatbuffer at all", "without the identifier TFL3"),
        ("folder", None, "the folder holds no build, no tinyc.toml and no SavedModel"),
    ],
)
def test_load_explains_what_it_accepts(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(TinycError, match=message) as caught:
        frontends.load(path)
    assert caught.value.where == str(path)
    assert name == "model.tflite" or ".keras" in caught.value.allowed


def test_keras_files_without_tensorflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(TinycError, match="TensorFlow is needed") as caught:
        frontends.load(path)
    assert caught.value.hint == "pip install tinyc[keras]"


def test_int8_weights_of_a_float_layer_are_widened() -> None:
    """Dynamic-range models: int8 weights, float activations."""
    stored = np.array([[1, -2, 3, 4], [5, 6, -7, 8]], dtype=np.int8)
    scales = Quantization((0.5, 0.25), (0, 0), 0)
    tensors = [
        Tensor("x", (1, 4), DType.FLOAT32),
        Tensor("w", (2, 4), DType.INT8, scales, stored),
        Tensor("y", (1, 2), DType.FLOAT32),
    ]
    layer = Layer("FULLY_CONNECTED", ("x", "w", ""), ("y",), "FullyConnectedOptions")
    graph = load_bytes(write_layers([layer], tensors, ("x",), ("y",)), "hybrid")
    passes.legalize(passes.run(graph), allow_float=True)
    assert graph[graph.ops[0].inputs[1]].dtype is DType.FLOAT32
    x = np.array([[1, 2, 3, 4]], dtype=np.float32)
    expected = x @ (stored * np.array([[0.5], [0.25]], dtype=np.float32)).T
    assert np.array_equal(interpreter.run(graph, [x])[0], expected)


def test_an_operator_without_outputs_is_one_finding() -> None:
    tensors = [Tensor(name, (1, 4), DType.FLOAT32) for name in ("x", "y")]
    layers = [Layer("RESHAPE", ("x",), ()), Layer("RELU", ("x",), ("y",))]
    graph = load_bytes(write_layers(layers, tensors, ("x",), ("y",)), "none")
    with pytest.raises(TinycError, match="it has no outputs"):
        passes.legalize(graph, allow_float=True)
