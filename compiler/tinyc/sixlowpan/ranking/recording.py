"""Traffic → the features of its new datagrams, each with the attack that it is of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.features import NAMES, Features, Meta, Ranker
from tinyc.sixlowpan.frames import MacType, MacVerdict, parse
from tinyc.sixlowpan.pcap import Captured
from tinyc.sixlowpan.ranking.attacks import ATTACKS, Air
from tinyc.sixlowpan.ranking.honest import Radio, senders
from tinyc.sixlowpan.receiver import Receiver
from tinyc.sixlowpan.simulation.reassembly import Frame
from tinyc.sixlowpan.simulation.settings import Heard

_BAD, _GOOD = 200, 10
_LEVEL = -60
_NAME = "<U20"


@dataclass(frozen=True, slots=True)
class Recorded:
    """New datagrams: `features`, int8 [n, 12]; `attack`, the name of the attack that each is of, "" for an
    honest one; `amid`, the attack that goes on, "" before it begins; `scene`, a number for each recording."""

    features: NDArray[np.int8]
    attack: NDArray[np.str_]
    amid: NDArray[np.str_]
    scene: NDArray[np.int64]

    @property
    def bad(self) -> NDArray[np.bool_]:
        """Which ones are not honest."""
        return np.asarray(self.attack != "", np.bool_)

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Recorded:
        """Some of them."""
        kept = (self.features[chosen], self.attack[chosen], self.amid[chosen], self.scene[chosen])
        return Recorded(*kept)


def joined(parts: Sequence[Recorded]) -> Recorded:
    """All in one; their scenes are numbered anew."""
    starts = np.cumsum([0, *(int(it.scene.max(initial=-1)) + 1 for it in parts)])
    return Recorded(
        np.concatenate([it.features for it in parts]),
        np.concatenate([it.attack for it in parts]),
        np.concatenate([it.amid for it in parts]),
        np.concatenate([it.scene + start for it, start in zip(parts, starts, strict=False)]),
    )


def scene(seed: int, attack: str = "", rate: float | None = None, seconds: float = 45.0) -> list[Heard]:
    """What a sink hears: 2 to 12 honest nodes and the attack, from the second quarter of the time on.

    Without a rate it is 0.5 to 100 per second, by chance.
    """
    rng = np.random.default_rng(seed)
    nodes = senders(rng, int(rng.integers(2, 13)))
    end = int(seconds * 1e6)
    heard = sorted((it for one in nodes for it in one.frames(end)), key=lambda it: it.time_us)
    chosen = float(np.exp(rng.uniform(np.log(0.5), np.log(100))))
    if attack:
        radio = Radio(float(rng.uniform(-92, -45)), 2.5, rng)
        air = Air(rng, radio, nodes, heard, rate or chosen, int(end / 4 + rng.uniform(0, end / 4)), end)
        bad = [Heard(now, frame, attack) for now, frame in ATTACKS[attack](air)]
        heard = sorted(heard + bad, key=lambda it: it.time_us)
    return heard


def record(
    heard: Iterable[Heard], told: bool = False, ranker: Ranker | None = None, sizes: Sizes | None = None
) -> Recorded:
    """What the model of a receiver is asked.

    The receiver has this `ranker`, or with `told` knows what is honest as a perfect model would, or has no
    model. What is asked depends on what was answered, so a model is trained with more than one of them.
    """
    rows: list[Features] = []
    names: list[str] = []
    amids: list[str] = []
    attack = amid = ""

    def rank(features: Features) -> int:
        rows.append(features)
        names.append(attack)
        amids.append(amid)
        if ranker is not None:
            return ranker(features)
        return 0 if not told else _BAD if attack else _GOOD

    receiver = Receiver((), sizes or Sizes(), rank)
    for it in heard:
        attack, frame = it.attack, it.frame
        amid = attack or amid
        meta = Meta(frame.rssi, frame.dsn)
        receiver.input(it.time_us // 1000, frame.source, frame.destination, frame.payload, meta)
        receiver.delivered.clear()
    features = np.array(rows, np.int8).reshape(-1, len(NAMES))
    return Recorded(features, np.array(names, _NAME), np.array(amids, _NAME), np.zeros(len(rows), np.int64))


def captured(frames: Iterable[Captured]) -> list[Heard]:
    """The data frames of a capture, as honest ones; one without a signal strength has -60 dBm."""
    found = []
    for it in frames:
        verdict, mac = parse(it.data)
        if verdict is MacVerdict.OK and mac.type == MacType.DATA and not it.cut and it.sound is not False:
            payload = it.data[mac.payload : mac.payload + mac.payload_length]
            level = _LEVEL if it.rssi is None else round(it.rssi)
            frame = Frame(mac.source, mac.destination, level, mac.sequence, payload)
            found.append(Heard(it.time_ns // 1000, frame, ""))
    return found
