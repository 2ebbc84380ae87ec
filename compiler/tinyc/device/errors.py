"""What can go wrong between this machine and a device."""

from __future__ import annotations

from tinyc.errors import TinycError


class ProtocolError(TinycError):
    """The other side does not speak the protocol, refuses a request, or says nothing."""


class RecoveryError(TinycError):
    """It is the bootloader that answers: it waits for a firmware."""

    def __init__(self) -> None:
        super().__init__(
            "the device runs no firmware, its bootloader waits for one", hint="run `tinyc flash`"
        )


class NoAnswer(ProtocolError):  # noqa: N818
    """The other side says nothing."""


class Restarted(ProtocolError):  # noqa: N818
    """The device began anew, so that what it was told before is lost."""


class LineLost(TinycError):  # noqa: N818
    """The port is gone: the device was unplugged, or restarts behind its own USB port."""
