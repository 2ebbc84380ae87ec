"""The facts of a build, from what its folder holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tinyc.boards import Board, load_board
from tinyc.registry.boards import board_fact
from tinyc.registry.facts import (
    BaseFact,
    BillFact,
    EvaluationFact,
    Fact,
    FileFact,
    FirmwareFact,
    LayerFact,
    ModelFact,
    ModelRef,
)

_RELATIONS = {
    "quantized": "Quantized",
    "fine-tuned": "FineTuned",
    "pruned": "Pruned",
    "revised": "Revised",
}
_PLAIN = "int8"


def model_of(report: Mapping[str, Any]) -> ModelRef:
    """The model of a `report.json`."""
    return ModelRef(str(report["model"]), str(report["version"]), str(report["digest"]))


def build_facts(
    report: Mapping[str, Any],
    board: Board,
    at: datetime,
    *,
    parameters: int | None = None,
    bill: Mapping[str, Any] | None = None,
    origin: Mapping[str, Any] | None = None,
    manifest: Mapping[str, Any] | None = None,
) -> tuple[Fact, ...]:
    """The board, the model, what its quantization cost, and the firmware. `at` is when it was built.

    `report` is `report.json`, `bill` the quantization bill, `origin` the digests of the files, `manifest` the
    model's as `tinyc.versioning` writes it. Raises KeyError for a report of an earlier tinyc.
    """
    told = origin or {}
    model = model_of(report)
    facts: list[Fact] = [
        # With slots for models a board has less flash for its firmware; the board is the same.
        board_fact(load_board(board.name)),
        ModelFact(
            model=model,
            at=at,
            compiler=str(report["tinyc"]),
            parameters=parameters,
            macs=int(report["macs"]),
            weight_bytes=int(report["weights"]),
            input_shape=_shapes(report["inputs"]),
            output_shape=_shapes(report["outputs"]),
            precision=str((manifest or {}).get("precision", _PLAIN)),
            labels=tuple(map(str, report["labels"])),
            input_type=_input_type(report),
            manifest=json.dumps(manifest, separators=(",", ":"), sort_keys=True) if manifest else "",
            source=_file(told.get("source")),
            base=_base(manifest or {}),
            bill=_bill(bill) if bill else None,
        ),
    ]
    accuracy, data = (bill or {}).get("accuracy"), _file(told.get("calibration"))
    if accuracy and data:
        facts.append(EvaluationFact(model, float(accuracy["int8_top1"]), data))
    facts.append(_firmware(report, board, model, at))
    return tuple(facts)


def _firmware(report: Mapping[str, Any], board: Board, model: ModelRef, at: datetime) -> FirmwareFact:
    update = report.get("update") or {}
    flash, ram, stack = (int(report[key]) for key in ("flash", "ram", "stack"))
    return FirmwareFact(
        identity=str(report["firmware"]),
        model=model,
        board=board.name,
        at=at,
        toolchain=str(report["toolchain"]),
        compiler=str(report["tinyc"]),
        optimize=str(report["optimize"]),
        signed=bool(update.get("key")),
        security_counter=int(update.get("security_counter", 0)),
        flash=flash,
        ram=ram,
        arena=int(report["arena"]),
        weight_bytes=int(report["weights"]),
        stack=stack,
        free_flash=max(0, board.memory.application_flash - flash),
        free_ram=max(0, board.memory.application_ram - ram - stack),
        own_model=bool(report.get("split")),
    )


def _bill(bill: Mapping[str, Any]) -> BillFact:
    accuracy = bill.get("accuracy") or {}
    return BillFact(
        sqnr_db=float(bill["network_sqnr_db"]),
        samples=int(bill["samples"]),
        float_accuracy=accuracy.get("float_top1"),
        accuracy=accuracy.get("int8_top1"),
        layers=tuple(
            LayerFact(str(layer["name"]), str(layer["kind"]), float(layer["sqnr_db"]))
            for layer in bill["layers"]
        ),
    )


def _base(manifest: Mapping[str, Any]) -> BaseFact | None:
    base, relation = manifest.get("base"), manifest.get("relation")
    if not base or relation not in _RELATIONS:
        return None
    return BaseFact(ModelRef(base["name"], base["version"], base["digest"]), _RELATIONS[relation])


def _file(entry: Mapping[str, str] | None) -> FileFact | None:
    return FileFact(entry["title"], entry["digest"]) if entry else None


def _shapes(tensors: list[dict[str, Any]]) -> str:
    return ";".join(",".join(map(str, tensor["shape"])) for tensor in tensors)


def _input_type(report: Mapping[str, Any]) -> str:
    if report.get("audio"):
        return "audio"
    return "text" if report.get("text") else "raw"
