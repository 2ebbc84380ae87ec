"""A synthetic fleet in the registry's own facts, as N-Triples files.

20 models of 10 versions, each made from the one before; firmware for every version and board that has room;
devices over boards, sites and versions. What a device costs is what `DeploymentFact` writes of a device that
is flashed once: 8 triples of the device and 7 of its deployment. Everything follows from the number of the
device.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pyoxigraph import Literal, NamedNode, Triple

from tinyc.registry import names
from tinyc.registry.boards import board_facts
from tinyc.registry.facts import (
    BaseFact,
    BillFact,
    BoardFact,
    DeploymentFact,
    EvaluationFact,
    Fact,
    FileFact,
    FirmwareFact,
    ModelFact,
    ModelRef,
    SiteFact,
)
from tinyc.registry.vocabulary import TINYC, XSD

MODELS, VERSIONS = 20, 10
PIECE = 100_000
"""Devices of one file."""
START = datetime(2026, 1, 1, tzinfo=UTC)
_CHIP, _FIRMWARE, _MODEL = "c0ffee", "f" * 64, ModelRef("placeholder", "9.9.9", "e" * 64)
_SITE, _BOARD = "placeholdersite", "placeholderboard"
_TIMES = 1000
# Of so many devices one is not verified, has drifted, is missing.
_VERIFIED, _DRIFTED, _MISSING = 33, 50, 40
_TRUE, _FALSE = (str(Literal(value)) for value in (True, False))


@dataclass(frozen=True, slots=True)
class Fleet:
    """What devices are made of. Firmware is a pair of model and board with its identity."""

    boards: tuple[BoardFact, ...]
    models: tuple[ModelRef, ...]
    sites: tuple[str, ...]

    @property
    def identities(self) -> list[tuple[ModelRef, str, str]]:
        """Model, name of the board, identity of the firmware."""
        return [
            (model, board.name, _digest(model.digest, board.name))
            for model in self.models
            for board in self.boards
        ]


def fleet(devices: int) -> Fleet:
    """The parts of a fleet of so many devices: a site for every thousand."""
    models = tuple(
        ModelRef(f"model-{number:02}", f"1.{version}.0", _digest("model", str(number), str(version)))
        for number in range(MODELS)
        for version in range(VERSIONS)
    )
    sites = tuple(f"site {number}" for number in range(max(10, devices // 1000)))
    return Fleet(board_facts(), models, sites)


def facts(parts: Fleet) -> Iterator[Fact]:
    """Everything but the devices."""
    yield from parts.boards
    for site in parts.sites:
        yield SiteFact(site)
    data = FileFact("evaluation.npz", _digest("data"))
    for place, model in enumerate(parts.models):
        number, version = divmod(place, VERSIONS)
        base = BaseFact(parts.models[place - 1], "FineTuned") if version else None
        source = None if version else FileFact(f"{model.name}.tflite", _digest("file", model.name))
        accuracy = 0.80 + 0.01 * version + 0.001 * number
        yield ModelFact(
            model=model,
            at=START + timedelta(days=version),
            compiler="0.1.0",
            parameters=24_267,
            macs=2_656_768,
            weight_bytes=29_159,
            input_shape="1,49,10,1",
            output_shape="1,2",
            precision="int8",
            labels=("yes", "no"),
            input_type="audio",
            source=source,
            base=base,
            bill=BillFact(31.5, 100, accuracy + 0.003, accuracy),
        )
        yield EvaluationFact(model, accuracy, data)
    for place, (model, board, identity) in enumerate(parts.identities):
        room = next(each for each in parts.boards if each.name == board)
        flash, ram = 40_000 + 997 * (place % 300), 9_000 + 131 * (place % 200)
        yield FirmwareFact(
            identity=identity,
            model=model,
            board=board,
            at=START + timedelta(days=1 + place % 90),
            toolchain="zig",
            compiler=f"0.{1 + place % 3}.0",
            optimize="balanced",
            signed=place % 2 == 0,
            security_counter=0,
            flash=flash,
            ram=ram,
            arena=10_080,
            weight_bytes=29_159,
            stack=2_048,
            free_flash=max(0, room.flash - flash),
            free_ram=max(0, room.ram - ram),
        )


def device(parts: Fleet, number: int) -> tuple[str, str]:
    """Board and chip of a device."""
    board = parts.boards[_mixed(number) % len(parts.boards)].name
    return board, f"{number:016x}"


def write(parts: Fleet, devices: int, folder: Path) -> list[Path]:
    """The fleet as files: first what is not a device, then pieces of devices."""
    paths = [folder / "parts.nt"]
    with paths[0].open("w") as file:
        for fact in facts(parts):
            file.writelines(f"{triple} .\n" for triple in fact.change().triples())
    template = _template()
    identities = {(model.digest, board): identity for model, board, identity in parts.identities}
    times = [(START + timedelta(hours=7 * hour)).isoformat() for hour in range(_TIMES)]
    models = [model.iri.value for model in parts.models]
    sites = [names.site(site).value for site in parts.sites]
    for start in range(0, devices, PIECE):
        paths.append(folder / f"devices-{start // PIECE:04}.nt")
        with paths[-1].open("w") as file:
            for number in range(start, min(start + PIECE, devices)):
                board, chip = device(parts, number)
                place = (number * 7 + number // 11) % len(models)
                time = times[number % _TIMES]
                text = template.format(
                    board=board,
                    chip=chip,
                    site=sites[number % len(sites)],
                    firmware=identities[parts.models[place].digest, board],
                    model=models[place],
                    deployment=f"{_mixed(number):016x}{number:016x}",
                    time=time,
                )
                file.write(text if number % _VERIFIED else text.replace(_TRUE, _FALSE))
                file.writelines(f"{triple} .\n" for triple in _state(names.device(board, chip), number, time))
    return paths


def _state(own: NamedNode, number: int, time: str) -> Iterator[Triple]:
    """What some devices have besides."""
    if number % _DRIFTED == 1:
        yield Triple(own, TINYC.drift, TINYC.Drifted)
    if number % _MISSING == 2:
        yield Triple(own, TINYC.missingSince, Literal(time, datatype=XSD.dateTime))


def _template() -> str:
    """What the registry writes of a device, with its parts left open."""
    fact = DeploymentFact(_BOARD, _CHIP, _FIRMWARE, _MODEL, START, "smp", True, _SITE)
    own = names.device(_BOARD, _CHIP)
    triples = fact.change().triples()
    deployed = next(each.object for each in triples if each.predicate == TINYC.currentDeployment)
    assert isinstance(deployed, NamedNode)
    lines = [f"{triple} .\n" for triple in triples if triple.subject in (own, deployed)]
    text = "".join(lines).replace("{", "{{").replace("}", "}}")
    for found, name in (
        (deployed.value, "urn:tinyc:deployment:{deployment}"),
        (names.site(_SITE).value, "{site}"),
        (_MODEL.iri.value, "{model}"),
        (_FIRMWARE, "{firmware}"),
        (_BOARD, "{board}"),
        (_CHIP, "{chip}"),
        (START.isoformat(), "{time}"),
    ):
        assert found in text, found
        text = text.replace(found, name)
    return text


def _digest(*parts: str) -> str:
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _mixed(number: int) -> int:
    """A number that looks like none of its neighbours."""
    return (number * 0x9E3779B97F4A7C15 + 0x7F4A7C15) % 2**64 >> 7
