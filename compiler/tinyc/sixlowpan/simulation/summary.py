"""Runs with several seeds as one row of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinyc.sixlowpan.simulation.settings import Outcome

Row = dict[str, Any]


def row(outcomes: Sequence[Outcome]) -> Row:
    """Seeds together: ratios of sums, means over time and seeds; `detection` is the worst of the seeds, None
    if one of them was never blocked."""
    sent, delivered = sum(it.sent for it in outcomes), sum(it.delivered for it in outcomes)
    count, detections = len(outcomes), [it.detection for it in outcomes]
    energy = sum(it.energy_uj * it.delivered for it in outcomes)
    return {
        "delivery": delivered / sent if sent else 0.0,
        "ceiling": sum(it.ceiling * it.sent for it in outcomes) / sent if sent else 0.0,
        "wrong": sum(it.wrong for it in outcomes),
        "wrong_reassembly": sum(it.wrong_reassembly for it in outcomes),
        "repeated": sum(it.repeated for it in outcomes),
        "attacker_ram": sum(it.attacker_ram for it in outcomes) / count,
        "full": sum(it.full for it in outcomes) / count,
        "energy_uj": energy / delivered if delivered else None,
        "false_blocks": sum(it.false_blocks for it in outcomes),
        "detection": None if None in detections else max(it for it in detections if it is not None),
        "attack_frames": sum(it.attack_frames for it in outcomes),
        "collisions": sum(it.collisions for it in outcomes),
        "channel_losses": sum(it.channel_losses for it in outcomes),
        "sent": sent,
        "seeds": count,
    }
