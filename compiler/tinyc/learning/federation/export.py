"""What a run learned, as a file: parameters and the network they are for."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np

from tinyc.errors import TinycError
from tinyc.files import write_together
from tinyc.learning.federation.client import NetworkShape, Vector
from tinyc.learning.federation.state import Progress


def npz_bytes(progress: Progress) -> bytes:
    """An .npz with `parameters` float32, `layers` int32, `hidden`, `loss`, and W0, b0, W1 ... apart.

    The bytes depend on the contents alone: the archive has no times.
    """
    shape = progress.shape
    arrays: dict[str, object] = {
        "parameters": progress.parameters,
        "layers": np.asarray(shape.layers, np.int32),
        "hidden": np.asarray(shape.hidden),
        "loss": np.asarray(shape.loss),
    }
    for number, (weights, bias) in enumerate(shape.matrices(progress.parameters)):
        arrays |= {f"W{number}": weights, f"b{number}": bias}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    return packed.getvalue()


def write_npz(path: Path, progress: Progress) -> None:
    """Raises TinycError if the file cannot be written."""
    try:
        write_together({path: npz_bytes(progress)})
    except OSError as error:
        raise TinycError(f"cannot be written: {error}", where=str(path)) from error


def read_npz(path: Path) -> tuple[NetworkShape, Vector]:
    """The network and its parameters from such a file. Raises TinycError for another one."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            layers = tuple(int(width) for width in arrays["layers"])
            shape = NetworkShape(layers, arrays["hidden"].item(), arrays["loss"].item())
            parameters = np.asarray(arrays["parameters"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise TinycError(f"cannot be read: {error}", where=str(path)) from error
    if parameters.dtype != np.float32 or parameters.shape != (shape.parameters,):
        raise TinycError(
            f"`parameters` is {parameters.dtype} {parameters.shape}",
            where=str(path),
            allowed=f"float32 ({shape.parameters},)",
        )
    return shape, parameters
