"""Trains a keyword model whose inner features serve words that it has never heard.

    python train.py --data DIR        # DIR as laid out by the README
    python train.py                   # downloads Speech Commands v0.01 first (1.4 GB)

The words bed, cat and happy are left out of everything: of the classes, of the other words and of the
voices in the background. They are what a device is taught later.
Writes keyword_learning.keras and .tflite (float32, nine words), calibration.npz, factory.npz (features
and labels from which the head of the factory is fitted), evaluation.npz and results.json.
Needs `pip install "tinyc[keras]"` and the folder keyword_spotting beside this one.
"""
# ruff: noqa: E402  (the folder beside this one is put on the path first)

from __future__ import annotations

import argparse
import json
import os
import sys
import tomllib
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "keyword_spotting"))

import numpy as np
import tensorflow as tf
from network import masked, mixed, model_for, prepare
from recordings import KEYWORDS, Augmenter, Recording, load
from words import NEW_WORDS, body_recordings, keyword_features, reversed_words, spliced_words

from tinyc.audio.front_end import AudioFrontEnd
from tinyc.audio.settings import AudioSettings

SEED = 2026
SILENCE = "silence"
# Clips of one class in one pass over the data.
KEYWORD_CLIPS, REVERSED_CLIPS, SPLICED_CLIPS, OTHER_CLIPS, SILENT_CLIPS = 230, 80, 50, 40, 120
CALIBRATION_CLIPS = 128
# Clips of a word, of training and as many of validation speakers, that the head of the factory is fitted to.
FACTORY_CLIPS = 20
# The last of the epochs see the clips as they are, unblended.
PLAIN_SHARE = 0.2


def classes_of(recordings: list[Recording]) -> list[str]:
    """The keywords first: the shipped model keeps only their outputs."""
    return [*KEYWORDS, SILENCE, *sorted({r.word for r in recordings} - set(KEYWORDS))]


def clips_of(word: str) -> int:
    if word in KEYWORDS:
        return KEYWORD_CLIPS
    if word == SILENCE:
        return SILENT_CLIPS
    return REVERSED_CLIPS if word.endswith("backwards") else SPLICED_CLIPS if "+" in word else OTHER_CLIPS


def training_pass(
    words: dict[str, list[Recording]],
    classes: list[str],
    augment: Augmenter,
    rng: np.random.Generator,
    front_end: AudioFrontEnd,
) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of freshly augmented clips."""
    clips, labels = [], []
    for label, word in enumerate(classes):
        count = clips_of(word)
        if word == SILENCE:
            clips += [augment.silence() for _ in range(count)]
        else:
            pool = words[word]
            # A reader of the digits weighs a quarter: few voices, recorded often.
            weights = np.array([1.0 if r.source == "commands" else 0.25 for r in pool])
            chosen = rng.choice(len(pool), count, p=weights / weights.sum())
            clips += [augment.word(pool[index]) for index in chosen]
        labels += [label] * count
    return front_end.real(np.stack(clips))[..., None], np.array(labels)


def shipped(model: tf.keras.Model) -> tf.keras.Model:
    """The body and the keywords' rows of the last layer, without the optimizer's state."""
    plain = tf.keras.models.clone_model(model)
    plain.set_weights(model.get_weights())
    count = len(KEYWORDS)
    outputs = tf.keras.layers.Dense(count, activation="softmax", name="dense")
    small = tf.keras.Model(plain.input, outputs(plain.get_layer("pool").output), name="keyword_learning")
    weights, bias = model.get_layer("dense").get_weights()
    outputs.set_weights([weights[:, :count], bias[:count]])
    return small


def train(
    arguments: argparse.Namespace,
    recordings: list[Recording],
    settings: AudioSettings,
    front_end: AudioFrontEnd,
) -> None:
    rng = np.random.default_rng(SEED)
    spoken = body_recordings(recordings)
    heard = [*spoken, *reversed_words(spoken), *spliced_words(spoken, rng)]
    classes = classes_of(heard)
    words: dict[str, list[Recording]] = {}
    for recording in heard:
        words.setdefault(recording.word, []).append(recording)
    print({word: len(words.get(word, [])) for word in classes}, flush=True)
    augment = Augmenter(rng, spoken)
    passes = []
    for index in range(arguments.passes):
        print(f"features of pass {index + 1} of {arguments.passes}", flush=True)
        passes.append(training_pass(words, classes, augment, rng, front_end))
    validation = [r for r in recordings if r.part == "validation" and r.word not in NEW_WORDS]
    unseen = keyword_features(validation, front_end)

    model = model_for(settings.frames, settings.coefficients, len(classes), "keyword_learning")
    batch = 100
    steps = arguments.epochs * (len(passes[0][0]) // batch)
    prepare(model, steps)
    targets = np.eye(len(classes), dtype=np.float32)
    for epoch in range(arguments.epochs):
        x, y = passes[epoch % len(passes)]
        x, y = masked(x, rng), targets[y]
        if epoch < (1 - PLAIN_SHARE) * arguments.epochs:
            x, y = mixed(x, y, rng)
        history = model.fit(x, y, batch_size=batch, epochs=1, verbose=0)
        if epoch % 5 == 4 or epoch == arguments.epochs - 1:
            answers = model.predict(unseen[0], verbose=0)[:, : len(KEYWORDS)].argmax(axis=1)
            right = float(np.mean(answers == unseen[1]))
            loss = history.history["loss"][-1]
            print(f"epoch {epoch + 1}: loss {loss:.3f}, validation {right:.3f}", flush=True)
            shipped(model).save(arguments.output / "keyword_learning.keras")
    shipped(model).save(arguments.output / "keyword_learning.keras")


def save_files(folder: Path, recordings: list[Recording], front_end: AudioFrontEnd) -> None:
    """All files beside keyword_learning.keras in `folder`."""
    model = tf.keras.models.load_model(folder / "keyword_learning.keras")
    converted = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    (folder / "keyword_learning.tflite").write_bytes(converted)
    rng = np.random.default_rng(SEED + 1)
    features, labels, parts = keyword_features(recordings, front_end)
    known = labels < len(KEYWORDS)
    spoken = body_recordings(recordings)
    words = [r for r in spoken if r.word in KEYWORDS]
    augment = Augmenter(rng, spoken)
    chosen = rng.permutation(len(words))[:CALIBRATION_CLIPS]
    clips = np.stack([augment.word(words[index]) for index in chosen])
    heard = np.array([KEYWORDS.index(words[index].word) for index in chosen])
    write_features(folder / "calibration.npz", front_end.real(clips)[..., None], heard)
    places = [
        rng.permutation(np.flatnonzero((labels == label) & (parts == part)))[:FACTORY_CLIPS]
        for label in range(len(KEYWORDS))
        for part in ("train", "validation")
    ]
    factory = np.sort(np.concatenate(places))
    write_features(folder / "factory.npz", features[factory], labels[factory])
    test = known & (parts == "test")
    write_features(folder / "evaluation.npz", features[test], labels[test])
    write_features(folder / "lessons.npz", features[~known], labels[~known], test=parts[~known] == "test")
    results: dict[str, object] = {"labels": KEYWORDS, "parameters": int(model.count_params())}
    for part in ("validation", "test"):
        x, y = features[known & (parts == part)], labels[known & (parts == part)]
        answers = model.predict(x, verbose=0).argmax(axis=1)
        table = np.zeros((len(KEYWORDS), len(KEYWORDS)), int)
        np.add.at(table, (y, answers), 1)
        results[part] = {
            "clips": len(y),
            "accuracy": round(float(np.mean(answers == y)), 4),
            "confusion": table.tolist(),
        }
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def write_features(path: Path, x: np.ndarray, y: np.ndarray, **more: np.ndarray) -> None:
    # Quarters: finer than the int8 input, and less than half the file.
    values = np.round(x * 4) / np.float32(4)
    np.savez_compressed(path, inputs=values, labels=y.astype(np.int64), **more)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the recordings")
    parser.add_argument("--cache", type=Path, default=HERE / "build" / "data", help="where downloads go")
    parser.add_argument("--output", type=Path, default=HERE, help="where the results go")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--passes", type=int, default=25, help="times the data is augmented anew")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--trained", action="store_true", help="only write what goes with the .keras there")
    arguments = parser.parse_args()
    tf.keras.utils.set_random_seed(SEED)
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    table = tomllib.loads((HERE.parent / "keyword_spotting" / "tinyc.toml").read_text(encoding="utf-8"))
    settings = AudioSettings.from_toml(table["audio"])
    front_end = AudioFrontEnd(settings)
    recordings = load(arguments.data, arguments.cache)
    if not arguments.trained:
        train(arguments, recordings, settings, front_end)
    save_files(arguments.output, recordings, front_end)


if __name__ == "__main__":
    main()
