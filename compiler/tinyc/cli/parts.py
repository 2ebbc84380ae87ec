"""`--with` and `--without`: parts of a firmware that tinyc.toml has a table for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinyc.cli import output
from tinyc.errors import Problem, TinycError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinyc.boards import Board
    from tinyc.sixlowpan.settings import LowpanSettings
    from tinyc.source import Source

SIXLOWPAN = "sixlowpan"
_PARTS = (SIXLOWPAN,)

With = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        help="Add a part with its defaults: sixlowpan serves the model over the air as well. Default: what "
        "tinyc.toml has a table for.",
        show_default=False,
    ),
]
Without = Annotated[
    list[str] | None,
    typer.Option("--without", help="Leave out a part that tinyc.toml has a table for.", show_default=False),
]


@dataclass(frozen=True, slots=True)
class PartsRequest:
    """What the options say. Raises TinycError for parts that are unknown, or both wanted and not."""

    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        problems = [
            Problem(name, "is no part of a firmware", nearest(name, _PARTS))
            for name in (*self.wanted, *self.unwanted)
            if name not in _PARTS
        ]
        problems += [
            Problem(name, "is given with --with and --without")
            for name in _PARTS
            if name in self.wanted and name in self.unwanted
        ]
        if problems:
            raise TinycError("the parts are not possible", where="--with, --without", problems=problems)

    @classmethod
    def of(cls, wanted: list[str] | None, unwanted: list[str] | None) -> PartsRequest:
        """From the options."""
        return cls(tuple(wanted or ()), tuple(unwanted or ()))

    def lowpan(self, source: Source, board: Board) -> LowpanSettings | None:
        """The node that this and `tinyc.toml` make together; None without one.

        What `tinyc.toml` says is for boards that take firmware. Raises TinycError for a board without a
        radio.
        """
        from tinyc.sixlowpan.emit_node import require_radio
        from tinyc.sixlowpan.settings import LowpanSettings

        told = source.config.lowpan if source.config and not board.is_host else None
        if SIXLOWPAN in self.unwanted or (told is None and SIXLOWPAN not in self.wanted):
            return None
        require_radio(board)
        return told or LowpanSettings()


def say_store(board: Board, settings: LowpanSettings, *, learns: bool) -> None:
    """A warning where there are keyed chains and no pages of flash for their counters."""
    from tinyc.sixlowpan.emit_node import store_address

    if settings.has_keys and store_address(board, settings, learns=learns) is None:
        output.talk(
            "warning: counters of keyed chains do not outlive a restart, as learned heads have the flash: "
            "neighbours then refuse what this node sends as replays"
        )


def say_lowpan(told: Mapping[str, Any]) -> None:
    """A line about the node of a build: `sixlowpan` of its report."""
    who = told["source"] or told["extended"]
    output.talk(
        f"6LoWPAN: node {who}, PAN 0x{told['pan']:04x}, channel {told['channel']}, port {told['port']}, "
        f"{len(told['known'])} peers ({sum(peer['key'] for peer in told['known'])} with keys)"
    )
    output.talk(
        f"6LoWPAN: receive path {told['receive_ram']:,} B of RAM, "
        f"{sum(told['ram_parts'].values()):,} B with the rest of the node, code about {told['code']:,} B"
    )
    if any(peer["key"] for peer in told["known"]):
        output.talk("keep the build folder secret: sources and firmware have the keys of the node")
