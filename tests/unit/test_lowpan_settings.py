"""`[sixlowpan]`: what it takes, what it refuses, and that keys go nowhere else."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tinyc.boards import load_board
from tinyc.cli.parts import PartsRequest
from tinyc.config import load_config
from tinyc.emit import project
from tinyc.emit.lowpan import Application, render
from tinyc.errors import TinycError
from tinyc.sixlowpan import peers, plan
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.emit_node import reserved_flash, store_address
from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.settings import LowpanSettings
from tinyc.source import Source

pytestmark = pytest.mark.unit

OWN, OTHER = Address.extended(0x0212740000000001), Address.short(0x1234)
KEY = bytes.fromhex("00112233445566778899aabbccddeeff")


@pytest.fixture
def node(tmp_path: Path) -> Path:
    nodes = peers.provision([OWN, OTHER], key=lambda size: KEY)
    return next(path for path in peers.write(tmp_path / "peers", nodes) if path.stem == OWN.value.hex())


def refused(table: dict[str, Any], folder: Path) -> dict[str, str]:
    """Where → what."""
    with pytest.raises(TinycError) as caught:
        LowpanSettings.from_toml(table, folder)
    assert caught.value.where == "[sixlowpan]"
    return {each.where: each.what for each in caught.value.problems}


def test_a_node_file_gives_address_and_peers(node: Path, tmp_path: Path) -> None:
    table = {
        "node": "peers/" + node.name,
        "pan": 0xBEEF,
        "channel": 26,
        "short": "00:07",
        "mode_min": "keyed",
    }
    found = LowpanSettings.from_toml({**table, "gap_ms": 300, "rank": True, "mode_min": "keyed"}, tmp_path)
    assert (found.pan, found.channel, found.extended, found.source) == (0xBEEF, 26, OWN, OWN)
    assert (found.short, found.of_chip, found.rank) == (Address.short(7), False, True)
    assert (found.sizes.mode_min, found.sizes.gap_ms, found.sizes.total_ms) == (Mode.KEYED, 300, 5000)
    (peer,) = found.peers
    assert (peer.address, peer.mode_min, peer.key) == (OTHER, Mode.KEYED, KEY)


def test_without_an_address_it_is_the_chips(tmp_path: Path) -> None:
    assert LowpanSettings.from_toml({}, tmp_path) == LowpanSettings()
    assert LowpanSettings().of_chip
    assert LowpanSettings.from_toml({"extended": "chip"}, tmp_path).of_chip
    short = LowpanSettings.from_toml({"short": "12:34"}, tmp_path)
    assert (short.of_chip, short.source) == (False, OTHER)


def test_prefixes_have_numbers(tmp_path: Path) -> None:
    (context,) = LowpanSettings.from_toml({"prefixes": {"3": "2001:db8:1::/64"}}, tmp_path).prefixes
    assert (context.number, context.length, context.prefix[:6]) == (3, 64, bytes.fromhex("20010db80001"))


@pytest.mark.parametrize(
    ("table", "where"),
    [
        ({"pan": 0xFFFF}, "pan"),
        ({"pan": True}, "pan"),
        ({"channel": 10}, "channel"),
        ({"channel": 27}, "channel"),
        ({"power": 1}, "power"),
        ({"power": True}, "power"),
        ({"port": 0}, "port"),
        ({"port": 65536}, "port"),
        ({"slots": 0}, "slots"),
        ({"slots": 255}, "slots"),
        ({"contexts": "8"}, "contexts"),
        ({"slot_bytes": 100}, "slot_bytes"),
        ({"neighbours": 0}, "neighbours"),
        ({"done": 0}, "done"),
        ({"peers": 0}, "peers"),
        ({"gap_ms": 5}, "gap_ms"),
        ({"gap_ms": 6000}, "gap_ms"),
        ({"total_ms": 60_001}, "total_ms"),
        ({"done_ms": -1}, "done_ms"),
        ({"mode_min": "kyed"}, "mode_min"),
        ({"mode_min": 2}, "mode_min"),
        ({"elided_checksums": "yes"}, "elided_checksums"),
        ({"short": "12:34:56"}, "short"),
        ({"short": "ff:ff"}, "short"),
        ({"extended": "12:34"}, "extended"),
        ({"extended": 5}, "extended"),
        ({"rank": 1}, "rank"),
        ({"rank": "no-such-model.npz"}, "rank"),
        ({"node": "nowhere.toml"}, "node"),
        ({"node": ""}, "node"),
        ({"prefixes": ["2001:db8::/64"]}, "prefixes"),
        ({"prefixes": {"16": "2001:db8::/64"}}, "prefixes.16"),
        ({"prefixes": {"x": "2001:db8::/64"}}, "prefixes.x"),
        ({"prefixes": {"1": "2001:db8::1/64"}}, "prefixes.1"),
        ({"chanel": 15}, "chanel"),
    ],
)
def test_impossible_settings_are_named(table: dict[str, Any], where: str, tmp_path: Path) -> None:
    assert list(refused(table, tmp_path)) == [f"sixlowpan.{where}"]


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    found = refused({"pan": -1, "power": 99, "mode_min": "x", "short": "x", "more": 1}, tmp_path)
    assert len(found) == 5


def test_more_peers_than_there_is_room_for(node: Path, tmp_path: Path) -> None:
    text = node.read_text(encoding="utf-8")
    text += "".join(f'\n[[peer]]\naddress = "00:{i:02x}"\nmode = "legacy"\n' for i in range(1, 9))
    node.write_text(text, encoding="utf-8")
    assert LowpanSettings.from_toml({"node": str(node)}, tmp_path).sizes.peers == 9
    assert refused({"node": str(node), "peers": 8}, tmp_path) == {
        "sixlowpan.peers": "is 8, but the node knows 9"
    }


def test_a_file_of_another_node_is_refused(node: Path, tmp_path: Path) -> None:
    found = refused({"node": str(node), "extended": "02:00:00:00:00:00:00:09"}, tmp_path)
    assert found == {"sixlowpan.node": "is the file of another address than the node's"}


def test_a_file_that_others_can_read_is_refused(node: Path, tmp_path: Path) -> None:
    node.chmod(0o644)
    assert "other users can read the keys" in refused({"node": str(node)}, tmp_path)["sixlowpan.node"]


def test_keys_are_in_one_file_and_nowhere_else(node: Path, tmp_path: Path) -> None:
    settings = LowpanSettings.from_toml({"node": str(node)}, tmp_path)
    told = json.dumps(settings.to_json())
    assert KEY.hex() not in told
    assert KEY.hex() not in repr(settings)
    assert LowpanSettings.from_json(json.loads(told)) == settings.public()
    files = render(load_board("nrf52840_bare"), settings, Application("a", {"a.c": ""}))
    listed = ", ".join(map(str, KEY))
    having = [path for path, text in files.items() if listed in text or KEY.hex() in text]
    assert having == [project.PRIVATE]
    assert "**Secret:**" in files["README.md"]
    old = os.umask(0o022)
    try:
        project.write_texts(files, tmp_path / "out")
    finally:
        os.umask(old)
    modes = {path: (tmp_path / "out" / path).stat().st_mode & 0o777 for path in files}
    assert {path for path, mode in modes.items() if mode != 0o644} == {project.PRIVATE}
    assert modes[project.PRIVATE] == 0o600


def test_an_error_about_a_node_does_not_print_keys(node: Path, tmp_path: Path) -> None:
    node.write_text(node.read_text(encoding="utf-8").replace("mode", "moda"), encoding="utf-8")
    with pytest.raises(TinycError) as caught:
        LowpanSettings.from_toml({"node": str(node)}, tmp_path)
    assert KEY.hex() not in str(caught.value.problems)


def test_tinyc_toml_has_the_table(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"x")
    path = tmp_path / "tinyc.toml"
    path.write_text('[model]\npath = "model.tflite"\n[sixlowpan]\nchannel = 12\n', encoding="utf-8")
    config = load_config(path)
    assert config.lowpan is not None
    assert config.lowpan.channel == 12
    path.write_text('[model]\npath = "model.tflite"\n[sixlowpan]\nchannel = 1\nslots = 0\n', encoding="utf-8")
    with pytest.raises(TinycError) as caught:
        load_config(path)
    assert [each.where for each in caught.value.problems] == ["sixlowpan.channel", "sixlowpan.slots"]


def test_the_command_line_adds_it_and_leaves_it_out(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"x")
    path = tmp_path / "tinyc.toml"
    path.write_text('[model]\npath = "model.tflite"\n[sixlowpan]\nchannel = 12\n', encoding="utf-8")
    plain = Source(path, "m", tmp_path)
    told = replace(plain, config=load_config(path))
    nordic, host = load_board("nrf52840"), load_board("host")
    assert PartsRequest().lowpan(told, nordic) == load_config(path).lowpan
    assert PartsRequest().lowpan(told, host) is None
    assert PartsRequest().lowpan(plain, nordic) is None
    assert PartsRequest(("sixlowpan",)).lowpan(plain, nordic) == LowpanSettings()
    assert PartsRequest((), ("sixlowpan",)).lowpan(told, nordic) is None
    with pytest.raises(TinycError, match="has no radio") as caught:
        PartsRequest().lowpan(told, load_board("microbit"))
    assert caught.value.exit_code == 1
    assert caught.value.allowed == "nano33ble, nrf52840, nrf52840_bare, xiao_nrf52840"
    with pytest.raises(TinycError, match="not possible"):
        PartsRequest(("sixlowpan",), ("sixlowpan",))
    with pytest.raises(TinycError, match="not possible"):
        PartsRequest(("6lowpan",))


def test_counters_have_pages_where_there_are_keys(node: Path, tmp_path: Path) -> None:
    settings = LowpanSettings.from_toml({"node": str(node)}, tmp_path)
    slots, bare = load_board("nrf52840"), load_board("nrf52840_bare")
    assert slots.slots is not None
    assert store_address(slots, settings) == slots.slots.journal - 2 * 4096
    assert store_address(bare, settings, learns=True) == 0x100000 - 2 * 4096
    assert store_address(load_board("xiao_nrf52840"), settings) == 0xEA000 - 2 * 4096
    assert store_address(slots, settings, learns=True) is None
    assert store_address(bare, LowpanSettings()) is None
    assert (reserved_flash(slots, settings), reserved_flash(bare, settings)) == (0, 2 * 4096)


@pytest.mark.parametrize("rank", [False, True])
def test_the_receive_path_fits_4096_bytes_at_the_default_sizes(rank: bool) -> None:
    parts = plan.receive_parts(Sizes(), rank)
    assert sum(parts.values()) <= plan.RECEIVE_BYTES == 4096
    names = {"slots", "contexts", "neighbours", "done", "replay", "counters", "sender"}
    assert set(parts) == names | ({"ranker"} if rank else set())


def test_sizes_have_their_price() -> None:
    base, more = (plan.receive_parts(replace(Sizes(), slots=slots)) for slots in (10, 11))
    assert {name for name in base if base[name] != more[name]} == {"slots"}
    assert more["slots"] - base["slots"] == 116
