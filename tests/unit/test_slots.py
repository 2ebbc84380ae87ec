"""Flash maps with tinyc's bootloader: where everything lies, and maps that are impossible."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from tinyc.boards import Board, board_names, load_board, parse_board
from tinyc.errors import TinycError
from tinyc.slots import HEADER_BYTES, Slots
from unit.test_boards import GOOD, parse

pytestmark = pytest.mark.unit

NRF = load_board("nrf52840")


def slots_of(board: Board) -> Slots:
    assert board.slots is not None
    return board.slots


def regions(slots: Slots) -> list[tuple[int, int]]:
    """(start, end) of everything in the map, by address."""
    page = slots.page
    found = [
        (slots.flash_origin, slots.primary),
        (slots.primary, slots.primary + (slots.image_pages + 1) * page),
        (slots.secondary, slots.secondary + (slots.image_pages + 2) * page),
        (slots.journal, slots.journal + 2 * page),
    ]
    if slots.learn_pages:
        found.append((slots.learn, slots.learn + slots.learn_pages * page))
    if slots.model_pages:
        found += [(slots.model(i), slots.model(i) + slots.model_pages * page) for i in range(2)]
    return sorted(found)


@pytest.mark.parametrize("board", [NRF, NRF.split()], ids=["whole", "split"])
def test_nothing_overlaps_and_all_is_in_flash(board: Board) -> None:
    slots = slots_of(board)
    for (_, end), (start, _) in pairwise(regions(slots)):
        assert end <= start
    assert regions(slots)[-1][1] == board.memory.flash_origin + board.memory.flash
    assert all(start % slots.page == 0 for start, _ in regions(slots))


@pytest.mark.parametrize("board", [NRF, NRF.split()], ids=["whole", "split"])
def test_the_application_lies_in_the_primary_slot(board: Board) -> None:
    slots, memory = slots_of(board), board.memory
    assert memory.application_origin == slots.primary + HEADER_BYTES
    end = memory.application_origin + memory.application_flash
    assert end < slots.primary + slots.image_bytes
    assert memory.application_ram == memory.ram - 64


def test_addresses_of_the_nrf52840() -> None:
    whole, split = slots_of(NRF), slots_of(NRF.split())
    assert (whole.primary, whole.secondary, whole.upload) == (0x6000, 0x7D000, 0x7E000)
    assert (split.primary, split.secondary, split.upload) == (0x6000, 0x36000, 0x37000)
    assert (split.model(0), split.model(1)) == (0x67000, 0xAE000)
    assert whole.journal == split.journal == 0xFE000
    assert whole.learn == split.learn == 0xF5000
    assert whole.learn_pages == split.learn_pages == 8
    assert (whole.image_bytes, split.image_bytes, split.model_bytes) == (483_328, 192_512, 286_720)


def test_maps_that_differ_have_other_numbers() -> None:
    slots = slots_of(NRF)
    others = [slots.split(), replace(slots, image_pages=100), replace(slots, bootloader_pages=8)]
    others.append(replace(slots, flash=slots.flash // 2, image_pages=50))
    others.append(replace(slots, learn_pages=4))
    numbers = {each.number for each in (slots, *others)}
    assert len(numbers) == 6
    assert slots.number == slots_of(load_board("nrf52840")).number


def test_only_boards_with_model_slots_can_be_split() -> None:
    with pytest.raises(TinycError, match="has no slots for models"):
        load_board("nrf52840_bare").split()
    assert [name for name in board_names() if load_board(name).slots] == ["nrf52840"]


def test_a_board_with_slots_is_read(tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    path.write_text(GOOD + '[slots]\npage = 4_096\nbootloader = 6\nimage = 100\nrecovery = "P1.02"\n')
    board = parse_board("board", path)
    assert board.recovery is not None
    assert (board.recovery.port, board.recovery.number) == (1, 2)
    assert slots_of(board).secondary == 0x6000 + 101 * 4096


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("page = 4_096\nbootloader = 6\nimage = 200", "slots"),  # more than the flash has
        ("page = 4_000\nbootloader = 6\nimage = 10", "slots"),
        ("page = 0\nbootloader = 6\nimage = 10", "slots"),
        ("page = 4_096\nbootloader = 0\nimage = 10", "slots"),
        ("page = 4_096\nbootloader = 6\nimage = 0", "slots"),
        ("page = 4_096\nbootloader = 6\nimage = 10\nsplit_image = 100\nsplit_model = 100", "slots"),
        ("page = 4_096\nbootloader = 6\nimage = 10\nlearn = 1", "slots"),  # a record and room to change it
        ("page = 4_096\nbootloader = 6\nimage = 10\nlearn = 240", "slots"),
        # Learned heads would lie elsewhere in the map with model slots.
        ("page = 4_096\nbootloader = 6\nimage = 10\nsplit_image = 4\nsplit_model = 4\nlearn = 8", "slots"),
        ("page = 4_096\nbootloader = 6", "image"),
        ("page = 4_096\nbootloader = 6\nimage = 10\nspare = 1", "spare"),
        ('page = 4_096\nbootloader = 6\nimage = 10\nrecovery = "P7"', "slots.recovery"),
    ],
)
def test_impossible_maps(tmp_path: Path, text: str, where: str) -> None:
    with pytest.raises(TinycError) as caught:
        parse(tmp_path, f"{GOOD}[slots]\n{text}\n")
    assert [problem.where for problem in caught.value.problems] == [where]


def test_slots_say_where_applications_lie(tmp_path: Path) -> None:
    text = GOOD.replace("stack = 2_048", "stack = 2_048\napplication_offset = 512")
    with pytest.raises(TinycError, match="no application_offset"):
        parse(tmp_path, f"{text}[slots]\npage = 4_096\nbootloader = 6\nimage = 10\n")
