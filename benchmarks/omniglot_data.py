"""Omniglot's images as arrays: read from the archive without an image library, shrunk by area.

The archive has 32,460 PNG of 105 × 105, one bit a pixel, no row filter, 964 + 659 characters of 20
drawers. Lake et al., Human-level concept learning through probabilistic program induction, 2015.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]
ARCHIVE = "data/omniglot/omniglot_full_png.zip"
SIZE = 105
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def ink(png: bytes) -> NDArray[np.uint8]:
    """(105, 105), 1 where the pen was. Raises ValueError for another kind of PNG."""
    at, packed = len(_SIGNATURE), b""
    if not png.startswith(_SIGNATURE):
        raise ValueError("no PNG")
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + length]
        if kind == b"IHDR" and struct.unpack(">IIBBBBB", body) != (SIZE, SIZE, 1, 0, 0, 0, 0):
            raise ValueError("not 105 × 105 with one bit a pixel")
        packed += body if kind == b"IDAT" else b""
        at += 12 + length
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(SIZE, -1)
    if rows[:, 0].any():
        raise ValueError("rows are filtered")
    return 1 - np.unpackbits(rows[:, 1:], axis=1)[:, :SIZE]


def shrinking(size: int) -> NDArray[np.float64]:
    """(size, 105): row i has the share of each old pixel in new pixel i; rows sum to 1."""
    edges = np.arange(size + 1) * SIZE / size
    old = np.arange(SIZE)
    overlap = np.minimum(edges[1:, None], old + 1) - np.maximum(edges[:-1, None], old)
    return np.asarray(np.clip(overlap, 0, None) * size / SIZE)


def load(shared: Path, size: int) -> tuple[Images, Images]:
    """Background (964, 20, size, size) and evaluation (659, 20, size, size): ink from 0 to 1.

    Characters are in the order of their paths, drawers in that of their files.
    """
    small = shrinking(size)
    characters: dict[str, list[Images]] = {}
    with zipfile.ZipFile(shared / ARCHIVE) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".png"):
                image = (small @ ink(archive.read(name)) @ small.T).astype(np.float32)
                characters.setdefault(name.rsplit("/", 1)[0], []).append(image)
    parts = []
    for part in ("images_background", "images_evaluation"):
        parts.append(np.array([images for name, images in characters.items() if part in name]))
    return parts[0], parts[1]


def rotated(images: Images) -> Images:
    """Each class and its turns by 90, 180 and 270 degrees as classes of their own (Santoro et al., 2016)."""
    return np.concatenate([np.rot90(images, turns, (2, 3)) for turns in range(4)])
