"""Token tables of 4 and 6 bits: their rounding, what they refuse and what is kept of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support import transformers
from support.command_line import tinyc
from support.token_layers import Builder
from tinyc.config import load_config
from tinyc.errors import TinycError
from tinyc.ir import serialize
from tinyc.ir.graph import GraphError
from tinyc.ir.ops import Embedding
from tinyc.ir.tensor import DType, Tensor
from tinyc.kernels.portable_rows import embedding_fields, packed_codes
from tinyc.quantize.options import QuantizeOptions
from tinyc.quantize.transformer.post_training import quantize_transformer
from tinyc.quantize.transformer.tables import rounded, with_bits
from tinyc.source import resolve

pytestmark = pytest.mark.unit


def test_codes_are_packed_low_bits_first_and_rows_end_at_a_byte() -> None:
    codes = np.array([[1, -2, 3], [7, -7, 0]])
    assert packed_codes(codes, 4).view(np.uint8).tolist() == [[0xE1, 0x03], [0x97, 0x00]]
    assert packed_codes(np.array([[1, -1, 2, 31]]), 6).view(np.uint8).tolist() == [[0xC1, 0x2F, 0x7C]]


@pytest.mark.parametrize("bits", [4, 6])
def test_the_field_is_stored_and_the_table_takes_its_bits(bits: int) -> None:
    build = Builder(0, 8, sentence=True)
    graph = build.graph(build.embedding(12, 16, bits=bits))
    again = serialize.parse(serialize.dump(graph))
    assert again.digest() == graph.digest()
    op = again.ops[-1]
    assert isinstance(op, Embedding) and op.bits == bits
    fields = embedding_fields(op, again)
    tokens, rows = fields["tokens"], fields["row_multiplier"]
    assert isinstance(tokens, np.ndarray) and isinstance(rows, np.ndarray)
    assert (tokens.nbytes, rows.nbytes) == (40 * 2 * bits, 40)


def test_other_bits_and_codes_too_large_are_refused() -> None:
    build = Builder(0, 8, sentence=True)
    graph = build.graph(build.embedding(12, 4))
    op = graph.ops[-1]
    assert isinstance(op, Embedding)
    with pytest.raises(ValueError, match="beyond 7"):
        op.with_(bits=4).token_values(graph.operands(op))
    with pytest.raises((ValueError, GraphError), match="5 bits"):
        op.with_(bits=5).output_shapes(graph.operands(op))
    with pytest.raises(TinycError):
        QuantizeOptions(embedding_bits=5)
    with pytest.raises(TinycError, match="no EMBEDDING"):
        with_bits(transformers.keyword(), 4)


@pytest.mark.parametrize("bits", [4, 6])
def test_rows_have_scales_of_their_own(bits: int) -> None:
    rng = np.random.default_rng(bits)
    data = (rng.normal(0, 1, (50, 16)) * rng.uniform(0.05, 1, (50, 1))).astype(np.float32)
    table = rounded(Tensor("t", data.shape, DType.FLOAT32, None, data), bits)
    assert table.quantization is not None and table.quantization.axis == 0
    limit = 2 ** (bits - 1) - 1
    assert np.abs(table.constant).max() == limit
    scales = np.array(table.quantization.scale)
    error = np.square(table.constant * scales[:, None] - data).sum()
    one = np.abs(data).max() / limit
    assert error < 0.5 * np.square(np.rint(data / one) * one - data).sum()


def test_a_configuration_and_the_command_line_choose_the_bits(tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_bytes(b"")
    path = tmp_path / "tinyc.toml"
    path.write_text('[model]\npath = "m.keras"\n[quantize]\nembedding_bits = 6\n')
    assert resolve(path).embedding_bits == 6
    assert resolve(path, embedding_bits=4).embedding_bits == 4
    for wrong in ("5", "true", '"4"'):
        path.write_text(f'[model]\npath = "m.keras"\n[quantize]\nembedding_bits = {wrong}\n')
        with pytest.raises(TinycError) as caught:
            load_config(path)
        assert next(problem.what for problem in caught.value.problems).startswith("is ")


@pytest.mark.parametrize("make", [transformers.embbert, transformers.bert])
def test_a_quantized_network_keeps_its_quality(make: object) -> None:
    graph = make()  # type: ignore[operator]
    samples = transformers.sentences(12, graph[graph.inputs[0]].shape[1], 300)
    found = {}
    for bits in (8, 6, 4):
        options = QuantizeOptions(embedding_bits=bits, int16_gain=False, measure_samples=3)
        result = quantize_transformer(graph, samples, options)
        found[bits] = result.bill.network_sqnr_db
        op = next(op for op in result.graph.ops if isinstance(op, Embedding))
        assert op.bits == bits
    assert found[6] > found[8] - 6 and found[4] > 8, found


def test_the_command_line_refuses_other_bits(tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_bytes(b"")
    (tmp_path / "tinyc.toml").write_text('[model]\npath = "m.keras"\n')
    for verb in ("quantize", "build"):
        arguments = [verb, str(tmp_path), "--embedding-bits", "5"]
        found = tinyc(*arguments, *(["--board", "nrf52840"] if verb == "build" else []))
        assert found.code == 1 and "embedding_bits" in found.stderr
