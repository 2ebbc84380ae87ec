"""Power cuts in uploads, some of them; `python -m support.upload_cuts` makes all."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.image_server import compiled
from support.upload_cuts import Sweep
from tinyc.toolchain.host_compiler import find_compiler

pytestmark = pytest.mark.host


@pytest.mark.parametrize("models", [False, True])
def test_an_upload_survives_every_cut(tmp_path: Path, models: bool) -> None:
    sweep = Sweep(compiled(find_compiler(), models=models), tmp_path, models=models)
    try:
        for trial in sweep.every(step=211):
            sweep.run(trial)
    finally:
        sweep.close()
    assert sweep.trials > 170
