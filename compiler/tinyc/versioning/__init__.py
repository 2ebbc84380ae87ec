"""Semantic versions of models: the manifest of a build, and what a change between two of them means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinyc.versioning.calculator import Reason, Verdict, compare
from tinyc.versioning.model import RELATIONS, Manifest
from tinyc.versioning.numbers import Level, Version

if TYPE_CHECKING:
    from tinyc.artifact import Artifact

__all__ = ["RELATIONS", "Level", "Manifest", "Reason", "Verdict", "Version", "compare", "manifest"]


def manifest(artifact: Artifact) -> dict[str, Any]:
    """The manifest of a build as JSON values, `base` and `relation` among them.

    Raises TinycError when the firmware is gone.
    """
    from tinyc.versioning.building import manifest_of

    return manifest_of(artifact).to_json()
