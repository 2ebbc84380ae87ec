"""Whether the number of a model is high enough for what changed."""

from __future__ import annotations

from collections.abc import Iterable

from tinyc.errors import Problem, TinycError
from tinyc.program import NO_VERSION
from tinyc.versioning.calculator import Verdict, compare
from tinyc.versioning.model import Manifest
from tinyc.versioning.numbers import Version


def too_low(old: Manifest, new: Manifest, number: Version) -> TinycError | None:
    """What is wrong with `number` for `new` after `old`, with the reasons; None when it is high enough."""
    verdict = compare(old, new)
    was = Version.parse(old.version)
    needed = verdict.lowest(was)
    if number.covers(needed):
        return None
    return TinycError(
        f"version {number} of `{new.name}` is too low: what changed since {was} needs {needed}",
        problems=problems(verdict, verdict.level),
        allowed=f"{needed} or higher",
    )


def problems(verdict: Verdict, least: int = 0) -> tuple[Problem, ...]:
    """The reasons of a verdict as lines of an error, those of at least this level."""
    return tuple(
        Problem(reason.level.name, reason.text) for reason in verdict.reasons if reason.level >= least
    )


def predecessor(new: Manifest, earlier: Iterable[Manifest]) -> Manifest | None:
    """The release that `new` follows: the highest of the same name whose number is not above its own.

    Pre-releases and models without a number promise nothing. A build of the very same model is not
    its own predecessor: it may have the number that the model has.
    """
    number = Version.parse(new.version)
    found: Manifest | None = None
    for manifest in earlier:
        if manifest.name != new.name or manifest.version == NO_VERSION:
            continue
        was = Version.parse(manifest.version)
        if not was.is_release or number < was:
            continue
        if manifest.digest == new.digest and was == number:
            return None
        if found is None or Version.parse(found.version) < was:
            found = manifest
    return found


def check_build(new: Manifest, base: Manifest | None, earlier: Iterable[Manifest]) -> None:
    """Raise TinycError when `new` has a number that is lower than its base or predecessor allows.

    A model without a number is not checked, nor is one against a base of another name: both begin a
    line of their own.
    """
    if new.version == NO_VERSION:
        return
    number = Version.parse(new.version)
    known = [manifest for manifest in (base,) if manifest is not None and manifest.name == new.name]
    known = [manifest for manifest in known if manifest.version != NO_VERSION]
    before = predecessor(new, earlier)
    if before is not None:
        known.append(before)
    for old in known:
        if (old.digest, old.version) == (new.digest, new.version):
            continue
        wrong = too_low(old, new, number)
        if wrong is not None:
            wrong.hint = "raise `version` under [model] in tinyc.toml, or pass --any-version"
            raise wrong
