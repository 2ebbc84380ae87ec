"""A value for each parameter of the named queries that has no default, for the sample of the registry."""

from __future__ import annotations

from tinyc.registry.queries import NamedQuery

NEEDED = {
    "board": "nrf52840",
    "site": "hall-3",
    "device": "nrf52840:1122334455667788",
    "model": "keyword_spotting",
    "version": "1.0.0",
    "firmware": "c" * 64,
    "thing": "urn:tinyc:deployment:d0000000000000000000000000000001",
    "sensor": "accelerometer",
    "accuracy": "0.95",
    "moment": "2026-10-01",
    "word": "visual",
}


def needed(query: NamedQuery) -> dict[str, str]:
    return {each.name: NEEDED[each.name] for each in query.parameters if each.default is None}
