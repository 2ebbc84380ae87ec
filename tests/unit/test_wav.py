"""Reading WAV files: every sample format, resampling, and files that are broken."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from tinyc.audio.settings import AudioSettings
from tinyc.audio.wav import fit, read_clip, read_wav, resample, write_wav
from tinyc.errors import TinycError
from tinyc.ir.tensor import Array

pytestmark = pytest.mark.unit

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE


def wav_bytes(
    raw: bytes, *, kind: int = PCM, channels: int = 1, rate: int = 16_000, bits: int = 16, extra: bytes = b""
) -> bytes:
    """A WAV file around samples that are bytes already."""
    block = channels * bits // 8
    header = struct.pack("<HHIIHH", kind, channels, rate, rate * block, block, bits) + extra
    body = b"fmt " + struct.pack("<I", len(header)) + header
    body += b"LIST" + struct.pack("<I", 3) + b"odd\0"
    body += b"data" + struct.pack("<I", len(raw)) + raw
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def tone(hertz: float, rate: int, seconds: float = 0.5, amplitude: float = 10_000) -> Array:
    return np.round(amplitude * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate))


def test_sixteen_bits_come_through_unchanged() -> None:
    samples = np.array([0, 1, -1, 32767, -32768, 12345], np.int16)
    np.testing.assert_array_equal(read_wav(wav_bytes(samples.tobytes()), 16_000), samples)


@pytest.mark.parametrize(
    ("raw", "bits", "kind", "expected"),
    [
        (bytes([128, 0, 255, 129]), 8, PCM, [0, -32768, 32512, 256]),
        (b"\x00\x00\x00\x00\xff\x7f\x00\x00\x80\x80\x01\x00", 24, PCM, [0, 32767, -32768, 2]),
        (np.array([0, 1 << 16, -(2**31), 2**31 - 1], "<i4").tobytes(), 32, PCM, [0, 1, -32768, 32767]),
        (np.array([0, 0.5, -1, 9], "<f4").tobytes(), 32, FLOAT, [0, 16384, -32768, 32767]),
        (np.array([0, 0.5, -1, 9], "<f8").tobytes(), 64, FLOAT, [0, 16384, -32768, 32767]),
    ],
)
def test_other_formats_are_scaled_to_sixteen_bits(
    raw: bytes, bits: int, kind: int, expected: list[int]
) -> None:
    assert read_wav(wav_bytes(raw, bits=bits, kind=kind), 16_000).tolist() == expected


def test_the_extensible_header_is_read() -> None:
    raw = np.array([5, -5], np.int16).tobytes()
    extra = struct.pack("<HHIH", 22, 16, 4, PCM) + bytes(14)
    assert read_wav(wav_bytes(raw, kind=EXTENSIBLE, extra=extra), 16_000).tolist() == [5, -5]


def test_channels_are_averaged() -> None:
    raw = np.array([[100, 300], [-32768, -32768], [7, -7]], np.int16).tobytes()
    assert read_wav(wav_bytes(raw, channels=2), 16_000).tolist() == [200, -32768, 0]


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_a_tone_survives_resampling(rate: int) -> None:
    found = read_wav(wav_bytes(tone(440, rate).astype(np.int16).tobytes(), rate=rate), 16_000)
    assert abs(len(found) - 8_000) <= 2
    expected = tone(440, 16_000)[: len(found)]
    # The ends see silence beyond the signal.
    middle = slice(400, -400)
    assert np.abs(found[: len(expected)] - expected[: len(found)])[middle].max() < 10


def test_what_lies_above_the_new_limit_is_removed() -> None:
    high = resample(tone(12_000, 48_000), 48_000, 16_000)
    assert np.abs(high[400:-400]).max() < 10
    kept = resample(tone(6_000, 48_000), 48_000, 16_000)
    assert 9_900 < np.abs(kept[400:-400]).max() < 10_100


def test_a_clip_is_cut_or_padded_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    write_wav(path, np.arange(100, dtype=np.int16), 16_000)
    settings = AudioSettings(clip_samples=480)
    clip = read_clip(path, settings)
    assert clip.dtype == np.int16
    assert clip.tolist() == [*range(100), *[0] * 380]
    assert fit(clip, 60).tolist() == list(range(60))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not a WAV file"),
        (b"RIFF\x00\x00\x00\x00WAVE", "lacks its format or its samples"),
        (b"ID3" + bytes(100), "is not a WAV file"),
        (wav_bytes(b""), "holds no sound"),
        (wav_bytes(b"\x00"), "holds no sound"),
        (wav_bytes(bytes(8), bits=12), "format 1 with 12 bits"),
        (wav_bytes(bytes(8), kind=2, bits=4), "format 2 with 4 bits"),
        (wav_bytes(bytes(8), kind=6, bits=8), "format 6 with 8 bits"),
        (wav_bytes(bytes(8), channels=0), "damaged format"),
        (wav_bytes(bytes(8), rate=0), "sample rate of 0 Hz"),
        (wav_bytes(bytes(8), rate=2**32 // 100), "sample rate of"),
        (wav_bytes(np.array([np.nan], "<f4").tobytes(), kind=FLOAT, bits=32), "not numbers"),
        (wav_bytes(bytes(2 * 1_000 * 601), rate=1_000), "too long"),
    ],
)
def test_bad_files_say_what_is_wrong(data: bytes, message: str) -> None:
    with pytest.raises(TinycError, match=message):
        read_wav(data, 16_000)


def test_every_truncation_is_an_error_or_a_shorter_sound() -> None:
    whole = wav_bytes(np.arange(1, 20, dtype=np.int16).tobytes())
    lengths = set()
    for size in range(len(whole)):
        try:
            lengths.add(len(read_wav(whole[:size], 16_000)))
        except TinycError:
            lengths.add(0)
    assert lengths == set(range(19))


def test_a_missing_file_and_a_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(TinycError, match="no such file"):
        read_wav(tmp_path / "absent.wav", 16_000)
    with pytest.raises(TinycError, match="cannot be read"):
        read_wav(tmp_path, 16_000)
