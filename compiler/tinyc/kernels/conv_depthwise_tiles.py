"""How a fused pair of convolutions is cut into tiles: see `tinyc_conv_depthwise.h`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinyc.kernels.depthwise_geometry import Geometry
from tinyc.kernels.layer_constants import round_up

# A store reaches the same pixel of the next channel with an offset of 12 bits.
_LARGEST_PLANE = 4088
# Room to slide that is taken beyond the least scratch: it is small beside the planes.
_SLACK = 1.25
_MOST_MOVES = 8
# About what one turn of the loops costs in instructions: a channel of a tile, a tile, a channel and a word
# that move, an output in a row without a partner.
_CHANNEL, _TILE, _MOVED_CHANNEL, _MOVED_WORD, _SINGLE = 40, 150, 10, 4, 1.5


@dataclass(frozen=True, slots=True)
class Tiles:
    """`rows` output rows of the depthwise layer at a time; the window slides `slides` times before it moves.

    `geometry` is that of the depthwise layer. All sizes are bytes.
    """

    geometry: Geometry
    rows: int
    slides: int

    @property
    def pitch(self) -> int:
        """Of a row of a plane, which holds all columns of the intermediate."""
        return 4 * max(self.geometry.pitch, (self.geometry.left + self.geometry.input[1] + 1) // 2)

    @property
    def plane(self) -> int:
        return self.pitch * ((self.rows - 1) * self.geometry.stride[0] + self.geometry.reach)

    @property
    def step(self) -> int:
        """By which the window slides."""
        return self.pitch * self.rows * self.geometry.stride[0]

    @property
    def room(self) -> int:
        return self.slides * self.step

    @property
    def buffer(self) -> int:
        return round_up(self.geometry.channels * self.plane + self.room, 16)

    @property
    def heights(self) -> tuple[int, ...]:
        """Output rows of each tile of a batch."""
        full, rest = divmod(self.geometry.output[0], self.rows)
        return (self.rows,) * full + (rest,) * (rest > 0)

    @property
    def moves(self) -> int:
        """How often the shared rows of a batch move."""
        return (len(self.heights) - 1) // (self.slides + 1)

    @property
    def shared(self) -> int:
        """Of a plane that two tiles need."""
        return max(0, self.geometry.reach - self.geometry.stride[0]) * self.pitch

    def fills(self) -> Iterator[tuple[int, int]]:
        """[first, last) rows of the intermediate that each tile of a batch adds, empty ones too."""
        geometry, filled, done = self.geometry, 0, 0
        for rows in self.heights:
            origin = done * geometry.stride[0] - geometry.top
            first = max(filled, origin)
            filled = max(
                first, min(geometry.input[0], origin + (rows - 1) * geometry.stride[0] + geometry.reach)
            )
            yield first, filled
            done += rows

    def below(self) -> Iterator[int]:
        """Rows of padding under the image in each tile."""
        geometry, done = self.geometry, 0
        for rows in self.heights:
            origin = done * geometry.stride[0] - geometry.top
            bottom = origin + (rows - 1) * geometry.stride[0] + geometry.reach
            yield max(0, bottom - max(geometry.input[0], origin))
            done += rows

    @property
    def _price(self) -> tuple[float, int]:
        """About the instructions that depend on the tiles, then the bytes."""
        geometry, tiles = self.geometry, len(self.heights)
        moved = self.moves * (_MOVED_CHANNEL + _MOVED_WORD * self.shared / 4)
        single = sum(rows % 2 for rows in self.heights) * geometry.output[1] * _SINGLE
        return geometry.channels * (tiles * _CHANNEL + moved + single) + tiles * _TILE, self.buffer


def best_tiles(geometry: Geometry, panel: int, limit: int) -> Tiles | None:
    """The tiles that cost least within `limit` bytes of scratch, `panel` of which are taken.

    Where that is too little for any, within a quarter more than the least that works. None if a plane
    would be too large for every one.
    """
    least = panel + Tiles(geometry, 1, 0).buffer
    limit = int(least * _SLACK) if limit < least else limit
    return min(_fitting(geometry, limit - panel), key=lambda tiles: tiles._price, default=None)


def _fitting(geometry: Geometry, limit: int) -> Iterator[Tiles]:
    for rows in range(1, geometry.output[0] + 1):
        tiles = Tiles(geometry, rows, 0)
        if tiles.buffer > limit or tiles.plane > _LARGEST_PLANE:
            return
        yield tiles
        most = min(len(tiles.heights) - 1, (limit - tiles.buffer) // tiles.step)
        # Of those that move as often the one that takes least.
        for moves in range(min(tiles.moves, _MOST_MOVES)):
            slides = (len(tiles.heights) - 1) // (moves + 1)
            if slides <= most:
                yield Tiles(geometry, rows, slides)
