"""How good a model is on labelled samples, class by class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tinyc.ir.tensor import Array
from tinyc.versioning.model import Metrics


def metrics_of(outputs: Iterable[tuple[Array, ...]], truth: Sequence[int], labels: Sequence[str]) -> Metrics:
    """Top-1 accuracy and the share of each class that was found.

    `truth` are the classes of the samples, at least one; a class without a label is called by its number.
    """
    answers = [int(np.argmax(output[0])) for output in outputs]
    shares: dict[str, float] = {}
    for label in sorted(set(truth)):
        hits = [answer == label for answer, right in zip(answers, truth, strict=True) if right == label]
        name = labels[label] if 0 <= label < len(labels) else str(label)
        shares[name] = round(sum(hits) / len(hits), 6)
    right = sum(answer == label for answer, label in zip(answers, truth, strict=True))
    return Metrics(round(right / len(truth), 6), len(truth), shares)
