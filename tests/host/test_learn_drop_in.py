"""Model and head in a project that is not tinyc's: compiled strictly, under sanitizers, equal to the twin."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from support import learn_models
from support.learn_builds import LearnBuilds
from tinyc import interpreter
from tinyc.emit.model import render_model
from tinyc.learning.emit import render_learning
from tinyc.learning.learner import Learner
from tinyc.toolchain.host_compiler import (
    WARNINGS,
    HostCompiler,
    compile_cached,
    compiler_called,
    find_compiler,
)

pytestmark = pytest.mark.host

SOURCE = Path(__file__).with_name("learn_drop_in.c")
STRICT = ("-Wshadow", "-Wconversion", "-O1", "-g")


def compilers() -> list[HostCompiler]:
    found = [compiler_called(name) for name in ("gcc", "clang")]
    return [each for each in found if each is not None] or [find_compiler()]


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> LearnBuilds:
    return LearnBuilds(tmp_path_factory.mktemp("learning"))


def test_model_and_head_drop_into_another_project(builds: LearnBuilds) -> None:
    # The kernels of this chip are plain C.
    program = builds.program("slda", "microbit")
    learning = program.learning
    assert learning is not None
    texts = render_model(program) | render_learning(program) | {"main.c": SOURCE.read_text(encoding="utf-8")}
    texts = {name: text for name, text in texts.items() if not name.startswith("learn_group")}
    samples = learn_models.samples((0, 5, 1, 5), 10, 21)
    pairs = list(zip(samples.inputs, samples.labels, strict=True))
    sent = b"".join(vector.tobytes() + bytes([label]) for vector, label in pairs)
    twin = Learner(learning.head, learning.safety)
    assert twin.name_class("wave")[0] == learning.head.factory_classes
    expected = []
    for vector, label in pairs:
        outputs = interpreter.run(program.graph, [vector.reshape(1, 12, 10, 1)])
        answer = twin.observe(outputs[1].reshape(-1).astype(np.int8))
        score = int(np.float32(answer.score).view(np.uint32))
        expected.append(f"{answer.label} {twin.shadow_label()} {score} {int(twin.label(int(label)))}")
    for compiler in compilers():
        flags = (*WARNINGS, *STRICT, *compiler.sanitizer_flags())
        run = compile_cached(compiler, texts, flags, "drop_in")
        done = subprocess.run([run], input=sent, capture_output=True, check=True)
        assert done.stdout.decode().splitlines() == expected
