"""A whole node as C: the radio's driver, the receive path, and what is between them and an application."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinyc.boards import Board
from tinyc.emit.environment import render
from tinyc.errors import TinycError
from tinyc.resources import data_folder
from tinyc.sixlowpan.emit import receive_texts
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.settings import LowpanSettings

SECRET = "lpc_peers.c"
"""The file that has the keys."""
STORE_BYTES = 2 * 4096
_FOLDER = "sixlowpan"
_NODE = (
    *("lowpan_node.c", "lowpan_node.h", "lowpan_send.c", "lowpan_send.h"),
    "iphc_compress.c",
    *("mac.c", "mac.h"),
)
_STORE = ("lowpan_store.c", "lowpan_store.h")
_GROUP = ("lpc_group.c", "lpc_group.h")
_RADIO = ("radio.c", "radio_registers.h", "wake.c")
_RADIO_HEADERS = ("radio.h", "wake.h")


@dataclass(frozen=True, slots=True)
class _AddressView:
    bytes: tuple[int, ...]
    kind: int

    @classmethod
    def of(cls, address: Address) -> _AddressView:
        return cls(tuple(address.packed()[:8]), address.kind)


@dataclass(frozen=True, slots=True)
class _ConfigView:
    """What `lowpan_config.h` prints."""

    pan: int
    channel: int
    power: int
    short: _AddressView
    extended: _AddressView
    of_chip: bool
    source_is_short: bool
    port: int
    stores: bool
    store_address: int


def require_radio(board: Board) -> None:
    """Raise TinycError for a board without an IEEE 802.15.4 radio that we have a driver for."""
    if not board.radio:
        from tinyc.boards import board_names, load_board

        having = [name for name in board_names() if load_board(name).radio]
        raise TinycError(
            f"board `{board.name}` has no radio for 6LoWPAN",
            where="[sixlowpan]",
            allowed=", ".join(having),
            hint="choose one of them with --board, or leave 6LoWPAN out",
        )


def store_address(board: Board, settings: LowpanSettings, *, learns: bool = False) -> int | None:
    """Where the counters of keyed chains outlive a restart: two pages of flash; None without chains or room.

    On boards with slots they are the last ones before the journal, and where a head learns they are its.
    Elsewhere they are the last ones of the application's flash.
    """
    if not settings.has_keys:
        return None
    slots, memory = board.slots, board.memory
    if slots is None:
        return memory.image_origin + memory.application_flash - STORE_BYTES
    address = slots.journal - STORE_BYTES
    return None if learns or address < slots.learn else address


def reserved_flash(board: Board, settings: LowpanSettings) -> int:
    """Bytes at the end of the application's flash that no code may take."""
    return STORE_BYTES if board.slots is None and settings.has_keys else 0


def node_texts(settings: LowpanSettings, store: int | None = None) -> dict[str, str]:
    """File name → text of a node without the radio's driver: what its tests on this machine compile.

    `store` is the address of the pages for the counters of keyed chains.
    """
    folder = data_folder("firmware_templates") / _FOLDER
    made = receive_texts(
        settings.sizes,
        settings.peers,
        settings.rank,
        contexts=settings.prefixes,
        elided=settings.elided_checksums,
    )
    made |= {name: (folder / name).read_text(encoding="utf-8") for name in _NODE}
    view = _ConfigView(
        pan=settings.pan,
        channel=settings.channel,
        power=settings.power,
        short=_AddressView.of(settings.short),
        extended=_AddressView.of(settings.extended),
        of_chip=settings.of_chip,
        source_is_short=settings.source.kind == 2,
        port=settings.port,
        stores=store is not None,
        store_address=store or 0,
    )
    if store is not None:
        made |= {name: (folder / name).read_text(encoding="utf-8") for name in _STORE}
    made["lowpan_config.h"] = render(f"{_FOLDER}/lowpan_config.h.j2", view=view)
    return made


def firmware_texts(board: Board, settings: LowpanSettings, *, learns: bool = False) -> dict[str, str]:
    """Path in a project → text of a node with its radio on `board`. Raises TinycError where it has none.

    `learns`: there is a head that learns in the same firmware.
    """
    require_radio(board)
    folder = data_folder("firmware_templates") / _FOLDER
    group = {name: (folder / name).read_text(encoding="utf-8") for name in _GROUP}
    store = store_address(board, settings, learns=learns)
    drivers = _RADIO if store is None else (*_RADIO, "pages.c")
    texts = {**node_texts(settings, store), **group, **dict(_driver(board, drivers))}
    if settings.rank:
        # It is a model, and compiled as one.
        from tinyc.sixlowpan.rank import rank_texts

        texts |= rank_texts(board, settings.ranker)
    return {place(name): text for name, text in texts.items()}


def place(name: str) -> str:
    """Where a file lies in a project."""
    return f"{'include' if name.endswith('.h') else 'src'}/{name}"


def _driver(board: Board, sources: Sequence[str]) -> Iterator[tuple[str, str]]:
    drivers = data_folder("firmware_templates") / "hal"
    for folder, names in ((drivers / board.hal, sources), (drivers / "include", _RADIO_HEADERS)):
        for name in names:
            yield name, (folder / name).read_text(encoding="utf-8")
