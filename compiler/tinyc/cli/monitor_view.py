"""The live view of `tinyc monitor`."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tinyc.cli import output
from tinyc.cli.answers import active_head, scored
from tinyc.cli.inputs import shown
from tinyc.device.learned import Learned
from tinyc.monitoring import Result, Update

_LOG_LINES = 10
_RESULTS = 12
_COUNTERS = ("packets", "dropped", "refused", "invocations")


class View:
    """Draws updates in place, as long as the object is open; a context manager."""

    def __init__(self, port: str, inputs: Sequence[str]) -> None:
        self._port, self._inputs = port, inputs
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._results: dict[str, Result] = {}
        self._learned: Learned | None = None
        self._console = output.console()
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, update: Update) -> None:
        if update.restarted:
            self._log.append("-- the device restarted --")
        self._log.extend(update.log)
        # What was learned stays in view while the device is gone.
        self._learned = (update.learned or self._learned) if update.hello.learns else None
        self._results |= {result.name: result for result in update.results}
        parts: list[RenderableType] = [self._who(update), self._state(update), self._counts(update)]
        if self._inputs:
            parts.append(self._inferences())
        if self._log:
            parts.append(Text("\n".join(self._log), style="dim", no_wrap=True, overflow="ellipsis"))
        self._live.update(Group(*parts), refresh=True)

    def _who(self, update: Update) -> RenderableType:
        hello, grid = update.hello, Table.grid(padding=(0, 2))
        slots = ", ".join(f"{_safe(slot.name)} {output.bytes_text(slot.size)}" for slot in hello.slots)
        for name, value in (
            ("board", f"{_safe(hello.board)} at {self._port}, {hello.clock_hz / 1e6:g} MHz"),
            ("chip", hello.device_id),
            ("model", f"{_safe(hello.model)} {_safe(hello.model_version)}, digest {hello.digest[:16]}"),
            ("firmware", f"{hello.firmware[:16]}, tinyc {_safe(hello.tinyc)}"),
            ("free RAM", output.bytes_text(hello.ram)),
            ("slots", slots or "none"),
            *_learning(self._learned),
        ):
            grid.add_row(Text(name, style="bold"), Text(value))
        return grid

    def _state(self, update: Update) -> RenderableType:
        if update.waiting is not None:
            return Text(f"waiting for the device since {update.waiting:.0f} s: {update.problem}", style="red")
        if update.problem is not None:
            return Text(update.problem, style="yellow")
        return Text(f"connected, {update.seconds:.0f} s", style="green")

    def _counts(self, update: Update) -> RenderableType:
        table = Table(box=None, pad_edge=False)
        table.add_column("counter")
        table.add_column("count", justify="right")
        table.add_column("per second", justify="right")
        for name in _COUNTERS:
            count = "" if update.counters is None else f"{getattr(update.counters, name):,}"
            rate = "" if update.rates is None else f"{getattr(update.rates, name):.1f}"
            table.add_row(name, count, rate)
        return table

    def _inferences(self) -> RenderableType:
        table = Table(box=None, pad_edge=False)
        learns = any(result.head is not None for result in self._results.values())
        for name in ("input", "answer", *(("network",) if learns else ())):
            table.add_column(name, overflow="ellipsis", no_wrap=True)
        for name in ("cycles", "ms"):
            table.add_column(name, justify="right", no_wrap=True)
        for name in self._inputs[:_RESULTS]:
            result = self._results.get(name)
            if result is None:
                table.add_row(Text(name))
                continue
            answer = ", ".join(f"{label} {score:.3g}" for label, score in result.ranking)
            answer = answer or " ".join(map(str, result.numbers))
            cycles = "" if result.cycles is None else f"{result.cycles:,}"
            spent = "" if result.milliseconds is None else f"{result.milliseconds:.3f}"
            head = () if not learns else (Text(_head(result)),)
            table.add_row(Text(name), *head, Text(answer), cycles, spent)
        hidden = len(self._inputs) - _RESULTS
        return Group(table, Text(f"and {hidden} more")) if hidden > 0 else table


def _learning(told: Learned | None) -> list[tuple[str, str]]:
    if told is None:
        return []
    drift = "asks for labels" if told.wants_labels else "asks for no labels"
    return [
        ("head", _safe(active_head(told))),
        ("learned", f"{told.counts.fresh:,} not yet active, {told.counts.held_out} held out"),
        ("drift", f"{told.drift.name.lower()}, {told.alarms} alarms, {drift}"),
    ]


def _head(result: Result) -> str:
    """What the active head says, and the shadow where it differs."""
    if result.head is None:
        return ""
    shadow = "" if result.head.shadow is None else f" (shadow: {result.head.shadow})"
    return _safe(f"{scored(result.head.answer)}{shadow}")


def _safe(text: str) -> str:
    """What a device says of itself, as letters and nothing else."""
    return shown(text.encode("utf-8", "replace"))
