"""`tinyc devices`: the serial ports of this machine and what answers on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinyc.cli import output
from tinyc.cli.options import Json

if TYPE_CHECKING:
    from tinyc.device.hello import Hello


def command(
    ports: Annotated[
        list[str] | None, typer.Option("--port", help="Ask at this port; may be repeated. Default: all.")
    ] = None,
    json: Json = False,
) -> None:
    """List serial ports, and the devices that answer there with their models."""
    from tinyc.device.discovery import Port, ask_all, attached

    with output.busy("asking at the serial ports"):
        known = {port.name: port for port in attached()}
        wanted = [known.get(name, Port(name)) for name in ports] if ports else list(known.values())
        found = ask_all(wanted)
    if json:
        output.as_json([_entry(answer) for answer in found])
        return
    if not found:
        output.talk("there is no serial port here: is the board plugged in, with a cable that carries data?")
        return
    columns = ("port", "board", "model", "version", "chip", "firmware", "free RAM>", "description")
    rows = []
    for answer in found:
        port, hello = answer.port, answer.hello
        description = " ".join(filter(None, (port.description, port.usb)))
        if hello is None:
            rows.append((port.name, "", f"({answer.problem})", "", "", "", "", description))
            continue
        free = output.bytes_text(hello.ram)
        rows.append(
            (
                *(port.name, hello.board, hello.model, hello.model_version, hello.device_id),
                *(hello.firmware[:12], free, description),
            )
        )
    output.table("", columns, rows)


def _entry(found: Any) -> dict[str, object]:
    port, hello = found.port, found.hello
    entry: dict[str, object] = {"port": port.name, "description": port.description, "usb": port.usb}
    if hello is None:
        return entry | {"device": None, "problem": found.problem}
    return entry | {"device": device_entry(hello), "problem": None}


def device_entry(hello: Hello) -> dict[str, object]:
    """What a device says about itself, as JSON."""
    return {
        "board": hello.board,
        "chip": hello.device_id,
        "model": hello.model,
        "version": hello.model_version,
        "digest": hello.digest,
        "firmware": hello.firmware,
        "tinyc": hello.tinyc,
        "free_ram": hello.ram,
        "slots": [{"name": slot.name, "size": slot.size} for slot in hello.slots],
    }
