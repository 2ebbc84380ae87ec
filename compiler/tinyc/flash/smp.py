"""tinyc's own bootloader: the firmware that runs takes its successor, the bootloader swaps them.

A new firmware runs on trial until `settle` confirms it; a reset before that brings the old one back. The
bootloader takes a firmware the same way when there is none, or when it was asked to wait.
"""

from __future__ import annotations

from tinyc.boards import Board
from tinyc.device.client import DeviceClient
from tinyc.device.hello import Boot, BootEvent, Hello, Identity
from tinyc.device.images import ImageClient, SlotState
from tinyc.device.transport import SerialTransport
from tinyc.errors import Disagreement, TinycError
from tinyc.flash import ports
from tinyc.flash.job import Job, Say
from tinyc.signing.read import SignedImage, check_image, check_target, read_image
from tinyc.slots import Slots

_ASK_SECONDS = 0.5
# Two slots of about a hundred pages, each of which is erased and written once: 0.13 s a page.
_SWAP_SECONDS = 40.0


def missing(job: Job) -> TinycError | None:
    try:
        slots(job.board)
        job.output("image")
        _identity(job)
    except TinycError as error:
        return error
    return None


def chip(job: Job) -> str:
    """The number of the chip that answers."""
    return _identity(job).device_id


def write(job: Job, say: Say) -> None:
    """Upload the image, have it start next and reset the board."""
    path = job.output("image")
    data = path.read_bytes()
    image = read_image(data, str(path))
    with SerialTransport(console(job)) as line:
        client = DeviceClient(line)
        images, identity = ImageClient(client), client.identify()
        _check(job, identity, image, data)
        state = running(images)
        if identity.recovery:
            say("the bootloader waits for a firmware")
        elif state is not None and not state.confirmed:
            raise TinycError(
                "the firmware that runs is on trial: the old one is kept in the slot for uploads",
                hint="press reset, or `tinyc flash --revert`: the old one is back, then flash again",
            )
        say(f"sending {path.name}, {len(data):,} B")
        images.upload(data, progress=lambda done: job.progress(done, len(data)))
        images.test(image.hash.hex())
        say("resetting the board: the bootloader puts the new firmware in place")
        client.reset()
    ports.wait_for(lambda: answer(console(job)), job.timeout + _SWAP_SECONDS)


def settle(job: Job, port: str, say: Say) -> None:
    """Make sure that the very image of the build runs, and confirm it unless the job is a trial.

    Raises Disagreement for another image of the same firmware, as with an older security counter.
    """
    image = read_image(job.output("image").read_bytes()).hash.hex()
    with SerialTransport(port) as line:
        images = ImageClient(DeviceClient(line))
        state = running(images)
        if state is None or state.hash != image:
            found = "none" if state is None else state.hash[:16]
            raise Disagreement(
                f"the device runs the image {found} of this firmware",
                allowed=f"the image {image[:16]} of the build",
                hint="was it reset before it was confirmed? flash again",
            )
        if job.trial or state.confirmed:
            return
        images.confirm(image)
        state = running(images)
    if state is None or not state.confirmed or state.hash != image:
        raise TinycError("the device does not confirm its firmware", hint="a reset brings the old one back")
    say("confirmed: the new firmware stays")


def revert(port: str, timeout: float, say: Say) -> Hello:
    """Take back a firmware or a model on trial. Returns what the firmware says that runs then.

    Raises TinycError when what runs is no trial.
    """
    with SerialTransport(port) as line:
        client = DeviceClient(line)
        before = client.hello()
        states = ImageClient(client).states()
        if all(state.confirmed for state in states if state.active):
            raise TinycError(
                "the firmware that runs is confirmed: there is no trial to take back",
                hint="flash the build of the older firmware instead",
            )
        say("resetting the board: the bootloader brings the old one back")
        client.reset()
    found = ports.wait_for(lambda: answer(port), timeout + _SWAP_SECONDS)
    if found is None:
        raise TinycError(f"the device does not answer within {timeout + _SWAP_SECONDS:g} s", where=port)
    same = (found.firmware, found.digest) == (before.firmware, before.digest)
    if same or found.boot is None or found.boot.event != BootEvent.REVERTED:
        raise Disagreement("the bootloader did not bring the old one back", where=port)
    return found


def running(images: ImageClient) -> SlotState | None:
    """The firmware that runs, None when the bootloader answers."""
    return next((state for state in images.states() if state.active and state.number == 0), None)


def _check(job: Job, identity: Identity, image: SignedImage, data: bytes) -> None:
    """Refuse here what the bootloader would refuse after the upload."""
    map_, path = slots(job.board), str(job.output("image"))
    check_image(image, data, None, path)
    check_board(job, identity.board)
    boot = identity.boot
    number = map_.number if boot is None else boot.slot_map
    room = next((slot.size for slot in identity.slots if slot.name == "primary"), map_.image_bytes)
    counter = 0 if boot is None else boot.counter
    check_target(image, board=identity.board, slot_map=number, room=room, counter=counter, where=path)
    if boot is not None:
        check_key(boot, image, path)


def check_board(job: Job, board: str) -> None:
    """Raise TinycError for a device that is another board."""
    if board != job.board.name:
        raise TinycError(
            f"the device is a `{board}`",
            where=console(job),
            allowed=f"a `{job.board.name}`, for which the firmware was built",
        )


def check_key(boot: Boot, image: SignedImage, path: str) -> None:
    """Raise TinycError for an image that the device's bootloader has no key for."""
    if boot.key is None:
        return
    if image.key_hash is None or image.signature is None:
        raise TinycError(
            "the image is not signed, and the device's bootloader wants a signature",
            where=path,
            allowed=f"an image signed by the key {boot.key}...",
            hint="set `key` under [signing] in tinyc.toml and build it again",
        )
    if not image.key_hash.hex().startswith(boot.key):
        raise TinycError(
            f"the image is signed by another key, {image.key_hash.hex()[:16]}",
            where=path,
            allowed=f"the key {boot.key}... of the device's bootloader",
        )


def _identity(job: Job) -> Identity:
    """Who answers. Raises TinycError when nobody does, or it has no slots for images."""
    with SerialTransport(console(job)) as line:
        found = DeviceClient(line, timeout=_ASK_SECONDS).identify()
    if not found.slots:
        raise TinycError(f"the firmware of this `{found.board}` was not started by tinyc's bootloader")
    return found


def answer(port: str) -> Hello | None:
    """What the firmware at a port says, None where none does."""
    try:
        with SerialTransport(port) as line:
            return DeviceClient(line, timeout=_ASK_SECONDS).hello()
    except TinycError:
        return None


def console(job: Job) -> str:
    """The port of the board. Raises TinycError when it is not there."""
    port = ports.console(job.board, job.port)
    if port is None:
        raise TinycError("the board's serial port is not there", hint="plug it in, or name it with --port")
    return port


def slots(board: Board) -> Slots:
    """The board's flash map. Raises TinycError for a board without tinyc's bootloader."""
    if board.slots is None:
        raise TinycError(f"board `{board.name}` has no bootloader of tinyc's")
    return board.slots
