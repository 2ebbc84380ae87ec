"""The outer step: how far the server moves its parameters toward what the devices learned, by round."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tinyc.errors import TinycError

Kind = Literal["constant", "linear", "cosine"]
KINDS: tuple[Kind, ...] = ("constant", "linear", "cosine")


@dataclass(frozen=True, slots=True)
class Schedule:
    """From `start` in the first round to `end` behind the last; `constant` stays at `start`.

    Raises TinycError for an unknown kind and for steps outside (0, 1] (end: [0, start]).
    """

    kind: Kind = "linear"
    start: float = 0.5
    end: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise TinycError(f"unknown kind `{self.kind}`", where="schedule", allowed=", ".join(KINDS))
        if not 0 < self.start <= 1:
            raise TinycError(f"start = {self.start}", where="schedule", allowed="above 0, at most 1")
        if not 0 <= self.end <= self.start:
            raise TinycError(f"end = {self.end}", where="schedule", allowed="from 0 to start")

    def step(self, number: int, rounds: int) -> float:
        """The outer step of round `number` of `rounds`, the first is 0."""
        part = number / rounds
        if self.kind == "constant":
            return self.start
        if self.kind == "linear":
            return self.start + (self.end - self.start) * part
        return self.end + (self.start - self.end) * 0.5 * (1 + math.cos(math.pi * part))


def check(schedule: Schedule, label_permuted: bool, local_head: bool, force: bool) -> None:
    """Refuse a constant outer step of 1.0 where each device numbers its classes in its own way.

    With a step of 1.0 the server becomes the last device: its head, fitted to labels that mean something
    else on the next device, is kept whole, and nothing averages over devices. On label-permuted Omniglot
    such a run ends no better than random weights, while 0.3 that decays works.
    A local head is not sent; the body still only follows the last device, so it is refused as well.
    Raises TinycError unless `force`.
    """
    if force or not label_permuted or schedule.kind != "constant" or schedule.start < 1.0:
        return
    kept = "the body of the last device alone" if local_head else "the last device's head and body alone"
    raise TinycError(
        f"a constant outer step of 1.0 keeps {kept}, and each device numbers its classes in its own way",
        where="schedule",
        allowed='a step below 1, or one that decays (kind = "linear" or "cosine")',
        hint='use start = 0.3 with kind = "linear", or --force to run it all the same',
    )
