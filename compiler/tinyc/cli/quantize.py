"""`tinyc quantize`: the quantization bill."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinyc.cli import output
from tinyc.cli.options import EmbeddingBits, Json, MaxDrop, Model, WeightType
from tinyc.errors import TinycError
from tinyc.quantize.bill import Bill


def command(
    model: Model = None,
    calibration: Annotated[
        Path | None, typer.Option("--calibration", help="Calibration data (.npz with `inputs`, `labels`).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where the bill goes. Default: build/bill.json.")
    ] = None,
    max_drop: MaxDrop = None,
    embedding_bits: EmbeddingBits = None,
    weights: WeightType = None,
    json: Json = False,
) -> None:
    """Quantize a float model to int8 and print what it cost, layer by layer."""
    from tinyc import artifact, pipeline
    from tinyc.files import write_if_changed
    from tinyc.source import resolve

    source = resolve(
        model,
        calibration=calibration,
        max_drop=max_drop,
        embedding_bits=embedding_bits,
        weights=weights,
    )
    with output.stages("quantizing") as progress:
        prepared = pipeline.prepare(source, progress=progress)
    if prepared.bill is None:
        raise TinycError(
            "the model is already quantized; there is nothing to bill",
            where=str(source.path),
            hint="name the float model it was made from",
        )
    path = out or source.build_folder / "bill.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_if_changed(path, artifact.as_json_bytes(prepared.bill))
    except OSError as error:
        raise TinycError(f"cannot write: {error.strerror}", where=str(path)) from error
    if json:
        output.as_json(prepared.bill)
        return
    _show(Bill.from_json(artifact.as_json_bytes(prepared.bill).decode()))
    output.talk(f"bill: {path}")


def _gain(decibel: float | None) -> str:
    return "" if decibel is None else f"{decibel:+.1f}"


def _show(bill: Bill) -> None:
    methods = {tensor: group.method for group in bill.tensors for tensor in group.tensors}
    has_int4 = any(layer.int8_weights_gain_db is not None for layer in bill.layers)
    output.table(
        f"{bill.model}: quantization bill, {bill.samples} calibration samples",
        (
            *("#>", "layer", "op", "SQNR dB>", "range by", "int16 gain dB>"),
            *(["int8 weights gain dB>"] if has_int4 else []),
        ),
        (
            (
                index,
                layer.name,
                layer.kind,
                f"{layer.sqnr_db:.1f}",
                methods.get(layer.output, ""),
                _gain(layer.int16_gain_db),
                *([_gain(layer.int8_weights_gain_db)] if has_int4 else []),
            )
            for index, layer in enumerate(bill.layers)
        ),
        note=f"network SQNR {bill.network_sqnr_db:.1f} dB; gain: what the network's SQNR wins when only "
        "that layer's activations are 16 bits wide" + (", or its weights 8 bits instead of 4" * has_int4),
    )
    output.table(
        "",
        ("treatment", "before dB>", "after dB>", "kept"),
        (
            (item.name, f"{item.before_db:.1f}", f"{item.after_db:.1f}", "yes" if item.kept else "no")
            for item in bill.treatments
        ),
    )
    if bill.promotions:
        output.table(
            "",
            ("16 bits for", "layer", "gain dB>", "bytes>"),
            ((item.tensor, item.layer, f"{item.gain_db:+.1f}", item.bytes) for item in bill.promotions),
        )
    if bill.enough is False:
        output.talk("the accuracy asked for was not reached: no other tensor in 16 bits would help")
    if bill.accuracy is not None:
        accuracy = bill.accuracy
        output.table(
            f"{accuracy.samples} labelled samples",
            ("", "top-1>"),
            (
                ("float", f"{accuracy.float_top1:.2%}"),
                ("int8, int4 weights" if has_int4 else "int8", f"{accuracy.int8_top1:.2%}"),
                ("same answer", f"{accuracy.agreement:.2%}"),
            ),
        )
