"""A small fleet as facts, for tests of the registry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tinyc.registry.facts import (
    BaseFact,
    BillFact,
    BoardFact,
    DeploymentFact,
    DeviceFact,
    DriftFact,
    EvaluationFact,
    Fact,
    FileFact,
    FirmwareFact,
    LayerFact,
    LearnedStateFact,
    MissingFact,
    ModelFact,
    ModelRef,
    SightingFact,
    SiteFact,
)

BOARD, CHIP = "nrf52840", "1122334455667788"
START = datetime(2026, 10, 1, 9, 0, tzinfo=UTC)
FIRST = ModelRef("kws", "1.0.0", "a" * 64)
SECOND = ModelRef("kws", "1.1.0", "b" * 64)
KNOWN, UNKNOWN = "c" * 64, "d" * 64


def at(hours: float) -> datetime:
    """So many hours after the start."""
    return START + timedelta(hours=hours)


def board(name: str = BOARD) -> BoardFact:
    return BoardFact(name, "A board", "nrf52840", "cortex-m4", 64_000_000, 498_176, 262_080, ("microphone",))


def model(ref: ModelRef = FIRST, base: BaseFact | None = None) -> ModelFact:
    return ModelFact(
        ref,
        START,
        "0.1.0",
        24_267,
        2_656_768,
        29_159,
        "1,49,10,1",
        "1,11",
        "int8",
        ("silence", 'quo"te', "back\\slash"),
        "audio",
        '{"format": 1,\n "text": "\\u0000 \\" }"}',
        FileFact("kws.tflite", "1" * 64),
        base,
        BillFact(31.5, 100, 0.915, 0.912, (LayerFact("conv 1", "CONV_2D", 33.25),)),
    )


def firmware(identity: str = KNOWN, ref: ModelRef = FIRST, *, own_model: bool = False) -> FirmwareFact:
    return FirmwareFact(
        identity,
        ref,
        BOARD,
        at(1),
        "zig",
        "0.1.0",
        "balanced",
        True,
        3,
        55_628,
        16_008,
        10_080,
        29_159,
        2_048,
        442_548,
        244_024,
        own_model,
    )


def deployment(
    hours: float, identity: str = KNOWN, ref: ModelRef | None = FIRST, chip: str = CHIP
) -> DeploymentFact:
    return DeploymentFact(BOARD, chip, identity, ref, at(hours), "smp", True)


def sighting(
    hours: float, identity: str = KNOWN, ref: ModelRef | None = FIRST, chip: str = CHIP
) -> SightingFact:
    return SightingFact(BOARD, chip, identity, ref, at(hours))


def every_kind() -> tuple[Fact, ...]:
    """One fact of each kind at least, in an order in which they may be told."""
    return (
        board(),
        model(),
        model(SECOND, BaseFact(FIRST, "FineTuned")),
        EvaluationFact(FIRST, 0.912, FileFact("evaluation.npz", "2" * 64)),
        firmware(),
        SiteFact('hall "3" > x'),
        DeviceFact(BOARD, "99aa", 'hall "3" > x'),
        deployment(2),
        sighting(3, chip="99aa"),
        MissingFact(BOARD, "99aa", at(4)),
        LearnedStateFact(BOARD, CHIP, 1, "f" * 64, 40, FIRST, at(5), 0.91, 0.93, 44, "Warning"),
        DriftFact(BOARD, CHIP, "Drifted", at(6)),
    )
