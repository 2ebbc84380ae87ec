"""A kernel whose source is a template is rendered once per layer with that layer's numbers."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import jinja2
import numpy as np
import pytest

from strategies.common import random_inputs
from support.networks import random_network
from support.programs import program_of
from tinyc import interpreter
from tinyc.emit import environment, kernel_files
from tinyc.emit.model import render_model
from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.kernels.kernel import Kernel
from tinyc.kernels.portable_fully_connected import KERNELS
from tinyc.resources import data_folder
from tinyc.toolchain.host import HostModel

pytestmark = pytest.mark.host

SOURCE = """\
TINYC_KERNEL void {{ symbol }}(const struct tinyc_fully_connected *layer, const int8_t *input,
                               int8_t *output) {
    for (int32_t row = 0; row < {{ rows }}; row++) {
        const int8_t *x = input + row * {{ depth }};
        for (int32_t unit = 0; unit < {{ units }}; unit++) {
            const int8_t *weights = layer->weights + unit * {{ depth }};
            int32_t acc = layer->bias[unit];
            for (int32_t d = 0; d < {{ depth }}; d++) {
                acc += (x[d] {{ offset | signed }}) * weights[d];
            }
            acc = tinyc_requantize(acc, layer->multiplier[0], layer->shift[0]);
            *output++ = (int8_t)tinyc_clamp(acc + layer->output_offset, layer->low, layer->high);
        }
    }
}
"""


def _specialize(op: Op, graph: Graph) -> Mapping[str, object]:
    x, weights = graph.operands(op)[:2]
    units, depth = weights.shape
    return {"rows": x.shape[0], "units": units, "depth": depth, "offset": -x.zero_point}


SPECIAL = dataclasses.replace(
    KERNELS[0],
    symbol="tinyc_fully_connected_s8_fixed__portable",
    source="portable/test_only.c.j2",
    specialize=_specialize,
)


@pytest.fixture(autouse=True)
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the templates with one kernel template more."""
    folder = tmp_path / "firmware_templates"
    shutil.copytree(data_folder("firmware_templates"), folder)
    (folder / "kernels" / SPECIAL.source).write_text(SOURCE)
    for module in (environment, kernel_files):
        monkeypatch.setattr(module, "data_folder", lambda name: tmp_path / name)
    environment.environment.cache_clear()
    yield folder
    environment.environment.cache_clear()


def _program(*kernels: Kernel, seed: int = 0):  # type: ignore[no-untyped-def]
    graph = random_network(np.random.default_rng(seed), layers=4)
    return program_of(graph, [kernels[index % len(kernels)] for index in range(4)], "kws")


@pytest.mark.parametrize("sanitize", [False, True])
@pytest.mark.parametrize("kernels", [(SPECIAL,), (SPECIAL, KERNELS[0])], ids=["all", "mixed"])
def test_it_computes_the_same(kernels: tuple[Kernel, ...], sanitize: bool) -> None:
    program = _program(*kernels)
    with HostModel(program, sanitize=sanitize) as model:
        for seed in range(5):
            inputs = random_inputs(np.random.default_rng(seed), program.graph)
            for expected, actual in zip(
                interpreter.run(program.graph, inputs), model.run(inputs), strict=True
            ):
                assert expected.tobytes() == actual.tobytes()


def test_each_layer_has_its_own_function() -> None:
    program = _program(SPECIAL, KERNELS[0])
    text = render_model(program)["model.c"]
    for index, count in ((0, 2), (1, 0), (2, 2), (3, 0)):
        assert text.count(f"tinyc_fully_connected_s8_fixed__portable_kws_layer_{index}(") == count
    assert text.count("void tinyc_fully_connected_s8__portable(") == 1


def test_the_template_sees_only_what_the_kernel_gives() -> None:
    blind = dataclasses.replace(SPECIAL, specialize=None)
    with pytest.raises(jinja2.UndefinedError, match="rows"):
        render_model(_program(blind))
