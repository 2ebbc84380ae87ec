"""A new model for a firmware that stays: `tinyc flash --model-only`.

The device is asked what its firmware offers before anything is sent. The model goes into the slot that
is free and runs on trial, until the device is found to run it; a reset before that brings the old one back.
"""

from __future__ import annotations

from tinyc.device.client import DeviceClient
from tinyc.device.hello import Hello, Identity
from tinyc.device.images import ImageClient, SlotState
from tinyc.device.transport import SerialTransport
from tinyc.errors import Disagreement, Problem, TinycError
from tinyc.flash import ports, smp, verify
from tinyc.flash.job import Job, Say
from tinyc.flash.log import DeploymentLog, record
from tinyc.program import Deployment
from tinyc.signing.read import SignedImage, check_image, check_target, read_image
from tinyc.split import FirmwareManifest, KernelNeed, ModelManifest, read_model, require_covered

IMAGE_NUMBER = 1
"""Of models in SMP's Image group."""


def flash_model(job: Job, log: DeploymentLog, say: Say) -> Deployment:
    """Send the model of a split build, have it tried, and keep it when the device runs it.

    Raises TinycError when the device would refuse it, before anything is sent, and Disagreement when the
    device does not run it afterwards: the old model is back then.
    """
    manifest = read_model(job.output("model_manifest"))
    port = smp.console(job)
    with SerialTransport(port) as line:
        client = DeviceClient(line)
        hello = _firmware(client, client.identify())
        images = ImageClient(client)
        slot = _free_slot(job, hello, images.states())
        image, data = _image(job, hello, slot)
        require_covered(_offered(client, hello, job, manifest), manifest)
        say(f"sending model `{manifest.name}` to slot {slot}, {len(data):,} B")
        images.upload(data, IMAGE_NUMBER, lambda done: job.progress(done, len(data)))
        images.test(image.hash.hex())
        say("resetting the board: the firmware tries the new model")
        client.reset()
    found = ports.wait_for(lambda: smp.answer(port), job.timeout)
    if found is None:
        raise TinycError(
            f"the model was sent, but the device does not answer within {job.timeout:g} s",
            where=port,
            hint="press reset: that brings the old model back",
        )
    verify.same_chip(hello.device_id, found)
    _compare(job, found, slot, port, say)
    if not job.trial:
        _keep(port, image)
        say("confirmed: the new model stays")
    return record(log, job, found, "smp", port)


def _firmware(client: DeviceClient, identity: Identity) -> Hello:
    """What the firmware says of itself. Raises TinycError for one that takes no models."""
    if identity.recovery:
        raise TinycError(
            "the device has no firmware: its bootloader answers",
            hint="flash the firmware first, without --model-only",
        )
    hello = client.hello()
    if hello.capacity is None:
        raise TinycError(
            "the device's firmware has its model inside",
            hint="flash a build of `tinyc build --split-model` first, without --model-only",
        )
    if hello.boot is None:
        raise TinycError(f"the firmware of this `{hello.board}` was not started by tinyc's bootloader")
    return hello


def _free_slot(job: Job, hello: Hello, states: tuple[SlotState, ...]) -> int:
    """The slot that the model goes to. Raises TinycError when none is free."""
    running = next((state for state in states if state.number == 0 and state.active), None)
    if running is not None and not running.confirmed:
        raise TinycError(
            "the firmware that runs is on trial",
            hint="a reset takes it back; confirm it, then send the model",
        )
    if any(state.number == IMAGE_NUMBER and state.pending for state in states):
        raise TinycError("another model waits for the next start", hint="press reset, then send this one")
    slots = smp.slots(job.board)
    assert hello.boot is not None
    used = 1 if hello.boot.model == slots.model(1) else 0
    model = next((state for state in states if (state.number, state.slot) == (IMAGE_NUMBER, used)), None)
    if hello.boot.model is not None and model is not None and not model.confirmed:
        raise TinycError(
            "the model that runs is on trial: the old one is kept in the other slot",
            hint="a reset or `tinyc flash --revert` takes it back",
        )
    return 0 if hello.boot.model is None else 1 - used


def _image(job: Job, hello: Hello, slot: int) -> tuple[SignedImage, bytes]:
    """The image for a slot. Raises TinycError for one that the bootloader would refuse."""
    path = job.output(f"model_image_{slot}")
    data = path.read_bytes()
    image = read_image(data, str(path))
    check_image(image, data, None, str(path))
    smp.check_board(job, hello.board)
    boot, slots = hello.boot, smp.slots(job.board)
    assert boot is not None
    room = next((each.size for each in hello.slots if each.name == f"model {slot}"), slots.model_bytes)
    check_target(image, board=hello.board, slot_map=boot.slot_map, room=room, where=str(path))
    if image.bootable or image.load_address != slots.model(slot):
        raise TinycError(f"is no model for slot {slot}", where=str(path), hint="run `tinyc build` again")
    smp.check_key(boot, image, str(path))
    return image, data


def _offered(client: DeviceClient, hello: Hello, job: Job, manifest: ModelManifest) -> FirmwareManifest:
    """What the device's firmware offers, in its own words. Kernels have no names there."""
    kernels = tuple(KernelNeed("", digest) for digest in sorted(client.kernels()))
    slots = smp.slots(job.board)
    return FirmwareManifest(
        board=hello.board,
        tinyc=hello.tinyc,
        toolchain="",
        digest=hello.firmware,
        format=hello.format,
        kernel_set=hello.kernels,
        kernels=kernels,
        arena=hello.capacity or 0,
        front_end=hello.front_end,
        slots=slots.model_bodies,
        body_bytes=slots.model_body_bytes,
    )


def _compare(job: Job, hello: Hello, slot: int, port: str, say: Say) -> None:
    """Raise Disagreement unless the device runs the new model; a model that does not run is taken back."""
    if hello.has_model and hello.digest == job.firmware.digest:
        return
    problems = [
        Problem("model", f"the device says {hello.digest[:16]}", f"sent was {job.firmware.digest[:16]}")
    ]
    refused = verify.why_refused(hello)
    if refused is not None:
        problems.append(Problem("bootloader", refused))
    if not hello.has_model and slot < len(hello.refused):
        problems.append(Problem("firmware", str(hello.refused[slot])))
        say("resetting the board: the old model comes back")
        with SerialTransport(port) as line:
            DeviceClient(line).reset()
        ports.wait_for(lambda: smp.answer(port), job.timeout)
    raise Disagreement("the device does not run the model that was sent", problems=problems)


def _keep(port: str, image: SignedImage) -> None:
    with SerialTransport(port) as line:
        images = ImageClient(DeviceClient(line))
        # The hash of a model that does not run any more would ask for it anew, for good.
        if not any(state.active and state.hash == image.hash.hex() for state in images.states()):
            raise Disagreement("the device runs another model: the trial is over", hint="flash again")
        images.confirm(image.hash.hex())
        states = images.states()
    kept = [state for state in states if state.number == IMAGE_NUMBER and state.active and state.confirmed]
    if [state.hash for state in kept] != [image.hash.hex()]:
        raise TinycError("the device does not confirm its model", hint="a reset brings the old one back")
