"""Three emulated boards on one air: a sensor, a classifier, and somebody who attacks them.

    python run.py                                   # every attack, with keys and without
    python run.py --mode keyed --attack replay --windows 20
    python run.py --json results.json

Makes keys as `tinyc lowpan provision` does, builds the three firmwares, lets the emulated radios talk, and
prints what became of the windows. Needs nothing but tinyc.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import windows

from tinyc import pipeline
from tinyc.boards import load_board
from tinyc.cli import output, target
from tinyc.device.client import DeviceClient
from tinyc.emit.lowpan import Application
from tinyc.emulator import Machine
from tinyc.emulator.air import BYTE, CLOCK_HZ, HEADER_BYTES, Air
from tinyc.emulator.transport import AirTransport
from tinyc.interpreter import run as interpret
from tinyc.sixlowpan import pcap, peers
from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.pcap import Captured
from tinyc.sixlowpan.peers import Node
from tinyc.sixlowpan.receiver import Peer
from tinyc.sixlowpan.settings import LowpanSettings
from tinyc.sixlowpan.told import LowpanClient, Told
from tinyc.toolchain import lowpan
from tinyc.toolchain.elf import read_elf

HERE = Path(__file__).parent
CLASSIFIER, SENSOR, ATTACKER = (Address.extended(0x0212740000000000 + n) for n in (1, 2, 0x66))
MODES = (Mode.KEYED, Mode.LEGACY)
# In the order of `enum attack` of attacker.c.
ATTACKS = (
    *("none", "early_first", "victim_first", "spoofed_first"),
    *("later_flood", "duplicates", "replay", "false_answers"),
)
PERIOD_US, PATIENCE_US, START_US = 200_000, 1_100_000, 20_000
CHECK_SUM_BYTES = 2
# Volts times amperes of the radio (nRF52840 Product Specification, at 0 dBm with the DC/DC converter).
SENDING_W, RECEIVING_W = 3.0 * 4.8e-3, 3.0 * 6.4e-3
_LINE = re.compile(r"window (\d+): (.*)")
_ANSWER = re.compile(r"class (\d+), output ([0-9a-f]+), after (\d+) ms")


@dataclass(frozen=True, slots=True)
class Firmwares:
    """ELF files of one network, and what each window is and should be answered."""

    classifier: Path
    sensor: Path
    attacker: Path
    nodes: tuple[Node, ...]
    """What classifier and sensor were given: their peers and keys."""
    labels: tuple[int, ...]
    outputs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """What became of the windows under one attack. Counters are those of the classifier and the sensor."""

    mode: str
    attack: str
    windows: int
    answered: int
    right: int
    """Of the answered ones, those with the class that the window was made as."""
    wrong: int
    """Answers that the sensor believed and the model did not give."""
    lost: int
    """Windows and answers of which a frame was never acknowledged, whatever the retries. Windows that the
    sensor sends until the run ends are among them, one second longer."""
    asked_twice: int
    """Answers to windows that nobody waited for: the classifier was made to work for nothing."""
    attack_frames: int
    refused: Mapping[str, int]
    """Verdicts on frames at the classifier and the sensor, but for those that every network has."""
    milliseconds: float
    """From a window to its answer, mean."""
    attacker_air: float
    """Share of the time that the attacker sends."""
    energy_mj: float
    """Of the classifier's radio, per answered window: what it sends, and what it has to hear."""


def nodes_of(mode: Mode, folder: Path) -> tuple[Path, Path, Path]:
    """The files of classifier, sensor and attacker: with a key of the first two, or none at all."""
    if mode is Mode.KEYED:
        known = peers.load_folder(folder)
        found = peers.provision([CLASSIFIER, SENSOR], known=known)
    else:
        found = (
            Node(CLASSIFIER, (Peer(SENSOR, mode),)),
            Node(SENSOR, (Peer(CLASSIFIER, mode),)),
        )
    stranger = Node(ATTACKER, (Peer(CLASSIFIER, Mode.LEGACY), Peer(SENSOR, Mode.LEGACY)))
    classifier, sensor = peers.write(folder, found)
    (attacker,) = peers.write(folder / "attacker", [stranger])
    return classifier, sensor, attacker


def build(
    mode: Mode, folder: Path, board_name: str = "nrf52840", *, attacker: Path | None = None
) -> Firmwares:
    """The three firmwares in `folder`; the attacker is the same in all networks, and may be there already."""
    board = load_board(board_name)
    program = target.compiled(HERE, board_name)[2]
    strangers = mode.name.lower()
    nodes = nodes_of(mode, folder / "peers")
    settings = [
        LowpanSettings.from_toml({"node": str(path.absolute()), "mode_min": strangers}, folder)
        for path in nodes
    ]
    data, labels = windows.quantized()
    shown = windows.header(data)

    def node(name: str, told: LowpanSettings, more: Mapping[str, str]) -> Path:
        source = (HERE / f"{name}.c").read_text(encoding="utf-8")
        application = Application(name, {f"{name}.c": source, **more})
        return lowpan.build(board, told, application, folder / name).firmware.elf

    classifier = pipeline.build(replace(program, lowpan=settings[0]), folder / "classifier").elf
    sensor = node("sensor", settings[1], {"windows.h": shown})
    attacker = attacker or node("attacker", settings[2], {})
    shape = program.graph[program.graph.inputs[0]].shape
    outputs = tuple(
        np.asarray(interpret(program.graph, [window.reshape(shape)])[0], np.int8).tobytes() for window in data
    )
    known = tuple(map(peers.load, nodes[:2]))
    return Firmwares(classifier, sensor, attacker, known, tuple(map(int, labels)), outputs)


class Network:
    """The three boards, just switched on."""

    def __init__(
        self, firmwares: Firmwares, board_name: str = "nrf52840", *, loss: float = 0.0, seed: int = 0
    ) -> None:
        board = load_board(board_name)
        self.air = Air(seed=seed, loss=loss)
        self.classifier, self.sensor, self.attacker = (
            Machine(elf, board) for elf in (firmwares.classifier, firmwares.sensor, firmwares.attacker)
        )
        for name in ("classifier", "sensor", "attacker"):
            self.air.join(name, getattr(self, name))
        symbols = {symbol.name: symbol.address for symbol in read_elf(firmwares.attacker).symbols}
        self._chosen = symbols["attack_chosen"]
        self._outputs, self._labels = firmwares.outputs, firmwares.labels
        self.air.run(START_US)

    def attack(self, name: str) -> None:
        """What a debugger would do: choose the attack."""
        number = ATTACKS.index(name)
        self.attacker.write_ram(self._chosen, number.to_bytes(4, "little"), "run.py")

    def told(self) -> tuple[Told, Told]:
        """What classifier and sensor have counted, over their serial ports."""
        lines = (AirTransport(machine, self.air) for machine in (self.classifier, self.sensor))
        classifier, sensor = (LowpanClient(DeviceClient(line)).told() for line in lines)
        return classifier, sensor

    def run(self, count: int) -> tuple[str, ...]:
        """Let the sensor send `count` windows; what it said of each."""
        self.sensor.line.from_device.clear()
        self.air.run(count * PERIOD_US + PATIENCE_US + PERIOD_US)
        text = bytes(self.sensor.line.from_device).decode("ascii", "replace")
        self.sensor.line.from_device.clear()
        return tuple(text.splitlines())

    def capture(self) -> list[Captured]:
        """All frames that were ever on the air, as a sniffer beside the boards would have them."""
        return [
            Captured(it.start * 1_000_000_000 // CLOCK_HZ, it.psdu[:-CHECK_SUM_BYTES])
            for it in self.air.frames
        ]

    def airtime(self, sender: str, since: int) -> float:
        """Seconds that a station has sent since that time of the air."""
        mine = (it for it in self.air.frames if it.sender == sender and it.start >= since)
        return sum((HEADER_BYTES + len(it.psdu)) * BYTE for it in mine) / CLOCK_HZ

    def row(self, mode: Mode, attack: str, count: int) -> Row:
        """The first `count` windows under this attack."""
        self.attack(attack)
        since = self.air.now
        said = self.run(count)
        seconds = (self.air.now - since) / CLOCK_HZ
        answers, wrong, strays, lost, spent = {}, 0, 0, 0, []
        for line in said:
            number, what = _numbered(line)
            lost += what.endswith("was never acknowledged") and number < count
            strays += what == "nobody asked for this answer" and number < count
            answer = _ANSWER.fullmatch(what)
            if answer is None or number >= count:
                continue
            answers[number] = int(answer[1])
            wrong += bytes.fromhex(answer[2]) != self._outputs[number % len(self._outputs)]
            spent.append(int(answer[3]))
        heard = sum(self.airtime(name, since) for name in ("sensor", "attacker"))
        energy = self.airtime("classifier", since) * SENDING_W + heard * RECEIVING_W
        attackers = self.airtime("attacker", since)
        frames = sum(it.sender == "attacker" and it.start >= since for it in self.air.frames)
        told = self.told()
        return Row(
            mode.name.lower(),
            attack,
            count,
            len(answers),
            sum(label == self._labels[number % len(self._labels)] for number, label in answers.items()),
            wrong,
            lost + told[0].node["failed"],
            strays,
            frames,
            refusals(told),
            sum(spent) / max(1, len(spent)),
            attackers / seconds,
            energy * 1e3 / max(1, len(answers)),
        )


def _numbered(line: str) -> tuple[int, str]:
    found = _LINE.fullmatch(line)
    return (int(found[1]), found[2]) if found else (0, "")


_USUAL = frozenset({"taken", "delivered", "duplicate", "done_duplicate", "whole", "rx_first", "rx_later"})


def refusals(told: Iterable[Told]) -> dict[str, int]:
    """What was refused, by counter, over these nodes; without what every network has."""
    sums: dict[str, int] = {}
    for each in told:
        for verdict, count in each.verdicts.items():
            name = verdict.name.lower()
            if count and name not in _USUAL:
                sums[name] = sums.get(name, 0) + count
    return sums


def table(rows: Sequence[Row]) -> None:
    """The rows as a table on the screen."""
    columns = (
        "network",
        "attack",
        "windows>",
        "answered>",
        "right>",
        "wrong>",
        "lost>",
        "twice>",
        "attack frames>",
    )
    columns += ("refused", "ms>", "attacker's air>", "mJ>")
    lines = [
        (
            *(
                row.mode,
                row.attack,
                row.windows,
                row.answered,
                row.right,
                row.wrong,
                row.lost,
                row.asked_twice,
            ),
            row.attack_frames,
            ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in row.refused.items()) or "-",
            *(f"{row.milliseconds:.0f}", f"{row.attacker_air:.1%}", f"{row.energy_mj:.2f}"),
        )
        for row in rows
    ]
    output.table("", columns, lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--windows", type=int, default=50, help="sent under each attack, at 5 per second")
    parser.add_argument("--attack", action="append", choices=ATTACKS, help="default: all of them")
    parser.add_argument("--mode", action="append", choices=[mode.name.lower() for mode in MODES])
    parser.add_argument("--loss", type=float, default=0.0, help="share of frames that a receiver misses")
    parser.add_argument("--output", type=Path, default=HERE / "build", help="where the firmwares are built")
    parser.add_argument(
        "--pcap", type=Path, help="write the frames of the last run there, for tinyc lowpan check"
    )
    parser.add_argument("--json", type=Path, help="write the rows there, too")
    arguments = parser.parse_args()
    rows, attacker = [], None
    for mode in MODES:
        if arguments.mode and mode.name.lower() not in arguments.mode:
            continue
        firmwares = build(mode, arguments.output / mode.name.lower(), attacker=attacker)
        attacker = firmwares.attacker
        for attack in output.progress(f"{mode.name.lower()} network", arguments.attack or ATTACKS):
            network = Network(firmwares, loss=arguments.loss)
            rows.append(network.row(mode, attack, arguments.windows))
            if arguments.pcap:
                pcap.write(arguments.pcap, network.capture())
    table(rows)
    if arguments.json:
        arguments.json.write_text(
            json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
