"""`Learning` on disk, in a build folder: one `.npz` with the numbers as JSON text and an array per table."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyc.errors import TinycError
from tinyc.ir import serialize
from tinyc.learning.design import Learning
from tinyc.learning.drift import DriftSettings
from tinyc.learning.guard import Guard
from tinyc.learning.heads.design import HeadDesign, StateField
from tinyc.learning.learner import Safety
from tinyc.learning.settings import LearnSettings
from tinyc.learning.sparse import prepare as sparse
from tinyc.learning.sparse.design import SparseDesign
from tinyc.learning.store import Region
from tinyc.learning.tap import Tap

FORMAT = 1
_SAFETY = (
    "held_out",
    "held_out_every",
    "held_out_minimum",
    "held_out_gain",
    "min_updates",
    "patience",
    "name_bytes",
)


def dump(learning: Learning) -> bytes:
    """The bytes of a `Learning`; equal ones give equal bytes."""
    head, safety = learning.head, learning.safety
    arrays: dict[str, npt.NDArray[Any]] = {
        **{f"table.{name}": values for name, values in head.tables.items()},
        **{f"factory.{name}": values for name, values in head.factory.items()},
        "guard.latents": safety.guard.latents,
        "guard.targets": safety.guard.targets,
    }
    if learning.suffix is not None:
        arrays["suffix"] = np.frombuffer(serialize.dump(learning.suffix), np.uint8)
    told = {
        "format": FORMAT,
        "settings": learning.settings.to_json(),
        "tap": asdict(learning.tap),
        "target": learning.target,
        "added": learning.added,
        "facts": dict(learning.facts),
        "head": {
            **{key: getattr(head, key) for key in ("kind", "latent", "capacity", "factory_classes")},
            **{key: getattr(head, key) for key in ("scratch_bytes", "sources")},
            # The order is that of the C.
            "options": [[name, _number(value)] for name, value in head.options.items()],
            "tables": list(head.tables),
            "fields": [asdict(each) for each in head.fields],
            "notes": dict(head.notes),
            "sparse": sparse.to_json(head) if isinstance(head, SparseDesign) else None,
        },
        "safety": {
            **{key: getattr(safety, key) for key in _SAFETY},
            "guard": {"slack": safety.guard.slack, "factor": safety.guard.factor},
            "drift": asdict(safety.drift),
            "body_hash": safety.body_hash.hex(),
            "region": None if safety.region is None else asdict(safety.region),
            "factory_names": safety.factory_names,
        },
    }
    text = json.dumps(told, sort_keys=True).encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in {"structure": np.frombuffer(text, np.uint8), **arrays}.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
            # A fixed date keeps the bytes equal from run to run.
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), member.getvalue())
    return stream.getvalue()


def _number(value: Any) -> int | float:
    """A NumPy number as one of Python's: float32 values stay what they are."""
    return float(value) if isinstance(value, (float, np.floating)) else int(value)


def parse(data: bytes) -> Learning:
    """What `dump` wrote. Raises ValueError for anything else."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        told = json.loads(arrays.pop("structure").tobytes())
        if told["format"] != FORMAT:
            raise ValueError(f"format {told['format']}, this version reads {FORMAT}")
        suffix = serialize.parse(arrays["suffix"].tobytes()) if "suffix" in arrays else None
        head = _head(told["head"], arrays)
        if suffix is not None:
            head = sparse.from_json(told["head"]["sparse"], head, suffix)
        return Learning(
            settings=LearnSettings.from_json(told["settings"]),
            tap=Tap(**told["tap"]),
            head=head,
            safety=_safety(told["safety"], arrays),
            target=told["target"],
            added=int(told["added"]),
            suffix=suffix,
            facts=told["facts"],
        )
    except (KeyError, TypeError, IndexError, zipfile.BadZipFile, EOFError, OSError, TinycError) as error:
        raise ValueError(f"not a stored head: {error}") from error


def _head(told: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> HeadDesign:
    layout = tuple(StateField(each["name"], each["dtype"], tuple(each["shape"])) for each in told["fields"])
    return HeadDesign(
        **{key: told[key] for key in ("kind", "latent", "capacity", "factory_classes", "scratch_bytes")},
        options=dict(told["options"]),
        tables={name: arrays[f"table.{name}"] for name in told["tables"]},
        fields=layout,
        factory={each.name: arrays[f"factory.{each.name}"] for each in layout},
        sources=tuple(told["sources"]),
        notes=told["notes"],
    )


def _safety(told: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Safety:
    return Safety(
        **{key: told[key] for key in _SAFETY},
        guard=Guard(arrays["guard.latents"], arrays["guard.targets"], **told["guard"]),
        drift=DriftSettings(**told["drift"]),
        body_hash=bytes.fromhex(told["body_hash"]),
        region=None if told["region"] is None else Region(**told["region"]),
        factory_names=tuple(told["factory_names"]),
    )
