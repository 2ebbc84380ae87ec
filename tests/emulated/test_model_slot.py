"""Models in slots of their own on the emulated nRF52840 DK, with bootloader and firmware."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from support.command_line import Said, tinyc
from support.debugger import Debugger
from support.split_apps import SplitApps, chip, model_image
from support.split_builds import BOARD, SLOTS
from support.update_device import Apps, booted
from tinyc import interpreter
from tinyc.artifact import Artifact
from tinyc.device.client import DeviceClient
from tinyc.device.errors import ProtocolError
from tinyc.device.hello import BootEvent, Hello, ModelFault
from tinyc.device.images import ImageClient, SlotState
from tinyc.emulator import Machine
from tinyc.emulator.peripheral import Reset
from tinyc.execution import DeviceEngine
from tinyc.signing.faults import words_of
from tinyc.split import read_firmware
from tinyc.verification import random_vectors

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> SplitApps:
    return SplitApps(tmp_path_factory.mktemp("apps"))


def client(machine: Machine) -> DeviceClient:
    return DeviceClient(machine.transport, timeout=5.0)


def hello_of(machine: Machine) -> Hello:
    return client(machine).hello()


def models(machine: Machine) -> dict[int, SlotState]:
    """The models that the device lists, by slot."""
    states = ImageClient(client(machine)).states()
    return {state.slot: state for state in states if state.number == 1}


def computes(machine: Machine, found: Artifact) -> None:
    """The device answers as the interpreter does."""
    program = found.program
    engine = DeviceEngine(client(machine), program)
    for vector in random_vectors(program.graph, 2, 7):
        expected = interpreter.run(program.graph, vector)
        for got, wanted in zip(engine.run(vector), expected, strict=True):
            assert got.tobytes() == wanted.tobytes()


def send(machine: Machine, image: bytes) -> None:
    ImageClient(client(machine)).upload(image, 1)


def digest_of(image: bytes) -> str:
    from tinyc.signing.read import read_image

    return read_image(image).hash.hex()


def ask(machine: Machine, image: bytes, *, permanent: bool = False) -> None:
    ImageClient(client(machine)).test(digest_of(image), permanent=permanent)


def tried(machine: Machine, found: Artifact, slot: int) -> Hello:
    """Upload, request, reset."""
    image = model_image(found, slot)
    send(machine, image)
    ask(machine, image)
    machine.reset(Reset.PIN)
    return hello_of(machine)


def clear_word(machine: Machine, address: int) -> None:
    """Damage flash, and press reset."""
    debugger = Debugger(machine.attach())
    debugger.halt()
    debugger.write(0x4001E504, 1)
    debugger.write(address, 0)
    debugger.write(0x4001E504, 0)
    machine.detach()
    machine.reset(Reset.PIN)


def test_from_the_factory(apps: SplitApps) -> None:
    first = apps.first()
    there = read_firmware(first.file("firmware_manifest"))
    with chip(first) as machine:
        hello = hello_of(machine)
        assert (hello.firmware, hello.digest) == (first.firmware.identity, first.program.digest)
        assert (hello.kernels, hello.capacity, hello.front_end) == (
            there.kernel_set,
            there.arena,
            there.front_end,
        )
        assert hello.boot is not None and hello.boot.model == SLOTS.model(0)
        assert [refusal.fault for refusal in hello.refused] == [ModelFault.RUNS, ModelFault.UNASKED]
        assert client(machine).kernels() == there.kernel_digests
        computes(machine, first)
        (state,) = models(machine).values()
        assert (state.slot, state.active, state.confirmed, state.pending) == (0, True, True, False)
        machine.reset(Reset.PIN)
        computes(machine, first)
    assert first.report["update"]["model"] == len(model_image(first, 1))


def test_a_trial_goes_or_stays(apps: SplitApps) -> None:
    first, second = apps.first(), apps.retrained()
    with chip(first) as machine:
        hello = tried(machine, second, 1)
        assert (hello.digest, hello.model_version) == (second.program.digest, "2.0.1")
        assert hello.boot is not None and hello.boot.event == BootEvent.SWAPPED
        computes(machine, second)
        told = models(machine)
        assert (told[1].active, told[1].confirmed) == (True, False)
        assert (told[0].active, told[0].confirmed) == (False, True)
        with pytest.raises(ProtocolError, match="slot for uploads is in use"):
            send(machine, model_image(first, 0))

        machine.reset(Reset.PIN)  # not confirmed
        hello = hello_of(machine)
        assert hello.digest == first.program.digest
        assert hello.boot is not None and hello.boot.event == BootEvent.REVERTED
        assert words_of(hello.boot.reason)
        computes(machine, first)

        tried(machine, second, 1)
        ImageClient(client(machine)).confirm(digest_of(model_image(second, 1)))
        told = models(machine)
        assert (told[1].active, told[1].confirmed, told[0].confirmed) == (True, True, False)
        # Once more without a reset in between: slot 0 is free again.
        third = apps.retrained(2)
        assert tried(machine, third, 0).digest == third.program.digest
        machine.reset(Reset.PIN)
        assert hello_of(machine).digest == second.program.digest
        computes(machine, second)


def test_for_good(apps: SplitApps) -> None:
    second = apps.retrained()
    with chip(apps.first()) as machine:
        image = model_image(second, 1)
        send(machine, image)
        ask(machine, image, permanent=True)
        for _ in range(2):
            machine.reset(Reset.PIN)
            assert hello_of(machine).digest == second.program.digest
        assert models(machine)[1].confirmed


def test_an_upload_goes_on_after_a_reset(apps: SplitApps) -> None:
    image = model_image(apps.retrained(), 1)
    with chip(apps.first()) as machine:
        images = ImageClient(client(machine))

        class Enough(Exception):  # noqa: N818
            pass

        def stop(done: int) -> None:
            if done > len(image) // 2:
                raise Enough

        with pytest.raises(Enough):
            images.upload(image, 1, stop)
        machine.reset(Reset.PIN)
        heard: list[int] = []
        ImageClient(client(machine)).upload(image, 1, heard.append)
        assert len(image) < 4096 or heard[0] >= 4096
        assert digest_of(image) == models(machine)[1].hash


def test_what_is_no_model_for_the_slot(apps: SplitApps) -> None:
    first, second = apps.first(), apps.retrained()
    good = model_image(second, 1)
    tampered = bytearray(good)
    tampered[700] ^= 1
    with chip(first) as machine:
        for image, why in (
            (model_image(second, 0), "another board or another flash map"),  # linked for the other slot
            (apps.larger().file("image").read_bytes(), "another board or another flash map"),
            (bytes(tampered), "damaged"),
        ):
            send(machine, image)
            with pytest.raises(ProtocolError, match=why):
                ask(machine, image)
        unsigned = model_image(apps.unsigned(), 1)
        send(machine, unsigned)
        ask(machine, unsigned)
        machine.reset(Reset.PIN)
        hello = hello_of(machine)
        assert hello.digest == first.program.digest
        assert hello.boot is not None and hello.boot.event == BootEvent.REFUSED
        # The slot of the model that runs is not for uploads, and not to be erased.
        with pytest.raises(ProtocolError):
            ImageClient(client(machine)).erase(2)
        ImageClient(client(machine)).erase(3)
        assert set(models(machine)) == {0}
        computes(machine, first)
        # A model in the slot of firmware.
        ImageClient(client(machine)).upload(good)
        with pytest.raises(ProtocolError, match="another board or another flash map"):
            ask(machine, good)


def test_a_model_that_the_firmware_refuses_is_gone_after_a_reset(apps: SplitApps) -> None:
    first, foreign = apps.first(), apps.foreign()
    with chip(first) as machine:
        hello = tried(machine, foreign, 1)
        assert not hello.has_model
        assert hello.refused[1].fault in (ModelFault.KERNEL, ModelFault.ARENA)
        with pytest.raises(ProtocolError, match="no slot has a model"):
            client(machine).invoke()
        image = model_image(foreign, 1)
        with pytest.raises(ProtocolError):  # it is not kept either
            ImageClient(client(machine)).confirm(digest_of(image))
        machine.reset(Reset.PIN)
        computes(machine, first)
        send(machine, image)
        with pytest.raises(ProtocolError, match="refused"):
            ask(machine, image, permanent=True)
        computes(machine, first)


def test_a_damaged_model(apps: SplitApps) -> None:
    first, second = apps.first(), apps.retrained()
    with chip(first) as machine:
        tried(machine, second, 1)
        ImageClient(client(machine)).confirm(digest_of(model_image(second, 1)))
        machine.reset(Reset.PIN)
        clear_word(machine, SLOTS.model(1) + 512)
        assert hello_of(machine).digest == first.program.digest
        computes(machine, first)
        clear_word(machine, SLOTS.model(0) + 512)
        hello = hello_of(machine)
        assert not hello.has_model and hello.boot is not None and hello.boot.model is None
        assert [refusal.fault for refusal in hello.refused] == [ModelFault.INVALID] * 2
        with pytest.raises(ProtocolError, match="no slot has a model"):
            client(machine).invoke()
        # The firmware takes a new one.
        assert tried(machine, second, 0).digest == second.program.digest


def flashed(found: Path, port: str, *arguments: object) -> Said:
    return tinyc("flash", found, "--port", port, "--json", *arguments)


def test_flash_model_only(apps: SplitApps, tmp_path: Path) -> None:
    first, second = apps.first(), apps.retrained()
    with chip(first) as machine:
        port = machine.serve_pty()

        def runs() -> Hello:
            with machine.exclusive:
                pass
            from tinyc.device.transport import SerialTransport

            with SerialTransport(port) as line:
                return DeviceClient(line).hello()

        said = flashed(second.folder, port, "--model-only")
        assert said.code == 0, said.stderr
        assert (said.json["method"], said.json["digest"]) == ("smp", second.program.digest)
        assert said.json["firmware"] == first.firmware.identity and "confirmed" in said.stderr
        assert tinyc("verify", second.folder, "--port", port, "--count", 2).code == 0
        with machine.exclusive:
            machine.reset(Reset.PIN)
        assert runs().digest == second.program.digest

        # On trial, and taken back.
        said = flashed(first.folder, port, "--model-only", "--trial")
        assert said.code == 0, said.stderr
        assert runs().digest == first.program.digest
        said = flashed(second.folder, port, "--model-only")
        assert said.code == 1 and "on trial" in said.stderr
        said = tinyc("flash", "--board", "nrf52840", "--port", port, "--revert")
        assert said.code == 0, said.stderr
        assert runs().digest == second.program.digest

        # What would be refused is not sent.
        said = flashed(apps.foreign().folder, port, "--model-only")
        layers = [step.op.name for step in apps.foreign().program.steps]
        assert said.code == 1 and any(f"layer {name}" in said.stderr for name in layers), said.stderr
        for reason, folder in refusable(first, tmp_path).items():
            said = flashed(folder, port, "--model-only")
            assert said.code == 1 and reason in said.stderr, (reason, said.stderr)
        said = flashed(apps.unsigned().folder, port, "--model-only")
        assert said.code == 1 and "not signed" in said.stderr
        assert runs().digest == second.program.digest
        assert machine.serving_failure is None

        # A firmware that has the kernels of the model in its slot.
        said = flashed(apps.larger().folder, port)
        assert said.code == 0, said.stderr
        assert (said.json["method"], said.json["digest"]) == ("smp", second.program.digest)
        assert runs().firmware == apps.larger().firmware.identity
        assert tinyc("verify", second.folder, "--port", port, "--count", 2).code == 0
        # And one that does not: it is not confirmed, a reset brings the old one back.
        said = flashed(apps.foreign().folder, port)
        assert said.code == 4 and "model in its slot" in said.stderr
        assert not runs().has_model
        with machine.exclusive:
            machine.reset(Reset.PIN)
        assert runs().firmware == apps.larger().firmware.identity
        assert runs().digest == second.program.digest
    assert len((second.folder / ".tinyc" / "deployments.jsonl").read_text().splitlines()) == 1


def refusable(found: Artifact, folder: Path) -> dict[str, Path]:
    """Reason → a build that says of its model what the device does not have."""
    made = {}
    for reason, change in (
        ("64 bytes too small", {"arena": found.program.plan.arena_size + 64}),
        ("other sound or text|takes sound or text", {"front_end": "11" * 8}),
        ("has format 9", {"format": 9}),
    ):
        copy = folder / next(iter(change))
        shutil.copytree(found.folder, copy, ignore=shutil.ignore_patterns(".pio"))
        path = copy / "model.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | change), encoding="utf-8")
        made[reason.split("|")[-1]] = copy
    damaged = folder / "damaged"
    shutil.copytree(found.folder, damaged, ignore=shutil.ignore_patterns(".pio"))
    for slot in (0, 1):
        path = damaged / f"model_{slot}.signed.bin"
        data = bytearray(path.read_bytes())
        data[600] ^= 1
        path.write_bytes(data)
    made["is damaged"] = damaged
    return made


def test_flash_model_only_needs_a_split_firmware(apps: SplitApps) -> None:
    said = tinyc("flash", apps.first().folder, "--model-only", "--method", "jlink", "--port", "/dev/null")
    assert said.code == 1 and "sent by the firmware" in said.stderr
    assert BOARD.slots is not None and BOARD.slots.model_pages


def test_flash_model_only_needs_a_free_slot(apps: SplitApps) -> None:
    first, second = apps.first(), apps.retrained()
    with chip(first) as machine:
        image = model_image(second, 1)
        send(machine, image)
        ask(machine, image)
        said = flashed(second.folder, machine.serve_pty(), "--model-only")
        assert said.code == 1 and "another model waits" in said.stderr


def test_flash_model_only_to_a_firmware_with_its_model_inside(apps: SplitApps, tmp_path: Path) -> None:
    whole = Apps(tmp_path).get(3)
    with booted(whole.factory()) as machine:
        said = flashed(apps.retrained().folder, machine.serve_pty(), "--model-only")
        assert said.code == 1 and "has its model inside" in said.stderr
