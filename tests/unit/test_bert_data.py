"""The loaders of the text sets, on files of a few rows."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

import bert_data

pytestmark = pytest.mark.unit


def written(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")


def test_snips_tests_on_valid_and_test(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        written(tmp_path / "snips" / split / "seq.in", f"play {split}\nrain  in {split} \n")
        written(tmp_path / "snips" / split / "label", "PlayMusic\nGetWeather\n")
    found = bert_data.load("snips", tmp_path)
    assert found.labels == ("GetWeather", "PlayMusic")
    assert found.train == (("play train", 1), ("rain in train", 0))
    assert [text for text, _ in found.test] == ["play valid", "rain in valid", "play test", "rain in test"]


def test_hwu64_labels_are_scenarios(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        written(tmp_path / "hwu64" / split / "seq.in", "wake me\nwhat alarms\nis it hot\n")
        written(tmp_path / "hwu64" / split / "label", "alarm_set\nalarm_query\nweather_query\n")
    found = bert_data.load("hwu64", tmp_path)
    assert found.labels == ("alarm", "weather")
    assert [label for _, label in found.train] == [0, 0, 1]
    assert [label for _, label in found.test] == [0, 0, 1] * 2


def test_tables_and_their_headers(tmp_path: Path) -> None:
    for split in ("train", "test"):
        written(tmp_path / "emotion" / f"{split}.txt", "text;label_name\ni feel; well;joy\ni cry;sadness\n")
    assert bert_data.load("emotion", tmp_path).train == (("i feel; well", 0), ("i cry", 1))
    for name in ("alps_train.tsv.gz", "alps_dev.tsv", "alps_test.tsv"):
        written(tmp_path / "sst2" / name, "sentence\tlabel\nvery fine \t1\ndull\t0\n")
    found = bert_data.load("sst2", tmp_path)
    assert (len(found.train), found.test) == (4, (("very fine", 1), ("dull", 0)))


def test_news_and_reviews(tmp_path: Path) -> None:
    written(tmp_path / "ag_news" / "derived_train_union.tsv.gz", "3\tsome\tA probe\tlanded\n")
    written(tmp_path / "ag_news" / "charcnn_test.csv", '"4","Probe","It\\landed, ""well"""\n')
    found = bert_data.load("ag_news", tmp_path)
    assert found.train == (("A probe\tlanded", 3),)
    assert found.test == (('Probe It landed, "well"', 3),)
    for name in ("train.tsv.gz", "test.tsv.gz"):
        written(tmp_path / "imdb" / name, "1\t0_10\tGood.<br />Very.\n0\t1_1\tBad.\n")
    assert bert_data.load("imdb", tmp_path).test == (("Good. Very.", 1), ("Bad.", 0))


@pytest.mark.parametrize("name", bert_data.SETS)
def test_an_absent_set_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(bert_data.AbsentSetError, match=f"^{name}: .* is not there$"):
        bert_data.load(name, tmp_path)
