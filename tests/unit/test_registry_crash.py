"""Writers killed at random. The long form: `python -m support.registry_crash --seconds 60 --writers 16`."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import registry_crash
from tinyc.registry.store.embedded import EmbeddedStore

pytestmark = pytest.mark.unit


def test_killed_writers(tmp_path: Path) -> None:
    report = registry_crash.run(tmp_path, seconds=8, writers=6)
    assert report.kills > 5
    assert report.acknowledged > 30
    assert report.lost == ()
    assert report.partial == ()


def test_losses_are_seen(tmp_path: Path) -> None:
    """What looks for losses finds them: one told and not there, one that is there by half."""
    with EmbeddedStore(tmp_path / "store") as store:
        store.update(registry_crash.deployment(1, 1))
        store.update(
            "INSERT DATA { <urn:tinyc:deployment:1-2> <urn:tinyc:ns#device> <urn:tinyc:device:crash:1> }"
        )
    log = tmp_path / "log"
    log.write_text("1-1\n1-2\n1-3\n1-4")
    report = registry_crash.look(tmp_path / "store", [log], 0)
    assert report.lost == ("1-3",)
    assert report.partial == ("1-2",)
