"""Where deployments are written down."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import tinyc
from tinyc.device.hello import Hello
from tinyc.errors import TinycError
from tinyc.files import STATE_FOLDER, exclusive
from tinyc.flash.job import Job
from tinyc.program import Deployment

FILE = "deployments.jsonl"


class DeploymentLog(Protocol):
    """Keeps deployments. Raises TinycError when it cannot."""

    def record(self, deployment: Deployment) -> None: ...


class JsonLines:
    """A line of JSON for each deployment, in `.tinyc/deployments.jsonl` of the build folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / STATE_FOLDER / FILE

    def record(self, deployment: Deployment) -> None:
        line = json.dumps(entry(deployment)) + "\n"
        try:
            with (
                exclusive(self.path.with_suffix(".lock")),
                self.path.open("a", encoding="utf-8") as stream,
            ):
                stream.write(line)
        except OSError as error:
            raise TinycError(
                f"the board is flashed and verified, but that cannot be written down: {error.strerror}",
                where=str(self.path),
            ) from error


def record(log: DeploymentLog, job: Job, hello: Hello, method: str, port: str) -> Deployment:
    """Write down what a device said after it was flashed and compared. Digests are in its own words."""
    deployment = Deployment(
        device=hello.device_id,
        board=hello.board,
        model=hello.model,
        version=hello.model_version,
        firmware=replace(job.firmware, identity=hello.firmware, digest=hello.digest),
        method=method,
        port=port,
        verified=True,
        at=datetime.now(UTC),
    )
    log.record(deployment)
    return deployment


class Several:
    """Several logs, each told in turn."""

    def __init__(self, *logs: DeploymentLog) -> None:
        self._logs = logs

    def record(self, deployment: Deployment) -> None:
        for log in self._logs:
            log.record(deployment)


def entry(deployment: Deployment) -> dict[str, Any]:
    """The deployment as JSON: digests and the number of the chip in hexadecimal, time in UTC."""
    firmware = deployment.firmware
    return {
        "at": deployment.at.isoformat(timespec="seconds"),
        "device": deployment.device,
        "board": deployment.board,
        "model": deployment.model,
        "version": deployment.version,
        "digest": firmware.digest,
        "firmware": firmware.identity,
        "toolchain": firmware.toolchain,
        "tinyc": tinyc.__version__,
        "method": deployment.method,
        "port": deployment.port,
        "verified": deployment.verified,
    }
