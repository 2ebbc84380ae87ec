"""The devices of a run, from the `[[clients]]` tables of its configuration.

Each kind of device is one line in KINDS: which keys its table may have, and the function that makes
the devices. The function gets the table, the network, the family of tasks, the number of the first
device (device n of a run has task n) and the folder of the configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyc.errors import Problem, TinycError, nearest
from tinyc.learning.federation.client import Client, NetworkShape
from tinyc.learning.federation.numpy_client import Faults, SimulatedClient
from tinyc.learning.federation.tasks import Family

Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """What a kind needs to make its devices."""

    table: Table
    shape: NetworkShape
    family: Family
    first: int
    folder: Path

    @property
    def count(self) -> int:
        return int(self.table.get("count", 1))


@dataclass(frozen=True, slots=True)
class ClientKind:
    """keys: name of each allowed key → its types. make: the devices of a table, `count` of them."""

    keys: Mapping[str, tuple[type, ...]]
    make: Callable[[Order], Sequence[Client]]


def _simulated(order: Order) -> Sequence[Client]:
    fault_keys = ("dropout", "slow", "slow_factor", "poison", "seconds")
    faults = Faults(**{key: order.table[key] for key in fault_keys if key in order.table})
    prefix = str(order.table.get("name", "sim"))
    return [
        SimulatedClient(f"{prefix}-{number}", order.shape, order.family.task(number), faults)
        for number in range(order.first, order.first + order.count)
    ]


def _emulated(order: Order) -> Sequence[Client]:
    # The emulator takes a while to load.
    from tinyc.learning.federation import chips

    prefix, board = str(order.table.get("name", "chip")), str(order.table.get("board", chips.BOARD))
    subtracts = _who_subtracts(order)
    firmware = chips.firmware_for(order.shape, board, keeps_start=subtracts == "device")
    return [
        chips.ChipClient(f"{prefix}-{number}", firmware, order.family.task(number))
        for number in range(order.first, order.first + order.count)
    ]


def _who_subtracts(order: Order) -> str:
    told = str(order.table.get("delta", "device"))
    if told not in ("device", "gateway"):
        raise TinycError(f"delta = {told!r}", where="clients", allowed="device, gateway")
    return told


def _supernodes(order: Order) -> Sequence[Client]:
    raise TinycError(
        "SuperNodes are reached by Flower alone",
        where="clients",
        hint="`flwr run`: see docs/guides/flower.md",
    )


def _ports(order: Order) -> Sequence[Client]:
    from tinyc.learning.federation.ports import PortClient

    if order.count != 1 or "port" not in order.table:
        raise TinycError("a board on a port has a table of its own", where="clients", allowed="port = ...")
    port = str(order.table["port"])
    name = str(order.table.get("name", port))
    more = {key: order.table[key] for key in ("baud", "timeout") if key in order.table}
    return [PortClient(name, port, order.family.task(order.first), **more)]


_NUMBER = (int, float)
KINDS: dict[str, ClientKind] = {
    "simulated": ClientKind(
        {
            "name": (str,),
            "dropout": _NUMBER,
            "slow": _NUMBER,
            "slow_factor": _NUMBER,
            "poison": (str,),
            "seconds": _NUMBER,
        },
        _simulated,
    ),
    "emulated": ClientKind({"name": (str,), "board": (str,), "delta": (str,)}, _emulated),
    "supernode": ClientKind({}, _supernodes),
    "port": ClientKind({"name": (str,), "port": (str,), "baud": (int,), "timeout": _NUMBER}, _ports),
}


def problems_of(tables: Sequence[Table]) -> list[Problem]:
    """What is wrong with the `[[clients]]` tables."""
    problems = []
    for number, table in enumerate(tables):
        where = f"clients[{number}]"
        kind = table.get("kind")
        if kind not in KINDS:
            problems.append(Problem(f"{where}.kind", f"is {kind!r}", nearest(str(kind), tuple(KINDS))))
            continue
        keys = {"kind": (str,), "count": (int,), **KINDS[kind].keys}
        for key, value in table.items():
            if key not in keys:
                problems.append(Problem(f"{where}.{key}", "is unknown", nearest(key, tuple(keys))))
            elif not isinstance(value, keys[key]) or isinstance(value, bool):
                wanted = " or ".join(each.__name__ for each in keys[key])
                problems.append(Problem(f"{where}.{key}", f"is {value!r}", wanted))
            elif key == "count" and table["count"] < 1:
                problems.append(Problem(f"{where}.count", f"is {value}", "1 or more"))
    return problems


def make_clients(
    tables: Sequence[Table], shape: NetworkShape, family: Family, folder: Path, first: int = 0
) -> list[Client]:
    """All devices of a run, in the order of their tables; the caller closes them.

    They have the tasks from `first` on.

    Raises TinycError for two of one name, a port without a trainer and a firmware that cannot be built;
    what was made is closed then.
    """
    clients: list[Client] = []
    try:
        for table in tables:
            order = Order(table, shape, family, first + len(clients), folder)
            clients.extend(KINDS[str(table["kind"])].make(order))
        names = [client.name for client in clients]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise TinycError(f"several devices are called {', '.join(twice)}", where="clients")
    except BaseException:
        for client in clients:
            client.close()
        raise
    return clients
