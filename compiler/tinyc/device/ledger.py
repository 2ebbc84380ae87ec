"""What the device's counters must show as long as it has not restarted.

The device counts every packet that arrives whole. As long as it runs, its count is at least that of
the last look and one more for every answer since. After a restart it is at most the number of all
requests since. Where both are possible nothing can be said.
"""

from __future__ import annotations

from dataclasses import dataclass

# Requests that may stay without an answer until the next look.
_MARGIN = 4


@dataclass(frozen=True, slots=True)
class Counters:
    """What the device has counted since it started."""

    packets: int
    """Packets that arrived undamaged."""
    dropped: int
    """Packets that arrived damaged."""
    refused: int
    """Requests that were answered with an error."""
    invocations: int


class Ledger:
    """The last look at the counters, and what was asked since."""

    def __init__(self) -> None:
        self.last: Counters | None = None
        self.answered = 0
        self.unanswered = 0
        self.invocations = 0
        """INVOKEs that ran since the last look."""
        self.breaks = 0
        """How often the device restarted, or may have."""

    @property
    def sure(self) -> bool:
        """Whether the next look will tell a restart for certain."""
        return self.last is not None and self.last.packets > self.unanswered + _MARGIN

    def sent(self) -> None:
        self.unanswered += 1

    def heard(self) -> None:
        """An answer was accepted."""
        self.unanswered -= 1
        self.answered += 1

    def restarted(self, found: Counters) -> bool | None:
        """Whether the device has restarted since the last look; None when that cannot be told."""
        if self.last is None:
            return None
        if found.packets < self.last.packets + self.answered:
            return True
        return None if found.packets <= self.answered + self.unanswered else False

    def ran(self, found: Counters) -> int:
        """INVOKEs that ran since the last look and that nobody knows of, if there was no restart."""
        known = self.invocations + (0 if self.last is None else self.last.invocations)
        return found.invocations - known

    def note(self, found: Counters, late: int) -> None:
        """A new look. `late` of its requests had no answer and may still arrive."""
        if self.last is not None and self.restarted(found) is not False:
            self.breaks += 1
        self.last = found
        self.answered, self.unanswered, self.invocations = 0, late, 0

    def forget(self) -> None:
        """The device begins anew."""
        self.last = None
        self.breaks += 1
