"""Facts: written once however often they come, in whatever order, and checked before they are."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from pyoxigraph import BlankNode, Literal, NamedNode, Triple

from support.registry_facts import (
    BOARD,
    CHIP,
    FIRST,
    KNOWN,
    SECOND,
    UNKNOWN,
    at,
    board,
    deployment,
    every_kind,
    firmware,
    model,
    sighting,
)
from tinyc.registry import names, reading
from tinyc.registry.change import Change, Step, moment
from tinyc.registry.facts import KINDS, DeviceFact, Fact, LearnedStateFact, MissingFact, ModelRef, from_json
from tinyc.registry.pages import device_page
from tinyc.registry.registry import Refused, Registry
from tinyc.registry.shapes import audit
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.vocabulary import RDF, TINYC

pytestmark = pytest.mark.unit

DEVICE = names.device(BOARD, CHIP)


def content(registry: Registry) -> set[str]:
    store = registry.store
    assert isinstance(store, EmbeddedStore)
    return {str(quad) for quad in store._inner()}


def filled(*facts: Fact, live: bool = False) -> Registry:
    registry = Registry(EmbeddedStore())
    registry.apply_all((board(), model(), firmware(), *facts), live=live)
    return registry


def runs(registry: Registry) -> tuple[str | None, str | None]:
    """(firmware, model) that the device runs by its shortcuts; the current deployment says the same."""
    found = {}
    for predicate in (TINYC.runsFirmware, TINYC.runsModel):
        values = [o for (o,) in reading.rows(registry.store, f"SELECT ?o {{ {DEVICE} {predicate} ?o }}")]
        assert len(values) <= 1
        found[predicate] = values[0].value if values else None  # type: ignore[union-attr]
    current = reading.current(registry.store, DEVICE)
    if current is not None:
        assert (current.firmware.value if current.firmware else None) == found[TINYC.runsFirmware]
        assert (current.model.value if current.model else None) == found[TINYC.runsModel]
    return found[TINYC.runsFirmware], found[TINYC.runsModel]


@pytest.mark.parametrize("fact", every_kind(), ids=lambda fact: fact.kind)
def test_json_gives_the_fact_back(fact: Fact) -> None:
    told = json.loads(json.dumps(fact.to_json()))
    assert from_json(told) == fact
    assert type(fact).from_json(told) == fact
    assert from_json(told).key == fact.key


def test_every_kind_is_among_the_examples() -> None:
    assert {fact.kind for fact in every_kind()} == set(KINDS)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {},
        {"kind": "nonsense"},
        {"kind": "site"},
        {"kind": "site", "name": 3},
        {"kind": "site", "name": ""},
        {"kind": "site", "name": "x", "more": 1},
        {"kind": "missing", "board": "b", "chip": "1", "at": "yesterday"},
        {"kind": "missing", "board": "b", "chip": "1", "at": "2026-10-01T00:00:00"},
        {**model().to_json(), "model": {"name": "x"}},
        {**model().to_json(), "labels": "silence"},
        {**deployment(1).to_json(), "verified": 1},
    ],
)
def test_json_of_something_else_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError):
        from_json(wrong)


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("graph", [None, NamedNode("urn:test:graph")])
def test_the_same_fact_twice_changes_nothing(live: bool, graph: NamedNode | None) -> None:
    registry = Registry(EmbeddedStore(), graph)
    for fact in every_kind():
        before = content(registry)
        registry.apply(fact, live=live)
        once = content(registry)
        registry.apply(fact, live=live)
        assert content(registry) == once
        assert once != before
    # All of it once more, in order: late replays.
    for fact in every_kind():
        registry.apply(fact, live=False)
    assert content(registry) == once
    assert audit(registry.store) == ()
    if graph is not None:
        assert all(line.endswith(f"{graph}") for line in once)


def test_there_are_no_blank_nodes() -> None:
    triples = [triple for fact in every_kind() for triple in fact.change().triples()]
    assert not [triple for triple in triples if isinstance(triple.subject, BlankNode)]
    blank = Triple(BlankNode(), RDF.type, TINYC.Site)
    with pytest.raises(ValueError, match="blank"):
        Change((Step((blank,)),)).text()


def test_the_newest_deployment_is_current_in_every_order() -> None:
    history = [deployment(2), deployment(3, UNKNOWN, None), deployment(4, "e" * 64, SECOND)]
    contents = set()
    for order in itertools.permutations(history):
        registry = filled(*order)
        assert runs(registry) == (names.firmware("e" * 64).value, SECOND.iri.value)
        page = device_page(registry.store, DEVICE)
        assert [each.current for each in page.deployments] == [True, False, False]
        # When it was first seen is what was told first.
        contents.add(frozenset(line for line in content(registry) if "#firstSeen" not in line))
    assert len(contents) == 1


def test_a_deployment_without_a_model_clears_the_old_one() -> None:
    registry = filled(deployment(2), deployment(3, UNKNOWN, None))
    assert runs(registry) == (names.firmware(UNKNOWN).value, None)


def test_clock_backwards_counts_when_it_happens_and_not_when_replayed() -> None:
    registry = filled()
    assert registry.apply(deployment(5, UNKNOWN, SECOND)).notes == ()
    applied = registry.apply(deployment(2), live=True)
    (note,) = applied.notes
    assert "clock went back" in note and CHIP in note
    assert runs(registry) == (names.firmware(KNOWN).value, FIRST.iri.value)
    registry.apply(deployment(3, "e" * 64, SECOND), live=False)
    # It is newer than the current one, though older than the first.
    assert runs(registry)[0] == names.firmware("e" * 64).value
    registry.apply(deployment(1, "9" * 64, SECOND), live=False)
    assert runs(registry)[0] == names.firmware("e" * 64).value
    assert len(device_page(registry.store, DEVICE).deployments) == 4


def test_a_live_deployment_told_again_later_does_not_come_back() -> None:
    registry = filled()
    registry.apply(deployment(2))
    registry.apply(deployment(3, UNKNOWN, SECOND))
    registry.apply(deployment(2))
    assert runs(registry)[0] == names.firmware(UNKNOWN).value


def test_one_instant_is_one_deployment_in_every_zone() -> None:
    here = timezone(timedelta(hours=2))
    fact = deployment(2)
    assert replace(fact, at=fact.at.astimezone(here)).iri == fact.iri
    with pytest.raises(ValueError):
        moment(datetime(2026, 1, 1))


def test_unknown_firmware_becomes_known() -> None:
    registry = Registry(EmbeddedStore())
    registry.apply_all((board(), model(), sighting(2)))
    (row,) = device_page(registry.store, DEVICE).deployments
    assert (row.known, row.method, row.verified) == (False, "found", False)
    registry.apply(firmware())
    (row,) = device_page(registry.store, DEVICE).deployments
    assert row.known
    assert not reading.ask(registry.store, f"?x a {TINYC.UnknownFirmware}")
    registry.apply(sighting(3))
    assert not reading.ask(registry.store, f"?x a {TINYC.UnknownFirmware}")


def test_a_sighting_of_what_is_known_is_no_deployment() -> None:
    registry = filled(deployment(2))
    before = content(registry)
    registry.apply(sighting(3))
    assert content(registry) == before
    registry.apply(sighting(4, KNOWN, SECOND))
    assert runs(registry)[1] == SECOND.iri.value
    assert [row.method for row in device_page(registry.store, DEVICE).deployments] == ["found", "smp"]
    # An old sighting tells nothing new.
    before = content(registry)
    registry.apply(sighting(3, UNKNOWN, None), live=False)
    added = {line for line in content(registry) - before if "currentDeployment" in line or "runs" in line}
    assert not added
    assert runs(registry)[1] == SECOND.iri.value


def test_missing_since_the_first_time_until_it_answers() -> None:
    registry = filled(deployment(2))
    registry.apply_all((MissingFact(BOARD, CHIP, at(3)), MissingFact(BOARD, CHIP, at(4))))
    assert device_page(registry.store, DEVICE).missing_since.startswith("2026-10-01T12:00")
    registry.apply(sighting(2.5), live=False)
    assert reading.is_missing(registry.store, DEVICE)
    registry.apply(sighting(5))
    assert not reading.is_missing(registry.store, DEVICE)
    registry.apply(MissingFact(BOARD, CHIP, at(6)))
    registry.apply(deployment(7, UNKNOWN))
    assert not reading.is_missing(registry.store, DEVICE)


def test_split_firmware_keeps_its_first_model_and_deployments_name_theirs() -> None:
    registry = Registry(EmbeddedStore())
    registry.apply_all((board(), model(), firmware(own_model=True), model(SECOND)))
    registry.apply_all((firmware(KNOWN, SECOND, own_model=True), deployment(2, KNOWN, SECOND)))
    assert reading.ask(registry.store, f"{names.firmware(KNOWN)} {TINYC.model} {FIRST.iri}")
    assert not reading.ask(registry.store, f"{names.firmware(KNOWN)} {TINYC.model} {SECOND.iri}")
    assert runs(registry) == (names.firmware(KNOWN).value, SECOND.iri.value)


def test_a_build_told_anew_replaces_what_it_says() -> None:
    registry = filled()
    changed = replace(model(), macs=5, labels=("yes",), at=at(9))
    registry.apply(changed)
    assert reading.ask(registry.store, f"{FIRST.iri} {TINYC.macs} 5 ; {TINYC.label} 'yes'")
    count = "SELECT (COUNT(*) AS ?n) {{ {0} {1} ?o }}"
    for predicate in (TINYC.macs, TINYC.label, TINYC.manifest):
        ((number,),) = reading.rows(registry.store, count.format(FIRST.iri, predicate))
        assert number == Literal(1)
    # When it was made stays.
    activity = names.activity("quantize", FIRST.digest)
    ((time,),) = reading.rows(
        registry.store, f"SELECT ?t {{ {activity} <http://www.w3.org/ns/prov#endedAtTime> ?t }}"
    )
    assert reading.time_of(time) == at(0)


def test_learned_states_stay_and_the_newest_gives_the_drift() -> None:
    registry = filled(deployment(2))

    def state(sequence: int, hours: float, drift: str, digest: str = "f") -> LearnedStateFact:
        return LearnedStateFact(
            BOARD, CHIP, sequence, digest * 64, 40, FIRST, at(hours), 0.9, 0.95, 44, drift
        )

    registry.apply_all((state(2, 6, "Stable"), state(1, 5, "Drifted"), state(2, 7, "Warning", "e")))
    page = device_page(registry.store, DEVICE)
    assert page.drift == "Stable"
    assert [each.sequence for each in page.states] == [2, 1]
    assert runs(registry)[1] == FIRST.iri.value
    assert audit(registry.store) == ()
    with pytest.raises(ValueError, match="drift"):
        state(3, 8, "Sideways")


@pytest.mark.parametrize(
    "fact",
    [
        DeviceFact("no_such_board", CHIP),
        DeviceFact(BOARD, "not hexadecimal"),
        replace(deployment(2), firmware="short"),
        replace(model(), model=ModelRef("kws", "one", "a" * 64)),
        replace(firmware(), flash=-1),
    ],
    ids=["board", "chip", "firmware", "version", "bytes"],
)
def test_what_contradicts_the_shapes_is_refused_whole(fact: Fact) -> None:
    registry = filled()
    before = content(registry)
    with pytest.raises(Refused) as error:
        registry.apply(fact)
    assert error.value.problems
    assert content(registry) == before


@pytest.mark.parametrize(
    "text", ['"', "\\", "> } ; DROP ALL ; #", "'''", "\n", "\x00", "é\u2028\U0001f600", "%3E", "a" * 5000]
)
def test_no_text_becomes_syntax(text: str) -> None:
    ref = ModelRef(text, "1.0.0", "a" * 64)
    registry = filled()
    told = replace(model(ref), labels=(text,), input_type=text, manifest=text)
    registry.apply_all(
        (replace(board(text), title=text), told, replace(deployment(2, KNOWN, ref), site=text))
    )
    (row,) = device_page(registry.store, DEVICE).deployments
    assert row.model == text
    assert device_page(registry.store, DEVICE).site == text
    assert reading.ask(registry.store, f"{names.board(BOARD)} a {TINYC.Board}")
