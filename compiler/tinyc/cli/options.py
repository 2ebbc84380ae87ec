"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinyc.objective import SIZE, Objective, parse_size
from tinyc.quantize.options import Weights


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: needs {SIZE}") from error


Model = Annotated[
    Path | None,
    typer.Argument(
        help="A model (.tflite, .onnx, .keras, .h5, SavedModel folder), a tinyc.toml, a folder with one, or "
        "a build folder. Default: the tinyc.toml here.",
        show_default=False,
    ),
]
BoardName = Annotated[
    str | None, typer.Option("--board", "-b", help="Board name, see `tinyc boards`.", show_default=False)
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Output folder. Default: build/BOARD.", show_default=False)
]
Calibration = Annotated[
    Path | None, typer.Option("--calibration", help="Calibration data (.npz) for a float model.")
]
MaxDrop = Annotated[
    float | None,
    typer.Option(
        "--max-drop",
        min=0.0,
        max=100.0,
        help="Percent points of accuracy that a transformer may lose on the labelled calibration samples "
        "before single tensors get 16 bits. Default: `max_drop` of tinyc.toml, else no tensor does.",
        show_default=False,
    ),
]
EmbeddingBits = Annotated[
    int | None,
    typer.Option(
        "--embedding-bits",
        help="Bits of the token tables of embeddings: 4, 6 or 8; below 8 each row has a scale of its own. "
        "Default: `embedding_bits` of tinyc.toml, else 8.",
        show_default=False,
    ),
]
WeightType = Annotated[
    Weights | None,
    typer.Option(
        "--weights",
        help="The weights that a float model's convolutions and fully connected layers get: int8 or int4. "
        "Default: `weights` of tinyc.toml, else int8.",
        show_default=False,
    ),
]
AllowFloat = Annotated[
    bool | None,
    typer.Option(
        "--allow-float/--no-allow-float",
        help="Compile layers that compute in float32 as they are, without quantization. "
        "Default: `allow_float` of tinyc.toml, else they are refused.",
        show_default=False,
    ),
]
Optimize = Annotated[
    Objective | None,
    typer.Option(
        "--optimize",
        help="What the choice of kernels minimises: balanced, time, ram, flash, or tuned (the fastest that "
        "`tinyc tune` measured). Default: `optimize` of tinyc.toml, else balanced.",
        show_default=False,
    ),
]
Streaming = Annotated[
    bool | None,
    typer.Option(
        "--streaming/--no-streaming",
        help="Go through a stream frame by frame: an inference takes the newest frames and keeps what later "
        "ones need. Default: `streaming` of tinyc.toml, else not.",
        show_default=False,
    ),
]
MaxArena = Annotated[
    int | None,
    typer.Option(
        "--max-arena",
        parser=_size,
        metavar="BYTES",
        help="Choose kernels with which the arena has at most so many bytes, as 32768 or 32k. "
        "Default: `max_arena` of tinyc.toml, else what the board has.",
        show_default=False,
    ),
]
MaxFlash = Annotated[
    int | None,
    typer.Option(
        "--max-flash",
        parser=_size,
        metavar="BYTES",
        help="As --max-arena, for constants and code (estimated). Default: `max_flash` of tinyc.toml.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Toolchain = Annotated[str, typer.Option("--toolchain", help="zig, gcc or registry.")]
Port = Annotated[str | None, typer.Option("--port", help="Serial port of a real board.", show_default=False)]
Reset = Annotated[bool, typer.Option("--reset", help="Reset a model with state before each input.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the random vectors.")]
