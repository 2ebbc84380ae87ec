"""The keyword example: its split by speaker, and that its committed files belong together."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import wave
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tinyc.audio.wav import write_wav
from tinyc.config import load_config

pytestmark = pytest.mark.unit

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "keyword_spotting"


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The example's module for reading and splitting; it needs no TensorFlow."""
    monkeypatch.syspath_prepend(EXAMPLE)
    import recordings

    yield recordings
    sys.modules.pop("recordings", None)


def tiny_wav(value: int, folder: Path) -> bytes:
    path = folder / "tiny.wav"
    write_wav(path, np.full(20, value, np.int16), 16_000)
    return path.read_bytes()


def pack(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_the_split_is_by_speaker(tmp_path: Path, recordings: ModuleType) -> None:
    speakers = [hashlib.sha256(bytes([i])).hexdigest()[:8] for i in range(250)]
    members = {}
    for number, speaker in enumerate(speakers):
        for word in ("go", "cat"):
            content = tiny_wav(number * 2 + (word == "cat"), tmp_path)
            members[f"{word}/{speaker}_nohash_0.wav"] = content
    members["up/00000000_nohash_9.wav"] = members[f"go/{speakers[0]}_nohash_0.wav"]
    members["_background_noise_/noise.wav"] = tiny_wav(1, tmp_path)
    pack(tmp_path / "speech_commands_subset" / "speech_commands_subset.zip", members)
    digits = {
        f"recordings/{d}_{who}_0.wav": tiny_wav(d, tmp_path) for d in (2, 5) for who in ("theo", "lucas")
    }
    pack(tmp_path / "fsdd" / "fsdd.zip", digits)

    found = recordings.load(tmp_path, tmp_path)
    assert len([r for r in found if r.source == "commands"]) == 500, "a copy or the noise was not dropped"
    parts = defaultdict(set)
    for recording in found:
        parts[recording.speaker].add(recording.part)
    assert all(len(part) == 1 for part in parts.values())
    shares = {part: sum(p == {part} for p in parts.values()) / 250 for part in ("test", "validation")}
    assert 0.12 < shares["test"] < 0.28
    assert 0.06 < shares["validation"] < 0.18
    assert parts["theo"] == {"validation"}
    assert parts["lucas"] == {"train"}
    words = {(r.word, recordings.LABELS[r.label]) for r in found}
    assert words == {("go", "go"), ("cat", "unknown"), ("two", "unknown"), ("five", "five")}


def test_augmented_clips_are_clips(tmp_path: Path, recordings: ModuleType) -> None:
    rng = np.random.default_rng(0)
    loud = np.full(9_000, 32767, np.int16)
    speech = [
        recordings.Recording("go", "a", "digits", "train", loud),
        recordings.Recording("go", "a", "commands", "train", np.tile(loud, 3)),
        recordings.Recording("go", "a", "commands", "train", loud[:1]),
    ]
    augment = recordings.Augmenter(rng, speech)
    for index in range(60):
        clip = augment.word(speech[index % 3]) if index % 4 else augment.silence()
        assert clip.shape == (16_000,)
        assert clip.dtype == np.int16
    for recording in speech:
        assert recordings.centred(recording.samples).shape == (16_000,)


def test_the_files_belong_together(recordings: ModuleType) -> None:
    config = load_config(EXAMPLE)
    assert config.audio is not None
    assert config.labels == recordings.LABELS
    assert config.model.stat().st_size < 1_000_000
    results = json.loads((EXAMPLE / "results.json").read_text(encoding="utf-8"))
    assert tuple(results["labels"]) == config.labels
    assert 20_000 <= results["parameters"] <= 50_000
    counts = {}
    for path in (config.calibration, config.evaluation):
        assert path is not None
        with np.load(path) as archive:
            inputs, labels = archive["inputs"], archive["labels"]
        assert inputs.shape[1:] == (config.audio.frames, config.audio.coefficients, 1)
        assert inputs.dtype == np.float32
        assert set(labels.tolist()) == set(range(len(config.labels)))
        counts[path.name] = np.bincount(labels)
    # The table of results was made on the very clips that are committed as features.
    np.testing.assert_array_equal(
        counts["evaluation.npz"], np.sum(results["test_commands"]["confusion"], axis=1)
    )


def test_the_inputs_are_short_clips() -> None:
    paths = sorted((EXAMPLE / "inputs").glob("*.wav"))
    assert {"yes", "silence", "go", "left", "right"} <= {path.stem for path in paths}
    assert sum(path.stat().st_size for path in paths) < 300_000
    for path in paths:
        with wave.open(io.BytesIO(path.read_bytes())) as file:
            shape = (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes())
        assert shape == (1, 2, 16_000, 16_000)
