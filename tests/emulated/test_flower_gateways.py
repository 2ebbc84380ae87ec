"""A SuperLink and two SuperNodes on loopback, each a gateway with emulated chips: a whole run of Flower."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("flwr", reason="the extra `flower` is not installed")

from flower_gateways import EXAMPLE, run

pytestmark = pytest.mark.emulated


def test_two_gateways_with_chips_learn_over_flower(tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in sorted(EXAMPLE.rglob("*.toml"))}
    figures = run(tmp_path, visits=2)
    assert figures["gateways_used"] == [2, 2, 2]
    assert figures["problems"] == []
    assert figures["mse_after"] < figures["mse_before"]
    # Flower rewrites an app's pyproject.toml: it was given a copy.
    assert {path: path.read_bytes() for path in before} == before
