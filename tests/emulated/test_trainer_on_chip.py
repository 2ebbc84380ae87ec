"""The trainer's firmware on emulated chips: the bits of its twin, and what goes wrong on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from support.devices import need_toolchain, running
from support.faulty_line import Clock, Line, own_time
from support.trainers import RandomTask
from tinyc.boards import load_board
from tinyc.device import discovery
from tinyc.device.client import DeviceClient
from tinyc.device.errors import ProtocolError
from tinyc.device.trainer import TrainerClient
from tinyc.errors import DoesNotFit
from tinyc.learning.federation.board import BoardClient
from tinyc.learning.federation.chips import ChipClient, emulated_client, firmware_for
from tinyc.learning.federation.client import Client, ClientError, NetworkShape, Samples, TrainConfig, Update
from tinyc.learning.federation.ports import PortClient
from tinyc.learning.federation.trainer import ExactClient
from tinyc.toolchain.trainer import TrainerFirmware

pytestmark = pytest.mark.emulated

SINE = NetworkShape((1, 32, 32, 1), "tanh", "mse")
CLASSES = NetworkShape((20, 12, 5), "leaky", "softmax")
ONLINE = TrainConfig(rate=0.02, samples=12, seed=3)


@pytest.fixture(scope="module")
def firmware() -> TrainerFirmware:
    return firmware_for(SINE)


@pytest.fixture
def chip(firmware: TrainerFirmware) -> ChipClient:
    return ChipClient("chip", firmware, RandomTask(SINE))


def same(found: Update, expected: Update) -> bool:
    """All but the time."""
    assert found.delta.tobytes() == expected.delta.tobytes()
    return replace(found, seconds=0, delta=expected.delta) == replace(expected, seconds=0)


@pytest.mark.parametrize(
    ("shape", "board"),
    [(SINE, "nrf52840"), (CLASSES, "nrf52840_bare"), (CLASSES, "microbit"), (CLASSES, "netduinoplus2")],
    ids=["sine-bootloader", "classes", "no-fpu", "stm32"],
)
def test_rounds_on_a_chip_have_the_bits_of_the_twin(shape: NetworkShape, board: str) -> None:
    """Dense and sparse, shared heads and local ones, one round after the other."""
    task = RandomTask(shape)
    chip, twin = emulated_client("a", shape, task, board), ExactClient("b", shape, task)
    assert chip.shape() == shape
    rounds = [
        TrainConfig(rate=0.02, samples=6, seed=1),
        TrainConfig(rate=0.1, samples=6, head_samples=2, head="zero", top=0.5, seed=2),
        TrainConfig(rate=0.1, samples=5, head_samples=2, head="kept", top=0.2, seed=3),
        TrainConfig(rate=0.1, samples=5, head_samples=2, head="kept", seed=4),
        TrainConfig(rate=0.1, samples=5, head="kept", top=0.9, seed=5),
    ]
    for number, config in enumerate(rounds):
        start = shape.initial(number)
        assert same(chip.train(start, config), twin.train(start, config)), config
    assert chip.state() == twin.state() != b""
    # A head that was kept by somebody else.
    fresh = emulated_client("c", shape, task, board)
    fresh.restore(chip.state())
    assert same(fresh.train(shape.initial(9), rounds[-1]), twin.train(shape.initial(9), rounds[-1]))


@pytest.mark.parametrize("name", ["mps3_an547", "qemu_riscv32"])
def test_numbers_near_zero_are_alike_on_other_cores(name: str) -> None:
    """Helium's vectors round denormal numbers to zero, so a compiler must not make use of them here."""
    board, task = load_board(name), RandomTask(CLASSES, spread=1e-38)
    twin, start = ExactClient("twin", CLASSES, task), CLASSES.initial(1) * np.float32(1e-38)
    firmware = firmware_for(CLASSES, name)
    assert firmware.firmware.sizes.stack_bound is not None
    with running(firmware.firmware.elf, board) as line:
        other = BoardClient(name, line, task)
        found, expected = (each.train(start, ONLINE) for each in (other, twin))
    assert found.delta.tobytes() == expected.delta.tobytes()
    smallest = np.abs(found.delta[found.delta != 0]).min()
    assert 0 < smallest < np.finfo(np.float32).tiny


def test_both_compilers_train_alike() -> None:
    need_toolchain(load_board("nrf52840_bare"), "gcc")
    task = RandomTask(CLASSES)
    firmware = firmware_for(CLASSES, "nrf52840_bare", toolchain="gcc")
    chip, twin = ChipClient("a", firmware, task), ExactClient("b", CLASSES, task)
    config = TrainConfig(rate=0.1, samples=10, top=0.3)
    assert same(chip.train(CLASSES.initial(1), config), twin.train(CLASSES.initial(1), config))


def test_device_without_the_start_lets_its_gateway_subtract() -> None:
    task = RandomTask(CLASSES)
    chip = emulated_client("a", CLASSES, task, "nrf52840_bare", keeps_start=False)
    twin = ExactClient("b", CLASSES, task)
    for config in (
        TrainConfig(rate=0.1, samples=6),
        TrainConfig(rate=0.1, samples=6, head="kept", seed=1),
        TrainConfig(rate=0.1, samples=6, head="kept", top=0.4, seed=2),
    ):
        found, expected = (each.train(CLASSES.initial(1), config) for each in (chip, twin))
        assert found.delta.tobytes() == expected.delta.tobytes()
    assert found.sent_bytes == 1 + 4 * CLASSES.head.start > expected.sent_bytes


def test_work_and_memory_of_training(chip: ChipClient, firmware: TrainerFirmware) -> None:
    """Of the network for sines: instructions for each sample, and what the linker laid out."""
    chip.machine.watch(["trainer_take"])
    chip.train(SINE.initial(1), ONLINE)
    work = chip.machine.profile().watched["trainer_take"].instructions
    assert 10_000 < work / 12 < 32_000
    assert firmware.firmware.sizes.ram < 16_000
    assert firmware.firmware.sizes.flash < 18_000
    assert firmware.firmware.sizes.stack_bound is not None
    assert chip.machine.stack_used() <= firmware.firmware.sizes.stack_bound <= 1024
    assert 0 < firmware.settings.ram_bytes <= firmware.firmware.sizes.ram


def test_device_says_who_it_is(chip: ChipClient, firmware: TrainerFirmware) -> None:
    assert chip.hello.board == "nrf52840"
    assert chip.hello.model == "trainer 1-32-32-1"
    assert chip.hello.firmware == firmware.firmware.identity
    assert chip.hello.digest == firmware.settings.digest
    with pytest.raises(ProtocolError, match="does not have this command"):
        DeviceClient(chip.machine.transport).audio_push([1, 2])


class _Meanwhile:
    """A task that does something to the device while its samples are collected."""

    def __init__(self, task: RandomTask) -> None:
        self._task = task
        self.then: Callable[[], None] = lambda: None

    def draw(self, count: int, seed: int) -> Samples:
        self.then()
        return self._task.draw(count, seed)


def test_power_cut_fails_the_round_and_not_the_next(firmware: TrainerFirmware) -> None:
    """Wherever the power goes the round is refused or right, and the kept head begins anew."""
    task = RandomTask(SINE)
    chip = ChipClient("chip", firmware, task)
    config = replace(ONLINE, head="kept", top=0.5)
    start = SINE.initial(1)
    first = chip.train(start, config)
    sent = chip.machine.transport.write
    writes = 0

    def write(data: bytes) -> None:
        nonlocal writes
        if writes == cut:
            chip.machine.power_cycle(boot=writes)
            del chip.machine.line.from_device[:]
        writes += 1
        sent(data)

    chip.machine.transport.write = write  # type: ignore[method-assign]
    failed = 0
    for cut in range(12):
        writes = 0
        try:
            found = chip.train(start, config)
        except ClientError as error:
            assert error.where == "chip"
            failed += 1
            writes = 100
            found = chip.train(start, config)
        if cut == 0 or writes > 100:
            # The head is lost with the RAM: zero, as in the first round.
            assert same(found, first)
    assert failed >= 5


def test_lost_and_damaged_answers_change_nothing(
    firmware: TrainerFirmware, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, task = Clock(), RandomTask(SINE)
    chip, twin = ChipClient("chip", firmware, task), ExactClient("twin", SINE, task)
    line = Line(chip.machine, clock)
    client = BoardClient("line", line, task)
    own_time(monkeypatch, clock)
    right = wrong = 0
    for seed in range(8):
        config = replace(ONLINE, seed=seed, top=0.3)
        line.faults(seed, drop=0.00004, flip=0.00004, duplicate=0.00002)
        expected = twin.train(SINE.initial(seed), config)
        try:
            assert same(client.train(SINE.initial(seed), config), expected)
            right += 1
        except ClientError:
            wrong += 1
        line.faults(0)
    assert right >= 6, (right, wrong)
    assert client._device.counters().dropped > 0


def test_divergence_is_an_error_of_the_device_alone(chip: ChipClient) -> None:
    twin = ExactClient("twin", SINE, RandomTask(SINE))
    for config in (replace(ONLINE, rate=1e30), replace(ONLINE, rate=1e30, top=0.5)):
        with pytest.raises(ClientError, match="diverged"):
            chip.train(SINE.initial(1), config)
    assert same(chip.train(SINE.initial(1), ONLINE), twin.train(SINE.initial(1), ONLINE))
    with pytest.raises(ClientError, match="batches"):
        chip.train(SINE.initial(1), replace(ONLINE, batch_steps=4))


def test_parameters_that_a_restart_lost_do_not_train(chip: ChipClient) -> None:
    trainer = TrainerClient(DeviceClient(chip.machine.transport))
    start = SINE.initial(1).tobytes()
    trainer.write(0, start[:2000])
    chip.machine.power_cycle(boot=1)
    trainer.write(2000, start[2000:])
    with pytest.raises(ProtocolError, match="not those that were sent"):
        trainer.begin(1, start, rate=0.1, head_samples=0, head="shared")
    with pytest.raises(ProtocolError, match="no round"):
        trainer.train(b"\0" * 8)
    with pytest.raises(ProtocolError, match="no round"):
        trainer.delta(3, 10)
    with pytest.raises(ProtocolError, match="out of range"):
        trainer.write(4 * SINE.parameters - 4, b"\0" * 8)
    with pytest.raises(ProtocolError, match="out of range"):
        trainer.parameters(4 * SINE.parameters, 1)


def test_board_on_a_port(firmware: TrainerFirmware) -> None:
    """A pseudo-terminal is a serial port like any other; one that goes away fails the round."""
    chip, task = ChipClient("chip", firmware, RandomTask(SINE)), RandomTask(SINE)
    twin = ExactClient("twin", SINE, task)
    port = chip.machine.serve_pty()
    board = PortClient("board", port, task, timeout=5)
    try:
        config = replace(ONLINE, top=0.5)
        assert same(board.train(SINE.initial(1), config), twin.train(SINE.initial(1), config))
        with pytest.raises(ClientError, match="another program"):
            PortClient("second", port, task)
    finally:
        board.close()
    found = discovery.ask(discovery.Port(port), 2.0)
    assert found.hello is not None and found.hello.model == "trainer 1-32-32-1"
    chip.close()
    began = time.monotonic()
    with pytest.raises(ClientError) as gone:
        board.train(SINE.initial(1), ONLINE)
    assert gone.value.where == "board" or "port" in str(gone.value)
    assert time.monotonic() - began < 60
    with pytest.raises(ClientError):
        PortClient("absent", "/dev/no-such-port", task)


def test_network_that_does_not_fit_is_refused_before_the_build() -> None:
    with pytest.raises(DoesNotFit, match="no-keep-start"):
        firmware_for(NetworkShape((100, 300, 10), "relu", "softmax"), "nrf52840")
    with pytest.raises(DoesNotFit, match="B of RAM"):
        firmware_for(NetworkShape((100, 600, 10), "relu", "softmax"), "nrf52840")


def test_clients_of_all_kinds_are_clients(chip: ChipClient) -> None:
    clients: list[Client] = [chip, ExactClient("twin", SINE, RandomTask(SINE))]
    assert [each.name for each in clients] == ["chip", "twin"]
    assert np.array_equal(*(each.train(SINE.initial(1), ONLINE).delta for each in clients))
