"""Tables of the command line: whole on wide terminals, records on narrow ones."""

from __future__ import annotations

import pytest
from rich.console import Console

from tinyc.cli import output

pytestmark = pytest.mark.unit

COLUMNS = ("#>", "layer", "kernel", "MACs>")
ROWS = [(0, "first", "tinyc_conv_2d_s8__portable", "320,000"), (1, "second", "", "72,000")]


@pytest.mark.parametrize("width", [20, 40, 60, 200])
def test_nothing_is_cut(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "_console", lambda stderr: Console(width=width, highlight=False))
    output.table("title", COLUMNS, ROWS, "a note")
    said = capsys.readouterr().out
    # A folded cell goes on in the next line of its column.
    letters = "".join(character for character in said if character.isalnum() or character in ",_")
    for word in ("first", "second", "320,000", "72,000", "title", "anote"):
        assert word in letters
    assert "…" not in said
    if width == 200:
        assert "tinyc_conv_2d_s8__portable" in said and "┃" in said
    if width == 20:
        assert "layer: first" in said and said.count("kernel:") == 1


def test_a_pipe_gets_whole_lines(capsys: pytest.CaptureFixture[str]) -> None:
    output.table("", ("a", "b"), [("x" * 150, "y" * 150)])
    assert "x" * 150 in capsys.readouterr().out
