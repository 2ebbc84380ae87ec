"""What can go wrong with a query or a store, in words."""

from __future__ import annotations

from tinyc.errors import TinycError


class SparqlSyntaxError(TinycError):
    """The text is no SPARQL. `line` and `column` count from 1; 0 is where the store does not say.

    `excerpt` is the line with a caret below the place, as `str` and the command line show it.
    """

    def __init__(
        self, what: str, *, line: int = 0, column: int = 0, hint: str = "", excerpt: str = ""
    ) -> None:
        where = f"line {line}, column {column}" if line and column else f"line {line}" if line else ""
        super().__init__(what, where=where, hint=hint)
        self.line = line
        self.column = column
        self.excerpt = excerpt

    def __str__(self) -> str:
        first, *rest = super().__str__().split("\n")
        return "\n".join([first, *([self.excerpt] if self.excerpt else []), *rest])


class LimitReached(TinycError):  # noqa: N818
    """A query took more time or memory, or has a longer answer, than it may. `limit`: `seconds`, `rows`
    or `memory`."""

    def __init__(self, what: str, *, limit: str = "", hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.limit = limit


class StoreBusy(TinycError):  # noqa: N818
    """Another process has the store. `holder` says who, as the lock file does; empty when nobody said."""

    def __init__(
        self, what: str, *, where: str = "", holder: dict[str, object] | None = None, hint: str = ""
    ):
        super().__init__(what, where=where, hint=hint)
        self.holder = holder or {}


class StoreFailed(TinycError):  # noqa: N818
    """The store cannot be opened, read or written: missing, damaged, no room, no right, unreachable."""


class ReadOnly(TinycError):  # noqa: N818
    """A write to a store that was opened for reading."""
