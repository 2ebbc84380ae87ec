"""The receive path as C: its files, its sizes and its table of peers."""

from __future__ import annotations

from collections.abc import Sequence

from tinyc.emit.environment import render
from tinyc.errors import TinycError
from tinyc.resources import data_folder
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.iphc import Context
from tinyc.sixlowpan.receiver import Peer
from tinyc.sixlowpan.state import state_parts

_FOLDER = "sixlowpan"
RECEIVE = (
    *("lpc_address.h", "lpc.h", "lpc_chain.c", "lpc_chain.h", "lpc_contexts.c", "lpc_contexts.h"),
    "lpc_counters.c",
    *("lpc_datagram.c", "lpc_datagram.h", "lpc_done.c", "lpc_done.h"),
    *("iphc.c", "iphc.h", "iphc_address.c", "iphc_address.h", "iphc_ipv6.c", "iphc_sum.c", "iphc_work.h"),
    *("lpc_features.c", "lpc_features.h"),
    *("lpc_first.c", "lpc_first.h", "lpc_input.c", "lpc_score.c", "lpc_score.h", "lpc_send.c"),
    *("lpc_replay.c", "lpc_replay.h"),
    *("siphash.c", "siphash.h", "blake2s.c", "blake2s.h", "lpc_words.h"),
)


def receive_texts(
    sizes: Sizes,
    peers: Sequence[Peer],
    rank: bool = False,
    *,
    contexts: Sequence[Context] = (),
    elided: bool = False,
) -> dict[str, str]:
    """File name → text of the receive path and the sending side.

    With `rank` it calls `lpc_rank`, which `rank.rank_texts` makes. `contexts` of compressed
    addresses; `elided`: UDP checksums may be.
    Raises TinycError for more peers than `sizes` has room for.
    """
    if len(peers) > sizes.peers:
        raise TinycError(
            f"{len(peers)} peers",
            where="[sixlowpan] peers",
            allowed=f"at most {sizes.peers}",
        )
    folder = data_folder("firmware_templates") / _FOLDER
    made = {name: (folder / name).read_text(encoding="utf-8") for name in RECEIVE}
    parts = state_parts(sizes, rank).items()
    state = [(name.removesuffix(".c").upper(), size) for name, size in parts]
    made["lpc_config.h"] = render(f"{_FOLDER}/lpc_config.h.j2", view=sizes, rank=rank, state=state)
    # Entries without an address fit no frame: the address of a fragment is never absent.
    rows = [_row(peer) for peer in (*peers, *[Peer(Address())] * (sizes.peers - len(peers)))]
    made["lpc_peers.c"] = render(
        f"{_FOLDER}/lpc_peers.c.j2",
        peers=rows,
        contexts=[{"number": it.number, "length": it.length, "prefix": list(it.prefix)} for it in contexts],
        elided=elided,
    )
    return made


def _row(peer: Peer) -> dict[str, object]:
    return {
        "bytes": list(peer.address.packed()[:8]),
        "kind": peer.address.kind,
        "mode_min": int(peer.mode_min),
        "has_key": int(peer.key is not None),
        "key": list(peer.key or bytes(16)),
    }
