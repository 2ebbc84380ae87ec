"""Renders the audio front end of a program as `audio.c` and `audio.h`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tinyc.audio.front_end import AudioFrontEnd
from tinyc.audio.tables import LOG_BITS, POWER_SHIFT, UNIT_BITS, IntArray
from tinyc.emit import symbols
from tinyc.emit.arrays import c_type, initializer
from tinyc.emit.environment import render, signed
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
    """Everything that the templates print. `offset` is the arena offset of the buffer `audio`.

    What depends on the model is C: numbers, or where a firmware finds those of the model in its slot.
    """

    title: str
    prefix: str
    macro: str
    fixed_point: str
    offset: str
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
    multiplier: str
    shift: str
    zero_point_added: str
    tables: tuple[TableView, ...]


def render_audio(program: Program, stem: str = "audio", model_stem: str = "model") -> dict[str, str]:
    """`audio.c` and `audio.h` as texts, for use beside the program's `model.c`.

    The stems are other names for the files of both.

    Raises ValueError for a program without audio settings, TinycError when the model's first input does
    not take the features.
    """
    return _render(_view(program), stem, model_stem)


def render_shared_audio(program: Program) -> dict[str, str]:
    """The same for a firmware that has its model in a slot: the texts depend on the audio settings alone."""
    return _render(
        replace(
            _view(program),
            title="in the slot",
            prefix="model",
            macro="MODEL",
            offset="MODEL_FEATURES.offset",
            multiplier="MODEL_FEATURES.multiplier",
            shift="MODEL_FEATURES.shift",
            zero_point_added="+ MODEL_FEATURES.zero_point",
        )
    )


def model_numbers(program: Program) -> tuple[int, int, int, int]:
    """Buffer offset, multiplier, shift and zero point: what such a firmware needs to know of the model."""
    view = _front_end(program)
    return program.plan.buffer_offset("audio"), view.multiplier, view.shift, view.zero_point


def _render(view: AudioView, stem: str = "audio", model_stem: str = "model") -> dict[str, str]:
    return {
        f"{stem}.c": render("audio/audio.c.j2", audio=view, stem=stem, model_stem=model_stem),
        f"{stem}.h": render("audio/audio.h.j2", audio=view),
    }


def _front_end(program: Program) -> AudioFrontEnd:
    if program.audio is None:
        raise ValueError(f"program {program.name!r} has no audio front end")
    return AudioFrontEnd.for_input(program.audio, program.graph[program.graph.inputs[0]])


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
    front_end = _front_end(program)
    settings = front_end.settings
    header = data_folder("firmware_templates") / "kernels" / "include" / "tinyc_fixed_point.h"
    prefix = symbols.prefix(program)
    return AudioView(
        title=program.name,
        prefix=prefix,
        macro=prefix.upper(),
        fixed_point=header.read_text(encoding="utf-8").strip(),
        offset=str(program.plan.buffer_offset("audio")),
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
        multiplier=str(front_end.multiplier),
        shift=str(front_end.shift),
        zero_point_added=signed(front_end.zero_point),
        tables=tuple(
            TableView(name, c_type(values), values.size, initializer(values))
            for name, values in _arrays(front_end)
        ),
    )
