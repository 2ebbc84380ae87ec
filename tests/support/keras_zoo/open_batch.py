"""Which models of the zoo are also converted with the batch left open, as `from_keras_model` does.

Converters then leave shapes to be computed, and where the batch becomes another the file stores a wrong one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from support.keras_zoo.case import Case

_CHOSEN = (
    *("conv2d-dilated-0", "dense-1", "dense-2", "auto-encoder", "u-net", "temporal", "attention", "encoder"),
    *("lstm-unrolled", "gru-unrolled"),
)


def with_open_batch(families: Mapping[str, tuple[Case, ...]]) -> dict[str, tuple[Case, ...]]:
    """A family of cases of `families`: `temporal-open` is `temporal` so."""
    cases = {case.name: case for family in families.values() for case in family}
    chosen = (cases[name] for name in _CHOSEN)
    return {"open_batch": tuple(replace(case, name=f"{case.name}-open", open_batch=True) for case in chosen)}
