"""Learning from end to end: the compiler's firmware on the emulated chip beside the twin of its learner."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from support import learn_models
from support.learn_builds import LearnBuilds
from support.learn_session import Session
from tinyc import artifact
from tinyc.device.learning import Outcome
from tinyc.memory.budget import budget
from tinyc.preparation import Prepared
from tinyc.toolchain.elf import read_elf

pytestmark = pytest.mark.emulated

NEW = ("wave", "clap")
TEST = learn_models.samples((0, 1, 2, 3, 4, 5, 6), 3, 99)


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> LearnBuilds:
    return LearnBuilds(tmp_path_factory.mktemp("learning"))


@pytest.fixture(params=["slda nrf52840 zig", "sgd nrf52840 gcc", "slda microbit zig", "sparse nrf52840 gcc"])
def session(request: pytest.FixtureRequest, builds: LearnBuilds) -> Iterator[Session]:
    head, board, toolchain = request.param.split()
    found = Session(builds.program(head, board), builds.firmware(head, board, toolchain))
    yield found
    found.close()


def test_the_device_learns_as_its_twin(session: Session) -> None:
    """Two new words, labelled samples of old and new ones, and a restart."""
    persists = session.learning.safety.region is not None
    session.check()
    before = session.accuracy(TEST)
    assert [session.name(name) for name in NEW] == [5, 6]
    session.teach_all(learn_models.samples((5, 6, 0, 5, 6, 3), 6, 11))
    assert session.outcomes.count(Outcome.LEARNED) >= 24
    session.check()
    after = session.accuracy(TEST)
    if session.learning.head.kind == "slda":
        assert Outcome.PROMOTED in session.outcomes
        assert after > before
    session.restart()
    session.check()
    # What was promoted is there again where flash can be written, the factory's head elsewhere.
    assert session.accuracy(TEST) == (after if persists else before)


def test_a_learned_head_can_be_given_up(builds: LearnBuilds) -> None:
    session = Session(builds.program(), builds.firmware())
    for name in NEW:
        session.name(name)
    session.teach_all(learn_models.samples((5, 6, 0, 5, 6, 3), 4, 11))
    session.check()
    told = session.remote.learned()
    assert told.kept.sequence == 1
    assert session.remote.factory(1).outcome is Outcome.REVERTED
    assert int(session.twin.revert(to_factory=True)) == Outcome.REVERTED
    session.check()
    session.restart()
    session.check()
    assert session.remote.head(told.shape.state_bytes) == session.learning.head.head().to_bytes()
    session.close()


@pytest.mark.parametrize("board", ["nrf52840", "microbit"])
def test_the_budget_is_what_the_linker_lays_out(builds: LearnBuilds, board: str) -> None:
    """Tables and states byte for byte; the stack has a bound that was read off the machine code."""
    program, firmware = builds.program("slda", board), builds.firmware("slda", board, "zig")
    learning = program.learning
    assert learning is not None
    symbols = {symbol.name: symbol.size for symbol in read_elf(firmware.elf).symbols}
    assert {name: symbols[name] for name in learning.symbols} == learning.symbols
    assert learning.tables == budget(program).learning_tables
    # Variables of learner, guard, drift and records; the group's are counted with the protocol's.
    names = ("shadow", "it", "kept", "kept_names")
    assert sum(symbols.get(name, 0) for name in names) == learning.ram == budget(program).learning_ram
    assert firmware.sizes.stack_bound is not None
    assert firmware.sizes.stack_bound <= program.board.memory.stack
    told = budget(program)
    assert firmware.sizes.ram + program.board.memory.stack == pytest.approx(told.ram, abs=100)
    assert firmware.sizes.flash == pytest.approx(told.flash, rel=0.15)


def test_a_build_folder_knows_what_learns(builds: LearnBuilds) -> None:
    program, firmware = builds.program(), builds.firmware()
    saved = artifact.save(firmware.folder, program, Prepared(program.graph), firmware)
    found = artifact.open_artifact(firmware.folder)
    assert found.program.learning is not None and program.learning is not None
    assert found.program.digest == program.digest
    assert found.program.learning.head.head().to_bytes() == program.learning.head.head().to_bytes()
    from tinyc.emit.project import render

    assert render(found.program).files == render(program).files
    told = saved.report["learning"]
    assert told["ram"] == program.learning.ram
    assert told["record_bytes"] > program.learning.head.state_bytes
    assert told["lifetime_years"] > 1
    assert replace(found.program.learning.settings, data=builds.data) == builds.settings("slda")
