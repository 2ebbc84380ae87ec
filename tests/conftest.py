"""Fixtures shared by all test layers."""

from __future__ import annotations

import os
import signal

# Before NumPy is imported: two test workers with two BLAS threads each only wait for one another.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Builds of tests write nothing into the registries of the examples; tests of the registry set it themselves.
os.environ["TINYC_REGISTRY"] = "off"

from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


# A shell without job control starts background jobs with Ctrl-C ignored, and children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the files under tests/golden")
    parser.addoption("--long", action="store_true", help="everything that is sampled otherwise")


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether to go through all cases, `make long`, and not through a sample of them."""
    return bool(request.config.getoption("--long"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and models beside the checkout; tests skip where it is absent."""
    folder = Path(os.environ.get("TINYC_SHARED", ROOT.parent / "shared"))
    if not (folder / "models").is_dir():
        pytest.skip("the shared data and models are not here (set TINYC_SHARED)")
    return folder


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Count what tests say they counted (`record_property` with a number), over all that passed."""
    totals: dict[str, int] = {}
    for report in terminalreporter.getreports("passed"):
        for what, count in report.user_properties if report.when == "call" else ():
            if isinstance(count, int):
                totals[what] = totals.get(what, 0) + count
    for what, count in sorted(totals.items()):
        terminalreporter.write_line(f"{what}: {count}")
