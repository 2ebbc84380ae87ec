"""The shipped sentence classifiers: small, readable, and as accurate as their results say."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="TensorFlow is not installed")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

from tinyc.models import embbert  # noqa: E402
from tinyc.models.saving import round_mantissa  # noqa: E402
from tinyc.models.training import accuracy  # noqa: E402

pytestmark = [pytest.mark.host, pytest.mark.filterwarnings("ignore")]

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "bert_intent"
SETS = {"snips": 7, "hwu64": 18}


def rows_of(name: str) -> tuple[list[list[int]], list[int]]:
    """Unpadded ids and labels of an .npz of the example."""
    with np.load(EXAMPLE / f"{name}.npz") as data:
        assert data["inputs"].dtype == np.int16
        assert data["inputs"].shape == (len(data["labels"]), 256)
        return [row[row != 0].tolist() for row in data["inputs"]], data["labels"].tolist()


@pytest.mark.parametrize("name", SETS)
def test_accuracy_is_what_the_results_say(name: str) -> None:
    shipped = keras.saving.load_model(EXAMPLE / f"{name}.keras")
    assert shipped.input_shape == (None, 256)
    assert shipped.count_params() == 357_248 + 129 * SETS[name]
    assert all(np.array_equal(weight, round_mantissa(weight)) for weight in shipped.get_weights())
    model = embbert(SETS[name], dynamic=True)
    model.set_weights(shipped.get_weights())
    results = json.loads((EXAMPLE / f"results_{name}.json").read_text(encoding="utf-8"))
    rows, labels = rows_of(f"evaluation_{name}")
    assert len(rows) == sum(results["rows"].values())
    # A sum in another order may turn a sentence on the border.
    assert accuracy(model, rows, labels) == pytest.approx(results["accuracy_overall"], abs=1.5 / len(rows))


@pytest.mark.parametrize("name", SETS)
def test_calibration_is_made_of_framed_sentences(name: str) -> None:
    rows, labels = rows_of(f"calibration_{name}")
    assert len(rows) == 256
    assert all(row[0] == 2 and row[-1] == 4 for row in rows)
    config = tomllib.loads(
        (EXAMPLE / ("tinyc.toml" if name == "snips" else f"{name}.toml")).read_text(encoding="utf-8")
    )
    assert len(config["labels"]["names"]) == SETS[name]
    assert set(labels) <= set(range(SETS[name]))


def test_the_tokenizer_holds_no_state() -> None:
    table: dict[str, Any] = json.loads((EXAMPLE / "tokenizer.json").read_text(encoding="utf-8"))
    assert table["truncation"] is None
    assert table["padding"] is None
    vocabulary = table["model"]["vocab"]
    assert [vocabulary[name] for name in ("[PAD]", "[UNK]", "[CLS]", "[MASK]", "[SEP]")] == [0, 1, 2, 3, 4]
    assert sorted(vocabulary.values()) == list(range(8192))
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    ids = tokenizers.Tokenizer.from_str(json.dumps(table)).encode("Play some Música!").ids
    assert (ids[0], ids[-1]) == (2, 4)


def test_the_files_are_small() -> None:
    assert sum(path.stat().st_size for path in EXAMPLE.iterdir() if path.is_file()) <= 1_500_000
