"""The baselines by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.simulation.baselines import lwip
from tinyc.sixlowpan.simulation.baselines.lwip import Lwip
from tinyc.sixlowpan.simulation.baselines.plain import Plain
from tinyc.sixlowpan.simulation.baselines.split_buffer import SplitBuffer
from tinyc.sixlowpan.simulation.reassembly import Reassembly
from tinyc.sixlowpan.simulation.settings import Make, Settings

LWIP = "lwip"
BASELINES: dict[str, Callable[[], Reassembly]] = {
    "plain_1x60s": partial(Plain, 1, 60_000),
    "plain_2x60s": partial(Plain, 2, 60_000),
    "plain_4x5s": partial(Plain, 4, 5_000),
    "split_28x60s": partial(SplitBuffer, 28, 60_000),
    LWIP: Lwip,
}


def names() -> tuple[str, ...]:
    """Those that this machine can run: lwIP only where it is installed."""
    return tuple(name for name in BASELINES if name != LWIP or lwip.available())


@contextmanager
def baseline(name: str) -> Iterator[Make]:
    """Makes receive sides of that name; their processes, if they have any, end with the context."""
    with ExitStack() as stack:

        def make(settings: Settings, peers: tuple[Address, ...]) -> Reassembly:
            side = BASELINES[name]()
            if isinstance(side, Lwip):
                stack.enter_context(side)
            return side

        yield make
