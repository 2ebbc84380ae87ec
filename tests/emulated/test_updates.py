"""Updates on the emulated chip: bootloader and firmware as they are flashed, from reset on."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support.debugger import Debugger
from support.images import content
from support.update_device import NRF, App, Apps, booted, client, firmware_of, slots, states, upload
from tinyc.device.client import DeviceClient
from tinyc.device.errors import ProtocolError, RecoveryError
from tinyc.device.hello import BootEvent
from tinyc.device.images import ImageClient
from tinyc.emulator import Machine
from tinyc.emulator.debug_port import TransferFault
from tinyc.emulator.peripheral import Reset
from tinyc.signing.faults import Fault
from tinyc.signing.image import make_image
from tinyc.signing.keys import load_signing_key
from tinyc.signing.read import read_image

pytestmark = pytest.mark.emulated

PAGE = 4096
RECOVERY_PIN = (0, 11)


@pytest.fixture
def machine(old: App) -> Iterator[Machine]:
    with booted(old.factory()) as found:
        yield found


def hash_of(image: bytes) -> str:
    return read_image(image).hash.hex()


def request(machine: Machine, image: bytes, *, permanent: bool = False) -> None:
    """Upload an image and ask for it."""
    upload(machine, image)
    ImageClient(client(machine)).test(hash_of(image), permanent=permanent)


def restart(machine: Machine) -> DeviceClient:
    machine.reset(Reset.PIN)
    return client(machine)


def test_the_first_firmware_is_confirmed_from_the_start(machine: Machine, old: App) -> None:
    hello = client(machine).hello()
    assert hello.firmware == old.identity
    assert hello.boot is not None
    assert (hello.boot.event, hello.boot.reason, hello.boot.slot_map) == (0, 0, slots().number)
    assert [(slot.name, slot.size) for slot in hello.slots] == [("primary", 483_328), ("secondary", 483_328)]
    (state,) = states(machine)
    assert (state.active, state.confirmed, state.pending) == (True, True, False)
    assert (state.version, state.hash) == ("1.0.0", hash_of(old.image))


def test_a_new_firmware_runs_on_trial_and_goes_at_the_next_reset(
    machine: Machine, old: App, new: App
) -> None:
    request(machine, new.image)
    assert [state.pending for state in states(machine)] == [False, True]
    assert firmware_of(machine) == old.identity
    client(machine).reset()
    hello = client(machine).hello()
    assert hello.firmware == new.identity
    assert hello.boot is not None
    assert hello.boot.event == BootEvent.SWAPPED
    assert next((state.version, state.active, state.confirmed) for state in states(machine)) == (
        "2.0.0",
        True,
        False,
    )
    hello = restart(machine).hello()
    assert hello.firmware == old.identity
    assert hello.boot is not None
    assert (hello.boot.event, hello.boot.reason) == (BootEvent.REVERTED, Fault.UNCONFIRMED)
    assert restart(machine).hello().firmware == old.identity


def test_a_confirmed_firmware_stays(machine: Machine, old: App, new: App) -> None:
    request(machine, new.image)
    restart(machine)
    ImageClient(client(machine)).confirm()
    for _ in range(3):
        assert restart(machine).hello().firmware == new.identity
    machine.power_cycle()
    assert firmware_of(machine) == new.identity
    # And back again, the other way round.
    request(machine, old.image)
    restart(machine)
    ImageClient(client(machine)).confirm()
    assert restart(machine).hello().firmware == old.identity


def test_a_permanent_request_needs_no_confirmation(machine: Machine, new: App) -> None:
    request(machine, new.image, permanent=True)
    for _ in range(3):
        assert restart(machine).hello().firmware == new.identity


def test_no_upload_while_the_old_firmware_is_the_only_one_known_to_work(
    machine: Machine, old: App, new: App
) -> None:
    request(machine, new.image)
    restart(machine)
    with pytest.raises(ProtocolError, match="not confirmed yet"):
        upload(machine, old.image)
    ImageClient(client(machine)).confirm()
    upload(machine, old.image)


REFUSED = {
    "unsigned": Fault.UNSIGNED,
    "foreign key": Fault.FOREIGN_KEY,
    "tampered": Fault.WRONG_SIGNATURE,
    "too old": Fault.TOO_OLD,
}


def bad_image(kind: str, apps: Apps) -> bytes:
    """An image that only the bootloader can refuse: its hash is right."""
    good, key = apps.get(2, "2.0.0"), load_signing_key(apps.key)
    binary = good.package.firmware.outputs["bin"].read_bytes()
    ours = content(binary=binary, board=NRF.name, slot_map=slots().number, slot_bytes=slots().image_bytes)
    if kind == "unsigned":
        return make_image(ours, None)
    if kind == "foreign key":
        return make_image(ours, load_signing_key(apps.other_key))
    if kind == "other board":
        return make_image(replace(ours, board="xiao_nrf52840"), key)
    if kind == "other map":
        return make_image(replace(ours, slot_map=slots().split().number), key)
    if kind == "too old":
        return make_image(replace(ours, counter=4), key)
    image = bytearray(make_image(ours, key))
    image[image.rindex(read_image(bytes(image)).signature or b"") + 5] ^= 1
    return bytes(image)


@pytest.mark.parametrize("kind", ["other board", "other map"])
def test_the_firmware_refuses_what_is_for_another_place(machine: Machine, apps: Apps, kind: str) -> None:
    image = bad_image(kind, apps)
    upload(machine, image)
    with pytest.raises(ProtocolError, match="another board or another flash map"):
        ImageClient(client(machine)).test(hash_of(image))


@pytest.mark.parametrize("kind", REFUSED)
def test_the_bootloader_refuses(apps: Apps, kind: str) -> None:
    old = apps.get(1, "1.0.0", counter=5)
    with booted(old.factory()) as machine:
        assert firmware_of(machine) == old.identity
        request(machine, bad_image(kind, apps))
        for event in (BootEvent.REFUSED, BootEvent.NOTHING):
            hello = restart(machine).hello()
            assert hello.firmware == old.identity
            assert hello.boot is not None
            assert (hello.boot.event, hello.boot.reason) == (event, REFUSED[kind])
            assert hello.boot.counter == 5
        # Nothing is left that stands in the way of a good one.
        good = apps.get(2, "2.0.0", counter=5)
        request(machine, good.image)
        assert restart(machine).hello().firmware == good.identity


def test_the_security_counter_rises_with_the_confirmation(apps: Apps) -> None:
    first, second, third = (apps.get(1, counter=0), apps.get(2, counter=7), apps.get(3, counter=6))
    with booted(first.factory()) as machine:
        request(machine, second.image)
        assert restart(machine).hello().firmware == second.identity
        hello = restart(machine).hello()  # not confirmed
        assert hello.firmware == first.identity
        assert hello.boot is not None
        assert hello.boot.counter == 0
        request(machine, second.image)
        restart(machine)
        ImageClient(client(machine)).confirm()
        hello = restart(machine).hello()
        assert hello.boot is not None
        assert hello.boot.counter == 7
        for older in (first, third):
            request(machine, older.image)
            hello = restart(machine).hello()
            assert hello.firmware == second.identity
            assert hello.boot is not None
            assert hello.boot.reason == Fault.TOO_OLD


def test_without_a_key_unsigned_images_run(apps: Apps) -> None:
    old, new = apps.unsigned(1), apps.unsigned(2)
    with booted(old.factory()) as machine:
        hello = client(machine).hello()
        assert hello.boot is not None
        assert hello.boot.key is None
        request(machine, new.image)
        assert restart(machine).hello().firmware == new.identity


# Recovery.


def test_an_upload_into_a_board_without_firmware(machine: Machine, old: App, new: App) -> None:
    blank = old.factory()
    at = slots().primary
    blank = blank[:at] + b"\xff" * slots().image_bytes + blank[at + slots().image_bytes :]
    with booted(blank) as machine:
        identity = client(machine).identify()
        assert (identity.recovery, identity.board) == (True, "nrf52840")
        with pytest.raises(RecoveryError):
            client(machine).hello()
        assert states(machine) == ()
        request(machine, new.image)
        hello = restart(machine).hello()
        assert hello.firmware == new.identity
        assert hello.boot is not None
        assert hello.boot.event == BootEvent.INSTALLED
        assert restart(machine).hello().firmware == new.identity


def test_the_button_leads_into_recovery(machine: Machine, old: App, new: App) -> None:
    assert firmware_of(machine) == old.identity
    machine.pins[RECOVERY_PIN] = 0
    assert restart(machine).identify().recovery
    request(machine, new.image)
    machine.pins[RECOVERY_PIN] = 1
    assert restart(machine).hello().firmware == new.identity


def test_the_firmware_leads_into_recovery_when_asked(machine: Machine, old: App) -> None:
    from smpclient.requests.os_management import ResetWrite

    client(machine).request(ResetWrite(boot_mode=1))
    assert client(machine).identify().recovery
    assert restart(machine).hello().firmware == old.identity  # once


def test_recovery_on_trial_keeps_the_old_firmware(machine: Machine, old: App, new: App) -> None:
    request(machine, new.image)
    machine.pins[RECOVERY_PIN] = 0
    assert restart(machine).identify().recovery
    with pytest.raises(ProtocolError, match="not confirmed yet"):
        upload(machine, new.image)
    machine.pins.clear()
    assert restart(machine).hello().firmware == old.identity


def test_a_damaged_firmware_is_replaced_by_what_was_uploaded(machine: Machine, old: App, new: App) -> None:
    """Its hash no longer fits: the image in the other slot takes its place."""
    upload(machine, new.image)
    flash = bytearray(machine.flash())
    flash[slots().application_origin + 5000] ^= 4
    with booted(bytes(flash)) as broken:
        assert firmware_of(broken) == new.identity
    flash[slots().upload + 5000] ^= 4
    with booted(bytes(flash)) as hopeless:
        assert client(hopeless).identify().recovery


# Protection.


@pytest.mark.parametrize(
    "address", [0, slots().bootloader_bytes - 4, slots().journal, slots().journal + PAGE]
)
def test_no_firmware_changes_bootloader_or_journal(machine: Machine, address: int) -> None:
    """The chip's access control refuses, whoever tries."""
    assert firmware_of(machine)
    debugger = Debugger(machine.attach())
    before = debugger.read(address)
    debugger.write(0x4001E504, 1)
    with pytest.raises(TransferFault):
        debugger.write(address, 0)
    debugger.clear()
    assert debugger.read(address) == before


@pytest.mark.parametrize("toolchain", ["zig", "gcc"])
def test_the_bootloader_fits(tmp_path: Path, toolchain: str) -> None:
    from support.devices import need_toolchain

    need_toolchain(NRF, toolchain)
    app = Apps(tmp_path, toolchain=toolchain).get(1)
    assert app.package.bootloader_bytes <= 24 * 1024
    with booted(app.factory()) as machine:
        assert firmware_of(machine) == app.identity
    vectors = struct.unpack_from("<2I", app.factory(), slots().application_origin)
    assert vectors[0] % 8 == 0
