"""`.keras` files that are small: weights of few bits, packed well."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

WEIGHTS = "model.weights.h5"
# Fixed, so that the same weights give the same bytes.
DATE = (1980, 1, 1, 0, 0, 0)


def round_mantissa(values: npt.ArrayLike, bits: int = 7) -> npt.NDArray[np.float32]:
    """float32 values with `bits` bits of mantissa, ties to even; 7 bits are bfloat16, 10 float16's.

    Finite values only.
    """
    words = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    drop = np.uint32(23 - bits)
    half = np.uint32((1 << (23 - bits - 1)) - 1)
    odd = (words >> drop) & np.uint32(1)
    result: npt.NDArray[np.float32] = (((words + half + odd) >> drop) << drop).view(np.float32)
    return result


def round_weights(model: Any, bits: int = 7) -> None:
    """Round every weight of a Keras model in place."""
    model.set_weights([round_mantissa(weight, bits) for weight in model.get_weights()])


def save_small(model: Any, path: Path) -> None:
    """Save a Keras model, its arrays packed byte plane by byte plane; Keras loads it like any other."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.keras"
        model.save(plain)
        with zipfile.ZipFile(plain) as source:
            files = {name: source.read(name) for name in source.namelist()}
    files[WEIGHTS] = _packed(files[WEIGHTS])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(info, files[name], compresslevel=9)


def _packed(data: bytes) -> bytes:
    """An HDF5 file with the same groups and arrays, the larger arrays compressed."""
    result = io.BytesIO()
    with h5py.File(io.BytesIO(data), "r") as source, h5py.File(result, "w") as target:

        def copy(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                large = item.size > 256
                packing = {"compression": "gzip", "compression_opts": 9, "shuffle": True} if large else {}
                made = target.create_dataset(name, data=item[()], **packing)
            else:
                made = target.require_group(name)
            for key, value in item.attrs.items():
                made.attrs[key] = value

        for key, value in source.attrs.items():
            target.attrs[key] = value
        source.visititems(copy)
    return result.getvalue()
