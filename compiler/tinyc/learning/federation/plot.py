"""A run as one HTML page: curves of its rounds as inline SVG, and what each device did. No scripts, no
network; the page is the same for the same run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from tinyc.learning.federation.state import Progress, RoundRecord, Tally, totals

_WIDTH, _HEIGHT = 720, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 10, 28
_MOST_POINTS = 400
_STYLE = """
:root { color-scheme: light dark; --line: #2563eb; --soft: #94a3b8; --text: #1e293b; --page: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --line: #60a5fa; --soft: #64748b; --text: #e2e8f0; --page: #0f172a; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page);
  max-width: 760px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1rem; margin: 1.6rem 0 .3rem; }
svg { width: 100%; height: auto; } text { font-size: 12px; fill: var(--text); }
.axis { stroke: var(--soft); stroke-width: 1; } .curve { stroke: var(--line); stroke-width: 1.8; fill: none; }
.dot { fill: var(--line); }
table { border-collapse: collapse; width: 100%; } td, th { text-align: right; padding: .15rem .5rem; }
td:first-child, th:first-child, td:last-child, th:last-child { text-align: left; }
tr { border-bottom: 1px solid var(--soft); }
"""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Curve:
    """One chart. points: (round, value), rounds ascending. dots: mark each point."""

    title: str
    points: Sequence[Point]
    dots: bool = False


def thinned(points: Sequence[Point]) -> list[Point]:
    """At most a few hundred points: means over equally many neighbours."""
    width = max(1, math.ceil(len(points) / _MOST_POINTS))
    groups = (points[at : at + width] for at in range(0, len(points), width))
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from below `low` to above `high`, four to eight of them."""
    span = (high - low) or abs(high) or 1.0
    size = 10.0 ** math.floor(math.log10(span / 4))
    size *= next(factor for factor in (1, 2, 5, 10) if span / (size * factor) <= 6)
    first = math.floor(low / size)
    last = max(math.ceil(high / size), first + 1)
    return [number * size for number in range(first, last + 1)]


def chart(curve: Curve, rounds: int) -> str:
    """The curve as SVG; "" without a finite point."""
    points = [point for point in thinned(curve.points) if math.isfinite(point[1])]
    if not points:
        return ""
    ticks = _ticks(min(value for _, value in points), max(value for _, value in points))
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def across(number: float) -> float:
        return _LEFT + width * number / max(1, rounds)

    def down(value: float) -> float:
        return _TOP + height * (1 - (value - ticks[0]) / (ticks[-1] - ticks[0]))

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(curve.title)}">']
    for value in ticks:
        y = down(value)
        parts.append(f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" ')
        parts.append('stroke-dasharray="2 4"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>')
    for part in range(5):
        number = rounds * part / 4
        anchor = "end" if part == 4 else "middle"
        place = f'x="{across(number):.1f}" y="{_HEIGHT - 8}" text-anchor="{anchor}"'
        parts.append(f"<text {place}>{number:,.0f}</text>")
    path = " ".join(f"{across(number):.1f},{down(value):.1f}" for number, value in points)
    parts.append(f'<polyline class="curve" points="{path}"/>')
    if curve.dots or len(points) == 1:
        for number, value in points:
            parts.append(f'<circle class="dot" cx="{across(number):.1f}" cy="{down(value):.1f}" r="3"/>')
    parts.append("</svg>")
    return "".join(parts)


def curves(progress: Progress, records: Sequence[RoundRecord]) -> list[Curve]:
    """What is worth seeing of a run."""
    metric = "mean squared error" if progress.shape.loss == "mse" else "accuracy"
    loss = "mean squared error" if progress.shape.loss == "mse" else "1 − probability of the label"
    bytes_up, sent = 0, []
    for record in records:
        bytes_up += record.sent_bytes
        sent.append((record.number + 1.0, bytes_up / 1000))
    scores = [(r.number + 1.0, r.score) for r in records if r.score is not None]
    losses = [(r.number + 1.0, r.loss) for r in records if r.loss is not None]
    return [
        Curve(f"Unseen tasks, after adapting: {metric}", scores, dots=True),
        Curve(f"Devices while they learn: {loss}", losses),
        Curve("Outer step", [(r.number + 1.0, r.step) for r in records]),
        Curve("Devices whose answer counted, each round", [(r.number + 1.0, r.used) for r in records]),
        Curve("Sent by devices, total in kB", sent),
    ]


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def page(title: str, progress: Progress, records: Sequence[RoundRecord], tallies: Mapping[str, Tally]) -> str:
    """The whole page."""
    summed = totals(records)
    widths = "-".join(map(str, progress.shape.layers))
    told = (
        f"{progress.strategy}, {progress.done:,} of {progress.rounds:,} rounds, network {widths} "
        f"{progress.shape.hidden} ({progress.shape.parameters:,} parameters). "
        f"{summed['asked']:,} devices asked, {summed['used']:,} answers used, {summed['dropped']:,} dropped "
        f"out, {summed['late']:,} late, {summed['refused']:,} refused, {summed['clipped']:,} clipped."
    )
    parts = [f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>']
    parts.append(f"<style>{_STYLE}</style><h1>{escape(title)}</h1><p>{escape(told)}</p>")
    for curve in curves(progress, records):
        if drawn := chart(curve, progress.rounds):
            parts.append(f"<h2>{escape(curve.title)}</h2>{drawn}")
    rows = [
        (name, t.asked, t.used, t.dropped, t.late, t.refused, t.clipped, t.last_problem)
        for name, t in tallies.items()
        if t.dropped or t.late or t.refused or t.clipped
    ]
    parts.append("<h2>Devices with something wrong</h2>")
    columns = ("device", "asked", "used", "dropped", "late", "refused", "clipped", "last problem")
    parts.append(_table(columns, rows) if rows else "<p>none</p>")
    return "".join(parts) + "</html>\n"
