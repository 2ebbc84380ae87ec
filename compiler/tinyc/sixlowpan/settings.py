"""What a user says about 6LoWPAN on the device: the table `[sixlowpan]` of `tinyc.toml`."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from tinyc.errors import Problem, TinycError, nearest
from tinyc.sixlowpan import peers as files
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.iphc import Context
from tinyc.sixlowpan.receiver import Peer

ABSENT = Address()
CHIP = "chip"
"""As an extended address: the chip's own number."""
BROADCAST_PAN = 0xFFFF
CHANNELS = (11, 26)
POWERS = (-40, -20, -16, -12, -8, -4, 0, 2, 3, 4, 5, 6, 7, 8)
"""dBm that the nRF52840 can send with (Product Specification, RADIO, TXPOWER)."""
TIME_LIMIT_MS = 60_000
"""RFC 4944, 5.3: a datagram is given up after 60 s at the latest."""

# Inclusive bounds of the whole numbers.
_OWN = {"pan": (0, BROADCAST_PAN - 1), "channel": CHANNELS, "port": (1, 65_535)}
_SIZES = {
    "slots": (1, 254),
    "contexts": (1, 254),
    "slot_bytes": (112, 248),
    "neighbours": (1, 255),
    "done": (1, 255),
    "peers": (1, 255),
    "gap_ms": (10, TIME_LIMIT_MS),
    "total_ms": (10, TIME_LIMIT_MS),
    "done_ms": (0, TIME_LIMIT_MS),
}
_MODES = {mode.name.lower(): mode for mode in Mode}
_TEXTS = ("node", "short", "extended")


@dataclass(frozen=True, slots=True)
class LowpanSettings:
    """One node: where it is on the air, who it is, whom it knows, and the tables of its receive path.

    `short` and `extended` are its addresses; without either the extended one is the chip's own number, read
    when it starts. `source` is the one that its frames come from: that of the node's file, else the short one
    where there is one. `sizes.mode_min` is the least that strangers must use. `elided_checksums`: neighbours
    may leave UDP checksums out. `port` is the UDP port of inference. Keys are in `peers` and nowhere else.
    With `rank` a model ranks new datagrams before they get memory: that of the file `ranker`, else tinyc's.
    Raises TinycError that lists every setting that is impossible.
    """

    pan: int = 0xABCD
    channel: int = 15
    power: int = 0
    short: Address = ABSENT
    extended: Address = ABSENT
    source: Address = ABSENT
    port: int = 61_616
    elided_checksums: bool = False
    sizes: Sizes = field(default_factory=Sizes)
    peers: tuple[Peer, ...] = field(default=(), repr=False)
    prefixes: tuple[Context, ...] = ()
    rank: bool = False
    ranker: Path | None = None

    def __post_init__(self) -> None:
        problems = self._problems()
        if problems:
            raise TinycError(
                "the settings of 6LoWPAN are not possible", where="[sixlowpan]", problems=problems
            )

    @property
    def of_chip(self) -> bool:
        """Whether the extended address is the chip's own number."""
        return not self.short.kind and not self.extended.kind

    @property
    def has_keys(self) -> bool:
        """Whether what is made of this is secret."""
        return any(peer.key is not None for peer in self.peers)

    @classmethod
    def from_toml(cls, table: Mapping[str, Any], folder: Path) -> LowpanSettings:
        """The table `[sixlowpan]`; what it leaves out keeps its default, `node` is relative to `folder`.

        Raises TinycError that lists every key that is unknown, every value that is impossible and what is
        wrong with the node's file.
        """
        problems: list[Problem] = []
        values = _Reader(table, folder, problems).values()
        settings = None
        try:
            settings = cls(**values)
        except TinycError as error:
            problems += error.problems
        if problems or settings is None:
            raise TinycError(
                "the settings of 6LoWPAN are not possible", where="[sixlowpan]", problems=problems
            )
        return settings

    def to_json(self) -> dict[str, Any]:
        """Without keys: of a peer, its address, what it must use, and whether it has a key."""
        sizes = {each.name: getattr(self.sizes, each.name) for each in fields(self.sizes)}
        return {
            "pan": self.pan,
            "channel": self.channel,
            "power": self.power,
            "short": self.short.value.hex() or None,
            "extended": self.extended.value.hex() or (CHIP if self.of_chip else None),
            "source": self.source.value.hex() or None,
            "port": self.port,
            "elided_checksums": self.elided_checksums,
            "rank": self.rank,
            **{
                name: value.name.lower() if isinstance(value, Mode) else value
                for name, value in sizes.items()
            },
            "known": [
                {
                    "address": files.show_address(peer.address),
                    "mode": peer.mode_min.name.lower(),
                    "key": peer.key is not None,
                }
                for peer in self.peers
            ],
            "prefixes": [
                {"number": each.number, "prefix": f"{ipaddress.IPv6Address(each.prefix)}/{each.length}"}
                for each in self.prefixes
            ],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> LowpanSettings:
        """What `to_json` told, so without the keys: enough for sizes, not for a firmware.

        Raises KeyError, TypeError and ValueError for another text.
        """

        def address(key: str) -> Address:
            text = values[key]
            return Address() if text in (None, CHIP) else Address(bytes.fromhex(text))

        sizes = {each.name: values[each.name] for each in fields(Sizes)}
        nets = [(each["number"], ipaddress.IPv6Network(each["prefix"])) for each in values["prefixes"]]
        return cls(
            pan=values["pan"],
            channel=values["channel"],
            power=values["power"],
            short=address("short"),
            extended=address("extended"),
            source=address("source"),
            port=values["port"],
            elided_checksums=values["elided_checksums"],
            rank=values["rank"],
            sizes=Sizes(**sizes | {"mode_min": _MODES[sizes["mode_min"]]}),
            peers=tuple(
                Peer(files.parse_address(each["address"]), _MODES[each["mode"]]) for each in values["known"]
            ),
            prefixes=tuple(Context(n, net.prefixlen, net.network_address.packed) for n, net in nets),
        )

    def public(self) -> LowpanSettings:
        """The same without keys."""
        return replace(self, peers=tuple(replace(peer, key=None) for peer in self.peers))

    def _problems(self) -> list[Problem]:
        found = _out_of_bounds({name: getattr(self, name) for name in _OWN}, _OWN)
        found += _out_of_bounds({name: getattr(self.sizes, name) for name in _SIZES}, _SIZES)
        if self.power not in POWERS or isinstance(self.power, bool):
            allowed = ", ".join(map(str, POWERS))
            found.append(Problem("sixlowpan.power", f"is {self.power!r}", f"one of {allowed} dBm"))
        if not isinstance(self.elided_checksums, bool):
            told = f"is {self.elided_checksums!r}"
            found.append(Problem("sixlowpan.elided_checksums", told, "needs true or false"))
        if self.short.kind not in (0, 2):
            found.append(Problem("sixlowpan.short", "is no short address", "2 bytes, as 12:34"))
        if self.extended.kind not in (0, 8):
            found.append(Problem("sixlowpan.extended", "is no extended address", "8 bytes"))
        if self.source.kind and self.source not in (self.short, self.extended):
            found.append(Problem("sixlowpan.node", "is the file of another address than the node's"))
        if not found and self.sizes.gap_ms > self.sizes.total_ms:
            told = f"is {self.sizes.gap_ms}, more than total_ms"
            found.append(Problem("sixlowpan.gap_ms", told, f"at most {self.sizes.total_ms}"))
        if isinstance(self.sizes.peers, int) and len(self.peers) > self.sizes.peers:
            told = f"is {self.sizes.peers}, but the node knows {len(self.peers)}"
            found.append(Problem("sixlowpan.peers", told, f"from {len(self.peers)} on"))
        numbers = [each.number for each in self.prefixes]
        found += [
            Problem("sixlowpan.prefixes", f"number {number} is there twice, here and in the node's file")
            for number in sorted(set(numbers))
            if numbers.count(number) > 1
        ]
        return found


def _out_of_bounds(values: Mapping[str, Any], bounds: Mapping[str, tuple[int, int]]) -> list[Problem]:
    found = []
    for name, value in values.items():
        low, high = bounds[name]
        if type(value) is not int:
            found.append(Problem(f"sixlowpan.{name}", f"is {value!r}", "needs a whole number"))
        elif not low <= value <= high:
            found.append(Problem(f"sixlowpan.{name}", f"is {value}", f"allowed: {low} to {high}"))
    return found


@dataclass(slots=True)
class _Reader:
    """Takes values out of the table and collects what is wrong with them."""

    table: Mapping[str, Any]
    folder: Path
    problems: list[Problem]

    def values(self) -> dict[str, Any]:
        """The arguments of LowpanSettings, as far as they could be read."""
        plain = ("pan", "channel", "power", "port", "elided_checksums")
        names = (*_TEXTS, *plain, *_SIZES, "mode_min", "prefixes", "rank")
        self.problems += [
            Problem(f"sixlowpan.{key}", "is not a key of 6LoWPAN", nearest(key, names))
            for key in self.table
            if key not in names
        ]
        values = {key: self.table[key] for key in plain if key in self.table}
        sizes = {key: self.table[key] for key in _SIZES if key in self.table}
        node = self._node()
        addresses = {"short": self._address("short", 2), "extended": self._address("extended", 8)}
        if node is not None:
            own = "short" if node.address.kind == 2 else "extended"
            if not addresses[own].kind:
                addresses[own] = node.address
            values |= {"source": node.address, "peers": node.peers}
            # Room for those that it has; the rest is for none.
            sizes.setdefault("peers", max(Sizes().peers, len(node.peers)))
        else:
            values["source"] = addresses["short"] if addresses["short"].kind else addresses["extended"]
        return {
            **values,
            **addresses,
            **self._rank(),
            "sizes": replace(Sizes(), mode_min=self._mode(), **sizes),
            "prefixes": (*(node.contexts if node else ()), *self._prefixes()),
        }

    def _text(self, key: str) -> str | None:
        value = self.table.get(key)
        if value is None or (isinstance(value, str) and value.strip()):
            return value
        self.problems.append(Problem(f"sixlowpan.{key}", f"is {value!r}", "needs a text that is not empty"))
        return None

    def _node(self) -> files.Node | None:
        text = self._text("node")
        if text is None:
            return None
        try:
            return files.load(self.folder / text)
        except TinycError as error:
            told = [Problem(text, error.what, error.hint or error.allowed)]
            self.problems += [
                Problem("sixlowpan.node", f"{each.where}: {each.what}", each.allowed)
                for each in error.problems or told
            ]
            return None

    def _address(self, key: str, size: int) -> Address:
        text = self._text(key)
        if text is None or (key == "extended" and text == CHIP):
            return Address()
        try:
            address = files.parse_address(text)
        except TinycError:
            address = Address()
        if address.kind != size:
            form = "2 bytes, as 12:34" if size == 2 else f'8 bytes, as 02:12:74:00:00:00:00:01, or "{CHIP}"'
            self.problems.append(Problem(f"sixlowpan.{key}", f"is {text!r}", form))
            return Address()
        return address

    def _mode(self) -> Mode:
        text = self._text("mode_min")
        if text is None:
            return Mode.LEGACY
        if text not in _MODES:
            self.problems.append(Problem("sixlowpan.mode_min", f"is {text!r}", nearest(text, tuple(_MODES))))
            return Mode.LEGACY
        return _MODES[text]

    def _rank(self) -> dict[str, Any]:
        value = self.table.get("rank", False)
        if isinstance(value, bool):
            return {"rank": value}
        if not isinstance(value, str) or not value.strip():
            told = "needs true, false, or the path of a model"
            self.problems.append(Problem("sixlowpan.rank", f"is {value!r}", told))
        elif not (self.folder / value).is_file():
            self.problems.append(Problem("sixlowpan.rank", f"names {value!r}, which is not there"))
        else:
            return {"rank": True, "ranker": self.folder / value}
        return {}

    def _prefixes(self) -> tuple[Context, ...]:
        value = self.table.get("prefixes", {})
        if not isinstance(value, dict):
            told = 'needs numbers and prefixes, as { 1 = "2001:db8:1::/64" }'
            self.problems.append(Problem("sixlowpan.prefixes", f"is {value!r}", told))
            return ()
        found = []
        for name, prefix in value.items():
            try:
                found.append(files.parse_context(int(name) if name.isdecimal() else name, str(prefix)))
            except TinycError as error:
                self.problems += [
                    Problem(f"sixlowpan.prefixes.{name}", f"{each.where} {each.what}", each.allowed)
                    for each in error.problems
                ]
        return tuple(found)
