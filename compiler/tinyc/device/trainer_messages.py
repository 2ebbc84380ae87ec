"""The messages of the trainer, commands 20 to 23 of group 64, as classes of `smp`."""

from __future__ import annotations

from smp import message

from tinyc.device.messages import GROUP, Bytes, Command, GroupRead, GroupRequest, GroupWrite, Unsigned


class TrainerResponse(GroupRead):
    _COMMAND_ID = Command.TRAINER

    layers: tuple[Unsigned, ...]
    """Widths from the input to the output."""
    hidden: Unsigned
    """0 tanh, 1 relu, 2 leaky."""
    loss: Unsigned
    """0 mean squared error, 1 softmax and cross-entropy."""
    start: Unsigned
    """1 when the device keeps the parameters that a round began with, and encodes what changed."""
    state: Unsigned
    """0 idle, 1 training, 2 the delta is encoded."""
    round: Unsigned
    samples: Unsigned
    off: Unsigned
    """Bytes of samples taken in the round."""
    sum: Unsigned
    """Bits of a float32: the losses of the round."""
    record: Unsigned
    """Bytes of one sample."""


class Trainer(message.ReadRequest, GroupRequest):
    """Ask which network it is and how far the round is."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.TRAINER
    _Response = TrainerResponse


class BeginResponse(GroupWrite):
    _COMMAND_ID = Command.TRAINER

    round: Unsigned


class Begin(message.WriteRequest, GroupRequest):
    """Begin a round at the parameters that were written: `size` bytes whose CRC-32 is `crc`."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.TRAINER
    _Response = BeginResponse

    round: int
    rate: int
    """Bits of a float32."""
    head_samples: int
    head: int
    """0 the last layer is among the parameters, 1 it begins at zero, 2 it is that of the round before."""
    size: int
    crc: int


class ParametersReadResponse(GroupRead):
    _COMMAND_ID = Command.PARAMETERS

    off: Unsigned
    data: Bytes


class ParametersRead(message.ReadRequest, GroupRequest):
    """Read `len` bytes of what is being trained from byte `off` on, between rounds of the start."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.PARAMETERS
    _Response = ParametersReadResponse

    off: int
    len: int


class ParametersWriteResponse(GroupWrite):
    _COMMAND_ID = Command.PARAMETERS

    off: Unsigned
    """The next byte."""


class ParametersWrite(message.WriteRequest, GroupRequest):
    """Store `data` in the start of the next round from byte `off` on."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.PARAMETERS
    _Response = ParametersWriteResponse

    off: int
    data: bytes


class TrainResponse(GroupWrite):
    _COMMAND_ID = Command.TRAIN

    off: Unsigned
    """Bytes of samples taken in the round."""
    cycles: Unsigned
    """CPU cycles, 0 where the core has no counter."""


class Train(message.WriteRequest, GroupRequest):
    """Learn samples: bytes from `off` of the round on, cut anywhere."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.TRAIN
    _Response = TrainResponse

    off: int
    data: bytes


class EncodeResponse(GroupWrite):
    _COMMAND_ID = Command.DELTA

    size: Unsigned
    """Bytes of the encoded delta."""


class Encode(message.WriteRequest, GroupRequest):
    """End the round: encode the `keep` largest changes in the first `layers` layers."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.DELTA
    _Response = EncodeResponse

    layers: int
    keep: int


class DeltaResponse(GroupRead):
    _COMMAND_ID = Command.DELTA

    off: Unsigned
    data: Bytes


class Delta(message.ReadRequest, GroupRequest):
    """Read `len` bytes of the encoded delta from byte `off` on."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.DELTA
    _Response = DeltaResponse

    off: int
    len: int
