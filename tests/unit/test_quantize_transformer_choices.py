"""16 bits where the accuracy asks for it, outliers that move into weights, and input that is wrong."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from support.transformers import Builder, bert, embbert, sentences
from tinyc import interpreter
from tinyc.errors import TinycError
from tinyc.execution import check_ids
from tinyc.ir import sequence
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Embedding, Linear, Relu, RmsNorm, SquaredRelu
from tinyc.ir.tensor import Array, DType
from tinyc.quantize.bill import Bill
from tinyc.quantize.options import QuantizeOptions
from tinyc.quantize.transformer.post_training import quantize_transformer
from tinyc.quantize.transformer.promote import AGREEMENT, Quality
from tinyc.verification import existing, random_vectors

pytestmark = pytest.mark.unit

FAST = QuantizeOptions(int16_gain=False, measure_samples=8)
STRICT = dataclasses.replace(FAST, max_drop=0.0)
VOCABULARY = 300


def answers(graph: Graph, samples: list[tuple[Array]]) -> Array:
    return np.array([int(np.argmax(interpreter.run(graph, sample)[0])) for sample in samples])


def with_outliers(graph: Graph, norm: str, channels: dict[int, float]) -> Graph:
    """The gain of a norm made larger for some channels, the weights that read it smaller."""
    factors = np.ones(graph[f"{norm}/gain"].elements, np.float32)
    for channel, factor in channels.items():
        factors[channel] = factor
    changed = [
        graph[f"{norm}/{part}"].with_(data=graph[f"{norm}/{part}"].constant * factors)
        for part in ("gain", "beta")
    ]
    for op in graph.ops:
        if isinstance(op, Linear) and op.inputs[0] == norm:
            changed.append(graph[op.inputs[1]].with_(data=graph[op.inputs[1]].constant / factors))
    return graph.rebuilt(tensors=changed)


def test_outliers_of_a_norm_move_into_the_weights() -> None:
    plain = bert(prenorm=True, blocks=1)
    graph = with_outliers(plain, "block_0/norm_1", {3: 40.0, 17: 25.0})
    samples = sentences(48, 24, VOCABULARY)
    result = quantize_transformer(graph, samples, FAST)
    treatment = next(t for t in result.bill.treatments if t.name == "migration of block_0/norm_1")
    assert treatment.kept and treatment.after_db > treatment.before_db + 3
    # What is left is about what the model without outliers loses.
    assert result.bill.network_sqnr_db > quantize_transformer(plain, samples, FAST).bill.network_sqnr_db - 2
    assert Bill.from_json(result.bill.to_json()) == result.bill


def test_a_norm_without_a_gain_gets_one() -> None:
    b = Builder(0)
    ids = b.ids(8)
    table = b.constant("tokens", b.rng.normal(0, 1, (50, 16)))
    x = b.add(Embedding(name="embedding", inputs=(ids, table), outputs=("embedding",)))
    x = b.linear("spread", x, units=256)
    spread = b.tensors["spread/w0"].constant.copy()
    spread[5] *= 60.0
    b.constant("spread/w0", spread)
    x = b.add(RmsNorm(name="norm", inputs=(x,), outputs=("norm",)))
    x = b.linear("first", x, units=32)
    weights = b.tensors["first/w0"].constant.copy()
    weights[:, 5] /= 60.0
    b.constant("first/w0", weights)
    x = b.first_row("row", x)
    graph = b.graph("outlier", b.linear("logits", x, units=4))
    samples = sentences(40, 8, 50)
    result = quantize_transformer(graph, samples, FAST)
    (treatment,) = result.bill.treatments
    assert treatment.kept and treatment.after_db > treatment.before_db
    assert result.graph.ops[3].inputs[1:] == ("norm/gain",)
    # The float function is the same, so the answers are.
    assert np.mean(answers(graph, samples) == answers(result.graph, samples)) > 0.9


def test_no_migration_without_outliers() -> None:
    assert quantize_transformer(bert(prenorm=True), sentences(16, 24, VOCABULARY), FAST).bill.treatments == ()


def narrow_curve(seed: int = 0) -> Graph:
    """Two activations, the first of which int8 hurts: few values are large, the many small ones count."""
    b = Builder(seed)
    ids = b.ids(8)
    table = b.constant("tokens", b.rng.normal(0, 1, (50, 32)))
    x = b.add(Embedding(name="embedding", inputs=(ids, table), outputs=("embedding",)))
    x = b.add(RmsNorm(name="norm", inputs=(x,), outputs=("norm",)))
    x = b.linear("up", x, units=32)
    x = b.add(SquaredRelu(name="square", inputs=(x,), outputs=("square",)))
    x = b.first_row("row", b.linear("down", x, units=32))
    return b.graph("curves", b.linear("logits", x, units=8))


def test_promotion_stops_when_the_accuracy_is_there() -> None:
    graph = narrow_curve()
    samples = sentences(200, 8, 50)
    labels = answers(graph, samples)
    before = quantize_transformer(graph, samples, FAST, labels)
    after = quantize_transformer(graph, samples, STRICT, labels)
    assert before.bill.accuracy is not None and after.bill.accuracy is not None
    assert after.bill.enough is (
        after.bill.accuracy.agreement >= AGREEMENT and after.bill.accuracy.int8_top1 == 1.0
    )
    assert after.bill.promotions
    for item in after.bill.promotions:
        assert before.graph[item.tensor].dtype is DType.INT8
        assert after.graph[item.tensor].dtype is DType.INT16
        assert item.gain_db > 0 and item.bytes == graph[item.tensor].elements
    gain = sum(item.gain_db for item in after.bill.promotions)
    assert abs(after.bill.network_sqnr_db - before.bill.network_sqnr_db - gain) < 0.1


def test_nothing_is_promoted_when_int8_suffices() -> None:
    graph = narrow_curve()
    samples = sentences(60, 8, 50)
    labels = np.zeros(60, int)
    options = dataclasses.replace(FAST, max_drop=100.0)
    before = quantize_transformer(graph, samples, FAST, labels).bill
    assert before.accuracy is not None
    after = quantize_transformer(graph, samples, options, labels).bill
    assert bool(after.promotions) is (before.accuracy.agreement < AGREEMENT)


def test_sources_of_one_layer_are_promoted_together() -> None:
    bill = quantize_transformer(embbert(blocks=1), sentences(64, 32, VOCABULARY), STRICT).bill
    promoted = {item.layer for item in bill.promotions}
    assert promoted in (set(), {"block_0/attention", "block_0/silu"})


@pytest.mark.parametrize(
    ("quality", "enough"),
    [
        (Quality(1.0, 10.0, 0.5), True),
        (Quality(1.0, 60.0, 0.6), False),
        (Quality(0.98, 60.0, 0.0), False),
        (Quality(0.99, 30.0, None), True),
        (Quality(1.0, 29.9, None), False),
    ],
)
def test_what_is_enough(quality: Quality, enough: bool) -> None:
    assert quality.suffices(0.5) is enough


def refuse(graph: Graph, samples: list[tuple[Array]]) -> str:
    with pytest.raises(TinycError) as caught:
        quantize_transformer(graph, samples, FAST)
    return str(caught.value)


def test_sentences_that_are_wrong_are_listed_together() -> None:
    good = np.array([[5, 6, 0, 0]], np.int16)
    wrong = [
        np.array([[5, 300, 0, 0]], np.int32),
        np.array([[-1, 5, 0, 0]], np.int16),
        np.zeros((1, 4), np.int16),
        np.array([[0, 0, 5, 6]], np.int16),
        np.array([[5, 0, 6, 0]], np.int16),
        np.array([[5, 6, 0]], np.int16),
        np.array([[5.0, 6.0, 0.0, 0.0]], np.float32),
    ]
    text = refuse(bert(tokens=4), [(good,), *((value,) for value in wrong)])
    for part in (
        "sample 1: has the id 300 at position 1; 0 to 299",
        "sample 2: has the id -1 at position 0",
        "sample 3: starts with padding: it has no token",
        "sample 4: starts with padding",
        "sample 5: has ids behind the padding at position 1",
        "sample 6: has shape [1, 3]; needs [1, 4]",
        "sample 7: is float32; needs whole numbers",
    ):
        assert part in text
    many = refuse(bert(tokens=4), [(np.full((1, 4), 999, np.int16),)] * 30)
    assert "the first 10 of 30 findings" in many and "sample 9" in many and "sample 10" not in many
    assert "no samples" in refuse(bert(tokens=4), [])


def test_ids_may_leave_out_the_batch_axis_and_be_of_any_integer_type() -> None:
    samples = [(np.array([5, 6, 7 + k, 0]),) for k in range(8)]
    quantize_transformer(bert(tokens=4, blocks=1), samples, FAST)


def test_weights_that_are_not_finite_are_named() -> None:
    graph = bert(tokens=4, blocks=1)
    data = graph["block_0/up/w0"].constant.copy()
    data[3, 4] = np.nan
    broken = graph.rebuilt(tensors=[graph["block_0/up/w0"].with_(data=data)])
    assert "tensor block_0/up/w0: holds NaN or infinite values" in refuse(broken, sentences(3, 4, VOCABULARY))


def test_layers_without_a_rule_are_named() -> None:
    b = Builder(0)
    b.input("features", (1, 2, 8), DType.FLOAT32)
    x = b.linear("first", "features", units=8)
    x = b.add(Relu(name="relu", inputs=(x,), outputs=("relu",)))
    graph = b.graph("relu", b.linear("logits", x, units=3), "features")
    assert "#1 RELU relu: has no quantization rule" in refuse(graph, [])


def test_random_vectors_are_sentences() -> None:
    graph = quantize_transformer(bert(), sentences(8, 24, VOCABULARY), FAST).graph
    lengths = set()
    for (ids,) in random_vectors(graph, 50, 0):
        assert ids.dtype == np.int16 and ids.min() >= 0 and ids.max() < VOCABULARY
        length = int(np.count_nonzero(ids))
        assert length >= 1 and not ids[0, length:].any() and ids[0, :length].all()
        lengths.add(length)
    assert len(lengths) > 10 and max(lengths) == 24


def test_ids_out_of_the_vocabulary_are_refused() -> None:
    graph = bert()
    check_ids(graph, "ids", np.array([[1, 299, 0]]), "ids.npy")
    with pytest.raises(TinycError, match=r"reach 0\.\.300") as caught:
        check_ids(graph, "ids", np.array([[1, 300, 0]]), "ids.npy")
    assert "0..299" in str(caught.value)
    with pytest.raises(TinycError, match="takes token ids"):
        check_ids(graph, "ids", np.array([[1.0, 2.0]]), "ids.npy")
    assert sequence.vocabulary(graph, "logits") is None


def test_only_rows_that_exist_are_compared() -> None:
    whole = np.arange(12).reshape(1, 4, 3)
    assert existing(whole, (1, 2, 3)).shape == (1, 2, 3)
    assert existing(whole, whole.shape) is whole
