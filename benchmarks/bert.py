"""Sentence classifiers in float32, in int8 and on the emulated nRF52840, beside the published figures.

    python benchmarks/bert.py [--sets snips emotion] [--models embbert] [--device-rows N] [--json FILE]

`snips` and `hwu64` of EmbBERT are the models of examples/bert_intent; everything else is what
benchmarks/bert_train.py left in build/bert. What is missing is left out, by name.

Columns: accuracy in percent on all test rows (of the larger sets 2,000) of the float32 graph, of the int8
graph (the NumPy reference, bit for bit what the C computes) and of the chip, where long texts are some rows,
evenly spread, see DEVICE_ROWS; agreement of int8 with float32; the signal to noise ratio of the logits.
`exact` says whether every output byte of the chip was that of the reference. Instructions are counted on the
emulated chip for sentences of several lengths; MACs are those of the layers at that length.

`--json` writes {"snips": {"float", "int8", "device", "agreement", "rows", ...}, ...} for EmbBERT, the same
under "models" for the others, and "embbert": {"flash", "ram", "instructions_per_mac": {length: ...}, ...}.
Exit code 4 when a byte differs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cortex_m4_tables import Table, replace_block
from tinyc import interpreter, pipeline
from tinyc.boards import load_board
from tinyc.cli import output
from tinyc.device.client import DeviceClient
from tinyc.emit import symbols
from tinyc.emulator import Machine
from tinyc.execution import DeviceEngine
from tinyc.ir import sequence
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array
from tinyc.preparation import Prepared, prepare
from tinyc.program import Firmware, Program
from tinyc.quantize.measure import dequantize
from tinyc.source import load_samples, resolve

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "bert_intent"
TRAINED = ROOT / "build" / "bert"
PAGES = (ROOT / "docs" / "reference" / "performance.md", EXAMPLE / "README.md")
BOARD = "nrf52840_bare"
SETS = ("snips", "hwu64", "emotion", "sst2", "ag_news", "imdb")
MODELS = ("embbert", "bert", "embedder_conv")
LENGTHS = (8, 12, 16, 32, 64, 128, 256)
# Rows to run on the chip where all would take hours.
DEVICE_ROWS = {"ag_news": 500, "imdb": 200}


@dataclass(frozen=True, slots=True)
class Published:
    """Figures from the result files of EmbBERT's repository: pre-trained on BookCorpus in float32 (mean of
    five runs) and after 8-bit quantization (one run), and not pre-trained. Its BERT is smaller (2,048 words,
    80 columns). Its test rows of `nlu` (here hwu64) are drawn at random, and the quantized run had been
    trained on them; its AG News has all 120,000 rows to train.
    """

    float32: float | None = None
    quantized: float | None = None
    scratch: float | None = None

    def __str__(self) -> str:
        pre_trained = f"{self.float32:.2f} / {self.quantized:.2f}" if self.float32 else ""
        return ", ".join(filter(None, (pre_trained, f"scratch {self.scratch:.1f}" if self.scratch else "")))


PUBLISHED = {
    ("snips", "embbert"): Published(97.67, 97.93, 95.2),
    ("hwu64", "embbert"): Published(88.16, 94.05),
    ("emotion", "embbert"): Published(89.58, 89.90, 68.5),
    ("sst2", "embbert"): Published(79.33, 80.96, 78.5),
    ("ag_news", "embbert"): Published(90.46, 90.63, 90.8),
    ("imdb", "embbert"): Published(84.10, 84.01),
    ("snips", "bert"): Published(scratch=96.6),
    ("ag_news", "bert"): Published(scratch=88.9),
    ("ag_news", "embedder_conv"): Published(scratch=91.5),
}


@dataclass(frozen=True, slots=True)
class Result:
    """Percentages; `device` for `device_rows` rows. `snr` in dB."""

    set: str
    model: str
    rows: int
    float32: float
    int8: float
    agreement: float
    snr: float
    device: float | None
    device_rows: int
    exact: bool
    flash: int
    ram: int
    training: str


@dataclass(frozen=True, slots=True)
class Speed:
    """One sentence of `length` tokens on the emulated chip."""

    length: int
    instructions: int
    cycles: int
    macs: int

    @property
    def per_mac(self) -> float:
        return self.instructions / self.macs


def files(name: str, model: str) -> Path | None:
    """The tinyc.toml of a trained model, None where there is none."""
    path = TRAINED / f"{name}_{model}" / "tinyc.toml"
    example = EXAMPLE / ("tinyc.toml" if name == "snips" else f"{name}.toml")
    if model == "embbert" and example.is_file():
        path = example
    return path if path.is_file() else None


def training(folder: Path, name: str) -> str:
    """What is known about the training of a model."""
    for path in (folder / f"results_{name}.json", folder / "result.json"):
        if path.is_file():
            known = json.loads(path.read_text(encoding="utf-8"))
            text = f"{known['epochs']:g} epochs"
            if "train_rows" in known:
                text += f" of {known['train_rows']:,} rows"
            if known.get("pretraining_epochs"):
                text += f" after {known['pretraining_epochs']:g} of masked words"
            return text
    return ""


def scores(graph: Graph, rows: Sequence[Array]) -> Array:
    """Logits of every row, float64 [rows, classes]."""
    (name,) = graph.outputs
    found = []
    for ids in rows:
        (value,) = interpreter.run(graph, [ids])
        real = value if graph[name].quantization is None else dequantize(graph[name], value)
        found.append(real.astype(np.float64).reshape(-1))
    return np.stack(found)


def noise_ratio(real: Array, quantized: Array) -> float:
    """Signal to noise ratio of the logits in dB, without their mean, which decides nothing."""
    centred = real - real.mean(axis=1, keepdims=True)
    noise = quantized - quantized.mean(axis=1, keepdims=True) - centred
    return float(10 * np.log10(np.square(centred).sum() / max(np.square(noise).sum(), 1e-30)))


def built(path: Path, folder: Path) -> tuple[Prepared, Program, Firmware]:
    """The firmware of a tinyc.toml."""
    source = resolve(path)
    prepared = prepare(source)
    program = pipeline.compile_graph(
        prepared.graph,
        load_board(BOARD),
        name=source.name,
        labels=source.labels,
        tokenizer=source.tokenizer,
    )
    return prepared, program, pipeline.build(program, folder)


def on_device(program: Program, elf: Path, rows: Sequence[Array]) -> tuple[list[Array], bool]:
    """Logits of the emulated chip, and whether all bytes are those of the reference."""
    machine = Machine(elf, program.board)
    try:
        engine = DeviceEngine(DeviceClient(machine.transport), program)
        found, exact = [], True
        for ids in output.progress("on the chip", list(rows)):
            (value,) = engine.run([ids])
            (wanted,) = interpreter.run(program.graph, [ids])
            exact &= value.tobytes() == wanted.tobytes()
            found.append(value.reshape(-1))
        return found, exact
    finally:
        machine.transport.close()


def evaluate(name: str, model: str, path: Path, device_rows: int) -> Result:
    """All figures of one model on the test rows of its set."""
    with tempfile.TemporaryDirectory() as folder:
        prepared, program, firmware = built(path, Path(folder))
        assert prepared.float_graph is not None
        source = resolve(path)
        assert source.evaluation is not None
        columns, labels = load_samples(source.evaluation, prepared.graph.inputs)
        assert labels is not None
        tensor = prepared.graph[prepared.graph.inputs[0]]
        rows = [ids.reshape(tensor.shape).astype(tensor.dtype.numpy) for ids in columns[0]]
        real = scores(prepared.float_graph, rows)
        quantized = scores(prepared.graph, rows)
        count = min(device_rows or DEVICE_ROWS.get(name, len(rows)), len(rows))
        chosen = [(2 * at + 1) * len(rows) // (2 * count) for at in range(count)]
        answers, exact = on_device(program, firmware.elf, [rows[at] for at in chosen])
        hits = np.array([int(np.argmax(answer)) for answer in answers]) == labels[chosen]
        same = real.argmax(axis=1) == quantized.argmax(axis=1)
        return Result(
            name,
            model,
            len(rows),
            100 * float((real.argmax(axis=1) == labels).mean()),
            100 * float((quantized.argmax(axis=1) == labels).mean()),
            100 * float(same.mean()),
            noise_ratio(real, quantized),
            100 * float(hits.mean()),
            len(chosen),
            exact,
            firmware.sizes.flash,
            firmware.sizes.ram,
            training(path.parent, name),
        )


def sentence(program: Program, length: int) -> Array:
    """Random ids for `length` rows."""
    graph = program.graph
    tensor = graph[graph.inputs[0]]
    ids = np.zeros(tensor.shape, tensor.dtype.numpy)
    ids[0, :length] = np.random.default_rng(length).integers(5, 1000, length)
    return ids


def macs_at(graph: Graph, ids: Array) -> int:
    tensors = interpreter.at_length(graph, {graph.inputs[0]: ids})
    return sum(
        op.macs([tensors[name] for name in op.inputs], [tensors[name] for name in op.outputs])
        for op in graph.ops
    )


def speeds(path: Path) -> tuple[Program, Firmware, list[Speed]]:
    """One sentence of each length on the emulated chip."""
    with tempfile.TemporaryDirectory() as folder:
        _, program, firmware = built(path, Path(folder))
        machine = Machine(firmware.elf, program.board)
        try:
            engine = DeviceEngine(DeviceClient(machine.transport), program)
            invoke = f"{symbols.prefix(program)}_invoke"
            machine.watch([invoke])
            found = []
            for length in LENGTHS:
                if length > sequence.longest(program.graph):
                    continue
                machine.reset_profile()
                ids = sentence(program, length)
                engine.run([ids])
                counts = machine.profile().watched[invoke]
                macs = macs_at(program.graph, ids)
                found.append(Speed(length, counts.instructions, counts.cycles_estimated, macs))
            return program, firmware, found
        finally:
            machine.transport.close()


def accuracy_table(results: Sequence[Result]) -> Table:
    columns = (
        *(
            "set",
            "model",
            "training",
            "rows>",
            "float32>",
            "int8>",
            "chip>",
            "agreement>",
            "SNR dB>",
            "exact",
        ),
        *("flash>", "RAM>", "published"),
    )
    rows = []
    for r in results:
        rows.append(
            (
                r.set,
                r.model,
                r.training,
                f"{r.rows:,}",
                f"{r.float32:.2f}",
                f"{r.int8:.2f}",
                f"{r.device:.2f}" + ("" if r.device_rows == r.rows else f" ({r.device_rows})"),
                f"{r.agreement:.2f}",
                f"{r.snr:.1f}",
                "yes" if r.exact else "NO",
                f"{r.flash:,}",
                f"{r.ram:,}",
                str(PUBLISHED.get((r.set, r.model), "")),
            )
        )
    return Table(
        "Accuracy in percent; published: float32 / 8 bits, pre-trained, and from scratch",
        columns,
        tuple(rows),
    )


def speed_table(program: Program, firmware: Firmware, found: Sequence[Speed]) -> Table:
    clock, sizes = program.board.clock_hz, firmware.sizes
    columns = (
        *("tokens>", "MACs>", "instructions>", "per MAC>", "cycles (estimate)>"),
        f"ms at {clock // 10**6} MHz>",
    )
    rows = tuple(
        (
            str(speed.length),
            f"{speed.macs:,}",
            f"{speed.instructions:,}",
            f"{speed.per_mac:.2f}",
            f"{speed.cycles:,}",
            f"{speed.cycles / clock * 1000:,.0f}",
        )
        for speed in found
    )
    title = f"EmbBERT with its tokenizer on {BOARD}: flash {sizes.flash:,} B, RAM {sizes.ram:,} B"
    return Table(title, columns, rows)


def update_docs(tables: Sequence[Table]) -> None:
    """Write the tables into the pages that have room for them."""
    content = "\n\n".join(f"{table.title}:\n\n{table.markdown()}" for table in tables)
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        page.write_text(replace_block(text, "benchmarks/bert.py --update-docs", content), encoding="utf-8")


def to_json(results: Sequence[Result], firmware: Firmware | None, found: Sequence[Speed]) -> dict[str, Any]:
    def entry(result: Result) -> dict[str, Any]:
        values = asdict(result)
        return {"float": values.pop("float32"), **values}

    answer: dict[str, Any] = {r.set: entry(r) for r in results if r.model == "embbert"}
    answer["models"] = [entry(r) for r in results if r.model != "embbert"]
    if firmware is not None:
        answer["embbert"] = {
            "flash": firmware.sizes.flash,
            "ram": firmware.sizes.ram,
            "weights": firmware.sizes.weights,
            "arena": firmware.sizes.arena,
            "instructions_per_mac": {str(speed.length): round(speed.per_mac, 4) for speed in found},
            "instructions": {str(speed.length): speed.instructions for speed in found},
            "cycles_estimated": {str(speed.length): speed.cycles for speed in found},
        }
    return answer


def known_results(paths: Sequence[Path]) -> dict[tuple[str, str], Result]:
    """By set and model: the results in files that `--json` wrote."""
    found = {}
    for path in paths:
        content = json.loads(path.read_text(encoding="utf-8"))
        own = [content[name] for name in SETS if name in content]
        for values in [*own, *content["models"]]:
            result = Result(float32=values.pop("float"), **values)
            found[result.set, result.model] = result
    return found


def with_sizes(result: Result, path: Path | None) -> Result:
    """The result with the sizes of a firmware that is built now, where the model is still there."""
    if path is None:
        return result
    with tempfile.TemporaryDirectory() as folder:
        _, _, firmware = built(path, Path(folder))
    return replace(result, flash=firmware.sizes.flash, ram=firmware.sizes.ram)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--device-rows", type=int, default=0, help="rows on the chip, 0: as DEVICE_ROWS says")
    parser.add_argument("--update-docs", action="store_true", help="write the tables into the docs")
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--known", nargs="+", type=Path, default=(), help="--json files whose accuracies to reuse"
    )
    options = parser.parse_args()
    results, known = [], known_results(options.known)
    for name in options.sets:
        for model in options.models:
            path = files(name, model)
            if (name, model) in known:
                results.append(with_sizes(known[name, model], path))
                continue
            if path is None:
                output.talk(f"{name} {model}: not trained (benchmarks/bert_train.py)")
                continue
            results.append(evaluate(name, model, path, options.device_rows))
    tables = [accuracy_table(results)]
    firmware, found = None, list[Speed]()
    first = files("snips", "embbert")
    if first is not None and "embbert" in options.models:
        program, firmware, found = speeds(first)
        tables.append(speed_table(program, firmware, found))
    for table in tables:
        output.table(table.title, table.columns, table.rows)
    if options.update_docs:
        update_docs(tables)
    if options.json:
        text = json.dumps(to_json(results, firmware, found), indent=2) + "\n"
        options.json.write_text(text, encoding="utf-8")
    if not all(result.exact for result in results):
        sys.exit(4)


if __name__ == "__main__":
    main()
