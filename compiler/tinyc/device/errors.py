"""What can go wrong between this machine and a device."""

from __future__ import annotations

from tinyc.errors import TinycError


class ProtocolError(TinycError):
    """The other side does not speak the protocol, refuses a request, or says nothing."""
