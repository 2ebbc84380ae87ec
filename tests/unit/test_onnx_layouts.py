"""Layouts in the ONNX front end: random chains of what moves axes, against ONNX's own reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")

from onnx.reference import ReferenceEvaluator  # noqa: E402

from support.onnx_models import Writer  # noqa: E402
from tinyc import interpreter, passes  # noqa: E402
from tinyc.frontends.onnx import layout, load_bytes  # noqa: E402
from tinyc.frontends.onnx.conversion import convert  # noqa: E402
from tinyc.frontends.onnx.reader import read  # noqa: E402
from tinyc.ir.tensor import Shape  # noqa: E402

pytestmark = pytest.mark.unit

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


@pytest.mark.parametrize(
    ("old", "new", "groups"),
    [
        ((2, 6, 4), (2, 2, 3, 4), [((0,), (0,)), ((1,), (1, 2)), ((2,), (3,))]),
        ((2, 3, 4), (24,), [((0, 1, 2), (0,))]),
        ((4, 6), (3, 8), [((0, 1), (0, 1))]),
        ((5, 1, 1), (5,), [((0, 1, 2), (0,))]),
        ((), (1, 1), [((), (0, 1))]),
        ((1, 3), (3, 1), [((0, 1), (0, 1))]),
    ],
)
def test_axes_of_a_reshape_fall_into_groups(
    old: Shape, new: Shape, groups: list[tuple[layout.Order, layout.Order]]
) -> None:
    assert layout.groups(old, new) == groups


def random_chain(seed: int) -> tuple[onnx.ModelProto, list[int]]:
    """Convolutions, pools, softmaxes, transposes and reshapes of an image, in any order."""
    net, rng, shape = Writer(seed), np.random.default_rng(seed), [1, 4, 4, 6]
    first, name = list(shape), "x"
    for step in range(int(rng.integers(2, 8))):
        kind, after = int(rng.integers(6)), f"v{step}"
        if kind == 0 and len(shape) in (3, 4):
            weights = net.weights(f"w{step}", 2 * (step + 1), shape[1], *(1,) * (len(shape) - 2))
            net.node("Conv", [name, weights], after)
            shape[1] = 2 * (step + 1)
        elif kind == 1:
            permutation = [int(axis) for axis in rng.permutation(len(shape))]
            net.node("Transpose", [name], after, perm=permutation)
            shape = [shape[axis] for axis in permutation]
        elif kind == 2:
            shape = _random_shape(rng, int(np.prod(shape)))
            net.node("Reshape", [name, net.constant(f"s{step}", np.array(shape))], after)
        elif kind == 3:
            net.node("Softmax", [name], after, axis=int(rng.integers(len(shape))))
        elif kind == 4:
            axis = int(rng.integers(len(shape)))
            net.node("ReduceMean", [name], after, axes=[axis], keepdims=1)
            shape[axis] = 1
        else:
            net.node("Add", [name, net.weights(f"b{step}", *shape[-2:])], after)
        name = after
    return net.model({"x": first}, [name], opset=17), first


def _random_shape(rng: np.random.Generator, elements: int) -> list[int]:
    """Up to five extents."""
    shape = []
    while elements > 1 and len(shape) < 3:
        divisors = [n for n in range(1, elements + 1) if elements % n == 0]
        shape.append(int(rng.choice(divisors)))
        elements //= shape[-1]
    return [1] * int(rng.integers(2)) + [*shape, elements]


def test_random_chains_equal_onnx() -> None:
    for seed in range(60):
        model, shape = random_chain(seed)
        x = np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)
        (expected,) = ReferenceEvaluator(model).run(None, {"x": x})
        found = convert(read(model.SerializeToString(), "net"), "net")
        stored = layout.arranged(x, layout.plain(4), found.inputs[0])
        for graph in (found.graph, passes.run(found.graph)):
            (actual,) = interpreter.run(graph, [stored])
            plain = layout.plain(len(layout.own_axes(found.outputs[0])))
            np.testing.assert_allclose(
                layout.arranged(actual, found.outputs[0], plain),
                expected,
                rtol=1e-4,
                atol=1e-5,
                err_msg=str(seed),
            )


@pytest.mark.parametrize(("name", "transposes"), [("resnet50", 0), ("shufflenet", 16), ("squeezenet", 0)])
def test_transposes_of_known_architectures(name: str, transposes: int) -> None:
    """ShuffleNet has one for each of its 16 shuffles, the others none."""
    path = LIGHT / f"light_{name}.onnx"
    if not path.is_file():
        pytest.skip("this version of ONNX has no such model")
    graph = passes.legalize(passes.run(load_bytes(path.read_bytes(), name)), allow_float=True)
    assert sum(op.kind == "TRANSPOSE" for op in graph.ops) == transposes
