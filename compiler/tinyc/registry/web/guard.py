"""What stands before every request: who may ask, how much may be sent, and what browsers are told.

Three things that browsers do on behalf of foreign pages are refused: calling this server by a foreign name
(DNS rebinding; 421), sending requests from a foreign origin (403), and showing it inside a foreign page
(headers).
There are no cookies; a write carries its token in a header, which a foreign page cannot set.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tinyc.registry.web.settings import Settings

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        # The one sheet that the table of results writes into the page, by its content.
        "style-src-elem 'self' 'sha256-zCK2EVMoPc04mRF/g5CotUvxbJPWS+8V0b+s9ptqQIk='",
        # The editor measures its lines with style attributes.
        "style-src-attr 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
_OPEN_PATHS = ("/", "/static/")
"""What a link on a foreign page may lead to."""


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._known(hosts[0]):
            return PlainTextResponse(
                "this server is not known by that name: call it by the address that it printed, "
                "or start it with --allow-host NAME\n",
                status_code=421,
            )
        foreign = "this server answers its own page and programs, not the pages of other sites\n"
        origin = headers.get("origin")
        # A web server in front of this one may speak https to the browser and http here.
        own = {f"{scheme}://{hosts[0].lower()}" for scheme in ("http", "https")}
        if origin is not None and origin.lower() not in own:
            return PlainTextResponse(foreign, status_code=403)
        site = headers.get("sec-fetch-site", "none")
        path: str = scope["path"]
        link = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
        is_open = path == "/" or path.startswith(_OPEN_PATHS[1])
        if site not in ("none", "same-origin") and not (link and is_open):
            return PlainTextResponse(foreign, status_code=403)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._settings.body:
            return PlainTextResponse(
                f"a request may have {self._settings.body:,} bytes\n",
                status_code=413,
                headers={"connection": "close"},
            )
        return None

    def _known(self, host: str) -> bool:
        try:
            parts = urlsplit(f"//{host}")
            name, _ = parts.hostname or "", parts.port
        except ValueError:
            return False
        if "@" in host or "/" in host or not name:
            return False
        if (f"[{name}]" if ":" in name else name) in self._settings.hosts:
            return True
        if not self._settings.numbers:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True
