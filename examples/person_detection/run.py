"""Asks the firmware whether there is a person in a picture.

    python run.py picture.ppm                    # on the emulated nRF52840
    python run.py picture.ppm --board rpi_pico

Takes PPM and PGM, which most programs write: `magick photo.jpg picture.ppm`. The middle square of the picture
is brought to the size and the colours that the model takes.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyc.cli import target
from tinyc.errors import TinycError
from tinyc.ir.tensor import DType, Tensor
from tinyc.learning.answers import network_answer

Array = npt.NDArray[Any]

HERE = Path(__file__).parent
_HEADER = re.compile(rb"P([56])" + rb"(?:\s|#[^\n]*\n)+(\d+)" * 3 + rb"\s")
# Shares of red, green and blue in the brightness (ITU-R BT.601).
_BRIGHTNESS = np.array([[0.299], [0.587], [0.114]])


def read_picture(path: Path) -> Array:
    """uint8 [height, width, 1 or 3] of a binary PGM or PPM with 8 bits a channel.

    Raises TinycError for other files.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TinycError(f"cannot be read: {error.strerror}", where=str(path)) from error
    header = _HEADER.match(data)
    if header is None or int(header[4]) != 255:
        raise TinycError("is no picture", where=str(path), allowed="binary PGM (P5) or PPM (P6), 8 bits")
    width, height, channels = int(header[2]), int(header[3]), 3 if header[1] == b"6" else 1
    pixels = np.frombuffer(data, np.uint8, offset=header.end())
    if pixels.size < width * height * channels or not width * height:
        raise TinycError(f"has no {width} x {height} pixels", where=str(path))
    return pixels[: width * height * channels].reshape(height, width, channels)


def averages(length: int, size: int) -> Array:
    """float64 [size, length]: rows of weights that average `length` pixels into `size` of equal share."""
    edges = np.linspace(0, length, size + 1)[:, None]
    pixel = np.arange(length)
    overlap = np.minimum(edges[1:], pixel + 1) - np.maximum(edges[:-1], pixel)
    weights: Array = np.maximum(overlap, 0) * size / length
    return weights


def model_input(picture: Array, tensor: Tensor) -> Array:
    """int8 in the shape of `tensor`, [1, height, width, 1 or 3]: black is -128, white 127.

    Raises TinycError for a model that does not take a picture.
    """
    if tensor.dtype is not DType.INT8 or len(tensor.shape) != 4 or tensor.shape[3] not in (1, 3):
        raise TinycError(
            f"takes {tensor.dtype.value[0]} {list(tensor.shape)}, no picture",
            where=tensor.name,
            allowed="int8 [1, height, width, 1 or 3]",
        )
    _, height, width, channels = tensor.shape
    side = min(picture.shape[:2])
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    square = picture[top : top + side, left : left + side].astype(np.float64)
    if channels < square.shape[2]:
        square = square @ _BRIGHTNESS
    small = np.einsum("yh,hwc,xw->yxc", averages(side, height), square, averages(side, width), optimize=True)
    pixels = np.broadcast_to(np.round(small) - 128, (1, height, width, channels))
    return pixels.astype(np.int8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--board", default="nrf52840")
    parser.add_argument("--port", help="of a board with the firmware; without it the chip is emulated")
    arguments = parser.parse_args()
    try:
        picture = read_picture(arguments.picture)
        found = target.built(HERE, arguments.board)
        tensor = found.program.graph[found.program.graph.inputs[0]]
        with target.device_engine(found, arguments.port) as session:
            outputs = session.engine.run([model_input(picture, tensor)])
    except TinycError as error:
        raise SystemExit(str(error)) from error
    answer = network_answer(found.program, outputs)
    print(f"{answer.words}, {answer.score:.3f}")


if __name__ == "__main__":
    main()
