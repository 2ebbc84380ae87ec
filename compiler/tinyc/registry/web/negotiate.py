"""Which media type to answer in: the Accept header of HTTP (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence

_LONGEST = 2000


def choose(accept: str | None, offers: Sequence[str]) -> str | None:
    """The offer that `accept` likes best, the earlier one of equals; None when it takes none of them.

    A header that is absent or too long to be meant takes anything.
    """
    if accept is None or not accept.strip() or len(accept) > _LONGEST:
        return offers[0]
    ranges = [_parse(part) for part in accept.split(",") if part.strip()]
    best, best_quality = None, 0.0
    for offer in offers:
        quality = _quality(offer, ranges)
        if quality > best_quality:
            best, best_quality = offer, quality
    return best


def _parse(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip() for part in text.split(";"))
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            try:
                quality = min(max(float(value), 0.0), 1.0)
            except ValueError:
                quality = 0.0
    return name.lower(), quality


def _quality(offer: str, ranges: Sequence[tuple[str, float]]) -> float:
    """The most exact range that matches counts."""
    found, exactness = 0.0, -1
    for name, quality in ranges:
        if name == offer:
            level = 2
        elif name == offer.partition("/")[0] + "/*":
            level = 1
        elif name in ("*/*", "*"):
            level = 0
        else:
            continue
        if level > exactness:
            found, exactness = quality, level
    return found
