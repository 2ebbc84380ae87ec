"""`tinyc build` with `[sixlowpan]`: keys go into the firmware and nowhere else; the build opens again."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from support.command_line import tinyc
from tinyc.artifact import open_artifact
from tinyc.sixlowpan import peers
from tinyc.sixlowpan.frames import Address

pytestmark = pytest.mark.emulated

SINE = Path(__file__).resolve().parents[2] / "examples" / "sine"
OWN, OTHER = Address.extended(0x0212740000000001), Address.extended(0x0212740000000002)
KEY = bytes.fromhex("f1e2d3c4b5a697887f6e5d4c3b2a1908")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An example with a node, on a board with a bootloader."""
    home = tmp_path_factory.mktemp("secret")
    peers.write(home / "peers", peers.provision([OWN, OTHER], key=lambda size: KEY))
    for path in SINE.iterdir():
        if path.is_file():
            shutil.copy(path, home)
    with (home / "tinyc.toml").open("a", encoding="utf-8") as stream:
        stream.write(f'\n[sixlowpan]\nnode = "peers/{OWN.value.hex()}.toml"\nchannel = 25\n')
    old = os.umask(0o022)
    try:
        said = tinyc("build", home, "--board", "nrf52840", "--out", home / "out")
    finally:
        os.umask(old)
    assert said.code == 0, said.stderr
    assert "keep the build folder secret" in said.stderr
    assert KEY.hex() not in said.stdout + said.stderr
    return home / "out"


def test_keys_are_where_only_their_owner_reads_them(folder: Path) -> None:
    listed = ", ".join(map(str, KEY)).encode()
    having = {
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.is_file() and any(form in path.read_bytes() for form in (KEY, listed, KEY.hex().encode()))
    }
    assert {str(path) for path in having} >= {"firmware.elf", "firmware.bin", "src/lpc_peers.c"}
    shown = {
        path
        for path in having
        if (folder / path).stat().st_mode & 0o077 and (folder / path.parts[0]).stat().st_mode & 0o077
    }
    assert not shown
    assert not {path for path in having if path.suffix in (".json", ".md", ".h")}


def test_the_report_tells_of_the_node_without_its_keys(folder: Path) -> None:
    told = json.loads((folder / "report.json").read_text(encoding="utf-8"))["sixlowpan"]
    assert (told["channel"], told["extended"]) == (25, OWN.value.hex())
    assert told["known"] == [{"address": peers.show_address(OTHER), "mode": "keyed", "key": True}]
    assert told["receive_ram"] <= 4096
    found = open_artifact(folder)
    assert found.program.lowpan is not None
    assert (found.program.lowpan.channel, found.program.lowpan.source) == (25, OWN)
    assert not found.program.lowpan.has_keys


def test_the_model_is_verified_over_the_serial_port_as_ever(folder: Path) -> None:
    said = tinyc("verify", folder, "--count", "3", "--json")
    assert said.code == 0, said.stderr
