"""Trains small text classifiers from scratch, for measurements of their quantization.

    python benchmarks/bert_train.py --data FOLDER --set emotion --model embbert

Writes build/bert/<set>_<model>/ with model.keras, tokenizer.json, result.json (accuracy in float32,
epochs, time) and what tinyc needs to build it; what is there already is not trained again. A set that is
absent is skipped by name.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tokenizers import Tokenizer

import bert_data
from tinyc.models import bert, embbert, embedder_conv
from tinyc.models.batches import padded, similar_batches
from tinyc.models.saving import save_small
from tinyc.models.training import Recipe, accuracy, cross_entropy, optimize
from tinyc.models.wordpiece import SEPARATOR, UNKNOWN, train_tokenizer

ROOT = Path(__file__).resolve().parents[1]
VOCABULARY = 8192
CALIBRATION_ROWS = 256
EVALUATION_ROWS = 2000
MAX_LENGTH = 256
BATCH = 64
# Share of tokens shown as [UNK] in training.
UNKNOWN_SHARE = 0.05
MODELS: dict[str, Callable[..., Any]] = {
    "embbert": lambda classes, **options: embbert(classes, VOCABULARY, max_length=MAX_LENGTH, **options),
    "bert": lambda classes, **options: bert(classes, VOCABULARY, MAX_LENGTH, rank=16, **options),
    "embedder_conv": lambda classes, **options: embedder_conv(
        classes, VOCABULARY, max_length=MAX_LENGTH, **options
    ),
}
# Passes over the training set, OWN where a model has its own number. On one core two hours for all.
EPOCHS = {"snips": 12, "hwu64": 20, "emotion": 14, "sst2": 4, "ag_news": 10, "imdb": 4}
OWN = {
    ("emotion", "embedder_conv"): 8,
    ("emotion", "bert"): 16,
    ("ag_news", "embedder_conv"): 6,
    ("ag_news", "bert"): 8,
}
# BERT's attention does not find its way at a higher one.
RATE, RATES = 2e-3, {"bert": 1e-3}

Ids = list[list[int]]


def encoded(tokenizer: Any, texts: Sequence[str]) -> Ids:
    """Ids of at most MAX_LENGTH, the last one the separator."""
    rows = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    return [row if len(row) <= MAX_LENGTH else [*row[: MAX_LENGTH - 1], SEPARATOR] for row in rows]


def passes(rows: Ids, labels: npt.NDArray[np.int32], seed: int) -> Iterator[tuple[npt.NDArray[Any], ...]]:
    """Endless batches in which some tokens are unknown."""
    rng = np.random.default_rng(seed)
    lengths = [len(row) for row in rows]
    while True:
        for batch in similar_batches(lengths, BATCH, rng):
            ids = padded([rows[index] for index in batch])
            ids[(rng.random(ids.shape) < UNKNOWN_SHARE) & (ids > SEPARATOR)] = UNKNOWN
            yield ids, labels[batch]


def train(name: str, kind: str, data: Path, output: Path, epochs: float, rate: float, seed: int) -> None:
    """Train `kind` of `MODELS` on the set `name` and leave the files in `output`."""
    started = time.monotonic()
    keras.utils.set_random_seed(seed)
    texts = bert_data.load(name, data)
    output.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer((text for text, _ in texts.train), VOCABULARY, min_frequency=2)
    tokenizer.save(str(output / "tokenizer.json"), pretty=False)
    rows = encoded(tokenizer, [text for text, _ in texts.train])
    labels = np.array([label for _, label in texts.train], dtype=np.int32)
    model = MODELS[kind](len(texts.labels), dynamic=True)

    def loss(ids: Any, truth: Any) -> Any:
        return cross_entropy(model(ids, training=True), truth, 0.1)

    recipe = Recipe(int(epochs * (len(rows) // BATCH)), rate)
    optimize(
        model.trainable_variables, loss, passes(rows, labels, seed), recipe, lambda s: print(s, flush=True)
    )
    found = accuracy(
        model, encoded(tokenizer, [text for text, _ in texts.test]), [label for _, label in texts.test]
    )
    plain = MODELS[kind](len(texts.labels))
    plain.set_weights(model.get_weights())
    save_small(plain, output / "model.keras")
    result = {
        "set": name,
        "model": kind,
        "labels": list(texts.labels),
        "parameters": model.count_params(),
        "epochs": epochs,
        "learning_rate": rate,
        "seed": seed,
        "train_rows": len(texts.train),
        "test_rows": len(texts.test),
        "accuracy": found,
        "seconds": round(time.monotonic() - started),
    }
    (output / "result.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"{name} {kind}: {100 * found:.2f} % of {len(texts.test)} after {epochs:g} epochs", flush=True)


def configure(name: str, kind: str, data: Path, output: Path) -> None:
    """Write what tinyc needs beside a trained model: tinyc.toml, calibration.npz and evaluation.npz.

    Calibration has CALIBRATION_ROWS of the training texts, evaluation at most EVALUATION_ROWS test texts,
    both evenly spread.
    """
    texts = bert_data.load(name, data)
    tokenizer = Tokenizer.from_file(str(output / "tokenizer.json"))
    for file, examples, most in (
        ("calibration", texts.train, CALIBRATION_ROWS),
        ("evaluation", texts.test, EVALUATION_ROWS),
    ):
        count = min(most, len(examples))
        chosen = [examples[at * len(examples) // count] for at in range(count)]
        ids = np.zeros((count, MAX_LENGTH), np.int16)
        for row, found in zip(ids, encoded(tokenizer, [text for text, _ in chosen]), strict=True):
            row[: len(found)] = found
        labels = np.array([label for _, label in chosen], np.int16)
        np.savez_compressed(output / f"{file}.npz", inputs=ids, labels=labels)
    names = ", ".join(json.dumps(label) for label in texts.labels)
    (output / "tinyc.toml").write_text(
        f"""[model]
path = "model.keras"
name = "{name}_{kind}"

[quantize]
calibration = "calibration.npz"

[labels]
names = [{names}]

[evaluation]
data = "evaluation.npz"
""",
        encoding="utf-8",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--set", nargs="+", choices=tuple(bert_data.SETS), default=["emotion", "sst2"])
    parser.add_argument("--model", nargs="+", choices=tuple(MODELS), default=["embbert"])
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bert")
    parser.add_argument("--epochs", type=float, default=0, help="0: as many as EPOCHS and OWN say")
    parser.add_argument("--rate", type=float, default=0, help="0: as RATES says")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    for name in options.set:
        for kind in options.model:
            output = options.output / f"{name}_{kind}"
            if (output / "result.json").exists():
                print(f"{name} {kind}: is in {output}")
                if not (output / "tinyc.toml").exists():
                    configure(name, kind, options.data, output)
                continue
            try:
                epochs = options.epochs or OWN.get((name, kind), EPOCHS[name])
                rate = options.rate or RATES.get(kind, RATE)
                train(name, kind, options.data, output, epochs, rate, options.seed)
                configure(name, kind, options.data, output)
            except bert_data.AbsentSetError as error:
                print(f"skipped {error}")


if __name__ == "__main__":
    main()
