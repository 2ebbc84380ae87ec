"""Which version a change of a model needs: two manifests in, a level with reasons out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinyc.versioning.model import Manifest
from tinyc.versioning.numbers import Level, Version
from tinyc.versioning.rules import RULES


@dataclass(frozen=True, slots=True)
class Reason:
    """What one rule found."""

    rule: str
    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reasons` come with the highest level first; `notes` decide nothing."""

    level: Level
    reasons: tuple[Reason, ...]
    notes: tuple[str, ...] = ()

    def lowest(self, old: Version) -> Version:
        """The lowest number for the new model when the old one has number `old`."""
        return old.raised(self.level)


def compare(old: Manifest, new: Manifest) -> Verdict:
    """What `new` changes against `old`, by the table of rules. Their version numbers do not count."""
    reasons = [Reason(rule.name, rule.level, text) for rule in RULES for text in rule.find(old, new)]
    reasons.sort(key=lambda reason: -reason.level)
    level = max((reason.level for reason in reasons), default=Level.NONE)
    return Verdict(level, tuple(reasons), tuple(_notes(old, new)))


def _notes(old: Manifest, new: Manifest) -> list[str]:
    notes = []
    if old.name != new.name:
        notes.append(f"these are two models: `{old.name}` and `{new.name}`")
    gone = sorted(set(old.targets) - set(new.targets))
    if gone:
        notes.append(f"the new manifest knows no build for {', '.join(gone)}")
    if (old.metrics is None) != (new.metrics is None):
        notes.append("only one of them has an accuracy, so they are not compared")
    elif old.metrics is not None and new.metrics is not None and new.metrics.accuracy < old.metrics.accuracy:
        notes.append(f"accuracy falls from {old.metrics.accuracy:.4f} to {new.metrics.accuracy:.4f}")
    return notes


def merged(manifest: Manifest, other: Manifest) -> Manifest:
    """`manifest` with the builds of `other`, which is the same model for other boards."""
    return replace(manifest, targets={**other.targets, **manifest.targets})


def release_text(manifest: Manifest, version: Version) -> str:
    """The number with build metadata: precision, core and the start of the digest."""
    cores = "-".join(sorted({_short(target.core) for target in manifest.targets.values()}))
    precision = manifest.precision.replace("+", "-")
    return f"{version}+{'.'.join(part for part in (precision, cores, manifest.digest[:8]) if part)}"


def _short(core: str) -> str:
    """`cm4` for `cortex-m4`."""
    return core.replace("cortex-", "c").replace("-", "")
