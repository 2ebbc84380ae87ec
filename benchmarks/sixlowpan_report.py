"""The 6LoWPAN benchmark in print: tables, what is wanted and whether it is met, pictures, the docs' page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sixlowpan_chip import Chip, chip
from sixlowpan_runs import NONE, OURS
from sixlowpan_tables import HALF, RATES, SIZES, Airtime, Further, Table, airtime, breaking_rate
from tinyc.sixlowpan.simulation.plots import Bars, Chart, Lines, page
from tinyc.sixlowpan.simulation.summary import Row

Rows = Mapping[str, Mapping[str, Row]]
LEAST_DELIVERY = 0.945
KEYED_RAM, LEGACY_RAM, RAM_ATTACK = 128, 700, "early_first_50"
INSIDER, INSIDER_FRAMES = "insider", 14
MOST_INSTRUCTIONS, MOST_AIRTIME, MOST_STATIC = 2500, 0.05, 4096
SPLIT = "split_28x60s"
CHAINS = ("keyed", "content")
_LOSSES_WITHOUT_BLOCKS = ("5%", "10%", "15%", "20%")


@dataclass(frozen=True, slots=True)
class Costs:
    """What does not come from the simulator. airtime: (mode, size) →."""

    airtime: Mapping[tuple[str, int], Airtime]
    chip: Chip

    def overhead(self, mode: str, size: int) -> float:
        """Share of the airtime that legacy fragments of the same datagram take."""
        return self.airtime[mode, size].frames_us / self.airtime["legacy", size].frames_us - 1


@dataclass(frozen=True, slots=True)
class Bar:
    """What is wanted. met: None where it was not measured."""

    wanted: str
    found: str
    met: bool | None


def costs() -> Costs:
    """Airtime by arithmetic, instructions and memory from the emulated Cortex-M4."""
    sizes = (SIZES[0], 448, SIZES[1])
    return Costs({(name, size): airtime(mode, size) for name, mode in OURS.items() for size in sizes}, chip())


def _lowest(rows: Rows, mode: str) -> Bar:
    attack, row = min(rows[mode].items(), key=lambda it: it[1]["delivery"])
    found = f"{row['delivery']:.4f} ({attack}), ceiling {row['ceiling']:.4f}"
    return Bar(
        f"{mode}: delivery at least {LEAST_DELIVERY} in every row", found, row["delivery"] >= LEAST_DELIVERY
    )


def _below_split(rows: Rows) -> Bar | None:
    if "legacy" not in rows or SPLIT not in rows:
        return None
    gaps = {
        attack: row["delivery"] - rows[SPLIT][attack]["delivery"] for attack, row in rows["legacy"].items()
    }
    attack = min(gaps, key=lambda it: gaps[it])
    wanted = "legacy: delivery never below the split buffer's"
    return Bar(wanted, f"{gaps[attack]:+.4f} at least ({attack})", gaps[attack] >= 0)


def bars(rows: Rows, further: Further | None, costs: Costs) -> list[Bar]:
    """All that is wanted, as far as it was run."""
    made = [_lowest(rows, mode) for mode in CHAINS if mode in rows]
    for mode in OURS:
        if mode in rows:
            wrong = {attack: row["wrong"] for attack, row in rows[mode].items() if attack != INSIDER}
            found = ", ".join(f"{count} ({attack})" for attack, count in wrong.items() if count) or "0"
            made.append(Bar(f"{mode}: no wrong delivery", found, not any(wrong.values())))
    if (split := _below_split(rows)) is not None:
        made.append(split)
    for mode, most in (("keyed", KEYED_RAM), ("legacy", LEGACY_RAM)):
        if RAM_ATTACK in rows.get(mode, {}):
            held = rows[mode][RAM_ATTACK]["attacker_ram"]
            made.append(Bar(f"{mode}: at most {most} B held at {RAM_ATTACK}", f"{held:.1f} B", held <= most))
    if INSIDER in rows.get("keyed", {}):
        frames = rows["keyed"][INSIDER]["detection"]
        wanted = f"keyed: an insider that sends only first fragments is blocked within {INSIDER_FRAMES}"
        made.append(Bar(wanted, f"{frames}", frames is not None and frames <= INSIDER_FRAMES))
    if further is not None:
        for mode, by_loss in further.loss.items():
            blocked = sum(by_loss[loss]["false_blocks"] for loss in _LOSSES_WITHOUT_BLOCKS)
            made.append(Bar(f"{mode}: nobody honest blocked at up to 20 % loss", f"{blocked}", not blocked))
    for mode, counts in costs.chip.instructions.items():
        wanted = f"{mode}: at most {MOST_INSTRUCTIONS} instructions for a fragment of 448 bytes"
        # Plain fragments and keyed chains are what the figure was set for; content chains hash by BLAKE2s.
        made.append(Bar(wanted, f"{max(counts)}", max(counts) <= MOST_INSTRUCTIONS))
    over = costs.overhead("keyed", 448)
    made.append(
        Bar(f"keyed: at most {MOST_AIRTIME:.0%} more airtime, 448 B", f"{over:.1%}", over <= MOST_AIRTIME)
    )
    ram = costs.chip.ram
    made.append(Bar(f"at most {MOST_STATIC} B of static RAM", f"{ram} B", ram <= MOST_STATIC))
    return made


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    made = [f"| {' | '.join(head)} |", "|" + "|".join(["---", *["--:"] * (len(head) - 1)]) + "|"]
    return "\n".join([*made, *(f"| {' | '.join(line)} |" for line in lines)])


def _by_attack(rows: Rows, show: Callable[[Row], str]) -> str:
    """Attacks down, modes across."""
    attacks = next(iter(rows.values()))
    return _table(
        ["attack", *rows], [[attack, *(show(rows[mode][attack]) for mode in rows)] for attack in attacks]
    )


def _by_mode(table: Table, show: Callable[[Row], str], first: str = "mode") -> str:
    columns = next(iter(table.values()))
    return _table(
        [first, *columns], [[mode, *(show(it) for it in row.values())] for mode, row in table.items()]
    )


def _delivery(row: Row) -> str:
    return f"{row['delivery']:.3f}"


def _energy(row: Row) -> str:
    return "–" if row["energy_uj"] is None else f"{row['energy_uj']:,.0f}"


def _frames(row: Row) -> str:
    return "–" if row["detection"] is None else str(row["detection"])


def tables_text(rows: Rows, further: Further | None, costs: Costs, seeds: int, seconds: float) -> str:
    """All tables, as Markdown."""
    any_row = next(iter(next(iter(rows.values())).values()))
    parts = [
        f"4 senders, one datagram of 448 bytes a second each, 1 % of the frames lost with all their repeats; "
        f"{seeds} seeds of {seconds:g} s. These losses alone leave {any_row['ceiling']:.3f}.",
        "### Delivery\n\nShare of the honest datagrams that were handed up right.",
        _by_attack(rows, _delivery),
        "### Wrong deliveries\n\nHanded up by UDP, and in brackets those that only UDP's checksum stopped.",
        _by_attack(rows, lambda it: f"{it['wrong']} ({it['wrong_reassembly']})"),
        "### Memory held by what is not honest\n\nBytes, mean over time.",
        _by_attack(rows, lambda it: f"{it['attacker_ram']:,.0f}"),
        "### Energy\n\nMicrojoules of sink and senders for each delivered datagram.",
        _by_attack(rows, _energy),
        "### Honest neighbours blocked\n\nAddresses, of all seeds.",
        _by_attack({mode: rows[mode] for mode in rows if mode in OURS}, lambda it: str(it["false_blocks"])),
        "### Frames until an attacker's own address was blocked\n\nOf the worst seed; – if not in all.",
        _by_attack({mode: rows[mode] for mode in rows if mode in OURS}, _frames),
    ]
    if further is not None:
        parts += [
            "### Frame loss without an attack\n\nHonest addresses blocked, and delivery (its ceiling).",
            _by_mode(
                further.loss,
                lambda it: f"{it['false_blocks']}, {it['delivery']:.3f} ({it['ceiling']:.3f})",
            ),
            "### Many senders, without an attack\n\nDelivery.",
            _by_mode(further.senders, _delivery),
            "### Other sizes\n\nDelivery.",
            _by_mode(further.sizes, _delivery),
            f"### Rate of attack\n\nDelivery under first fragments from the attackers' own addresses, by "
            f"frames a second; behind it the least of these rates that pushes it under {HALF:g}.",
            _rates(further.rates),
        ]
    parts += ["### Airtime\n\nOf the frames of one datagram; legacy in milliseconds.", _airtime(costs)]
    parts += [
        "### On the chip\n\nInstructions of each fragment of a 448-byte datagram on the emulated Cortex-M4, "
        "the last one with delivery.",
        _table(
            ["mode", *(str(i + 1) for i in range(max(map(len, costs.chip.instructions.values()))))],
            [[mode, *map(str, counts)] for mode, counts in costs.chip.instructions.items()],
        ),
        f"Static RAM {costs.chip.ram} B, stack {costs.chip.stack} B below the frame.",
    ]
    return "\n\n".join([part for part in parts if part]) + "\n"


def _rates(rates: Table) -> str:
    lines = []
    for mode, row in rates.items():
        least = breaking_rate(row)
        least_text = f"over {max(RATES)}" if least is None else str(least)
        lines.append([mode, *(_delivery(it) for it in row.values()), least_text])
    return _table(["mode", *map(str, RATES), f"under {HALF:g}"], lines)


def _airtime(costs: Costs) -> str:
    sizes = sorted({size for _, size in costs.airtime})
    lines = []
    for mode in OURS:
        cells = []
        for size in sizes:
            it = costs.airtime[mode, size]
            how = (
                f"{it.frames_us / 1000:.1f} ms" if mode == "legacy" else f"{costs.overhead(mode, size):+.1%}"
            )
            cells.append(f"{how}, {it.fragments} frames")
        lines.append([mode, *cells])
    return _table(["mode", *(f"{size} B" for size in sizes)], lines)


def bars_text(made: Sequence[Bar]) -> str:
    """What is wanted and what was found."""
    told = {True: "met", False: "NOT MET", None: "not measured"}
    return _table(["wanted", "found", ""], [[it.wanted, it.found, told[it.met]] for it in made])


def plain(further: Further, costs: Costs) -> dict[str, Any]:
    """The further tables for JSON."""
    times = {f"{mode} {size}": asdict(it) for (mode, size), it in costs.airtime.items()}
    return {**asdict(further), "airtime": times, "chip": asdict(costs.chip)}


def plots(rows: Rows, further: Further | None, seeds: int, seconds: float) -> str:
    """The page."""

    def values(key: str, modes: Sequence[str], attacks: Sequence[str]) -> dict[str, dict[str, float | None]]:
        return {attack: {mode: rows[mode][attack][key] for mode in modes} for attack in attacks}

    attacks, modes = list(next(iter(rows.values()))), list(rows)
    ours = [mode for mode in modes if mode in OURS]
    charts: list[Chart] = [
        Bars(
            "Delivery",
            "Share of the honest datagrams that were handed up right.",
            values("delivery", modes, attacks),
            most=1.0,
            marks=[(LEAST_DELIVERY, f"{LEAST_DELIVERY}")],
        ),
        Bars(
            "Memory held by what is not honest",
            "Bytes, mean over time.",
            values("attacker_ram", modes, attacks),
            log=True,
            digits=0,
            marks=[(KEYED_RAM, f"{KEYED_RAM} B"), (LEGACY_RAM, f"{LEGACY_RAM} B")],
        ),
        Bars(
            "Energy for each delivered datagram",
            "Microjoules of sink and senders.",
            values("energy_uj", modes, attacks),
            log=True,
            digits=0,
        ),
        Bars(
            "Frames until an attacker's own address is blocked",
            "The worst seed. None: it was not blocked in all seeds.",
            values("detection", ours, [it for it in attacks if any(rows[m][it]["detection"] for m in ours)]),
            log=True,
            digits=0,
        ),
    ]
    if further is not None:
        charts += _lines(further)
    about = f"4 senders, 448-byte datagrams, 1 % frame loss, {seeds} seeds of {seconds:g} s."
    return page("6LoWPAN reassembly under attack", about, charts)


def _lines(further: Further) -> list[Chart]:
    def points(table: Table, key: str) -> dict[str, list[tuple[float, float]]]:
        return {
            mode: [(float(x.rstrip("%")), it[key]) for x, it in row.items()] for mode, row in table.items()
        }

    return [
        Lines(
            "Honest neighbours blocked, by frame loss",
            "Addresses of all seeds, without an attack.",
            "frames lost, %",
            points(further.loss, "false_blocks"),
        ),
        Lines(
            "Delivery by the rate of attack",
            "First fragments from attackers' own addresses.",
            "frames a second",
            points(further.rates, "delivery"),
            log=True,
            most=1.0,
            marks=[(HALF, f"{HALF:g}")],
        ),
        Lines(
            "Delivery by senders",
            "Without an attack.",
            "senders",
            points(further.senders, "delivery"),
            most=1.0,
        ),
    ]


def document(text: str, wanted: str) -> str:
    """The page of the docs."""
    return f"""{_INTRODUCTION}
## What is wanted

{wanted}

## Tables

{text}"""


_INTRODUCTION = f"""# 6LoWPAN figures

Reassembly of 6LoWPAN fragments under attack: our three modes, and what they are compared with, in one
simulator. This page is written by

```
.venv/bin/python benchmarks/sixlowpan.py --update-docs
```

which takes some minutes; `--json FILE` writes the rows, `--tables FILE` the further tables, `--plots
FOLDER` a page of pictures. Run it again after a change of the receive path.

## How to read it

- **keyed**, **content** and **legacy** run the generated C, as it goes into firmware, at its default sizes.
- **plain_BxT** is RFC 4944 as written: B buffers of 1,280 bytes, each for one datagram until T. Any
  fragment opens one.
- **{SPLIT}** is the split buffer of Hummen et al. (WiSec 2013): 28 slots for fragments; under overload the
  datagram with the worst completion and continuity goes. It is a re-implementation from the description of
  the mechanism, as are the plain buffers: the authors' code was not at hand, and the figures that they and
  later papers published could not be read here. So the *methods* are compared, not those figures.
- **lwip** is lwIP 2.1.3 as Debian packages it, a process of its own, with its default timers and this
  machine's heap, which has no limit a node would have. Its memory is what its heap holds for fragments,
  with pointers of 8 bytes and its pool's buffers as they were built. It is left out where it is not
  installed.
- The same datagrams are sent at the same times, and the same frames are lost, in every mode and under every
  attack. Collisions and busy channels come on top and are repeated, up to three times. The *ceiling* is
  what those losses leave.
- A datagram is **wrong** if that source never sent it like that. What is counted is what UDP would hand up,
  its checksum verified, in every mode alike. In brackets is what reassembly handed up. An attacker that
  overhears all of a plain datagram but its end can choose the end so that the checksum fits; no rule of a
  receiver helps against that where fragments are not chained, and the attacks here do not do it.
- **Memory held** counts slots (with their records) or buffers, and a record for each datagram under way.
  Datagrams that an honest sender gave up count too once nobody will finish them.
- **Blocked**: keyed refuses new datagrams of such an address. In legacy and content it may be a victim's, so
  it goes on to be heard, with memory for four datagrams at most and none for what stands still.
- lwIP drops a first fragment that holds the whole datagram, which is how our senders put 128 bytes into one
  frame: that, not an attack, is its column there.
- Energy is that of radios (4.8 mA sending, 6.4 mA receiving, 3 V) and of instructions, an estimate.
- Nothing here was measured on a radio. Signal strength is simulated: log-distance, 2.5 dB.

{NONE} is no attack; the attacks are described in `tinyc lowpan simulate --help` and in the sources of the
simulator.
"""
