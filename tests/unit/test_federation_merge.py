"""Heads of many devices made one: equal to the head of a device that saw everything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support import learn_models, tflite_writer
from support.command_line import tinyc
from support.learning_heads import fitted
from tinyc.cli import target
from tinyc.cli.learn_build import LearnRequest
from tinyc.errors import TinycError
from tinyc.learning.federation.merge import merge
from tinyc.learning.fit import HeadOptions
from tinyc.learning.head_file import HeadFile, dump, load, save
from tinyc.learning.heads.design import HeadDesign, Int8s

pytestmark = pytest.mark.unit

LATENT, CAPACITY, FACTORY = 12, 6, 4
BODY = b"the body"


def design_of(kind: str, forget: int = 1000) -> HeadDesign:
    return fitted(kind, LATENT, CAPACITY, HeadOptions(forget=forget, factory_weight=min(100, forget)))


def cloud(label: int, count: int, seed: int) -> Int8s:
    """Latents of class `label`: the first four moved away from the factory's, the others new."""
    centre = np.random.default_rng(label).normal(0, 45, LATENT)
    noise = np.random.default_rng([seed, label]).normal(0, 14, (count, LATENT))
    return np.clip(np.rint(centre + noise), -128, 127).astype(np.int8)


def file_of(design: HeadDesign, state: bytes, learned: tuple[str, ...]) -> HeadFile:
    names = (
        *(f"f{number}" for number in range(FACTORY)),
        *learned,
        *[""] * (CAPACITY - FACTORY - len(learned)),
    )
    return HeadFile(
        kind=design.kind,
        body=BODY,
        model="model",
        version="1.0.0",
        digest="00",
        board="nrf52840",
        chip="01",
        tinyc="0.1.0",
        sequence=3,
        latent=LATENT,
        capacity=CAPACITY,
        factory_classes=FACTORY,
        classes=names,
        counters={},
        state=state,
    )


def taught(design: HeadDesign, lessons: list[tuple[int, Int8s]]) -> bytes:
    """The state after lessons of (class, latents)."""
    head = design.head()
    for label, latents in lessons:
        for latent in latents:
            head.update(latent, label)
    return head.to_bytes()


@pytest.mark.parametrize("kind", ["slda", "ncm"])
def test_merged_devices_equal_one_that_saw_everything(kind: str) -> None:
    design = design_of(kind)
    # Each device learned one of the factory's classes on; "red" and "blue" lie elsewhere on each.
    first = [(0, cloud(0, 9, 1)), (4, cloud(4, 15, 1)), (5, cloud(5, 4, 1))]
    second = [(1, cloud(1, 7, 2)), (5, cloud(4, 12, 2)), (4, cloud(5, 6, 2))]
    third = [(4, cloud(5, 8, 3))]
    heads = [
        ("one", file_of(design, taught(design, first), ("red", "blue"))),
        ("two", file_of(design, taught(design, second), ("blue", "red"))),
        ("three", file_of(design, taught(design, third), ("blue",))),
    ]
    merged = merge(design, BODY, heads)
    assert merged.head.classes == ("f0", "f1", "f2", "f3", "red", "blue")
    assert [row[2:] for row in merged.classes] == [
        (1, True),
        (1, True),
        (0, True),
        (0, True),
        (2, True),
        (3, True),
    ]
    everything = [*first, (1, second[0][1]), (4, second[1][1]), (5, second[2][1]), (5, third[0][1])]
    whole = design.head(taught(design, everything))
    together = design.head(merged.head.state)
    assert (
        design.unpack(merged.head.state)["counts"].tolist()
        == design.unpack(whole.to_bytes())["counts"].tolist()
    )
    tests = np.concatenate([cloud(label, 30, 99) for label in range(6)])
    expected, found = whole.scores_many(tests), together.scores_many(tests)
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max(), rtol=0)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.99
    # One device alone does not know what the others know.
    alone = design.head(heads[2][1].state).scores_many(tests)
    assert (alone.argmax(axis=1) == expected.argmax(axis=1)).mean() < 0.9
    # And the file is one that can be written, read and imported.
    assert load(dump(merged.head)) == merged.head


@pytest.mark.parametrize("kind", ["slda", "ncm"])
def test_one_head_merges_to_itself(kind: str) -> None:
    design = design_of(kind)
    state = taught(design, [(4, cloud(4, 10, 1))])
    merged = merge(design, BODY, [("one", file_of(design, state, ("red",)))])
    before, after = design.unpack(state), design.unpack(merged.head.state)
    for name in before:
        np.testing.assert_allclose(
            after[name], before[name], rtol=2e-3, atol=1e-3 * np.abs(before[name]).max()
        )


def test_devices_that_forgot_give_their_mean() -> None:
    design = design_of("ncm", forget=10)
    near, far = np.full((40, LATENT), 20, np.int8), np.full((40, LATENT), 60, np.int8)
    heads = [
        (name, file_of(design, taught(design, [(4, latents)]), ("red",)))
        for name, latents in (("near", near), ("far", far))
    ]
    merged = merge(design, BODY, heads)
    assert merged.classes[4] == ("red", 10, 2, False)
    values = design.unpack(merged.head.state)
    middle = [design.unpack(head.state)["means"][4] for _, head in heads]
    np.testing.assert_allclose(values["means"][4], np.mean(middle, axis=0), rtol=1e-6)
    assert values["counts"][4] == 10


def test_heads_that_cannot_be_added_are_all_told() -> None:
    design = design_of("slda")
    good = file_of(design, design.pack(design.factory), ())
    wrong = [
        ("good", good),
        ("body", replace(good, body=b"another!")),
        ("kind", replace(good, kind="ncm")),
        ("size", replace(good, state=good.state[:-4])),
    ]
    with pytest.raises(TinycError, match="do not belong together") as refused:
        merge(design, BODY, wrong)
    assert [problem.where for problem in refused.value.problems] == ["body", "kind", "size"]


def test_names_room_and_counts_are_checked() -> None:
    design = design_of("slda")
    taught_one = taught(design, [(4, cloud(4, 3, 1)), (5, cloud(5, 3, 1))])
    nameless = file_of(design, taught_one, ("red",))
    with pytest.raises(TinycError, match="no name"):
        merge(design, BODY, [("one", nameless)])
    crowd = [(str(n), file_of(design, taught_one, (f"a{n}", f"b{n}"))) for n in range(2)]
    with pytest.raises(TinycError, match="there are 8"):
        merge(design, BODY, crowd)
    renamed = replace(crowd[0][1], classes=("x", *crowd[0][1].classes[1:]))
    with pytest.raises(TinycError, match="numbers the factory's classes in another way"):
        merge(design, BODY, [crowd[0], ("renamed", renamed)])
    fewer = design.unpack(design.pack(design.factory))
    fewer["counts"][0] -= 1
    with pytest.raises(TinycError, match="fewer samples"):
        merge(design, BODY, [("fewer", file_of(design, design.pack(fewer), ()))])
    with pytest.raises(TinycError, match="no heads"):
        merge(design, BODY, [])
    softmax = design_of("sgd")
    with pytest.raises(TinycError, match="do not add up"):
        merge(softmax, BODY, [("one", file_of(softmax, softmax.pack(softmax.factory), ()))])


def test_a_state_that_is_not_finite_is_refused() -> None:
    design = design_of("slda")
    values = design.unpack(design.pack(design.factory))
    values["sums"][1, 2] = np.nan
    with pytest.raises(TinycError, match="not finite"):
        merge(design, BODY, [("nan", file_of(design, design.pack(values), ()))])


def test_command_merges_files(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(tflite_writer.write(learn_models.body()))
    learn_models.write_factory_data(tmp_path / "factory.npz")
    config = tmp_path / "tinyc.toml"
    names = ", ".join(f'"f{number}"' for number in range(5))
    config.write_text(
        f'[model]\npath = "model.tflite"\n[labels]\nnames = [{names}]\n'
        '[learn]\nhead = "slda"\ndata = "factory.npz"\ncapacity = 8\n'
    )
    *_, program = target.compiled(config, "nrf52840", learn=LearnRequest())
    assert program.learning is not None
    design = program.learning.head
    files = []
    for name, word in (("a", "red"), ("b", "blue")):
        head = design.head()
        for latent in (
            np.random.default_rng(len(files)).integers(-50, 90, (10, design.latent)).astype(np.int8)
        ):
            head.update(latent, 5)
        told = file_of(design, head.to_bytes(), ())
        told = replace(
            told,
            body=program.learning.safety.body_hash,
            latent=design.latent,
            capacity=8,
            factory_classes=5,
            classes=("f0", "f1", "f2", "f3", "f4", word, "", ""),
        )
        files.append(tmp_path / f"{name}.head")
        save(files[-1], told)
    out = tmp_path / "both.head"
    said = tinyc("federate", "merge", config, *files, "-o", out, "--board", "nrf52840", "--json")
    assert said.code == 0, said.stderr
    added = [row for row in said.json["classes"] if row["name"] in ("red", "blue")]
    assert added == [{"name": word, "samples": 10, "devices": 1, "exact": True} for word in ("red", "blue")]
    merged = load(out.read_bytes())
    assert merged.head == said.json["head"]
    assert merged.classes == ("f0", "f1", "f2", "f3", "f4", "red", "blue", "")
    refused = tinyc("federate", "merge", config, out, config, "-o", out, "--board", "nrf52840")
    assert refused.code == 1
    assert "is not JSON" in refused.stderr
