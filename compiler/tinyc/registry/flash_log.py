"""Deployments into the registry, as a second log beside the lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from tinyc.program import Deployment
from tinyc.registry.facts import DeploymentFact, Fact, ModelRef
from tinyc.registry.recorder import record


class RegistryLog:
    """A `DeploymentLog` that never fails: what the registry cannot take now is in the build's journal.

    `facts` are those of the build, told with the deployment. `say` takes notes for people. `site` is where
    the device is, if that is known.
    """

    def __init__(
        self, folder: Path, facts: Sequence[Fact], say: Callable[[str], None], site: str = ""
    ) -> None:
        self._folder = folder
        self._facts = tuple(facts)
        self._say = say
        self._site = site

    def record(self, deployment: Deployment) -> None:
        fact = deployment_fact(deployment, self._site)
        for note in record(self._folder, (*self._facts, fact)).notes:
            self._say(note)


def deployment_fact(deployment: Deployment, site: str = "") -> DeploymentFact:
    """The firmware and the model as the device tells them: the model may be an image of its own."""
    firmware = deployment.firmware
    model = ModelRef(deployment.model, deployment.version, firmware.digest) if deployment.model else None
    return DeploymentFact(
        board=deployment.board,
        chip=deployment.device,
        firmware=firmware.identity,
        model=model,
        # As the lines of JSON have it, so that both tell of one deployment.
        at=deployment.at.replace(microsecond=0),
        method=deployment.method,
        verified=deployment.verified,
        site=site,
    )


def logged_deployments(path: Path) -> tuple[DeploymentFact, ...]:
    """The deployments of a `deployments.jsonl`, oldest first; lines that are none are left out.

    Raises OSError.
    """
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return ()
    found = []
    for line in lines:
        try:
            told = json.loads(line)
            fact = DeploymentFact(
                board=told["board"],
                chip=told["device"],
                firmware=told["firmware"],
                model=ModelRef(told["model"], told["version"], told["digest"]) if told["model"] else None,
                at=datetime.fromisoformat(told["at"]),
                method=told["method"],
                verified=told["verified"] is True,
            )
        except (ValueError, KeyError, TypeError):
            continue
        if fact.at.tzinfo is not None:
            found.append(fact)
    return tuple(found)
