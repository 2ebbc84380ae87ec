"""What is going to happen, in the order of time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(order=True, slots=True)
class Event:
    """Calls `action` at `time` (core cycles) unless cancelled before."""

    time: int
    order: int
    action: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """Forget this event."""
        self.cancelled = True


class Scheduler:
    """A queue of events; equal times fire in the order they were scheduled.

    `on_change` is called whenever something was scheduled.
    """

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self._on_change = on_change
        self._events: list[Event] = []
        self._order = 0
        self.moment: int | None = None
        """The time of the event that is being fired: the core may have run past it."""

    def at(self, time: int, action: Callable[[], None]) -> Event:
        """Schedule `action`."""
        self._order += 1
        event = Event(time, self._order, action)
        heapq.heappush(self._events, event)
        self._on_change()
        return event

    def next_time(self) -> int | None:
        """Time of the next event, None when nothing is going to happen."""
        while self._events and self._events[0].cancelled:
            heapq.heappop(self._events)
        return self._events[0].time if self._events else None

    def fire(self, now: int) -> None:
        """Run every event that is due."""
        while (time := self.next_time()) is not None and time <= now:
            self.moment = time
            heapq.heappop(self._events).action()
        self.moment = None

    def clear(self) -> None:
        """Forget everything."""
        self._events.clear()
