"""Federated runs with emulated chips among their devices, from the configuration to the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from intelhex import IntelHex

from support.command_line import tinyc
from support.federation import SHAPE, run, write_config
from support.update_device import NRF, Apps
from tinyc.emulator import Machine
from tinyc.learning.federation.board import BoardClient
from tinyc.learning.federation.chips import ChipClient, emulated_client
from tinyc.learning.federation.client import Client, TrainConfig
from tinyc.learning.federation.export import read_npz
from tinyc.learning.federation.fleet import make_clients
from tinyc.learning.federation.settings import FederateConfig
from tinyc.learning.federation.tasks import Sines
from tinyc.learning.federation.trainer import ExactClient

pytestmark = pytest.mark.emulated

MIXED = [
    {"kind": "simulated", "count": 2},
    {"kind": "emulated", "count": 2},
    {"kind": "emulated", "board": "nrf52840_bare", "delta": "gateway", "name": "bare"},
]
META = {
    "run": {"strategy": "tinymetafed", "rounds": 6, "devices": 3},
    "training": {"rate": 0.05, "samples": 8, "head_samples": 3, "head": "kept", "top": 0.4},
}


def exact(config: FederateConfig) -> Sequence[Client]:
    """The same run, the chips' twins in their place."""
    clients: list[Client] = list(make_clients(config.clients[:1], config.shape, config.family, Path()))
    names = ["chip-2", "chip-3", "bare-4"]
    return clients + [
        ExactClient(name, config.shape, config.family.task(number)) for number, name in enumerate(names, 2)
    ]


def test_a_run_of_simulated_devices_and_chips_is_that_of_their_twins(tmp_path: Path) -> None:
    chips = run(tmp_path / "chips", MIXED, **META)
    twins = run(tmp_path / "twins", MIXED, make=exact, **META)
    assert chips.progress.parameters.tobytes() == twins.progress.parameters.tobytes()
    assert {name: tally.used for name, tally in chips.tallies.items()} == {
        name: tally.used for name, tally in twins.tallies.items()
    }
    assert sum(tally.used for tally in chips.tallies.values()) == 18
    assert all(chips.tallies[name].used for name in ("chip-2", "chip-3", "bare-4"))


def test_a_run_goes_on_without_a_chip_that_lost_power(tmp_path: Path) -> None:
    """Its round is lost; it is asked again, and answers."""

    def make(config: FederateConfig) -> Sequence[Client]:
        chips = [
            emulated_client(f"chip-{number}", config.shape, config.family.task(number), "nrf52840_bare")
            for number in range(2)
        ]
        _fail_once(chips[0])
        return chips

    changes = {"run": {"rounds": 6, "devices": 2}}
    ended = run(tmp_path, [{"kind": "emulated", "count": 2}], make=make, **changes)
    assert [ended.tallies[name].dropped for name in ("chip-0", "chip-1")] == [1, 0]
    assert [ended.tallies[name].used for name in ("chip-0", "chip-1")] == [5, 6]
    assert "chip-0" in ended.tallies["chip-0"].last_problem


def _fail_once(chip: ChipClient) -> None:
    """The power goes in the third round, in front of its samples."""
    sent, count = chip.machine.transport.write, 0

    def write(data: bytes) -> None:
        nonlocal count
        count += 1
        if count == 14:
            chip.machine.power_cycle(boot=1)
        sent(data)

    chip.machine.transport.write = write  # type: ignore[method-assign]


def test_firmware_for_a_run_reaches_a_board_and_trains(tmp_path: Path, apps: Apps) -> None:
    """Built and flashed by the command line over the running firmware; then the board is a client."""
    port_tables = [{"kind": "port", "port": "/dev/none", "name": "bench"}]
    config = write_config(tmp_path, port_tables, run={"rounds": 2})
    before = apps.get(1)
    with Machine(before.factory(), NRF) as machine:
        port = machine.serve_pty()
        folder = tmp_path / "out"
        built = tinyc(
            *("federate", "firmware", config, "--out", folder, "--key", apps.key, "--json"),
            *("--flash", "--port", port, "--method", "smp"),
        )
        assert built.code == 0, built.stderr
        deployment = built.json["deployment"]
        assert (deployment["firmware"], deployment["verified"]) == (built.json["firmware"], True)
        assert deployment["model"] == "trainer 1-8-1"
        write_config(tmp_path, [port_tables[0] | {"port": port}], run={"rounds": 2})
        ran = tinyc("federate", "run", config, "--json")
        assert ran.code == 0, ran.stderr
        assert ran.json["clients"]["bench"]["used"] == 2
        assert tinyc("federate", "export", config, "-o", tmp_path / "learned.npz").code == 0
    shape, parameters = read_npz(tmp_path / "learned.npz")
    assert shape == SHAPE
    twins = run(
        tmp_path / "twin",
        make=lambda found: [ExactClient("bench", found.shape, found.family.task(0))],
        run={"rounds": 2},
    )
    assert parameters.tobytes() == twins.progress.parameters.tobytes()


def test_factory_image_of_a_trainer_starts_under_the_bootloader(tmp_path: Path) -> None:
    said = tinyc("federate", "firmware", "--layers", "1,8,1", "--out", tmp_path, "--json")
    assert said.code == 0, said.stderr
    memory, content = NRF.memory, IntelHex(said.json["files"]["factory"])
    flash = bytes(content.tobinarray(memory.flash_origin, memory.flash_origin + memory.flash - 1))
    machine = Machine(flash, NRF, symbols=[Path(said.json["files"]["elf"])])
    client = BoardClient("board", machine.transport, Sines().task(3))
    assert client.hello.boot is not None and client.hello.slots
    twin = ExactClient("twin", SHAPE, Sines().task(3))
    config = TrainConfig(rate=0.02, samples=4, top=0.5)
    found, expected = (each.train(SHAPE.initial(1), config) for each in (client, twin))
    assert np.array_equal(found.delta, expected.delta)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--layers", "1,x"], "no widths"),
        (["--layers", "1"], "at least two widths"),
        (["--layers", "1,8,1", "--hidden", "gelu"], "unknown unit"),
        (["--layers", "1,8,1", "--board", "host"], "takes no firmware"),
        (["--layers", "1,8,1", "--port", "COM1"], "add --flash"),
        ([], "which network"),
        (["--layers", "1,8,1", "--board", "nrf"], "nrf52840"),
    ],
)
def test_mistakes_of_the_user_are_told(tmp_path: Path, arguments: list[str], told: str) -> None:
    said = tinyc("federate", "firmware", "--out", tmp_path, *arguments)
    assert said.code == 1
    assert told in said.stderr


def test_kinds_of_clients_are_checked(tmp_path: Path) -> None:
    for table, told in (
        ({"kind": "port"}, "port = ..."),
        ({"kind": "emulated", "delta": "nobody"}, "device, gateway"),
        ({"kind": "emulated", "board": "esp"}, "esp"),
        ({"kind": "port", "port": "/dev/no-such-port"}, "no-such-port"),
        ({"kind": "supernode"}, "Flower"),
    ):
        config = write_config(tmp_path, [table])
        said = tinyc("federate", "run", config, "--fresh")
        assert said.code == 1, (table, said.stderr)
        assert told in said.stderr, (table, said.stderr)
