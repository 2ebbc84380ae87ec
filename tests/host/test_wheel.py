"""The wheel carries everything it needs: built, installed into a clean environment and used there."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest

from strategies import STRATEGIES
from support import tflite_writer
from tinyc.ir.ops import FullyConnected

pytestmark = pytest.mark.host

ROOT = Path(__file__).resolve().parents[2]


def test_wheel_in_a_clean_environment(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("tinyc-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for page in ("registry/web/static", "build_page/page", "build_page/vendor"):
        files = [path for path in (ROOT / "compiler" / "tinyc" / page).rglob("*") if path.is_file()]
        shown = {path.relative_to(ROOT / "compiler").as_posix() for path in files}
        assert shown and shown <= names
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    install = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", str(wheel)], capture_output=True, text=True
    )
    if install.returncode and "No matching distribution" in install.stderr:
        pytest.skip("the package index is not reachable")
    assert install.returncode == 0, install.stderr

    model = tmp_path / "model.tflite"
    model.write_bytes(tflite_writer.write(STRATEGIES[FullyConnected](np.random.default_rng(7))))
    tool = environment / "bin" / "tinyc"
    boards = subprocess.run([tool, "boards", "--json"], check=True, capture_output=True, cwd=tmp_path)
    assert "nrf52840" in [board["name"] for board in json.loads(boards.stdout)]
    command = [tool, "build", str(model), "--board", "nrf52840", "--out", str(tmp_path / "out"), "--json"]
    built = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    report = json.loads(built.stdout)
    assert Path(report["elf"]).is_file() and report["flash"] > 0
    subprocess.run([tool, "report", str(tmp_path / "out")], check=True, capture_output=True, cwd=tmp_path)
    assert (tmp_path / "out" / "report.html").is_file()
    verify = [tool, "verify", str(tmp_path / "out"), "--count", "3", "--json"]
    verified = subprocess.run(verify, capture_output=True, text=True, cwd=tmp_path)
    assert verified.returncode == 0, verified.stderr
    assert json.loads(verified.stdout)["agrees"]

    init = [tool, "registry", "init", str(tmp_path / "registry")]
    subprocess.run(init, check=True, capture_output=True, cwd=tmp_path)
    serve = [tool, "registry", "serve", "--registry", str(tmp_path / "registry"), "--port", "0"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        try:
            for path in ("", "static/app.js", "static/vendor/yasgui.min.js", "api/queries"):
                with urllib.request.urlopen(url + path, timeout=20) as answer:
                    assert answer.status == 200 and answer.read()
        finally:
            server.terminate()
