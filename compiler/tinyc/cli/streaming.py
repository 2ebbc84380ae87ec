"""What verbs say about a model that streams."""

from __future__ import annotations

from typing import Any

from tinyc.cli import output


def say_streaming(told: dict[str, Any]) -> None:
    """`told` is the entry of the report."""
    batch = told["batch"]
    output.talk(
        f"streaming: an inference takes {_frames(told['frames'])} instead of {batch['frames']}, "
        f"{told['macs']:,} MACs instead of {batch['macs']:,}, "
        f"arena {told['arena']:,} B (state {told['state']:,} B) instead of {batch['arena']:,} B"
    )
    if told["warm_up"]:
        output.talk(f"its first {told['warm_up']} inferences after a reset come before the outputs count")


def _frames(count: int) -> str:
    return f"{count} frame{'s' * (count > 1)}"
