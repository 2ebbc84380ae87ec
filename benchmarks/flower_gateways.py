"""Two gateways on loopback: a SuperLink, two SuperNodes with emulated chips each, and a run over them.

    python benchmarks/flower_gateways.py [--json FILE] [--keep]

Needs the extra `flower`. Everything that Flower writes goes to a folder of its own, nothing leaves this
machine, and the processes are ended. Prints how long it took and what was learned.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "federated_gateways"
_READY_SECONDS = 120
_RUN_SECONDS = 600


def environment(folder: Path) -> dict[str, str]:
    """Flower's home in `folder`, no telemetry, and this Python's packages."""
    path = os.pathsep.join(each for each in sys.path if each)
    bin_folder = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "FLWR_HOME": str(folder / "home"),
        "FLWR_TELEMETRY_ENABLED": "0",
        "PYTHONPATH": path,
        "PATH": bin_folder + os.pathsep + os.environ.get("PATH", ""),
    }


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody uses now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


@contextlib.contextmanager
def running(command: Sequence[str], log: Path, env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process with all it starts, ended at the end."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / command[0]), *command[1:]],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=dict(env),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until somebody listens there."""
    end = time.monotonic() + _READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.2)
    raise RuntimeError(f"nobody listens on port {port}\n{log.read_text(errors='replace')[-3000:]}")


def run(folder: Path, visits: int = 4) -> dict[str, Any]:
    """The whole run, with everything in `folder`; figures by name."""
    env, (port, *nodes) = environment(folder), free_ports(3)
    app = folder / "app"
    # Flower rewrites the pyproject.toml that it is given.
    shutil.copytree(EXAMPLE, app)
    connection = (
        f'[superlink]\ndefault = "here"\n[superlink.here]\naddress = "127.0.0.1:{port}"\ninsecure = true\n'
    )
    (folder / "home").mkdir()
    (folder / "home" / "config.toml").write_text(connection, encoding="utf-8")
    log, out, begun = folder / "superlink.log", folder / "learned.npz", time.monotonic()
    superlink = ["flower-superlink", "--insecure", "--disable-runtime-dependency-installation"]
    superlink += ["--host", "127.0.0.1", "--port", str(port)]
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(running(superlink, log, env))
        wait_for_port(port, process, log)
        for number, own in enumerate(nodes):
            settings = f'config="{app / "gateway.toml"}" visits={visits} first={2 * number}'
            node = ["flower-supernode", "--insecure", "--superlink", f"127.0.0.1:{port}"]
            node += ["--host", "127.0.0.1", "--port", str(own), "--node-config", settings]
            stack.enter_context(running(node, folder / f"supernode_{number}.log", env))
        started = time.monotonic()
        settings = f'config="{app / "run.toml"}" out="{out}"'
        done = subprocess.run(
            [
                str(Path(sys.executable).parent / "flwr"),
                "run",
                str(app),
                "here",
                "--stream",
                "--run-config",
                settings,
            ],
            capture_output=True,
            text=True,
            check=False,
            env=env,
            timeout=_RUN_SECONDS,
        )
        said = done.stdout + done.stderr
        if not out.exists():
            logs = "".join(
                f"== {path}\n{path.read_text(errors='replace')[-3000:]}" for path in folder.glob("*.log")
            )
            raise RuntimeError(f"the run failed\n{said[-6000:]}\n{logs}")
        finished = time.monotonic()
    return _figures(said, out, begun, started, finished)


def _figures(said: str, out: Path, begun: float, started: float, finished: float) -> dict[str, Any]:
    scores = re.search(r"tinyc: mse ([\d.]+) before, ([\d.]+) after", said)
    used = [int(count) for count in re.findall(r"Aggregated MetricRecord: \{'used': (\d+)", said)]
    seconds = re.search(r"execution finished in ([\d.]+)s", said)
    with np.load(out) as arrays:
        parameters = arrays["parameters"]
    return {
        "gateways": 2,
        "chips_a_gateway": 2,
        "rounds": len(used),
        "gateways_used": used,
        "seconds_in_the_strategy": float(seconds[1]) if seconds else None,
        "seconds_of_the_run": finished - started,
        "seconds": finished - begun,
        "mse_before": float(scores[1]) if scores else None,
        "mse_after": float(scores[2]) if scores else None,
        "problems": re.findall(r"tinyc: (round .*)", said),
        "parameters": int(parameters.size),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tinyc-flower-"))
    try:
        figures = run(folder)
    finally:
        if arguments.keep:
            print(folder, file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    text = json.dumps(figures, indent=1)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
