"""Peers: one key per pair, files that only their owner reads, and messages that name what is wrong."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from tinyc.errors import TinycError
from tinyc.sixlowpan import peers
from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.iphc import Context
from tinyc.sixlowpan.peers import Node, parse_address, provision
from tinyc.sixlowpan.receiver import Receiver
from tinyc.sixlowpan.sender import Outgoing

pytestmark = pytest.mark.unit

ADDRESSES = [parse_address(f"02:12:74:00:00:00:00:0{i}") for i in range(1, 4)] + [parse_address("12:34")]


def test_a_key_for_each_pair() -> None:
    nodes = {node.address: node for node in provision(ADDRESSES)}
    assert set(nodes) == set(ADDRESSES)
    keys = set()
    for one, other in combinations(ADDRESSES, 2):
        there, back = nodes[one].peer(other), nodes[other].peer(one)
        assert there is not None and back is not None
        assert there.key == back.key
        assert there.mode_min is back.mode_min is Mode.KEYED
        keys.add(there.key)
    assert len(keys) == 6
    assert {len(key) for key in keys if key} == {16}


def test_a_star_has_keys_with_its_hub_only() -> None:
    hub, *others = ADDRESSES
    nodes = {node.address: node for node in provision(others, hub=hub)}
    assert [peer.address for peer in nodes[hub].peers] == sorted(others, key=lambda it: it.packed())
    for other in others:
        assert [peer.address for peer in nodes[other].peers] == [hub]


def test_a_node_is_added_and_the_keys_stay() -> None:
    before = provision(ADDRESSES[:3])
    after = {node.address: node for node in provision(ADDRESSES[3:], known=before)}
    for node in before:
        assert set(node.peers) < set(after[node.address].peers)
        assert len(after[node.address].peers) == 3


def test_ends_that_disagree() -> None:
    one, two = provision(ADDRESSES[:2])
    other = replace(two, peers=(replace(two.peers[0], key=bytes(16)),))
    with pytest.raises(TinycError, match="another key"):
        provision([], known=[one, other])
    with pytest.raises(TinycError, match="named twice"):
        provision([*ADDRESSES, ADDRESSES[0]])


def test_files(tmp_path: Path) -> None:
    nodes = provision(ADDRESSES)
    context = Context(5, 45, bytes.fromhex("20010db8bbb8") + bytes(10))
    nodes = (replace(nodes[0], contexts=(context,)), *nodes[1:])
    folder = tmp_path / "peers"
    for _ in range(2):
        written = peers.write(folder, nodes)
        assert {path.name for path in folder.iterdir()} == {path.name for path in written}
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in written)
    assert set(peers.load_folder(folder)) == set(nodes)
    assert provision([], known=peers.load_folder(folder)) == nodes


@pytest.mark.skipif(os.name != "posix", reason="file modes are of POSIX")
def test_a_file_that_others_can_read(tmp_path: Path) -> None:
    path = peers.write(tmp_path, provision(ADDRESSES))[0]
    path.chmod(0o640)
    with pytest.raises(TinycError, match="chmod 600"):
        peers.load(path)


def test_all_that_is_wrong_is_said_and_no_key() -> None:
    key = "0123456789abcdef0123456789abcdeg"
    text = f"""
    address = "02:12"
    colour = 1
    [[peer]]
    address = "02:12"
    mode = "kayed"
    [[peer]]
    address = "ff:ff"
    key = "{key}"
    [[peer]]
    address = "02:12"
    [[context]]
    number = 16
    prefix = "2001:db8::1/64"
    """
    with pytest.raises(TinycError) as caught:
        peers.parse(text, "node.toml")
    said = str(caught.value)
    for part in ("colour", "keyed", "ff:ff", "twice", "digits", "no key", "0 to 15", "host bits"):
        assert part in said
    assert key not in said


@pytest.mark.parametrize(
    "text", ["", "12", "12:3", "12:34:56", "+1:02", "ff:ff", "ff:fe", "0x:12", "00:" * 7 + "00"]
)
def test_not_an_address(text: str) -> None:
    with pytest.raises(TinycError):
        parse_address(text)


def test_a_file_without_peers() -> None:
    assert peers.parse('address = "12:34"') == Node(parse_address("12:34"))


def test_what_holds_a_key_does_not_show_it() -> None:
    one, other = ADDRESSES[:2]
    (node, _) = provision([one, other])
    key = node.peers[0].key
    assert key is not None
    outgoing = Outgoing(one, other, b"", 0, b"", 1, Mode.KEYED, 0, key)
    for shown in (repr(node), repr(node.peers[0]), repr(Receiver(node.peers)), repr(outgoing)):
        assert repr(key) not in shown
        assert key.hex() not in shown
