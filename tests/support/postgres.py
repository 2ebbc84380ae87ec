"""A PostgreSQL server for tests, in a folder, on a free port of the loopback address."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.sparql_servers import free_port


def programs() -> Path | None:
    """The folder of initdb and postgres; None also when a root may not become `postgres`, as it must."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    folder = found[-1].parent if found else None
    if folder is None and (path := shutil.which("initdb")):
        folder = Path(path).parent
    if folder is None:
        return None
    if os.geteuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return None
        if shutil.which("setpriv") is None:
            return None
    return folder


@contextmanager
def server() -> Iterator[str]:
    """The SQLAlchemy URL of an empty database."""
    folder = programs()
    assert folder is not None
    as_user: list[str] = []
    # Not below pytest's folder: another user may not enter that.
    data = Path(tempfile.mkdtemp(prefix="tinyc-postgres-"))
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(data, user.pw_uid, user.pw_gid)
        as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    port = free_port()

    def run(program: str, *options: str) -> None:
        done = subprocess.run(
            [*as_user, str(folder / program), *options], capture_output=True, text=True, cwd="/", timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr

    try:
        run("initdb", "-D", str(data / "db"), "-U", "tinyc", "-A", "trust", "--no-sync", "-E", "UTF8")
        settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        run("pg_ctl", "-D", str(data / "db"), "-l", str(data / "log"), "-w", "-o", settings, "start")
        try:
            yield f"postgresql+psycopg://tinyc@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-D", str(data / "db"), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(data, ignore_errors=True)
