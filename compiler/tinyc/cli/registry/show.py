"""`tinyc registry show`: the page of a device, a model or a firmware."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from tinyc.cli import output
from tinyc.cli.options import Json
from tinyc.cli.registry.options import RegistryAt, opened
from tinyc.errors import Problem, TinycError

if TYPE_CHECKING:
    from tinyc.registry.pages import DevicePage, FirmwareRow, ModelPage


def command(
    thing: Annotated[
        str,
        typer.Argument(
            help="Number of a chip, NAME or NAME@VERSION of a model, start of a firmware's identity, IRI."
        ),
    ],
    registry: RegistryAt = None,
    json: Json = False,
) -> None:
    """Show what the registry knows of a device (history, model, memory), a model or a firmware."""
    from tinyc.registry import pages

    with opened(registry) as store:
        found = pages.find(store.store, thing)
        if not found:
            raise TinycError(
                f"the registry knows no {thing!r}",
                where=str(store.location),
                hint="`tinyc registry stats` counts what it knows",
            )
        if len(found) > 1:
            raise TinycError(
                f"{thing!r} means several things",
                problems=[Problem(each.kind, each.iri.value) for each in found],
                hint="name one by its IRI",
            )
        (one,) = found
        if one.kind == "device":
            page: DevicePage | ModelPage | FirmwareRow = pages.device_page(store.store, one.iri)
        elif one.kind == "model":
            page = pages.model_page(store.store, one.iri)
        else:
            page = pages.firmware_page(store.store, one.iri)
    if json:
        output.as_json({"kind": one.kind, **asdict(page)})
    elif isinstance(page, pages.DevicePage):
        _device(page)
    elif isinstance(page, pages.ModelPage):
        _model(page)
    else:
        _lines(page.identity, _firmware_rows(page))


def _lines(title: str, rows: list[tuple[str, object]]) -> None:
    """Names and values; what nobody told is left out."""
    told = [(name, value) for name, value in rows if value not in ("", None)]
    output.table(title, ("property", "value"), told)


def _device(page: DevicePage) -> None:
    _lines(
        f"{page.board} {page.chip}",
        [
            ("site", page.site),
            ("drift", page.drift),
            ("first seen", page.first_seen),
            ("missing since", page.missing_since),
            ("free flash", _bytes(page.free_flash)),
            ("free RAM", _bytes(page.free_ram)),
        ],
    )
    if page.deployments:
        rows = [
            (
                each.at,
                each.model,
                each.version,
                each.firmware[:12] + ("" if each.known else " (unknown)"),
                each.method,
                "yes" if each.verified else "no",
                "now" if each.current else "",
            )
            for each in page.deployments
        ]
        output.table("deployments", ("since", "model", "version", "firmware", "by", "verified", ""), rows)
    if page.states:
        states = [(each.sequence, each.at, each.updates, each.before, each.after) for each in page.states]
        output.table("learned states", ("number>", "at", "updates>", "before>", "after>"), states)


def _model(page: ModelPage) -> None:
    _lines(
        f"{page.name} {page.version}",
        [
            ("digest", page.digest),
            ("recalled", "yes" if page.recalled else ""),
            ("parameters", _number(page.parameters)),
            ("MACs", _number(page.macs)),
            ("weights", _bytes(page.weight_bytes)),
            ("input", f"{page.input_shape} {page.input_type}".strip()),
            ("output", page.output_shape),
            ("precision", page.precision),
            ("SQNR", None if page.sqnr_db is None else f"{page.sqnr_db} dB"),
            ("accuracy when quantized, float", page.float_accuracy),
            ("accuracy when quantized", page.accuracy),
            *((f"accuracy on {each.dataset}", each.accuracy) for each in page.evaluations),
            ("runs on", _devices(page.devices)),
        ],
    )
    if page.ancestors:
        rows = [(each.steps, each.name, each.version, each.relation) for each in page.ancestors]
        output.table("derived from", ("steps>", "name", "version", "how"), rows)
    if page.firmware:
        firmware = [
            (
                each.identity[:12],
                each.board,
                _bytes(each.flash),
                _bytes(each.ram),
                each.compiler,
                each.devices,
            )
            for each in page.firmware
        ]
        output.table("firmware", ("identity", "board", "flash>", "RAM>", "tinyc", "devices>"), firmware)


def _firmware_rows(page: FirmwareRow) -> list[tuple[str, object]]:
    return [
        ("known", "" if page.known else "no: no build told of it"),
        ("board", page.board),
        ("model", f"{page.model} {page.version}".strip()),
        ("tinyc", page.compiler),
        ("built", page.at),
        ("flash", _bytes(page.flash)),
        ("RAM", _bytes(page.ram)),
        ("free flash", _bytes(page.free_flash)),
        ("free RAM", _bytes(page.free_ram)),
        ("runs on", _devices(page.devices)),
    ]


def _bytes(count: int | None) -> str:
    return "" if count is None else output.bytes_text(count)


def _number(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def _devices(count: int) -> str:
    return f"{count:,} device{'' if count == 1 else 's'}"
