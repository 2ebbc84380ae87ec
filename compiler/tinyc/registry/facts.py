"""The facts that the registry keeps, by kind, and facts as JSON."""

from __future__ import annotations

from tinyc.registry.fact import Fact, ModelRef
from tinyc.registry.facts_builds import (
    BaseFact,
    BillFact,
    BoardFact,
    EvaluationFact,
    FileFact,
    FirmwareFact,
    LayerFact,
    ModelFact,
)
from tinyc.registry.facts_fleet import (
    DeploymentFact,
    DeviceFact,
    DriftFact,
    LearnedStateFact,
    MissingFact,
    SightingFact,
    SiteFact,
)

_CLASSES: tuple[type[Fact], ...] = (
    BoardFact,
    ModelFact,
    EvaluationFact,
    FirmwareFact,
    SiteFact,
    DeviceFact,
    DeploymentFact,
    SightingFact,
    MissingFact,
    LearnedStateFact,
    DriftFact,
)
KINDS: dict[str, type[Fact]] = {each.kind: each for each in _CLASSES}


def from_json(value: object) -> Fact:
    """The fact that its `to_json` wrote. Raises ValueError for anything else."""
    if not isinstance(value, dict) or value.get("kind") not in KINDS:
        raise ValueError("is no fact of the registry")
    return KINDS[value["kind"]].from_json(value)


__all__ = [
    "BaseFact",
    "BillFact",
    "BoardFact",
    "DeploymentFact",
    "DeviceFact",
    "DriftFact",
    "EvaluationFact",
    "Fact",
    "FileFact",
    "FirmwareFact",
    "LayerFact",
    "LearnedStateFact",
    "MissingFact",
    "ModelFact",
    "ModelRef",
    "SightingFact",
    "SiteFact",
    "from_json",
]
