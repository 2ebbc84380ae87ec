"""The keys `streaming` and `time_axis` of table `[model]` in `tinyc.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tinyc.errors import Problem


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """`wanted`: an inference takes some frames of a stream. They lie along `axis` of the model's input; None:
    where the input's layout says so."""

    wanted: bool = False
    axis: int | None = None


def stream_settings(table: Mapping[str, Any], problems: list[Problem]) -> StreamSettings:
    """The settings in `table`; what is wrong with them goes to `problems`."""
    wanted, axis = table.get("streaming", False), table.get("time_axis")
    if type(wanted) is not bool:
        problems.append(Problem("model.streaming", f"is {wanted!r}", "needs true or false"))
    if axis is not None and (type(axis) is not int or axis < 0):
        problems.append(Problem("model.time_axis", f"is {axis!r}", "needs a number from 0"))
    return StreamSettings(wanted, axis)
