"""The rules of the tree: who may import whom, and how long a module may get."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import tinyc

pytestmark = pytest.mark.unit

PACKAGE = Path(tinyc.__file__).parent
# Leaf modules that anything may import: they import nothing of tinyc but each other.
LEAVES = {
    "tinyc",
    "tinyc.board_parts",
    "tinyc.cores",
    "tinyc.errors",
    "tinyc.programs",
    "tinyc.resources",
    "tinyc.slots",
    "tinyc.quantize.fixed_point",
    "tinyc.quantize.fixed_point_functions",
    "tinyc.quantize.float_math",
    "tinyc.quantize.interpolation",
    "tinyc.quantize.lookup_table",
    "tinyc.quantize.roots",
}
# Package → what it may import besides itself and the leaves.
ALLOWED = {
    "ir": set(),
    "passes": {"ir"},
    "quantize": {"ir", "interpreter"},
    "memory": {"ir", "program", "boards", "audio", "text", "device", "sixlowpan"},
    "kernels": {"ir", "boards", "memory"},
    "frontends": {"ir", "models"},
    "emit": {
        *("ir", "kernels", "program", "boards", "files", "audio", "text", "device", "split", "learning"),
        "sixlowpan",
    },
    "audio": {"ir", "emit", "program"},
    "build_page": {
        *("artifact", "boards", "emit", "emulator", "fit", "ir", "kernels", "memory", "profiling"),
        *("program", "report", "toolchain", "variants"),
    },
    "text": {"ir", "emit"},
    "toolchain": {
        "ir",
        "emit",
        "memory",
        "program",
        "boards",
        "files",
        "interpreter",
        "device",
        "split",
        "sixlowpan",
    },
    "device": set(),
    "emulator": {"boards", "sixlowpan"},
    "flash": {"boards", "program", "device", "files", "signing", "split"},
    "learning": {
        *("audio", "boards", "device", "emit", "emulator", "execution", "files", "interpreter", "ir"),
        *("kernels", "memory", "program", "source", "toolchain"),
    },
    "libraries": {"audio", "emit", "program"},
    "models": set(),
    "registry": {"boards", "device", "files", "learning", "program", "signing", "versioning"},
    "sixlowpan": {
        *("boards", "device", "emit", "files", "frontends", "interpreter", "ir", "objective"),
        *("passes", "pipeline", "preparation", "program", "toolchain"),
    },
    "signing": {"emit", "files"},
    "versioning": {
        *("artifact", "device", "emit", "files", "interpreter", "ir", "pipeline", "program", "toolchain")
    },
}
LONGEST = 400


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return {name for name in found if name == "tinyc" or name.startswith("tinyc.")}


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_packages_import_only_what_they_may(package: str) -> None:
    wrong = []
    for path in modules(PACKAGE / package):
        for name in imports(path):
            parts = name.split(".")
            if name in LEAVES or ".".join(parts[:-1]) in LEAVES - {"tinyc"} or len(parts) < 2:
                continue
            if parts[1] != package and parts[1] not in ALLOWED[package]:
                wrong.append(f"{path.relative_to(PACKAGE)} imports {name}")
    # `from tinyc.quantize import fixed_point` names a leaf through its package.
    wrong = [line for line in wrong if not line.endswith((" tinyc.quantize", " tinyc.program"))]
    assert not wrong, "\n".join(wrong)


def test_leaves_import_only_leaves() -> None:
    for name in LEAVES - {"tinyc"}:
        path = PACKAGE.parent / (name.replace(".", "/") + ".py")
        outside = {
            used
            for used in imports(path)
            if used not in LEAVES and ".".join(used.split(".")[:-1]) not in LEAVES | {"tinyc.quantize"}
        }
        assert not outside, f"{name} imports {sorted(outside)}"


def test_nothing_imports_the_command_line() -> None:
    for path in modules(PACKAGE):
        if "cli" not in path.relative_to(PACKAGE).parts:
            assert not [name for name in imports(path) if name.startswith("tinyc.cli")], path


def test_modules_stay_short() -> None:
    lengths = {
        path.relative_to(PACKAGE).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in modules(PACKAGE)
    }
    assert not {name: length for name, length in lengths.items() if length > LONGEST}
