"""The `golden` fixture: compare a text with a committed file, or rewrite it with --update-golden."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

import pytest

_FOLDER = Path(__file__).parent / "expected"


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(name, text)`: `text` equals the file `tests/golden/expected/<name>`."""
    update = bool(request.config.getoption("--update-golden"))

    def compare(name: str, text: str) -> None:
        path = _FOLDER / name
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            return
        hint = "run `make golden` (pytest --update-golden) and look at the difference before you commit"
        if not path.is_file():
            pytest.fail(f"there is no golden file {path.relative_to(_FOLDER.parent)}; {hint}", pytrace=False)
        expected = path.read_text(encoding="utf-8")
        if expected != text:
            lines = difflib.unified_diff(
                expected.splitlines(), text.splitlines(), f"expected/{name}", "rendered", lineterm="", n=2
            )
            pytest.fail("\n".join([*lines, hint]), pytrace=False)

    return compare
