"""A synthetic fleet in the registry's data model: devices of real variety, the same every time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyoxigraph
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, RdfFormat

from support.paths import ROOT
from tinyc.registry import names
from tinyc.registry.vocabulary import DCT, PROV, RDF, SCHEMA, TINYC, XSD

SAMPLE = ROOT / "tests" / "data" / "registry_sample.ttl"
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
BOARDS = {"nrf52840": (499712, 262080), "microbit": (524288, 131072), "xiao_nrf52840": (798720, 262144)}
SITES = ("hall 1", "hall 2", "hall 3", "press shop", "Lager Süd", "roof")
MODELS = {
    "voice_commands": (("1.0.0", "1.1.0", "1.2.0", "2.0.0"), 24267, 29159),
    "anomaly_detection": (("0.9.0", "1.0.0", "1.0.1"), 264192, 269992),
    "visual_wake_words": (("1.0.0", "1.1.0"), 208112, 233240),
    "sine": (("1.0.0",), 321, 401),
}
DRIFTS = (TINYC.Stable,) * 12 + (TINYC.Warning,) * 2 + (TINYC.Drifted,)


@dataclass(frozen=True, slots=True)
class Build:
    """One model version built for one board."""

    model: NamedNode
    digest: str
    board: str
    firmware: NamedNode
    identity: str
    at: datetime


def load(store: pyoxigraph.Store, devices: int, seed: int = 6) -> None:
    """Put the sample and `devices` devices into `store`."""
    store.bulk_load(path=str(SAMPLE), format=RdfFormat.TURTLE)
    store.bulk_extend(quads(devices, seed))


def save(path: Path, devices: int, seed: int = 6) -> None:
    """The synthetic part as N-Quads."""
    with path.open("wb") as file:
        pyoxigraph.serialize(quads(devices, seed), file, RdfFormat.N_QUADS)


def quads(devices: int, seed: int = 6) -> Iterator[Quad]:
    rng = random.Random(seed)
    yield from _places()
    builds: list[Build] = []
    for name, (versions, parameters, weights) in MODELS.items():
        yield from _versions(name, versions, parameters, weights, builds)
    for index in range(devices):
        yield from _device(rng, index, builds)


def _quad(subject: NamedNode, predicate: NamedNode, value: object) -> Quad:
    return Quad(subject, predicate, value if isinstance(value, NamedNode | BlankNode) else _literal(value))


def _literal(value: object) -> Literal:
    if isinstance(value, Literal):
        return value
    if isinstance(value, datetime):
        return Literal(value.isoformat(), datatype=XSD.dateTime)
    if isinstance(value, Decimal):
        return Literal(str(value), datatype=XSD.decimal)
    if isinstance(value, bool | int):
        return Literal(value)
    return Literal(str(value))


def _places() -> Iterator[Quad]:
    for board, (flash, ram) in BOARDS.items():
        node = names.board(board)
        if board == "xiao_nrf52840":
            yield _quad(node, RDF.type, TINYC.Board)
            yield _quad(node, SCHEMA.name, board)
            yield _quad(node, SCHEMA.description, "Seeed XIAO nRF52840")
            yield _quad(node, TINYC.soc, "nrf52840")
            yield _quad(node, TINYC.core, "cortex-m4")
            yield _quad(node, TINYC.clockHz, 64000000)
            yield _quad(node, TINYC.flash, flash)
            yield _quad(node, TINYC.ram, ram)
    for site in SITES:
        yield _quad(names.site(site), RDF.type, TINYC.Site)
        yield _quad(names.site(site), SCHEMA.name, site)


def _versions(
    name: str, versions: tuple[str, ...], parameters: int, weights: int, builds: list[Build]
) -> Iterator[Quad]:
    before: NamedNode | None = None
    for age, version in enumerate(versions):
        digest = names.hashed(name, version) * 2
        model, bill = names.model(name, version, digest), names.bill(digest)
        at = START + timedelta(days=40 * age)
        source = before or names.artifact(names.hashed(name) * 2)
        relation = TINYC.FineTuned if before else TINYC.Quantized
        if before is None:
            yield _quad(source, RDF.type, TINYC.SourceModel)
            yield _quad(source, DCT.title, f"{name}.tflite")
            yield _quad(source, TINYC.digest, names.hashed(name) * 2)
        yield _quad(model, RDF.type, TINYC.Model)
        yield _quad(model, SCHEMA.name, name)
        yield _quad(model, SCHEMA.version, version)
        yield _quad(model, TINYC.digest, digest)
        yield _quad(model, TINYC.parameters, parameters)
        yield _quad(model, TINYC.macs, parameters * 37)
        yield _quad(model, TINYC.weightBytes, weights)
        yield _quad(model, TINYC.inputShape, "1,49,10,1")
        yield _quad(model, TINYC.outputShape, "1,11")
        yield _quad(model, TINYC.precision, "int8")
        yield _quad(model, TINYC.bill, bill)
        yield _quad(model, PROV.wasDerivedFrom, source)
        derivation = NamedNode(f"urn:tinyc:derivation:{names.hashed(digest)}")
        yield _quad(model, PROV.qualifiedDerivation, derivation)
        yield _quad(derivation, RDF.type, PROV.Derivation)
        yield _quad(derivation, PROV.entity, source)
        yield _quad(derivation, TINYC.relation, relation)
        yield _quad(bill, RDF.type, TINYC.QuantizationBill)
        yield _quad(bill, TINYC.sqnrDb, Decimal("30.25") + age)
        yield _quad(bill, TINYC.samples, 400)
        yield _quad(bill, TINYC.floatAccuracy, Decimal("0.9210"))
        yield _quad(bill, TINYC.accuracy, Decimal("0.9150") + Decimal("0.001") * age)
        yield _quad(bill, TINYC.accuracyLost, Decimal("0.0060") - Decimal("0.001") * age)
        before = model
        for board, (flash, ram) in BOARDS.items():
            identity = names.hashed(name, version, board) * 2
            build = Build(model, digest, board, names.firmware(identity), identity, at)
            builds.append(build)
            yield from _firmware(build, flash, ram, weights)


def _firmware(build: Build, flash: int, ram: int, weights: int) -> Iterator[Quad]:
    node, budget = build.firmware, names.budget(build.identity)
    yield _quad(node, RDF.type, TINYC.Firmware)
    yield _quad(node, TINYC.identity, build.identity)
    yield _quad(node, TINYC.model, build.model)
    yield _quad(node, TINYC.board, names.board(build.board))
    yield _quad(node, TINYC.toolchain, "zig")
    yield _quad(node, TINYC.compilerVersion, "0.1.0")
    yield _quad(node, TINYC.optimize, "balanced")
    yield _quad(node, TINYC.securityCounter, 0)
    yield _quad(node, TINYC.signed, True)
    yield _quad(node, TINYC.budget, budget)
    yield _quad(node, TINYC.freeFlash, flash - weights - 26000)
    yield _quad(node, TINYC.freeRam, ram - 18000)
    yield _quad(node, PROV.generatedAtTime, build.at)
    yield _quad(budget, RDF.type, TINYC.MemoryBudget)
    yield _quad(budget, TINYC.flash, weights + 26000)
    yield _quad(budget, TINYC.ram, 16008)
    yield _quad(budget, TINYC.arena, 10080)
    yield _quad(budget, TINYC.weightBytes, weights)
    yield _quad(budget, TINYC.stack, 2048)


def _device(rng: random.Random, index: int, builds: list[Build]) -> Iterator[Quad]:
    last = rng.choices(builds, weights=[1 + 2 * (position % 12) for position in range(len(builds))])[0]
    chip = f"{rng.getrandbits(64):016x}"
    device = names.device(last.board, chip)
    yield _quad(device, RDF.type, TINYC.Device)
    yield _quad(device, TINYC.chip, chip)
    yield _quad(device, TINYC.board, names.board(last.board))
    if rng.random() < 0.9:
        yield _quad(device, TINYC.site, names.site(SITES[index % len(SITES)]))
    older = [b for b in builds if b.board == last.board and b.at < last.at][-2:]
    at = last.at + timedelta(days=1, minutes=index % 5000)
    for build in [*older, last]:
        when = build.at + timedelta(days=1, minutes=index % 5000)
        node = names.deployment(device.value, build.identity, build.digest, when.isoformat())
        yield _quad(node, RDF.type, TINYC.Deployment)
        yield _quad(node, TINYC.device, device)
        yield _quad(node, TINYC.firmware, build.firmware)
        yield _quad(node, TINYC.model, build.model)
        yield _quad(node, PROV.startedAtTime, when)
        yield _quad(node, TINYC.method, rng.choice(("smp", "jlink", "uf2")))
        yield _quad(node, TINYC.verified, rng.random() < 0.96)
    yield _quad(device, TINYC.currentDeployment, node)
    yield _quad(device, TINYC.runsFirmware, last.firmware)
    yield _quad(device, TINYC.runsModel, last.model)
    yield _quad(device, TINYC.drift, rng.choice(DRIFTS))
    if rng.random() < 0.03:
        yield _quad(device, TINYC.missingSince, at + timedelta(days=30))
