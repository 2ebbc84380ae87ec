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
from tinyc.boards import Board, Pin
from tinyc.device import limits
from tinyc.emit import hello, symbols
from tinyc.emit.environment import render as render_template
from tinyc.emit.model import render_model
from tinyc.emit.names import string_literal
from tinyc.errors import Problem, TinycError
from tinyc.files import STATE_FOLDER, Staged, content_of, write_if_changed
from tinyc.program import Program, Project
from tinyc.resources import data_folder

TOOLCHAINS = ("zig", "gcc", "registry")
# Carries the digest of all other texts.
_IDENTITY = "include/identity.h"
_MANIFEST = f"{STATE_FOLDER}/files.json"

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
    "src/main.c": "runtime/main.c",
    "src/hal.c": "hal/{hal}/hal.c",
    "src/startup.c": "hal/{family}/startup.c",
    "src/memory.c": "runtime/memory.c",
    "platforms/tinyc/platform.json": "platformio/platform.json",
    "platforms/tinyc/platform.py": "platformio/platform.py",
    "platforms/tinyc/builder/main.py": "platformio/builder/main.py",
}
_REGISTRY_SCRIPT = "platforms/tinyc/registry.py"


@dataclass(frozen=True, slots=True)
class BoardView:
    """What `board.h` and `board.ld` print."""

    title: str
    clock_hz: int
    has_dwt: int
    has_fpu: int
    crystal_hz: int
    uart_tx: Pin | None
    uart_rx: Pin | None
    flash_origin: str
    flash_size: int
    ram_origin: str
    ram_size: int
    stack: int
    smp_buffer: int


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


def render(program: Program, toolchain: str = "zig") -> Project:
    """The project of `program` as relative path → text; the same program gives the same bytes.

    Raises TinycError for a board that is no microcontroller, a model with more inputs and outputs than
    one message of the serial protocol describes, an unknown toolchain, and for `registry` on a board that
    PlatformIO's registry does not have.
    """
    board = program.board
    if board.is_host:
        raise TinycError(f"board `{board.name}` takes no firmware", hint="choose another one: `tinyc boards`")
    hello.check(program)
    templates = data_folder("firmware_templates")
    places = {"soc": board.soc, "hal": board.hal, "family": board.instruction_set.family.folder}
    files = {
        path.format(**places): (templates / source.format(**places)).read_text(encoding="utf-8")
        for path, source in _PLAIN.items()
    }
    view = _board_view(board)
    files["include/board.h"] = render_template("project/board.h.j2", view=view)
    files["board.ld"] = render_template("project/board.ld.j2", view=view)
    files["src/tinyc_group.c"] = render_template("device/tinyc_group.c.j2", view=_group_view(program))
    files.update({f"src/{name}": text for name, text in render_model(program).items()})
    if program.audio is not None:
        from tinyc.audio.emit import render_audio

        files.update({f"src/{name}": text for name, text in render_audio(program).items()})
    if program.tokenizer is not None:
        from tinyc.text.emit import render_tokenizer

        length = program.graph[program.graph.inputs[0]].elements
        texts = render_tokenizer(program.tokenizer, length)
        files.update({f"src/{name}": text for name, text in texts.items()})
    files[f"platforms/tinyc/boards/{board.name}.json"] = _board_json(board)
    return with_toolchain(Project(program, files), toolchain)


def with_toolchain(project: Project, toolchain: str) -> Project:
    """The same project built by another toolchain: `platformio.ini`, README and digest differ."""
    if toolchain not in TOOLCHAINS:
        raise TinycError(f"unknown toolchain `{toolchain}`", allowed=", ".join(TOOLCHAINS))
    program, board = project.program, project.program.board
    local = toolchain != "registry"
    if not local and board.registry is None:
        raise TinycError(
            f"board `{board.name}` is not in PlatformIO's registry", allowed="--toolchain zig or gcc"
        )
    platform, platform_board = ("tinyc", board.name) if local else board.registry or ("", "")
    view = IniView(
        name=symbols.prefix(program),
        prefix=symbols.prefix(program),
        title=board.title,
        board=board.name,
        local=local,
        platform=platform,
        platform_board=platform_board,
        toolchain=toolchain,
        gcc=f"{board.instruction_set.family.gcc_prefix}gcc",
        machine_flags=" ".join(board.instruction_set.gcc),
    )
    files = dict(project.files)
    files.pop(_REGISTRY_SCRIPT, None)
    files["platformio.ini"] = render_template("project/platformio.ini.j2", view=view)
    files["README.md"] = render_template("project/README.md.j2", view=view)
    if not local:
        script = data_folder("firmware_templates") / "platformio" / "registry.py"
        files[_REGISTRY_SCRIPT] = script.read_text(encoding="utf-8")
    files[_IDENTITY] = render_template("device/identity.h.j2", digest=bytes.fromhex(firmware_digest(files)))
    return replace(project, files=MappingProxyType(dict(sorted(files.items()))))


def _board_view(board: Board) -> BoardView:
    memory = board.memory
    return BoardView(
        title=board.title,
        clock_hz=board.clock_hz,
        has_dwt=int("dwt" in board.features),
        has_fpu=int("fpu" in board.features),
        crystal_hz=board.crystal_hz or 0,
        uart_tx=board.uart_tx,
        uart_rx=board.uart_rx,
        flash_origin=f"0x{memory.application_origin:08x}",
        flash_size=memory.application_flash,
        ram_origin=f"0x{memory.ram_origin + memory.ram_reserved:08x}",
        ram_size=memory.application_ram,
        stack=memory.stack,
        smp_buffer=limits.buffer_bytes(memory.ram),
    )


def _group_view(program: Program) -> GroupView:
    graph, prefix = program.graph, symbols.prefix(program)
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
    )


def _board_json(board: Board) -> str:
    """PlatformIO's manifest of our board; it asks for vendor and url, whatever they are."""
    told = board.instruction_set
    manifest = {
        "build": {
            "cpu": board.core,
            "f_cpu": f"{board.clock_hz}L",
            "gcc_flags": told.gcc,
            "gcc_prefix": told.family.gcc_prefix,
            "mcu": board.soc,
            "zig_flags": told.zig,
        },
        "name": board.title,
        "upload": {
            "maximum_ram_size": board.memory.application_ram,
            "maximum_size": board.memory.application_flash,
        },
        "url": "",
        "vendor": "tinyc",
    }
    return json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write(project: Project, folder: Path) -> tuple[Path, ...]:
    """Bring `folder` in line with `project`. Returns the files that changed, sorted.

    New texts are written beside their targets first and then renamed, so that no file is ever half
    there. Generated files of an earlier build that are no longer wanted are removed.
    Raises TinycError when the folder cannot be written, or when a file that tinyc did not write is
    in the way.
    """
    try:
        return _write(project.files, folder)
    except OSError as error:
        raise TinycError(
            f"cannot write the project: {error.strerror or error}",
            where=str(error.filename or folder),
            hint="choose another folder with --out",
        ) from error


def _write(files: Mapping[str, str], folder: Path) -> tuple[Path, ...]:
    known = _read_manifest(folder)
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
    with Staged({folder / path: data[path] for path in changed}) as staged:
        # Names first: a run that is interrupted while renaming must know its files again.
        _write_manifest(folder, known | set(data))
        staged.commit()
    stale = sorted(known - set(data))
    for path in stale:
        (folder / path).unlink(missing_ok=True)
    _write_manifest(folder, set(data))
    return tuple(folder / path for path in sorted([*changed, *stale]))


def _read_manifest(folder: Path) -> set[str]:
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
    """What a firmware of these texts calls itself: SHA-256 over all but the file that says so."""
    return _digest_of({path: text for path, text in files.items() if path != _IDENTITY})


def project_key(project: Project, *more: str) -> str:
    """SHA-256 over all texts of the project and whatever else decides the outputs."""
    return _digest_of(project.files, *more)


def _digest_of(files: Mapping[str, str], *more: str) -> str:
    digest = hashlib.sha256()
    for item in (*more, *(part for entry in sorted(files.items()) for part in entry)):
        encoded = item.encode("utf-8")
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.hexdigest()
