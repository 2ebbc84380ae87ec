"""Passes: what they rewrite, and that no output changes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from strategies.common import random_inputs
from support.chains import Chain, close, keyword_chain, random_chain
from tinyc import interpreter, passes
from tinyc.errors import TinycError
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import (
    Activation,
    Add,
    Conv2D,
    Mul,
    Pad,
    Padding,
    Relu,
    Relu6,
    ReluN1To1,
    Reshape,
    Sub,
    Tanh,
    Unsupported,
)
from tinyc.ir.tensor import DType, Quantization

pytestmark = pytest.mark.unit


def kinds(graph: Graph) -> list[str]:
    return [op.kind for op in graph.ops]


@pytest.mark.parametrize("real", [False, True], ids=["int8", "float32"])
def test_outputs_stay_the_same_after_every_pass(real: bool) -> None:
    rng = np.random.default_rng(5 + real)
    applied: Counter[str] = Counter()
    for case in range(120):
        graph = random_chain(rng, real=real)
        inputs = random_inputs(rng, graph)
        expected = interpreter.run(graph, inputs)
        for rewrite in passes.PIPELINE:
            before = graph
            graph = verify(rewrite(graph))
            applied[rewrite.__name__] += graph.ops != before.ops
            for left, right in zip(expected, interpreter.run(graph, inputs), strict=True):
                assert close(left, right), f"case {case}: {rewrite.__name__} changes the output"
    wanted = {"drop_identities", "fuse_activations", "fuse_pads"} | ({"fold_batch_norm"} if real else set())
    assert wanted <= {name for name, count in applied.items() if count}


def test_the_pipeline_is_idempotent() -> None:
    for real in (False, True):
        once = passes.run(keyword_chain(real=real))
        assert passes.run(once) == once


@pytest.mark.parametrize("real", [False, True], ids=["int8", "float32"])
def test_a_keyword_net_shrinks_to_its_layers(real: bool) -> None:
    graph = passes.run(keyword_chain(real=real))
    expected = ["CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "FULLY_CONNECTED", "SOFTMAX"]
    assert kinds(graph) == expected
    convolution = graph.ops[0]
    assert isinstance(convolution, Conv2D)
    assert convolution.padding is Padding.EXPLICIT
    assert convolution.pads == (1, 1, 1, 0)
    assert convolution.activation is Activation.RELU
    passes.legalize(graph, allow_float=real)


@pytest.mark.parametrize("real", [False, True], ids=["int8", "float32"])
@pytest.mark.parametrize("axis", [1, 2])
def test_a_pad_moves_into_a_convolution_past_a_reshape_that_adds_an_axis(axis: int, real: bool) -> None:
    rng = np.random.default_rng(axis)
    chain = Chain(rng, (1, 7, 3), real=real)
    chain.add(Pad, same=True, paddings=((0, 0), (4, 1), (0, 0)))
    chain.add(Reshape, same=True, shape=(1, 1, 12, 3) if axis == 1 else (1, 12, 1, 3))
    filters = chain.constant("w", (5, 1, 3, 3) if axis == 1 else (5, 3, 1, 3))
    chain.add(
        Conv2D, filters, chain.constant("b", (5,), DType.INT32), dilation=(1, 2) if axis == 1 else (2, 1)
    )
    graph = chain.graph()
    fused = verify(passes.fuse_pads(graph))
    assert kinds(fused) == ["RESHAPE", "CONV_2D"]
    convolution = fused.ops[1]
    assert isinstance(convolution, Conv2D)
    assert convolution.pads == ((0, 0, 4, 1) if axis == 1 else (4, 1, 0, 0))
    inputs = random_inputs(rng, graph)
    for left, right in zip(interpreter.run(graph, inputs), interpreter.run(fused, inputs), strict=True):
        assert close(left, right)


def test_a_pad_stays_before_a_reshape_that_mixes_axes_or_has_other_readers() -> None:
    for outputs, shape in ((("pad_0",), (1, 1, 12, 3)), ((), (1, 1, 6, 6))):
        chain = Chain(np.random.default_rng(0), (1, 7, 3), real=True)
        chain.add(Pad, same=True, paddings=((0, 0), (4, 1), (0, 0)))
        chain.add(Reshape, same=True, shape=shape)
        chain.add(Conv2D, chain.constant("w", (5, 1, 3, shape[3])), chain.constant("b", (5,)))
        assert kinds(passes.fuse_pads(chain.graph(outputs=outputs))) == ["PAD", "RESHAPE", "CONV_2D"]


@pytest.mark.parametrize("real", [False, True], ids=["int8", "float32"])
@pytest.mark.parametrize("before", [Activation.NONE, Activation.RELU])
def test_a_clamp_to_one_moves_into_a_layer_without_activation(before: Activation, real: bool) -> None:
    rng = np.random.default_rng(4)
    chain = Chain(rng, (1, 6, 6, 2), real=real)
    chain.convolution(activation=before)
    chain.add(ReluN1To1, same=True)
    graph = chain.graph()
    fused = verify(passes.fuse_activations(graph))
    assert kinds(fused) == ["CONV_2D", "RELU_N1_TO_1"][: 1 if before is Activation.NONE else 2]
    inputs = random_inputs(rng, graph)
    for left, right in zip(interpreter.run(graph, inputs), interpreter.run(fused, inputs), strict=True):
        assert np.array_equal(left, right)


def test_an_activation_that_rescales_stays() -> None:
    chain = Chain(np.random.default_rng(0), (1, 6, 6, 2), real=False)
    chain.convolution()
    chain.add(Relu)
    assert kinds(passes.run(chain.graph())) == ["CONV_2D", "RELU"]


def test_an_activation_whose_input_is_read_twice_stays() -> None:
    chain = Chain(np.random.default_rng(0), (1, 6, 6, 2), real=True)
    chain.convolution()
    name = chain.last.name
    chain.add(Relu6)
    graph = passes.run(chain.graph(outputs=(name,)))
    assert kinds(graph) == ["CONV_2D", "RELU6"]


@pytest.mark.parametrize("op", [Mul, Add, Sub])
def test_constants_do_not_fold_past_an_activation(op: type[Mul] | type[Add] | type[Sub]) -> None:
    chain = Chain(np.random.default_rng(0), (1, 6, 6, 2), real=True)
    chain.convolution(activation=Activation.RELU)
    chain.add(op, chain.constant("k", (4,)))
    assert kinds(passes.run(chain.graph())) == ["CONV_2D", op.kind]


def test_dead_layers_go() -> None:
    chain = Chain(np.random.default_rng(0), (1, 4), real=False)
    chain.add(Tanh)
    end = chain.last.name
    chain.add(Tanh)
    graph = chain.graph()
    graph = passes.run(graph.rebuilt(outputs=(end,)))
    assert len(graph.ops) == 1
    assert set(graph.tensors) == {"x", end}


def test_legalize_lists_every_problem_at_once() -> None:
    chain = Chain(np.random.default_rng(0), (1, 6, 6, 2), real=False)
    chain.convolution()
    chain.add(Tanh)
    chain.add(Tanh)
    graph = chain.graph()
    tensors = dict(graph.tensors)
    tensors["tanh_1"] = tensors["tanh_1"].with_(dtype=DType.UINT8)
    strange = Unsupported(
        name="erf_3",
        inputs=("tanh_2",),
        outputs=("erf_3",),
        operator="ERF",
        reason="the operator is not supported",
        accepted="",
        shapes=(tensors["tanh_2"].shape,),
        known=("CONV_2D", "TANH"),
    )
    tensors["erf_3"] = tensors["tanh_2"].with_(name="erf_3")
    graph = verify(Graph("bad", tensors, (*graph.ops, strange), graph.inputs, ("erf_3",)))
    with pytest.raises(TinycError, match="3 operators of 4 cannot be compiled") as caught:
        passes.legalize(graph)
    text = str(caught.value)
    assert "#1 TANH tanh_1: has the old uint8 quantization" in text
    assert "#2 TANH tanh_2: has the old uint8 quantization" in text
    assert "#3 ERF erf_3: the operator is not supported" in text
    assert caught.value.allowed == "CONV_2D, TANH"


def test_a_float_model_is_legal_only_before_quantization() -> None:
    graph = passes.run(keyword_chain(real=True))
    assert passes.legalize(graph, allow_float=True) is graph
    with pytest.raises(TinycError, match="computes in float32") as caught:
        passes.legalize(graph)
    assert "tinyc quantize" in caught.value.hint
    assert len(caught.value.problems) == len(graph.ops)


def test_one_float_layer_in_an_int8_graph_is_an_error() -> None:
    chain = Chain(np.random.default_rng(0), (1, 4), real=False)
    chain.add(Tanh)
    chain.add(Tanh)
    graph = chain.graph()
    tensors = {
        name: tensor.with_(quantization=None, dtype=DType.FLOAT32) for name, tensor in graph.tensors.items()
    }
    tensors["x"] = graph["x"]
    mixed = Graph("mixed", tensors, graph.ops, graph.inputs, graph.outputs)
    with pytest.raises(TinycError, match="2 operators of 2"):
        passes.legalize(mixed)


def test_moves_between_scales_are_an_error() -> None:
    chain = Chain(np.random.default_rng(0), (1, 4, 4, 2), real=False)
    chain.add(Relu, same=True)
    chain.convolution()
    graph = keyword_chain(real=False)
    (pad,) = (op for op in graph.ops if op.kind == "PAD")
    tensors = dict(graph.tensors)
    tensors[pad.outputs[0]] = tensors[pad.outputs[0]].with_(quantization=Quantization((9.0,), (3,)))
    changed = Graph("changed", tensors, graph.ops, graph.inputs, graph.outputs)
    with pytest.raises(TinycError, match="different scales"):
        passes.legalize(passes.run(changed))
