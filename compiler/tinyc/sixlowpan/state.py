"""The memory that the receive path and its sending side keep on a 32-bit core, byte for byte."""

from __future__ import annotations

from tinyc.sixlowpan.contexts import CONTEXT_BYTES, SLOT_EXTRA, Sizes
from tinyc.sixlowpan.fragments import Verdict

_NEIGHBOUR, _HABIT, _FINISHED, _REPLAY = 20, 8, 12, 8
_OUTGOING = 44


def state_parts(sizes: Sizes, rank: bool = False) -> dict[str, int]:
    """Source file → bytes of its variables. Each file in C asserts its own."""
    slot = (sizes.slot_bytes + SLOT_EXTRA + 1) // 2 * 2
    contexts = sizes.slots * slot + sizes.contexts * CONTEXT_BYTES + 13
    return {
        "lpc_contexts.c": contexts,
        "lpc_counters.c": 4 * len(Verdict),
        "lpc_done.c": sizes.done * _FINISHED + 1,
        "lpc_replay.c": sizes.peers * _REPLAY,
        "lpc_score.c": sizes.neighbours * _NEIGHBOUR + 4,
        "lpc_send.c": _OUTGOING + 13,
        **({"lpc_features.c": sizes.neighbours * _HABIT + 11} if rank else {}),
    }


def state_bytes(sizes: Sizes, rank: bool = False) -> int:
    """All of it. The memory of the model that ranks is not in it."""
    return sum(state_parts(sizes, rank).values())
