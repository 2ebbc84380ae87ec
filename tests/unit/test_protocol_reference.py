"""`docs/reference/protocol.md` says what the code does: its bytes, its numbers, its example."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Any

import cbor2
import pytest
from smp import message, os_management, statistics_management
from smp.image_management import IMG_MGMT_ERR
from smpclient.requests.image_management import (
    ImageErase,
    ImageStatesRead,
    ImageStatesWrite,
    ImageUploadWrite,
)
from smpclient.requests.os_management import (
    BootloaderInformationRead,
    EchoWrite,
    MCUMgrParametersRead,
    ResetWrite,
)
from smpclient.requests.statistics_management import GroupData, ListOfGroups

from support.paths import ROOT
from support.smp_peer import FakeDevice
from tinyc.device import learn_messages, limits, lowpan_messages, messages, trainer_messages
from tinyc.device.framing import FrameDecoder, encode, is_answer
from tinyc.device.learned import WORDS, Outcome
from tinyc.sixlowpan.fragments import Verdict
from tinyc.sixlowpan.told import NODE, RADIO
from tinyc.sixlowpan.words import meaning

pytestmark = pytest.mark.unit

PAGE = (ROOT / "docs" / "reference" / "protocol.md").read_text(encoding="utf-8")
REQUESTS: dict[tuple[int, int, int], Any] = {
    (request._GROUP_ID, request._COMMAND_ID, request._OP): request
    for request in (
        BootloaderInformationRead,
        EchoWrite,
        GroupData,
        ImageErase,
        ImageStatesRead,
        ImageStatesWrite,
        ImageUploadWrite,
        ListOfGroups,
        MCUMgrParametersRead,
        ResetWrite,
    )
}
REQUESTS |= {
    (request._GROUP_ID, request._COMMAND_ID, request._OP): request
    for module in (messages, learn_messages, lowpan_messages, trainer_messages)
    for _, request in inspect.getmembers(module, inspect.isclass)
    if issubclass(request, message.Request) and request is not messages.Identify
}
UNKNOWN = 99


@dataclass(frozen=True)
class Example:
    message: bytes
    wire: bytes

    @property
    def key(self) -> tuple[int, int, int]:
        """Group, command, operation of the request."""
        return int.from_bytes(self.message[4:6], "big"), self.message[7], self.message[0] & 6

    @property
    def fields(self) -> dict[str, Any]:
        fields = cbor2.loads(self.message[8:])
        assert isinstance(fields, dict)
        return fields


def examples() -> list[Example]:
    """Indented lines of bytes are a message, those with a marker its lines."""
    pattern = r"((?:^    (?:[0-9A-F]{2} ?)+\n)+)((?:^    (?:06 09|04 14) \S+ 0A(?:\n|$))+)"
    found = []
    for hexadecimal, wire in re.findall(pattern, PAGE, flags=re.MULTILINE):
        lines = [line.split() for line in wire.splitlines()]
        framed = b"".join(bytes.fromhex(a + b) + body.encode() + b"\n" for a, b, body, _ in lines)
        found.append(Example(bytes.fromhex(hexadecimal), framed))
    return found


EXAMPLES = examples()
PAIRS = list(zip(EXAMPLES[::2], EXAMPLES[1::2], strict=True))


@pytest.mark.parametrize("example", EXAMPLES)
def test_lines_of_the_examples(example: Example) -> None:
    assert encode(example.message) == example.wire
    decoder = FrameDecoder()
    assert decoder.feed(example.wire) == [example.message]
    assert decoder.dropped == decoder.skipped == 0


@pytest.mark.parametrize(("request_", "answer"), PAIRS)
def test_messages_of_the_examples_are_those_of_smp(request_: Example, answer: Example) -> None:
    assert is_answer(request_.message, answer.message)
    if request_.message[7] == UNKNOWN:
        assert answer.fields == {"rc": 8}
        return
    kind = REQUESTS[request_.key]
    version, sequence = request_.message[0] >> 3, request_.message[6]
    built = kind(**request_.fields, sequence=sequence, version=version)
    assert bytes(built) == request_.message
    assert kind.loads(request_.message).header == built.header
    if "err" in answer.fields:
        expected = {64: messages.Failure.OUT_OF_RANGE, 1: IMG_MGMT_ERR.NO_FREE_SLOT}
        assert built._ErrorV2.loads(answer.message).err.rc is expected[request_.key[0]]
    elif "rc" in answer.fields:
        assert built._ErrorV1.loads(answer.message).rc == 3
    else:
        fields = built._Response.loads(answer.message).model_dump()
        renamed = {"release": "version"} if kind is messages.Hello else {}
        told = {renamed.get(key, key): value for key, value in fields.items()}
        if kind in (ImageStatesRead, ImageStatesWrite):
            told["images"] = [
                {key: value for key, value in image.items() if value is not None} for image in told["images"]
            ]
            assert told["images"] == answer.fields["images"]
            return
        for key, value in answer.fields.items():
            assert told[key] == (tuple(map(tuple_of, value)) if isinstance(value, list) else value)


def tuple_of(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def test_every_command_of_group_64_has_an_example() -> None:
    shown = {request.key[:2] for request, _ in PAIRS}
    assert shown >= {(messages.GROUP, int(command)) for command in messages.Command}
    assert len(EXAMPLES) >= 30


def test_the_table_of_commands_is_complete() -> None:
    for command in messages.Command:
        assert re.search(rf"^\| (64|64 tinyc) \| {command} \| {command.name} \|", PAGE, flags=re.MULTILINE)


def test_keys_of_hello() -> None:
    table = PAGE.split("The answer to HELLO:")[1].split("## Errors")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE) == list(FakeDevice()._hello())


def test_numbers() -> None:
    small, large = limits.SMALL_BUFFER, limits.LARGE_BUFFER
    text = " ".join(PAGE.split())
    assert f"{large} bytes, {small} on boards with less than {limits.LARGE_BUFFER_RAM // 1024} KiB" in text
    assert f"at most {limits.largest_message(large)} or {limits.largest_message(small)} bytes" in text
    assert f"{limits.largest_text(large)} bytes, {limits.largest_text(small)} with the small" in text
    assert f"at most {limits.LARGEST_PROFILE} in one request" in text


def test_the_python_example_can_be_loaded() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    assert inspect.iscoroutinefunction(names["cycles"])


def test_groups_of_smp() -> None:
    """The numbers of the page's table are those of `smp`."""
    assert (os_management.EchoWriteRequest._GROUP_ID, ResetWrite._COMMAND_ID) == (0, 5)
    assert (MCUMgrParametersRead._COMMAND_ID, statistics_management.GroupDataRequest._GROUP_ID) == (6, 2)


def test_errors_of_the_image_group() -> None:
    """The table has each error of the firmware, with the meaning that `smp` gives it."""
    source = (ROOT / "firmware_templates" / "device" / "upload.h").read_text(encoding="utf-8")
    numbers = {int(number) for number in re.findall(r"IMAGE_ERROR_\w+ = (\d+)", source)} - {0}
    rows = re.findall(
        r'^\| group 1: .* \| `\{"err": \{"group": 1, "rc": (\d+)\}\}` \|', PAGE, flags=re.MULTILINE
    )
    assert {int(number) for number in rows} == numbers
    assert all(IMG_MGMT_ERR(number) for number in numbers)


def test_results_of_learning() -> None:
    """The table, the client and the firmware have the same numbers."""
    source = (ROOT / "firmware_templates" / "learning" / "learner.h").read_text(encoding="utf-8")
    firmware = {name: int(number) for name, number in re.findall(r"LEARNER_(\w+) = (\d+)", source)}
    assert firmware == {outcome.name: outcome.value for outcome in Outcome}
    assert set(WORDS) == set(Outcome)
    table = PAGE.split("| `result` | |")[1].split("HELLO has one key more")[0]
    assert [int(number) for number in re.findall(r"^\| (\d+) \|", table, flags=re.MULTILINE)] == list(Outcome)
    deeds = PAGE.split("| `do` | |")[1].split("`active` is")[0]
    assert [int(number) for number in re.findall(r"^\| (\d+) \|", deeds, flags=re.MULTILINE)] == list(
        learn_messages.Deed
    )


def test_counters_of_6lowpan() -> None:
    """The table has each counter with its number and meaning, and the radio's come in their order."""
    section = PAGE.split("## 6LoWPAN")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (.*) \|$", section, flags=re.MULTILINE)
    assert rows == [(str(it.value), it.name.lower(), meaning(it)) for it in Verdict]
    for names, start, end in ((NODE, "node", "radio"), (RADIO, "radio", "memory")):
        part = section.split(f"`{start}` has")[1].split(f"`{end}` has")[0]
        assert tuple(re.findall(r"`(\w+)`", part)) == names
