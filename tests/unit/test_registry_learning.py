"""What devices have learned, in the registry: told by `tinyc learn`, and found by `sync`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.registry_facts import BOARD, CHIP, FIRST, KNOWN, at, board, deployment, firmware, model
from support.smp_peer import FakeDevice, PeerLine, serial_port
from tinyc.device.discovery import Found, Port, ask
from tinyc.device.hello import Hello
from tinyc.device.learned import Counts, Drift, Duel, Kept, Learned, Marks, Outcome, Shape
from tinyc.learning.head_file import head_digest
from tinyc.registry import names, reading
from tinyc.registry.facts import DriftFact, LearnedStateFact
from tinyc.registry.learning import guard_accuracy, learned_facts
from tinyc.registry.pages import device_page
from tinyc.registry.registry import Registry
from tinyc.registry.shapes import audit
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.syncing import sync

pytestmark = pytest.mark.unit

DEVICE = names.device(BOARD, CHIP)
HELLO = Hello(
    proto=2,
    digest=FIRST.digest,
    firmware=KNOWN,
    device_id=CHIP,
    arena=1,
    layers=1,
    clock_hz=1,
    ram=1234,
    input_bytes=1,
    output_bytes=1,
    board=BOARD,
    model=FIRST.name,
    model_version=FIRST.version,
    tinyc="0.1.0",
    inputs=(),
    outputs=(),
    slots=(),
    learns="slda",
)
LEARNED = Learned(
    kind="slda",
    body=bytes(8),
    shape=Shape(4, 3, 2, 48, 40, 8, 0, 1, 16),
    classes=3,
    kept=Kept(2, 1, 2, 0, 7),
    counts=Counts(50, 40, 32, 4, 8, 3, 2, 0, 0, 0, 0),
    last_gate=Outcome.DONE,
    last_result=Outcome.LEARNED,
    marks=Marks(38, 36, 36, 4, 6),
    duel=Duel(1, 0, 18, 20),
    drift=Drift.WARNING,
    alarms=0,
    wants_labels=True,
    drift_high=3.5,
    drift_low=0.0,
)
FACTORY = replace(LEARNED, kept=Kept(0, 0, 0, 0, 1), marks=Marks(38, 38, 0, 0, 0), drift=Drift.STABLE)
HEAD = bytes(32) + b"lamp".ljust(16, b"\0")


@pytest.fixture
def registry() -> Registry:
    found = Registry(EmbeddedStore())
    found.apply_all((board(), model(), firmware(), deployment(1)))
    return found


def test_a_state_with_what_guarded_it() -> None:
    state, drift = learned_facts(HELLO, LEARNED, "e" * 64, before=FACTORY, at=at(5))
    assert state == LearnedStateFact(
        BOARD, CHIP, 2, "e" * 64, 28, FIRST, at(5), 38 / 40, 36 / 40, 40, "Warning"
    )
    assert drift == DriftFact(BOARD, CHIP, "Warning", at(5))


def test_what_nobody_knows_is_left_out() -> None:
    """Before the promotion nobody asked; a regression has errors; the factory's head is nothing learned."""
    (state, _) = learned_facts(HELLO, LEARNED, "e" * 64, at=at(5))
    assert isinstance(state, LearnedStateFact) and (state.before, state.after) == (None, 0.9)
    assert learned_facts(HELLO, LEARNED, "e" * 64, before=LEARNED, at=at(5))[0] == state
    numbers = replace(LEARNED, shape=replace(LEARNED.shape, regression=1))
    assert guard_accuracy(numbers) is None
    assert learned_facts(HELLO, FACTORY, "e" * 64, at=at(5)) == (DriftFact(BOARD, CHIP, "Stable", at(5)),)
    assert learned_facts(replace(HELLO, capacity=1, layers=0), LEARNED, "e" * 64) == ()


def test_a_sync_finds_what_was_learned(registry: Registry) -> None:
    def found(learned: Learned | None, head: bytes = b"") -> list[Found]:
        return [Found(Port("/dev/ttyACM0"), HELLO, None, None, learned, head)]

    sync(registry, found(FACTORY), at(5))
    page = device_page(registry.store, DEVICE)
    assert (page.drift, page.states) == ("Stable", ())
    sync(registry, found(LEARNED, HEAD), at(6))
    page = device_page(registry.store, DEVICE)
    (state,) = page.states
    assert (state.sequence, page.drift) == (2, "Warning")
    digest = head_digest("slda", bytes(8), bytes(32), ["lamp"])
    assert reading.ask(registry.store, f'{names.state(BOARD, CHIP, 2)} tinyc:digest "{digest}"')
    # The same head later: the state stays, the drift is that of now.
    sync(registry, found(replace(LEARNED, drift=Drift.ALARM), HEAD), at(7))
    page = device_page(registry.store, DEVICE)
    assert (len(page.states), page.drift) == (1, "Drifted")
    sync(registry, found(None), at(8))
    assert device_page(registry.store, DEVICE).drift == "Drifted"
    assert audit(registry.store) == ()


def test_a_device_that_tells_no_sense_of_learning_is_there_all_the_same() -> None:
    """It says that it learns, and does not know LEARN."""
    with serial_port(PeerLine(FakeDevice(lies={"learns": "slda"}))) as port:
        found = ask(Port(port), seconds=2.0, counters=True)
    assert found.problem is None and found.hello is not None
    assert (found.hello.learns, found.learned, found.head) == ("slda", None, b"")
    assert found.counters is not None


def test_drift_that_is_replayed_is_not_newer_than_a_state(registry: Registry) -> None:
    registry.apply_all(learned_facts(HELLO, LEARNED, "e" * 64, at=at(6)))
    registry.apply(DriftFact(BOARD, CHIP, "Drifted", at(5)), live=False)
    assert device_page(registry.store, DEVICE).drift == "Warning"
    registry.apply(DriftFact(BOARD, CHIP, "Stable", at(7)), live=False)
    assert device_page(registry.store, DEVICE).drift == "Stable"
    with pytest.raises(ValueError, match="drift"):
        DriftFact(BOARD, CHIP, "Sideways", at(7))
