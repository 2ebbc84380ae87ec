"""The listing of a WoT Thing Description Directory (WoT Discovery), page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from tinyc.errors import TinycError
from tinyc.registry.formats.thing_files import parse_json, things_in

if TYPE_CHECKING:
    import httpx

MOST_PAGES = 10_000
MOST_PAGE_BYTES = 16 << 20
MOST_BYTES = 256 << 20
_SECONDS = 30.0
_ACCEPT = "application/ld+json, application/td+json;q=0.9, application/json;q=0.8"


def listing(url: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, description) of everything that the directory at `url` lists.

    `url` is that of the listing or of the directory itself, whose listing is at `/things`.
    Raises TinycError when it cannot be reached, answers something else, or is larger than is read.
    """
    import httpx

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TinycError("is no address of a directory", where=url, allowed="http://… or https://…")
    page: str | None = url if parts.path.strip("/") else urljoin(url, "/things")
    seen: set[str] = set()
    taken = 0
    with httpx.Client(timeout=_SECONDS, follow_redirects=False) as client:
        while page:
            if page in seen or len(seen) >= MOST_PAGES:
                raise TinycError("its pages do not end", where=url)
            seen.add(page)
            body, response = _get(client, page)
            taken += len(body)
            if taken > MOST_BYTES:
                raise TinycError(f"lists more than {MOST_BYTES:,} B", where=url, hint="import it in parts")
            value = parse_json(body, page)
            for index, thing in enumerate(things_in(value, page) if value != [] else []):
                yield f"{page}, item {index + 1}", thing
            page = _next(response, value, page)


def _get(client: httpx.Client, url: str) -> tuple[bytes, httpx.Response]:
    import httpx

    try:
        with client.stream("GET", url, headers={"Accept": _ACCEPT}) as response:
            if response.status_code != 200:
                location = response.headers.get("location", "")
                said = f"{response.status_code} {response.reason_phrase}"
                hint = f"it says to go to {location}" if response.is_redirect else ""
                raise TinycError(f"the directory answers {said}", where=url, hint=hint)
            body = b""
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MOST_PAGE_BYTES:
                    raise TinycError(f"a page has more than {MOST_PAGE_BYTES:,} B", where=url)
            return body, response
    except httpx.HTTPError as error:
        raise TinycError(
            f"the directory cannot be read: {error or type(error).__name__}", where=url
        ) from error


def _next(response: httpx.Response, value: Any, page: str) -> str | None:
    """The page after this one: by the Link header, or as the collection says. Never on another server."""
    target = response.links.get("next", {}).get("url") or ""
    if not target and isinstance(value, dict) and isinstance(value.get("next"), str):
        target = value["next"]
    if not target:
        return None
    url = urljoin(page, target)
    here, there = urlsplit(page), urlsplit(url)
    if (here.scheme, here.netloc) != (there.scheme, there.netloc):
        raise TinycError(f"goes on at another server: {url}", where=page)
    return url
