"""What the command line says about learning: `--learn`, `--head`, `--tap` and `--learn-data`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinyc.cli import output
from tinyc.errors import TinycError
from tinyc.learning.settings import HEADS, LearnSettings

if TYPE_CHECKING:
    from tinyc.boards import Board
    from tinyc.source import Source

LearnFlag = Annotated[
    bool | None,
    typer.Option(
        "--learn/--no-learn",
        help="Add a head that learns on the device. Default: when tinyc.toml has a table [learn].",
        show_default=False,
    ),
]
HeadName = Annotated[
    str | None,
    typer.Option(
        "--head",
        help=f"The head: {', '.join(HEADS)}, or auto, which tries them on a part of the data.",
        show_default=False,
    ),
]
TapName = Annotated[
    str | None,
    typer.Option(
        "--tap",
        help="The layer whose output the head reads. Default: what the last dense layer reads.",
        show_default=False,
    ),
]
LearnData = Annotated[
    Path | None,
    typer.Option(
        "--learn-data",
        help="An .npz with `inputs` and `labels` to fit the head to. Default: that of [learn], else the "
        "calibration data if they have labels.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class LearnRequest:
    """What the options say; None where they say nothing."""

    learn: bool | None = None
    head: str | None = None
    tap: str | None = None
    data: Path | None = None

    @property
    def _asks(self) -> bool:
        return self.head is not None or self.tap is not None or self.data is not None

    def __post_init__(self) -> None:
        """Raise TinycError for options that need --learn and are given with --no-learn."""
        if self.learn is False and self._asks:
            raise TinycError("--head, --tap and --learn-data are for a head that learns", hint="add --learn")

    def settings(self, source: Source, board: Board) -> LearnSettings | None:
        """The settings that this and `tinyc.toml` make together; None without learning.

        A `--head` or `--tap` asks for learning as `--learn` does; what `tinyc.toml` says is for boards that
        take firmware. Raises TinycError for impossible ones.
        """
        told = source.config.learn if source.config and not board.is_host else None
        asked = self._asks
        if self.learn is False or (told is None and not self.learn and not asked):
            return None
        settings = told or LearnSettings()
        return replace(
            settings,
            head=self.head or settings.head,
            tap=self.tap or settings.tap,
            data=self.data or settings.data or source.calibration,
        )


def say_learning(told: Mapping[str, Any]) -> None:
    """A few lines about the head of a build: `learning` of its report."""
    rows = told.get("choice") or []
    if rows:
        output.talk("mean recalls of heads that learned classes taken out of the data, in turns:")
    for row in rows:
        output.talk(
            f"  {row['name']:<28} {row['overall']:.3f} ± {row['spread']:.3f}  old {row['old']:.3f}  "
            f"new {row['new']:.3f}  RAM {row['ram']:,} B  flash {row['flash']:,} B  "
            f"{row['instructions']:,} instructions"
        )
    if "chosen" in told:
        output.talk(f"head {told['head']}: {told['chosen']}")
    size = "classes" if told["factory_classes"] else "outputs"
    output.talk(
        f"learning: {told['head']} head behind layer {told['tap']} ({told['latent']} values, "
        f"{told['capacity']} {size}), RAM {told['ram']:,} B, flash {told['flash']:,} B"
    )
    if told["lifetime"] is not None:
        output.talk(
            f"learned heads: records of {told['record_bytes']:,} B in {told['pages']} pages of flash; "
            f"{told['lifetime']}"
        )
    else:
        output.talk("learned heads are lost at a reset: this board's driver does not write flash")
