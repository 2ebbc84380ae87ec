"""A build folder: the generated project, its firmware, `report.json` and the graph it was made from.

The graph, and the tokenizer of a text model, are kept under `.tinyc/`, so that `run`, `verify` and
`profile` need no model file and no front end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyc import pipeline
from tinyc.audio.settings import AudioSettings
from tinyc.boards import load_board
from tinyc.errors import TinycError
from tinyc.files import STATE_FOLDER, write_if_changed
from tinyc.ir import serialize
from tinyc.ir.graph import Graph
from tinyc.learning import stored
from tinyc.objective import Objective
from tinyc.packaging import Package
from tinyc.patches import Patches
from tinyc.preparation import Prepared, read_prepared
from tinyc.program import Firmware, Program, Sizes
from tinyc.sixlowpan.settings import LowpanSettings
from tinyc.split import Split
from tinyc.streaming import streaming_entry
from tinyc.text.tokenizer import load as read_tokenizer
from tinyc.tradeoff import Point

REPORT = "report.json"
TOKENIZER = "tokenizer.json"
LEARNING = "learning.npz"


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a build folder holds. `float_graph` and `bill` exist when tinyc did the quantizing.

    `split` is there when the model is an image of its own, without the other models of the kernel set.
    """

    folder: Path
    program: Program
    report: dict[str, Any]
    float_graph: Graph | None
    bill: dict[str, Any] | None
    split: Split | None = None

    def file(self, kind: str) -> Path:
        """One of the `files` of the report. Raises TinycError when it is gone."""
        path = self.folder / str(self.report["files"][kind])
        if not path.is_file():
            raise TinycError("a file of the build is gone", where=str(path), hint="run `tinyc build` again")
        return path

    @property
    def elf(self) -> Path:
        """The firmware image. Raises TinycError when it is gone."""
        path = self.folder / str(self.report["elf"])
        if not path.is_file():
            raise TinycError("the firmware is gone", where=str(path), hint="run `tinyc build` again")
        return path

    @property
    def firmware(self) -> Firmware:
        """The firmware as the build gave it. Raises TinycError when it is gone, or was built long ago."""
        report, folder = self.report, self.folder.resolve()
        try:
            split = report.get("split")
            sizes = Sizes(
                image=split["image"] if split else 0,
                **{key: report[key] for key in ("flash", "ram", "arena", "weights", "stack_bound")},
                **report["sections"],
            )
            outputs = {kind: folder / str(path) for kind, path in report["files"].items()}
            toolchain, identity = str(report["toolchain"]), str(report["firmware"])
        except (KeyError, TypeError) as error:
            raise TinycError(
                "the build folder is damaged, or of an earlier tinyc",
                where=str(self.folder),
                hint="run `tinyc build` again",
            ) from error
        elf, digest = folder / self.elf.relative_to(self.folder), self.program.digest
        return Firmware(folder, elf, outputs, sizes, toolchain, digest, identity)


def is_artifact(folder: Path) -> bool:
    return (folder / REPORT).is_file() and (folder / STATE_FOLDER / "graph.npz").is_file()


def takes_text(folder: Path) -> bool:
    """Whether a build folder is that of a text model."""
    return (folder / STATE_FOLDER / TOKENIZER).is_file()


def save(
    folder: Path,
    program: Program,
    prepared: Prepared,
    firmware: Firmware,
    package: Package | None = None,
    split: Split | None = None,
    release: Mapping[str, Any] | None = None,
    tradeoff: Sequence[Point] | None = None,
) -> Artifact:
    """Store what later verbs need beside the firmware. Files are replaced only when they change.

    `release` is what the user says of the model as a release: origin, units, limits of memory. `tradeoff` are
    other choices of kernels and this one, where they were asked for.
    """
    report = pipeline.make_report(program, package.firmware if package else firmware, split)
    report["update"] = _update_entry(package)
    report["audio"] = program.audio.to_json() if program.audio else None
    report["text"] = {"tokens": program.tokenizer.size} if program.tokenizer else None
    report["streaming"] = streaming_entry(program, prepared.batch) if prepared.batch else None
    report["tradeoff"] = None if tradeoff is None else [point.to_json() for point in tradeoff]
    report["release"] = dict(release) if release else None
    if prepared.bill is not None:
        report["quantization"] = {
            key: prepared.bill[key] for key in ("network_sqnr_db", "accuracy", "samples")
        }
    state = folder / STATE_FOLDER
    state.mkdir(exist_ok=True)
    write_if_changed(state / "graph.npz", serialize.dump(program.graph))
    for name, content in (
        ("float.npz", serialize.dump(prepared.float_graph) if prepared.float_graph else None),
        ("bill.json", as_json_bytes(prepared.bill) if prepared.bill else None),
        (TOKENIZER, program.tokenizer.file if program.tokenizer else None),
        (LEARNING, stored.dump(program.learning) if program.learning else None),
    ):
        if content is None:
            (state / name).unlink(missing_ok=True)
        else:
            write_if_changed(state / name, content)
    # The report comes last: a folder that has one is complete.
    write_if_changed(folder / REPORT, as_json_bytes(report))
    return Artifact(folder, program, report, prepared.float_graph, prepared.bill, split)


def _update_entry(package: Package | None) -> dict[str, object] | None:
    if package is None:
        return None
    return {
        "image": package.image_bytes,
        "slot": package.slot_bytes,
        "bootloader": package.bootloader_bytes,
        "security_counter": package.security_counter,
        "key": package.key,
        **({} if package.model_bytes is None else {"model": package.model_bytes}),
    }


def open_artifact(folder: Path) -> Artifact:
    """Read a build folder. Raises TinycError when it is not one, is damaged, or has files of two builds."""
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        prepared = read_prepared(folder / STATE_FOLDER)
        board = load_board(str(report["board"]))
        audio = AudioSettings.from_json(report["audio"]) if report["audio"] else None
        tokenizer = read_tokenizer(folder / STATE_FOLDER / TOKENIZER) if report["text"] else None
        state = folder / STATE_FOLDER / LEARNING
        learning = stored.parse(state.read_bytes()) if report.get("learning") else None
        told = report.get("sixlowpan")
        lowpan = LowpanSettings.from_json(told) if told else None
        told = report.get("split")
        split = None
        if told:
            board = board.split()
            split = Split(board.model_map, arena=int(told["arena_capacity"]))
        program = pipeline.compile_graph(
            prepared.graph,
            board,
            name=str(report["model"]),
            labels=tuple(report["labels"]),
            audio=audio,
            tokenizer=tokenizer,
            optimize=Objective(report["optimize"]),
            version=str(report["version"]),
            kernels=[str(layer["kernel"]) for layer in report["layers"]],
            patches=[Patches(**entry) for entry in report["patches"]],
            learning=learning,
            lowpan=lowpan,
        )
    except (FileNotFoundError, NotADirectoryError) as error:
        raise TinycError(
            "is not a build folder", where=str(folder), hint="run `tinyc build` first"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TinycError(
            f"the build folder is damaged: {error}", where=str(folder), hint="run `tinyc build` again"
        ) from error
    made, told = (program.digest, program.plan.arena_size), (report["digest"], report["arena"])
    if made != told:
        raise TinycError(
            f"the files of the folder are not of one build, or of an earlier tinyc: its graph has the digest "
            f"{made[0][:16]} and an arena of {made[1]} B, {REPORT} tells of {told[0][:16]} and {told[1]} B",
            where=str(folder),
            hint="run `tinyc build` again",
        )
    return Artifact(folder, program, report, prepared.float_graph, prepared.bill, split)


def as_json_bytes(value: object) -> bytes:
    """Indented JSON text, UTF-8, one line feed at the end."""
    return (json.dumps(value, indent=2) + "\n").encode()
