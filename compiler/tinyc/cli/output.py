"""How the command line speaks: data on stdout, talk on stderr, colour and progress where welcome."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from tinyc.errors import TinycError

T = TypeVar("T")


def _console(stderr: bool) -> Console:
    # A pipe has no width: tables must not be cut there, scripts and logs want whole lines.
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 400
    return Console(stderr=stderr, highlight=False, width=width, soft_wrap=not stream.isatty())


def console() -> Console:
    """Where data goes: stdout."""
    return _console(False)


def talk(message: str) -> None:
    """One line of progress or advice, on stderr."""
    _console(True).print(escape(message))


def data(text: str) -> None:
    """Plain text on stdout."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def as_json(value: Any) -> None:
    """JSON on stdout, keys in the order given."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def json_line(value: Any) -> None:
    """One line of JSON on stdout, at once."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], note: str = "") -> None:
    """A table on stdout. Columns whose name ends in `>` are aligned to the right.

    Where the terminal is too narrow for it, each row becomes lines of `column: value`.
    """
    console = _console(False)
    names = [column.rstrip(">") for column in columns]
    cells = [[str(cell) for cell in row] for row in rows]
    if console.width < _narrowest(columns, cells):
        _records(console, title, names, cells, note)
        return
    grid = Table(title=title or None, title_justify="left", caption=note or None, caption_justify="left")
    for name, column in zip(names, columns, strict=True):
        right = column.endswith(">")
        grid.add_column(name, justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in cells:
        grid.add_row(*map(escape, row))
    console.print(grid)


def _narrowest(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> int:
    """Width below which Rich would cut: numbers are never wrapped, texts need a dozen characters."""
    width = 1
    for index, column in enumerate(columns):
        longest = max([len(row[index]) for row in cells] + [len(column.rstrip(">"))])
        width += 3 + (longest if column.endswith(">") else min(longest, 12))
    return width


def _records(
    console: Console, title: str, names: Sequence[str], cells: Sequence[Sequence[str]], note: str
) -> None:
    if title:
        console.print(escape(title))
    for row in cells:
        console.print()
        for name, cell in zip(names, row, strict=True):
            if cell:
                console.print(escape(f"{name}: {cell}" if name else cell))
    if note:
        console.print(escape(f"\n{note}"))


def bytes_text(count: int) -> str:
    """`12,345 B`; sizes are always exact."""
    return f"{count:,} B"


def report_error(error: TinycError) -> None:
    """The error on stderr: what and where, the findings, what is allowed, a hint."""
    console = _console(True)
    place = f"{error.where}: " if error.where else ""
    console.print(f"[bold red]error[/]: {escape(place + error.what)}")
    if excerpt := getattr(error, "excerpt", ""):
        console.print(escape(excerpt))
    if error.problems:
        console.print()
        width = max(len(problem.where) for problem in error.problems)
        for problem in error.problems:
            tail = f"; {problem.allowed}" if problem.allowed else ""
            console.print(escape(f"  {problem.where:<{width}}  {problem.what}{tail}"))
    if error.allowed:
        console.print(f"\nallowed: {escape(error.allowed)}")
    if error.hint:
        console.print(f"\n[bold]hint[/]: {escape(error.hint)}")


@contextmanager
def _progress(*columns: ProgressColumn) -> Iterator[Progress]:
    off = not sys.stderr.isatty() or bool(os.environ.get("TINYC_NO_PROGRESS"))
    text, elapsed = TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(text, *columns, elapsed, console=_console(True), transient=True, disable=off) as bar:
        yield bar


def progress(description: str, items: Sequence[T]) -> Iterator[T]:
    """Iterate with a progress bar on stderr (none off a terminal)."""
    with _progress(BarColumn(), MofNCompleteColumn()) as bar:
        yield from bar.track(items, description=description)


@contextmanager
def stages(description: str) -> Iterator[Callable[[str, float], None]]:
    """A bar for work that reports (stage, part done) itself."""
    with _progress(BarColumn()) as bar:
        task = bar.add_task(description, total=1.0)
        yield lambda stage, part: bar.update(task, description=f"{description}: {stage}", completed=part)


@contextmanager
def steps(description: str) -> Iterator[Callable[[str], None]]:
    """A spinner for work that tells its steps: each is a line on stderr."""
    with _progress(SpinnerColumn()) as bar:
        task = bar.add_task(description, total=None)

        def say(step: str) -> None:
            bar.console.print(escape(step))
            bar.update(task, description=step)

        yield say


@contextmanager
def busy(description: str) -> Iterator[None]:
    """A spinner for work that cannot say how far it is."""
    with _progress(SpinnerColumn()) as bar:
        bar.add_task(description, total=None)
        yield
