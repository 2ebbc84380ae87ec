"""`tinyc keys`: making and showing keys."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from support.command_line import tinyc
from tinyc.signing.keys import load_key

pytestmark = pytest.mark.unit


def test_a_new_key_and_what_is_said_about_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = tinyc("keys", "new")
    assert said.code == 0
    assert said.stdout == load_key(Path("tinyc-key.pem")).public.fingerprint + "\n"
    assert "Keep it secret" in said.stderr and ".gitignore" in said.stderr
    line = said.stderr[said.stderr.index("[signing]") :]
    assert tomllib.loads(line) == {"signing": {"key": "tinyc-key.pem"}}
    assert [entry.name for entry in tmp_path.iterdir()] == ["tinyc-key.pem"]


@pytest.mark.parametrize("name", ['a "b\\ [red]ö.pem', "key.pem"])
def test_a_key_at_a_place_of_choice(tmp_path: Path, name: str) -> None:
    said = tinyc("keys", "new", tmp_path / name)
    assert (said.code, (tmp_path / name).is_file()) == (0, True)
    line = said.stderr[said.stderr.index("[signing]") :]
    assert tomllib.loads(line) == {"signing": {"key": str(tmp_path / name)}}


def test_an_existing_key_stays(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    tinyc("keys", "new", path)
    before = path.read_bytes()
    said = tinyc("keys", "new", path)
    assert (said.code, said.stdout, path.read_bytes()) == (1, "", before)
    assert "exists already" in said.stderr


def test_keys_are_shown(tmp_path: Path) -> None:
    path, public = tmp_path / "key.pem", tmp_path / "public.pem"
    fingerprint = tinyc("keys", "new", path).stdout.strip()
    said = tinyc("keys", "show", path)
    assert said.code == 0 and said.stderr == ""
    assert fingerprint in said.stdout and "Ed25519, private" in said.stdout
    public.write_text(tinyc("keys", "show", path, "--pem").stdout, encoding="ascii")
    assert "Ed25519, public" in tinyc("keys", "show", public).stdout
    entry, other = (tinyc("keys", "show", name, "--json").json for name in (path, public))
    assert (entry["kind"], other["kind"], other["path"]) == ("private", "public", str(public))
    assert entry["fingerprint"] == other["fingerprint"] == fingerprint
    assert entry["public"] == other["public"] == load_key(path).public.raw.hex()
    assert entry["pem"] == public.read_text(encoding="ascii")


def test_nothing_secret_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    tinyc("keys", "new", path)
    secret = path.read_text(encoding="ascii").splitlines()[1]
    for options in ([], ["--json"], ["--pem"]):
        assert secret not in tinyc("keys", "show", path, *options).stdout


def test_a_key_that_others_can_read(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    tinyc("keys", "new", path)
    path.chmod(0o644)
    said = tinyc("keys", "show", path, "--json")
    assert said.code == 0 and "chmod 600" in said.stderr
    assert said.json["kind"] == "private"


def test_what_is_no_key(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    said = tinyc("keys", "show", path)
    assert said.code == 1 and "no such key" in said.stderr
    path.write_text("x", encoding="ascii")
    assert "has no key that can be read" in tinyc("keys", "show", path).stderr
    assert tinyc("keys", "hide").code == 2


@pytest.mark.parametrize(
    "module", ["tinyc.cli.app", "tinyc.config", "tinyc.source", "tinyc.pipeline", "tinyc.cli.build"]
)
def test_cryptography_is_loaded_only_for_keys_and_images(module: str) -> None:
    code = f"import sys, {module}; print({{'cryptography', 'imgtool', 'yaml'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
