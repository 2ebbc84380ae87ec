"""Reading requests: bodies with bounds of size and time, parameters, media types."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

FORM = "application/x-www-form-urlencoded"
_PARAMETERS = 100


class Refused(Exception):  # noqa: N818
    """A request that gets `status` and a sentence instead of an answer; with `details`, as JSON."""

    def __init__(
        self,
        status: int,
        text: str,
        headers: dict[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers or {}
        self.details = details or {}


@dataclass(frozen=True, slots=True)
class Parameters:
    """Names and values of a query string or a form, in order."""

    pairs: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.pairs if key == name]

    def one(self, name: str) -> str | None:
        """The value, None without one. Raises Refused when there are several."""
        found = self.all(name)
        if len(found) > 1:
            raise Refused(400, f"there are {len(found)} parameters `{name}`: one is allowed")
        return found[0] if found else None


def parameters(raw: str | bytes) -> Parameters:
    """Decode a query string or a form; raises Refused for what is none."""
    text = raw if isinstance(raw, str) else _utf8(raw)
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_PARAMETERS)
    except UnicodeDecodeError:
        raise Refused(400, "a parameter is not UTF-8") from None
    except ValueError:
        raise Refused(400, f"there are more than {_PARAMETERS} parameters") from None
    return Parameters(tuple(pairs))


def query_string(request: Request) -> Parameters:
    raw: bytes = request.scope["query_string"]
    return parameters(raw)


def media_type(request: Request) -> str:
    """The media type of the body, without parameters. Raises Refused for a charset that is not UTF-8."""
    name, *rest = request.headers.get("content-type", "").split(";")
    for parameter in rest:
        key, _, value = parameter.partition("=")
        charset = value.strip().strip('"').lower()
        if key.strip().lower() == "charset" and charset not in ("utf-8", "utf8", "us-ascii"):
            raise Refused(415, f"the charset {charset} is not understood: send UTF-8")
    return name.strip().lower()


async def read(request: Request, most: int, seconds: float) -> bytes:
    """The body. Raises Refused when it has more than `most` bytes or takes longer than `seconds`."""
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > most:
                    raise Refused(413, f"a request may have {most:,} bytes", {"connection": "close"})
                chunks.append(chunk)
    except TimeoutError:
        raise Refused(
            408, f"the request did not arrive in {seconds:g} seconds", {"connection": "close"}
        ) from None
    except ClientDisconnect:
        raise Refused(400, "the request ended too early") from None
    return b"".join(chunks)


async def read_text(request: Request, most: int, seconds: float) -> str:
    return _utf8(await read(request, most, seconds))


def _utf8(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(400, "the request is not UTF-8") from None
