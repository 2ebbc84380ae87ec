"""Serial ports before, during and after flashing: which one, is it free, gone, back under another name?"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from tinyc.board_parts import Pin
from tinyc.boards import Board
from tinyc.device.discovery import Port, attached
from tinyc.device.transport import SerialTransport
from tinyc.errors import TinycError
from tinyc.flash.job import Job, Say

_T = TypeVar("_T")

_POLL_SECONDS = 0.05
# A chip that heeds a touch takes its port away within this time.
_TOUCH_SECONDS = 1.5
# The rate has to reach the board before the port closes.
_STABLE_SECONDS = 0.1
TOUCH_BAUD = 1200


def wait_for(look: Callable[[], _T | None], seconds: float) -> _T | None:
    """What `look` finds, as soon as it finds something, or None when the time is over."""
    end = time.monotonic() + seconds
    while (found := look()) is None and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)
    return found


def there(name: str) -> bool:
    """Whether a port can be opened by that name now. A URL is taken for one that is."""
    return "://" in name or Path(name).exists() or any(port.name == name for port in attached())


def with_ids(ids: Sequence[str]) -> tuple[Port, ...]:
    """Ports that are plugged in and have one of these USB ids."""
    return tuple(port for port in attached() if port.usb in ids)


def one_of(found: Sequence[Port], what: str, option: str) -> Port | None:
    """The only port, None where there is none. Raises TinycError for several."""
    if len(found) > 1:
        names = ", ".join(port.name for port in found)
        raise TinycError(f"several ports look like {what}", allowed=names, hint=f"name one with {option}")
    return found[0] if found else None


def console(board: Board, named: str | None) -> str | None:
    """The port where the firmware answers, as far as it can be known before it runs.

    Raises TinycError when it cannot be known: then nothing could be verified.
    """
    if named is not None:
        return named
    if not board.usb.console:
        pins = "its serial port is not on USB"
        if board.uart_tx is not None and board.uart_rx is not None:
            tx, rx = (_pin(board, pin) for pin in (board.uart_tx, board.uart_rx))
            pins = f"it sends on {tx} and listens on {rx}, not on USB"
        raise TinycError(
            f"no port is named at which {board.title} answers",
            hint=f"{pins}: connect a serial adapter there and name its port with --port",
        )
    found = with_ids(board.usb.console)
    # A debugger may show several ports; they are one board.
    if len({port.serial for port in found}) > 1:
        one_of(found, f"a {board.title}", "--port")
    return found[0].name if found else None


def _pin(board: Board, pin: Pin) -> str:
    """A pin as the chip's data sheet calls it."""
    letters = board.soc.startswith("stm32")
    return f"P{chr(ord('A') + pin.port)}{pin.number}" if letters else f"P{pin.port}.{pin.number:02}"


def bootloader(job: Job) -> str | None:
    """The bootloader's port as named, or as its USB id tells; None when there is none yet."""
    if job.bootloader_port is not None:
        return job.bootloader_port
    found = one_of(with_ids(job.board.usb.bootloader), "a bootloader", "--bootloader-port")
    return None if found is None else found.name


def touchable(job: Job) -> str | None:
    """The port of an application that goes to its bootloader when the port is touched."""
    found = one_of(with_ids(job.board.usb.application), "this board", "--bootloader-port")
    return None if found is None else found.name


def require_free(name: str) -> None:
    """Raise TinycError when the port cannot be opened, or another program has it."""
    SerialTransport(name).close()


def touch(name: str) -> None:
    """Open and close a port at 1200 baud, which sends some boards to their bootloader.

    Raises TinycError when another program has the port.
    """
    line = SerialTransport(name, TOUCH_BAUD)
    time.sleep(_STABLE_SECONDS)
    # The board may have gone already, and the port with it.
    with contextlib.suppress(OSError):
        line.close()


def enter_bootloader(job: Job, say: Say) -> str:
    """Send the board to its bootloader if it is not there; the port where that answers.

    Raises TinycError when none comes: it says which button to press.
    """
    port = bootloader(job)
    application = touchable(job) if job.bootloader_port is None else port
    known = {each.name for each in with_ids(job.board.usb.bootloader)}
    if port is not None and port in known:
        say(f"the bootloader is at {port}")
    elif application is not None:
        say(f"touching {application} at {TOUCH_BAUD} baud, which starts the bootloader")
        touch(application)
        wait_for(lambda: None if there(application) else True, _TOUCH_SECONDS)
        if job.bootloader_port is None:
            port = wait_for(lambda: bootloader(job), job.timeout)
        else:
            port = wait_for(lambda: job.bootloader_port if there(application) else None, job.timeout)
    if port is None:
        raise no_bootloader(job)
    require_free(port)
    return port


def no_bootloader(job: Job) -> TinycError:
    """The error for a board whose bootloader does not show."""
    ids = ", ".join(job.board.usb.bootloader)
    return TinycError(
        "the bootloader's serial port is not there",
        allowed=f"a port with USB id {ids}" if ids else "",
        hint="plug the board in by its own USB, press its reset button twice, quickly, and try again; "
        "--bootloader-port names a port",
    )
