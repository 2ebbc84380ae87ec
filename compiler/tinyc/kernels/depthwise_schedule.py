"""Schedules the blocks of a depthwise convolution on registers and searches for the cheapest routine.

Searched are the rows and columns of a block, whether the weights stay in registers or are widened
where they are used, and how far a row is unrolled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tinyc.kernels.depthwise_routine import (
    LARGEST_OFFSET,
    REGISTERS,
    Block,
    Routine,
    Rows,
    Shape,
    Step,
    Store,
    Tap,
    WeightWord,
)

_LARGEST_PAIR = 1020
# What one more instruction of code must save, in executed ones, to be worth its flash.
_CODE_PRICE = 0.0002
_LONGEST_ROW = 200


@dataclass(frozen=True, slots=True)
class _Use:
    """What one word of a plane gives to one output: `taps` of its two columns, None outside."""

    row: int
    column: int
    taps: WeightWord

    @property
    def is_pair(self) -> bool:
        return None not in self.taps


def _uses(shape: Shape, rows: int, columns: int) -> Sequence[tuple[int, int, Sequence[_Use]]]:
    """(row of the plane, word, uses) in the order in which a block reads them."""
    return _uses_of(shape.kernel, shape.stride, shape.dilation, rows, columns)


@lru_cache(maxsize=2048)
def _uses_of(
    kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], rows: int, columns: int
) -> Sequence[tuple[int, int, Sequence[_Use]]]:
    (kernel_rows, kernel_columns), (down, right) = kernel, dilation
    lines = sorted({r * stride[0] + k * down for r in range(rows) for k in range(kernel_rows)})
    width = (columns - 1) * stride[1] + (kernel_columns - 1) * right + 1
    plan = []

    def tap(row: int, place: int) -> Tap | None:
        column, between = divmod(place, right)
        return (row, column) if not between and 0 <= column < kernel_columns else None

    for line in lines:
        for word in range((width + 1) // 2):
            found = []
            for row in range(rows):
                tap_row, between = divmod(line - row * stride[0], down)
                if between or not 0 <= tap_row < kernel_rows:
                    continue
                for column in range(columns):
                    first = 2 * word - column * stride[1]
                    taps = (tap(tap_row, first), tap(tap_row, first + 1))
                    if any(taps):
                        found.append(_Use(row, column, taps))
            if found:
                plan.append((line, word, tuple(found)))
    return tuple(plan)


def _weight_words(shape: Shape, rows: int, columns: int) -> tuple[WeightWord, ...]:
    """Every pair that a block multiplies at once, and the single taps in no pair, by first use."""
    return _words_of(_uses(shape, rows, columns))


@lru_cache(maxsize=2048)
def _words_of(plan: Sequence[tuple[int, int, Sequence[_Use]]]) -> tuple[WeightWord, ...]:
    uses = [use for _, _, found in plan for use in found]
    paired = {tap for use in uses if use.is_pair for tap in use.taps}
    words: dict[WeightWord, None] = {}
    waiting: Tap | None = None
    seen: set[Tap | None] = set()
    for use in uses:
        if use.is_pair:
            words.setdefault(use.taps)
            continue
        (tap,) = (tap for tap in use.taps if tap is not None)
        if tap in paired or tap in seen:
            continue
        seen.add(tap)
        if waiting is None:
            words[(tap, None)] = None
            waiting = tap
        else:
            words = {((waiting, tap) if w == (waiting, None) else w): None for w in words}
            waiting = None
    return tuple(words)


def _find(words: Sequence[WeightWord], use: _Use) -> tuple[int, str]:
    """(weight word, form of the multiply) for a use."""
    if use.is_pair:
        return words.index(use.taps), "d"
    half = "b" if use.taps[0] is not None else "t"
    tap = use.taps[0] or use.taps[1]
    for index, word in enumerate(words):
        if tap in word:
            return index, half + ("b" if word[0] == tap else "t")
    raise AssertionError(f"no weight word holds tap {tap}")


class _Weights:
    """Which weight words are in which registers while a block is scheduled."""

    def __init__(self, resident: Sequence[str], free: Sequence[str], order: Sequence[int]) -> None:
        self._resident = resident
        self._free = list(free)
        self._held: dict[int, str] = {}
        self._last = {word: place for place, word in enumerate(order)}
        self._place = 0

    def take(self, word: int) -> tuple[str, Step | None] | None:
        """The register of the next use, and the load before it; None without enough registers."""
        if self._resident:
            return self._resident[word], None
        load = None
        if word not in self._held:
            if len(self._free) < 2:
                return None
            first, second = self._free.pop(0), self._free.pop(0)
            even = word & ~1
            self._held |= {even: first, even + 1: second}
            load = Step("weights", (first, second), 2 * even)
        register = self._held[word]
        self._place += 1
        for held in list(self._held):
            if self._last.get(held, -1) < self._place:
                self._free.append(self._held.pop(held))
        return register, load


@lru_cache(maxsize=16384)
def _block(
    shape: Shape, words: Sequence[WeightWord], resident: Sequence[str], size: tuple[int, int], column: int
) -> Block | None:
    """The block of `size` (rows, columns) that starts at a column of the row, or None if impossible."""
    rows, columns = size
    free = [r for r in REGISTERS if r not in resident][0 if resident else 1 :]
    if len(free) < 2 + rows * columns:
        return None
    data, free = free[:2], free[2:]
    sums = {(n // columns, n % columns): register for n, register in enumerate(free[: rows * columns])}
    plan = _uses(shape, rows, columns)
    order = [_find(words, use)[0] for _, _, found in plan for use in found]
    weights = _Weights(resident, free[rows * columns :], order)
    first = list(dict.fromkeys((use.row, use.column) for _, _, found in plan for use in found))
    bias = sums[first[-1]]
    steps = [Step("bias", (bias,))]
    loaded: dict[tuple[int, int], str] = {}
    started: set[tuple[int, int]] = set()
    for index, (line, word, found) in enumerate(plan):
        if (line, word) not in loaded:
            offset = line * shape.pitch + 2 * column * shape.stride[1] + 4 * word
            following = plan[index + 1][:2] if index + 1 < len(plan) else None
            loaded = {(line, word): data[0]}
            if following == (line, word + 1):
                loaded[line, word + 1] = data[1]
            if len(loaded) == 2 and offset <= _LARGEST_PAIR:
                steps.append(Step("load2", tuple(data), offset))
            else:
                steps += [Step("load1", (data[i],), offset + 4 * i) for i in range(len(loaded))]
        for use in found:
            weight, form = _find(words, use)
            taken = weights.take(weight)
            if taken is None:
                return None
            if taken[1] is not None:
                steps.append(taken[1])
            place = (use.row, use.column)
            accumulator = sums[place] if place in started else bias
            started.add(place)
            steps.append(Step("mac", (sums[place], loaded[line, word], taken[0], accumulator), form=form))
    if max((step.offset for step in steps if step.kind != "weights"), default=0) > LARGEST_OFFSET:
        return None
    if shape.is_strided:
        return _strided(tuple(steps), sums, (data[0], data[1]))
    reach = (column + columns - 1) * shape.pixel
    far = (rows - 1) * shape.line + reach > LARGEST_OFFSET
    if reach > LARGEST_OFFSET:
        return None
    stores = tuple(
        Store(register, (0 if far else r * shape.line) + (column + c) * shape.pixel, r, c)
        for (r, c), register in sums.items()
    )
    return Block(tuple(steps), stores, (data[0], data[1]), far)


def _strided(
    steps: tuple[Step, ...], sums: Mapping[tuple[int, int], str], temporaries: tuple[str, str]
) -> Block:
    """A block whose stores reach two pixels beyond a pointer that moves along."""
    stores, columns, at = [], 1 + max(column for _, column in sums), 0
    for (row, column), register in sorted(sums.items()):
        if column == 0:
            at = 0
        moves = (2,) if column - at > 2 else ()
        at += sum(moves)
        stores.append(Store(register, column - at, row, column, moves))
        if row == 0:
            left = columns - at
    ending = (2, 1) if left == 3 else (left,)
    return Block(steps, tuple(stores), temporaries, max(sums)[0] > 0, True, ending)


@dataclass(frozen=True, slots=True)
class _Candidate:
    height: int
    columns: int
    resident: bool
    unroll: int
    """Blocks in the body of the loop; 0 for a row without a loop."""


def _rows(
    shape: Shape, words: Sequence[WeightWord], resident: Sequence[str], width: int, how: _Candidate
) -> Rows | None:
    blocks = -(-width // how.columns)
    times = (width // how.columns) // how.unroll if how.unroll else 0
    if how.unroll and times < 2:
        return None

    def make(first: int, last: int, origin: int) -> list[Block | None]:
        return [
            _block(
                shape,
                words,
                resident,
                (how.height, min(how.columns, width - n * how.columns)),
                (n - origin) * how.columns,
            )
            for n in range(first, last)
        ]

    looped = times * how.unroll
    loop, rest = make(0, how.unroll if times else 0, 0), make(looped, blocks, looped)
    if any(block is None for block in (*loop, *rest)):
        return None
    step = how.unroll * how.columns
    if times and max(step * shape.pixel, 2 * step * shape.stride[1]) > LARGEST_OFFSET:
        return None
    return Rows(
        how.height,
        times,
        tuple(b for b in loop if b),
        tuple(b for b in rest if b),
        2 * step * shape.stride[1],
        step * shape.pixel,
        how.height * shape.stride[0] * shape.pitch - times * 2 * step * shape.stride[1],
        how.height * shape.line - times * step * shape.pixel,
        shape.is_strided,
    )


def _routine(
    shape: Shape, width: int, rounding: int, packed: bool, fpu: bool, odd: bool, how: _Candidate
) -> Routine | None:
    words = _weight_words(shape, how.height, how.columns)
    resident = REGISTERS[: len(words)] if how.resident else ()
    main = _rows(shape, words, resident, width, how)
    too_long = main is not None and sum(len(block.steps) for block in main.blocks) > _LONGEST_ROW
    if main is None or (too_long and len(main.blocks) > 1):
        return None
    single = None
    if how.height > 1 and odd:
        single = _rows(shape, words, resident, width, _Candidate(1, how.columns, how.resident, how.unroll))
        if single is None:
            return None
    return Routine(rounding, packed, fpu, shape, width, words, resident, main, single)


def best_routine(
    shape: Shape, width: int, rounding: int, packed: bool, tiles: Sequence[int], fpu: bool = True
) -> Routine | None:
    """The cheapest routine for rows of `width` outputs in tiles of `tiles` rows; None if none fits.

    `rounding` is 1 for `requantization.one_step`, 2 for `two_steps`; `packed`: bias and constant are the
    halves of a word; `fpu`: its registers hold numbers, else the stack does.
    """
    best: Routine | None = None
    best_cost = 0.0
    for height in (1, 2):
        if height > max(tiles):
            continue
        odd = any(rows % height for rows in tiles)
        for columns in (1, 2, 3, 4, 6, 8):
            if columns > width or (columns < width and columns * shape.stride[1] % 2):
                continue
            for resident in (True, False):
                for unroll in (0, 1, 2, 3):
                    how = _Candidate(height, columns, resident, unroll)
                    found = _routine(shape, width, rounding, packed, fpu, odd, how)
                    if found is None:
                        continue
                    works = [found.work(rows) for rows in tiles]
                    cost = sum(work.instructions + work.cycles for work in works) * (
                        1 + _CODE_PRICE * found.code
                    )
                    if best is None or cost < best_cost:
                        best, best_cost = found, cost
    return best
