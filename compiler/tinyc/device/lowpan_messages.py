"""The messages of group 64 for firmware that is a 6LoWPAN node: commands 15 and 16."""

from __future__ import annotations

from smp import message

from tinyc.device.messages import GROUP, Bytes, Command, GroupRead, GroupRequest, Unsigned


class LowpanResponse(GroupRead):
    """Lists have the numbers of `tinyc.sixlowpan.told`, in the order of its names."""

    _COMMAND_ID = Command.LOWPAN

    ms: Unsigned
    """Of the node's clock, which wraps at 2^32."""
    counters: tuple[Unsigned, ...]
    node: tuple[Unsigned, ...]
    radio: tuple[Unsigned, ...]
    memory: tuple[Unsigned, ...]


class Lowpan(message.ReadRequest, GroupRequest):
    """Ask what the receive path and the radio have counted, and what memory is in use."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.LOWPAN
    _Response = LowpanResponse


class NeighboursResponse(GroupRead):
    _COMMAND_ID = Command.NEIGHBOURS

    next: Unsigned
    """The entry of the table to go on from; the size of the table behind the last."""
    neighbours: tuple[tuple[Bytes, Unsigned, Unsigned, Unsigned, Unsigned, Unsigned], ...]
    """Address, 1 for keyed evidence, score, datagrams completed, failures in a row, 1 for blocked."""


class Neighbours(message.ReadRequest, GroupRequest):
    """Ask for the neighbours from entry `first` of the table on."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.NEIGHBOURS
    _Response = NeighboursResponse

    first: int
