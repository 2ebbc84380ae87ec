"""The calculator of versions: every rule, the numbers, and what holds for all changes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.manifests import BASE, CHANGES, STATEFUL, TARGET
from tinyc.errors import TinycError
from tinyc.versioning import Level, Manifest, Version, compare
from tinyc.versioning.calculator import merged, release_text
from tinyc.versioning.gate import check_build, predecessor, too_low
from tinyc.versioning.model import Envelope, Metrics
from tinyc.versioning.rules import RULES

pytestmark = pytest.mark.unit

LEVELS = {rule.name: rule.level for rule in RULES}
# Rules that find the same whichever of two manifests is the older one.
BOTH_WAYS = {
    *("input-type", "input-shape", "input-scale", "front-end", "input-units"),
    *("output-shape", "output-scale", "output-meaning", "label-renamed", "label-moved"),
    *("body", "abi", "other-answers"),
}
# These say nothing the other way round: fewer boards are no reason.
ONE_WAY = frozenset({"new-board"})
names = st.sampled_from(sorted(CHANGES))


def start(name: str) -> Manifest:
    return STATEFUL if name == "state" else BASE


def changed(old: Manifest, chosen: list[str]) -> Manifest:
    for name in chosen:
        old = CHANGES[name][0](old)
    return old


def test_every_rule_has_its_test() -> None:
    assert set(CHANGES) == set(LEVELS)
    assert len(RULES) == len(LEVELS)


@pytest.mark.parametrize("name", list(CHANGES))
def test_a_rule_finds_its_change_and_decides_the_level(name: str) -> None:
    change, text = CHANGES[name]
    verdict = compare(start(name), change(start(name)))
    found = [reason for reason in verdict.reasons if reason.rule == name]
    assert found, verdict
    assert text in " ".join(reason.text for reason in found)
    assert verdict.level is LEVELS[name]
    assert verdict.reasons[0].level is verdict.level


@pytest.mark.parametrize("name", list(CHANGES))
def test_a_rule_is_silent_without_a_change(name: str) -> None:
    old = start(name)
    assert compare(old, old) == compare(old, Manifest.from_json(json.loads(json.dumps(old.to_json()))))
    assert compare(old, old).level is Level.NONE
    assert not compare(old, old).reasons


@pytest.mark.parametrize("name", sorted(BOTH_WAYS))
def test_a_broken_contract_is_broken_both_ways(name: str) -> None:
    verdict = compare(changed(BASE, [name]), BASE)
    assert verdict.level is Level.MAJOR
    assert name in {reason.rule for reason in verdict.reasons}


@pytest.mark.parametrize("name", sorted(set(CHANGES) - ONE_WAY))
def test_a_change_is_a_change_both_ways(name: str) -> None:
    assert compare(changed(start(name), [name]), start(name)).level > Level.NONE


def test_an_appended_label_taken_back_is_a_label_removed() -> None:
    verdict = compare(changed(BASE, ["label-appended"]), BASE)
    assert verdict.level is Level.MAJOR
    assert {"label-removed", "output-shape"} <= {reason.rule for reason in verdict.reasons}


# Later changes of one field would replace earlier ones: each of these has a field of its own.
APART = [
    name
    for name in sorted(CHANGES)
    if name
    not in {
        "state",
        "label-removed",
        "label-renamed",
        "label-moved",
        "label-appended",
        "output-scale",
        "sizes",
    }
    and name not in {"input-scale", "class-regressed", "other-answers", "output-shape"}
]


@given(st.lists(st.sampled_from(APART), unique=True, max_size=6), st.sampled_from(APART))
def test_a_further_change_never_lowers_the_level(chosen: list[str], further: str) -> None:
    before = compare(BASE, changed(BASE, chosen)).level
    after = compare(BASE, changed(BASE, [*chosen, further])).level
    assert after >= before
    assert after >= LEVELS[further] or further in chosen or {"body", "head"} & set(chosen)


@given(st.lists(names, max_size=5))
def test_the_level_is_that_of_the_highest_reason(chosen: list[str]) -> None:
    verdict = compare(BASE, changed(BASE, chosen))
    assert verdict.level == max((reason.level for reason in verdict.reasons), default=Level.NONE)
    levels = [reason.level for reason in verdict.reasons]
    assert levels == sorted(levels, reverse=True)
    assert all(reason.text and LEVELS[reason.rule] is reason.level for reason in verdict.reasons)


def test_insertion_in_front_moves_the_labels_behind() -> None:
    labels = ("stop", "silence", "yes", "no")
    shape = replace(BASE.output.tensors[0], shape=(1, 4))
    new = replace(BASE, output=replace(BASE.output, labels=labels, tensors=(shape,)))
    rules = {reason.rule for reason in compare(BASE, new).reasons}
    assert rules == {"label-moved", "output-shape"}


def test_labels_without_room_for_them_are_not_appended() -> None:
    new = replace(BASE, output=replace(BASE.output, labels=(*BASE.output.labels, "stop")))
    assert "label-appended" not in {reason.rule for reason in compare(BASE, new).reasons}


def test_labels_that_were_never_told_are_metadata() -> None:
    old = replace(BASE, output=replace(BASE.output, labels=()))
    verdict = compare(old, BASE)
    assert verdict.level is Level.PATCH
    assert [reason.text for reason in verdict.reasons] == ["outputs from 0 on have labels now"]


def test_without_a_promise_the_board_is_the_limit() -> None:
    old = replace(BASE, envelope={})
    grown = replace(TARGET, flash=400_000)
    assert compare(old, replace(old, targets={"nrf52840": grown})).level is Level.PATCH
    over = replace(TARGET, flash=500_001)
    verdict = compare(old, replace(old, targets={"nrf52840": over}))
    assert verdict.reasons[0].text == "nrf52840: flash takes 500,001 B, 500,000 B the board has"
    partly = replace(BASE, envelope={"nrf52840": Envelope(ram=100_000)})
    assert compare(partly, replace(partly, targets={"nrf52840": grown})).level is Level.PATCH


def test_a_better_average_with_a_worse_class_is_no_improvement() -> None:
    rules = {reason.rule for reason in compare(BASE, changed(BASE, ["class-regressed"])).reasons}
    assert "better" not in rules
    small = replace(BASE, metrics=Metrics(0.95, 300, {"silence": 0.99, "yes": 0.885, "no": 0.95}))
    assert compare(BASE, small).level is Level.MINOR


def test_a_retrained_head_explains_other_answers() -> None:
    assert compare(BASE, changed(BASE, ["head"])).level is Level.MINOR
    both = replace(changed(BASE, ["head"]), embedding="0" * 64)
    assert compare(BASE, both).level is Level.MAJOR


def test_notes_decide_nothing() -> None:
    new = replace(BASE, name="others", targets={}, metrics=replace(BASE.metrics, accuracy=0.89))
    verdict = compare(BASE, new)
    assert verdict.level is Level.PATCH
    assert len(verdict.notes) == 3


@pytest.mark.parametrize(
    ("old", "patch", "minor", "major"),
    [
        ("1.2.3", "1.2.4", "1.3.0", "2.0.0"),
        ("0.3.1", "0.3.2", "0.3.2", "0.4.0"),
        ("0.0.0", "0.0.1", "0.0.1", "0.1.0"),
        ("2.0.0-rc.1", "2.0.0-rc.2", "2.0.0-rc.2", "2.0.0-rc.2"),
    ],
)
def test_numbers_are_raised(old: str, patch: str, minor: str, major: str) -> None:
    version = Version.parse(old)
    assert str(version.raised(Level.NONE)) == old
    levels = (Level.PATCH, Level.MINOR, Level.MAJOR)
    assert [str(version.raised(level)) for level in levels] == [patch, minor, major]


versions = st.builds(
    Version,
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 65_535),
    st.one_of(st.none(), st.integers(0, 99_999)),
)


@given(versions, versions, versions)
def test_versions_are_ordered_and_read_back(a: Version, b: Version, c: Version) -> None:
    assert Version.parse(str(a)) == a == Version.parse(f"{a}+int8.cm4.0a1b2c3d")
    assert (a < b) + (b < a) + (a == b) == 1
    if a < b and b < c:
        assert a < c
    assert a.is_release or a < Version(*a.core)


@given(versions, st.sampled_from(list(Level)), st.sampled_from(list(Level)))
def test_a_higher_level_never_needs_a_lower_number(version: Version, one: Level, other: Level) -> None:
    low, high = sorted((one, other))
    assert version.raised(low) <= version.raised(high)
    assert (version < version.raised(high)) is (high is not Level.NONE)
    assert version.raised(high).covers(version.raised(high))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1.2",
        "1.2.3-rc",
        "1.2.3-rc.01",
        "1.2.3-beta.1",
        "1.2.3+",
        "1.2.3+a..b",
        "01.2.3",
        "256.0.0",
        "1.2.３",
    ],
)
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(TinycError, match="is no version"):
        Version.parse(text)


def test_a_candidate_is_as_high_as_its_release() -> None:
    assert Version.parse("2.0.0-rc.1").covers(Version.parse("2.0.0"))
    assert not Version.parse("1.9.0").covers(Version.parse("2.0.0"))
    assert not Version.parse("2.0.0-rc.1").covers(Version.parse("2.0.0-rc.2"))


def test_a_number_that_is_too_low_is_refused_with_reasons() -> None:
    new = changed(BASE, ["body", "tools"])
    wrong = too_low(BASE, new, Version.parse("1.3.0"))
    assert wrong is not None
    assert wrong.what == "version 1.3.0 of `words` is too low: what changed since 1.2.3 needs 2.0.0"
    assert [problem.where for problem in wrong.problems] == ["MAJOR"]
    assert too_low(BASE, new, Version.parse("2.0.0")) is None
    assert too_low(BASE, BASE, Version.parse("1.2.3")) is None
    assert too_low(BASE, BASE, Version.parse("1.2.2")) is not None


def at(version: str, *chosen: str) -> Manifest:
    return replace(changed(BASE, list(chosen)), version=version, digest=f"{version}{chosen}")


def test_a_release_follows_the_highest_one_below_it() -> None:
    earlier = [at("1.0.0"), at("1.2.0"), at("2.0.0", "body"), at("1.3.0-rc.1", "body"), at("0.0.0")]
    assert predecessor(at("1.2.1"), earlier) == earlier[1]
    assert predecessor(at("2.0.1"), earlier) == earlier[2]
    assert predecessor(at("0.9.0"), earlier) is None
    assert predecessor(replace(at("1.2.1"), name="other"), earlier) is None
    # The very same model built again, for another board say, has the number that it has.
    assert predecessor(earlier[1], earlier) is None


def test_builds_are_refused_only_where_something_is_known() -> None:
    check_build(at("1.0.0", "body"), None, [])
    check_build(at("0.0.0", "body"), at("1.0.0"), [at("1.0.0")])
    check_build(at("2.0.0", "body"), at("1.0.0"), [at("1.0.0")])
    check_build(at("2.0.0-rc.1", "body"), at("1.0.0"), [])
    check_build(at("1.0.0", "body"), replace(at("3.0.0"), name="its base"), [])
    for base, earlier in ((at("1.0.0"), []), (None, [at("1.0.0")]), (at("0.0.0"), [at("1.1.0")])):
        with pytest.raises(TinycError, match=r"needs 2\.0\.0") as caught:
            check_build(at("1.1.0", "body"), base, earlier)
        assert "--any-version" in caught.value.hint
    # The number is taken by another model.
    with pytest.raises(TinycError, match="too low"):
        check_build(at("1.0.0", "head"), None, [at("1.0.0")])


def test_build_metadata_says_precision_core_and_content() -> None:
    assert release_text(BASE, Version(1, 3, 0)) == "1.3.0+int8.cm4.aaaaaaaa"
    other = replace(BASE, targets={"microbit": replace(TARGET, core="cortex-m0")})
    both = merged(BASE, other)
    assert release_text(both, Version(1, 3, 0, 2)) == "1.3.0-rc.2+int8.cm0-cm4.aaaaaaaa"
    assert Version.parse(release_text(both, Version(1, 3, 0))) == Version(1, 3, 0)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda told: told.pop("digest"),
        lambda told: told.update(format=2),
        lambda told: told.update(format="1"),
        lambda told: told.update(extra=1),
        lambda told: told.update(relation="stolen"),
        lambda told: told.update(labels=3),
        lambda told: told["input"].update(tensors=3),
        lambda told: told["targets"].update(nrf52840=[]),
        lambda told: told["targets"]["nrf52840"].update(flash="50000"),
        lambda told: told["targets"]["nrf52840"].update(flash=True),
        lambda told: told.update(metrics={"accuracy": "high", "samples": 1}),
        lambda told: told.update(metrics=7),
    ],
)
def test_a_spoiled_manifest_is_refused(spoil: object) -> None:
    assert callable(spoil)
    told = json.loads(json.dumps(BASE.to_json()))
    assert Manifest.from_json(told) == BASE
    spoil(told)
    with pytest.raises(TinycError, match=r"manifest|relation"):
        Manifest.from_json(told, "somewhere")


@pytest.mark.parametrize("told", [None, [], "text", 3, {}, {"format": True}])
def test_what_is_no_manifest(told: object) -> None:
    with pytest.raises(TinycError, match="manifest"):
        Manifest.from_json(told)
