"""Tiles of a depthwise layer on planes of all channels that slide down the image: see `tinyc_sliding.h`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tinyc.kernels.cortex_m4_depthwise import Scalars, routine_for
from tinyc.kernels.depthwise_geometry import Geometry
from tinyc.kernels.depthwise_routine import Routine, add_up, repeat
from tinyc.kernels.features import Features
from tinyc.kernels.kernel import FieldValue, Work
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

    def lead(self, size: int, first_byte: Callable[[int], int]) -> int:
        """Bytes by which the output has to start before the input, when both share memory.

        `size`: bytes of a batch of the input; `first_byte`: where what the rows from one on need of a batch
        begins. A tile reads the rows that are new to it, then writes; no byte that a later one still reads.
        """
        geometry = self.geometry
        lead, written = -geometry.batches * size, 0
        for batch in range(geometry.batches):
            for (first, last), rows in zip(self.fills(), self.heights, strict=True):
                if first < last and written:
                    lead = max(lead, written - batch * size - first_byte(first))
                written += rows * geometry.line
        return lead

    def fields(self, depth: int, zero_point: int) -> dict[str, FieldValue]:
        """Those of `struct tinyc_sliding`, a member of a layer's. `depth`: bytes of a pixel of the input."""
        geometry = self.geometry
        found: dict[str, FieldValue] = {
            "batches": geometry.batches,
            "height": geometry.input[0],
            "width": geometry.input[1],
            "depth": depth,
            "channels": geometry.channels,
            "pitch": self.pitch,
            "plane": self.plane,
            "top": geometry.top,
            "left": geometry.left,
            "outputs": geometry.output[0],
            "tile": self.rows,
            "stride": geometry.stride[0],
            "reach": geometry.reach,
            "buffer": self.buffer,
            "room": self.room,
            "output_step": geometry.line,
            "outside": zero_point % 2**16 * 0x10001,
        }
        return {f"sliding.{name}": value for name, value in found.items()}

    def features(self) -> Features:
        """What the C around fills and routine does for all batches: tiles, and what it clears and moves."""
        batches, channels = self.geometry.batches, self.geometry.channels
        below = [rows for rows in self.below() if rows]
        return {
            "batches": batches,
            "tiles": batches * len(self.heights),
            "cleared": batches * self.buffer // 16,
            "padded": batches * channels * len(below),
            "padded_words": batches * channels * sum(below) * self.pitch // 4,
            "moves": batches * self.moves,
            "moved": batches * self.moves * channels,
            "moved_words": batches * self.moves * channels * self.shared // 4,
        }

    def routine(self, scalars: Scalars) -> Routine | None:
        """The depthwise routine over the planes, None if none fits."""
        shape = replace(self.geometry.shape(strided=False), pitch=self.pitch)
        width = self.geometry.output[1]
        return routine_for(shape, width, self.heights, scalars.rounding, scalars.packed)

    def work(self, routine: Routine) -> Work:
        """Of the routine, for all tiles and channels."""
        works = (routine.work(rows) for rows in self.heights)
        return repeat(add_up(*works), self.geometry.channels * self.geometry.batches)

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
