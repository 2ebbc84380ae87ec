"""What tshark says of a capture, field by field."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

# UDP whatever its ports are, checksums verified, and 6LoWPAN in all frames of the tests' PANs.
_OPTIONS = (
    *("-d", "udp.port==0-65535,data", "-d", "wpan.panid==0xabcd,6lowpan", "-d", "wpan.panid==0x1234,6lowpan"),
    *("-o", "udp.check_checksum:TRUE", "-o", "wpan.802154_fcs_ok:TRUE"),
)


def required() -> str:
    """The program; skips the test where there is none."""
    found = shutil.which("tshark")
    if found is None:
        pytest.skip("tshark is not installed")
    return found


def fields(capture: Path, names: Sequence[str], *options: str) -> list[dict[str, list[str]]]:
    """For each frame: field → its values, in order; none where the frame has no such field."""
    command = [required(), "-n", "-2", "-r", str(capture), *_OPTIONS, *options]
    command += ["-T", "fields", "-E", "occurrence=a", "-E", "aggregator=|", "-E", "separator=/t"]
    for name in names:
        command += ["-e", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = []
    for line in done.stdout.splitlines():
        cells = line.split("\t")
        assert len(cells) == len(names), line
        rows.append({name: cell.split("|") if cell else [] for name, cell in zip(names, cells, strict=True)})
    return rows


def one(row: dict[str, list[str]], name: str) -> int | None:
    """A number, None where there is none."""
    assert len(row[name]) <= 1, (name, row[name])
    return int(row[name][0], 0) if row[name] else None


def octets(row: dict[str, list[str]], name: str) -> bytes:
    """The bytes of a field."""
    return bytes.fromhex("".join(row[name]).replace(":", ""))
