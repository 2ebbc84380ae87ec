"""What is simulated, and what comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.simulation.reassembly import Frame, Reassembly


@dataclass(frozen=True, slots=True)
class Settings:
    """One run. `attacks`: names of `attacks.ATTACKS`. `size`: bytes of a datagram with its IPv6 header.
    `rate`: datagrams per second and sender. `loss`: share of honest frames that are lost with all their
    repeats. `seconds`: how long datagrams are sent. `engine`: "c" for the generated C, "twin" for Python.
    `senders` are spread on a disc of `radius` metres around the sink."""

    mode: Mode = Mode.KEYED
    attacks: tuple[str, ...] = ()
    senders: int = 4
    size: int = 448
    rate: float = 1.0
    loss: float = 0.01
    seconds: float = 120.0
    seed: int = 1
    engine: str = "c"
    radius: float = 10.0


@dataclass(frozen=True, slots=True)
class Heard:
    """A frame at the sink. `time_us` since the start; `attack`: what sent it, "" for an honest node."""

    time_us: int
    frame: Frame
    attack: str


# Makes the sink's receive side; peers are the addresses of the honest senders.
Make = Callable[[Settings, tuple[Address, ...]], Reassembly]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to. All but the settings are counted at the sink, unless it says otherwise.

    `sent`, `delivered`: honest datagrams, and those handed up right. `ceiling`: the share of them of which no
    frame was lost by the channel (collisions not counted). `wrong`: handed up with a right UDP checksum, but
    never sent like that by that source. `wrong_reassembly`: complete, but not right, whoever noticed.
    `repeated`: right, but handed up before. `attacker_ram`: bytes held by datagrams that are not honest, mean
    over time; what is left of an honest one is, until an attacker sends its key. `full`: share of the time
    in which no slot was free for a first fragment. `energy_uj`: of sink and senders, for each delivered
    datagram. `false_blocks`: honest addresses that were ever refused.
    `detection`: frames of an attacker with its own address until it was blocked, None if it was not.
    `attack_frames`: on the air. `collisions`: frames of which the sink heard nothing whole. `frames`: on the
    air, repeats included. `channel_losses`: frames given up because the channel was never free or no
    acknowledgement came.
    `counters`: of the receive side by name, where it has some.
    """

    settings: Settings
    sent: int
    delivered: int
    ceiling: float
    wrong: int
    wrong_reassembly: int
    repeated: int
    attacker_ram: float
    full: float
    energy_uj: float
    false_blocks: int
    detection: int | None
    attack_frames: int
    collisions: int
    frames: int
    channel_losses: int
    counters: dict[str, int]

    @property
    def delivery(self) -> float:
        """Share of the honest datagrams that were handed up right."""
        return self.delivered / self.sent if self.sent else 0.0
