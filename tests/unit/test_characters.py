"""The stored properties of code points are those of the library that is installed."""

from __future__ import annotations

import numpy as np
import pytest

from tinyc.text.characters import characters

pytestmark = pytest.mark.unit


def test_the_table_is_what_the_library_does() -> None:
    pytest.importorskip("tokenizers", reason="the extra tinyc[text] is not installed")
    import measure_characters

    table = characters()
    for name, codes in measure_characters.properties().items():
        assert set(np.flatnonzero(getattr(table, name)).tolist()) == codes, name
    assert dict(table.lower) == measure_characters.lower_case()


def test_decompositions_are_those_of_the_library() -> None:
    library = pytest.importorskip("tokenizers", reason="the extra tinyc[text] is not installed")
    table = characters()
    nfd = library.normalizers.NFD()
    for code in np.flatnonzero(table.decomposed).tolist():
        assert table.decomposition(code) == nfd.normalize_str(chr(code)), hex(code)
