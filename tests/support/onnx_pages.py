"""docs/reference/onnx.md, made from the decoders and the outcomes of ONNX's own tests."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from support.onnx_conformance import PYTORCH, Outcome
from tinyc.frontends.onnx.decoders import DECODERS

_INTRODUCTION = """# ONNX operators

<!-- Made by `make golden`; do not edit. -->

Operators that `tinyc` reads from `.onnx` files, what they become, and how many of ONNX {version}'s own tests
(`onnx.backend.test`, without the function bodies named `_expanded`) each passes: the graph that the front
end gives is computed by the NumPy reference of its ops, and compared with the expected values within the
test's tolerance. Inputs behind the first are constants where tinyc needs constants. A test that is refused
has its reason below.

Tests of these operators: {operators}.
Layers that PyTorch exported (`pytorch-converted`, `pytorch-operator`): {exported}.

| operator | becomes | passed | refused |
|---|---|--:|--:|"""


def onnx_page(outcomes: Sequence[Outcome]) -> str:
    refused = [outcome for outcome in outcomes if outcome.graph is None]
    lines = [
        _INTRODUCTION.format(
            version=onnx.__version__,
            operators=_counted([outcome for outcome in outcomes if outcome.op != PYTORCH]),
            exported=_counted([outcome for outcome in outcomes if outcome.op == PYTORCH]),
        )
    ]
    for op in sorted(DECODERS):
        own = [outcome for outcome in outcomes if outcome.op == op]
        kinds = sorted({kind for outcome in own for kind in outcome.kinds})
        passed = sum(outcome.graph is not None and not outcome.error for outcome in own)
        left = sum(outcome.graph is None for outcome in own)
        numbers = f"{passed} | {left}" if own else "- | -"
        lines.append(f"| {op} | {', '.join(kinds)} | {numbers} |")
    lines += [
        "",
        "Operators of `com.microsoft` are ONNX Runtime's, and are tested against it. RESHAPE and TRANSPOSE",
        "that nothing needs are removed by the passes. A Conv with one filter for each channel is a",
        "DEPTHWISE_CONV_2D. Constant, Shape, Size and operators on constants are computed when compiling.",
        "",
        "## Refused tests",
        "",
        "| operator | test | reason |",
        "|---|---|---|",
        *(f"| {outcome.op} | `{outcome.name}` | {outcome.reason} |" for outcome in refused),
    ]
    return "\n".join(lines) + "\n"


def _counted(outcomes: Sequence[Outcome]) -> str:
    refused = sum(outcome.graph is None for outcome in outcomes)
    wrong = sum(bool(outcome.error) for outcome in outcomes)
    return f"{len(outcomes) - refused - wrong} passed, {refused} refused, {wrong} wrong"
