"""What uploads, requests, swaps and the rest do to the flash of a device, recorded once, for power cuts."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from support.cut_trials import NEW, OLD, PAGE, RECOVERY, Firmware, Laboratory, Script, code_word
from support.images import signing_key
from support.update_device import NRF, Apps, slots
from tinyc import packaging
from tinyc.device.images import ImageClient
from tinyc.emulator.flash import Cut, FlashImage, Kind, Mode, Operation
from tinyc.emulator.power import History, Recorder
from tinyc.signing.image import ImageContent, make_image
from tinyc.signing.keys import SigningKey, render_boot_key
from tinyc.signing.read import read_image
from tinyc.toolchain import bootloader

TESTED, START = 5, 1  # kinds of records
_KEPT = 8  # words of the journal that are left free where it is filled
IMAGE_OK = 24  # bytes before the end of a slot
MAGIC_END = 4
PRIMARY_END = slots().secondary
SECONDARY_END = slots().upload + slots().image_bytes + PAGE


@dataclass(frozen=True, slots=True)
class Flow:
    """A stretch of operations on flash, and what must run after a cut in it.

    `decisive` is the operation that changes the outcome from `before` to `after`; torn, it may be either, and
    with cells that read differently in each boot it is `unsure`. `updates` are what can be sent to a device
    that ended with a letter; `resumes` is the one whose upload is the flow.
    """

    name: str
    history: History
    firmware: Mapping[str, Firmware]
    updates: Mapping[str, Firmware]
    before: str
    after: str = ""
    unsure: str = ""
    decisive: int | None = None
    installs: bool = False
    resumes: Firmware | None = None
    boots: int = 3

    @property
    def operations(self) -> tuple[Operation, ...]:
        return self.history.operations

    def is_bulk(self, operation: Operation) -> bool:
        """Whether the operation writes a word of an image."""
        at = operation.address
        places = slots()
        in_primary = places.primary <= at < places.primary + places.image_bytes
        in_secondary = places.secondary <= at < places.upload + places.image_bytes
        return operation.kind is Kind.WRITE and (in_primary or in_secondary)

    def pattern(self, cut: Cut) -> str:
        if self.decisive is None or cut.number < self.decisive:
            return self.before
        if cut.number > self.decisive or cut.mode is Mode.AFTER:
            return self.after
        if cut.mode is Mode.BEFORE:
            return self.before
        return self.unsure if cut.unstable and self.unsure else f"({self.before})|({self.after})"

    def offset(self, cut: Cut) -> int:
        """Bytes that an upload must not be asked for again."""
        if self.resumes is None:
            return 0
        finished = 0
        trailer = slots().upload + slots().image_bytes
        for operation in self.operations:
            if operation.number > cut.number or (
                operation.number == cut.number and cut.mode is not Mode.AFTER
            ):
                break
            low = operation.value & 0xFFFF
            is_record = low >> 12 == 0xA and operation.value == code_word(low)
            if operation.kind is Kind.WRITE and operation.address >= trailer and is_record:
                finished += 1
        return min(finished * PAGE, len(self.resumes.image))

    def script(self, cut: Cut, *, update: bool, pattern: str | None = None) -> Script:
        """What to do after the cut; `update`: with an update afterwards."""
        offset = self.offset(cut) if pattern is None else 0
        updates: dict[str, tuple[Firmware, int]] = {}
        if update or self.resumes is not None:
            updates = {
                letter: (firmware, offset if firmware is self.resumes else 0)
                for letter, firmware in self.updates.items()
            }
        return Script(self.firmware, pattern or self.pattern(cut), self.boots, self.installs, updates)


@dataclass(frozen=True, slots=True)
class Parts:
    """Two firmwares, as images of several versions, and chips that start with the first."""

    contents: tuple[ImageContent, ImageContent]
    boot: Mapping[bool, bytes]  # by whether it has a key
    key: SigningKey

    def firmware(self, which: int, version: str, *, signed: bool = False) -> Firmware:
        content = replace(self.contents[which], version=version)
        return Firmware(make_image(content, self.key if signed else None), content.firmware_digest.hex())

    def chip(self, image: bytes | None, *, signed: bool = False) -> FlashImage:
        """A chip as it leaves the factory, with this image."""
        content = bytearray(b"\xff" * NRF.memory.flash)
        for address, data in packaging.factory(NRF, self.boot[signed], image or b"").items():
            content[address : address + len(data)] = data
        return FlashImage(bytes(content))


def build(folder: Path, toolchain: str = "zig") -> Parts:
    """Build all of it."""
    folder.mkdir(parents=True, exist_ok=True)
    apps, key, places = Apps(folder, toolchain=toolchain), signing_key(0), slots()
    contents = []
    for seed in (1, 2):
        app = apps.get(seed)
        firmware = app.package.firmware
        contents.append(
            ImageContent(
                binary=firmware.outputs["bin"].read_bytes(),
                version="1.0.0",
                counter=0,
                board=NRF.name,
                slot_map=places.number,
                firmware_digest=bytes.fromhex(firmware.identity),
                model_digest=bytes.fromhex(app.program.digest),
                model_name="net",
                model_version="1.0.0",
                slot_bytes=places.image_bytes,
            )
        )
    return Parts((contents[0], contents[1]), boots(toolchain), key)


def boots(toolchain: str = "zig") -> Mapping[bool, bytes]:
    """The bootloader, without and with a key."""
    keys = {False: None, True: signing_key(0).public}
    return {
        signed: bootloader.build(NRF, render_boot_key(key), toolchain).content for signed, key in keys.items()
    }


class _Recording:
    """A machine on which a flow is played."""

    def __init__(self, laboratory: Laboratory, image: FlashImage) -> None:
        self._laboratory, self._machine = laboratory, laboratory.machine
        laboratory.power_cycle(image, 1)
        laboratory._run()

    def flash(self) -> FlashImage:
        return self._machine.flash_array.image()

    def damage(self, address: int) -> None:
        """Turn a bit of flash round."""
        image = self.flash()
        content = bytearray(image.content)
        content[address] ^= 1
        self._machine.flash_array.load(FlashImage(bytes(content), image.writes))

    def images(self) -> ImageClient:
        return ImageClient(self._laboratory.client())

    def history(self, play: Callable[[], None]) -> History:
        self._machine.flash_array.count = 0
        recorder = Recorder(self._machine.flash_array)
        play()
        history = recorder.history()
        self._machine.flash_array.log = None
        return history

    def boot(self) -> None:
        self._laboratory._reset()
        self._laboratory._run()

    def upload(self, firmware: Firmware) -> None:
        self.images().upload(firmware.image)

    def confirm(self) -> None:
        self.images().confirm()

    def erase(self) -> None:
        self.images().erase()

    def request(self, firmware: Firmware, *, permanent: bool = False) -> None:
        self.images().test(read_image(firmware.image).hash.hex(), permanent=permanent)


def _write_at(history: History, address: int, value: int | None = None) -> int:
    """The number of the last write there."""
    return max(
        operation.number
        for operation in history.operations
        if operation.kind is Kind.WRITE
        and operation.address == address
        and (value is None or operation.value == value)
    )


def record_number(history: History, kind: int) -> int | None:
    """The number of the first operation that writes a record of this kind into the journal."""
    for operation in history.operations:
        state = operation.value & 0xFFFF
        in_journal = operation.kind is Kind.WRITE and operation.address >= slots().journal
        if in_journal and state >> 12 == kind and operation.value == code_word(state):
            return operation.number
    return None


def filled(image: FlashImage, kept: int = _KEPT) -> FlashImage:
    """The same with a journal that has only `kept` words left: the others are torn records."""
    content = bytearray(image.content)
    writes = bytearray(image.writes.ljust(len(content) // 4, b"\0"))
    places = slots()
    pages = (places.journal, places.journal + PAGE)
    # The page in use is the one with the higher sequence; a blank one has none.
    sequences = [struct.unpack_from("<I", content, page + 4)[0] for page in pages]
    page = pages[max((number + 1 & 0xFFFFFFFF, at) for at, number in enumerate(sequences))[1]]
    words = range(page, page + PAGE, 4)
    used = max(at for at in words if content[at : at + 4] != b"\xff" * 4)
    for at in range(used + 4, page + PAGE - 4 * kept, 4):
        content[at : at + 4] = bytes(4)
        writes[at // 4] = 1
    return FlashImage(bytes(content), bytes(writes))


def after(history: History, number: int) -> FlashImage:
    """The flash after operation `number`."""
    return history.image(Cut(number, Mode.AFTER))


def _swap(
    name: str, history: History, firmware: Mapping[str, Firmware], updates: Mapping[str, Firmware]
) -> Flow:
    """A swap for a trial: the new firmware runs once."""
    tested = record_number(history, TESTED)
    assert tested is not None
    return Flow(name, history, firmware, updates, "no*", "o*", "n?o*", tested)


def flows(parts: Parts, laboratory: Laboratory) -> Iterator[Flow]:
    """All flows."""
    yield from _first_upgrade(parts, laboratory)
    yield from _recovery(parts, laboratory)
    yield from _signed(parts, laboratory)


def _first_upgrade(parts: Parts, laboratory: Laboratory) -> Iterator[Flow]:
    old, new = parts.firmware(0, "1.0.0"), parts.firmware(1, "1.1.0")
    pair = {OLD: old, NEW: new}
    updates = {OLD: parts.firmware(1, "3.0.0"), NEW: parts.firmware(0, "3.0.0")}
    device = _Recording(laboratory, parts.chip(old.image))
    device.upload(new)
    asked = device.history(lambda: device.request(new))
    last = _write_at(asked, SECONDARY_END - MAGIC_END)
    yield Flow("request", asked, pair, updates, "o*", "no*", "o*(no*)?", last)
    swap = device.history(device.boot)
    yield _swap("upgrade", swap, pair, updates)
    confirmed = device.history(device.confirm)
    last = _write_at(confirmed, PRIMARY_END - IMAGE_OK)
    yield Flow("confirm", confirmed, pair, updates, "o*", "n*", decisive=last)
    yield Flow("keep", device.history(device.boot), pair, updates, "n*")
    yield from _second_upgrade(parts, laboratory, device, new)

    device = _Recording(laboratory, asked.end())
    yield Flow("revert", device.history(device.boot), pair, updates, "o*")
    start = record_number(swap, START)
    assert start is not None
    full = laboratory.record(filled(after(swap, start)), 1)
    yield _swap("upgrade, full journal", full, pair, updates)
    full = laboratory.record(filled(swap.end()), 1)
    yield Flow("revert, full journal", full, pair, updates, "o*")


def _second_upgrade(
    parts: Parts, laboratory: Laboratory, device: _Recording, old: Firmware
) -> Iterator[Flow]:
    """With the journal, and the slot for uploads, as the first one left them."""
    new = parts.firmware(0, "2.0.0")
    pair, updates = {OLD: old, NEW: new}, {OLD: new, NEW: parts.firmware(1, "4.0.0")}
    kept = device.flash()
    sent = device.history(lambda: device.upload(new))
    yield Flow("upload", sent, pair, updates, "o*", resumes=new, boots=1)
    asked = device.history(lambda: device.request(new, permanent=True))
    last = _write_at(asked, SECONDARY_END - MAGIC_END)
    yield Flow("permanent request", asked, pair, updates, "o*", "n*", "o*n*", last)
    yield Flow("permanent upgrade", device.history(device.boot), pair, updates, "n*")

    device = _Recording(laboratory, sent.end())
    device.request(new)
    yield _swap("second upgrade", device.history(device.boot), pair, updates)
    device = _Recording(laboratory, sent.end())
    yield Flow("erase", device.history(device.erase), pair, updates, "o*", boots=1)
    device = _Recording(laboratory, kept)
    other = parts.firmware(0, "2.0.1")
    device.upload(other)
    device.request(other)
    # It was whole when the firmware looked.
    device.damage(slots().upload + 5000)
    yield Flow("refusal", device.history(device.boot), pair, updates, "o*")


def _recovery(parts: Parts, laboratory: Laboratory) -> Iterator[Flow]:
    """A chip with a bootloader and nothing else."""
    new = parts.firmware(0, "1.0.0")
    firmware, updates = {NEW: new}, {RECOVERY: new, NEW: parts.firmware(1, "1.0.0")}
    device = _Recording(laboratory, parts.chip(None))

    def play() -> None:
        device.upload(new)
        device.request(new)

    sent = device.history(play)
    word = slots().upload + (len(new.image) - 1) // 4 * 4
    complete = _write_at(sent, word)
    yield Flow(
        "recovery",
        sent,
        firmware,
        updates,
        "r*",
        "n*",
        "[rn]*",
        complete,
        installs=True,
        resumes=new,
        boots=2,
    )
    yield Flow("install", device.history(device.boot), firmware, updates, "n*", installs=True)


def _signed(parts: Parts, laboratory: Laboratory) -> Iterator[Flow]:
    """With signatures."""
    old, new = (parts.firmware(which, "1.0.0", signed=True) for which in (0, 1))
    updates = {letter: parts.firmware(which, "2.0.0", signed=True) for which, letter in ((1, OLD), (0, NEW))}
    device = _Recording(laboratory, parts.chip(old.image, signed=True))
    device.upload(new)
    device.request(new)
    yield _swap("signed upgrade", device.history(device.boot), {OLD: old, NEW: new}, updates)


def after_second_cut(pattern: str, history: History, cut: Cut) -> str:
    """What must run after `cut` in the boot `history`, where `pattern` had to before it."""
    tested = record_number(history, TESTED)
    if tested is None or "no*" not in pattern or cut.number < tested:
        return pattern
    if cut.number > tested or cut.mode is Mode.AFTER:
        return "o*"
    return pattern if cut.mode is Mode.BEFORE else "n?o*"
