"""A debug probe on a TCP port of this computer: what `pyocd --uid remote:localhost:PORT` talks to.

One JSON object a line: {"id", "request", "arguments"} is answered by {"id", "status", "result"} or
{"id", "status", "error"}. One client at a time; the chip has a debugger from its `connect` until it
disconnects or goes away.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tinyc.emulator.debug_port import DebugPort, TransferFault
from tinyc.emulator.peripheral import WORD
from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.emulator.machine import Machine

_VERSION = 1
_LINE_BYTES = 1 << 20
_WORDS = 1 << 16  # of one request
_SEND_SECONDS = 10.0
GENERAL_ERROR, PROBE_ERROR, TRANSFER_FAULT = 1, 3, 12


class _Refused(Exception):  # noqa: N818 - not an error of this program
    """A request that cannot be answered."""

    def __init__(self, what: str, status: int = GENERAL_ERROR) -> None:
        super().__init__(what)
        self.status = status


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value <= WORD


def _are_numbers(value: object) -> bool:
    return isinstance(value, list) and len(value) <= _WORDS and all(_is_number(one) for one in value)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= _WORDS


def _anything(_value: object) -> bool:
    return True


_Check = Callable[[object], bool]
_Handler = Callable[..., object]


class Probe:
    """Answers the requests of one client."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._port: DebugPort | None = None
        self._requests: dict[str, tuple[_Handler, tuple[_Check, ...]]] = {
            "hello": (self._hello, (_is_number,)),
            "readprop": (self._property, (_anything,)),
            "connect": (self._connect, (_anything,)),
            "disconnect": (self.disconnect, ()),
            "close": (self.disconnect, ()),
            "reset": (self._reset, ()),
            "assert_reset": (self._assert_reset, (lambda value: isinstance(value, bool),)),
            "is_reset_asserted": (lambda: self._connected.debug.reset_held, ()),
            "read_dp": (lambda at: self._connected.read_dp(at), (_is_number,)),
            "write_dp": (lambda at, value: self._connected.write_dp(at, value), (_is_number, _is_number)),
            "read_ap": (lambda at: self._connected.read_ap(at), (_is_number,)),
            "write_ap": (lambda at, value: self._connected.write_ap(at, value), (_is_number, _is_number)),
            "read_ap_multiple": (
                lambda at, count: self._connected.read_ap_multiple(at, count),
                (_is_number, _is_count),
            ),
            "write_ap_multiple": (
                lambda at, values: self._connected.write_ap_multiple(at, values),
                (_is_number, _are_numbers),
            ),
            # No faster way to the memory than the access port, and nothing to do on these wires.
            "get_memory_interface_for_ap": (lambda _version, _address: None, (_anything, _anything)),
            "has_swo": (lambda: False, ()),
            "swj_sequence": (lambda _length, _bits: None, (_anything, _anything)),
            "set_clock": (lambda _hertz: None, (_anything,)),
            **{name: (lambda: None, ()) for name in ("open", "lock", "unlock", "flush")},
        }

    def answer(self, line: bytes) -> bytes:
        """The reply to one line."""
        reply: dict[str, object] = {"id": -1, "status": 0}
        try:
            with self._machine.exclusive:
                result = self._perform(line, reply)
            if result is not None:
                reply["result"] = result
        except TransferFault as fault:
            reply |= {"status": TRANSFER_FAULT, "error": str(fault)}
        except _Refused as refused:
            reply |= {"status": refused.status, "error": str(refused)}
        except TinycError as error:
            reply |= {"status": PROBE_ERROR, "error": str(error)}
        return json.dumps(reply).encode() + b"\n"

    def _perform(self, line: bytes, reply: dict[str, object]) -> object:
        try:
            request: Any = json.loads(line)
        except (ValueError, RecursionError):
            raise _Refused("the request is no JSON") from None
        if not isinstance(request, dict) or type(request.get("id")) is not int:
            raise _Refused("the request is no object with a number `id`")
        reply["id"] = request["id"]
        name, arguments = request.get("request"), request.get("arguments", [])
        if not isinstance(name, str) or name not in self._requests:
            raise _Refused("unknown request")
        handler, checks = self._requests[name]
        if not isinstance(arguments, list) or len(arguments) != len(checks):
            raise _Refused(f"`{name}` takes {len(checks)} arguments")
        if not all(check(value) for check, value in zip(checks, arguments, strict=True)):
            raise _Refused(f"`{name}` does not take these arguments")
        return handler(*arguments)

    @property
    def _connected(self) -> DebugPort:
        if self._port is None:
            raise _Refused("not connected", PROBE_ERROR)
        return self._port

    def _hello(self, version: int) -> None:
        if version != _VERSION:
            raise _Refused(f"protocol version {version} is unknown, only {_VERSION}")

    def _property(self, name: object) -> object:
        properties: dict[object, object] = {
            "vendor_name": "tinyc",
            "product_name": f"emulated {self._machine.board.soc}",
            "supported_wire_protocols": ["DEFAULT", "SWD"],
            "wire_protocol": "SWD" if self._port is not None else None,
            "capabilities": ["SWJ_SEQUENCE", "BANKED_DP_REGISTERS"],
        }
        if not isinstance(name, str) or name not in properties:
            raise _Refused("unknown property")
        return properties[name]

    def _connect(self, protocol: object) -> None:
        if protocol not in ("DEFAULT", "SWD"):
            raise _Refused("only SWD is there", PROBE_ERROR)
        if self._port is None:
            self._machine.debugger.set()
            self._port = self._machine.attach()

    def disconnect(self) -> None:
        """The chip has no debugger any more."""
        if self._port is not None:
            self._port = None
            with self._machine.exclusive:
                self._machine.detach()
            self._machine.debugger.clear()

    def _reset(self) -> None:
        self._assert_reset(True)
        self._assert_reset(False)

    def _assert_reset(self, asserted: bool) -> None:
        self._connected.debug.hold_reset(asserted)


class ProbeServer:
    """Serves `machine` in a thread, on 127.0.0.1 only, until it is closed.

    An error of the emulator itself is kept in `failure`. Raises TinycError where the
    port cannot be opened or the chip has no debug port.
    """

    def __init__(self, machine: Machine, port: int = 0) -> None:
        machine.need_debug_port()
        self._machine = machine
        self.failure: Exception | None = None
        try:
            self._listener = socket.create_server(("127.0.0.1", port), backlog=4)
        except (OSError, OverflowError) as error:
            raise TinycError(f"cannot open port {port}: {error}") from error
        machine.probes += 1
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="debug-probe", daemon=True)
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self._listener.getsockname()
        return str(host), int(port)

    @property
    def uid(self) -> str:
        """What pyOCD takes as `--uid`."""
        return f"remote:localhost:{self.address[1]}"

    def _readable(self, source: socket.socket) -> bool:
        """Wait for it; False when the server closes."""
        readable, _, _ = select.select([source.fileno(), self._wake_read], [], [])
        return self._wake_read not in readable

    def _serve(self) -> None:
        while self._readable(self._listener):
            try:
                client, _ = self._listener.accept()
            except OSError:
                continue
            probe = Probe(self._machine)
            try:
                with client:
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    client.settimeout(_SEND_SECONDS)
                    self._talk(client, probe)
            except OSError:
                pass  # the client is gone
            finally:
                probe.disconnect()

    def _talk(self, client: socket.socket, probe: Probe) -> None:
        waiting = bytearray()
        while self._readable(client):
            data = client.recv(1 << 16)
            if not data:
                return
            waiting += data
            *lines, rest = waiting.split(b"\n")
            waiting = bytearray(rest)
            for line in lines:
                client.sendall(self._answer(probe, bytes(line)))
            if len(waiting) > _LINE_BYTES:
                error = {"id": -1, "status": GENERAL_ERROR, "error": "the line is too long"}
                client.sendall(json.dumps(error).encode() + b"\n")
                return

    def _answer(self, probe: Probe, line: bytes) -> bytes:
        try:
            return probe.answer(line)
        except Exception as error:  # a client that gets no reply may wait for ever
            self.failure = error
            reply = {"id": -1, "status": GENERAL_ERROR, "error": f"the emulator failed: {error}"}
            return json.dumps(reply).encode() + b"\n"

    def close(self) -> None:
        """Send a client away and stop serving."""
        if self._listener.fileno() < 0:
            return  # closed before
        with contextlib.suppress(OSError):
            os.write(self._wake_write, b"x")
        self._thread.join(timeout=30)
        self._machine.probes -= 1
        self._listener.close()
        for descriptor in (self._wake_read, self._wake_write):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
