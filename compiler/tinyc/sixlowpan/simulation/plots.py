"""Simulated runs as pictures: SVG in one HTML page without scripts, the same for the same numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _LEFT, _RIGHT = 820, 170, 64
_BAR, _GROUP_GAP, _TOP, _BOTTOM = 8, 9, 8, 24
_LINES_HEIGHT, _LINES_LEFT = 260, 56
_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1e293b; background: #fff; max-width: 860px;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1rem; margin: 2rem 0 .2rem; } p { margin: .2rem 0 .6rem; }
svg { width: 100%; height: auto; } text { font-size: 12px; fill: #1e293b; }
.value { font-size: 8.5px; fill: #475569; } .axis { stroke: #cbd5e1; stroke-width: 1; }
.mark { stroke: #b91c1c; stroke-width: 1; stroke-dasharray: 4 3; } .marked { fill: #b91c1c; font-size: 11px; }
.key { display: inline-block; margin-right: 1rem; white-space: nowrap; }
.key i { display: inline-block; width: 12px; height: 12px; margin-right: .35rem; vertical-align: -1px; }
"""
# Ours are blue and green; what they are compared with is not. Modes not named here are grey.
COLOURS = {
    "keyed": "#1d4ed8",
    "content": "#0891b2",
    "legacy": "#16a34a",
    "split_28x60s": "#9333ea",
    "lwip": "#db2777",
    "plain_1x60s": "#fbbf24",
    "plain_2x60s": "#f59e0b",
    "plain_4x5s": "#b45309",
}
_OTHER = "#64748b"


@dataclass(frozen=True, slots=True)
class Bars:
    """Groups of bars, one for each mode, from left to right.

    values: group → mode → value, None where there is none. log: powers of ten; what is below 1 is drawn as
    nothing. most: end of a linear axis, 0 for that of the values. marks: (value, text), a line across.
    """

    title: str
    about: str
    values: Mapping[str, Mapping[str, float | None]]
    log: bool = False
    most: float = 0.0
    digits: int = 3
    marks: Sequence[tuple[float, str]] = ()


@dataclass(frozen=True, slots=True)
class Lines:
    """A line for each mode. points: mode → (x, y), x ascending. log: x by powers of ten."""

    title: str
    about: str
    across: str
    points: Mapping[str, Sequence[tuple[float, float]]]
    log: bool = False
    most: float = 0.0
    marks: Sequence[tuple[float, str]] = ()


Chart = Bars | Lines


def colour(mode: str) -> str:
    """Of a mode."""
    return COLOURS.get(mode, _OTHER)


def ticks(most: float) -> list[float]:
    """Round numbers from 0 to `most` or a little over it, three to seven of them."""
    span = most if most > 0 else 1.0
    size = 10.0 ** math.floor(math.log10(span / 3))
    size *= next(factor for factor in (1, 2, 5, 10) if span / (size * factor) <= 6)
    return [number * size for number in range(math.ceil(span / size - 1e-9) + 1)]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def _line(kind: str, x: tuple[float, float], y: tuple[float, float]) -> str:
    return f'<line class="{kind}" x1="{x[0]:.1f}" x2="{x[1]:.1f}" y1="{y[0]:.1f}" y2="{y[1]:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _open(title: str, height: float) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'


def bars(it: Bars) -> str:
    """The picture; "" without a value."""
    found = [value for row in it.values.values() for value in row.values() if value is not None]
    if not found:
        return ""
    top = max([*found, *(value for value, _ in it.marks)])
    steps = (
        [10.0**n for n in range(math.ceil(math.log10(max(top, 10.0))) + 1)]
        if it.log
        else ticks(it.most or top)
    )
    width = _WIDTH - _LEFT - _RIGHT

    def across(value: float) -> float:
        if it.log:
            return _LEFT + width * math.log10(max(value, 1.0)) / math.log10(steps[-1])
        return _LEFT + width * min(value, steps[-1]) / steps[-1]

    height = _TOP + _BOTTOM + sum(_BAR * len(row) + _GROUP_GAP for row in it.values.values())
    end = height - _BOTTOM
    parts = [_open(it.title, height)]
    for step in steps:
        parts.append(_line("axis", (across(step), across(step)), (_TOP, end)))
        parts.append(_text(across(step), height - 8, _number(step), "middle"))
    y = float(_TOP) + _GROUP_GAP / 2
    for group, row in it.values.items():
        parts.append(_text(_LEFT - 8, y + _BAR * len(row) / 2 + 4, group.replace("_", " "), "end"))
        for mode, value in row.items():
            x = across(value) if value is not None else float(_LEFT)
            size = f'x="{_LEFT}" y="{y:.1f}" width="{x - _LEFT:.1f}" height="{_BAR - 1}"'
            parts.append(f'<rect {size} fill="{colour(mode)}"/>')
            told = "none" if value is None else f"{value:,.{it.digits}f}"
            parts.append(_text(x + 3, y + _BAR - 1.2, told, kind="value"))
            y += _BAR
        y += _GROUP_GAP
    for value, text in it.marks:
        parts.append(_line("mark", (across(value), across(value)), (_TOP, end)))
        parts.append(_text(across(value) + 3, _TOP + 2, text, kind="marked"))
    return "".join([*parts, "</svg>"])


def lines(it: Lines) -> str:
    """The picture; "" without a point."""
    points = [point for of_mode in it.points.values() for point in of_mode]
    if not points:
        return ""
    steps = ticks(it.most or max([y for _, y in points] + [value for value, _ in it.marks]))
    places = sorted({x for x, _ in points})
    low, high = _scaled(places[0], it.log), _scaled(places[-1], it.log)
    width, end = _WIDTH - _LINES_LEFT - _RIGHT, _LINES_HEIGHT - 40

    def across(x: float) -> float:
        return _LINES_LEFT + width * ((_scaled(x, it.log) - low) / (high - low) if high > low else 0.5)

    def down(y: float) -> float:
        return _TOP + (end - _TOP) * (1 - min(y, steps[-1]) / steps[-1])

    parts = [_open(it.title, _LINES_HEIGHT)]
    for step in steps:
        parts.append(_line("axis", (_LINES_LEFT, _WIDTH - _RIGHT), (down(step), down(step))))
        parts.append(_text(_LINES_LEFT - 6, down(step) + 4, _number(step), "end"))
    for x in places:
        parts.append(_text(across(x), end + 16, _number(x), "middle"))
    parts.append(_text(_LINES_LEFT + width / 2, _LINES_HEIGHT - 6, it.across, "middle"))
    for value, text in it.marks:
        parts.append(_line("mark", (_LINES_LEFT, _WIDTH - _RIGHT), (down(value), down(value))))
        parts.append(_text(_WIDTH - _RIGHT + 4, down(value) + 4, text, kind="marked"))
    for mode, of_mode in it.points.items():
        path = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in of_mode)
        look = f'fill="none" stroke="{colour(mode)}" stroke-width="2"'
        parts.append(f'<polyline points="{path}" {look}/>')
        for x, y in of_mode:
            parts.append(f'<circle cx="{across(x):.1f}" cy="{down(y):.1f}" r="3" fill="{colour(mode)}"/>')
    return "".join([*parts, "</svg>"])


def _scaled(x: float, log: bool) -> float:
    return math.log10(x) if log else x


def legend(modes: Sequence[str]) -> str:
    """Which colour is which mode."""
    keys = (
        f'<span class="key"><i style="background:{colour(mode)}"></i>{escape(mode)}</span>' for mode in modes
    )
    return f"<p>{''.join(keys)}</p>"


def page(title: str, about: str, charts: Sequence[Chart]) -> str:
    """All charts that have something to show, each with its legend."""
    parts = [f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>']
    parts.append(f"<style>{_STYLE}</style><h1>{escape(title)}</h1><p>{escape(about)}</p>")
    for it in charts:
        drawn = bars(it) if isinstance(it, Bars) else lines(it)
        if drawn:
            modes = (
                list(it.points)
                if isinstance(it, Lines)
                else list(dict.fromkeys(m for v in it.values.values() for m in v))
            )
            parts.append(f"<h2>{escape(it.title)}</h2><p>{escape(it.about)}</p>{legend(modes)}{drawn}")
    return "".join(parts) + "</html>\n"
