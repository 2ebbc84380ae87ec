"""What a 6LoWPAN node takes of a board's memory, by part, before anything is built.

The receive path and its sending side are exact. What is around them was read off nRF52840 builds with
Clang: the glue with its datagram on the way out, the radio's driver with its frames, and all code.
"""

from __future__ import annotations

from typing import Any

from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.settings import LowpanSettings
from tinyc.sixlowpan.state import state_bytes, state_parts

RECEIVE_BYTES = 4096
"""The most that the receive path takes at the default sizes, with the sending side."""
_CODE, _RANK_CODE, _STORE_CODE = 30_400, 2_600, 1_000
_NODE_RAM, _RADIO_RAM, _RANK_ARENA = 1_793, 968, 37
_COUNTER = 4
# Files whose variables are known under another name than the file's.
_NAMES = {"lpc_score.c": "neighbours", "lpc_send.c": "sender", "lpc_features.c": "ranker"}


def receive_parts(sizes: Sizes, rank: bool = False) -> dict[str, int]:
    """Part → bytes of RAM of the receive path and the sending side; they add up to `state_bytes`."""
    files = state_parts(sizes, rank)
    slots = sizes.slots * ((sizes.slot_bytes + 5) // 2 * 2)
    parts = {"slots": slots, "contexts": files.pop("lpc_contexts.c") - slots}
    parts |= {_NAMES.get(name, name[4:-2]): size for name, size in files.items()}
    assert sum(parts.values()) == state_bytes(sizes, rank)
    return parts


def ram_parts(settings: LowpanSettings) -> dict[str, int]:
    """Part → bytes of RAM, all of a node: what `receive_parts` says, and what is around it."""
    parts = receive_parts(settings.sizes, settings.rank)
    if settings.rank:
        parts["ranker"] += _RANK_ARENA
    # Each peer has a counter of its own on the way out, and with keys one that outlives a restart.
    counters = 1 + settings.has_keys
    return parts | {
        "node": _NODE_RAM + counters * _COUNTER * settings.sizes.peers,
        "radio": _RADIO_RAM,
    }


def code_bytes(settings: LowpanSettings) -> int:
    """About how much flash code and constants take."""
    return _CODE + settings.rank * _RANK_CODE + settings.has_keys * _STORE_CODE


def lowpan_entry(settings: LowpanSettings) -> dict[str, Any]:
    """What `report.json` and `tinyc check --json` say of a node: no key."""
    return settings.to_json() | {
        "receive_ram": state_bytes(settings.sizes, settings.rank),
        "ram_parts": ram_parts(settings),
        "code": code_bytes(settings),
    }
