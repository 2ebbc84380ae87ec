"""Renders a program as a plain PlatformIO project, and writes it to a folder.

`render` gives texts and touches no disk. `write` changes a folder the way a careful editor would:
only files whose text differs, each replaced in one step, with a manifest of what is generated so
that old files can go and the user's own stay.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import tinyc
from tinyc.boards import Board
from tinyc.device import limits
from tinyc.emit import board_files, hello, split_model, symbols
from tinyc.emit.environment import render as render_template
from tinyc.emit.model import render_model
from tinyc.emit.names import string_literal
from tinyc.errors import Problem, TinycError
from tinyc.files import STATE_FOLDER, Staged, content_of, write_if_changed
from tinyc.program import Program, Project
from tinyc.resources import data_folder
from tinyc.split import Base, Split

TOOLCHAINS = ("zig", "gcc", "registry")
# Carries the digest of all other texts.
_IDENTITY = "include/identity.h"
_MANIFEST = f"{STATE_FOLDER}/files.json"
# Keys of a 6LoWPAN node: only its owner can read it.
PRIVATE = "src/lpc_peers.c"

# Path in the project → file under firmware_templates, copied as it is. `family` is that of the core.
_PLAIN = {
    "include/hal.h": "hal/include/hal.h",
    "include/{family}.h": "hal/include/{family}.h",
    "include/registers.h": "hal/include/registers.h",
    "include/soc.h": "hal/{soc}/soc.h",
    "include/string.h": "runtime/include/string.h",
    "include/cbor.h": "device/cbor.h",
    "include/smp.h": "device/smp.h",
    "include/smp_frame.h": "device/smp_frame.h",
    "src/cbor.c": "device/cbor.c",
    "src/smp.c": "device/smp.c",
    "src/smp_frame.c": "device/smp_frame.c",
    "src/hal.c": "hal/{hal}/hal.c",
    "src/startup.c": "hal/{family}/startup.c",
    "src/memory.c": "runtime/memory.c",
    "platforms/tinyc/platform.json": "platformio/platform.json",
    "platforms/tinyc/platform.py": "platformio/platform.py",
    "platforms/tinyc/builder/main.py": "platformio/builder/main.py",
}
# Where tinyc's bootloader starts the application: it receives the next image, and says what it found.
_UPDATES = {
    f"{folder}/{name}.{kind}": f"{home}/{name}.{kind}"
    for home, names in {
        "bootloader": ("crc32", "image", "request", "retained", "sha256", "trailer"),
        "device": ("boot_info", "upload"),
    }.items()
    for name in names
    for folder, kind in (("include", "h"), ("src", "c"))
} | {
    "include/boot_report.h": "bootloader/boot_report.h",
    "include/flash.h": "bootloader/flash.h",
    "include/model_use.h": "device/model_use.h",
    "src/image_group.c": "device/image_group.c",
}
# What the ROM of the chip looks for at the start of flash, and its checksum where it has one.
_BOOT_STAGE = {"src/boot_stage.c": "hal/{soc}/boot_stage.c"}
_CHECKSUM = {"platforms/tinyc/builder/boot_stage.py": "platformio/builder/boot_stage.py"}
_REGISTRY_SCRIPT = "platforms/tinyc/registry.py"


@dataclass(frozen=True, slots=True)
class GroupView:
    """What `tinyc_group.c` prints. Names and versions are C string literals."""

    title: str
    protocol: int
    prefix: str
    macro: str
    board: str
    name: str
    model_version: str
    tinyc_version: str
    inputs: int
    outputs: int
    input_bytes: int
    output_bytes: int
    audio: bool
    text: bool
    slots: bool
    split: bool
    learn: bool = False
    tap: int = 0
    """The output that a learned head reads."""
    lowpan: bool = False
    """Whether it is a 6LoWPAN node, whose counters `lpc_group.c` serves."""
    states: bool = False
    """Whether the model keeps state, which begins with `<prefix>_reset`."""
    served: str = "lowpan_model"
    """What a node does beside serving the radio."""


@dataclass(frozen=True, slots=True)
class IniView:
    """What `platformio.ini` and `README.md` print."""

    name: str
    prefix: str
    title: str
    board: str
    local: bool
    platform: str
    platform_board: str
    toolchain: str
    gcc: str
    machine_flags: str
    baud: int
    split: bool
    learn: bool = False
    lowpan: bool = False
    secret: bool = False
    """Whether there are keys in it."""

    @classmethod
    def of(cls, board: Board, name: str, toolchain: str, *, split: bool = False, **what: bool) -> IniView:
        """Raises TinycError for an unknown toolchain, and for a board that its registry lacks."""
        if toolchain not in TOOLCHAINS:
            raise TinycError(f"unknown toolchain `{toolchain}`", allowed=", ".join(TOOLCHAINS))
        local = toolchain != "registry"
        if not local and board.registry is None:
            raise TinycError(
                f"board `{board.name}` is not in PlatformIO's registry", allowed="--toolchain zig or gcc"
            )
        if not local and split:
            raise TinycError("toolchain `registry` builds no split model", allowed="--toolchain zig or gcc")
        platform, platform_board = ("tinyc", board.name) if local else board.registry or ("", "")
        return cls(
            name=name,
            prefix=name,
            title=board.title,
            board=board.name,
            local=local,
            platform=platform,
            platform_board=platform_board,
            toolchain=toolchain,
            gcc=f"{board.instruction_set.family.gcc_prefix}gcc",
            machine_flags=" ".join(board.instruction_set.gcc),
            baud=board.uart_baud,
            split=split,
            **what,
        )


def platformio_ini(view: IniView) -> str:
    """`platformio.ini`."""
    return render_template("project/platformio.ini.j2", view=view)


def render(program: Program, toolchain: str = "zig", split: Split | None = None) -> Project:
    """The project of `program` as relative path → text; the same program gives the same bytes.

    With `split` the model is an image of its own. Raises TinycError for a board that is no microcontroller,
    a model with more inputs and outputs than one message of the serial protocol describes, an unknown
    toolchain, for `registry` on a board that PlatformIO's registry does not have, and for models that cannot
    share a firmware.
    """
    board = program.board
    if board.is_host:
        raise TinycError(f"board `{board.name}` takes no firmware", hint="choose another one: `tinyc boards`")
    if (split is not None) != (board.slots is not None and board.slots.model_pages > 0):
        raise ValueError("a split build is for the board's split(), and nothing else is")
    hello.check(program, split=split is not None)
    if split is not None and split.base is not None:
        return _beside(split.base, program, split)
    files = board_texts(board, radio=program.lowpan is not None)
    view = _group_view(program, split)
    files["src/tinyc_group.c"] = render_template("device/tinyc_group.c.j2", view=view)
    main = "main.c.j2" if program.lowpan is None else "main_radio.c.j2"
    files["src/main.c"] = render_template(f"runtime/{main}", view=view)
    if split is not None:
        files |= split_model.render_firmware(program, split) | split_model.render_images(program, split)
    else:
        own = _with_model(program)
        # A header that updates and learning both need lies in one place.
        files |= {path: text for path, text in own.items() if path.replace("src/", "include/") not in files}
        if program.lowpan is not None:
            from tinyc.emit import lowpan

            files |= lowpan.model_texts(program)
    return with_toolchain(Project(program, files, split), toolchain)


def board_texts(board: Board, *, radio: bool = False) -> dict[str, str]:
    """What every application for `board` has, whatever it does: chip, serial port, SMP and the platform.

    With `radio` the interrupts of its driver have their handlers.
    """
    templates = data_folder("firmware_templates")
    places = {"soc": board.soc, "hal": board.hal, "family": board.instruction_set.family.folder}
    plain = _PLAIN if board.slots is None else _PLAIN | _UPDATES
    plain = plain | _BOOT_STAGE if board.memory.boot_stage else plain
    plain = plain | _CHECKSUM if board.memory.boot_stage_is_checked else plain
    files = {
        path.format(**places): (templates / source.format(**places)).read_text(encoding="utf-8")
        for path, source in plain.items()
    }
    files["include/board.h"] = board_files.board_header(board, radio=radio)
    files["board.ld"] = board_files.application_script(board)
    if board.slots is not None:
        files["include/slots.h"] = board_files.slots_header(board, board.slots)
    files[f"platforms/tinyc/boards/{board.name}.json"] = board_files.platformio_board(board)
    return files


def registry_script() -> dict[str, str]:
    """What a build with a public platform needs beside `platformio.ini`."""
    script = data_folder("firmware_templates") / "platformio" / "registry.py"
    return {_REGISTRY_SCRIPT: script.read_text(encoding="utf-8")}


def _beside(base: Base, program: Program, split: Split) -> Project:
    """The project of a firmware that exists, with another model."""
    files = {**base.files, **split_model.render_images(program, split)}
    return Project(program, MappingProxyType(dict(sorted(files.items()))), split)


def _with_model(program: Program) -> dict[str, str]:
    """Model and front end of a firmware that has its model inside."""
    files = {f"src/{name}": text for name, text in render_model(program).items()}
    if program.audio is not None:
        from tinyc.audio.emit import render_audio

        files.update({f"src/{name}": text for name, text in render_audio(program).items()})
    if program.tokenizer is not None:
        from tinyc.text.emit import render_tokenizer

        length = program.graph[program.graph.inputs[0]].elements
        texts = render_tokenizer(program.tokenizer, length)
        files.update({f"src/{name}": text for name, text in texts.items()})
    if program.learning is not None:
        from tinyc.learning.emit import render_learning

        files.update({f"src/{name}": text for name, text in render_learning(program).items()})
    return files


def with_toolchain(project: Project, toolchain: str) -> Project:
    """The same project built by another toolchain: `platformio.ini`, README and digest differ."""
    split = project.split
    if split is not None and split.base is not None:
        used = split.base.manifest.toolchain
        if toolchain != used:
            raise TinycError("the firmware is of another toolchain", allowed=f"--toolchain {used}")
        return project
    program = project.program
    what = {"learn": program.learning is not None, "lowpan": program.lowpan is not None}
    what["secret"] = program.lowpan is not None and program.lowpan.has_keys
    view = IniView.of(program.board, symbols.prefix(program), toolchain, split=split is not None, **what)
    files = dict(project.files)
    files.pop(_REGISTRY_SCRIPT, None)
    files["platformio.ini"] = platformio_ini(view)
    readme = "README.md.j2" if split is None else "README_split.md.j2"
    files["README.md"] = render_template(f"project/{readme}", view=view)
    if not view.local:
        files |= registry_script()
    files[_IDENTITY] = render_template("device/identity.h.j2", digest=bytes.fromhex(firmware_digest(files)))
    return replace(project, files=MappingProxyType(dict(sorted(files.items()))))


def _group_view(program: Program, split: Split | None) -> GroupView:
    graph, prefix = program.graph, symbols.prefix(program) if split is None else "model"
    return GroupView(
        title=program.name,
        protocol=limits.PROTOCOL,
        prefix=prefix,
        macro=prefix.upper(),
        board=string_literal(program.board.name),
        name=string_literal(hello.model_name(program)),
        model_version=string_literal(program.version),
        tinyc_version=string_literal(tinyc.__version__),
        inputs=len(graph.inputs),
        outputs=len(graph.outputs),
        input_bytes=sum(graph[name].bytes for name in graph.inputs),
        output_bytes=sum(graph[name].bytes for name in graph.outputs),
        audio=program.audio is not None,
        text=program.tokenizer is not None,
        slots=program.board.slots is not None,
        split=split is not None,
        learn=program.learning is not None,
        tap=graph.outputs.index(program.learning.tap.tensor) if program.learning is not None else 0,
        lowpan=program.lowpan is not None,
        states=bool(graph.states),
    )


def write(project: Project, folder: Path) -> tuple[Path, ...]:
    """Bring `folder` in line with `project`. Returns the files that changed, sorted.

    New texts are written beside their targets first and then renamed, so that no file is ever half
    there. Generated files of an earlier build that are no longer wanted are removed.
    Raises TinycError when the folder cannot be written, or when a file that tinyc did not write is
    in the way.
    """
    return write_texts(project.files, folder)


def write_texts(files: Mapping[str, str], folder: Path) -> tuple[Path, ...]:
    """`write` for the texts of any project."""
    try:
        return _write(files, folder)
    except OSError as error:
        raise TinycError(
            f"cannot write the project: {error.strerror or error}",
            where=str(error.filename or folder),
            hint="choose another folder with --out",
        ) from error


def _write(files: Mapping[str, str], folder: Path) -> tuple[Path, ...]:
    known = generated_names(folder)
    data = {path: text.encode("utf-8") for path, text in files.items()}
    changed = [path for path, content in sorted(data.items()) if content_of(folder / path) != content]
    foreign = [path for path in changed if path not in known and (folder / path).exists()]
    if foreign:
        raise TinycError(
            "the folder holds files that tinyc did not write and would replace",
            where=str(folder),
            problems=[Problem(path, "exists") for path in foreign],
            hint="choose an empty folder with --out, or move these files away",
        )
    folder.mkdir(parents=True, exist_ok=True)
    with Staged({folder / path: data[path] for path in changed}, (folder / PRIVATE,)) as staged:
        # Names first: a run that is interrupted while renaming must know its files again.
        _write_manifest(folder, known | set(data))
        staged.commit()
    stale = sorted(known - set(data))
    for path in stale:
        (folder / path).unlink(missing_ok=True)
    _write_manifest(folder, set(data))
    return tuple(folder / path for path in sorted([*changed, *stale]))


def generated_names(folder: Path) -> set[str]:
    """Paths in the folder that tinyc wrote."""
    try:
        names = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))["files"]
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return set()
    inside = (name for name in names if isinstance(name, str))
    return {name for name in inside if not Path(name).is_absolute() and ".." not in Path(name).parts}


def _write_manifest(folder: Path, names: Iterable[str]) -> None:
    text = json.dumps({"files": sorted(names)}, indent=1) + "\n"
    write_if_changed(folder / _MANIFEST, text.encode("utf-8"))


def firmware_digest(files: Mapping[str, str]) -> str:
    """What a firmware of these texts calls itself: SHA-256 over all but the file that says so.

    A model in an image of its own is no part of the firmware.
    """
    own = {path: text for path, text in files.items() if not path.startswith(split_model.MODEL_FOLDER)}
    return digest_of({path: text for path, text in own.items() if path != _IDENTITY})


def project_key(project: Project, *more: str) -> str:
    """SHA-256 over all texts of the project and whatever else decides the outputs."""
    return digest_of(project.files, *more)


def digest_of(files: Mapping[str, str], *more: str) -> str:
    """SHA-256 over paths and texts, and whatever else is named."""
    digest = hashlib.sha256()
    for item in (*more, *(part for entry in sorted(files.items()) for part in entry)):
        encoded = item.encode("utf-8")
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.hexdigest()
