"""From the bytes of an answer to its fields, or to an error in plain words."""

from __future__ import annotations

import logging
from typing import Any, TypeVar, cast

import cbor2
from pydantic import ValidationError
from smp.error import MGMT_ERR, ErrorV1, ErrorV2
from smp.exceptions import SMPException
from smp.header import CommandId, GroupId
from smp.image_management import IMG_MGMT_ERR
from smp.message import ReadResponse, WriteResponse
from smpclient.generics import SMPRequest

from tinyc.device.errors import ProtocolError, RecoveryError
from tinyc.device.hello import RECOVERY, check_protocol
from tinyc.device.limits import HEADER
from tinyc.device.messages import GROUP, Command, Failure, Hello, Identify

Answer = TypeVar("Answer", bound=ReadResponse | WriteResponse)
_V1 = TypeVar("_V1", bound=ErrorV1)
_V2 = TypeVar("_V2", bound=ErrorV2[Any])

# smp logs that an answer has another version of SMP; Python prints log records that nobody handles.
logging.getLogger("smp").addHandler(logging.NullHandler())

_DAMAGED = (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, RecursionError)

_SMP_WORDS: dict[int, str] = {
    MGMT_ERR.EINVAL: "the request is malformed or out of range",
    MGMT_ERR.EMSGSIZE: "the answer does not fit the device's buffer",
    MGMT_ERR.ENOTSUP: "the firmware does not have this command",
    MGMT_ERR.ENOENT: "there is no such entry",
    MGMT_ERR.EBUSY: "the device is busy",
}
_GROUP_WORDS: dict[int, dict[int, str]] = {
    GROUP: {
        Failure.MALFORMED: "the request is malformed",
        Failure.OUT_OF_RANGE: "the request is out of range",
        Failure.NO_MODEL: "no slot has a model that this firmware runs",
        Failure.NO_ROOM: "there is no room for another class, or its name is too long",
        Failure.STALE: "the device has gone on meanwhile: this is not its last observation, or not its head",
        Failure.NO_ROUND: "no round of training has begun, as after a restart",
        Failure.NOT_FINITE: "training diverged: it came to numbers that are NaN or infinite",
        Failure.OTHER_START: "the parameters that it holds are not those that were sent",
    },
    GroupId.IMAGE_MANAGEMENT: {
        IMG_MGMT_ERR.NO_IMAGE: "there is no image",
        IMG_MGMT_ERR.NO_FREE_SLOT: "the slot for uploads is in use: the running image is not confirmed yet",
        IMG_MGMT_ERR.FLASH_WRITE_FAILED: "writing the flash failed",
        IMG_MGMT_ERR.FLASH_ERASE_FAILED: "erasing the flash failed",
        IMG_MGMT_ERR.INVALID_IMAGE_HEADER: "this is no image",
        IMG_MGMT_ERR.INVALID_IMAGE_HEADER_MAGIC: "this is no image",
        IMG_MGMT_ERR.INVALID_HASH: "the image is damaged",
        IMG_MGMT_ERR.INVALID_IMAGE_TOO_LARGE: "the image is larger than the slot",
        IMG_MGMT_ERR.INVALID_IMAGE_DATA_OVERRUN: "more bytes came than the image has",
        IMG_MGMT_ERR.INVALID_FLASH_ADDRESS: "the image is for another board or another flash map",
        IMG_MGMT_ERR.IMAGE_ALREADY_PENDING: "an image waits for the next start already",
    },
}


def name(request: SMPRequest[Answer, _V1, _V2]) -> str:
    """What people call the command of a request."""
    group, command = request.header.group_id, request.header.command_id
    if group == GROUP:
        return Command(command).name
    if group == GroupId.OS_MANAGEMENT:
        return CommandId.OSManagement(command).name.removeprefix("MCUMGR_")
    return f"command {int(command)} of group {int(group)}"


def parse(request: SMPRequest[Answer, _V1, _V2], answer: bytes) -> Answer:
    """The fields of the answer to `request`. Raises ProtocolError for a refusal and for nonsense."""
    fields = _fields(request, answer)
    refusal = _refusal(fields)
    if refusal is not None:
        raise ProtocolError(f"the device refused {name(request)}: {refusal}")
    if isinstance(request, Hello | Identify):
        # First of all: another version may mean other fields.
        check_protocol(fields.get("proto"))
    if isinstance(request, Hello) and fields.get("mode") == RECOVERY:
        raise RecoveryError
    try:
        return cast(Answer, request._Response.loads(answer))
    except (ValidationError, SMPException, *_DAMAGED) as error:
        raise ProtocolError(
            f"the device's answer to {name(request)} makes no sense: {_why(error)}"
        ) from error


def _fields(request: SMPRequest[Answer, _V1, _V2], answer: bytes) -> dict[Any, Any]:
    try:
        fields = cbor2.loads(answer[HEADER:])
    except _DAMAGED as error:
        raise ProtocolError(f"the device's answer to {name(request)} is no CBOR") from error
    if not isinstance(fields, dict):
        raise ProtocolError(f"the device's answer to {name(request)} is no map")
    return fields


def _refusal(fields: dict[Any, Any]) -> str | None:
    """Why the device refused, None when it did not."""
    error = fields.get("err")
    if isinstance(error, dict):
        group, code = error.get("group"), error.get("rc")
        words = None
        if isinstance(group, int) and isinstance(code, int):
            words = _GROUP_WORDS.get(group, {}).get(code)
        return words or f"error {code} of group {group}"
    code = fields.get("rc", 0)
    if code == 0:
        return None
    return _SMP_WORDS.get(code, f"error {code}") if isinstance(code, int) else f"error {code}"


def _why(error: Exception) -> str:
    """One line: the first field that is wrong, or what the library says."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return f"`{place}`: {first['msg']}" if place else first["msg"]
    return str(error).splitlines()[0] if str(error) else type(error).__name__
