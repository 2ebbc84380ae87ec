"""How bytes get to a device and back. The emulated chip brings its own transport."""

from __future__ import annotations

import errno
import sys
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

from tinyc.errors import TinycError

BAUD = 115_200


@runtime_checkable
class Transport(Protocol):
    """A byte stream. `read` gives fewer bytes than asked for only when `timeout` seconds are over."""

    def write(self, data: bytes) -> None: ...

    def read(self, size: int, timeout: float) -> bytes: ...

    def close(self) -> None: ...


def list_ports() -> tuple[tuple[str, str], ...]:
    """(port, description) of every serial port of this machine, sorted."""
    from serial.tools import list_ports as ports

    return tuple(sorted((str(port.device), str(port.description)) for port in ports.comports()))


def _is_taken(error: Exception) -> bool:
    """Whether a port could not be opened because somebody else has it.

    pySerial gives the number of the system's error where it opens and where it locks. On Windows,
    where every open is exclusive, it gives only the text of the system's PermissionError.
    """
    if getattr(error, "errno", None) in (errno.EAGAIN, errno.EBUSY):
        return True
    return sys.platform == "win32" and "PermissionError" in str(error)


class SerialTransport:
    """A serial port at 115200 baud, 8N1, for as long as the object is open; a context manager.

    No other program that asks for the port alone, tinyc among them, can open it meanwhile.
    """

    def __init__(self, port: str, baud: int = BAUD) -> None:
        """Open `port`, a device path or a pySerial URL.

        Raises TinycError when that fails, also because another program has the port.
        """
        import serial

        self.port = port
        self._error: type[Exception] = serial.SerialException
        try:
            # What a URL names is no file that could be locked.
            exclusive = None if "://" in port else True
            self._serial: Any = serial.serial_for_url(
                port, baudrate=baud, timeout=0, write_timeout=5, exclusive=exclusive
            )
            self._serial.reset_input_buffer()
        except (serial.SerialException, ValueError, OSError) as error:
            if _is_taken(error):
                raise TinycError(
                    "another program has the port open",
                    where=port,
                    hint="close it: a serial monitor, a terminal or another tinyc",
                ) from error
            raise TinycError(
                f"cannot open the serial port: {error}",
                where=port,
                allowed=", ".join(name for name, _ in list_ports()) or "there is no serial port here",
            ) from error

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises TinycError when the port is gone."""
        try:
            self._serial.write(data)
            self._serial.flush()
        except (self._error, OSError) as error:
            raise TinycError(f"the serial port failed: {error}", where=self.port) from error

    def read(self, size: int, timeout: float) -> bytes:
        """Up to `size` bytes, waiting at most `timeout` seconds. Raises TinycError when the port is gone."""
        try:
            self._serial.timeout = timeout
            return bytes(self._serial.read(size))
        except (self._error, OSError) as error:
            raise TinycError(f"the serial port failed: {error}", where=self.port) from error

    def close(self) -> None:
        self._serial.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
