"""Renders 6LoWPAN nodes: with a model that answers over the air, or with an application of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import tinyc
from tinyc.boards import Board
from tinyc.device import limits
from tinyc.emit import board_files, project, symbols
from tinyc.emit.environment import render as render_template
from tinyc.emit.names import string_literal
from tinyc.errors import Problem, TinycError
from tinyc.ir.tensor import DType
from tinyc.program import Program
from tinyc.resources import data_folder
from tinyc.sixlowpan import emit_node
from tinyc.sixlowpan.settings import LowpanSettings

NAME = "lowpan"
"""What the project calls itself."""
_IDENTITY = "include/identity.h"
_SERVED = "lowpan_application"
# Outputs that may be scores of classes.
_LABEL_TYPES = {DType.INT8: "int8_t", DType.UINT8: "uint8_t", DType.INT16: "int16_t"}


@dataclass(frozen=True, slots=True)
class _ModelView:
    """What `lowpan_model.c` prints; `label_type` is empty where the output is no vector of scores."""

    title: str
    prefix: str
    macro: str
    inputs: int
    outputs: int
    input_bytes: int
    output_bytes: int
    label_type: str
    label_count: int


def model_texts(program: Program) -> dict[str, str]:
    """Path in a project → text: what serves a program's model over the air.

    Raises TinycError for a board without a radio.
    """
    assert program.lowpan is not None
    board, settings = program.board, program.lowpan
    files = emit_node.firmware_texts(board, settings, learns=program.learning is not None)
    files["board.ld"] = board_files.application_script(board, emit_node.reserved_flash(board, settings))
    return files | {emit_node.place(name): text for name, text in service_texts(program).items()}


def service_texts(program: Program) -> dict[str, str]:
    """File name → text of `lowpan_model`, which has what it needs in the model and in a node."""
    graph, prefix = program.graph, symbols.prefix(program)
    first = graph[graph.outputs[0]]
    view = _ModelView(
        title=program.name,
        prefix=prefix,
        macro=prefix.upper(),
        inputs=len(graph.inputs),
        outputs=len(graph.outputs),
        input_bytes=sum(graph[name].bytes for name in graph.inputs),
        output_bytes=sum(graph[name].bytes for name in graph.outputs),
        label_type=_LABEL_TYPES.get(first.dtype, "") if first.elements > 1 else "",
        label_count=first.elements,
    )
    header = data_folder("firmware_templates") / "sixlowpan" / "lowpan_model.h"
    return {
        "lowpan_model.h": header.read_text(encoding="utf-8"),
        "lowpan_model.c": render_template("sixlowpan/lowpan_model.c.j2", view=view),
    }


@dataclass(frozen=True, slots=True)
class Application:
    """The user's sources: file name → text. Raises TinycError for other files than C's, and without one."""

    name: str
    sources: Mapping[str, str]

    def __post_init__(self) -> None:
        wrong = [name for name in self.sources if not name.endswith((".c", ".h"))]
        problems = [Problem(name, "is no C source", "files .c and .h") for name in wrong]
        if not any(name.endswith(".c") for name in self.sources):
            problems.append(Problem(self.name, "has no .c file"))
        if problems:
            raise TinycError("is no application", problems=problems)

    @property
    def digest(self) -> str:
        """SHA-256 that names the application as a model's names its graph."""
        return project.digest_of(self.sources, "tinyc lowpan application")

    @property
    def title(self) -> str:
        """What the firmware says in the place of a model's name: at most so many bytes as HELLO has."""
        return f"{NAME} {self.name}"[: limits.LONGEST_NAME]


@dataclass(frozen=True, slots=True)
class _View:
    """What `lowpan_app.c`, `main.c` and the README print."""

    title: str
    protocol: int
    board: str
    board_name: str
    board_title: str
    name: str
    tinyc_version: str
    digest: str
    slots: bool
    secret: bool
    sources: tuple[str, ...]
    served: str = _SERVED
    learn: bool = False


def render(
    board: Board, settings: LowpanSettings, application: Application, toolchain: str = "zig"
) -> Mapping[str, str]:
    """The project as relative path → text; the same application and node give the same bytes.

    Raises TinycError for a board without a radio, an unknown toolchain, and files of the application that
    have the name of a generated one.
    """
    emit_node.require_radio(board)
    templates = data_folder("firmware_templates")
    view = _View(
        title=application.name,
        protocol=limits.PROTOCOL,
        board=string_literal(board.name),
        board_name=board.name,
        board_title=board.title,
        name=string_literal(application.title),
        tinyc_version=string_literal(tinyc.__version__),
        digest=application.digest,
        slots=board.slots is not None,
        secret=settings.has_keys,
        sources=tuple(sorted(application.sources)),
    )
    files = project.board_texts(board, radio=True)
    files |= emit_node.firmware_texts(board, settings)
    files["board.ld"] = board_files.application_script(board, emit_node.reserved_flash(board, settings))
    files["include/lowpan_application.h"] = (templates / "sixlowpan" / "lowpan_application.h").read_text(
        encoding="utf-8"
    )
    files["src/lowpan_app.c"] = render_template("device/lowpan_app.c.j2", view=view)
    files["src/main.c"] = render_template("runtime/main_radio.c.j2", view=view)
    own = {f"src/{name}": text for name, text in application.sources.items()}
    taken = [path for path in own if path in files or path.replace("src/", "include/") in files]
    if taken:
        raise TinycError(
            "files of the application have names of generated ones",
            problems=[Problem(path, "is generated") for path in sorted(taken)],
        )
    files |= own
    ini = project.IniView.of(board, NAME, toolchain)
    files["platformio.ini"] = project.platformio_ini(ini)
    if not ini.local:
        files |= project.registry_script()
    files["README.md"] = render_template("project/README_lowpan.md.j2", view=view)
    digest = bytes.fromhex(identity(files))
    files[_IDENTITY] = render_template("device/identity.h.j2", digest=digest)
    return MappingProxyType(dict(sorted(files.items())))


def identity(files: Mapping[str, str]) -> str:
    """What the firmware of these texts calls itself."""
    return project.digest_of({path: text for path, text in files.items() if path != _IDENTITY})
