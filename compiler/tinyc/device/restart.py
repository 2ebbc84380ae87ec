"""A device that starts again: asked to, waited for, found at a port that went away and came back."""

from __future__ import annotations

import time
from typing import Protocol, runtime_checkable

from smpclient.requests.os_management import ResetWrite

from tinyc.device import answers, messages
from tinyc.device.errors import LineLost, NoAnswer, ProtocolError
from tinyc.device.exchange import ATTEMPTS, Exchange, no_answer
from tinyc.device.hello import Hello, parse_hello
from tinyc.errors import TinycError

_ASK_SECONDS = 0.25
_PORT_SECONDS = 0.1


@runtime_checkable
class Returning(Protocol):
    """A line that can be opened again after it was lost."""

    def reopen(self) -> None:
        """Raises TinycError as long as it is not there."""
        ...


def reset(exchange: Exchange) -> None:
    """Restart the device once: a second restart may be another one, after an image was installed.

    Where the answer is lost the counters tell whether it restarted, if it has some.
    """
    request, ledger = ResetWrite(), exchange.ledger
    message = exchange.message(request)
    try:
        for _ in range(ATTEMPTS):
            counts = _counts(exchange)
            answer = exchange.send(message, exchange.timeout)
            if answer is not None:
                answers.parse(request, answer)
                return
            if not counts:
                break
            exchange.drain()
            before = ledger.breaks
            # A device that counts no more has started something else.
            if not _counts(exchange, look=True) or ledger.breaks != before:
                return
        raise no_answer(request, exchange.timeout)
    except LineLost:
        pass  # a port behind the chip's own USB goes with the chip
    finally:
        ledger.forget()


def _counts(exchange: Exchange, look: bool = False) -> bool:
    """Take stock, or look at the counters in any case. False for a device without counters."""
    try:
        if look:
            exchange.counters()
        else:
            exchange.take_stock()
    except NoAnswer:
        raise
    except ProtocolError:
        return False
    return True


def wait_back(exchange: Exchange, timeout: float) -> Hello:
    """Ask who is there until somebody answers, for `timeout` seconds at most."""
    end = time.monotonic() + timeout
    request, lost = messages.Hello(), False
    message = exchange.message(request)
    exchange.ledger.forget()
    while True:
        try:
            if lost:
                _reopen(exchange)
                lost = False
            answer = exchange.send(message, _ASK_SECONDS, hasty=True)
            if answer is not None:
                return parse_hello(answers.parse(request, answer))
        except LineLost:
            lost = True
        if time.monotonic() >= end:
            raise NoAnswer(
                f"the device is not back within {timeout:g} s", hint="is the board powered and plugged in?"
            )
        if lost:
            time.sleep(_PORT_SECONDS)


def _reopen(exchange: Exchange) -> None:
    """Raises LineLost while the port is not there."""
    if not isinstance(exchange.transport, Returning):
        raise TinycError("the line to the device is lost and cannot be opened again")
    try:
        exchange.transport.reopen()
    except TinycError as error:
        raise LineLost(error.what, where=error.where) from error
