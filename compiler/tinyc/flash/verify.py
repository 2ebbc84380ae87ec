"""After flashing: wait until the firmware answers, and believe nothing but its own words."""

from __future__ import annotations

from collections.abc import Callable

from tinyc.device import discovery
from tinyc.device.discovery import Found, Port
from tinyc.device.hello import UNFIT, BootEvent, Hello
from tinyc.errors import Disagreement, Problem, TinycError
from tinyc.flash import ports
from tinyc.flash.job import Job
from tinyc.signing.faults import words_of

_SHORT = 16
_ASK_SECONDS = 0.5


class Reconnection:
    """Recognizes the port of a board that was plugged in before it was flashed.

    A port may come back under another name: the USB serial number stays, and of one without it the
    USB id. Where none was named, every port with an id of the board is looked at.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._name = ports.console(job.board, job.port)
        before = discovery.attached()
        self._others = {port.name for port in before}
        self._known = next((port for port in before if port.name == self._name), None)

    def candidates(self) -> list[str]:
        """Ports that may be the board's now, the expected one first."""
        found = [self._name] if self._name is not None and ports.there(self._name) else []
        expected = bool(found)
        for port in discovery.attached():
            fits = self._job.port is None and port.usb in self._job.board.usb.console
            if port.name not in found and (fits or self._is_known(port, expected)):
                found.append(port.name)
        return found

    def _is_known(self, port: Port, expected: bool) -> bool:
        """Whether a port is the board's under another name; `expected` when it is there under its own."""
        known = self._known
        if known is None or known.usb is None:
            return False
        if known.serial is not None:
            return port.serial == known.serial
        return not expected and port.usb == known.usb and port.name not in self._others

    def wait(self) -> Found:
        """The first answer to HELLO. Raises TinycError when none comes in time."""
        last: list[str] = []

        def answer() -> Found | None:
            for name in self.candidates():
                found = discovery.ask(Port(name), _ASK_SECONDS)
                if found.hello is not None:
                    return found
                last[:] = [f"{name}: {found.problem}"]
            return None

        found = ports.wait_for(answer, self._job.timeout)
        if found is None:
            name = self._name or "any port of the board"
            why = last[0] if last else f"{name} did not come back"
            raise TinycError(
                f"the firmware was written, but does not answer within {self._job.timeout:g} s ({why})",
                hint="press reset once and run `tinyc devices`; is the port the one where the board answers?",
            )
        return found


def compare(job: Job, hello: Hello, *, model: bool = True) -> None:
    """Raise Disagreement unless the device is this board and runs exactly this firmware and model.

    Without `model` another model may lie in its slot, but none that the firmware refuses.
    """
    firmware = job.firmware
    rows: tuple[tuple[str, str, str, Callable[[str], str]], ...] = (
        ("board", hello.board, job.board.name, str),
        ("firmware", hello.firmware, firmware.identity, _short),
        ("model", hello.digest, firmware.digest, _short),
    )
    problems = [
        Problem(what, f"the device says {shown(got)}", f"flashed was {shown(wanted)}")
        for what, got, wanted, shown in rows
        if got != wanted and (what != "model" or model)
    ]
    if not model:
        unfit = [refusal for refusal in hello.refused if refusal.fault in UNFIT]
        problems += [Problem("model in its slot", str(refusal)) for refusal in unfit]
    refused = why_refused(hello)
    if problems and refused is not None:
        problems.append(Problem("bootloader", refused))
    if problems:
        raise Disagreement(
            "the device does not run the firmware that was flashed",
            problems=problems,
            hint="it still runs another one: was this board flashed, and is this its port?"
            if hello.firmware != firmware.identity
            else "a reset brings the old firmware back",
        )


def same_chip(before: str | None, hello: Hello) -> None:
    """Raise Disagreement when another chip answers than the one that was asked before; None: it was not."""
    if before is not None and hello.device_id != before:
        raise Disagreement(
            f"another device answers: chip {hello.device_id}",
            allowed=f"chip {before}, which was flashed",
            hint="name the port of the board with --port",
        )


def why_refused(hello: Hello) -> str | None:
    """What the bootloader has against the image it was given, None when it has nothing."""
    boot = hello.boot
    if boot is not None and boot.event == BootEvent.REFUSED:
        return f"refused the image: {words_of(boot.reason)}"
    if boot is not None and boot.event == BootEvent.REVERTED:
        return f"took the new firmware back: {words_of(boot.reason)}"
    return None


def _short(digest: str) -> str:
    return digest[:_SHORT]
