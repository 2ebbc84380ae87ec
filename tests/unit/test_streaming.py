"""The streaming pass: random networks equal the batch model, and what has no streaming form is named."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from strategies import STRATEGIES
from strategies.common import activation
from support.stream_networks import (
    Network,
    expected_frames,
    frames_of,
    in_float32,
    long_input,
    lstm_network,
    random_network,
    streamed_outputs,
    svdf_network,
)
from tinyc import interpreter
from tinyc.errors import TinycError
from tinyc.ir import serialize
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import (
    Add,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    Finish,
    MaxPool2D,
    Mean,
    Op,
    Padding,
    ReduceMax,
    StreamSum,
    Svdf,
    UnidirectionalSequenceLstm,
)
from tinyc.ir.printer import format_graph
from tinyc.ir.stream import Stream
from tinyc.ir.tensor import DType, Quantization
from tinyc.passes.stream import stream

pytestmark = pytest.mark.unit


def _network(seed: int, *, causal: bool = True, time: int = 24, axis: int = 1) -> Network:
    rng = np.random.default_rng(seed)
    shape = (1, time, 5, 3) if axis == 1 else (1, 1, time, 3)
    return Network(rng, activation(rng, "x", shape), axis, causal)


def _stream_of(graph: Graph) -> Stream:
    assert graph.stream is not None
    return graph.stream


def _assert_frames_equal(batch: Graph, axis: int = 1) -> None:
    streaming = stream(batch, axis)
    x = long_input(np.random.default_rng(0), batch, axis, _stream_of(streaming).batch_frames + 12)
    given, wanted = expected_frames(batch, streaming, streamed_outputs(streaming, x), x)
    assert wanted.size
    assert given.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("real", [False, True], ids=["int8", "float32"])
@pytest.mark.parametrize("causal", [True, False], ids=["causal", "valid"])
def test_random_networks_give_what_the_batch_model_gives(causal: bool, real: bool) -> None:
    framed, whole, least = 0, 0, 5 if real else 15
    for seed in range(15 if real else 50):
        rng = np.random.default_rng(seed)
        batch, axis = random_network(rng, causal=causal)
        batch = in_float32(rng, batch) if real else batch
        streaming = stream(batch, axis)
        told = _stream_of(streaming)
        x = long_input(rng, batch, axis, told.batch_frames + 12)
        found = streamed_outputs(streaming, x)
        if streaming[streaming.outputs[0]].shape != batch[batch.outputs[0]].shape:
            given, wanted = expected_frames(batch, streaming, found, x)
            assert wanted.size
            assert given.tobytes() == wanted.tobytes(), f"seed {seed}"
            framed += 1
            continue
        # Without padding every later result is that of the batch model over its last frames, too.
        last = told.warm_up if causal else len(found) - 1
        for index in range(told.warm_up, last + 1):
            begin = (index - told.warm_up) * told.frames
            if begin + told.batch_frames <= x.shape[axis]:
                (wanted,) = interpreter.run(batch, [frames_of(x, axis, begin, told.batch_frames)])
                assert found[index].tobytes() == wanted.tobytes(), f"seed {seed}, inference {index}"
                whole += 1
    assert framed >= least
    assert whole >= least


def test_causal_frames_count_from_the_first_one_on() -> None:
    net = _network(1)
    net.convolution(Conv2D, 4, 3, 2)
    net.residual(3, 4)
    streaming = stream(net.graph())
    told = _stream_of(streaming)
    assert (told.frames, told.warm_up, told.lags) == (2, 0, (0,))
    assert streaming["x"].shape == (1, 2, 5, 3)
    # A dilated window has more frames between its taps: they come out of a ring.
    kinds = [op.kind for op in streaming.ops]
    assert kinds[:4] == ["STREAM_WINDOW", "CONV_2D", "STREAM_TAPS", "DEPTHWISE_CONV_2D"]
    assert streaming.macs() * 12 == told.batch_macs
    _assert_frames_equal(net.graph())


def test_what_streams_is_stored_printed_and_hashed() -> None:
    net = _network(1)
    net.convolution(Conv2D, 4, 3, 2)
    streaming = stream(net.graph())
    again = serialize.parse(serialize.dump(streaming))
    assert again == streaming
    assert again.digest() == streaming.digest()
    assert "stream axis=1 frames=2 warm_up=0 lags=(0,) batch_frames=24" in format_graph(streaming)


def test_without_padding_the_first_inferences_do_not_count() -> None:
    net = _network(2, causal=False)
    net.convolution(Conv2D, 4, 3)
    net.residual(2, 3)
    net.dense(2, over_time=True)
    assert _stream_of(stream(net.graph())).warm_up == 23


def test_branches_wait_for_each_other() -> None:
    """One is three frames late, the other two and has its last frame cut off."""
    net = _network(3, causal=False, axis=2)
    x = net.last
    net.convolution(DepthwiseConv2D, 0, 4)
    late, net.last = net.last, x
    net.slice(2, 21)
    net.add(Add(name="sum", inputs=(late.name, net.last.name), outputs=("y",)), result=late)
    streaming = stream(net.graph(), 2)
    assert [op.kind for op in streaming.ops].count("STREAM_TAPS") == 1
    assert _stream_of(streaming).lags == (3,)


def test_layers_with_one_window_share_it() -> None:
    net = _network(4)
    x, found = net.last, []
    for _ in range(2):
        net.last = x
        net.convolution(DepthwiseConv2D, 0, 3)
        found.append(net.last)
    if found[0].shape == found[1].shape:
        net.add(Add(name="sum", inputs=tuple(t.name for t in found), outputs=("y",)))
    assert [op.kind for op in stream(net.graph()).ops].count("STREAM_WINDOW") == 1


def test_an_lstm_keeps_its_own_state() -> None:
    rng = np.random.default_rng(5)
    batch = lstm_network(rng, causal=True)
    streaming = stream(batch, 2)
    told = _stream_of(streaming)
    assert (told.frames, told.warm_up, len(streaming.states)) == (1, 0, 3)
    x = long_input(rng, batch, 2, told.batch_frames)
    (wanted,) = interpreter.run(batch, [x])
    assert streamed_outputs(streaming, x)[-1].tobytes() == wanted.tobytes()
    (problem,) = _refused(lstm_network(rng, causal=False), 2).problems
    assert problem.where.startswith("UNIDIRECTIONAL_SEQUENCE_LSTM")
    assert "remembers" in problem.what


def test_an_svdf_keeps_its_own_state() -> None:
    rng = np.random.default_rng(6)
    batch = svdf_network(rng)
    streaming = stream(batch, 2)
    told = _stream_of(streaming)
    assert (told.frames, told.warm_up, len(streaming.states)) == (4, 0, 2)
    x = long_input(rng, batch, 2, told.batch_frames)
    (wanted,) = interpreter.run(batch, [x])
    assert streamed_outputs(streaming, x)[0].tobytes() == wanted.tobytes()


def _refused(graph: Graph, axis: int = 1) -> TinycError:
    with pytest.raises(TinycError) as caught:
        stream(graph, axis)
    return caught.value


def _with(graph: Graph, ops: Sequence[Op]) -> Graph:
    """The graph with other layers, whose shapes follow."""
    table = dict(graph.tensors)
    for op in ops:
        shapes = op.output_shapes([table[name] for name in op.inputs])
        for name, shape in zip(op.outputs, shapes, strict=True):
            table[name] = table[name].with_(shape=shape)
    return verify(Graph(graph.name, table, tuple(ops), graph.inputs, graph.outputs))


def test_layers_that_look_ahead_are_all_named() -> None:
    net = _network(6)
    net.convolution(Conv2D, 4, 3)
    net.convolution(Conv2D, 4, 3)
    net.mean()
    graph = net.graph()
    same = {"padding": Padding.SAME, "pads": (0, 0, 0, 0)}
    batch = _with(graph, [op.with_(**same) if isinstance(op, Conv2D) else op for op in graph.ops])
    error = _refused(batch)
    assert [problem.where for problem in error.problems] == [f"CONV_2D {op.name}" for op in batch.ops[:2]]
    assert "pads behind the last frame" in error.problems[0].what
    assert "causal" in error.hint


def test_padding_behind_that_is_cropped_is_none() -> None:
    """Libraries without causal padding pad both ends and cut the last frames off."""
    net = _network(7)
    net.convolution(Conv2D, 4, 3)
    graph = net.graph()
    (conv,) = graph.ops
    assert isinstance(conv, Conv2D)
    longer = _with(graph, [conv.with_(pads=(2, 2, *conv.pads[2:]))])
    assert _refused(longer).problems[0].where == f"CONV_2D {conv.name}"
    cropped = Network(net.rng, longer["x"], 1, ops=list(longer.ops), tensors=dict(longer.tensors))
    cropped.last = longer[conv.outputs[0]]
    cropped.slice(0, 24)
    _assert_frames_equal(cropped.graph())


def test_padding_after_frames_that_do_not_count_is_refused() -> None:
    net = _network(8, causal=False)
    net.convolution(Conv2D, 4, 3)
    net.causal = True
    net.convolution(Conv2D, 4, 3)
    (problem,) = _refused(net.graph()).problems
    assert problem.where == "CONV_2D conv2d_1"
    assert "pads in front of the first frame" in problem.what


def test_what_has_no_streaming_form_is_named_with_the_reason() -> None:
    net = _network(9)
    x = net.last
    pool = AveragePool2D(
        name="early",
        inputs=("x",),
        outputs=("pooled",),
        filter_height=3,
        filter_width=1,
        padding=Padding.EXPLICIT,
        pads=(2, 0, 0, 0),
    )
    net.add(pool)
    net.last = x
    net.slice(3, 1, squeeze=True)
    net.last = x
    net.pad(2)
    net.relu()
    problems = {problem.where: problem.what for problem in _refused(net.graph()).problems}
    assert problems == {
        "AVERAGE_POOL_2D early": "is a mean over fewer frames at first",
        "STRIDED_SLICE slice_1": "picks a frame that is not the last one",
        "RELU relu_3": "reads a PAD of time, which only convolutions and pools may",
    }


def test_the_axis_of_time_has_nothing_in_front_of_it() -> None:
    net = _network(10)
    net.relu()
    assert "time_axis" in _refused(net.graph(), 2).hint
    assert _refused(net.graph(), 7).what.startswith("axis 7")


def test_a_model_of_one_frame_has_nothing_to_stream() -> None:
    error = _refused(STRATEGIES[UnidirectionalSequenceLstm](np.random.default_rng(11)), 0)
    assert "has one frame along axis 0 already" in error.what
    assert "keeps it between inferences" in error.hint


def test_rows_of_an_svdf_are_no_frames() -> None:
    """Each has a state of its own."""
    seeds = (STRATEGIES[Svdf](np.random.default_rng(seed)) for seed in range(20))
    (problem,) = _refused(next(graph for graph in seeds if graph["x"].shape[0] == 2), 0).problems
    assert problem.where == "SVDF layer"
    assert "a sequence of its own for each frame" in problem.what


def test_strides_that_take_more_than_all_of_time_are_refused() -> None:
    net = _network(11, time=12)
    x, ends = net.last, []
    for stride in (3, 5):
        net.last = x
        net.pool(MaxPool2D, 1, stride)
        ends.append(net.last.name)
    assert "needs 15 frames" in _refused(net.graph().rebuilt(outputs=tuple(ends))).what


def test_a_padded_maximum_of_float32_begins_with_the_least_number() -> None:
    net = _network(12)
    net.add(
        MaxPool2D(
            name="early",
            inputs=("x",),
            outputs=("pooled",),
            filter_height=3,
            filter_width=1,
            padding=Padding.EXPLICIT,
            pads=(2, 0, 0, 0),
        )
    )
    batch = in_float32(net.rng, net.graph())
    (state,) = stream(batch).states
    assert (state.initial == np.finfo(np.float32).min).all()
    _assert_frames_equal(batch)


def _assert_whole_equal(batch: Graph, axis: int = 1) -> Graph:
    """The first output is the batch model's over its last frames, from the end of the warm-up on."""
    streaming = stream(batch, axis)
    told = _stream_of(streaming)
    x = long_input(np.random.default_rng(0), batch, axis, 2 * told.batch_frames + 3)
    found = streamed_outputs(streaming, x)
    for index in range(told.warm_up, len(found)):
        begin = (index - told.warm_up) * told.frames
        part = frames_of(x, axis, begin, told.batch_frames)
        assert found[index].tobytes() == interpreter.run(batch, [part])[0].tobytes(), f"inference {index}"
    assert len(found) > told.warm_up + 5
    return streaming


@pytest.mark.parametrize("wide", [False, True], ids=["int8", "int16"])
@pytest.mark.parametrize("finish", list(Finish), ids=lambda finish: finish.name)
def test_a_reduction_over_time_keeps_the_sums_of_each_frame(finish: Finish, wide: bool) -> None:
    net = _network(20)
    if wide:
        net.last = net.last.with_(dtype=DType.INT16, quantization=Quantization((0.5,), (0,)))
        net.tensors = {"x": net.last}
    {Finish.MEAN: net.mean, Finish.SUM: net.sum, Finish.AVERAGE_POOL_2D: net.pool_all}[finish]()
    streaming = _assert_whole_equal(net.graph())
    (op,) = streaming.ops
    assert isinstance(op, StreamSum)
    assert op.finish is finish
    ring, place, total = streaming.states
    assert ring.initial.shape == (24, 3)
    assert ring.initial.dtype == (np.int32 if wide else np.int16)
    assert (place.initial.shape, total.initial.shape) == ((1,), (3,))


def test_sums_of_many_frames_are_kept_even_where_frames_are_no_smaller() -> None:
    """One number a sum: the total is what is kept beside the frames, which few of them are not worth."""
    for time, kind in ((24, "STREAM_SUM"), (12, "STREAM_WINDOW")):
        rng = np.random.default_rng(21)
        net = Network(rng, activation(rng, "x", (1, 1, time, 6)), 2)
        net.mean()
        assert _assert_whole_equal(net.graph(), 2).ops[0].kind == kind


def test_sums_of_frames_that_come_by_several_wait_for_their_last_one() -> None:
    """An inference has two frames, and the batch model's 25 end with the first of them."""
    net = _network(22, time=25, causal=False)
    x = net.last
    net.mean()
    mean, net.last = net.last, x
    net.pool(MaxPool2D, 2, 2)
    batch = net.graph().rebuilt(outputs=(mean.name, net.last.name))
    kinds = [op.kind for op in _assert_whole_equal(batch).ops]
    assert kinds == ["STREAM_TAPS", "STREAM_SUM", "MAX_POOL_2D"]


def test_sums_begin_with_the_padding_in_front() -> None:
    net = _network(23)
    net.pad(4)
    net.mean()
    batch = net.graph()
    streaming = stream(batch)
    x = long_input(net.rng, batch, 1, 24)
    (wanted,) = interpreter.run(batch, [x])
    assert [op.kind for op in streaming.ops] == ["STREAM_SUM"]
    assert streamed_outputs(streaming, x)[-1].tobytes() == wanted.tobytes()


@pytest.mark.parametrize("axis", [1, 2])
def test_a_maximum_over_time_keeps_those_of_each_frame(axis: int) -> None:
    """Both axes are reduced, or there is one alone."""
    across = {1: (5, 3), 2: (1, 3)}[axis]
    for of_pool in (False, True):
        net = _network(27, axis=axis)
        net.relu()
        height, width = net.last.shape[1:3]
        names = {"name": "most", "inputs": (net.last.name,), "outputs": ("most",)}
        reduction = ReduceMax(axes=(1, 2), **names)
        pool = MaxPool2D(filter_height=height, filter_width=width, stride_height=2, stride_width=2, **names)
        net.add(pool if of_pool else reduction)
        streaming = _assert_whole_equal(net.graph(), axis)
        assert [op.kind for op in streaming.ops].count(pool.kind if of_pool else reduction.kind) == 3 - axis
        (state,) = streaming.states
        assert state.initial.size == 24 * across[-1]


def test_other_layouts_and_float32_keep_a_window() -> None:
    """Means over channels have what is reduced behind what stays; in float32 the order of a sum matters."""
    net = _network(24)
    net.add(Mean(name="mean", inputs=("x",), outputs=("y",), axes=(1, 3)))
    assert [op.kind for op in _assert_whole_equal(net.graph()).ops] == ["STREAM_WINDOW", "MEAN"]
    for kind in (Mean, ReduceMax):
        net = _network(25)
        net.add(kind(name="y", inputs=("x",), outputs=("y",), axes=(1, 2)))
        real = in_float32(net.rng, net.graph())
        assert [op.kind for op in _assert_whole_equal(real).ops] == ["STREAM_WINDOW", kind.kind]


def test_an_input_of_features_has_no_frames_unless_the_user_says_so() -> None:
    """[1, n] may be the features of one inference as well as samples."""
    net = _network(26)
    net.last = activation(net.rng, "x", (1, 20))
    net.tensors = {"x": net.last}
    net.dense(3, over_time=True)
    with pytest.raises(TinycError, match="input `x`, \\[1, 20\\], has no frames along time") as caught:
        stream(net.graph())
    assert "[1, frames, ...]" in caught.value.allowed
    assert "time_axis = 1" in caught.value.hint
    streaming = _assert_whole_equal(net.graph(), 1)
    assert streaming["x"].shape == (1, 1)
