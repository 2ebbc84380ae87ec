"""What `report.json` says of learning, in numbers."""

from __future__ import annotations

from typing import Any

from tinyc.learning.design import Learning
from tinyc.learning.store import lifetime


def learning_entry(learning: Learning) -> dict[str, Any]:
    """The object `learning` of a report: sizes in bytes, `lifetime_years` at `saves_per_day`."""
    head, safety, settings = learning.head, learning.safety, learning.settings
    layout = learning.layout
    told = None
    if layout is not None and safety.region is not None:
        per_day = float(settings.saves_per_day)
        told = lifetime(layout.record_bytes, safety.region.pages, settings.erase_cycles, per_day)
    return {
        "head": head.kind,
        "tap": learning.tap.layer,
        "tensor": learning.tap.tensor,
        "latent": head.latent,
        "capacity": head.capacity,
        "factory_classes": head.factory_classes,
        "classes": list(safety.factory_names),
        "body": safety.body_hash.hex(),
        "ram": learning.ram,
        "flash": learning.tables,
        "state": head.state_bytes,
        "record_bytes": None if layout is None else layout.record_bytes,
        "pages": learning.pages,
        "saves_per_day": settings.saves_per_day,
        "erase_cycles": settings.erase_cycles,
        "lifetime_years": None if told is None else told.years,
        "lifetime": None if told is None else told.words,
        "guard": {"samples": len(safety.guard.latents), "slack": safety.guard.slack},
        "drift": {"limit": safety.drift.limit, "warning": safety.drift.warning, "arl0": settings.arl0},
        **learning.facts,
        "notes": dict(head.notes),
    }
