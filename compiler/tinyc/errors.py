"""Errors a user can fix, and the exit codes of the command line.

A `TinycError` is printed without a traceback: what is wrong, where, what is allowed and a hint.
Anything else that escapes is a bug in tinyc and exits with `EXIT_BUG`.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

EXIT_OK = 0
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_DOES_NOT_FIT = 3
EXIT_DISAGREES = 4
EXIT_BUG = 70


@dataclass(frozen=True, slots=True)
class Problem:
    """One line of a collected error: where it is, what is there and what would be accepted."""

    where: str
    what: str
    allowed: str = ""


def nearest(word: str, known: Sequence[str]) -> str:
    """The known word that was probably meant, or all of them: for `Problem.allowed`."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean `{near[0]}`?" if near else f"allowed: {', '.join(known)}"


class TinycError(Exception):
    """A mistake the user can fix.

    `what` is one sentence without a full stop, `where` names the file, layer or option,
    `allowed` says what would be accepted, `hint` what to do next. `problems` lists every
    single finding when several were collected.
    """

    exit_code = EXIT_ERROR

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        allowed: str = "",
        hint: str = "",
        problems: Sequence[Problem] = (),
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.allowed = allowed
        self.hint = hint
        self.problems = tuple(problems)

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        for problem in self.problems:
            tail = f"; {problem.allowed}" if problem.allowed else ""
            lines.append(f"  {problem.where}: {problem.what}{tail}")
        if self.allowed:
            lines.append(f"allowed: {self.allowed}")
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


class DoesNotFit(TinycError):  # noqa: N818
    """The program needs more flash or RAM than the board has."""

    exit_code = EXIT_DOES_NOT_FIT


class Disagreement(TinycError):  # noqa: N818
    """Two executions that must be bit-identical are not, or a device runs something else than it should."""

    exit_code = EXIT_DISAGREES
