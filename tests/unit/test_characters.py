"""The stored properties of code points are those of the library that is installed."""

from __future__ import annotations

import numpy as np
import pytest

from tinyc.text.characters import characters

pytestmark = pytest.mark.unit


def test_the_table_is_what_the_library_does(long: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tokenizers", reason="the extra tinyc[text] is not installed")
    import measure_characters

    # Planes 4 to 13 have no characters yet, 15 and 16 are for private use: a few code points of them do.
    quiet = {*range(0x40000, 0xE0000), *range(0xF0000, 0x110000)}
    asked = [code for code in measure_characters.code_points() if long or code % 61 == 0 or code not in quiet]
    monkeypatch.setattr(measure_characters, "code_points", lambda: asked)
    table, known = characters(), set(asked)
    for name, codes in measure_characters.properties().items():
        assert set(np.flatnonzero(getattr(table, name)).tolist()) & known == codes, name
    assert dict(table.lower) == measure_characters.lower_case()


def test_decompositions_are_those_of_the_library() -> None:
    library = pytest.importorskip("tokenizers", reason="the extra tinyc[text] is not installed")
    table = characters()
    nfd = library.normalizers.NFD()
    for code in np.flatnonzero(table.decomposed).tolist():
        assert table.decomposition(code) == nfd.normalize_str(chr(code)), hex(code)
