"""INVOKE exactly once: where its answer is missing, the device's counters tell whether it ran.

An inference overwrites its input, so a second one would compute something else. The device handles
requests in their order; therefore, when it answers COUNTERS, an INVOKE sent before has run or never will.
"""

from __future__ import annotations

import time

from tinyc.device import answers, messages
from tinyc.device.errors import NoAnswer, ProtocolError, Restarted
from tinyc.device.exchange import ATTEMPTS, Exchange, counters_of, no_answer
from tinyc.device.framing import is_answer

_AGAIN = "write the inputs again and repeat"


def invoke(exchange: Exchange, limit: float) -> int:
    """Run all layers once. Returns CPU cycles, 0 where they are not known.

    Raises ProtocolError when it did not run, or when that cannot be told; Restarted when the device
    began anew.
    """
    request, ledger = messages.Invoke(), exchange.ledger
    message = exchange.message(request)
    for _ in range(ATTEMPTS):
        exchange.take_stock()
        end = time.monotonic() + limit
        try:
            answer = exchange.send(message, limit, hasty=True)
            if answer is None:
                ran, answer = _outcome(exchange, request, message, end)
                if not ran:
                    continue
                if answer is None:
                    ledger.invocations += 1
                    return 0
            cycles = answers.parse(request, answer).cycles
        except ProtocolError:
            ledger.forget()
            raise
        ledger.invocations += 1
        return cycles
    raise NoAnswer(
        f"INVOKE did not reach the device in {ATTEMPTS} attempts", hint="is something wrong with the cable?"
    )


def _outcome(
    exchange: Exchange, request: messages.Invoke, message: bytes, end: float
) -> tuple[bool, bytes | None]:
    """Whether the INVOKE that was sent ran, and its answer when that came late."""
    question, ledger, attempts = messages.Counters(), exchange.ledger, 0
    asking = exchange.message(question)
    while attempts < ATTEMPTS or time.monotonic() < end:
        attempts += 1
        for late in exchange.drain():
            if is_answer(message, late):
                ledger.heard()
                return True, late
        answer = exchange.send(asking, exchange.timeout, hasty=True, other=message)
        if answer is None:
            continue
        if is_answer(message, answer):
            return True, answer
        found = counters_of(answers.parse(question, answer))
        restarted, ran = ledger.restarted(found), ledger.ran(found)
        if restarted is None:
            raise ProtocolError("no answer to INVOKE, and it cannot be told whether it ran", hint=_AGAIN)
        if restarted or ran not in (0, 1):
            raise Restarted("the device restarted before it answered INVOKE", hint=_AGAIN)
        return ran == 1, None
    raise no_answer(request, exchange.timeout)
