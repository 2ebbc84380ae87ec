"""Every command of a guide runs as it is written, in the order of the page, in an empty folder."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.command_line import tinyc
from support.paths import ROOT

pytestmark = [pytest.mark.emulated, pytest.mark.filterwarnings("ignore")]

PAGES = ("your-model",)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_IMPORT = re.compile(r"^(?:import|from) (\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Section:
    """What a page says below one heading: fenced blocks, as (language, text)."""

    page: str
    title: str
    blocks: tuple[tuple[str, str], ...]

    @property
    def packages(self) -> set[str]:
        """What its Python imports."""
        return {
            name for language, text in self.blocks if language == "python" for name in _IMPORT.findall(text)
        }


def sections(page: str) -> Iterator[Section]:
    text = (ROOT / "docs" / "guides" / f"{page}.md").read_text(encoding="utf-8")
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        yield Section(page, title, tuple(_FENCE.findall(body)))


def run_command(line: str, shown: list[str]) -> None:
    """Run one `tinyc ...`; the lines of output that the page shows have to come, in their order."""
    program, *arguments = shlex.split(line, comments=True)
    assert program == "tinyc", line
    said = tinyc(*arguments)
    assert said.code == 0, f"{line}\n{said.stderr}"
    lines = iter((said.stderr + said.stdout).splitlines())
    for expected in shown:
        assert any(expected == each.rstrip() for each in lines), (
            f"{line}\nnever said, or not there: {expected}"
        )


def run_console(text: str) -> None:
    """Lines with `$` are commands, the others what they print."""
    for dialogue in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *shown = dialogue.splitlines()
        run_command(command, shown)


def run_section(section: Section) -> None:
    for language, text in section.blocks:
        match language:
            case "python":
                exec(compile(text, f"{section.page}: {section.title}", "exec"), {})
            case "sh":
                for line in text.splitlines():
                    run_command(line, [])
            case "console":
                run_console(text)
            case _:
                raise AssertionError(f"{section.title}: nobody says how to run a block of `{language}`")


def needs_torch(section: Section) -> bool:
    return "torch" in section.packages


@pytest.mark.parametrize("page", PAGES)
def test_guide(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    monkeypatch.chdir(tmp_path)
    for section in sections(page):
        if not needs_torch(section):
            run_section(section)


@pytest.mark.parametrize(
    "section",
    [section for page in PAGES for section in sections(page) if needs_torch(section)],
    ids=lambda section: f"{section.page}: {section.title}",
)
def test_sections_with_torch(section: Section, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They make all that they use."""
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    monkeypatch.chdir(tmp_path)
    run_section(section)
