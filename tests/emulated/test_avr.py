"""The portable C on an 8-bit core with 16-bit `int`: the reference's bytes, kernel by kernel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from strategies.common import random_inputs
from support.avr import RAM, need_avr, ram_bytes, run_on_avr
from support.kernel_cases import KERNELS, assert_equal, cases
from support.programs import program_of
from tinyc import interpreter
from tinyc.ir.ops import TokenBlock

pytestmark = pytest.mark.emulated

# Layers of transformers are left out: attention counts leading zeros of an `int` of 32 bits.
# QEMU 7.2 hangs in libgcc's __usmulhisi3 (a skip over RET), which products of int16 and int8 call.
_HANGS = {f"tinyc_{name}_s16__portable" for name in ("conv_2d", "depthwise_conv_2d", "fully_connected")}
PORTABLE = sorted(
    {
        k.symbol: key
        for key, k in KERNELS.items()
        if k.isa == "portable" and k.op is not TokenBlock and k.symbol not in _HANGS
    }.values()
)
_SHARE = RAM // 2
# Whose code and constants do not reach beyond 64 KB of flash: QEMU 7.2 fills the RAM wrongly from there.
_MOST = 30


def groups() -> list[list[tuple[str, int]]]:
    """(kernel, number of its smallest case), as many in a firmware as it holds."""
    found: list[list[tuple[str, int]]] = []
    left = 0
    for key in PORTABLE:
        needs = {i: ram_bytes(program_of(graph, [KERNELS[key]])) for i, graph in enumerate(cases(key)[:8])}
        case = min(needs, key=lambda i: needs[i])
        assert needs[case] <= _SHARE, f"{key} has no small case: {needs}"
        if needs[case] > left or len(found[-1]) == _MOST:
            found.append([])
            left = _SHARE
        found[-1].append((key, case))
        left -= needs[case]
    return found


def test_portable_kernels_on_an_8_bit_core(tmp_path: Path) -> None:
    need_avr()
    rng = np.random.default_rng(2)
    for number, group in enumerate(groups()):
        folder = tmp_path / str(number)
        folder.mkdir()
        graphs = [cases(key)[case] for key, case in group]
        programs = [
            program_of(graph, [KERNELS[key]], f"m{i}")
            for i, (graph, (key, _)) in enumerate(zip(graphs, group, strict=True))
        ]
        inputs = [random_inputs(rng, graph) for graph in graphs]
        answers = run_on_avr(programs, inputs, folder)
        for (key, case), graph, given, answer in zip(group, graphs, inputs, answers, strict=True):
            expected = interpreter.run(graph, given)[0]
            actual = np.frombuffer(answer, expected.dtype).reshape(expected.shape)
            assert_equal(key, case, (expected,), (actual,))
