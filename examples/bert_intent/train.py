"""Trains EmbBERT to tell intents apart: SNIPS (7 intents) or HWU64 (18 scenarios).

    python train.py --data FOLDER --set snips --pretrain

FOLDER holds snips/ and hwu64/ as laid out by the README. Writes <set>.keras, calibration_<set>.npz,
evaluation_<set>.npz and results_<set>.json; tokenizer.json is made if it is not there.
Needs `pip install "tinyc[keras]"`.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from corpus import NO_SLOT, Mixer, Row, read

from tinyc.models import embbert, encoder
from tinyc.models.batches import padded, similar_batches
from tinyc.models.saving import round_weights, save_small
from tinyc.models.training import Recipe, accuracy, cross_entropy, optimize
from tinyc.models.wordpiece import CLASS, MASK, SEPARATOR, UNKNOWN, Cutter, load_tokenizer, train_tokenizer

HERE = Path(__file__).parent
DATA = HERE.parents[1].parent / "shared" / "data"
VOCABULARY = 8192
MAX_LENGTH = 256
BATCH = 64
CALIBRATION_ROWS = 256
# Share of a sentence's tokens that pre-training has to guess.
HIDDEN_SHARE = 0.2
# Share of a padded batch that is text, about.
TEXT_SHARE = 0.7


class Sentences:
    """Training rows as ids, made anew in each pass: names swapped, words cut otherwise or not understood."""

    def __init__(self, rows: list[Row], cutter: Cutter, options: argparse.Namespace, seed: int) -> None:
        self.rows = rows
        self.mixer = Mixer(rows, options.swap, options.mix)
        self.cutter = cutter
        self.other_cut = options.other_cut
        self.unknown = options.unknown
        self.labels = sorted({row.label for row in rows})
        self.intents = sorted({row.intent for row in rows})
        self.slots = sorted({slot for row in rows for slot in row.slots} | {NO_SLOT})
        self.rng = np.random.default_rng(seed)

    def ids(self, row: Row) -> tuple[list[int], list[int]]:
        """Ids and slot numbers of a varied row, both framed; -1 where there is no slot to name."""
        ids, slots = [CLASS], [-1]
        rng = self.rng
        row = self.mixer.mixed(row, rng)
        for word, slot in zip(row.words, row.slots, strict=True):
            if rng.random() < self.other_cut:
                pieces = self.cutter.other(word, rng)
            else:
                pieces = self.cutter.pieces(word)
            ids += [UNKNOWN if rng.random() < self.unknown else piece for piece in pieces]
            slots += [self.slots.index(slot)] * len(pieces)
        return [*ids, SEPARATOR][:MAX_LENGTH], [*slots, -1][:MAX_LENGTH]

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Endless passes of (ids [b, T], labels [b], intents [b], slots [b, T])."""
        labels = np.array([self.labels.index(row.label) for row in self.rows], dtype=np.int32)
        intents = np.array([self.intents.index(row.intent) for row in self.rows], dtype=np.int32)
        while True:
            made = [self.ids(row) for row in self.rows]
            for batch in similar_batches([len(ids) for ids, _ in made], BATCH, self.rng):
                slots = padded([made[index][1] for index in batch], fill=-1)
                yield padded([made[index][0] for index in batch]), labels[batch], intents[batch], slots

    def hidden(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Batches to guess from: (ids with some hidden [b, T], flat places [n], the ids there [n])."""
        for ids, _, _, _ in self.batches():
            places = np.flatnonzero(ids > SEPARATOR)
            count = int(ids.size * HIDDEN_SHARE * TEXT_SHARE)
            places = self.rng.choice(places, count, replace=len(places) < count).astype(np.int32)
            flat = ids.ravel()
            truth = flat[places]
            draw = self.rng.random(count)
            shown = np.where(draw < 0.8, MASK, truth)
            shown = np.where(draw > 0.9, self.rng.integers(SEPARATOR + 1, VOCABULARY, count), shown)
            flat[places] = shown
            yield flat.reshape(ids.shape), places, truth


def pretrain(model: keras.Model, sentences: Sentences, epochs: float, rate: float) -> None:
    """Teach the encoder to guess hidden tokens (Devlin et al., "BERT", 2018)."""
    rows = encoder(model)
    head = keras.layers.Dense(VOCABULARY, name="token_logits")
    head.build((None, rows.output.shape[-1]))

    def loss(ids: tf.Tensor, places: tf.Tensor, truth: tf.Tensor) -> tf.Tensor:
        x = rows(ids, training=True)
        return cross_entropy(head(tf.gather(tf.reshape(x, (-1, x.shape[-1])), places)), truth)

    steps = int(epochs * (len(sentences.rows) // BATCH))
    variables = [*rows.trainable_variables, *head.trainable_variables]
    optimize(variables, loss, sentences.hidden(), Recipe(steps, rate))


def fine_tune(model: keras.Model, sentences: Sentences, options: argparse.Namespace) -> None:
    """Teach the classifier.

    Where the rows name slots, the encoder learns to name them too; where the labels are coarse, the intents.
    """
    dense = keras.layers.Dense
    outputs = {"labels": model.output}
    weights = {"slots": options.slots, "intents": options.intents}
    if len(sentences.slots) > 1 and options.slots:
        outputs["slots"] = dense(len(sentences.slots), name="slots")(encoder(model).output)
    if len(sentences.intents) > len(sentences.labels) and options.intents:
        outputs["intents"] = dense(len(sentences.intents), name="intents")(model.get_layer("logits").input)
    every = keras.Model(model.inputs, outputs)

    def loss(ids: tf.Tensor, labels: tf.Tensor, intents: tf.Tensor, slots: tf.Tensor) -> tf.Tensor:
        logits = every(ids, training=True)
        value = cross_entropy(logits["labels"], labels, options.smoothing)
        for name, truth in (("slots", slots), ("intents", intents)):
            if name in logits:
                value += weights[name] * cross_entropy(logits[name], truth)
        return value

    steps = int(options.epochs * (len(sentences.rows) // BATCH))
    optimize(every.trainable_variables, loss, sentences.batches(), Recipe(steps, options.rate))


def encoded(tokenizer, rows: list[Row]) -> list[list[int]]:
    return [tokenizer.encode(" ".join(row.words)).ids[:MAX_LENGTH] for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with snips/ and hwu64/")
    parser.add_argument("--set", choices=("snips", "hwu64"), default="snips")
    parser.add_argument("--output", type=Path, default=HERE, help="where the results go")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--pretrain", type=float, nargs="?", const=20, default=0, help="epochs, 20 if not said"
    )
    parser.add_argument("--pretrain-rate", type=float, default=2e-3)
    parser.add_argument(
        "--pretrained", type=Path, help="pre-trained .weights.h5: read if it is there, written otherwise"
    )
    parser.add_argument("--epochs", type=float, default=30)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--smoothing", type=float, default=0.1)
    parser.add_argument("--slots", type=float, default=0.3, help="weight of the slots in the loss")
    parser.add_argument("--intents", type=float, default=0.5, help="weight of finer labels in the loss")
    parser.add_argument("--swap", type=float, default=0.4)
    parser.add_argument("--mix", type=float, default=0.1)
    parser.add_argument("--other-cut", type=float, default=0.1)
    parser.add_argument("--unknown", type=float, default=0.05)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--bits", type=int, default=7, help="bits of mantissa that are kept")
    parser.add_argument("--holdout", action="store_true", help="train on 90 %%, report on the other 10 %%")
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    keras.utils.set_random_seed(options.seed)

    corpora = {name: read(options.data, name, "train") for name in ("snips", "hwu64")}
    path = options.output / "tokenizer.json"
    if not path.exists():
        text = (" ".join(row.words) for rows in corpora.values() for row in rows)
        train_tokenizer(text, VOCABULARY).save(str(path), pretty=False)
    tokenizer = load_tokenizer(path)
    cutter = Cutter(tokenizer)

    rows = corpora[options.set]
    held: list[Row] = []
    if options.holdout:
        order = np.random.default_rng(0).permutation(len(rows))
        held = [rows[index] for index in order[: len(rows) // 10]]
        rows = [rows[index] for index in order[len(rows) // 10 :]]
    sentences = Sentences(rows, cutter, options, options.seed)
    labels = sentences.labels

    model = embbert(len(labels), VOCABULARY, max_length=MAX_LENGTH, dropout=options.dropout, dynamic=True)
    if options.pretrained and options.pretrained.exists():
        encoder(model).load_weights(options.pretrained)
    elif options.pretrain:
        others = [row for name, part in corpora.items() if name != options.set for row in part]
        pretrain(
            model,
            Sentences(rows + others, cutter, options, options.seed),
            options.pretrain,
            options.pretrain_rate,
        )
        if options.pretrained:
            encoder(model).save_weights(options.pretrained)
    fine_tune(model, sentences, options)

    splits = {"holdout": held} if held else {}
    if not held:
        splits |= {split: read(options.data, options.set, split) for split in ("valid", "test")}
    ids = {split: encoded(tokenizer, part) for split, part in splits.items()}
    numbers = {split: [labels.index(row.label) for row in part] for split, part in splits.items()}
    results = {split: accuracy(model, ids[split], numbers[split]) for split in splits}
    print("float32", results, flush=True)
    if held:
        return
    round_weights(model, options.bits)
    results = {split: accuracy(model, ids[split], numbers[split]) for split in splits}
    print(f"{options.bits} bits of mantissa", results, flush=True)
    plain = embbert(len(labels), VOCABULARY, max_length=MAX_LENGTH, dropout=options.dropout)
    plain.set_weights(model.get_weights())
    save_small(plain, options.output / f"{options.set}.keras")

    chosen = np.random.default_rng(0).permutation(len(rows))[:CALIBRATION_ROWS]
    some = [rows[index] for index in chosen]
    save_rows(options.output / f"calibration_{options.set}.npz", encoded(tokenizer, some), some, labels)
    kept = [row for part in splits.values() for row in part]
    save_rows(options.output / f"evaluation_{options.set}.npz", encoded(tokenizer, kept), kept, labels)
    sizes = {split: len(part) for split, part in splits.items()}
    overall = sum(results[split] * sizes[split] for split in splits) / sum(sizes.values())
    summary = {"set": options.set, "seed": options.seed, "epochs": options.epochs, "rows": sizes}
    summary |= {"pretraining_epochs": options.pretrain, "accuracy": results, "accuracy_overall": overall}
    (options.output / f"results_{options.set}.json").write_text(json.dumps(summary, indent=2) + "\n")
    print("labels", labels)


def save_rows(path: Path, ids: list[list[int]], rows: list[Row], labels: list[str]) -> None:
    """`inputs` int16 [rows, MAX_LENGTH] and `labels` int16 [rows]."""
    numbers = np.array([labels.index(row.label) for row in rows], dtype=np.int16)
    np.savez_compressed(path, inputs=padded(ids, MAX_LENGTH).astype(np.int16), labels=numbers)


if __name__ == "__main__":
    main()
