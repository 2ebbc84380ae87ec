"""Fine-tuning in int8 on the device against the same in float: a keyword network learns digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.sparse import SparseProgram

pytestmark = pytest.mark.host

SEEDS = (0,)


def test_accuracy_is_within_a_point_of_the_same_in_float(shared: Path) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from support.sparse_digits import digit_task, fine_tuned

    task = digit_task(shared)
    assert task.design.ram_bytes <= 64 * 1024
    before = task.right(task.design.head().scores_many(task.tests))
    int8, real = np.mean(fine_tuned(task, SEEDS), axis=0)
    assert before < 0.45
    assert int8 > before + 0.2
    assert int8 >= real - 0.01
    # What the twin does is what the C does.
    head, order = task.design.head(), task.order(0)[:40]
    stream = [(task.latents[index], int(task.labels[index])) for index in order]
    for latent, label in stream:
        head.update(latent, label)
    assert SparseProgram(task.design).stream(stream)[-1][1] == head.to_bytes()
