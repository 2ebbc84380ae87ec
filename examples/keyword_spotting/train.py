"""Trains the keyword model on the features that the firmware computes.

    python train.py --data DIR        # DIR as laid out by the README
    python train.py                   # downloads Speech Commands v0.01 first (1.4 GB)

Writes keyword_spotting.keras and .tflite (both float32), calibration.npz (features of a few training
clips), evaluation.npz (features of the test clips) and results.json (accuracy on speakers that were
never trained on).
Needs `pip install "tinyc[keras]"`.
"""

from __future__ import annotations

import argparse
import json
import os
import tomllib
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from network import masked, mixed, model_for, prepare
from recordings import LABELS, Augmenter, Recording, centred, load

from tinyc.audio.front_end import AudioFrontEnd
from tinyc.audio.settings import AudioSettings

HERE = Path(__file__).parent
SEED = 2024
SILENCE, UNKNOWN = LABELS.index("silence"), LABELS.index("unknown")
# Clips of one class in one pass over the data.
CLIPS_PER_CLASS = 260
CALIBRATION_CLIPS = 128


def training_pass(
    words: dict[int, list[Recording]], augment: Augmenter, rng: np.random.Generator, front_end: AudioFrontEnd
) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of freshly augmented clips, as many of each class."""
    clips, labels = [], []
    for label in range(len(LABELS)):
        # The unknown words are many and varied: twice as many of them.
        count = CLIPS_PER_CLASS * (2 if label == UNKNOWN else 1)
        if label == SILENCE:
            clips += [augment.silence() for _ in range(count)]
        else:
            # Each source and word in equal parts, so that the few readers of the digits, who are
            # recorded often, weigh no more than the many speakers of Speech Commands.
            groups: dict[str, list[Recording]] = {}
            for recording in words[label]:
                groups.setdefault(recording.source, []).append(recording)
            weights = np.concatenate(
                [np.full(len(g), (3.0 if s == "commands" else 1.0) / len(g)) for s, g in groups.items()]
            )
            pool = [recording for group in groups.values() for recording in group]
            chosen = rng.choice(len(pool), count, p=weights / weights.sum())
            clips += [augment.word(pool[index]) for index in chosen]
        labels += [label] * count
    return front_end.real(np.stack(clips))[..., None], np.array(labels)


def by_label(recordings: list[Recording]) -> dict[int, list[Recording]]:
    found: dict[int, list[Recording]] = {}
    for recording in recordings:
        found.setdefault(recording.label, []).append(recording)
    return found


def evaluation_set(recordings: list[Recording], front_end: AudioFrontEnd) -> tuple[np.ndarray, np.ndarray]:
    """Unchanged recordings, and silence made with another seed: a tenth as many clips."""
    augment = Augmenter(np.random.default_rng(SEED + 1), recordings)
    clips = [centred(recording.samples) for recording in recordings]
    labels = [recording.label for recording in recordings]
    silent = max(1, len(clips) // 10)
    clips += [augment.silence() for _ in range(silent)]
    labels += [SILENCE] * silent
    return front_end.real(np.stack(clips))[..., None], np.array(labels)


def confusion(model: tf.keras.Model, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Counts, true label by row and answer by column."""
    answers = model.predict(x, verbose=0).argmax(axis=1)
    table = np.zeros((len(LABELS), len(LABELS)), int)
    np.add.at(table, (y, answers), 1)
    return table


def accuracy(table: np.ndarray) -> float:
    return float(np.trace(table) / table.sum())


def train(arguments: argparse.Namespace) -> None:
    tf.keras.utils.set_random_seed(SEED)
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    table = tomllib.loads((HERE / "tinyc.toml").read_text(encoding="utf-8"))
    settings = AudioSettings.from_toml(table["audio"])
    front_end = AudioFrontEnd(settings)
    recordings = load(arguments.data, arguments.cache)
    parts = {part: [r for r in recordings if r.part == part] for part in ("train", "validation", "test")}
    print({part: len(found) for part, found in parts.items()}, flush=True)
    words = by_label(parts["train"])
    rng = np.random.default_rng(SEED)
    augment = Augmenter(rng, parts["train"])
    # Each pass is used several times, masked and mixed differently.
    passes = []
    for index in range(arguments.passes):
        print(f"features of pass {index + 1} of {arguments.passes}", flush=True)
        passes.append(training_pass(words, augment, rng, front_end))
    validation = evaluation_set(parts["validation"], front_end)

    model = model_for(settings.frames, settings.coefficients, len(LABELS), "keyword_spotting")
    batch = 100
    steps = arguments.epochs * (len(passes[0][0]) // batch)
    prepare(model, steps, label_smoothing=0.03)
    targets = np.eye(len(LABELS), dtype=np.float32)
    for epoch in range(arguments.epochs):
        x, y = passes[epoch % len(passes)]
        x, y = mixed(masked(x, rng), targets[y], rng)
        model.fit(x, y, batch_size=batch, epochs=1, verbose=0)
        if epoch % 5 == 4 or epoch == arguments.epochs - 1:
            seen, fresh = accuracy(confusion(model, *passes[0])), accuracy(confusion(model, *validation))
            print(f"epoch {epoch + 1}: training {seen:.3f}, validation {fresh:.3f}", flush=True)

    # A copy without the optimizer's state: a third of the bytes.
    plain = tf.keras.models.clone_model(model)
    plain.set_weights(model.get_weights())
    plain.summary()
    keras_file = arguments.output / "keyword_spotting.keras"
    plain.save(keras_file)
    # The same float model for those who compile it without TensorFlow.
    converted = tf.lite.TFLiteConverter.from_keras_model(plain).convert()
    keras_file.with_suffix(".tflite").write_bytes(converted)
    save_features(arguments.output, parts, front_end)
    save_results(arguments.output / "results.json", model, parts, front_end)


def save_features(folder: Path, parts: dict[str, list[Recording]], front_end: AudioFrontEnd) -> None:
    """calibration.npz and evaluation.npz: features of Speech Commands clips, and their labels."""
    words = by_label([r for r in parts["train"] if r.source == "commands"])
    rng = np.random.default_rng(SEED + 3)
    x, y = training_pass(words, Augmenter(rng, parts["train"]), rng, front_end)
    chosen = rng.permutation(len(x))[:CALIBRATION_CLIPS]
    write_features(folder / "calibration.npz", x[chosen], y[chosen])
    test = [r for r in parts["test"] if r.source == "commands"]
    write_features(folder / "evaluation.npz", *evaluation_set(test, front_end))


def write_features(path: Path, x: np.ndarray, y: np.ndarray) -> None:
    # Quarters: finer than the int8 input, and less than half the file.
    np.savez_compressed(path, inputs=np.round(x * 4) / np.float32(4), labels=y.astype(np.int64))


def save_results(
    path: Path, model: tf.keras.Model, parts: dict[str, list[Recording]], front_end: AudioFrontEnd
) -> None:
    results: dict[str, object] = {"labels": LABELS, "parameters": int(model.count_params())}
    for part in ("validation", "test"):
        sources = sorted({recording.source for recording in parts[part]})
        for source in sources:
            chosen = [recording for recording in parts[part] if recording.source == source]
            table = confusion(model, *evaluation_set(chosen, front_end))
            results[f"{part}_{source}"] = {
                "clips": int(table.sum()),
                "speakers": len({recording.speaker for recording in chosen}),
                "accuracy": round(accuracy(table), 4),
                "confusion": table.tolist(),
            }
            print(f"{part} {source}: {accuracy(table):.3f} of {table.sum()}\n{table}", flush=True)
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the recordings")
    parser.add_argument("--cache", type=Path, default=HERE / "build" / "data", help="where downloads go")
    parser.add_argument("--output", type=Path, default=HERE, help="where the results go")
    parser.add_argument("--epochs", type=int, default=120)
    parser.add_argument("--passes", type=int, default=24, help="times the data is augmented anew")
    parser.add_argument("--threads", type=int, default=2)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
