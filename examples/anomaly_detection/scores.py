"""The anomaly score of a recording, and how well scores tell faulty machines from healthy ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from machine import FAULTS

Array = npt.NDArray[Any]


def mean_scores(features: Array, rebuilt: Array, recordings: int) -> Array:
    """float64 [recordings]: the mean squared error of what was rebuilt, in squares of log2 units.

    `features` and `rebuilt` hold as many inputs and outputs of the auto-encoder for every recording.
    """
    errors = np.square(features.astype(np.float64).ravel() - rebuilt.astype(np.float64).ravel())
    means: Array = errors.reshape(recordings, -1).mean(axis=1)
    return means


def auc(healthy: Array, faulty: Array) -> float:
    """The area under the ROC curve: how often a faulty one scores above a healthy one; ties count half."""
    above = faulty[:, None] > healthy[None, :]
    level = faulty[:, None] == healthy[None, :]
    return float(np.mean(above + level / 2))


def areas(scores: Array, faults: Sequence[str | None]) -> dict[str, float]:
    """AUC of all faults and of each; `scores` [recordings]."""
    kinds = np.array([fault or "" for fault in faults])
    healthy = scores[kinds == ""]
    found = {"all": auc(healthy, scores[kinds != ""])}
    return found | {fault: auc(healthy, scores[kinds == fault]) for fault in FAULTS}
