"""Operators of TensorFlow Lite Micro that no decoder takes, and why: for errors and for the documentation."""

from __future__ import annotations

from collections.abc import Mapping

_FLOW = "it decides at run time which operators run"

UNKNOWN = "the operator is not supported"
CUSTOM = "a custom operator: the file does not say what it computes"

REASONS: Mapping[str, str] = {
    "DYNAMIC_UPDATE_SLICE": "it writes to a place that is computed at run time",
    "IF": _FLOW,
    "WHILE": "how often it goes around is not known before run time",
}


def why(kind: str) -> str:
    """Why an operator without a decoder is refused. `kind` is its name, `CUSTOM <name>` for custom ones."""
    return CUSTOM if kind.startswith("CUSTOM") else REASONS.get(kind, UNKNOWN)
