"""The arithmetic of benchmarks/cortex_m4.py: tables, JSON, drift and the blocks in the documents."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cortex_m4
from cortex_m4_tables import (
    Operator,
    Result,
    Table,
    drift,
    operators_table,
    ratio,
    replace_block,
    size_table,
    speed_table,
    summary_table,
    to_json,
)
from support.classifiers import separable_network
from support.networks import random_network
from tinyc.boards import load_board
from tinyc.emit import symbols
from tinyc.emit.symbols import is_weights, weight_arrays
from tinyc.fusion import fuse
from tinyc.pipeline import compile_graph

pytestmark = pytest.mark.unit

KWS = Result(
    model="kws",
    toolchain="zig",
    macs=1_000_000,
    instructions=2_000_000,
    cycles=2_500_000,
    ms=39.0625,
    arena=1000,
    arena_lower_bound=990,
    flash=30_000,
    weights=20_000,
    file=50_000,
    exact=True,
    operators=(
        Operator("CONV_2D", 3, 900_000, 1_500_000, 1_800_000, 28.125, 20_500),
        Operator("SOFTMAX", 1, 0, 500_000, 700_000, 10.9375, 0),
    ),
)
IC = replace(KWS, model="ic", exact=None)
BASELINES = {
    "kws": {
        "tflm_instructions": 5_000_000,
        "tflm_cycles": 6_000_000,
        "silicon_cycles_best": 2_000_000,
        "arena": 2000,
        "flash_code_int8": 40_000,
    },
    "sww": {"silicon_cycles_best": None},
}


def row(table: Table, index: int) -> dict[str, str]:
    """Column → cell; a name that comes again is written `1name`."""
    names = [name.rstrip(">") for name in table.columns]
    keys = [f"{names[:at].count(name) or ''}{name}" for at, name in enumerate(names)]
    return dict(zip(keys, table.rows[index], strict=True))


def test_ratio() -> None:
    assert ratio(5, 2) == "2.50"
    assert ratio(None, 2) == ratio(0, 2) == ratio(2, 0) == ""


def test_speed_rows() -> None:
    table = speed_table([KWS, IC, replace(KWS, model="sww", exact=False)], BASELINES)
    assert row(table, 0) == {
        "model": "kws",
        "MACs": "1,000,000",
        "instructions": "2,000,000",
        "TFLM/ours": "2.50",
        "cycles (estimate)": "2,500,000",
        "1TFLM/ours": "2.40",
        "best/ours": "0.80",
        "cycles/MAC": "2.50",
        "ms": "39.06",
        "exact": "yes",
    }
    # Without a baseline, and with a record that nobody published.
    for index, exact in ((1, ""), (2, "NO")):
        found = row(table, index)
        assert found["TFLM/ours"] == found["1TFLM/ours"] == found["best/ours"] == ""
        assert (found["instructions"], found["exact"]) == ("2,000,000", exact)


def test_size_rows() -> None:
    table = size_table([KWS, IC], BASELINES)
    assert table.rows[0] == (
        *("kws", "1,000", "990", "2,000", "30,000", "90,000"),
        *("20,000", "10,000", "40,000"),
    )
    assert table.rows[1] == ("ic", "1,000", "990", "", "30,000", "", "20,000", "10,000", "")


def test_operator_rows() -> None:
    table = operators_table([KWS])
    conv, softmax = row(table, 0), row(table, 1)
    assert (conv["operator"], conv["share"], conv["cycles/MAC"]) == ("CONV_2D", "75.0 %", "2.00")
    assert (softmax["MACs"], softmax["share"], softmax["cycles/MAC"]) == ("", "25.0 %", "")


def test_summary_rows() -> None:
    table = summary_table([KWS], BASELINES)
    assert table.rows[0][0].startswith("keyword spotting")
    assert table.rows[0][-2:] == ("30,000", "90,000")


def test_markdown_has_a_cell_per_column() -> None:
    for table in (speed_table([KWS, IC], BASELINES), operators_table([KWS])):
        lines = table.markdown().splitlines()
        assert len(lines) == 2 + len(table.rows)
        assert {line.count("|") for line in lines} == {len(table.columns) + 1}
        assert lines[1].count("--:") == sum(column.endswith(">") for column in table.columns)


def test_json_of_two_toolchains() -> None:
    gcc = replace(KWS, toolchain="gcc", instructions=1_900_000)
    found = json.loads(json.dumps(to_json([KWS, IC, gcc])))
    assert list(found) == ["kws", "ic"]
    bars = {key: found["kws"][key] for key in ("instructions", "cycles", "arena", "code", "exact")}
    assert bars == {
        "instructions": 2_000_000,
        "cycles": 2_500_000,
        "arena": 1000,
        "code": 10_000,
        "exact": True,
    }
    assert found["kws"]["toolchains"]["gcc"]["instructions"] == 1_900_000
    assert found["ic"]["exact"] is None and "toolchains" not in found["ic"]


def test_drift_names_every_figure_that_changed() -> None:
    gcc = replace(KWS, toolchain="gcc")
    old = to_json([KWS, IC, gcc])
    assert drift(old, old).rows == ()
    fused = Operator("CONV_2D", 3, 900_000, 1_200_000, 1_800_000, 28.125, 20_500)
    new_kws = replace(
        KWS,
        instructions=1_700_000,
        exact=False,
        operators=(fused, Operator("ADD", 1, 0, 500_000, 600_000, 9.375, 0)),
    )
    rows = drift(old, to_json([new_kws, replace(gcc, weights=19_000)])).rows
    assert [row for row in rows if row[0] == "kws, gcc"] == [
        ("kws, gcc", "code", "10,000", "11,000", "+10.00 %"),
        ("kws, gcc", "weights", "20,000", "19,000", "-5.00 %"),
    ]
    zig = {figure: (a, b, change) for model, figure, a, b, change in rows if model == "kws, zig"}
    assert zig["instructions"] == ("2,000,000", "1,700,000", "-15.00 %")
    assert zig["exact"] == ("yes", "NO", "")
    assert zig["operators CONV_2D instructions"] == ("1,500,000", "1,200,000", "-20.00 %")
    assert zig["operators SOFTMAX cycles"] == ("700,000", "", "")
    assert zig["operators ADD cycles"] == ("", "600,000", "")
    assert "cycles" not in zig
    assert {row[0] for row in rows} == {"kws, zig", "kws, gcc"}


def test_runs_without_a_common_model() -> None:
    with pytest.raises(ValueError, match="in common"):
        drift(to_json([KWS]), to_json([IC]))
    with pytest.raises(ValueError, match="in common"):
        drift(to_json([KWS]), to_json([replace(KWS, toolchain="gcc")]))


def test_a_block_is_replaced_and_nothing_else() -> None:
    text = "before\n<!-- x -->\nold\n<!-- /x -->\nafter\n"
    once = replace_block(text, "x", "new\nlines\n")
    assert once == "before\n<!-- x -->\n\nnew\nlines\n\n<!-- /x -->\nafter\n"
    assert replace_block(once, "x", "new\nlines") == once
    for broken in ("", "<!-- x -->\n", "<!-- /x -->\n<!-- x -->\n", text + text):
        with pytest.raises(ValueError, match="no lines"):
            replace_block(broken, "x", "new")


@pytest.mark.parametrize("path", [cortex_m4.README, cortex_m4.PAGE], ids=lambda path: path.name)
def test_the_documents_have_their_blocks(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "\n| " in text.split(f"<!-- {cortex_m4.BLOCK} -->")[1].split("<!-- /")[0]
    replace_block(text, cortex_m4.BLOCK, "")


def test_which_arrays_are_weights() -> None:
    assert all(map(is_weights, ("weights", "depthwise_weights", "weights_2")))
    assert not any(map(is_weights, ("bias", "multiplier", "shift", "table", "weightless")))
    graph = random_network(np.random.default_rng(3), 5)
    program = compile_graph(graph, load_board("nrf52840"), name="net")
    found, every = weight_arrays(program), symbols.emitted(program).weights
    assert found < set(every)
    assert {name.rsplit("_", 1)[1] for name in found} == {"weights"}
    assert {name.rsplit("_", 1)[1] for name in set(every) - found} & {"bias", "multiplier"}


def test_layers_are_summed_by_operator() -> None:
    graph = random_network(np.random.default_rng(3), 5)
    layers = [
        {
            "op": op.kind,
            "name": op.name,
            "instructions": 10 + index,
            "cycles_estimated": 20 + index,
            "milliseconds_estimated": 0.5,
            "weights": index,
        }
        for index, op in enumerate(graph.ops)
    ]
    found = cortex_m4.by_operator(graph, layers)
    assert {one.kind for one in found} == {op.kind for op in graph.ops}
    assert sum(one.layers for one in found) == len(graph.ops)
    assert sum(one.macs for one in found) == graph.macs() > 0
    assert sum(one.instructions for one in found) == sum(layer["instructions"] for layer in layers)
    assert sum(one.constants for one in found) == sum(layer["weights"] for layer in layers)
    assert [one.instructions for one in found] == sorted((one.instructions for one in found), reverse=True)


def test_fused_layers_are_an_operator_with_the_macs_of_both() -> None:
    graph = separable_network(np.random.default_rng(0))
    fused = fuse(graph, [2])
    layers = [
        {
            "op": op.kind,
            "name": op.name,
            "instructions": 1,
            "cycles_estimated": 1,
            "milliseconds_estimated": 0.5,
            "weights": 0,
        }
        for op in fused.ops
    ]
    found = {one.kind: one for one in cortex_m4.by_operator(graph, layers)}
    pair = fused.ops[2]
    assert found[pair.kind].layers == 1
    assert found[pair.kind].macs == pair.macs(fused.operands(pair), fused.results(pair))
    assert sum(one.macs for one in found.values()) == graph.macs()
