"""Simulated runs as pictures."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tinyc.sixlowpan.simulation.plots import Bars, Lines, bars, lines, page, ticks

pytestmark = pytest.mark.unit

VALUES = {"none": {"keyed": 0.95, "plain_1x60s": 0.0}, "flood & more": {"keyed": 0.5, "plain_1x60s": None}}


def widths(svg: str) -> list[float]:
    return [float(it) for it in re.findall(r'<rect [^>]*width="([\d.]+)"', svg)]


def test_bars_are_as_long_as_their_values() -> None:
    full, nothing, half, missing = widths(bars(Bars("Delivery", "", VALUES, most=1)))
    assert (nothing, missing) == (0, 0)
    assert full / half == pytest.approx(0.95 / 0.5, rel=0.01)


def test_bars_by_powers_of_ten() -> None:
    svg = bars(Bars("RAM", "", {"flood": {"a": 1.0, "b": 10.0, "c": 100.0, "d": 0.2}}, log=True))
    one, ten, hundred, below = widths(svg)
    assert (one, below) == (0, 0)
    assert hundred == pytest.approx(2 * ten, rel=0.01)


def test_a_line_has_a_point_for_each_value() -> None:
    it = Lines("Rates", "", "per second", {"keyed": [(1, 1.0), (10, 0.5), (100, 0.0)]}, log=True, most=1)
    found = [
        tuple(map(float, pair)) for pair in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', lines(it))
    ]
    (left, top), (middle, centre), (right, bottom) = found
    assert middle - left == pytest.approx(right - middle, abs=0.2)
    assert centre - top == pytest.approx(bottom - centre, abs=0.2)


def test_a_page_is_well_formed_and_escapes_names() -> None:
    made = page(
        "A & B", "<all>", [Bars("Delivery", "", VALUES, marks=[(0.9, "0.9 & up")]), Lines("None", "", "", {})]
    )
    body = made.removeprefix("<!doctype html>").replace('<meta charset="utf-8">', "")
    tree = ElementTree.fromstring(body)
    texts = [it.text for it in tree.iter("text")]
    assert "flood & more" in texts
    assert "0.9 & up" in texts
    assert [it.text for it in tree.iter("h2")] == ["Delivery"]
    assert made == page("A & B", "<all>", [Bars("Delivery", "", VALUES, marks=[(0.9, "0.9 & up")])])


@pytest.mark.parametrize("most", [0.003, 0.95, 1.0, 7.0, 14.0, 4980.0])
def test_ticks_reach_over_the_values_in_few_steps(most: float) -> None:
    made = ticks(most)
    assert made[0] == 0
    assert most <= made[-1] * 1.0001
    assert 3 <= len(made) <= 8
