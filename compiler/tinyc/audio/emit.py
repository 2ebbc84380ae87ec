"""Renders the audio front end of a program as `audio.c` and `audio.h`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.audio.front_end import AudioFrontEnd
from tinyc.audio.tables import LOG_BITS, POWER_SHIFT, UNIT_BITS, IntArray
from tinyc.emit import symbols
from tinyc.emit.arrays import c_type, initializer
from tinyc.emit.environment import render
from tinyc.program import Program
from tinyc.resources import data_folder


@dataclass(frozen=True, slots=True)
class TableView:
    name: str
    c_type: str
    size: int
    values: str


@dataclass(frozen=True, slots=True)
class AudioView:
    """Everything that the templates print. `offset` is the arena offset of the buffer `audio`."""

    title: str
    prefix: str
    macro: str
    fixed_point: str
    offset: int
    sample_rate: int
    clip_samples: int
    frames: int
    coefficients: int
    window: int
    hop: int
    fft: int
    mel_bands: int
    mel_low_hz: int
    mel_high_hz: int
    first_bin: int
    sample_shift: int
    power_shift: int
    floor: int
    log_bits: int
    unit_bits: int
    fine_shift: int
    dct_shift: int
    multiplier: int
    shift: int
    zero_point: int
    tables: tuple[TableView, ...]


def render_audio(program: Program) -> dict[str, str]:
    """`audio.c` and `audio.h` as texts, for use beside the program's `model.c`.

    Raises ValueError for a program without audio settings, TinycError when the model's first input does
    not take the features.
    """
    view = _view(program)
    return {
        "audio.c": render("audio/audio.c.j2", audio=view),
        "audio.h": render("audio/audio.h.j2", audio=view),
    }


def _arrays(front_end: AudioFrontEnd) -> tuple[tuple[str, IntArray], ...]:
    tables = front_end.tables
    return (
        ("window_table", tables.window),
        ("sine_table", tables.sine),
        ("mel_count_table", np.asarray(tables.mel.counts, np.uint16)),
        ("mel_weight_table", np.asarray(tables.mel.weights, np.uint16)),
        ("logarithm_table", tables.logarithm),
        ("dct_table", tables.dct),
    )


def _view(program: Program) -> AudioView:
    settings = program.audio
    if settings is None:
        raise ValueError(f"program {program.name!r} has no audio front end")
    front_end = AudioFrontEnd.for_input(settings, program.graph[program.graph.inputs[0]])
    header = data_folder("firmware_templates") / "kernels" / "include" / "tinyc_fixed_point.h"
    prefix = symbols.prefix(program)
    return AudioView(
        title=program.name,
        prefix=prefix,
        macro=prefix.upper(),
        fixed_point=header.read_text(encoding="utf-8").strip(),
        offset=program.plan.buffer_offset("audio"),
        sample_rate=settings.sample_rate,
        clip_samples=settings.clip_samples,
        frames=settings.frames,
        coefficients=settings.coefficients,
        window=settings.window,
        hop=settings.hop,
        fft=settings.fft,
        mel_bands=settings.mel_bands,
        mel_low_hz=settings.mel_low_hz,
        mel_high_hz=settings.mel_high_hz,
        first_bin=front_end.tables.mel.first_bin,
        sample_shift=front_end.tables.sample_shift,
        power_shift=POWER_SHIFT,
        floor=front_end.tables.log_offset + settings.floor_log2,
        log_bits=LOG_BITS,
        unit_bits=UNIT_BITS,
        fine_shift=15 + 16 - LOG_BITS - UNIT_BITS,
        dct_shift=front_end.tables.dct_shift,
        multiplier=front_end.multiplier,
        shift=front_end.shift,
        zero_point=front_end.zero_point,
        tables=tuple(
            TableView(name, c_type(values), values.size, initializer(values))
            for name, values in _arrays(front_end)
        ),
    )
