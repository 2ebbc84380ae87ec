"""Arrays of the smallest unsigned type that holds their numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Unsigned = npt.NDArray[np.unsignedinteger[Any]]


def narrow(values: npt.ArrayLike) -> Unsigned:
    """`values`, none of them negative or above 2^32 - 1, as uint8, uint16 or uint32."""
    wide = np.asarray(values, np.int64)
    highest = int(wide.max(initial=0))
    kinds: tuple[type[np.unsignedinteger[Any]], ...] = (np.uint8, np.uint16, np.uint32)
    kind = next(kind for kind in kinds if highest <= np.iinfo(kind).max)
    found: Unsigned = wide.astype(kind)
    return found
