"""Running the store's calls beside the event loop, a few at a time, and what their errors are in HTTP."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import TypeVar

from anyio import to_thread
from starlette.requests import Request

from tinyc.errors import TinycError
from tinyc.registry.checked import Contradiction
from tinyc.registry.constraints import show
from tinyc.registry.delta import TooLarge
from tinyc.registry.shapes import Violation
from tinyc.registry.store.errors import LimitReached, SparqlSyntaxError, StoreBusy, StoreFailed
from tinyc.registry.web.body import Refused
from tinyc.registry.web.read import NotFound
from tinyc.registry.web.settings import Service

T = TypeVar("T")
_QUEUE_SECONDS = 20.0
_VIOLATIONS = 100
"""So many are told at once."""


class Workplace:
    """At most `queries` calls at a time; others wait for a while and are then sent away."""

    def __init__(self, queries: int) -> None:
        self._places = asyncio.Semaphore(queries)

    async def run(self, call: Callable[[], T]) -> T:
        """The result of `call` in a thread. Raises Refused in place of the errors of the store."""
        try:
            async with asyncio.timeout(_QUEUE_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise Refused(
                503, "too many queries are running: try again later", {"retry-after": "5"}
            ) from None
        try:
            return await to_thread.run_sync(_tidily, call)
        except TinycError as error:
            raise refusal(error) from error
        finally:
            self._places.release()


def _tidily(call: Callable[[], T]) -> T:
    """The result of `call`. Answers that are half read end in this thread, where Oxigraph wants it."""
    try:
        return call()
    except BaseException as error:
        link: BaseException | None = error
        while link is not None:
            traceback.clear_frames(link.__traceback__)
            link = link.__context__
        raise


def refusal(error: TinycError) -> Refused:
    if isinstance(error, Contradiction):
        return Refused(
            422, str(error), details={"violations": list(map(_said, error.violations[:_VIOLATIONS]))}
        )
    if isinstance(error, TooLarge):
        return Refused(413, str(error))
    if isinstance(error, LimitReached):
        return Refused(503, str(error))
    if isinstance(error, StoreBusy):
        return Refused(503, str(error), {"retry-after": "2"})
    if isinstance(error, StoreFailed) and not isinstance(error, SparqlSyntaxError):
        return Refused(502, str(error))
    return Refused(404 if isinstance(error, NotFound) else 400, str(error))


def _said(violation: Violation) -> dict[str, str | None]:
    """A violation as JSON: IRIs and texts, `value` null where the number of values is wrong."""
    value = violation.value
    return {
        "node": show(violation.node),
        "shape": violation.shape,
        "path": violation.path.value,
        "value": None if value is None else getattr(value, "value", str(value)),
        "constraint": violation.constraint,
        "message": violation.message,
    }


def service(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


def workplace(request: Request) -> Workplace:
    found: Workplace = request.app.state.workplace
    return found
