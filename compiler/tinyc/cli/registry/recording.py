"""What `tinyc build` and `tinyc flash` write into the registry."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.artifact import Artifact
    from tinyc.device.hello import Hello
    from tinyc.flash import DeploymentLog
    from tinyc.registry.facts import Fact

_MANIFEST = "manifest.json"


def facts_of(found: Artifact) -> tuple[Fact, ...]:
    """The facts of a build. Raises TinycError for a folder of an earlier tinyc."""
    from tinyc.artifact import REPORT
    from tinyc.origin import read_origin
    from tinyc.registry.from_build import build_facts

    try:
        # The report is written last, and only when it changes.
        at = datetime.fromtimestamp((found.folder / REPORT).stat().st_mtime, UTC)
        return build_facts(
            found.report,
            found.program.board,
            at.replace(microsecond=0),
            parameters=sum(tensor.elements for tensor in found.program.graph.expanded().constants()),
            bill=found.bill,
            origin=read_origin(found.folder),
            manifest=_manifest(found),
        )
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise TinycError(
            f"the build folder is damaged, or of an earlier tinyc: {error}",
            where=str(found.folder),
            hint="run `tinyc build` again",
        ) from error


def record_build(found: Artifact, say: Callable[[str], None]) -> None:
    """Write a build down, in its journal where the registry cannot be reached. Never raises for that."""
    from tinyc.registry.location import is_off
    from tinyc.registry.recorder import record

    if is_off():
        return
    for note in record(found.folder, _told(found, say)).notes:
        say(note)


def record_evaluation(found: Artifact, data: Path, accuracy: float, say: Callable[[str], None]) -> None:
    """Write down the top-1 accuracy, a fraction of 1, that a build has on a file. Never raises for that."""
    from tinyc.origin import digest_of
    from tinyc.registry.facts import EvaluationFact, FileFact
    from tinyc.registry.from_build import model_of
    from tinyc.registry.location import is_off
    from tinyc.registry.recorder import record

    if is_off():
        return
    build = _told(found, say)
    try:
        fact = EvaluationFact(model_of(found.report), accuracy, FileFact(data.name, digest_of(data)))
    except (OSError, ValueError) as error:
        say(f"the registry is told nothing of this evaluation: {error}")
        return
    if build:
        for note in record(found.folder, (*build, fact)).notes:
            say(note)


def record_found(hello: Hello, say: Callable[[str], None], start: Path | None = None) -> None:
    """Write down what a device says that it runs, where a registry is meant at `start`. Never raises.

    `start` is by default the working directory; the fact waits there while the registry is away.
    """
    from tinyc.registry.facts import SightingFact
    from tinyc.registry.location import find
    from tinyc.registry.recorder import record
    from tinyc.registry.syncing import model_of_device

    folder = start or Path.cwd()
    try:
        location = find(start=folder)
        if location is None:
            return
        fact = SightingFact(
            hello.board,
            hello.device_id,
            hello.firmware,
            model_of_device(hello),
            datetime.now(UTC),
            location.site,
        )
    except (TinycError, ValueError) as error:
        say(f"the registry is not told: {error}")
        return
    for note in record(folder, [fact]).notes:
        say(note)


def deployment_log(found: Artifact, say: Callable[[str], None]) -> DeploymentLog:
    """Where `tinyc flash` writes deployments: lines of JSON beside the build, and the registry."""
    from tinyc.flash import JsonLines, Several
    from tinyc.registry.flash_log import RegistryLog
    from tinyc.registry.location import is_off, site_here

    lines = JsonLines(found.folder)
    if is_off():
        return lines
    try:
        site = site_here(found.folder)
    except TinycError as error:
        say(f"the registry is not told where the board is: {error}")
        site = ""
    return Several(lines, RegistryLog(found.folder, _told(found, say), say, site))


def _told(found: Artifact, say: Callable[[str], None]) -> tuple[Fact, ...]:
    """The facts of a build, none with a note where they cannot be told."""
    try:
        return facts_of(found)
    # Neither a build nor a flash is to fail for its entry.
    except Exception as error:
        say(f"the registry is told nothing of this build: {error}")
        return ()


def _manifest(found: Artifact) -> dict[str, Any]:
    """The manifest that the build wrote, else the one that it would write."""
    from tinyc.versioning import manifest

    try:
        told = json.loads((Path(found.folder) / _MANIFEST).read_text(encoding="utf-8"))
        if isinstance(told, dict) and told.get("digest") == found.program.digest:
            return told
    except (OSError, ValueError):
        pass
    return manifest(found)
