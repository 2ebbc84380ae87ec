"""What a decoder raises for an operator that cannot be compiled."""

from __future__ import annotations


class Reject(Exception):  # noqa: N818
    """This variant of an operator cannot be compiled: `reason`, and what would be accepted."""

    def __init__(self, reason: str, accepted: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.accepted = accepted
