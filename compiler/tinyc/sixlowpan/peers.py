"""Who talks to whom: a node's own address, its peers with their pairwise keys, and its contexts.

One TOML file per node, which only its owner can read. Each pair of nodes has a key of its own, so that a
node that is taken apart gives away no other pair.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from tinyc.errors import Problem, TinycError, nearest
from tinyc.files import part_of
from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.iphc import Context
from tinyc.sixlowpan.receiver import Peer

KEY_BYTES = 16
MOST_BYTES = 1 << 20
MOST_CONTEXTS = 16
_MODES = {mode.name.lower(): mode for mode in Mode}
_KEYS = {
    "": ("address", "peer", "context"),
    "peer": ("address", "mode", "key"),
    "context": ("number", "prefix"),
}


@dataclass(frozen=True, slots=True)
class Node:
    """What one node is given. The order of `peers` is that of their addresses."""

    address: Address
    peers: tuple[Peer, ...] = ()
    contexts: tuple[Context, ...] = ()

    def peer(self, address: Address) -> Peer | None:
        """What this node knows of `address`."""
        return next((peer for peer in self.peers if peer.address == address), None)


def parse_address(text: str) -> Address:
    """`02:12:74:00:00:00:00:01` or, of 16 bits, `12:34`. Raises TinycError."""
    digits = text.split(":")
    if len(digits) in (2, 8) and all(len(two) == 2 and _is_hex(two) for two in digits):
        address = Address(bytes.fromhex("".join(digits)))
        if address.value not in (b"\xff\xff", b"\xff\xfe", bytes(8), b"\xff" * 8):
            return address
    raise TinycError(
        f"{text!r} is not the address of a node", allowed="8 or 2 bytes, as 02:12:74:00:00:00:00:01 or 12:34"
    )


def show_address(address: Address) -> str:
    """As `parse_address` reads it, `-` for an absent one."""
    return ":".join(f"{byte:02x}" for byte in address.value) or "-"


def _is_hex(text: str) -> bool:
    return all(letter in "0123456789abcdefABCDEF" for letter in text)


def provision(
    addresses: Sequence[Address],
    *,
    hub: Address | None = None,
    known: Iterable[Node] = (),
    key: Callable[[int], bytes] = secrets.token_bytes,
) -> tuple[Node, ...]:
    """Nodes for `addresses` and those `known`: a key for each pair, or for each pair with `hub`.

    Keys that are known stay, so that a node can be added to a network; the two ends of a pair must agree.
    Raises TinycError that lists all pairs that do not, and addresses that are named twice.
    """
    nodes = {node.address: node for node in known}
    problems = [
        Problem(show_address(address), "is named twice")
        for i, address in enumerate(addresses)
        if address in addresses[:i]
    ]
    for address in (*addresses, *([hub] if hub else [])):
        nodes.setdefault(address, Node(address))
    ordered = sorted(nodes, key=lambda address: address.packed())
    peers: dict[Address, dict[Address, Peer]] = {
        address: {peer.address: peer for peer in nodes[address].peers} for address in ordered
    }
    for one, other in combinations(ordered, 2):
        there, back = peers[one].get(other), peers[other].get(one)
        if there and back and there.key != back.key:
            problems.append(
                Problem(show_address(one), f"has another key for {show_address(other)} than it for us")
            )
            continue
        found = next((peer.key for peer in (there, back) if peer and peer.key), None)
        if found is None and hub is not None and hub not in (one, other):
            continue
        found = found or key(KEY_BYTES)
        for here, far, old in ((one, other, there), (other, one, back)):
            peers[here][far] = Peer(far, old.mode_min if old else Mode.KEYED, found)
    if problems:
        raise TinycError("the nodes cannot be provisioned", problems=problems)
    return tuple(
        Node(
            address,
            tuple(sorted(peers[address].values(), key=lambda peer: peer.address.packed())),
            nodes[address].contexts,
        )
        for address in ordered
    )


def render(node: Node) -> str:
    """The text of a node's file."""
    lines = [
        "# Secret: whoever has these keys can speak for this node and its peers.",
        f'address = "{show_address(node.address)}"',
    ]
    for context in node.contexts:
        prefix = ipaddress.IPv6Address(context.prefix)
        lines += ["", "[[context]]", f"number = {context.number}", f'prefix = "{prefix}/{context.length}"']
    for peer in node.peers:
        lines += ["", "[[peer]]", f'address = "{show_address(peer.address)}"']
        lines.append(f'mode = "{peer.mode_min.name.lower()}"')
        if peer.key is not None:
            lines.append(f'key = "{peer.key.hex()}"')
    return "\n".join(lines) + "\n"


def parse(text: str, where: str = "") -> Node:
    """A node from the text of its file. Raises TinycError that lists all that is wrong."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TinycError(f"is not TOML: {error}", where=where) from error
    problems: list[Problem] = []
    _check_keys(table, "", "", problems)
    address = _address(table, "", problems)
    peers = [_peer(entry, f"peer {i + 1}", problems) for i, entry in _entries(table, "peer", problems)]
    contexts = [
        _context(entry, f"context {i + 1}", problems) for i, entry in _entries(table, "context", problems)
    ]
    seen: set[object] = {address}
    for peer in peers:
        if peer is not None and peer.address in seen:
            problems.append(Problem(show_address(peer.address), "is there twice, or the node itself"))
        seen.add(peer.address if peer else None)
    numbers = [context.number for context in contexts if context]
    problems += [
        Problem(f"context {n}", "is there twice") for n in sorted(set(numbers)) if numbers.count(n) > 1
    ]
    if problems:
        raise TinycError("is not the file of a node", where=where, problems=problems)
    known = sorted((peer for peer in peers if peer), key=lambda peer: peer.address.packed())
    assert address is not None  # or there was a problem
    return Node(address, tuple(known), tuple(context for context in contexts if context))


def _check_keys(table: Mapping[str, Any], kind: str, where: str, problems: list[Problem]) -> None:
    for key in table:
        if key not in _KEYS[kind]:
            problems.append(Problem(f"{where} {key}".strip(), "is not a key here", nearest(key, _KEYS[kind])))


def _entries(
    table: Mapping[str, Any], kind: str, problems: list[Problem]
) -> list[tuple[int, Mapping[str, Any]]]:
    entries = table.get(kind, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        problems.append(Problem(kind, "is not a list of tables", f"begin each with [[{kind}]]"))
        return []
    return list(enumerate(entries))


def _address(table: Mapping[str, Any], where: str, problems: list[Problem]) -> Address | None:
    try:
        return parse_address(str(table.get("address", "")))
    except TinycError as error:
        problems.append(Problem(f"{where} address".strip(), error.what, error.allowed))
        return None


def _peer(entry: Mapping[str, Any], where: str, problems: list[Problem]) -> Peer | None:
    _check_keys(entry, "peer", where, problems)
    address = _address(entry, where, problems)
    mode = _MODES.get(str(entry.get("mode", "keyed")))
    key = entry.get("key")
    if mode is None:
        problems.append(
            Problem(f"{where} mode", f"is {entry['mode']!r}", nearest(str(entry["mode"]), list(_MODES)))
        )
    if key is not None and not (isinstance(key, str) and len(key) == 2 * KEY_BYTES and _is_hex(key)):
        # A key is never printed, not even a wrong one.
        problems.append(Problem(f"{where} key", "is not a key", f"{2 * KEY_BYTES} hexadecimal digits"))
        key = None
    elif key is None and mode is Mode.KEYED:
        problems.append(
            Problem(where, "has no key, and takes only keyed fragments", "a key, or another mode")
        )
    if address is None or mode is None:
        return None
    return Peer(address, mode, bytes.fromhex(key) if key else None)


def _context(entry: Mapping[str, Any], where: str, problems: list[Problem]) -> Context | None:
    _check_keys(entry, "context", where, problems)
    try:
        return parse_context(entry.get("number"), str(entry.get("prefix", "")))
    except TinycError as error:
        problems += [Problem(f"{where} {each.where}", each.what, each.allowed) for each in error.problems]
        return None


def parse_context(number: object, prefix: str) -> Context:
    """A prefix that all nodes know by its number. Raises TinycError that lists what is wrong."""
    problems = []
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < MOST_CONTEXTS:
        problems.append(Problem("number", f"is {number!r}", f"0 to {MOST_CONTEXTS - 1}"))
    try:
        network = ipaddress.IPv6Network(prefix)
    except ValueError as error:
        problems.append(Problem("prefix", str(error), "such as 2001:db8:1:2::/64"))
    if problems:
        raise TinycError("is no prefix with a number", problems=problems)
    assert isinstance(number, int)  # or there was a problem
    return Context(number, network.prefixlen, network.network_address.packed)


def load(path: Path) -> Node:
    """A node's file. Raises TinycError, also where other users could read keys in it."""
    where = str(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES)
            exposed = os.name == "posix" and bool(os.fstat(stream.fileno()).st_mode & 0o077)
        node = parse(content.decode("utf-8"), where)
    except UnicodeDecodeError as error:
        raise TinycError("is not text", where=where) from error
    except OSError as error:
        raise TinycError(f"cannot be read: {error.strerror}", where=where) from error
    if exposed and any(peer.key for peer in node.peers):
        raise TinycError("other users can read the keys in it", where=where, hint=f"chmod 600 {path}")
    return node


def path_of(folder: Path, address: Address) -> Path:
    """Where the file of a node lies."""
    return folder / f"{address.value.hex()}.toml"


def write(folder: Path, nodes: Iterable[Node]) -> tuple[Path, ...]:
    """Write the nodes' files, readable by their owner only; each is complete or as it was. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = []
    for node in nodes:
        target = path_of(folder, node.address)
        part = part_of(target)
        part.unlink(missing_ok=True)
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                stream.write(render(node).encode())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        written.append(target)
    return tuple(written)


def load_folder(folder: Path) -> tuple[Node, ...]:
    """The nodes of all files in a folder, none if it is not there. Raises TinycError."""
    return tuple(load(path) for path in sorted(folder.glob("*.toml")))
